/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table of pairs and how often they were seen. See pe_counts.h. Open addressing
 * with room to spare. Whoever makes all pairs collide gets PE_COUNTS_MAX probes for
 * each.
 */

#include "common/pe_counts.h"

#include <errno.h>
#include <stdlib.h>

/* A power of two, about twice PE_COUNTS_MAX. */
#define SLOTS 16384U

/* FNV-1a over the name, mixed with the number. */
static size_t
slot_of(uint64_t number, struct bytes name)
{
    uint64_t h = 14695981039346656037U;
    for (size_t i = 0; i < name.size; i++)
        h = (h ^ name.data[i]) * 1099511628211U;
    h = (h ^ number) * 0x9e3779b97f4a7c15U;
    return (size_t)(h >> 40) % SLOTS;
}

int
pe_counts_add(struct pe_counts *counts, uint64_t number, struct bytes name)
{
    if (!counts->slots)
        counts->slots = calloc(SLOTS, sizeof(*counts->slots));
    if (!counts->slots)
        return -ENOMEM;
    size_t at = slot_of(number, name);
    for (; counts->slots[at].seen && counts->slots[at].turn == counts->turn;
         at = (at + 1) % SLOTS) {
        struct pe_count *c = &counts->slots[at];
        if (c->number == number && c->name.size == name.size &&
            (name.size == 0 || memcmp(c->name.data, name.data, name.size) == 0))
            return (int)++c->seen;
    }
    if (counts->used >= PE_COUNTS_MAX)
        return 0;
    counts->used++;
    counts->slots[at] = (struct pe_count){number, name, 1, counts->turn};
    return 1;
}

void
pe_counts_clear(struct pe_counts *counts)
{
    counts->used = 0;
    counts->turn++;
}

void
pe_counts_free(struct pe_counts *counts)
{
    free(counts->slots);
    *counts = (struct pe_counts){0};
}
