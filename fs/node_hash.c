/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The node table's hash of source files by (dev, ino), and the numbers shown for them.
 */

#include <string.h>

#include "node_impl.h"
#include "util/auto.h"

static uint64_t
mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static uint32_t *
bucket(const struct stoqfs_nodes *t, uint64_t dev, uint64_t ino)
{
    uint64_t h = mix(ino + mix(dev + UINT64_C(0x9e3779b97f4a7c15)));
    return &t->buckets[h & (t->bucket_count - 1U)];
}

/* Doubles the buckets; when there is no memory chains just get longer. Chains keep
 * their order, in which a newer node of a reused inode number comes first. */
static void
rehash_locked(struct stoqfs_nodes *t)
{
    uint32_t old_count = t->bucket_count;
    uint32_t *old = t->buckets;
    uint32_t *grown = calloc(old_count * (size_t)2, sizeof(*grown));
    if (!grown)
        return;
    t->buckets = grown;
    t->bucket_count = old_count * 2;
    for (uint32_t i = 0; i < old_count; i++) {
        uint32_t *tails[2] = {&grown[i], &grown[i + old_count]};
        uint32_t next = 0;
        for (uint32_t number = old[i]; number; number = next) {
            struct stoqfs_node *n = &t->nodes[number];
            const struct stoqfs_slot *s = &t->slots[number];
            next = n->hash_next;
            n->hash_next = 0;
            uint32_t **tail = &tails[bucket(t, s->dev, s->ino) != &grown[i]];
            **tail = number;
            *tail = &n->hash_next;
        }
    }
    free(old);
}

void
stoqfs_hash_add_locked(struct stoqfs_nodes *t, struct stoqfs_node *n)
{
    const struct stoqfs_slot *s = &t->slots[n->number];
    if (++t->hashed > t->bucket_count && t->bucket_count < t->capacity)
        rehash_locked(t);
    uint32_t *head = bucket(t, s->dev, s->ino);
    n->hash_next = *head;
    *head = n->number;
}

void
stoqfs_hash_revive_locked(struct stoqfs_nodes *t, struct stoqfs_node *n)
{
    const struct stoqfs_slot *s = &t->slots[n->number];
    if (++t->hashed > t->bucket_count && t->bucket_count < t->capacity)
        rehash_locked(t);
    uint32_t *link = bucket(t, s->dev, s->ino);
    while (*link && t->slots[*link].generation > s->generation)
        link = &t->nodes[*link].hash_next;
    n->hash_next = *link;
    *link = n->number;
}

void
stoqfs_chain_remove_locked(struct stoqfs_nodes *t, uint32_t *link,
                           const struct stoqfs_node *n)
{
    for (; *link; link = &t->nodes[*link].hash_next) {
        if (*link == n->number) {
            *link = n->hash_next;
            return;
        }
    }
}

static bool
is_file(const struct stoqfs_slot *s, const struct file_id *id)
{
    if (s->dev != id->st.st_dev || s->ino != id->st.st_ino)
        return false;
    /* without a handle the node's descriptor keeps the number from being reused */
    if (s->handle_size == 0 || id->handle_size == 0)
        return true;
    return s->handle_size == id->handle_size && s->handle_type == id->handle_type &&
           memcmp(s->handle, id->handle, id->handle_size) == 0;
}

struct stoqfs_node *
stoqfs_hash_find_locked(const struct stoqfs_nodes *t, const struct file_id *id)
{
    uint32_t number = *bucket(t, id->st.st_dev, id->st.st_ino);
    for (; number; number = t->nodes[number].hash_next) {
        /* an inode that was reused as something else is something else */
        if (is_file(&t->slots[number], id) &&
            t->nodes[number].type == (id->st.st_mode & S_IFMT))
            return &t->nodes[number];
    }
    return NULL;
}

struct stoqfs_node *
stoqfs_hash_newest_locked(const struct stoqfs_nodes *t, uint64_t dev, uint64_t ino)
{
    uint32_t number = *bucket(t, dev, ino);
    while (number && (t->slots[number].dev != dev || t->slots[number].ino != ino))
        number = t->nodes[number].hash_next;
    return stoqfs_at(t, number);
}

void
stoqfs_hash_remove_locked(struct stoqfs_nodes *t, const struct stoqfs_node *n)
{
    const struct stoqfs_slot *s = &t->slots[n->number];
    stoqfs_chain_remove_locked(t, bucket(t, s->dev, s->ino), n);
    t->hashed--;
}

uint32_t
stoqfs_dev_index_locked(struct stoqfs_nodes *t, uint64_t dev)
{
    struct stoqfs_shared *s = t->session->shared;
    for (uint32_t i = 0; i < s->dev_count; i++)
        if (s->devs[i] == dev)
            return i;
    if (s->dev_count < DEVS_MAX) {
        s->devs[s->dev_count] = dev;
        STOQFS_ORDER();
        return s->dev_count++;
    }
    return DEVS_MAX;
}

/* Device 0, that of SRC, shows numbers as they are; others have 14 bits above 48. What
 * does not fit is hashed, with bit 62 set, where nothing else is. */
uint64_t
stoqfs_node_shown_ino(struct stoqfs_nodes *t, uint64_t dev, uint64_t ino)
{
    (void)pthread_mutex_lock(&t->lock);
    uint64_t index = stoqfs_dev_index_locked(t, dev);
    (void)pthread_mutex_unlock(&t->lock);
    if (ino < UINT64_C(1) << 48 && index < DEVS_MAX)
        return index << 48 | ino;
    uint64_t low = (UINT64_C(1) << 62) - 1;
    return UINT64_C(1) << 62 | (mix(ino + mix(dev)) & low);
}
