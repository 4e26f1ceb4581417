/* SPDX-License-Identifier: Apache-2.0 */

/* See cache.h. */

#include "cache.h"

#include <time.h>
#include <unistd.h>

#include "gate.h"
#include "node.h"
#include "sidecar.h"
#include "util/log.h"

#define VOUCHED_S        86400.0
#define NOTIFY_INC_EPOCH 8 /* of linux/fuse.h since 6.16 */
/* Timestamps are this coarse at worst; a directory that changed so recently may change
 * again without showing it. */
#define GRANULARITY_NS INT64_C(20000000)

double
stoqfs_cache_time(const struct stoqfs *fs)
{
    if (fs->options->strict)
        return 0;
    return atomic_load(&fs->vouched) ? VOUCHED_S : 1.0;
}

double
stoqfs_cache_attr_time(const struct stoqfs *fs, const struct stat *st)
{
    double time = stoqfs_cache_time(fs);

    return time > 1.0 && !S_ISDIR(st->st_mode) && st->st_nlink > 1 ? 1.0 : time;
}

double
stoqfs_cache_sidecar_time(struct stoqfs *fs, struct stoqfs_node *base, uint64_t version)
{
    struct stoqfs_answer a;
    struct stat st;

    if (fs->options->strict || !atomic_load(&fs->vouched) ||
        stoqfs_node_writers(base) > 0 || stoqfs_node_stat(fs->nodes, base, &st) < 0)
        return 0;
    if (!stoqfs_gate_peek(fs->gate, &st, &a) || !a.stored || a.stale ||
        stoqfs_sidecar_version(&a.record) != version)
        return 0;
    return VOUCHED_S;
}

/* libfuse 3.14 has no call for it. */
bool
stoqfs_cache_new_epoch(struct stoqfs *fs)
{
    const struct {
        uint32_t size;
        int32_t code;
        uint64_t unique;
    } message = {.size = sizeof(message), .code = NOTIFY_INC_EPOCH};

    return write(fuse_session_fd(fs->se), &message, sizeof(message)) >= 0;
}

static void
drop_attributes(void *arg, fuse_ino_t ino)
{
    struct stoqfs *fs = arg;

    (void)fuse_lowlevel_notify_inval_inode(fs->se, ino, -1, 0);
}

void
stoqfs_cache_drop(struct stoqfs *fs)
{
    (void)stoqfs_cache_new_epoch(fs);
    stoqfs_nodes_each(fs->nodes, drop_attributes, fs);
}

void
stoqfs_cache_vouch(struct stoqfs *fs, bool yes)
{
    if (atomic_exchange(&fs->vouched, yes) == yes)
        return;
    STOQ_DEBUG("names and attributes are cached for %s", yes ? "a day" : "a second");
    if (!yes)
        stoqfs_cache_drop(fs);
}

void
stoqfs_cache_stale(struct stoqfs *fs, struct stoqfs_node *n)
{
    if (stoqfs_node_sidecars(n) > 0 && atomic_load(&fs->vouched))
        (void)stoqfs_cache_new_epoch(fs);
}

void
stoqfs_cache_swapped(struct stoqfs *fs)
{
    if (atomic_load(&fs->vouched))
        (void)stoqfs_cache_new_epoch(fs);
}

void
stoqfs_cache_stored(struct stoqfs *fs, uint64_t dev, uint64_t ino)
{
    struct stoqfs_node *n = stoqfs_node_find(fs->nodes, dev, ino);
    struct stoqfs_node *dir = n ? stoqfs_node_parent(fs->nodes, n) : NULL;

    struct stat st;

    if (n)
        stoqfs_node_scanned(n);
    if (n)
        stoqfs_cache_stale(fs, n);
    if (dir)
        stoqfs_node_listing_changed(dir);
    /* Which directories have its other names is not known: then all are read again. */
    if (!dir || stoqfs_node_stat(fs->nodes, n, &st) < 0 || st.st_nlink > 1)
        (void)atomic_fetch_add(&fs->listings, 1);
    if (dir)
        stoqfs_node_unpin(fs->nodes, dir);
    if (n)
        stoqfs_node_unpin(fs->nodes, n);
}

static bool
is_young(const struct stat *st)
{
    struct timespec now;

    if (clock_gettime(CLOCK_REALTIME, &now) < 0)
        return true;
    int64_t age = ((int64_t)now.tv_sec - st->st_mtim.tv_sec) * INT64_C(1000000000) +
                  now.tv_nsec - st->st_mtim.tv_nsec;
    return age < GRANULARITY_NS;
}

bool
stoqfs_cache_listing(struct stoqfs *fs, struct stoqfs_node *dir, const struct stat *st)
{
    /* "hidden" and "off" list no sidecars, "all" one for each file. */
    bool results = fs->options->sidecars == STOQFS_SIDECARS_SCANNED;
    unsigned global = results ? atomic_load(&fs->listings) : 0;

    return stoqfs_node_listing_check(dir, st, global, is_young(st)) &&
           !fs->options->strict;
}
