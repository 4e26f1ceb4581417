/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The gate: questions and what they find. See gate_impl.h for the other files and for
 * what the lock covers.
 */

#include "gate.h"

#include <fcntl.h>
#include <string.h>

#include "cache.h"
#include "core/config.h"
#include "gate_impl.h"
#include "gate_thread.h"
#include "util/auto.h"

/* ------------------------------------------------------------------------- life */

void
gate_unref(struct stoqfs_gate *g)
{
    if (atomic_fetch_sub(&g->refs, 1) != 1)
        return;
    struct gate_keep *keep;
    while ((keep = TAILQ_FIRST(&g->memory))) {
        TAILQ_REMOVE(&g->memory, keep, link);
        gate_keep_drop(keep);
    }
    gate_map_fini(&g->map);
    (void)pthread_cond_destroy(&g->timer_wake);
    (void)pthread_cond_destroy(&g->feeder_wake);
    (void)pthread_cond_destroy(&g->keeper_wake);
    (void)pthread_cond_destroy(&g->idle);
    (void)pthread_mutex_destroy(&g->lock);
    free(g);
}

static int
init(struct stoqfs_gate *g)
{
    TAILQ_INIT(&g->due);
    TAILQ_INIT(&g->ready);
    for (unsigned i = 0; i < GATE_LISTS; i++)
        TAILQ_INIT(&g->parked[i]);
    TAILQ_INIT(&g->keeps);
    TAILQ_INIT(&g->memory);
    TAILQ_INIT(&g->to_print);
    g->loading = true;
    atomic_init(&g->refs, 1);
    gate_engine_init(g, atomic_load(&g->fs->engine_now));
    pthread_cond_t *conds[] = {&g->timer_wake, &g->feeder_wake, &g->keeper_wake,
                               &g->idle};
    int r = -pthread_mutex_init(&g->lock, NULL);
    for (size_t i = 0; r == 0 && i < STOQ_ARRAY_SIZE(conds); i++)
        r = stoqfs_cond_init(conds[i]);
    return r == 0 ? gate_map_init(&g->map) : r;
}

static int
start(struct stoqfs_gate *g)
{
    int r = stoqfs_thread_start(&g->timer, "gate-timer", gate_timer_main, g);
    g->timer_on = r == 0;
    if (r == 0) {
        r = stoqfs_thread_start(&g->keeper, "gate-keeper", gate_keeper_main, g);
        g->keeper_on = r == 0;
    }
    if (r == 0) {
        r = stoqfs_thread_start(&g->feeder, "gate-feeder", gate_feeder_main, g);
        g->feeder_on = r == 0;
    }
    return r;
}

int
stoqfs_gate_new(struct stoqfs *fs, struct stoqfs_gate **out, struct stoq_error *err)
{
    struct stoqfs_gate *g = calloc(1, sizeof(*g));
    if (!g)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM,
                              "no memory for the gate");
    g->fs = fs;
    int r = init(g);
    if (r < 0) {
        gate_map_fini(&g->map);
        free(g);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "cannot make the gate");
    }
    r = start(g);
    if (r < 0) {
        stoqfs_gate_free(g);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r,
                              "cannot start the gate's threads");
    }
    *out = g;
    return 0;
}

/* Everybody who waits for a scan or for a document. */
static void
cancel_waiters_locked(struct stoqfs_gate *g, struct gate_waiters *ready)
{
    struct gate_keep *keep;
    for (size_t i = 0; i <= g->map.mask; i++)
        for (struct gate_entry *e = g->map.buckets[i]; e; e = e->next)
            if (e->scan)
                gate_claim_all_locked(&e->scan->waiters, -ECANCELED, ready);
    TAILQ_FOREACH(keep, &g->keeps, link)
    gate_claim_all_locked(&keep->waiters, -ECANCELED, ready);
}

static void
drop_parked(struct stoqfs_gate *g)
{
    for (unsigned i = 0; i < GATE_LISTS; i++) {
        struct gate_scan *scan;
        do {
            (void)pthread_mutex_lock(&g->lock);
            scan = TAILQ_FIRST(&g->parked[i]);
            if (scan)
                gate_scan_detach_locked(scan);
            (void)pthread_mutex_unlock(&g->lock);
            gate_scan_unref(scan);
        } while (scan);
    }
}

void
stoqfs_gate_free(struct stoqfs_gate *g)
{
    if (!g)
        return;
    struct gate_waiters ready = TAILQ_HEAD_INITIALIZER(ready);
    (void)pthread_mutex_lock(&g->lock);
    g->stopping = true;
    cancel_waiters_locked(g, &ready);
    (void)pthread_cond_broadcast(&g->timer_wake);
    (void)pthread_cond_broadcast(&g->feeder_wake);
    (void)pthread_mutex_unlock(&g->lock);
    gate_answer(g, &ready);
    if (g->feeder_on)
        (void)pthread_join(g->feeder, NULL);
    drop_parked(g);
    if (g->timer_on)
        (void)pthread_join(g->timer, NULL);

    (void)pthread_mutex_lock(&g->lock);
    while (g->waiting) /* claimed by others, being answered */
        stoqfs_cond_wait(&g->idle, &g->lock, UINT64_MAX);
    g->keeper_stop = true;
    g->keeper_gone = !g->keeper_on;
    (void)pthread_cond_broadcast(&g->keeper_wake);
    (void)pthread_mutex_unlock(&g->lock);
    if (g->keeper_on)
        (void)pthread_join(g->keeper, NULL);
    gate_unref(g);
}

