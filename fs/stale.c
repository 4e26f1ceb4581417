/* SPDX-License-Identifier: Apache-2.0 */

/*
 * See stale.h. The thread takes the newest results from the gate's map, as many as fit
 * its list, and asks the gate for each; when the list is through, it looks again. Which
 * results are stale is in the store, so a mount that ends half-way is gone on with by
 * the next one.
 */

#include "stale.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "gate.h"
#include "gate_thread.h"
#include "util/auto.h"
#include "util/log.h"
#include "where.h"

#define LIST_MOST 4096U /* files listed at a time, 24 bytes each */
#define BUSY_MS   50U   /* until it looks again whether others have work */
#define LATER_MS  500U  /* until it looks again for what cannot be begun now */

struct stoqfs_stale {
    struct stoqfs *fs;
    pthread_t thread;
    atomic_bool stop;
    atomic_bool swapped; /* the list is out of date */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool woken; /* guarded by lock */
    struct stoqfs_stale_file list[LIST_MOST];
};

/* @p ms: UINT64_MAX = until woken. */
static void
sleep_for(struct stoqfs_stale *s, uint64_t ms)
{
    uint64_t until = ms == UINT64_MAX ? ms : stoq_now_ms() + ms;
    (void)pthread_mutex_lock(&s->lock);
    while (!s->woken && !atomic_load(&s->stop) && stoq_now_ms() < until)
        stoqfs_cond_wait(&s->wake, &s->lock, until);
    s->woken = false;
    (void)pthread_mutex_unlock(&s->lock);
}

/* Wait until a scan may be begun. @return false when the list is to be left. */
static bool
wait_turn(struct stoqfs_stale *s)
{
    struct stoqfs *fs = s->fs;
    for (;;) {
        struct stoq_pool_stats pool = {0};
        uint64_t waiting = 0, entries = 0;
        stoq_pool_stats(fs->pool, &pool);
        unsigned most = pool.scanners > 1 ? pool.scanners - 1 : 1;
        stoqfs_gate_stale_wait(fs->gate, most, &s->stop);
        if (atomic_load(&s->stop) || atomic_load(&s->swapped))
            return false;
        stoq_pool_stats(fs->pool, &pool);
        stoqfs_gate_stats(fs->gate, &waiting, &entries);
        if (!pool.queued && !waiting && pool.running < most)
            return true;
        sleep_for(s, BUSY_MS);
    }
}

static void
scan_again(struct stoqfs_stale *s, const struct stoqfs_stale_file *f)
{
    struct stoqfs *fs = s->fs;
    struct stoq_record r;
    struct stoqfs_answer now;
    struct stat st;
    char path[PATH_MAX];
    if (!stoqfs_gate_stale_record(fs->gate, f->dev, f->ino, &r))
        return; /* somebody asked for it meanwhile */
    if (stoqfs_where_is(fs, &r, path, sizeof(path), &st) < 0 || !S_ISREG(st.st_mode)) {
        stoqfs_gate_give_up(fs->gate, f->dev, f->ino);
        return;
    }
    const struct stoqfs_question q = {
        .fd = -1, .st = &st, .path = path, .priority = STOQ_PRIORITY_STALE};
    (void)stoqfs_gate_ask(fs->gate, &q, &now);
}

static void *
stale_main(void *arg)
{
    struct stoqfs_stale *s = arg;
    struct stoqfs_gate *gate = s->fs->gate;
    uint64_t before = 0;
    while (!atomic_load(&s->stop)) {
        uint64_t left = stoqfs_gate_stale(gate);
        bool loading = stoqfs_gate_loading(gate);
        if (!left && before)
            STOQ_INFO("all results are of the rules in force");
        bool stuck = left && left == before;
        before = left;
        if (loading || stuck)
            sleep_for(s, LATER_MS);
        else if (!left)
            sleep_for(s, UINT64_MAX);
        atomic_store(&s->swapped, false);
        size_t n = loading ? 0 : stoqfs_gate_stale_newest(gate, s->list, LIST_MOST);
        for (size_t i = 0; i < n && wait_turn(s); i++)
            scan_again(s, &s->list[i]);
        stoqfs_gate_stale_wait(gate, 1, &s->stop); /* the last of them */
    }
    return NULL;
}

int
stoqfs_stale_new(struct stoqfs *fs, struct stoqfs_stale **out, struct stoq_error *err)
{
    struct stoqfs_stale *s = calloc(1, sizeof(*s));
    int r = s ? stoqfs_cond_init(&s->wake) : -ENOMEM;
    if (r == 0) {
        s->fs = fs;
        r = -pthread_mutex_init(&s->lock, NULL);
        if (r == 0)
            r = stoqfs_thread_start(&s->thread, "gate-stale", stale_main, s);
        if (r == 0) {
            *out = s;
            return 0;
        }
        (void)pthread_cond_destroy(&s->wake);
    }
    free(s);
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, r,
                          "cannot scan stale results in the background");
}

static void
wake(struct stoqfs_stale *s)
{
    (void)pthread_mutex_lock(&s->lock);
    s->woken = true;
    (void)pthread_cond_signal(&s->wake);
    (void)pthread_mutex_unlock(&s->lock);
}

void
stoqfs_stale_wake(struct stoqfs_stale *s)
{
    if (!s)
        return;
    atomic_store(&s->swapped, true);
    wake(s);
}

void
stoqfs_stale_free(struct stoqfs_stale *s)
{
    if (!s)
        return;
    atomic_store(&s->stop, true);
    wake(s);
    stoqfs_gate_nudge(s->fs->gate);
    (void)pthread_join(s->thread, NULL);
    (void)pthread_cond_destroy(&s->wake);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}
