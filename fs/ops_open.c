/* SPDX-License-Identifier: Apache-2.0 */

/*
 * OPEN, CREATE, RELEASE. An open that can read waits for the verdict on the file's
 * present bytes: the handler asks the gate and returns; the reply is sent by whoever
 * ends the scan. Handles are those of opens.h.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache.h"
#include "ops_impl.h"
#include "pass.h"
#include "readahead.h"
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
    uint64_t unique;
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
 * RELEASE will come. @p how: with its descriptor, taken. */
static void
reply_counted(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n,
              const struct stoqfs_opening *how, struct fuse_file_info *fi)
{
    bool writes = can_write(fi->flags);
    int32_t backing = how->backing;
    int r;
    fi->fh = stoqfs_open_add(fs, n, how);
    if (!fi->fh) {
        (void)stoqfs_pass_end(fs->pass, n);
        (void)close(how->fd);
        (void)fuse_reply_err(req, ENFILE);
        return;
    }
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
    (void)stoqfs_open_end(fs, fi->fh);
}

/* The descriptor is taken; @p st: fstat of it just now, or NULL. */
static void
reply_open(struct opening *o, const struct stat *st)
{
    struct stoqfs *fs = o->fs;
    struct stoqfs_node *n = o->node;
    struct fuse_file_info *fi = &o->fi;
    int fd = o->fd;
    struct stat own;
    bool writes = can_write(fi->flags);
    if (!st && fstat(fd, &own) == 0)
        st = &own;
    fi->noflush = !writes || !stoqfs_source_is_remote(fd);
    if (st)
        keep_attributes(fs, n, st);
    int32_t backing = stoqfs_pass_begin(fs->pass, n, fd, st, writes);
    /* The page cache is not looked at by passthrough, and what it holds stays noted. */
    if (!backing)
        fi->keep_cache = st && keep_cache(fs, n, st);
    const struct stoqfs_opening how = {.kind = STOQFS_OPEN_FILE,
                                       .flags = fi->flags,
                                       .fd = fd,
                                       .backing = backing,
                                       .unique = o->unique};
    reply_counted(fs, o->req, n, &how, fi);
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
        reply_open(o, st);
    }
    free(o);
}

static void
opening_answered(void *arg, const struct stoqfs_answer *a)
{
    opening_end(arg, a, NULL);
}

