/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which engine made which result. The engine in force changes when rules are swapped;
 * results of another one are stale: they answer no question, and are scanned again when
 * somebody asks, or in the background (stale.c). A swap is one number, however many
 * results there are; an engine that comes back finds its results valid.
 */

#include <string.h>

#include "gate_impl.h"
#include "gate_thread.h"

#define NEVER UINT32_MAX

/* The place of @p id, or GATE_ENGINE_OTHER. */
static unsigned
find(const struct gate_engines *t, const char *id)
{
    for (unsigned i = GATE_ENGINE_OTHER + 1; i < GATE_ENGINES; i++)
        if (strcmp(t->items[i].id, id) == 0)
            return i;
    return GATE_ENGINE_OTHER;
}

/* A place that was never used or, without any, one that no result refers to. */
static unsigned
find_free(const struct gate_engines *t)
{
    unsigned at = find(t, "");
    for (unsigned i = GATE_ENGINE_OTHER + 1;
         at == GATE_ENGINE_OTHER && i < GATE_ENGINES; i++)
        if (i != t->now && !t->items[i].count)
            at = i;
    return at;
}

uint8_t
gate_engine_locked(struct stoqfs_gate *g, const char *id)
{
    struct gate_engines *t = &g->engines;
    unsigned at = *id ? find(t, id) : GATE_ENGINE_OTHER;
    if (at == GATE_ENGINE_OTHER && *id && (at = find_free(t)) != GATE_ENGINE_OTHER) {
        (void)snprintf(t->items[at].id, sizeof(t->items[at].id), "%s", id);
        t->items[at].since = NEVER;
    }
    return (uint8_t)at;
}

void
gate_engine_init(struct stoqfs_gate *g, const char *id)
{
    struct gate_engines *t = &g->engines;
    for (unsigned i = 0; i < GATE_ENGINES; i++)
        t->items[i].since = NEVER;
    t->now = GATE_ENGINE_OTHER + 1;
    t->items[t->now].since = 0;
    (void)snprintf(t->items[t->now].id, sizeof(t->items[t->now].id), "%s", id);
}

const char *
gate_engine_id(const struct stoqfs_gate *g, unsigned engine)
{
    return g->engines.items[engine].id;
}

bool
gate_fresh_locked(const struct stoqfs_gate *g, const struct gate_known *k)
{
    return k->engine == g->engines.now;
}

bool
gate_in_force_locked(const struct stoqfs_gate *g, unsigned engine, uint32_t asked)
{
    return engine == g->engines.now || g->engines.items[engine].since == asked;
}

void
gate_count_locked(struct stoqfs_gate *g, const struct gate_known *k, int by)
{
    struct gate_engine *e = &g->engines.items[k->engine];
    e->count = by > 0 ? e->count + 1 : e->count - 1;
}

void
stoqfs_gate_engine(struct stoqfs_gate *g, const char *id)
{
    (void)pthread_mutex_lock(&g->lock);
    struct gate_engines *t = &g->engines;
    uint8_t now = gate_engine_locked(g, id);
    if (now == GATE_ENGINE_OTHER) { /* no place left: its results count as others do */
        now = (uint8_t)(t->now > GATE_ENGINE_OTHER + 1 ? t->now - 1 : t->now + 1);
        t->items[GATE_ENGINE_OTHER].count += t->items[now].count;
        for (size_t i = 0; i <= g->map.mask; i++)
            for (struct gate_entry *e = g->map.buckets[i]; e; e = e->next)
                if (e->known.valid && e->known.engine == now)
                    e->known.engine = GATE_ENGINE_OTHER;
        t->items[now].count = 0;
        (void)snprintf(t->items[now].id, sizeof(t->items[now].id), "%s", id);
    }
    if (now != t->now) {
        t->now = now;
        t->items[now].since = ++t->swaps;
    }
    (void)pthread_mutex_unlock(&g->lock);
}

uint64_t
stoqfs_gate_stale(struct stoqfs_gate *g)
{
    uint64_t n = 0;
    (void)pthread_mutex_lock(&g->lock);
    for (unsigned i = GATE_ENGINE_OTHER; i < GATE_ENGINES; i++)
        n += i == g->engines.now ? 0 : g->engines.items[i].count;
    (void)pthread_mutex_unlock(&g->lock);
    return n;
}

/* -------------------------------------------------------------- newest ones first */

static int64_t
time_at(const struct stoqfs_stale_file *heap, size_t i)
{
    return heap[i].time_ns;
}

static void
swap(struct stoqfs_stale_file *a, struct stoqfs_stale_file *b)
{
    struct stoqfs_stale_file c = *a;
    *a = *b;
    *b = c;
}

