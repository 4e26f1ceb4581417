/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The hot map of the gate: (dev, ino) to what is known of that file. Chained, grown by
 * doubling, never shrunk. Also the rule that says which results may be reused, and the
 * list of flagged files. Callers hold the gate's lock, except for the pure functions.
 */

#include <string.h>

#include "gate_impl.h"
#include "util/auto.h"

#define BUCKETS_FIRST 1024U
#define NS            INT64_C(1000000000)

static int64_t
ns_of(const struct timespec *ts)
{
    return (int64_t)ts->tv_sec * NS + ts->tv_nsec;
}

struct stoq_identity
gate_identity(const struct stat *st)
{
    return (struct stoq_identity){
        .dev = st->st_dev,
        .ino = st->st_ino,
        .size = (uint64_t)st->st_size,
        .mtime_ns = ns_of(&st->st_mtim),
        .ctime_ns = ns_of(&st->st_ctim),
    };
}

bool
gate_same(const struct stoq_identity *a, const struct stoq_identity *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

int64_t
gate_slack(const struct stoq_identity *id)
{
    /* No fraction in either: a file system that counts in seconds or in pairs of them.
     */
    bool coarse = id->mtime_ns % NS == 0 && id->ctime_ns % NS == 0;
    return coarse ? GATE_COARSE_NS : STOQFS_RACY_NS;
}

bool
gate_trusted(const struct stoq_identity *id, int64_t begin_ns)
{
    /* A change sets ctime to now, whatever a user makes of mtime: an mtime in the
     * future must not keep a file from ever being trusted. */
    int64_t newest = id->ctime_ns;
    if (id->mtime_ns > newest && id->mtime_ns <= begin_ns)
        newest = id->mtime_ns;
    return newest <= begin_ns - gate_slack(id);
}

static size_t
hash(uint64_t dev, uint64_t ino)
{
    uint64_t x = ino ^ (dev * UINT64_C(0x9e3779b97f4a7c15));
    x = (x ^ (x >> 31)) * UINT64_C(0xbf58476d1ce4e5b9);
    return (size_t)(x ^ (x >> 29));
}

int
gate_map_init(struct gate_map *m)
{
    m->buckets = calloc(BUCKETS_FIRST, sizeof(struct gate_entry *));
    if (!m->buckets)
        return -ENOMEM;
    m->mask = BUCKETS_FIRST - 1;
    return 0;
}

void
gate_map_fini(struct gate_map *m)
{
    for (size_t i = 0; m->buckets && i <= m->mask; i++) {
        struct gate_entry *next;
        for (struct gate_entry *e = m->buckets[i]; e; e = next) {
            next = e->next;
            free(e);
        }
    }
    free(m->buckets);
    free(m->flagged);
    *m = (struct gate_map){0};
}

/* Without memory the chains get longer, that is all. */
static void
grow(struct gate_map *m)
{
    size_t mask = m->mask * 2 + 1;
    struct gate_entry **buckets = calloc(mask + 1, sizeof(struct gate_entry *));
    if (!buckets)
        return;
    for (size_t i = 0; i <= m->mask; i++) {
        struct gate_entry *next;
        for (struct gate_entry *e = m->buckets[i]; e; e = next) {
            size_t at = hash(e->known.id.dev, e->known.id.ino) & mask;
            next = e->next;
            e->next = buckets[at];
            buckets[at] = e;
        }
    }
    free(m->buckets);
    m->buckets = buckets;
    m->mask = mask;
}

struct gate_entry *
gate_find_locked(struct stoqfs_gate *g, uint64_t dev, uint64_t ino)
{
    struct gate_entry *e = g->map.buckets[hash(dev, ino) & g->map.mask];
    while (e && (e->known.id.ino != ino || e->known.id.dev != dev))
        e = e->next;
    return e;
}

struct gate_entry *
gate_add_locked(struct stoqfs_gate *g, uint64_t dev, uint64_t ino)
{
    struct gate_entry *e = gate_find_locked(g, dev, ino);
    if (e)
        return e;
    e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    e->known.id.dev = dev;
    e->known.id.ino = ino;
    struct gate_map *m = &g->map;
    if (m->count > m->mask)
        grow(m);
    size_t at = hash(dev, ino) & m->mask;
    e->next = m->buckets[at];
    m->buckets[at] = e;
    m->count++;
    return e;
}

static bool
is_empty(const struct gate_entry *e)
{
    return !e->known.valid && !e->scan && !e->keep;
}

void
gate_tidy_locked(struct stoqfs_gate *g, struct gate_entry *e)
{
    if (!is_empty(e) || g->loading)
        return;
    struct gate_entry **at =
        &g->map.buckets[hash(e->known.id.dev, e->known.id.ino) & g->map.mask];
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    g->map.count--;
    free(e);
}

void
gate_sweep_locked(struct stoqfs_gate *g)
{
    for (size_t i = 0; i <= g->map.mask; i++) {
        struct gate_entry *next;
        for (struct gate_entry *e = g->map.buckets[i]; e; e = next) {
            next = e->next;
            gate_tidy_locked(g, e);
        }
    }
}

static void
unflag(struct gate_map *m, struct gate_entry *e)
{
    if (!e->flagged_at)
        return;
    struct gate_entry *last = m->flagged[--m->flagged_count];
    m->flagged[e->flagged_at - 1] = last;
    last->flagged_at = e->flagged_at;
    e->flagged_at = 0;
}

/* Without memory a flagged file is missing from a listing; the verdict stands. */
static void
flag(struct gate_map *m, struct gate_entry *e)
{
    if (m->flagged_count == m->flagged_room) {
        size_t room = m->flagged_room ? m->flagged_room * 2 : 64;
        struct gate_entry **p =
            room > UINT32_MAX ? NULL : reallocarray(m->flagged, room, sizeof(*p));
        if (!p)
            return;
        m->flagged = p;
        m->flagged_room = room;
    }
    m->flagged[m->flagged_count++] = e;
    e->flagged_at = (uint32_t)m->flagged_count;
}

int
gate_uuid_pack(const char *text, uint8_t out[GATE_UUID])
{
    char hex[2 * GATE_UUID + 1];
    size_t n = 0;
    for (size_t i = 0; i < STOQ_UUID_SIZE - 1; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash != (text[i] == '-') || text[i] == '\0')
            return -EINVAL;
        if (!dash)
            hex[n++] = text[i];
    }
    hex[n] = '\0';
    return text[STOQ_UUID_SIZE - 1] ? -EINVAL : stoq_unhex(hex, out, GATE_UUID);
}

