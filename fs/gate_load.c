/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The store's results into the hot map, on the feeder's thread, while questions are
 * answered already: until it is done, a file that is not in the map is looked up in the
 * store. What questions, scans and removals put into the map meanwhile is newer and
 * stays.
 */

#include <string.h>

#include "gate_impl.h"
#include "util/log.h"

static void
take_record_locked(struct stoqfs_gate *g, const struct stoq_record *r)
{
    if (gate_find_locked(g, r->id.dev, r->id.ino))
        return;
    struct gate_entry *e = gate_add_locked(g, r->id.dev, r->id.ino);
    if (e && gate_know_locked(g, e, r) == 0)
        e->known.stored = true;
}

static bool
load_record(void *arg, const struct stoq_record *r)
{
    struct stoqfs_gate *g = arg;
    (void)pthread_mutex_lock(&g->lock);
    take_record_locked(g, r);
    bool go_on = !g->stopping;
    (void)pthread_mutex_unlock(&g->lock);
    return go_on;
}

void
gate_load(struct stoqfs_gate *g)
{
    int r = stoq_store_foreach(g->fs->store, load_record, g);
    if (r < 0)
        STOQ_ERROR("cannot read the stored results, files are scanned again: %s",
                   strerror(-r));
    (void)pthread_mutex_lock(&g->lock);
    g->loading = false;
    gate_sweep_locked(g);
    (void)pthread_mutex_unlock(&g->lock);
}

void
gate_load_one(struct stoqfs_gate *g, uint64_t dev, uint64_t ino)
{
    (void)pthread_mutex_lock(&g->lock);
    bool missing = g->loading && !gate_find_locked(g, dev, ino);
    (void)pthread_mutex_unlock(&g->lock);
    struct stoq_record r;
    if (!missing || stoq_store_find(g->fs->store, dev, ino, &r) < 0)
        return;
    (void)pthread_mutex_lock(&g->lock);
    if (g->loading)
        take_record_locked(g, &r);
    (void)pthread_mutex_unlock(&g->lock);
}
