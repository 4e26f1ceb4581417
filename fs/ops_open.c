/* SPDX-License-Identifier: Apache-2.0 */

/*
 * OPEN, CREATE, RELEASE. An open that can read waits for the verdict on the file's
 * present bytes: the handler asks the gate and returns; the reply is sent by whoever
 * ends the scan. A handle of a real file is the descriptor's number.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache.h"
#include "ops_impl.h"
#include "pass.h"
#include "source.h"
#include "util/auto.h"

/* O_APPEND and O_DIRECT are for the kernel's side of the mount: the first can be
 * changed by fcntl(2) later and comes with each write, the second asks for alignment
 * that requests do not have. */
#define FLAGS_PASSED (O_ACCMODE | O_SYNC | O_DSYNC | O_NOATIME)

/* An open that waits for the gate. */
struct opening {
    struct stoqfs *fs;
    fuse_req_t req;
    struct stoqfs_node *node; /* the kernel holds it during the request */
    struct fuse_file_info fi;
    int fd;
};

static void
count(atomic_ullong *counter)
{
    (void)atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static bool
can_write(int flags)
{
    return (flags & O_ACCMODE) != O_RDONLY;
}

static bool
can_read(int flags)
{
    return (flags & O_ACCMODE) != O_WRONLY;
}

/* Whether the pages that the kernel has cached of the file are right. */
static bool
keep_cache(struct stoqfs *fs, struct stoqfs_node *n, const struct stat *st)
{
    return stoqfs_node_cache_check(n, st) && !fs->options->strict;
}

/* What it has cached of the attributes is right, or is dropped. No page is touched, so
 * this cannot wait for a request of ours. */
static void
keep_attributes(struct stoqfs *fs, const struct stoqfs_node *n, const struct stat *st)
{
    if (!stoqfs_node_was_told(n, st))
        (void)fuse_lowlevel_notify_inval_inode(fs->se, stoqfs_node_number(n), -1, 0);
}

/* Reply with a handle that is counted; undone when the caller is gone, for then no
 * RELEASE will come. */
static void
reply_counted(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n, int32_t backing,
              const struct fuse_file_info *fi)
{
    bool writes = can_write(fi->flags);
    int r;
    if (writes) {
        stoqfs_node_writers_add(n, 1);
        stoqfs_cache_stale(fs, n);
    }
    r = backing ? stoqfs_pass_reply(req, backing, writes, fi)
                : fuse_reply_open(req, fi);
    if (r == 0)
        return;
    if (writes)
        stoqfs_node_writers_add(n, -1);
    (void)stoqfs_pass_end(fs->pass, n);
    (void)close((int)fi->fh);
}

/* @p fd is taken; @p st: fstat of it just now, or NULL. */
static void
reply_open(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n, int fd,
           const struct stat *st, struct fuse_file_info *fi)
{
    struct stat own;
    bool writes = can_write(fi->flags);
    if (!st && fstat(fd, &own) == 0)
        st = &own;
    fi->fh = (uint64_t)fd;
    fi->noflush = !writes || !stoqfs_source_is_remote(fd);
    if (st)
        keep_attributes(fs, n, st);
    int32_t backing = stoqfs_pass_begin(fs->pass, n, fd, st, writes);
    /* The page cache is not looked at by passthrough, and what it holds stays noted. */
    if (!backing)
        fi->keep_cache = st && keep_cache(fs, n, st);
    reply_counted(fs, req, n, backing, fi);
}

/* @p st: as for reply_open(). */
static void
opening_end(struct opening *o, const struct stoqfs_answer *a, const struct stat *st)
{
    int err = a->status < 0 ? -a->status : stoqfs_gate_policy(o->fs, a);
    if (err) {
        if (a->status == 0)
            count(&o->fs->counters.denied);
        (void)close(o->fd);
        (void)fuse_reply_err(o->req, err);
    } else {
        reply_open(o->fs, o->req, o->node, o->fd, st, &o->fi);
    }
    free(o);
}

static void
opening_answered(void *arg, const struct stoqfs_answer *a)
{
    opening_end(arg, a, NULL);
}

/* Ask, and reply now or later. @p fd is taken. */
static void
ask(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n, int fd,
    const struct fuse_file_info *fi)
{
    struct stoqfs_answer now;
    struct stat st;
    struct opening *o = malloc(sizeof(*o));
    if (!o || fstat(fd, &st) < 0) {
        (void)fuse_reply_err(req, o ? errno : ENOMEM);
        (void)close(fd);
        free(o);
        return;
    }
    *o = (struct opening){.fs = fs, .req = req, .node = n, .fi = *fi, .fd = fd};
    const struct stoqfs_question q = {.fd = fd,
                                      .st = &st,
                                      .node = n,
                                      .priority = STOQ_PRIORITY_READER,
                                      .req = req,
                                      .fn = opening_answered,
                                      .arg = o};
    int r = stoqfs_gate_ask(fs->gate, &q, &now);
    if (r >= 0)
        count(r ? &fs->counters.opens_warm : &fs->counters.opens_waited);
    if (r == 0)
        return; /* o is the callback's, and may be gone already */
    if (r < 0)
        now = (struct stoqfs_answer){.status = r};
    opening_end(o, &now, &st);
}

/* The truncation of O_TRUNC, apart from the open so that set-id bits are cleared for
 * those callers for whom they must be. */
static int
truncate_now(fuse_req_t req, struct stoqfs_node *n, int fd)
{
    struct stoqfs_creds creds;
    stoqfs_node_writers_add(n, 0);
    stoqfs_node_set_dirty(n);
    stoqfs_creds_enter_writer(req, &creds);
    int r = ftruncate(fd, 0) < 0 ? -errno : 0;
    stoqfs_creds_leave(&creds);
    return r;
}

static void
open_real(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n,
          struct fuse_file_info *fi)
{
    bool writes = can_write(fi->flags), truncates = fi->flags & O_TRUNC;
    if (fs->options->read_only && (writes || truncates)) {
        (void)fuse_reply_err(req, EROFS);
        return;
    }
    /* O_RDONLY|O_TRUNC truncates on Linux, but not by ftruncate() */
    int flags = (fi->flags & FLAGS_PASSED) | O_NONBLOCK;
    STOQ_AUTOCLOSE int fd =
        stoqfs_node_open(fs->nodes, n, flags | (truncates && !writes ? O_TRUNC : 0));
    int r = fd < 0 ? fd : 0;
    if (r == 0 && truncates && writes)
        r = truncate_now(req, n, fd);
    if (r < 0) {
        (void)fuse_reply_err(req, -r);
        return;
    }
    if (truncates && !writes)
        stoqfs_scan_written(fs, n);
    if (can_read(fi->flags) && !truncates)
        ask(fs, req, n, STOQ_STEAL_FD(&fd), fi);
    else
        reply_open(fs, req, n, STOQ_STEAL_FD(&fd), NULL, fi);
}

void
stoqfs_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct stoqfs *fs = stoqfs_of(req);
    struct stoqfs_node *n = stoqfs_req_node(req, ino);
    if (!n)
        return;
    count(&fs->counters.opens);
    if (stoqfs_node_kind(n) == STOQFS_SIDECAR)
        stoqfs_sidecar_open(fs, req, n, fi);
    else if (stoqfs_node_kind(n) == STOQFS_DOT)
        stoqfs_dot_open(fs, req, n, fi);
    else if (stoqfs_node_type(n) != S_IFREG)
        (void)fuse_reply_err(req, EINVAL); /* the kernel opens special files itself */
    else
        open_real(fs, req, n, fi);
}

