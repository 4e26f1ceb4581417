/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Background scans that wait their turn. Parked scans hold no descriptor, so that a
 * million files changed at once need no million descriptors; only a few are at the pool
 * at a time. A scan is parked at least until the file's times can be trusted, else its
 * first reader would have to scan again. A reader who comes earlier takes it out.
 */

#include <fcntl.h>

#include "gate_impl.h"
#include "gate_open.h"
#include "gate_thread.h"
#include "util/auto.h"

static struct gate_scans *
list_of(struct gate_scan *scan)
{
    unsigned at = scan->priority > STOQ_PRIORITY_WRITTEN
                      ? (unsigned)scan->priority - STOQ_PRIORITY_WRITTEN
                      : 0;
    return &scan->gate->parked[at];
}

void
gate_park_locked(struct gate_scan *scan)
{
    struct stoqfs_gate *g = scan->gate;
    struct stoq_identity id = {.mtime_ns = scan->mtime_ns,
                               .ctime_ns = scan->ctimes[scan->ctime_count - 1]};
    int64_t slack = gate_slack(&id);
    int64_t wait = id.ctime_ns - stoq_real_ns() + slack;
    if (wait > slack) /* times in the future */
        wait = slack;
    uint64_t now = stoq_now_ms();
    /* both are cut to whole milliseconds, hence two more */
    scan->due_ms = wait > 0 ? now + (uint64_t)wait / 1000000 + 2 : now;
    scan->parked = true;
    TAILQ_INSERT_TAIL(list_of(scan), scan, link);
    g->parked_count++;
    (void)pthread_cond_signal(&g->feeder_wake);
}

void
gate_unpark_locked(struct gate_scan *scan)
{
    TAILQ_REMOVE(list_of(scan), scan, link);
    scan->parked = false;
    scan->gate->parked_count--;
}

/* The next scan whose time has come, or NULL with *until_ms. */
static struct gate_scan *
next_locked(struct stoqfs_gate *g, uint64_t *until_ms)
{
    uint64_t now = stoq_now_ms();
    *until_ms = UINT64_MAX;
    if (g->background >= GATE_BACKGROUND)
        return NULL;
    for (unsigned i = 0; i < GATE_LISTS; i++) {
        struct gate_scan *scan = TAILQ_FIRST(&g->parked[i]);
        if (scan && scan->due_ms <= now)
            return scan;
        if (scan && scan->due_ms < *until_ms)
            *until_ms = scan->due_ms;
    }
    return NULL;
}

static int
open_file(const struct gate_scan *scan, struct stat *st)
{
    struct stoqfs *fs = scan->gate->fs;
    const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
    STOQ_AUTOCLOSE int fd = scan->node
                                ? stoqfs_node_open_unseen(fs->nodes, scan->node, flags)
                                : stoqfs_open_below(fs->source_fd, scan->path, flags);
    if (fd < 0)
        return fd;
    if (fstat(fd, st) < 0)
        return -errno;
    if (!S_ISREG(st->st_mode) || st->st_dev != scan->dev || st->st_ino != scan->ino)
        return -ESTALE;
    return STOQ_STEAL_FD(&fd);
}

static bool
is_needed_locked(const struct gate_scan *scan, const struct stoq_identity *id)
{
    const struct gate_entry *e = gate_find_locked(scan->gate, scan->dev, scan->ino);
    return !e || !e->known.valid || e->known.racy ||
           !gate_fresh_locked(scan->gate, &e->known) || !gate_same(&e->known.id, id);
}

static void
feed(struct gate_scan *scan)
{
    struct stoqfs_gate *g = scan->gate;
    struct stat st = {0};
    int fd = open_file(scan, &st);
    struct stoq_identity id = gate_identity(&st);
    (void)pthread_mutex_lock(&g->lock);
    bool drop = TAILQ_EMPTY(&scan->waiters) &&
                (fd < 0 || g->stopping || !is_needed_locked(scan, &id));
    if (drop && fd < 0 && scan->priority == STOQ_PRIORITY_STALE)
        gate_give_up_locked(g, gate_find_locked(g, scan->dev, scan->ino));
    if (drop)
        gate_scan_detach_locked(scan);
    else if (fd >= 0)
        gate_scan_base_locked(scan, &id);
    (void)pthread_mutex_unlock(&g->lock);
    if (!drop) {
        gate_scan_submit(scan, fd);
        return;
    }
    if (fd >= 0)
        (void)close(fd);
    gate_scan_unref(scan);
    gate_scan_unref(scan);
}

void *
gate_feeder_main(void *arg)
{
    struct stoqfs_gate *g = arg;
    gate_load(g);
    (void)pthread_mutex_lock(&g->lock);
    while (!g->stopping) {
        uint64_t until_ms;
        struct gate_scan *scan = next_locked(g, &until_ms);
        if (!scan) {
            stoqfs_cond_wait(&g->feeder_wake, &g->lock, until_ms);
            continue;
        }
        gate_scan_begin_locked(scan);
        scan->background = true;
        g->background++;
        (void)pthread_mutex_unlock(&g->lock);
        feed(scan);
        (void)pthread_mutex_lock(&g->lock);
    }
    (void)pthread_mutex_unlock(&g->lock);
    return NULL;
}
