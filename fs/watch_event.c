/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a change means: kernel caches that are wrong now, and bytes to be scanned. Most
 * events are echoes of what the mount itself did; those are recognised by what the node
 * table and the gate know already, and cost a few calls.
 *
 * Hazard: some notifications wait inside the kernel, beyond the reach of any signal,
 * for locks that requests hold which only we can answer: of one entry, the directory's
 * lock; of a file's data, its pages being read. A mirror killed in such a wait never
 * ends, and so is never replaced. Hence only those that do not wait are used: of
 * attributes (data follows them, by FUSE_CAP_AUTO_INVAL_DATA and at open), of listings,
 * and of all entries at once by epoch, where the kernel has that; else entries expire.
 */

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "cache.h"
#include "gate.h"
#include "gate_open.h"
#include "node.h"
#include "util/auto.h"
#include "watch_impl.h"

/* A name something happened to, and what is there now. */
struct change {
    struct stoqfs_watch *w;
    struct watch_dir *dir;
    const char *name;
    char path[PATH_MAX];
    bool there;
    struct stat st;
    struct stoqfs_node *node; /* pinned, NULL: the kernel does not know it */
};

static bool
change_begin(struct stoqfs_watch *w, struct watch_dir *d, const char *name,
             struct change *c)
{
    memset(c, 0, offsetof(struct change, path));
    c->w = w;
    c->dir = d;
    c->name = name;
    c->node = NULL;
    if (watch_dir_path(d, name, c->path, sizeof(c->path)) < 0)
        return false;
    STOQ_AUTOCLOSE int fd = stoqfs_open_below(w->fs->source_fd, c->path, O_PATH);
    c->there = fd >= 0 && fstat(fd, &c->st) == 0;
    if (c->there)
        c->node = stoqfs_node_find(w->fs->nodes, c->st.st_dev, c->st.st_ino);
    return true;
}

static void
change_end(struct change *c)
{
    if (c->node)
        stoqfs_node_unpin(c->w->fs->nodes, c->node);
    c->node = NULL;
}

static void
seen(struct stoqfs_watch *w)
{
    (void)atomic_fetch_add_explicit(&w->fs->counters.watch_events, 1,
                                    memory_order_relaxed);
}

/* Whether the kernel, if it has this name at all, has it right. */
static bool
name_is_right(const struct change *c)
{
    char path[PATH_MAX];
    return c->node &&
           stoqfs_node_path(c->w->fs->nodes, c->node, path, sizeof(path)) >= 0 &&
           strcmp(path, c->path) == 0;
}

/* The name stands for something else than the kernel may think. What is gone is mostly
 * gone by the mount, which nothing tells us; where names expire in a second anyway, it
 * is left to that. */
static void
invalidate_name(struct change *c)
{
    if (name_is_right(c))
        return;
    watch_touch(c->w, c->dir);
    if (c->there || atomic_load(&c->w->fs->vouched))
        c->w->new_epoch = true;
}

static void
invalidate_node(struct change *c)
{
    struct stoqfs *fs = c->w->fs;
    if (!c->node || stoqfs_node_was_told(c->node, &c->st))
        return;
    (void)fuse_lowlevel_notify_inval_inode(fs->se, stoqfs_node_number(c->node), -1, 0);
    stoqfs_cache_stale(fs, c->node);
}

static void
scan(struct change *c)
{
    struct stoqfs_answer now;
    const struct stoqfs_question q = {.fd = -1,
                                      .st = &c->st,
                                      .node = c->node,
                                      .path = c->path,
                                      .priority = STOQ_PRIORITY_DISCOVERED};
    (void)stoqfs_gate_ask(c->w->fs->gate, &q, &now);
}

/* The bytes or the attributes of a file may be others. */
static void
file_changed(struct change *c, bool is_news)
{
    struct stoqfs_gate *gate = c->w->fs->gate;
    invalidate_node(c);
    if (stoqfs_gate_expects(gate, &c->st))
        return;
    /* while the mount writes it, its close will see to it */
    if (c->node && stoqfs_node_writers(c->node) > 0)
        return;
    seen(c->w);
    if (is_news || stoqfs_gate_remembers(gate, &c->st))
        scan(c);
}