/* -------------------------------------------------------------------- questions */

static bool
is_trusted(const struct stoqfs_gate *g, const struct gate_entry *e,
           const struct stoq_identity *id)
{
    return e && e->known.valid && !e->known.racy && gate_fresh_locked(g, &e->known) &&
           gate_same(&e->known.id, id);
}

static bool
warm_locked(struct stoqfs_gate *g, const struct stoq_identity *id, bool stored,
            struct stoqfs_answer *now)
{
    struct gate_entry *e = gate_find_locked(g, id->dev, id->ino);
    if (!is_trusted(g, e, id))
        return false;
    if (stored && !e->known.stored && !gate_keep_readable_locked(g, e->keep))
        return false;
    gate_tell(g, &e->known, now);
    e->known.ahead = false;
    return true;
}

/* The first to ask for what was scanned ahead: from now on its sidecar is listed. */
static void
tell_listing(struct stoqfs_gate *g, const struct stoq_identity *id,
             const struct stoqfs_answer *a)
{
    if (a->ahead && a->stored)
        stoqfs_cache_stored(g->fs, id->dev, id->ino);
}

enum join {
    JOIN_SPARE, /* a scan object is needed: bring one */
    JOIN_NOW,   /* answered */
    JOIN_WAIT,  /* linked, or nothing to wait for */
    JOIN_BEGIN, /* linked, and `begun` must be submitted */
    JOIN_FAIL   /* with `status` */
};

/* A question on its way in. */
struct joining {
    struct stoqfs_gate *g;
    const struct stoqfs_question *q;
    struct stoq_identity id;
    struct gate_waiter *w;   /* NULL once linked, or background */
    struct gate_scan *spare; /* NULL once used */
    struct gate_scan *begun;
    uint64_t raise; /* pool's id of a job to make more urgent, 0 none */
    int status;
};

static enum join
join_failed(struct joining *j, int status)
{
    j->status = status;
    return JOIN_FAIL;
}

static enum join
start_scan_locked(struct joining *j)
{
    struct stoqfs_gate *g = j->g;
    bool can_park = !j->w && !j->q->ended && (j->q->node || j->q->path);
    if (!j->spare)
        return JOIN_SPARE;
    if (!j->w && g->parked_count >= GATE_PARKED)
        return join_failed(j, -EAGAIN);
    struct gate_entry *e = gate_add_locked(g, j->id.dev, j->id.ino);
    if (!e)
        return join_failed(j, -ENOMEM);
    if (e->known.valid && !gate_same(&e->known.id, &j->id))
        atomic_fetch_add_explicit(&g->fs->counters.changed, 1, memory_order_relaxed);
    e->scan = STOQ_STEAL(&j->spare);
    e->scan->stale = j->q->priority == STOQ_PRIORITY_STALE;
    if (e->scan->stale && e->known.valid)
        e->scan->ahead = e->known.ahead; /* nobody has asked for it since */
    g->stale_scans += e->scan->stale;
    g->scans++;
    if (can_park) {
        gate_park_locked(e->scan);
        return JOIN_WAIT;
    }
    if (j->w)
        gate_wait_locked(STOQ_STEAL(&j->w), &e->scan->waiters);
    gate_scan_begin_locked(e->scan);
    j->begun = e->scan;
    return JOIN_BEGIN;
}

/* Nobody waits: the scan that is parked takes on the newer state and names. */
static enum join
join_background_locked(struct joining *j, struct gate_scan *scan)
{
    if (j->q->ended)
        return JOIN_NOW;
    if (!scan->parked) {
        if (gate_scan_index_locked(scan, &j->id) < 0)
            scan->again = true;
        return JOIN_WAIT;
    }
    if (!j->spare)
        return JOIN_SPARE;
    gate_unpark_locked(scan);
    struct stoqfs_node *node = scan->node;
    char *path = scan->path;
    scan->node = j->spare->node;
    scan->path = j->spare->path;
    j->spare->node = node;
    j->spare->path = path;
    if (j->q->priority < scan->priority)
        scan->priority = j->q->priority;
    gate_scan_base_locked(scan, &j->id);
    gate_park_locked(scan);
    return JOIN_WAIT;
}

static enum join
join_scan_locked(struct joining *j, struct gate_scan *scan)
{
    bool parked = scan->parked;
    if (!j->w)
        return join_background_locked(j, scan);
    gate_scan_asked_locked(scan);
    j->w->late = !parked;
    gate_wait_locked(STOQ_STEAL(&j->w), &scan->waiters);
    if (parked) {
        gate_scan_begin_locked(scan); /* before the priority: it says which list */
        gate_scan_base_locked(scan, &j->id);
        j->begun = scan;
    }
    if (j->q->priority < scan->priority) {
        scan->priority = j->q->priority;
        j->raise = parked ? 0 : scan->job;
    }
    return parked ? JOIN_BEGIN : JOIN_WAIT;
}

