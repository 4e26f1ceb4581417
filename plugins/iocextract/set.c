/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of byte strings in the order they came: a table of slots over numbered entries,
 * whose bytes lie one after the other. Hashes run from the last byte to the first, so
 * that all ends of a string are looked up in one pass over it.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parts.h"

#define HASH_START  2166136261U
#define FIRST_SLOTS 64U

static uint32_t
hash_more(uint32_t hash, unsigned char c)
{
    return (hash ^ c) * 16777619U;
}

static uint32_t
hash_of(const unsigned char *data, size_t size)
{
    uint32_t hash = HASH_START;

    while (size > 0)
        hash = hash_more(hash, data[--size]);
    return hash;
}

/* The slot of the string: that of its entry, or the free one where it would go. */
static uint32_t
find_slot(const struct set *s, uint32_t hash, const void *data, size_t size)
{
    uint32_t slot = (hash ^ hash >> 15) & s->mask;

    for (; s->slots[slot]; slot = (slot + 1) & s->mask) {
        const struct set_entry *e = &s->entries[s->slots[slot] - 1];

        if (e->hash == hash && e->size == size &&
            (size == 0 || memcmp(s->bytes + e->at, data, size) == 0))
            break;
    }
    return slot;
}

/* Twice the slots, at least half of them free. */
static int
grow_slots(struct set *s)
{
    uint32_t n = s->slots ? (s->mask + 1) * 2 : FIRST_SLOTS;
    uint32_t *slots = n ? calloc(n, sizeof *slots) : NULL;

    if (!slots)
        return -ENOMEM;
    free(s->slots);
    s->slots = slots;
    s->mask = n - 1;
    for (uint32_t i = 0; i < s->count; i++) {
        uint32_t slot = (s->entries[i].hash ^ s->entries[i].hash >> 15) & s->mask;

        while (slots[slot])
            slot = (slot + 1) & s->mask;
        slots[slot] = i + 1;
    }
    return 0;
}

static int
reserve(struct set *s, size_t size)
{
    if (s->room - s->used < size) {
        size_t room = (s->room + size) * 2;
        unsigned char *bytes = realloc(s->bytes, room);

        if (!bytes)
            return -ENOMEM;
        s->bytes = bytes;
        s->room = room;
    }
    if (s->count == s->entry_room) {
        uint32_t room = s->entry_room ? s->entry_room * 2 : FIRST_SLOTS / 2;
        struct set_entry *entries = realloc(s->entries, room * sizeof *entries);

        if (!entries)
            return -ENOMEM;
        s->entries = entries;
        s->entry_room = room;
    }
    return (uint64_t)s->count * 2 >= (s->slots ? s->mask + 1U : 0U) ? grow_slots(s) : 0;
}

int
set_add(struct set *s, const void *data, size_t size)
{
    uint32_t hash = hash_of(data, size);

    if (size > UINT32_MAX || s->used > SIZE_MAX / 4 - size ||
        s->count >= UINT32_MAX / 8)
        return -E2BIG;
    if (s->slots && s->slots[find_slot(s, hash, data, size)])
        return 0;
    int r = reserve(s, size);
    if (r < 0)
        return r;
    if (size > 0)
        memcpy(s->bytes + s->used, data, size);
    s->entries[s->count] = (struct set_entry){s->used, (uint32_t)size, hash};
    s->used += size;
    s->slots[find_slot(s, hash, data, size)] = ++s->count;
    return 1;
}

int64_t
set_find(const struct set *s, const void *data, size_t size)
{
    if (!s->slots)
        return -1;
    return (int64_t)s->slots[find_slot(s, hash_of(data, size), data, size)] - 1;
}

bool
set_has_end(const struct set *s, size_t longest, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    uint32_t hash = HASH_START;

    for (size_t n = 1; s->slots && n <= size && n <= longest; n++) {
        hash = hash_more(hash, bytes[size - n]);
        if (s->slots[find_slot(s, hash, bytes + size - n, n)])
            return true;
    }
    return false;
}

void
set_fini(struct set *s)
{
    free(s->bytes);
    free(s->entries);
    free(s->slots);
    *s = (struct set){0};
}