void
watch_found(struct stoqfs_watch *w, struct watch_dir *d, const char *name)
{
    struct change c;
    if (!change_begin(w, d, name, &c))
        return;
    if (d->resync)
        invalidate_name(&c);
    if (c.there && S_ISREG(c.st.st_mode))
        file_changed(&c, d->fresh);
    change_end(&c);
}

static void
file_event(struct stoqfs_watch *w, struct watch_dir *d, const struct inotify_event *e)
{
    struct change c;
    if (!change_begin(w, d, e->name, &c))
        return;
    bool named = e->mask & (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO);
    if (named)
        invalidate_name(&c);
    bool regular = c.there && S_ISREG(c.st.st_mode);
    /* a created file is empty until it is closed, unless it is another name of one */
    bool filled = (e->mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) ||
                  ((e->mask & IN_CREATE) && c.there && c.st.st_nlink > 1);
    if (regular && (filled || (e->mask & IN_ATTRIB)))
        file_changed(&c, filled);
    else if (c.there)
        invalidate_node(&c);
    change_end(&c);
}

static void
directory_arrived(struct stoqfs_watch *w, struct watch_dir *d,
                  const struct inotify_event *e)
{
    struct watch_dir *child =
        e->mask & IN_MOVED_TO ? watch_dir_departed(w, e->cookie) : NULL;
    struct watch_dir *old = watch_dir_child(d, e->name);
    if (old && old != child)
        watch_dir_drop(w, old); /* replaced by what came */
    if (child && watch_dir_place(w, child, d, e->name) == 0)
        return;
    child = watch_dir_new(d, e->name);
    if (!child)
        return;
    child->fresh = true;
    watch_dir_queue(w, child);
}

static void
directory_event(struct stoqfs_watch *w, struct watch_dir *d,
                const struct inotify_event *e)
{
    struct change c;
    if (change_begin(w, d, e->name, &c)) {
        if (e->mask & IN_ATTRIB)
            invalidate_node(&c);
        else
            invalidate_name(&c);
        change_end(&c);
    }
    struct watch_dir *child;
    if (e->mask & (IN_CREATE | IN_MOVED_TO))
        directory_arrived(w, d, e);
    else if ((e->mask & IN_MOVED_FROM) && (child = watch_dir_child(d, e->name)))
        watch_dir_depart(w, child, e->cookie);
}

void
watch_event(struct stoqfs_watch *w, const struct inotify_event *e)
{
    if (e->mask & IN_Q_OVERFLOW) {
        (void)atomic_fetch_add(&w->overflows, 1);
        (void)atomic_fetch_add(&w->fs->counters.watch_overflows, 1);
        watch_walk_again(w);
        return;
    }
    struct watch_dir *d = watch_dir_find(w, e->wd);
    if (!d)
        return;
    if (e->mask & (IN_IGNORED | IN_UNMOUNT))
        watch_dir_drop(w, d);
    else if (e->len == 0)
        return; /* of the directory itself: its parent is told, too */
    else if (e->mask & IN_ISDIR)
        directory_event(w, d, e);
    else
        file_event(w, d, e);
}

void
watch_touch(struct stoqfs_watch *w, struct watch_dir *d)
{
    if (d->is_touched)
        return;
    d->is_touched = true;
    TAILQ_INSERT_TAIL(&w->touched, d, touched);
}

void
watch_flush(struct stoqfs_watch *w)
{
    struct stoqfs *fs = w->fs;
    struct watch_dir *d;
    while ((d = TAILQ_FIRST(&w->touched))) {
        TAILQ_REMOVE(&w->touched, d, touched);
        d->is_touched = false;
        struct stoqfs_node *n = stoqfs_node_find(fs->nodes, d->dev, d->ino);
        if (!n)
            continue;
        (void)fuse_lowlevel_notify_inval_inode(fs->se, stoqfs_node_number(n), 0, 0);
        stoqfs_node_unpin(fs->nodes, n);
    }
    if (w->new_epoch && !w->no_epochs)
        (void)stoqfs_cache_new_epoch(fs);
    w->new_epoch = false;
}
