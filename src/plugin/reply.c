/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one call hands back: the stoq_reply_* functions a plugin calls, and the reply's
 * life around them. A reply belongs to one call and thus to one thread. An allocation
 * failure is kept in `failed` and makes the call fail: nothing is dropped in silence.
 */

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/loader.h"
#include "plugin/scrub.h"

/* More soft errors than anybody reads; the rest is counted as a limit. */
#define ERRORS_MAX 1000U
#define HITS_MAX   64U

void
stoq_reply_init(struct stoq_reply *r, uint64_t room_bytes, uint64_t room_children)
{
    *r = (struct stoq_reply){.room_bytes = room_bytes, .room_children = room_children};
    r->tail = &r->children;
}

static void
child_free(struct stoq_child *child)
{
    free(child->data);
    free(child->filename);
    json_decref(child->extra_data);
    stoq_strv_fini(&child->dispatch_to);
    free(child);
}

static void
drop_children(struct stoq_reply *r)
{
    while (r->children) {
        struct stoq_child *child = r->children;
        r->children = child->next;
        child_free(child);
    }
    r->tail = &r->children;
    r->child_count = 0;
    r->extracted = 0;
}

void
stoq_reply_reject(struct stoq_reply *r)
{
    json_decref(r->results);
    json_decref(r->meta);
    r->results = r->meta = NULL;
    stoq_strv_fini(&r->dispatch);
    drop_children(r);
}

void
stoq_reply_fini(struct stoq_reply *r)
{
    stoq_reply_reject(r);
    stoq_strv_fini(&r->errors);
    free(r->hits);
    stoq_reply_init(r, 0, 0);
}

void
stoq_reply_results(struct stoq_reply *r, json_t *results)
{
    json_decref(r->results);
    r->results = results;
    r->failed = r->failed || !results;
}

void
stoq_reply_meta(struct stoq_reply *r, json_t *meta)
{
    json_decref(r->meta);
    r->meta = meta;
}

void
stoq_reply_error(struct stoq_reply *r, const char *fmt, ...)
{
    if (r->errors.count >= ERRORS_MAX) {
        stoq_reply_limit(r, "errors", ERRORS_MAX);
        return;
    }
    char text[STOQ_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n < 0)
        (void)snprintf(text, sizeof(text), "unreadable error text");
    stoq_scrub(text);
    if (stoq_strv_add(&r->errors, text) < 0)
        r->failed = true;
}

int
stoq_reply_dispatch(struct stoq_reply *r, const char *worker)
{
    if (!stoq_name_usable(worker))
        return -EINVAL;
    int n = stoq_strv_add_unique(&r->dispatch, worker);
    if (n < 0)
        r->failed = true;
    return n < 0 ? n : 0;
}

void
stoq_reply_limit(struct stoq_reply *r, const char *name, uint64_t value)
{
    char own[sizeof(r->hits->name)];
    (void)snprintf(own, sizeof(own), "%s", name && name[0] ? name : "unnamed");
    stoq_scrub(own);
    for (size_t i = 0; i < r->hit_count; i++) {
        if (strcmp(r->hits[i].name, own) == 0) {
            if (value > r->hits[i].value)
                r->hits[i].value = value;
            return;
        }
    }
    if (r->hit_count >= HITS_MAX)
        return; /* partial already, for many reasons */
    struct stoq_limit_hit *hits = realloc(r->hits, (r->hit_count + 1) * sizeof(*hits));
    if (!hits) {
        r->failed = true;
        return;
    }
    r->hits = hits;
    memcpy(hits[r->hit_count].name, own, sizeof(own));
    hits[r->hit_count++].value = value;
}

uint64_t
stoq_reply_room(const struct stoq_reply *r)
{
    return r->room_bytes;
}

/* ---------------------------------------------------------------------- children */

static int
set_filename(struct stoq_child *child, const char *filename)
{
    child->filename = strdup(filename);
    if (!child->filename)
        return -ENOMEM;
    if (json_object_get(child->extra_data, "filename"))
        return 0;
    return stoq_json_set_text(child->extra_data, "filename", filename,
                              strlen(filename));
}

/* @extra_data is taken. */
static int
child_new(const struct stoq_extract *from, json_t *extra_data, struct stoq_child **out)
{
    struct stoq_child *child = calloc(1, sizeof(*child));
    if (!child) {
        json_decref(extra_data);
        return -ENOMEM;
    }
    child->extra_data = extra_data;
    child->no_scan = from->no_scan;
    child->no_archive = from->no_archive;
    child->size = from->size;
    child->data = malloc(from->size ? from->size : 1);
    int r = child->data ? 0 : -ENOMEM;
    if (r == 0 && from->size)
        memcpy(child->data, from->data, from->size);
    if (r == 0 && from->filename)
        r = set_filename(child, from->filename);
    for (const char *const *to = from->dispatch_to; r == 0 && to && *to; to++)
        r = stoq_name_usable(*to) ? stoq_strv_add(&child->dispatch_to, *to) : -EINVAL;
    if (r < 0) {
        child_free(child);
        return r;
    }
    *out = child;
    return 0;
}

/* The child as this library knows it; what an older plugin does not have is zero. */
static int
extract_copy(const struct stoq_extract *child, struct stoq_extract *own)
{
    *own = (struct stoq_extract){0};
    size_t size = child->struct_size;
    if (size < offsetof(struct stoq_extract, extra_data))
        return -EINVAL;
    memcpy(own, child, size < sizeof(*own) ? size : sizeof(*own));
    return own->size && !own->data ? -EINVAL : 0;
}

/* -E2BIG, with the limit on record, when @size bytes more do not fit. */
static int
check_room(struct stoq_reply *r, uint64_t size)
{
    if (r->room_children == 0) {
        stoq_reply_limit(r, "children", (uint64_t)r->child_count + 1);
        return -E2BIG;
    }
    if (size > r->room_bytes) {
        uint64_t reached;
        if (__builtin_add_overflow(r->extracted, size, &reached))
            reached = UINT64_MAX;
        stoq_reply_limit(r, "extracted_bytes", reached);
        return -E2BIG;
    }
    return 0;
}

int
stoq_reply_extract(struct stoq_reply *r, const struct stoq_extract *child)
{
    struct stoq_extract own;
    int n = extract_copy(child, &own);
    if (n == 0)
        n = check_room(r, own.size);
    if (n < 0) {
        json_decref(own.extra_data);
        return n;
    }
    json_t *extra = own.extra_data ? own.extra_data : json_object();
    if (!json_is_object(extra)) {
        json_decref(extra);
        r->failed = r->failed || !extra;
        return extra ? -EINVAL : -ENOMEM;
    }
    struct stoq_child *made = NULL;
    n = child_new(&own, extra, &made);
    if (n < 0) {
        r->failed = r->failed || n == -ENOMEM;
        return n;
    }
    *r->tail = made;
    r->tail = &made->next;
    r->child_count++;
    r->extracted += own.size;
    r->room_bytes -= own.size;
    r->room_children--;
    return 0;
}
