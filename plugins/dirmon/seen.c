/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What was handed out, by device and inode: so that a listing of the tree yields only
 * what is new. It holds the files that are there, and at most about as many that were;
 * past that the monitor lists the tree, and what the listing did not meet is forgotten.
 */

#include <search.h>
#include <time.h>

#include "dirmon.h"

#define SLACK 65536U /* files that may be gone and still be remembered */

static int
by_inode(const void *pa, const void *pb)
{
    const struct dirmon_seen *a = pa, *b = pb;
    if (a->ino != b->ino)
        return a->ino < b->ino ? -1 : 1;
    return a->dev < b->dev ? -1 : a->dev > b->dev;
}

struct dirmon_seen *
dirmon_seen_find(const struct dirmon_monitor *m, const struct stat *st)
{
    const struct dirmon_seen key = {.dev = st->st_dev, .ino = st->st_ino};
    void *const *node = tfind(&key, &m->seen, by_inode);
    return node ? *node : NULL;
}

int
dirmon_seen_put(struct dirmon_monitor *m, const struct stat *st, uint64_t barrier)
{
    struct dirmon_seen *s = dirmon_seen_find(m, st);
    if (!s) {
        s = calloc(1, sizeof *s);
        if (!s)
            return -ENOMEM;
        s->dev = st->st_dev;
        s->ino = st->st_ino;
        if (!tsearch(s, &m->seen, by_inode)) {
            free(s);
            return -ENOMEM;
        }
        if (++m->seen_count > m->seen_limit + SLACK)
            m->relist = true;
    }
    s->size = st->st_size;
    s->mtime = st->st_mtim;
    s->ctime = st->st_ctim;
    (void)clock_gettime(CLOCK_REALTIME, &s->when);
    s->barrier = barrier;
    s->generation = m->generation;
    return 0;
}

/* Entries of the tree that are to go; a tree must not change while it is walked. */
struct old {
    unsigned generation;
    struct dirmon_seen **items;
    size_t count;
};

static void
collect_old(const void *node, VISIT visit, void *arg)
{
    struct old *o = arg;
    struct dirmon_seen *s = *(struct dirmon_seen *const *)node;
    if ((visit == postorder || visit == leaf) && s->generation != o->generation)
        o->items[o->count++] = s;
}

void
dirmon_seen_prune(struct dirmon_monitor *m)
{
    struct old old = {.generation = m->generation};
    old.items = calloc(m->seen_count + 1, sizeof(struct dirmon_seen *));
    if (!old.items)
        return; /* they stay until the next time */
    twalk_r(m->seen, collect_old, &old);
    for (size_t i = 0; i < old.count; i++) {
        (void)tdelete(old.items[i], &m->seen, by_inode);
        free(old.items[i]);
    }
    free(old.items);
    m->seen_count -= old.count;
    m->seen_limit = 2 * m->seen_count;
}

void
dirmon_seen_fini(struct dirmon_monitor *m)
{
    tdestroy(m->seen, free);
    m->seen = NULL;
    m->seen_count = 0;
}
