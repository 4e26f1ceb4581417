/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The watch's thread: events first, then one directory of the walk, and so on; so the
 * walk of a large tree does not let events pile up, nor the other way round.
 */

#include "watch.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include "cache.h"
#include "gate_thread.h"
#include "source.h"
#include "util/auto.h"
#include "util/clock.h"
#include "util/log.h"
#include "watch_impl.h"

#define ARRIVE_MS 1000U /* what left and is not seen by then is elsewhere */
#define SETTLE_MS 10
#define BURST     64 /* buffers of events, then directories to read, and so on */

static void
read_events(struct stoqfs_watch *w)
{
    _Alignas(struct inotify_event) char buf[65536];
    ssize_t n;
    for (int i = 0; i < BURST && (n = read(w->inotify, buf, sizeof(buf))) > 0; i++) {
        for (ssize_t at = 0; at < n && !atomic_load(&w->stop);) {
            const struct inotify_event *e =
                (const struct inotify_event *)(void *)(buf + at);
            at += (ssize_t)(sizeof(*e) + e->len);
            watch_event(w, e);
        }
    }
}

/* What the mount itself changes shows up here before the operation has told the node
 * table and the gate of it. */
static void
let_settle(struct stoqfs_watch *w)
{
    struct pollfd p = {.fd = w->stop_fd, .events = POLLIN};
    (void)poll(&p, 1, SETTLE_MS);
}

static void
drop_departed(struct stoqfs_watch *w)
{
    struct watch_dir *d;
    uint64_t now = stoq_now_ms();
    while ((d = TAILQ_FIRST(&w->moving)) && d->moved_ms + ARRIVE_MS <= now)
        watch_dir_drop(w, d);
}

/* Directories that came since the tree was walked are no reason to stop: they are
 * walked as well, and what is found in them is told. */
static void
vouch(struct stoqfs_watch *w)
{
    if (atomic_load(&w->limit_reached) || atomic_load(&w->unwatched) || !w->may_vouch)
        stoqfs_cache_vouch(w->fs, false);
    else if (TAILQ_EMPTY(&w->todo))
        stoqfs_cache_vouch(w->fs, true);
}

static void *
watch_main(void *arg)
{
    struct stoqfs_watch *w = arg;
    while (!atomic_load(&w->stop)) {
        bool walking = !TAILQ_EMPTY(&w->todo);
        if (!walking)
            atomic_store(&w->complete, !atomic_load(&w->limit_reached));
        struct pollfd p[2] = {{.fd = w->inotify, .events = POLLIN},
                              {.fd = w->stop_fd, .events = POLLIN}};
        int timeout = walking ? 0 : TAILQ_EMPTY(&w->moving) ? -1 : (int)ARRIVE_MS;
        if (poll(p, 2, timeout) < 0 && errno != EINTR)
            break;
        if (p[0].revents) {
            let_settle(w);
            read_events(w);
        }
        for (int i = 0; i < BURST && !atomic_load(&w->stop); i++)
            watch_walk_one(w);
        if (!atomic_load(&w->stop)) {
            watch_flush(w);
            drop_departed(w);
            vouch(w);
        }
    }
    return NULL;
}

static void
fini(struct stoqfs_watch *w)
{
    if (w->root)
        watch_dir_drop(w, w->root);
    struct watch_dir *d;
    while ((d = TAILQ_FIRST(&w->moving)))
        watch_dir_drop(w, d);
    if (w->inotify >= 0)
        (void)close(w->inotify);
    if (w->stop_fd >= 0)
        (void)close(w->stop_fd);
    free(w);
}

int
stoqfs_watch_new(struct stoqfs *fs, struct stoqfs_watch **out, struct stoq_error *err)
{
    struct stoqfs_watch *w = calloc(1, sizeof(*w));
    if (!w)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "no memory");
    w->fs = fs;
    TAILQ_INIT(&w->todo);
    TAILQ_INIT(&w->moving);
    TAILQ_INIT(&w->touched);
    w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    int r = w->inotify < 0 ? -errno : 0;
    w->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (r == 0 && w->stop_fd < 0)
        r = -errno;
    w->no_epochs = !stoqfs_cache_new_epoch(fs);
    w->may_vouch = !w->no_epochs && !stoqfs_source_is_remote(fs->source_fd);
    w->root = watch_dir_new(NULL, "");
    if (r == 0 && !w->root)
        r = -ENOMEM;
    if (r == 0) {
        w->root->resync = fs->restarted; /* what changed meanwhile was told to nobody */
        watch_dir_queue(w, w->root);
        r = stoqfs_thread_start(&w->thread, "watch", watch_main, w);
    }
    if (r < 0) {
        fini(w);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "inotify: %s", strerror(-r));
    }
    *out = w;
    return 0;
}

void
stoqfs_watch_free(struct stoqfs_watch *w)
{
    if (!w)
        return;
    atomic_store(&w->stop, true);
    (void)eventfd_write(w->stop_fd, 1);
    (void)pthread_join(w->thread, NULL);
    fini(w);
}

json_t *
stoqfs_watch_status(struct stoqfs_watch *w)
{
    json_t *out = json_object();
    (void)json_object_set_new(out, "directories",
                              json_integer((json_int_t)atomic_load(&w->directories)));
    (void)json_object_set_new(out, "unwatched",
                              json_integer((json_int_t)atomic_load(&w->unwatched)));
    (void)json_object_set_new(out, "complete", json_boolean(atomic_load(&w->complete)));
    (void)json_object_set_new(out, "limit_reached",
                              json_boolean(atomic_load(&w->limit_reached)));
    (void)json_object_set_new(out, "overflows",
                              json_integer((json_int_t)atomic_load(&w->overflows)));
    return out;
}
