/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The arena of node.h: two arrays of the same index, one in a memfd that another
 * process can map, one private. Address space is reserved once, so that pointers stay;
 * memory is used by chunks of slots, lowest first, and given back when a chunk is
 * empty.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "node_impl.h"
#include "util/auto.h"

#define RESERVE_MOST  (UINT32_C(1) << 26)
#define RESERVE_LEAST (UINT32_C(1) << 16)

static bool
reserve(struct stoqfs_nodes *t, uint32_t slots)
{
    size_t shared = (size_t)slots * sizeof(*t->slots);
    size_t private = (size_t)slots * sizeof(*t->nodes);
    void *a = mmap(NULL, shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                   t->memfd, 0);
    if (a == MAP_FAILED)
        return false;
    void *b = mmap(NULL, private, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (b == MAP_FAILED) {
        (void)munmap(a, shared);
        return false;
    }
    t->slots = a;
    t->nodes = b;
    t->capacity = slots;
    return true;
}

int
stoqfs_arena_init(struct stoqfs_nodes *t)
{
    struct stat st;
    t->memfd = t->session->nodes_fd;
    if (fstat(t->memfd, &st) < 0)
        return -errno;
    /* strict overcommit or an address space limit: less is enough for most */
    uint32_t slots = RESERVE_MOST;
    while (!reserve(t, slots)) {
        slots /= 2;
        if (slots < RESERVE_LEAST)
            return -ENOMEM;
    }
    t->chunks = calloc(slots / CHUNK_SLOTS, sizeof(*t->chunks));
    if (!t->chunks)
        return -ENOMEM;
    t->chunks[0].bits[0] = 1; /* 0 is no number, 1 is FUSE_ROOT_ID */
    t->chunks[0].used = 1;
    t->chunks_made = (uint32_t)((size_t)st.st_size / sizeof(*t->slots) / CHUNK_SLOTS);
    return 0;
}

void
stoqfs_arena_fini(struct stoqfs_nodes *t)
{
    if (t->slots)
        (void)munmap(t->slots, (size_t)t->capacity * sizeof(*t->slots));
    if (t->nodes)
        (void)munmap(t->nodes, (size_t)t->capacity * sizeof(*t->nodes));
    free(t->chunks);
}

static int
grow_locked(struct stoqfs_nodes *t)
{
    if (t->chunks_made == t->capacity / CHUNK_SLOTS)
        return -ENFILE;
    size_t bytes = CHUNK_SLOTS * sizeof(*t->slots);
    if (ftruncate(t->memfd, (off_t)((t->chunks_made + 1U) * bytes)) < 0)
        return -errno;
    t->chunks_made++;
    return 0;
}

static uint32_t
find_free(struct chunk *c)
{
    for (uint32_t word = 0; word < CHUNK_SLOTS / 64; word++) {
        if (c->bits[word] != UINT64_MAX) {
            uint32_t bit = (uint32_t)__builtin_ctzll(~c->bits[word]);
            c->bits[word] |= UINT64_C(1) << bit;
            c->used++;
            return word * 64 + bit;
        }
    }
    return 0; /* not reached: used < CHUNK_SLOTS */
}

struct stoqfs_node *
stoqfs_arena_take_locked(struct stoqfs_nodes *t)
{
    while (t->hint < t->chunks_made && t->chunks[t->hint].used == CHUNK_SLOTS)
        t->hint++;
    if (t->hint == t->chunks_made && grow_locked(t) < 0)
        return NULL;
    uint32_t number = t->hint * CHUNK_SLOTS + find_free(&t->chunks[t->hint]);
    struct stoqfs_node *n = &t->nodes[number];
    memset(&t->slots[number], 0, sizeof(t->slots[number]));
    memset(n, 0, sizeof(*n));
    n->number = number;
    n->slot = &t->slots[number];
    n->fd = -1;
    t->slots[number].generation = ++t->session->shared->generation;
    t->used++;
    return n;
}

struct stoqfs_node *
stoqfs_arena_revive(struct stoqfs_nodes *t, uint32_t number)
{
    struct chunk *c = &t->chunks[number / CHUNK_SLOTS];
    struct stoqfs_node *n = &t->nodes[number];
    c->bits[number % CHUNK_SLOTS / 64] |= UINT64_C(1) << number % 64;
    c->used++;
    t->used++;
    memset(n, 0, sizeof(*n));
    n->number = number;
    n->slot = &t->slots[number];
    n->fd = -1;
    return n;
}

/* The numbers in use of one chunk. @return how many. */
static size_t
chunk_numbers(struct stoqfs_nodes *t, uint32_t index, uint32_t *numbers)
{
    size_t count = 0;
    (void)pthread_mutex_lock(&t->lock);
    for (uint32_t i = 0; index < t->chunks_made && i < CHUNK_SLOTS; i++)
        if (t->nodes[index * CHUNK_SLOTS + i].kind)
            numbers[count++] = index * CHUNK_SLOTS + i;
    (void)pthread_mutex_unlock(&t->lock);
    return count;
}

void
stoqfs_nodes_each(struct stoqfs_nodes *t, void (*fn)(void *arg, fuse_ino_t ino),
                  void *arg)
{
    uint32_t chunks = t->capacity / CHUNK_SLOTS;
    uint32_t numbers[CHUNK_SLOTS];
    for (uint32_t index = 0; index < chunks; index++) {
        size_t count = chunk_numbers(t, index, numbers);
        for (size_t i = 0; i < count; i++)
            fn(arg, numbers[i]);
    }
}

/* Best effort: what stays is used again. */
static void
give_back_chunk(struct stoqfs_nodes *t, uint32_t index)
{
    size_t first = (size_t)index * CHUNK_SLOTS;
    (void)madvise(&t->slots[first], CHUNK_SLOTS * sizeof(*t->slots), MADV_REMOVE);
    (void)madvise(&t->nodes[first], CHUNK_SLOTS * sizeof(*t->nodes), MADV_DONTNEED);
}

void
stoqfs_arena_give_locked(struct stoqfs_nodes *t, struct stoqfs_node *n)
{
    uint32_t number = n->number;
    uint32_t index = number / CHUNK_SLOTS;
    struct chunk *c = &t->chunks[index];
    t->slots[number].kind = 0;
    t->slots[number].generation = 0;
    n->kind = 0;
    c->bits[number % CHUNK_SLOTS / 64] &= ~(UINT64_C(1) << number % 64);
    c->used--;
    t->used--;
    if (index < t->hint)
        t->hint = index;
    /* keep one chunk, lest a node coming and going costs a page fault each time */
    if (c->used == 0 && t->used > 0)
        give_back_chunk(t, index);
}