static enum join
join_locked(struct joining *j, struct stoqfs_answer *now)
{
    struct stoqfs_gate *g = j->g;
    if (g->stopping)
        return join_failed(j, -ECANCELED);
    if (j->w && j->w->interrupted) {
        atomic_fetch_add_explicit(&g->fs->counters.interrupted, 1,
                                  memory_order_relaxed);
        *now = (struct stoqfs_answer){.status = -EINTR, .verdict = STOQ_VERDICT_ERROR};
        return JOIN_NOW;
    }
    if (warm_locked(g, &j->id, j->q->stored, now))
        return JOIN_NOW;
    struct gate_entry *e = gate_find_locked(g, j->id.dev, j->id.ino);
    if (is_trusted(g, e, &j->id) && e->keep &&
        !e->keep->ended) { /* its document is on its way */
        e->known.ahead = false;
        if (j->w)
            gate_wait_locked(STOQ_STEAL(&j->w), &e->keep->waiters);
        return JOIN_WAIT;
    }
    return e && e->scan ? join_scan_locked(j, e->scan) : start_scan_locked(j);
}

static int
ask_cold(struct stoqfs_gate *g, const struct stoqfs_question *q,
         const struct stoq_identity *id, struct stoqfs_answer *now)
{
    struct joining j = {.g = g, .q = q, .id = *id};
    enum join how;
    gate_load_one(g, id->dev, id->ino);
    if (q->ended && !gate_trusted(id, stoq_real_ns()))
        return -EAGAIN;
    if (q->fn && !(j.w = gate_waiter_new(g, q)))
        return -ENOMEM;
    for (;;) {
        (void)pthread_mutex_lock(&g->lock);
        how = join_locked(&j, now);
        (void)pthread_mutex_unlock(&g->lock);
        if (how != JOIN_SPARE)
            break;
        int r = gate_scan_new(g, q, &j.spare);
        if (r < 0) {
            how = join_failed(&j, r);
            break;
        }
    }
    gate_waiter_drop(j.w);
    gate_scan_unref(j.spare);
    if (how == JOIN_BEGIN) {
        int fd = fcntl(q->fd, F_DUPFD_CLOEXEC, 0);
        gate_scan_submit(j.begun, fd < 0 ? -errno : fd);
    }
    if (j.raise)
        stoq_pool_raise(g->fs->pool, j.raise, q->priority);
    return how == JOIN_FAIL ? j.status : how == JOIN_NOW;
}

int
stoqfs_gate_ask(struct stoqfs_gate *g, const struct stoqfs_question *q,
                struct stoqfs_answer *now)
{
    const struct stoq_identity id = gate_identity(q->st);
    (void)pthread_mutex_lock(&g->lock);
    bool warm = !g->stopping && warm_locked(g, &id, q->stored, now);
    (void)pthread_mutex_unlock(&g->lock);
    int r = warm ? 1 : ask_cold(g, q, &id, now);
    if (r == 1 && !q->ended)
        tell_listing(g, &id, now);
    if (r == 1 && q->fn && now->status == 0)
        atomic_fetch_add_explicit(&g->fs->counters.reused_identity, 1,
                                  memory_order_relaxed);
    return r;
}

bool
stoqfs_gate_known(struct stoqfs_gate *g, const struct stat *st, bool stored,
                  struct stoqfs_answer *out)
{
    const struct stoq_identity id = gate_identity(st);
    gate_load_one(g, id.dev, id.ino);
    (void)pthread_mutex_lock(&g->lock);
    bool known = warm_locked(g, &id, stored, out);
    (void)pthread_mutex_unlock(&g->lock);
    if (known)
        tell_listing(g, &id, out);
    return known;
}

bool
stoqfs_gate_peek(struct stoqfs_gate *g, const struct stat *st,
                 struct stoqfs_answer *out)
{
    const struct stoq_identity id = gate_identity(st);
    gate_load_one(g, id.dev, id.ino);
    (void)pthread_mutex_lock(&g->lock);
    const struct gate_entry *e = gate_find_locked(g, id.dev, id.ino);
    bool known = e && e->known.valid && gate_same(&e->known.id, &id);
    if (known)
        gate_tell(g, &e->known, out);
    (void)pthread_mutex_unlock(&g->lock);
    return known;
}

int
stoqfs_gate_drain(struct stoqfs_gate *g, uint64_t timeout_ms)
{
    uint64_t until_ms = stoq_now_ms() + timeout_ms;
    (void)pthread_mutex_lock(&g->lock);
    while ((g->scans || g->keeping) && stoq_now_ms() < until_ms)
        stoqfs_cond_wait(&g->idle, &g->lock, until_ms);
    int r = g->scans || g->keeping ? -ETIMEDOUT : 0;
    (void)pthread_mutex_unlock(&g->lock);
    return r;
}
