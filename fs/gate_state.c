/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The gate's other doors: forgetting and carrying on, what is known in numbers and
 * lists, reuse by content, and the mount's policy.
 */

#include <string.h>

#include "core/config.h"
#include "gate_impl.h"
#include "util/auto.h"

void
stoqfs_gate_forget(struct stoqfs_gate *g, const struct stat *st)
{
    const struct stoq_identity id = gate_identity(st);
    (void)pthread_mutex_lock(&g->lock);
    /* While loading, an empty entry keeps out what the store still has of it. */
    struct gate_entry *e = g->loading ? gate_add_locked(g, id.dev, id.ino)
                                      : gate_find_locked(g, id.dev, id.ino);
    if (e && (e->known.valid || e->keep || g->loading)) {
        if (e->keep && !e->keep->memory)
            e->keep->forgotten = true;
        gate_keep_detach_locked(e);
        gate_unknow_locked(g, e);
        gate_tidy_locked(g, e);
        (void)stoq_store_forget(g->fs->store, id.dev, id.ino);
    }
    (void)pthread_mutex_unlock(&g->lock);
}

static void
carry_known_locked(struct stoqfs_gate *g, struct gate_entry *e,
                   const struct stoq_identity *from, const struct stoq_identity *to)
{
    if (!e->known.valid || !gate_same(&e->known.id, from))
        return;
    e->known.id = *to;
    if (e->known.racy) /* the store has it smudged */
        return;
    if (e->keep && !e->keep->put)
        e->keep->record.id = *to;
    else
        (void)stoq_store_carry(g->fs->store, from, to);
}

static void
carry_scan_locked(struct gate_scan *scan, const struct stoq_identity *from,
                  const struct stoq_identity *to)
{
    if (gate_scan_index_locked(scan, from) != (int)scan->ctime_count - 1)
        return;
    if (scan->ctime_count == GATE_CHAIN)
        memmove(scan->ctimes, scan->ctimes + 1,
                sizeof(scan->ctimes[0]) * --scan->ctime_count);
    scan->ctimes[scan->ctime_count++] = to->ctime_ns;
}

void
stoqfs_gate_carry(struct stoqfs_gate *g, const struct stat *before,
                  const struct stat *after)
{
    const struct stoq_identity from = gate_identity(before), to = gate_identity(after);
    if (from.dev != to.dev || from.ino != to.ino || from.size != to.size ||
        from.mtime_ns != to.mtime_ns || from.ctime_ns == to.ctime_ns)
        return;
    gate_load_one(g, from.dev, from.ino);
    (void)pthread_mutex_lock(&g->lock);
    struct gate_entry *e = gate_find_locked(g, from.dev, from.ino);
    if (e) {
        carry_known_locked(g, e, &from, &to);
        if (e->scan)
            carry_scan_locked(e->scan, &from, &to);
    }
    (void)pthread_mutex_unlock(&g->lock);
}

bool
stoqfs_gate_remembers(struct stoqfs_gate *g, const struct stat *st)
{
    gate_load_one(g, st->st_dev, st->st_ino);
    (void)pthread_mutex_lock(&g->lock);
    const struct gate_entry *e = gate_find_locked(g, st->st_dev, st->st_ino);
    bool known = e && e->known.valid;
    (void)pthread_mutex_unlock(&g->lock);
    return known;
}

bool
stoqfs_gate_expects(struct stoqfs_gate *g, const struct stat *st)
{
    const struct stoq_identity id = gate_identity(st);
    gate_load_one(g, id.dev, id.ino);
    (void)pthread_mutex_lock(&g->lock);
    const struct gate_entry *e = gate_find_locked(g, id.dev, id.ino);
    bool known = e && ((e->known.valid && gate_same(&e->known.id, &id)) ||
                       (e->scan && gate_scan_index_locked(e->scan, &id) >= 0));
    (void)pthread_mutex_unlock(&g->lock);
    return known;
}

int
stoqfs_gate_policy(const struct stoqfs *fs, const struct stoqfs_answer *answer)
{
    if (answer->status == -EINTR)
        return EINTR;
    if (!fs->options->enforce)
        return 0;
    enum stoq_verdict v = answer->verdict;
    if (answer->status < 0 || (unsigned)v >= STOQ_VERDICT_COUNT)
        v = STOQ_VERDICT_ERROR;
    else if (!answer->known && v != STOQ_VERDICT_TIMEOUT)
        v = STOQ_VERDICT_ERROR;
    if (!fs->options->config->policy.deny[v])
        return 0;
    if (v == STOQ_VERDICT_FLAGGED)
        return EPERM;
    return v == STOQ_VERDICT_TIMEOUT ? ETIMEDOUT : EIO;
}