/* Ask, and reply now or later. The descriptor is taken. */
static void
ask(const struct opening *like)
{
    struct stoqfs *fs = like->fs;
    struct stoqfs_answer now;
    struct stat st;
    struct opening *o = malloc(sizeof(*o));
    if (!o || fstat(like->fd, &st) < 0) {
        (void)fuse_reply_err(like->req, o ? errno : ENOMEM);
        (void)close(like->fd);
        free(o);
        return;
    }
    *o = *like;
    const struct stoqfs_question q = {.fd = o->fd,
                                      .st = &st,
                                      .node = o->node,
                                      .priority = STOQ_PRIORITY_READER,
                                      .req = o->req,
                                      .fn = opening_answered,
                                      .arg = o};
    int r = stoqfs_gate_ask(fs->gate, &q, &now);
    if (r >= 0)
        count(r ? &fs->counters.opens_warm : &fs->counters.opens_waited);
    if (r < 0)
        now = (struct stoqfs_answer){.status = r};
    if (r != 0) /* else o is the callback's, and may be gone already */
        opening_end(o, &now, &st);
    stoqfs_readahead_opened(fs->readahead, st.st_dev, st.st_ino, r == 0);
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
    if (truncates && !writes)
        flags |= O_TRUNC;
    STOQ_AUTOCLOSE int fd = fs->options->noatime || fs->options->read_only
                                ? stoqfs_node_open_unseen(fs->nodes, n, flags)
                                : stoqfs_node_open(fs->nodes, n, flags);
    int r = fd < 0 ? fd : 0;
    if (r == 0 && truncates && writes)
        r = truncate_now(req, n, fd);
    if (r < 0) {
        (void)fuse_reply_err(req, -r);
        return;
    }
    if (truncates && !writes)
        stoqfs_scan_written(fs, n);
    struct opening o = {.fs = fs,
                        .req = req,
                        .node = n,
                        .fi = *fi,
                        .fd = STOQ_STEAL_FD(&fd),
                        .unique = stoqfs_journal_unique()};
    if (can_read(fi->flags) && !truncates)
        ask(&o);
    else
        reply_open(&o, NULL);
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

/* By O_TMPFILE, as pass.c passes it on. */
static bool
is_unnamed(const char *name)
{
    return *name == '/';
}

static int
create_file(fuse_req_t req, const struct stoqfs_dir *dir, const char *name, mode_t mode,
            int flags)
{
    struct stoqfs *fs = stoqfs_of(req);
    struct stoqfs_creds creds;
    bool unnamed = is_unnamed(name);
    int r = unnamed ? 0 : stoqfs_name_check(fs, dir, name);
    if (r < 0)
        return r;
    if (mode & S_ISGID)
        r = stoqfs_creds_enter_groups(req, &creds);
    else
        stoqfs_creds_enter(req, &creds);
    if (r < 0)
        return r;
    int all = (flags & FLAGS_PASSED) | O_CLOEXEC;
    all |= unnamed ? O_TMPFILE : O_CREAT | O_EXCL | O_NOFOLLOW;
    if (unnamed)
        name = ".";
    else
        stoqfs_note_make(dir->fd, name);
    int fd = openat(dir->fd, name, all, mode);
    if (fd < 0 && errno == EMFILE && stoqfs_nodes_relieve(fs->nodes))
        fd = openat(dir->fd, name, all, mode);
    if (fd < 0)
        fd = -errno;
    stoqfs_creds_leave(&creds);
    if (fd < 0 && !unnamed && stoqfs_made_before(fd) == 0)
        fd = stoqfs_nodes_openat(fs->nodes, dir->fd, name, all & ~(O_CREAT | O_EXCL));
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
        if (r >= 0 && n && is_unnamed(name)) {
            stoqfs_node_unnamed(fs->nodes, n, dir.node, name);
            stoqfs_node_orphan(fs->nodes, n, true);
        }
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
    const struct stoqfs_opening how = {.kind = STOQFS_OPEN_FILE,
                                       .flags = fi->flags,
                                       .fd = fd,
                                       .unique = stoqfs_journal_unique()};
    fi->keep_cache = 0;
    fi->noflush = !writes || !stoqfs_source_is_remote(fd);
    stoqfs_node_set_dirty(n); /* an empty file is a new file */
    if (writes)
        stoqfs_node_writers_add(n, 1);
    /* A new inode has no other handles: this one, by no attributes, uses the cache. */
    (void)stoqfs_pass_begin(fs->pass, n, fd, NULL, writes);
    fi->fh = stoqfs_open_add(fs, n, &how);
    if (fi->fh)
        (void)STOQ_STEAL_FD(&fd);
    else
        (void)fuse_reply_err(req, ENFILE);
    if (fi->fh && fuse_reply_create(req, &e, fi) == 0)
        return;
    (void)stoqfs_pass_end(fs->pass, n);
    if (writes)
        stoqfs_node_writers_add(n, -1);
    (void)stoqfs_open_end(fs, fi->fh);
    stoqfs_node_forget(fs->nodes, e.ino, 1);
}

static void
release_real(struct stoqfs *fs, struct stoqfs_node *n, const struct fuse_file_info *fi)
{
    if (!stoqfs_open_valid(fs, fi->fh))
        return; /* by the mirror before this one */
    bool passed = stoqfs_pass_end(fs->pass, n);
    bool writes = can_write(fi->flags);
    if (writes)
        stoqfs_node_writers_add(n, -1);
    /* Beside passthrough readers a shared mapping is written without our seeing it. */
    bool due = writes && (stoqfs_node_take_dirty(n) || passed);
    if (due && passed)
        stoqfs_node_set_due(n);
    (void)stoqfs_open_end(fs, fi->fh);
    if (due)
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
