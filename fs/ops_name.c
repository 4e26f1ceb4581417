/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Names: MKNOD, MKDIR, SYMLINK, LINK, UNLINK, RMDIR. What is made belongs to the
 * caller. A sidecar's name can be unlinked, which forgets the result, and nothing else.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache.h"
#include "ops_impl.h"
#include "pass.h"
#include "util/auto.h"

/* One name being made. */
struct making {
    struct stoqfs *fs;
    struct stoqfs_dir dir;
    struct stoqfs_creds creds;
};

static int
making_begin(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
             struct making *m)
{
    memset(m, 0, sizeof(*m));
    m->fs = stoqfs_of(req);
    int r = stoqfs_dir_enter(m->fs, parent, &m->dir);
    if (r == 0)
        r = stoqfs_name_check(m->fs, &m->dir, name);
    if (r < 0)
        return r;
    stoqfs_note_make(m->dir.fd, name);
    if (mode & S_ISGID)
        return stoqfs_creds_enter_groups(req, &m->creds);
    stoqfs_creds_enter(req, &m->creds);
    return 0;
}

/* @p r: 0 or -errno. Replies. */
static void
making_end(fuse_req_t req, const char *name, struct making *m, int r)
{
    stoqfs_creds_leave(&m->creds);
    r = stoqfs_made_before(r);
    if (r < 0)
        (void)fuse_reply_err(req, -r);
    else
        stoqfs_reply_lookup(m->fs, req, m->dir.node, name);
    stoqfs_dir_leave(m->fs, &m->dir);
}

void
stoqfs_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                dev_t rdev)
{
    struct making m;
    int r = making_begin(req, parent, name, mode, &m);
    if (r == 0 && mknodat(m.dir.fd, name, mode, rdev) < 0)
        r = -errno;
    making_end(req, name, &m, r);
}

void
stoqfs_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    struct making m;
    int r = making_begin(req, parent, name, 0, &m);
    if (r == 0 && mkdirat(m.dir.fd, name, mode) < 0)
        r = -errno;
    making_end(req, name, &m, r);
}

void
stoqfs_op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
                  const char *name)
{
    struct making m;
    int r = making_begin(req, parent, name, 0, &m);
    if (r == 0 && symlinkat(target, m.dir.fd, name) < 0)
        r = -errno;
    making_end(req, name, &m, r);
}

static int
do_link(struct stoqfs *fs, struct stoqfs_node *n, const struct stoqfs_dir *dir,
        const char *name)
{
    struct stoqfs_keep keep;
    struct stoqfs_fd_path path;
    int fd = -1;
    int r = stoqfs_node_fd(fs->nodes, n, &fd);
    if (r < 0)
        return r;
    stoqfs_keep_node(n, fd, &keep);
    /* by the magic link, since AT_EMPTY_PATH wants CAP_DAC_READ_SEARCH */
    r = linkat(AT_FDCWD, stoqfs_fd_path(fd, &path), dir->fd, name, AT_SYMLINK_FOLLOW);
    if (r < 0)
        r = -errno;
    stoqfs_keep_renamed(fs, &keep, r == 0);
    stoqfs_node_fd_put(fs->nodes, n, fd);
    return r;
}

void
stoqfs_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
    struct stoqfs *fs = stoqfs_of(req);
    struct stoqfs_node *n = stoqfs_req_real(req, ino, EPERM);
    struct stoqfs_dir dir;
    if (!n)
        return;
    int r = stoqfs_dir_enter(fs, parent, &dir);
    if (r == 0)
        r = stoqfs_name_check(fs, &dir, name);
    if (r == 0) {
        stoqfs_note_make(dir.fd, name);
        r = stoqfs_made_before(do_link(fs, n, &dir, name));
    }
    if (r < 0)
        (void)fuse_reply_err(req, -r);
    else
        stoqfs_reply_lookup(fs, req, dir.node, name);
    stoqfs_dir_leave(fs, &dir);
}

/* The kernel asks to remove only what it has found, so a sidecar whose file was removed
 * first is a success: removing a directory's entries works in any order. */
static int
unlink_sidecar(struct stoqfs *fs, const struct stoqfs_dir *dir, const char *name)
{
    char base[256];
    if (!stoqfs_sidecar_name(fs, name, base))
        return -ENOENT;
    int r = stoqfs_sidecar_unlink(fs, dir->node, base);
    return r == -ENOENT ? 0 : r;
}

static void
forget_name(struct stoqfs *fs, const struct stoqfs_dir *dir, const char *name,
            const struct stat *st)
{
    struct stoqfs_node *n = stoqfs_node_find(fs->nodes, st->st_dev, st->st_ino);
    if (!n)
        return;
    stoqfs_node_unnamed(fs->nodes, n, dir->node, name);
    stoqfs_cache_stale(fs, n);
    stoqfs_node_unpin(fs->nodes, n);
}

/* The node of a file if that is open, pinned; else NULL. */
static struct stoqfs_node *
open_node(struct stoqfs *fs, const struct stat *st)
{
    struct stoqfs_node *n = stoqfs_node_find(fs->nodes, st->st_dev, st->st_ino);
    if (!n || stoqfs_pass_is_open(fs->pass, n))
        return n;
    stoqfs_node_unpin(fs->nodes, n);
    return NULL;
}

static int
remove_name(struct stoqfs *fs, const struct stoqfs_dir *dir, const char *name,
            int flags)
{
    struct stoqfs_keep keep = {.fd = -1};
    struct stat st;
    if (stoqfs_name_is_dot(dir->node, name))
        return -EPERM;
    if (fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        int r = -errno;
        if (r == -ENOENT && stoqfs_removed_before())
            return 0;
        return r == -ENOENT && !flags ? unlink_sidecar(fs, dir, name) : r;
    }
    stoqfs_note_move(&st, NULL);
    bool last = S_ISREG(st.st_mode) && st.st_nlink == 1;
    struct stoqfs_node *open = last ? open_node(fs, &st) : NULL;
    if (open)
        stoqfs_node_orphan(fs->nodes, open, true);
    /* its other links have a new ctime afterwards */
    if (S_ISREG(st.st_mode) && st.st_nlink > 1)
        (void)stoqfs_keep_name(fs, dir, name, &keep);
    int r = unlinkat(dir->fd, name, flags) < 0 ? -errno : 0;
    if (open && r < 0)
        stoqfs_node_orphan(fs->nodes, open, false);
    if (open)
        stoqfs_node_unpin(fs->nodes, open);
    stoqfs_keep_end(fs, &keep, r == 0);
    if (r == 0)
        forget_name(fs, dir, name, &st);
    if (r == 0 && last)
        stoqfs_gate_forget(fs->gate, &st); /* nobody can ask for it again */
    return r;
}

static void
op_remove(fuse_req_t req, fuse_ino_t parent, const char *name, int flags)
{
    struct stoqfs *fs = stoqfs_of(req);
    struct stoqfs_dir dir;
    int r = stoqfs_dir_enter(fs, parent, &dir);
    if (r == 0)
        r = remove_name(fs, &dir, name, flags);
    stoqfs_dir_leave(fs, &dir);
    (void)fuse_reply_err(req, -r);
}

void
stoqfs_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    op_remove(req, parent, name, 0);
}

void
stoqfs_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    op_remove(req, parent, name, AT_REMOVEDIR);
}
