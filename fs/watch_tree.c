/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The directories being watched, by watch descriptor and as a tree. A directory's path
 * is made from the tree when needed, so that a rename moves all that is below with it.
 */

#include <string.h>
#include <sys/inotify.h>

#include "util/auto.h"
#include "util/clock.h"
#include "watch_impl.h"

struct watch_dir *
watch_dir_new(struct watch_dir *parent, const char *name)
{
    struct watch_dir *d = calloc(1, sizeof(*d));
    if (!d)
        return NULL;
    d->name = strdup(name);
    if (!d->name) {
        free(d);
        return NULL;
    }
    d->wd = -1;
    d->parent = parent;
    TAILQ_INIT(&d->children);
    if (parent)
        TAILQ_INSERT_TAIL(&parent->children, d, siblings);
    return d;
}

static struct watch_dir **
bucket(struct stoqfs_watch *w, int wd)
{
    return &w->buckets[(unsigned)wd % WATCH_BUCKETS];
}

struct watch_dir *
watch_dir_find(struct stoqfs_watch *w, int wd)
{
    struct watch_dir *d = *bucket(w, wd);
    while (d && d->wd != wd)
        d = d->next;
    return d;
}

struct watch_dir *
watch_dir_child(struct watch_dir *d, const char *name)
{
    struct watch_dir *child;
    TAILQ_FOREACH(child, &d->children, siblings)
    if (strcmp(child->name, name) == 0)
        return child;
    return NULL;
}

void
watch_dir_map(struct stoqfs_watch *w, struct watch_dir *d, int wd)
{
    struct watch_dir **at = bucket(w, wd);
    d->wd = wd;
    d->next = *at;
    *at = d;
    (void)atomic_fetch_add(&w->directories, 1);
}

static void
unmap(struct stoqfs_watch *w, struct watch_dir *d)
{
    if (d->wd < 0)
        return;
    struct watch_dir **at = bucket(w, d->wd);
    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
    d->wd = -1;
    (void)atomic_fetch_sub(&w->directories, 1);
}

static void
unplace(struct stoqfs_watch *w, struct watch_dir *d)
{
    if (d->moving)
        TAILQ_REMOVE(&w->moving, d, siblings);
    else if (d->parent)
        TAILQ_REMOVE(&d->parent->children, d, siblings);
    d->moving = false;
    d->parent = NULL;
}

static bool
is_below(const struct watch_dir *d, const struct watch_dir *top)
{
    while (d && d != top)
        d = d->parent;
    return d != NULL;
}

int
watch_dir_place(struct stoqfs_watch *w, struct watch_dir *d, struct watch_dir *parent,
                const char *name)
{
    /* Below itself: we saw an old state of a tree in motion. Another event will tell.
     */
    if (is_below(parent, d))
        return -ELOOP;
    char *copy = strdup(name);
    if (!copy)
        return -ENOMEM;
    free(d->name);
    d->name = copy;
    unplace(w, d);
    d->parent = parent;
    TAILQ_INSERT_TAIL(&parent->children, d, siblings);
    return 0;
}

void
watch_dir_depart(struct stoqfs_watch *w, struct watch_dir *d, uint32_t cookie)
{
    unplace(w, d);
    d->moving = true;
    d->cookie = cookie;
    d->moved_ms = stoq_now_ms();
    TAILQ_INSERT_TAIL(&w->moving, d, siblings);
}

struct watch_dir *
watch_dir_departed(struct stoqfs_watch *w, uint32_t cookie)
{
    struct watch_dir *d;
    TAILQ_FOREACH(d, &w->moving, siblings)
    if (d->cookie == cookie)
        return d;
    return NULL;
}

static void
free_one(struct stoqfs_watch *w, struct watch_dir *d)
{
    if (d->queued)
        TAILQ_REMOVE(&w->todo, d, queue);
    if (d->is_touched)
        TAILQ_REMOVE(&w->touched, d, touched);
    unplace(w, d);
    if (d->wd >= 0)
        (void)inotify_rm_watch(w->inotify, d->wd); /* gone already, perhaps */
    unmap(w, d);
    if (d == w->root)
        w->root = NULL;
    free(d->name);
    free(d);
}

void
watch_dir_drop(struct stoqfs_watch *w, struct watch_dir *d)
{
    struct watch_dir *at = d;
    for (;;) {
        struct watch_dir *child = TAILQ_FIRST(&at->children);
        if (child) {
            at = child;
            continue;
        }
        struct watch_dir *parent = at->parent;
        bool last = at == d;
        free_one(w, at);
        if (last)
            return;
        at = parent;
    }
}

void
watch_dir_queue(struct stoqfs_watch *w, struct watch_dir *d)
{
    if (d->queued)
        return;
    d->queued = true;
    TAILQ_INSERT_TAIL(&w->todo, d, queue);
}

int
watch_dir_path(const struct watch_dir *d, const char *name, char *buf, size_t size)
{
    size_t at = size - 1; /* written from the end */
    size_t n = strlen(name);
    buf[at] = '\0';
    if (n > at)
        return -ENAMETOOLONG;
    at -= n;
    memcpy(buf + at, name, n);
    for (; d->parent; d = d->parent) {
        n = strlen(d->name);
        bool slash = buf[at] != '\0';
        if (n + slash > at)
            return -ENAMETOOLONG;
        if (slash)
            buf[--at] = '/';
        at -= n;
        memcpy(buf + at, d->name, n);
    }
    if (d->moving)
        return -ENOENT;
    memmove(buf, buf + at, size - at);
    return 0;
}