/* The oldest of the heap is its root, and makes room for one that is newer. */
static void
heap_sink(struct stoqfs_stale_file *heap, size_t n, size_t i)
{
    for (;;) {
        size_t least = i, left = 2 * i + 1, right = left + 1;
        if (left < n && time_at(heap, left) < time_at(heap, least))
            least = left;
        if (right < n && time_at(heap, right) < time_at(heap, least))
            least = right;
        if (least == i)
            return;
        swap(&heap[i], &heap[least]);
        i = least;
    }
}

static void
heap_add(struct stoqfs_stale_file *heap, size_t *n, size_t max,
         const struct gate_known *k)
{
    const struct stoqfs_stale_file f = {k->id.dev, k->id.ino, k->time_ns};
    if (*n == max) {
        if (f.time_ns <= time_at(heap, 0))
            return;
        heap[0] = f;
        heap_sink(heap, *n, 0);
        return;
    }
    size_t i = (*n)++;
    heap[i] = f;
    for (; i > 0 && time_at(heap, i) < time_at(heap, (i - 1) / 2); i = (i - 1) / 2)
        swap(&heap[i], &heap[(i - 1) / 2]);
}

static void
take_bucket_locked(const struct stoqfs_gate *g, size_t at,
                   struct stoqfs_stale_file *heap, size_t *n, size_t max)
{
    for (const struct gate_entry *e = g->map.buckets[at]; e; e = e->next)
        if (e->known.valid && e->known.engine != GATE_ENGINE_GIVEN_UP &&
            !gate_fresh_locked(g, &e->known) && !e->scan)
            heap_add(heap, n, max, &e->known);
}

size_t
stoqfs_gate_stale_newest(struct stoqfs_gate *g, struct stoqfs_stale_file *out,
                         size_t max)
{
    size_t n = 0, at = 0;
    bool more = true;
    /* In pieces: nobody who opens a file shall wait for the whole of it. What moves
     * between buckets meanwhile is found next time. */
    while (more) {
        (void)pthread_mutex_lock(&g->lock);
        size_t end = at + GATE_PIECE;
        for (; at <= g->map.mask && at < end; at++)
            take_bucket_locked(g, at, out, &n, max);
        more = at <= g->map.mask && !g->loading && !g->stopping;
        if (g->loading) /* there may be newer ones to come */
            n = 0;
        (void)pthread_mutex_unlock(&g->lock);
    }
    /* the root is the oldest: taking it off, again and again, puts the newest first */
    for (size_t left = n; left > 1; left--) {
        swap(&out[0], &out[left - 1]);
        heap_sink(out, left - 1, 0);
    }
    return n;
}

bool
stoqfs_gate_stale_record(struct stoqfs_gate *g, uint64_t dev, uint64_t ino,
                         struct stoq_record *out)
{
    (void)pthread_mutex_lock(&g->lock);
    const struct gate_entry *e = gate_find_locked(g, dev, ino);
    bool stale = e && e->known.valid && !e->scan && !gate_fresh_locked(g, &e->known);
    if (stale)
        gate_record(g, &e->known, out);
    (void)pthread_mutex_unlock(&g->lock);
    return stale;
}

void
gate_give_up_locked(struct stoqfs_gate *g, struct gate_entry *e)
{
    if (!e->known.valid || gate_fresh_locked(g, &e->known))
        return;
    gate_count_locked(g, &e->known, -1);
    e->known.engine = GATE_ENGINE_GIVEN_UP;
    gate_count_locked(g, &e->known, 1);
}

void
stoqfs_gate_give_up(struct stoqfs_gate *g, uint64_t dev, uint64_t ino)
{
    (void)pthread_mutex_lock(&g->lock);
    struct gate_entry *e = gate_find_locked(g, dev, ino);
    if (e)
        gate_give_up_locked(g, e);
    (void)pthread_mutex_unlock(&g->lock);
}

/* ------------------------------------------------------------------- in between */

bool
stoqfs_gate_loading(struct stoqfs_gate *g)
{
    (void)pthread_mutex_lock(&g->lock);
    bool loading = g->loading;
    (void)pthread_mutex_unlock(&g->lock);
    return loading;
}

void
stoqfs_gate_stale_wait(struct stoqfs_gate *g, unsigned most, const atomic_bool *stop)
{
    (void)pthread_mutex_lock(&g->lock);
    while (g->stale_scans >= most && !g->stopping && !atomic_load(stop))
        stoqfs_cond_wait(&g->idle, &g->lock, UINT64_MAX);
    (void)pthread_mutex_unlock(&g->lock);
}

void
stoqfs_gate_nudge(struct stoqfs_gate *g)
{
    (void)pthread_mutex_lock(&g->lock);
    (void)pthread_cond_broadcast(&g->idle);
    (void)pthread_mutex_unlock(&g->lock);
}
