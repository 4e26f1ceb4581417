/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keeping documents within limits.response_bytes. The usual document is far below it
 * and is only bounded, not written out; one above it loses its largest parts, biggest
 * first, each told in limits_hit. No lock.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/document.h"
#include "core/scan.h"
#include "util/auto.h"
#include "util/json.h"

/* Room for the entry in limits_hit that every dropped part costs. */
#define TOLD_BYTES 128
/* Errors and warnings kept when they alone are too much. */
#define LIST_KEPT 100

/* Most bytes the compact text of json can have. */
static uint64_t
// NOLINTNEXTLINE(misc-no-recursion): results were checked for depth at the border
bound(const json_t *json)
{
    uint64_t sum = 2;
    size_t i;
    const char *key;
    json_t *value;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        json_object_foreach ((json_t *)(uintptr_t)json, key, value) {
            sum += 6 * strlen(key) + 6 + bound(value);
        }
        return sum;
    case JSON_ARRAY:
        json_array_foreach (json, i, value) {
            sum += 2 + bound(value);
        }
        return sum;
    case JSON_STRING:
        return sum + 6 * json_string_length(json);
    case JSON_INTEGER:
    case JSON_REAL:
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
    default:
        return 32;
    }
}

/* Bytes of the compact text, or UINT64_MAX when it cannot be made. */
static uint64_t
measure(const json_t *json)
{
    STOQ_AUTOFREE char *text = stoq_json_dump(json, false);
    return text ? strlen(text) : UINT64_MAX;
}

/* A part that can be dropped: a worker's result, or all of a payload's extra_data. */
struct part {
    json_t *entry;
    const char *worker; /* NULL = extra_data; borrowed from entry */
    uint64_t size;
    size_t order;
};

struct parts {
    struct part *items;
    size_t count, room;
};

static int
largest_first(const void *a, const void *b)
{
    const struct part *x = a;
    const struct part *y = b;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static int
add_part(struct parts *parts, json_t *entry, const char *worker, const json_t *value)
{
    if (parts->count == parts->room) {
        size_t room = parts->room ? 2 * parts->room : 32;
        struct part *items = reallocarray(parts->items, room, sizeof(*items));
        if (!items)
            return -ENOMEM;
        parts->items = items;
        parts->room = room;
    }
    parts->items[parts->count] = (struct part){.entry = entry,
                                               .worker = worker,
                                               .size = measure(value),
                                               .order = parts->count};
    parts->count++;
    return 0;
}

static int
collect(const json_t *doc, struct parts *parts)
{
    size_t i;
    json_t *entry;
    json_array_foreach (json_object_get(doc, "results"), i, entry) {
        const char *worker;
        json_t *result;
        json_object_foreach (json_object_get(entry, "workers"), worker, result) {
            if (add_part(parts, entry, worker, result) < 0)
                return -ENOMEM;
        }
        const json_t *extra =
            json_object_get(json_object_get(entry, "payload_meta"), "extra_data");
        if (json_object_size(extra) > 0 && add_part(parts, entry, NULL, extra) < 0)
            return -ENOMEM;
    }
    if (parts->count > 1)
        qsort(parts->items, parts->count, sizeof(*parts->items), largest_first);
    return 0;
}

static int
drop(json_t *doc, const struct part *part, uint64_t limit)
{
    const char *id = stoq_json_string_of(part->entry, "payload_id");
    int rc =
        stoq_doc_limit(json_object_get(doc, "limits_hit"), "response_bytes", limit, id);
    if (part->worker)
        (void)json_object_del(json_object_get(part->entry, "workers"), part->worker);
    else
        (void)json_object_clear(json_object_get(
            json_object_get(part->entry, "payload_meta"), "extra_data"));
    return rc;
}

/* Cut a list of the document to its first entries. */
static void
cut(json_t *doc, const char *key)
{
    json_t *list = json_object_get(doc, key);
    while (json_array_size(list) > LIST_KEPT)
        (void)json_array_remove(list, json_array_size(list) - 1);
}

int
stoq_trim(json_t *doc, uint64_t limit)
{
    if (limit == 0 || bound(doc) <= limit)
        return 0;
    uint64_t size = measure(doc);
    if (size <= limit)
        return 0;
    struct parts parts = {0};
    int rc = collect(doc, &parts);
    size_t dropped = 0;
    for (; dropped < parts.count && size > limit && rc == 0; dropped++) {
        const struct part *part = &parts.items[dropped];
        rc = drop(doc, part, limit);
        size -= part->size < size ? part->size : size;
        size += TOLD_BYTES;
    }
    free(parts.items);
    if (rc < 0)
        return rc;
    if (size > limit) {
        cut(doc, "errors");
        cut(doc, "warnings");
        rc = stoq_doc_limit(json_object_get(doc, "limits_hit"), "response_bytes", limit,
                            NULL);
    }
    return rc < 0 ? rc : (int)dropped + 1;
}