static int
create_file(fuse_req_t req, const struct stoqfs_dir *dir, const char *name, mode_t mode,
            int flags)
{
    struct stoqfs *fs = stoqfs_of(req);
    struct stoqfs_creds creds;
    int r = stoqfs_name_check(fs, dir, name);
    if (r < 0)
        return r;
    if (mode & S_ISGID)
        r = stoqfs_creds_enter_groups(req, &creds);
    else
        stoqfs_creds_enter(req, &creds);
    if (r < 0)
        return r;
    int all = (flags & FLAGS_PASSED) | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(dir->fd, name, all, mode);
    if (fd < 0 && errno == EMFILE && stoqfs_nodes_relieve(fs->nodes))
        fd = openat(dir->fd, name, all, mode);
    if (fd < 0)
        fd = -errno;
    stoqfs_creds_leave(&creds);
    /* It came into being behind the mount. The kernel looks again at ESTALE, finds it,
     * checks permissions, and opens it as any other. */
    return fd == -EEXIST && !(flags & O_EXCL) ? -ESTALE : fd;
}

void
stoqfs_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                 struct fuse_file_info *fi)
{
    struct stoqfs *fs = stoqfs_of(req);
    struct stoqfs_node *n = NULL;
    struct stoqfs_dir dir;
    struct fuse_entry_param e;
    struct stat st;
    STOQ_AUTOCLOSE int fd = -1;
    int r = stoqfs_dir_enter(fs, parent, &dir);
    if (r == 0) {
        r = fd = create_file(req, &dir, name, mode, fi->flags);
        if (r >= 0)
            r = stoqfs_node_adopt(fs->nodes, dir.node, name, fd, &n, &st);
    }
    stoqfs_dir_leave(fs, &dir);
    if (r < 0 || !n) {
        (void)fuse_reply_err(req, -r);
        return;
    }
    count(&fs->counters.opens);
    (void)stoqfs_node_cache_check(n, &st);
    st.st_ino = stoqfs_node_shown_ino(fs->nodes, st.st_dev, st.st_ino);
    stoqfs_fill_entry(fs, n, &st, &e);
    bool writes = can_write(fi->flags);
    fi->fh = (uint64_t)fd;
    fi->keep_cache = 0;
    fi->noflush = !writes || !stoqfs_source_is_remote(fd);
    stoqfs_node_set_dirty(n); /* an empty file is a new file */
    if (writes)
        stoqfs_node_writers_add(n, 1);
    /* A new inode has no other handles: this one, by no attributes, uses the cache. */
    (void)stoqfs_pass_begin(fs->pass, n, fd, NULL, writes);
    if (fuse_reply_create(req, &e, fi) == 0) {
        (void)STOQ_STEAL_FD(&fd);
        return;
    }
    (void)stoqfs_pass_end(fs->pass, n);
    if (writes)
        stoqfs_node_writers_add(n, -1);
    stoqfs_node_forget(fs->nodes, e.ino, 1);
}

static void
release_real(struct stoqfs *fs, struct stoqfs_node *n, const struct fuse_file_info *fi)
{
    bool passed = stoqfs_pass_end(fs->pass, n);
    (void)close((int)fi->fh);
    if (!can_write(fi->flags))
        return;
    stoqfs_node_writers_add(n, -1);
    /* Beside passthrough readers a shared mapping is written without our seeing it. */
    if (stoqfs_node_take_dirty(n) || passed)
        stoqfs_scan_written(fs, n);
}

void
stoqfs_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct stoqfs *fs = stoqfs_of(req);
    struct stoqfs_node *n = stoqfs_req_node(req, ino);
    if (!n)
        return;
    if (stoqfs_node_kind(n) == STOQFS_SIDECAR) {
        stoqfs_sidecar_release(req, fi);
    } else if (stoqfs_node_kind(n) == STOQFS_DOT) {
        stoqfs_dot_release(req, fi);
    } else {
        release_real(fs, n, fi);
        (void)fuse_reply_err(req, 0);
    }
}
