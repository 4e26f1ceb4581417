/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The nodes that a mirror before this one left: private halves are made anew from the
 * slots. Names and counts of lookups are as they were; forgets that went down with it
 * leave counts too high, which costs a slot until the mount ends.
 */

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "node_impl.h"
#include "util/auto.h"

static void
revive_mounts(struct stoqfs_nodes *t)
{
    const struct stoqfs_session *s = t->session;
    for (size_t i = 0; i < s->held_count; i++) {
        const struct stoqfs_held *h = &s->held[i];
        if (h->what != STOQFS_HOLD_MOUNT || h->number >= MOUNTS_MAX)
            continue;
        for (; t->mount_count <= h->number; t->mount_count++)
            t->mounts[t->mount_count] = (struct mount_point){.id = INT_MIN, .fd = -1};
        t->mounts[h->number] = (struct mount_point){
            .id = (int)h->id, .fd = fcntl(h->fd, F_DUPFD_CLOEXEC, 0)};
    }
}

static void
revive(struct stoqfs_nodes *t, uint32_t number)
{
    struct stoqfs_slot *s = &t->slots[number];
    if (s->generation == 0 || s->kind == 0) {
        s->generation = 0;
        s->kind = 0;
        return;
    }
    struct stoqfs_node *n = stoqfs_arena_revive(t, number);
    n->kind = s->kind;
    n->type = s->type;
    if (n->kind == STOQFS_REAL) {
        n->name = s->name[0] ? s->name : NULL;
        atomic_store(&n->dirty, atomic_load(&s->due) != 0);
        n->keeps_fd = s->handle_size == 0;
        stoqfs_hash_revive_locked(t, n);
    } else if (n->kind == STOQFS_DOT) {
        uint32_t *head = &t->dot[s->ino % STOQ_ARRAY_SIZE(t->dot)];
        n->what.virtual_id = s->ino;
        n->hash_next = *head;
        *head = number;
    }
}

/* Links to other nodes, once all are there. */
static void
relink(struct stoqfs_nodes *t, struct stoqfs_node *n)
{
    uint32_t limit = t->chunks_made * CHUNK_SLOTS;
    uint64_t to = n->kind == STOQFS_SIDECAR ? n->slot->ino : n->slot->parent;
    struct stoqfs_node *other = to < limit ? stoqfs_at(t, (uint32_t)to) : NULL;
    if (other && other->kind != STOQFS_REAL)
        other = NULL;
    if (n->kind == STOQFS_REAL && n->number != FUSE_ROOT_ID) {
        n->parent = other ? other->number : 0;
    } else if (n->kind == STOQFS_SIDECAR && other) {
        struct stoqfs_node *now = stoqfs_at(t, other->sidecar);
        n->parent = other->number;
        n->what.base = other;
        (void)atomic_fetch_add(&other->sidecars, 1);
        if (!now || now->slot->generation < n->slot->generation)
            other->sidecar = n->number;
    }
    if (other && n->parent)
        other->pins++;
}

static void
revive_held(struct stoqfs_nodes *t, const struct stoqfs_held *h)
{
    if (h->what != STOQFS_HOLD_NODE || h->number >= t->chunks_made * CHUNK_SLOTS)
        return;
    struct stoqfs_node *n = &t->nodes[h->number];
    if (n->kind == 0 || h->id != n->slot->generation)
        return;
    int fd = fcntl(h->fd, F_DUPFD_CLOEXEC, 0);
    n->orphan = n->keeps_fd = true;
    if (fd >= 0)
        (void)stoqfs_fd_store_locked(t, n, fd);
}

/* Call @p fn for each node. Chunks of which nothing is in memory are not touched. */
static void
each(struct stoqfs_nodes *t, void (*fn)(struct stoqfs_nodes *t, uint32_t number))
{
    const size_t bytes = CHUNK_SLOTS * sizeof(*t->slots);
    for (uint32_t c = 0; c < t->chunks_made; c++) {
        off_t from = (off_t)(c * bytes);
        off_t data = lseek(t->memfd, from, SEEK_DATA);
        if (data < 0 || data >= from + (off_t)bytes)
            continue;
        for (uint32_t i = c ? 0 : 1; i < CHUNK_SLOTS; i++)
            fn(t, c * CHUNK_SLOTS + i);
    }
}

static void
relink_one(struct stoqfs_nodes *t, uint32_t number)
{
    if (t->nodes[number].kind)
        relink(t, &t->nodes[number]);
}

/* Made, but not counted when the mirror died; or counted by what is gone. */
static void
drop_unknown(struct stoqfs_nodes *t, uint32_t number)
{
    struct stoqfs_node *n = &t->nodes[number];
    if (n->kind == STOQFS_SIDECAR && !n->what.base)
        n->slot->lookups = 0;
    if (n->kind == 0 || n->slot->lookups > 0 || n->pins > 0)
        return;
    if (n->kind != STOQFS_REAL || !atomic_load(&n->slot->due))
        stoqfs_node_drop(t, number, 0, 0);
}

int
stoqfs_nodes_restore(struct stoqfs_nodes *t, int source_fd)
{
    if (t->chunks_made == 0)
        return -ENOENT;
    revive_mounts(t);
    each(t, revive);
    struct stoqfs_node *root = &t->nodes[FUSE_ROOT_ID];
    if (root->kind == 0)
        return t->used == 0 ? -ENOENT : -EUCLEAN;
    int fd = fcntl(source_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    root->keeps_fd = true;
    (void)stoqfs_fd_store_locked(t, root, fd);
    each(t, relink_one);
    for (size_t i = 0; i < t->session->held_count; i++)
        revive_held(t, &t->session->held[i]);
    each(t, drop_unknown);
    return 0;
}

struct due {
    struct stoqfs_nodes *t;
    void (*fn)(void *arg, struct stoqfs_node *n);
    void *arg;
};

static void
is_due(void *arg, fuse_ino_t ino)
{
    const struct due *d = arg;
    (void)pthread_mutex_lock(&d->t->lock);
    struct stoqfs_node *n = &d->t->nodes[ino];
    bool due = n->kind == STOQFS_REAL && atomic_load(&n->slot->due);
    if (due)
        n->pins++;
    (void)pthread_mutex_unlock(&d->t->lock);
    if (!due)
        return;
    d->fn(d->arg, n);
    stoqfs_node_unpin(d->t, n);
}

void
stoqfs_nodes_due(struct stoqfs_nodes *t, void (*fn)(void *arg, struct stoqfs_node *n),
                 void *arg)
{
    struct due d = {.t = t, .fn = fn, .arg = arg};
    stoqfs_nodes_each(t, is_due, &d);
}

void
stoqfs_node_orphan(struct stoqfs_nodes *t, struct stoqfs_node *n, bool yes)
{
    int fd = -1;
    if (yes && stoqfs_node_fd(t, n, &fd) < 0)
        return;
    (void)pthread_mutex_lock(&t->lock);
    n->orphan = yes;
    n->keeps_fd = yes || n->slot->handle_size == 0;
    (void)pthread_mutex_unlock(&t->lock);
    if (yes)
        stoqfs_session_hold(t->session, STOQFS_HOLD_NODE, n->number,
                            n->slot->generation, fd);
    else
        stoqfs_session_drop(t->session, STOQFS_HOLD_NODE, n->number,
                            n->slot->generation);
    stoqfs_node_fd_put(t, n, fd);
}
