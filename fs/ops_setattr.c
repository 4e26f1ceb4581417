/* SPDX-License-Identifier: Apache-2.0 */

/*
 * SETATTR: owner, mode, size, times, in that order, since changing an owner clears
 * set-id bits that the mode then sets. The kernel has checked who may (by
 * default_permissions); here it is done.
 */

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache.h"
#include "ops_impl.h"
#include "util/auto.h"

static int
set_owner(int fd, const struct stat *attr, int set)
{
    uid_t uid = set & FUSE_SET_ATTR_UID ? attr->st_uid : (uid_t)-1;
    gid_t gid = set & FUSE_SET_ATTR_GID ? attr->st_gid : (gid_t)-1;
    return fchownat(fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0 ? -errno
                                                                               : 0;
}

static int
set_size(fuse_req_t req, struct stoqfs_node *n, off_t size, struct fuse_file_info *fi)
{
    struct stoqfs *fs = stoqfs_of(req);
    STOQ_AUTOCLOSE int own = -1;
    int fd = fi ? stoqfs_open_fd(fs, fi) : -1;
    if (!fi) {
        own = fd = stoqfs_node_open(fs->nodes, n, O_WRONLY | O_NONBLOCK);
        if (fd < 0)
            return fd;
    }
    struct stoqfs_creds creds;
    stoqfs_node_writers_add(n, 0);
    stoqfs_node_set_dirty(n);
    stoqfs_creds_enter_writer(req, &creds);
    int r = ftruncate(fd, size) < 0 ? -errno : 0;
    stoqfs_creds_leave(&creds);
    stoqfs_node_writers_add(n, 0);
    return r;
}

static struct timespec
time_of(const struct timespec *given, int set, int flag, int flag_now)
{
    if (set & flag_now)
        return (struct timespec){.tv_nsec = UTIME_NOW};
    if (set & flag)
        return *given;
    return (struct timespec){.tv_nsec = UTIME_OMIT};
}

static int
set_times(const char *path, const struct stat *attr, int set)
{
    const struct timespec times[2] = {
        time_of(&attr->st_atim, set, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW),
        time_of(&attr->st_mtim, set, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW),
    };
    return utimensat(AT_FDCWD, path, times, 0) < 0 ? -errno : 0;
}

static int
apply(fuse_req_t req, struct stoqfs_node *n, int fd, const struct stat *attr, int set,
      struct fuse_file_info *fi)
{
    struct stoqfs_fd_path path;
    int r = 0;
    (void)stoqfs_fd_path(fd, &path);
    if (set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
        r = set_owner(fd, attr, set);
    if (r == 0 && set & FUSE_SET_ATTR_MODE &&
        fchmodat(AT_FDCWD, path.text, attr->st_mode & 07777, 0) < 0)
        r = -errno;
    if (r == 0 && set & FUSE_SET_ATTR_SIZE)
        r = set_size(req, n, attr->st_size, fi);
    if (r == 0 && set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME))
        r = set_times(path.text, attr, set);
    return r;
}

void
stoqfs_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int set,
                  struct fuse_file_info *fi)
{
    struct stoqfs *fs = stoqfs_of(req);
    struct stoqfs_node *n = stoqfs_req_real(req, ino, EPERM);
    struct stoqfs_keep keep;
    struct stat st;
    int fd = -1;
    if (!n)
        return;
    int r = fs->options->read_only ? -EROFS : stoqfs_node_fd(fs->nodes, n, &fd);
    if (r < 0) {
        (void)fuse_reply_err(req, -r);
        return;
    }
    stoqfs_keep_node(n, fd, &keep);
    r = apply(req, n, fd, attr, set, fi);
    stoqfs_keep_end(fs, &keep, !(set & FUSE_SET_ATTR_SIZE));
    if (r == 0)
        r = stoqfs_stat_shown(fs, n, fd, &st);
    stoqfs_node_fd_put(fs->nodes, n, fd);
    if (r < 0) {
        (void)fuse_reply_err(req, -r);
        return;
    }
    /* before the reply: afterwards the node may be forgotten */
    if (set & FUSE_SET_ATTR_SIZE && !fi && stoqfs_node_take_dirty(n))
        stoqfs_scan_written(fs, n);
    stoqfs_cache_stale(fs, n);
    (void)fuse_reply_attr(req, &st, stoqfs_cache_attr_time(fs, &st));
}