static void
uuid_unpack(const uint8_t in[GATE_UUID], char out[STOQ_UUID_SIZE])
{
    char hex[2 * GATE_UUID + 1];
    stoq_hex(in, GATE_UUID, hex);
    (void)snprintf(out, STOQ_UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8,
                   hex + 12, hex + 16, hex + 20);
}

int
gate_know_locked(struct stoqfs_gate *g, struct gate_entry *e,
                 const struct stoq_record *r)
{
    struct gate_known k = {
        .id = r->id,
        .time_ns = r->time_ns,
        .document_size = r->document_size,
        .verdict = (uint8_t)r->verdict,
        .valid = true,
        .has_sha256 = r->has_sha256,
        .reusable = r->reusable,
    };
    memcpy(k.sha256, r->sha256, sizeof(k.sha256));
    if (gate_uuid_pack(r->scan_id, k.scan_id) < 0)
        return -EINVAL;
    gate_unknow_locked(g, e);
    k.engine = gate_engine_locked(g, r->engine_id);
    e->known = k;
    gate_count_locked(g, &k, 1);
    if (r->verdict == STOQ_VERDICT_FLAGGED)
        flag(&g->map, e);
    return 0;
}

void
gate_unknow_locked(struct stoqfs_gate *g, struct gate_entry *e)
{
    unflag(&g->map, e);
    if (e->known.valid)
        gate_count_locked(g, &e->known, -1);
    e->known.valid = false;
    e->known.stored = false;
    e->known.racy = false;
}

void
gate_record(const struct stoqfs_gate *g, const struct gate_known *k,
            struct stoq_record *out)
{
    *out = (struct stoq_record){
        .id = k->id,
        .verdict = (enum stoq_verdict)k->verdict,
        .has_sha256 = k->has_sha256,
        .reusable = k->reusable,
        .time_ns = k->time_ns,
        .document_size = k->document_size,
    };
    (void)snprintf(out->engine_id, sizeof(out->engine_id), "%s",
                   gate_engine_id(g, k->engine));
    uuid_unpack(k->scan_id, out->scan_id);
    memcpy(out->sha256, k->sha256, sizeof(out->sha256));
}

void
gate_tell(const struct stoqfs_gate *g, const struct gate_known *k,
          struct stoqfs_answer *out)
{
    out->status = 0;
    out->known = true;
    out->stored = k->stored;
    out->ahead = k->ahead;
    out->stale = !gate_fresh_locked(g, k);
    out->verdict = (enum stoq_verdict)k->verdict;
    gate_record(g, k, &out->record);
}
