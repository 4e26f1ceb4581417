/* SPDX-License-Identifier: Apache-2.0 */

/*
 * RENAME, with its flags. A renamed file has a new ctime and the same bytes, so what is
 * known of it is carried along.
 */

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/stat.h>

#include "ops_impl.h"
#include "pass.h"
#include "util/auto.h"

struct renaming {
    struct stoqfs *fs;
    struct stoqfs_dir from, to;
    const char *name, *new_name;
    unsigned flags;
};

/* Names in the table follow. */
static void
follow(const struct renaming *m, const struct stoqfs_keep *moved,
       const struct stoqfs_keep *other)
{
    struct stoqfs_nodes *t = m->fs->nodes;
    if (other->node) {
        if (m->flags & RENAME_EXCHANGE)
            stoqfs_node_renamed(t, other->node, m->from.node, m->name);
        else
            stoqfs_node_unnamed(t, other->node, m->to.node, m->new_name);
    }
    if (moved->node)
        stoqfs_node_renamed(t, moved->node, m->to.node, m->new_name);
}

static bool
same_file(const struct stoqfs_keep *a, const struct stoqfs_keep *b)
{
    return a->before.st_dev == b->before.st_dev && a->before.st_ino == b->before.st_ino;
}

/* By the mirror before this one, whose answer was lost. Names in the table are learnt
 * when they are looked up. */
static bool
moved_before(const struct renaming *m)
{
    struct stat st;
    if (m->flags & RENAME_EXCHANGE)
        return stoqfs_swapped_before(m->from.fd, m->name, m->to.fd, m->new_name);
    return stoqfs_moved_before(m->to.fd, m->new_name) &&
           fstatat(m->from.fd, m->name, &st, AT_SYMLINK_NOFOLLOW) < 0;
}

static int
move(const struct renaming *m)
{
    struct stoqfs_keep moved = {.fd = -1}, other = {.fd = -1};
    if (moved_before(m))
        return 0;
    int r = stoqfs_keep_name(m->fs, &m->from, m->name, &moved);
    if (r < 0)
        return r;
    bool replaces = stoqfs_keep_name(m->fs, &m->to, m->new_name, &other) == 0;
    stoqfs_note_move(&moved.before, replaces ? &other.before : NULL);
    bool last = replaces && !(m->flags & RENAME_EXCHANGE) &&
                S_ISREG(other.before.st_mode) && other.before.st_nlink == 1 &&
                other.node && stoqfs_pass_is_open(m->fs->pass, other.node);
    if (last)
        stoqfs_node_orphan(m->fs->nodes, other.node, true);
    r = renameat2(m->from.fd, m->name, m->to.fd, m->new_name, m->flags) < 0 ? -errno
                                                                            : 0;
    if (last && r < 0)
        stoqfs_node_orphan(m->fs->nodes, other.node, false);
    /* two links of one file: nothing happens */
    if (r == 0 && !(replaces && same_file(&moved, &other)))
        follow(m, &moved, &other);
    stoqfs_keep_renamed(m->fs, &moved, r == 0);
    /* exchanged, it has a new name too; replaced, it may live on by other links */
    if (m->flags & RENAME_EXCHANGE)
        stoqfs_keep_renamed(m->fs, &other, r == 0);
    else
        stoqfs_keep_end(m->fs, &other, r == 0);
    return r;
}

void
stoqfs_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
                 fuse_ino_t new_parent, const char *new_name, unsigned flags)
{
    struct stoqfs *fs = stoqfs_of(req);
    struct renaming m = {.fs = fs,
                         .from = {.fd = -1},
                         .to = {.fd = -1},
                         .name = name,
                         .new_name = new_name,
                         .flags = flags};
    int r = stoqfs_dir_enter(fs, parent, &m.from);
    if (r == 0)
        r = stoqfs_dir_enter(fs, new_parent, &m.to);
    if (r == 0)
        r = stoqfs_name_check(fs, &m.from, name);
    if (r == 0)
        r = stoqfs_name_check(fs, &m.to, new_name);
    if (r == 0)
        r = move(&m);
    stoqfs_dir_leave(fs, &m.from);
    stoqfs_dir_leave(fs, &m.to);
    (void)fuse_reply_err(req, -r);
}
