/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds the definitions: flat arrays, so that tens of thousands cost little, each
 * string once, and an order by first byte, so that few are compared with a payload.
 */

#include <errno.h>
#include <stdlib.h>

#include "parts.h"

/* More definitions, patterns or strings than this is no collection of them. */
#define ITEMS_MAX ((size_t)8 << 20)

/* Room for one more item in an array. */
static int
grow(void *array, size_t count, size_t *room, size_t item)
{
    void **pointer = array, *more = NULL;

    if (count < *room)
        return 0;
    if (count >= ITEMS_MAX)
        return -ENOMEM;
    size_t n = *room ? *room * 2 : 64;
    more = realloc(*pointer, n * item);
    if (!more)
        return -ENOMEM;
    *pointer = more;
    *room = n;
    return 0;
}

static size_t
slot_of(const struct defs *d, struct bytes text)
{
    uint64_t hash = 1469598103934665603U;

    for (size_t i = 0; i < text.size; i++)
        hash = (hash ^ text.data[i]) * 1099511628211U;
    size_t slot = (size_t)(hash >> 20) & (d->slot_count - 1);
    for (; d->slots[slot]; slot = (slot + 1) & (d->slot_count - 1)) {
        struct bytes other = d->texts[d->slots[slot] - 1];

        if (other.size == text.size && memcmp(other.data, text.data, text.size) == 0)
            break;
    }
    return slot;
}

static int
grow_slots(struct defs *d)
{
    size_t n = d->slot_count ? d->slot_count * 2 : 1024;
    uint32_t *slots = calloc(n, sizeof *slots);

    if (!slots)
        return -ENOMEM;
    free(d->slots);
    d->slots = slots;
    d->slot_count = n;
    for (size_t i = 0; i < d->text_count; i++)
        d->slots[slot_of(d, d->texts[i])] = (uint32_t)(i + 1);
    return 0;
}

int
defs_begin(struct defs *d, struct definition *def)
{
    *def = (struct definition){.pattern = d->pattern_count, .string = d->string_count};
    return grow(&d->list, d->count, &d->room, sizeof *d->list);
}

int
defs_pattern(struct defs *d, struct definition *def, uint32_t at, struct bytes bytes)
{
    if (bytes.size == 0)
        return 0;
    int r = grow(&d->patterns, d->pattern_count, &d->pattern_room, sizeof *d->patterns);
    if (r < 0)
        return r;
    d->patterns[d->pattern_count++] = (struct pattern){at, bytes};
    def->patterns++;
    return 0;
}

int
defs_string(struct defs *d, struct definition *def, struct bytes text)
{
    if (text.size == 0)
        return 0;
    int r = grow(&d->strings, d->string_count, &d->string_room, sizeof *d->strings);
    if (r == 0)
        r = grow(&d->texts, d->text_count, &d->text_room, sizeof *d->texts);
    if (r == 0 && d->text_count * 2 >= d->slot_count)
        r = grow_slots(d);
    if (r < 0)
        return r;
    size_t slot = slot_of(d, text);
    if (d->slots[slot] == 0) {
        d->texts[d->text_count++] = text;
        d->slots[slot] = (uint32_t)d->text_count;
    }
    d->strings[d->string_count++] = d->slots[slot] - 1;
    def->strings++;
    return 0;
}

int
defs_end(struct defs *d, struct definition *def)
{
    if (def->patterns > 0) {
        d->list[d->count++] = *def;
        return 0;
    }
    d->pattern_count = def->pattern;
    d->string_count = def->string;
    return 0;
}

static size_t
group_of(const struct defs *d, size_t i)
{
    const struct pattern *first = &d->patterns[d->list[i].pattern];

    return first->at == 0 ? first->bytes.data[0] + 1U : 0;
}

int
defs_order(struct defs *d)
{
    size_t next[258] = {0};

    d->order = calloc(d->count + 1, sizeof *d->order);
    if (!d->order)
        return -ENOMEM;
    for (size_t i = 0; i < d->count; i++)
        d->starts[group_of(d, i) + 1]++;
    for (size_t g = 1; g < 258; g++)
        d->starts[g] += d->starts[g - 1];
    memcpy(next, d->starts, sizeof next);
    for (size_t i = 0; i < d->count; i++)
        d->order[next[group_of(d, i)]++] = (uint32_t)i;
    return 0;
}

void
defs_fini(struct defs *d)
{
    for (size_t i = 0; i < d->file_count; i++)
        free(d->files[i]);
    free(d->files);
    free(d->list);
    free(d->patterns);
    free(d->strings);
    free(d->texts);
    free(d->slots);
    free(d->order);
    *d = (struct defs){0};
}
