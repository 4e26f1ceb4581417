/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Finding things and saying what they are: LOOKUP, FORGET, GETATTR, READLINK, STATFS.
 */

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cache.h"
#include "ops_impl.h"
#include "util/auto.h"

/* "." and ".." are asked for by NFS servers only, and of nodes that may be no
 * directories; the answer comes from the table, never from the source's "..". */
static void
lookup_dots(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n, bool up)
{
    struct stoqfs_node *found = n;
    struct stat st;
    if (up && stoqfs_node_number(n) != FUSE_ROOT_ID) {
        found = stoqfs_node_parent(fs->nodes, n);
        if (!found) {
            (void)fuse_reply_err(req, ESTALE);
            return;
        }
    }
    int r = stoqfs_node_stat(fs->nodes, found, &st);
    if (r == 0)
        stoqfs_node_ref(fs->nodes, found);
    if (found != n)
        stoqfs_node_unpin(fs->nodes, found);
    if (r < 0) {
        (void)fuse_reply_err(req, -r);
        return;
    }
    st.st_ino = stoqfs_node_shown_ino(fs->nodes, st.st_dev, st.st_ino);
    stoqfs_reply_entry(fs, req, found, &st);
}

void
stoqfs_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct stoqfs *fs = stoqfs_of(req);
    struct stoqfs_node *dir = stoqfs_req_node(req, parent);
    struct stoqfs_node *n = NULL;
    struct stat st;
    char base[256];
    if (!dir)
        return;
    if (stoqfs_node_kind(dir) == STOQFS_DOT) {
        stoqfs_dot_lookup(fs, req, dir, name);
        return;
    }
    if (stoqfs_node_kind(dir) != STOQFS_REAL) {
        (void)fuse_reply_err(req, ENOTDIR);
        return;
    }
    if (stoqfs_name_is_dot(dir, name)) {
        stoqfs_dot_lookup(fs, req, NULL, name);
        return;
    }
    if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]))) {
        lookup_dots(fs, req, dir, name[1] != '\0');
        return;
    }
    int r = stoqfs_node_lookup(fs->nodes, dir, name, &n, &st);
    if (r == 0)
        stoqfs_reply_entry(fs, req, n, &st);
    else if (r == -ENOENT && stoqfs_sidecar_name(fs, name, base))
        stoqfs_sidecar_lookup(fs, req, dir, base);
    else
        (void)fuse_reply_err(req, -r);
}

void
stoqfs_op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
    stoqfs_node_forget(stoqfs_of(req)->nodes, ino, count);
    fuse_reply_none(req);
}

void
stoqfs_op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *f)
{
    struct stoqfs *fs = stoqfs_of(req);
    for (size_t i = 0; i < count; i++)
        stoqfs_node_forget(fs->nodes, f[i].ino, f[i].nlookup);
    fuse_reply_none(req);
}

void
stoqfs_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct stoqfs *fs = stoqfs_of(req);
    struct stoqfs_node *n = stoqfs_req_node(req, ino);
    int fd = -1;
    struct stat st;
    if (!n)
        return;
    if (stoqfs_node_kind(n) == STOQFS_SIDECAR) {
        stoqfs_sidecar_fgetattr(fs, req, n, fi);
        return;
    }
    if (stoqfs_node_kind(n) == STOQFS_DOT) {
        stoqfs_dot_getattr(fs, req, n);
        return;
    }
    int r;
    if (fi && stoqfs_node_type(n) == S_IFREG) {
        r = stoqfs_stat_shown(fs, n, stoqfs_open_fd(fs, fi), &st);
    } else {
        r = stoqfs_node_fd(fs->nodes, n, &fd);
        if (r == 0)
            r = stoqfs_stat_shown(fs, n, fd, &st);
        stoqfs_node_fd_put(fs->nodes, n, fd);
    }
    if (r < 0)
        (void)fuse_reply_err(req, -r);
    else
        (void)fuse_reply_attr(req, &st, stoqfs_cache_attr_time(fs, &st));
}

void
stoqfs_op_readlink(fuse_req_t req, fuse_ino_t ino)
{
    struct stoqfs *fs = stoqfs_of(req);
    struct stoqfs_node *n = stoqfs_req_node(req, ino);
    int fd = -1;
    char target[PATH_MAX + 1];
    if (!n)
        return;
    if (stoqfs_node_kind(n) == STOQFS_DOT) {
        stoqfs_dot_readlink(fs, req, n);
        return;
    }
    int r = stoqfs_node_fd(fs->nodes, n, &fd);
    if (r < 0) {
        (void)fuse_reply_err(req, -r);
        return;
    }
    ssize_t len = readlinkat(fd, "", target, sizeof(target) - 1);
    r = len < 0 ? errno : 0;
    stoqfs_node_fd_put(fs->nodes, n, fd);
    if (r) {
        (void)fuse_reply_err(req, r);
        return;
    }
    target[len] = '\0';
    (void)fuse_reply_readlink(req, target);
}

void
stoqfs_op_statfs(fuse_req_t req, fuse_ino_t ino)
{
    struct stoqfs *fs = stoqfs_of(req);
    struct stoqfs_node *n = stoqfs_node_get(fs->nodes, ino);
    int fd = -1;
    struct statvfs st;
    if (!n || stoqfs_node_kind(n) != STOQFS_REAL)
        n = stoqfs_node_get(fs->nodes, FUSE_ROOT_ID);
    int r = n ? stoqfs_node_fd(fs->nodes, n, &fd) : -ESTALE;
    if (r == 0) {
        r = fstatvfs(fd, &st) < 0 ? -errno : 0;
        stoqfs_node_fd_put(fs->nodes, n, fd);
    }
    if (r < 0)
        (void)fuse_reply_err(req, -r);
    else
        (void)fuse_reply_statfs(req, &st);
}