void
stoqfs_gate_stats(struct stoqfs_gate *g, uint64_t *waiting, uint64_t *entries)
{
    (void)pthread_mutex_lock(&g->lock);
    *waiting = g->waiting;
    *entries = g->map.count;
    (void)pthread_mutex_unlock(&g->lock);
}

/* Found results, newest `max` of them once sorted. */
struct found {
    const struct gate_known **items;
    size_t count, room;
    enum stoq_verdict verdict;
};

static int
newest_first(const void *a, const void *b)
{
    const struct gate_known *const *x = a, *const *y = b;
    return ((*x)->time_ns < (*y)->time_ns) - ((*x)->time_ns > (*y)->time_ns);
}

static void
find_one(struct found *f, const struct gate_entry *e)
{
    if (!e->known.valid || e->known.verdict != (uint8_t)f->verdict)
        return;
    if (f->count == f->room) {
        size_t room = f->room ? f->room * 2 : 256;
        const struct gate_known **p = reallocarray(f->items, room, sizeof(*p));
        if (!p)
            return;
        f->items = p;
        f->room = room;
    }
    f->items[f->count++] = &e->known;
}

/* The newest as records: an array the caller frees, or NULL. */
static struct stoq_record *
newest_locked(struct stoqfs_gate *g, struct found *f, size_t max, size_t *n)
{
    const struct gate_map *m = &g->map;
    if (f->verdict == STOQ_VERDICT_FLAGGED) {
        for (size_t i = 0; i < m->flagged_count; i++)
            find_one(f, m->flagged[i]);
    } else {
        for (size_t i = 0; i <= m->mask; i++)
            for (const struct gate_entry *e = m->buckets[i]; e; e = e->next)
                find_one(f, e);
    }
    if (f->count)
        qsort(f->items, f->count, sizeof(f->items[0]), newest_first);
    *n = f->count < max ? f->count : max;
    struct stoq_record *records = *n ? calloc(*n, sizeof(*records)) : NULL;
    for (size_t i = 0; records && i < *n; i++)
        gate_record(g, f->items[i], &records[i]);
    return records;
}

void
stoqfs_gate_foreach(struct stoqfs_gate *g, enum stoq_verdict verdict, size_t max,
                    void (*fn)(void *arg, const struct stoq_record *record), void *arg)
{
    struct found f = {.verdict = verdict};
    size_t n = 0;
    (void)pthread_mutex_lock(&g->lock);
    struct stoq_record *records = newest_locked(g, &f, max, &n);
    (void)pthread_mutex_unlock(&g->lock);
    free(f.items);
    for (size_t i = 0; records && i < n; i++)
        fn(arg, &records[i]);
    free(records);
}

static uint64_t
key_of(const uint8_t scan_id[GATE_UUID])
{
    uint64_t key = 0;
    for (size_t i = 0; i < sizeof(key); i++)
        key = key << 8 | scan_id[i];
    return key >> 2 | UINT64_C(1) << 62;
}

uint64_t
stoqfs_gate_flagged_key(const char *scan_id)
{
    uint8_t packed[GATE_UUID];
    return gate_uuid_pack(scan_id, packed) < 0 ? 0 : key_of(packed);
}

bool
stoqfs_gate_find_flagged(struct stoqfs_gate *g, uint64_t key, struct stoq_record *out)
{
    const struct gate_known *found = NULL;
    (void)pthread_mutex_lock(&g->lock);
    for (size_t i = 0; !found && i < g->map.flagged_count; i++)
        if (key_of(g->map.flagged[i]->known.scan_id) == key)
            found = &g->map.flagged[i]->known;
    if (found)
        gate_record(g, found, out);
    (void)pthread_mutex_unlock(&g->lock);
    return found != NULL;
}

bool
stoqfs_gate_reuse(void *arg, const uint8_t sha256[STOQ_SHA256_SIZE], char **text,
                  size_t *size)
{
    struct stoqfs_gate *g = arg;
    return gate_keep_reuse(g, sha256, text, size) ||
           stoq_store_find_content(g->fs->store, sha256,
                                   atomic_load(&g->fs->engine_now), text, size) == 0;
}
