/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a node says of itself: constants, and counters that are atomics of their own so
 * that no lock is needed.
 */

#include "node_impl.h"

fuse_ino_t
stoqfs_node_number(const struct stoqfs_node *n)
{
    return n->number;
}

enum stoqfs_kind
stoqfs_node_kind(const struct stoqfs_node *n)
{
    return (enum stoqfs_kind)n->kind;
}

uint64_t
stoqfs_node_version(const struct stoqfs_nodes *t, const struct stoqfs_node *n)
{
    return n->kind == STOQFS_SIDECAR ? t->slots[n->number].dev : 0;
}

uint64_t
stoqfs_node_virtual_id(const struct stoqfs_node *n)
{
    return n->kind == STOQFS_DOT ? n->what.virtual_id : 0;
}

mode_t
stoqfs_node_type(const struct stoqfs_node *n)
{
    return n->type;
}

uint64_t
stoqfs_node_generation(struct stoqfs_nodes *t, const struct stoqfs_node *n)
{
    return t->slots[n->number].generation; /* constant while in use */
}

struct stoqfs_node *
stoqfs_node_base(const struct stoqfs_node *n)
{
    return n->kind == STOQFS_SIDECAR ? n->what.base : NULL;
}

void
stoqfs_node_writers_add(struct stoqfs_node *n, int delta)
{
    (void)atomic_fetch_add(&n->writers, delta);
    if (delta >= 0) /* 0: a truncation without a handle */
        (void)atomic_fetch_add(&n->write_seq, 1);
}

int
stoqfs_node_writers(const struct stoqfs_node *n)
{
    return atomic_load(&n->writers);
}

unsigned
stoqfs_node_write_seq(const struct stoqfs_node *n)
{
    return atomic_load(&n->write_seq);
}

void
stoqfs_node_set_dirty(struct stoqfs_node *n)
{
    stoqfs_node_set_due(n);
    atomic_store(&n->dirty, true);
}

bool
stoqfs_node_take_dirty(struct stoqfs_node *n)
{
    return atomic_exchange(&n->dirty, false);
}

void
stoqfs_node_set_due(struct stoqfs_node *n)
{
    atomic_store(&n->slot->due, 1);
}

void
stoqfs_node_scanned(struct stoqfs_node *n)
{
    atomic_store(&n->slot->due, 0);
}

static uint64_t
fold(uint64_t h, uint64_t value)
{
    h = (h ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ (h >> 29);
}

/* 64 bits of the identity, never 0, which stands for none. */
static uint64_t
digest(const struct stat *st)
{
    uint64_t h = fold(UINT64_C(0x5bd1e995), (uint64_t)st->st_size);
    h = fold(h, (uint64_t)st->st_mtim.tv_sec);
    h = fold(h, (uint64_t)st->st_mtim.tv_nsec);
    h = fold(h, (uint64_t)st->st_ctim.tv_sec);
    h = fold(h, (uint64_t)st->st_ctim.tv_nsec);
    return h ? h : 1;
}

bool
stoqfs_node_cache_check(struct stoqfs_node *n, const struct stat *st)
{
    uint64_t now = digest(st);
    return atomic_exchange(&n->cached, now) == now;
}

unsigned
stoqfs_node_sidecars(const struct stoqfs_node *n)
{
    return atomic_load(&n->sidecars);
}

void
stoqfs_node_listers_add(struct stoqfs_node *n, int delta)
{
    (void)atomic_fetch_add(&n->listers, delta);
}

void
stoqfs_node_listing_changed(struct stoqfs_node *n)
{
    (void)atomic_fetch_add(&n->listing, 1);
}

bool
stoqfs_node_listing_check(struct stoqfs_node *n, const struct stat *st, unsigned more,
                          bool vague)
{
    uint64_t now =
        fold(digest(st), (uint64_t)atomic_load(&n->listing) << 32 | more) | 1;
    bool alone = atomic_load(&n->listers) <= 1;
    uint64_t before = atomic_load(&n->listed);
    if (before == now && !vague)
        return true;
    atomic_store(&n->listed, alone && !vague ? now : 0);
    return false;
}

struct stoqfs_handles *
stoqfs_node_handles(struct stoqfs_node *n)
{
    return &n->handles;
}

void
stoqfs_node_told(struct stoqfs_node *n, const struct stat *st)
{
    atomic_store(&n->told, digest(st));
}

bool
stoqfs_node_was_told(const struct stoqfs_node *n, const struct stat *st)
{
    return atomic_load(&n->told) == digest(st);
}
