/* SPDX-License-Identifier: Apache-2.0 */

/* Pieces of the response document; see document.h. No lock. */

#include "core/document.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <stoq/plugin.h>

#include "core/core.h"
#include "util/auto.h"
#include "util/clock.h"
#include "util/json.h"

#define LIST_MAX 1000
/* Readers of the document may count on 18 digits and no more. */
#define NUMBER_MAX UINT64_C(999999999999999999)

/* An object under construction. The first failure makes all of it fail. */
struct builder {
    json_t *object;
    bool failed;
};

/* Append a key; value is taken also when there is no object. */
static void
put(struct builder *b, const char *key, json_t *value)
{
    b->failed |= json_object_set_new_nocheck(b->object, key, value) < 0;
}

/* The object, or NULL when anything failed. */
static json_t *
finish(struct builder *b)
{
    if (b->failed) {
        json_decref(b->object);
        return NULL;
    }
    return b->object;
}

static json_t *
text(const char *s)
{
    return s ? stoq_json_text(s, strlen(s), NULL) : json_null();
}

static json_t *
names(const struct stoq_strv *v)
{
    json_t *list = json_array();
    for (size_t i = 0; list && v && i < v->count; i++)
        if (json_array_append_new(list, text(v->items[i])) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *
payload_meta(const struct stoq_doc_entry *e)
{
    struct builder b = {.object = json_object()};
    put(&b, "should_archive", json_boolean(!e->no_archive));
    put(&b, "should_scan", json_boolean(!e->no_scan));
    put(&b, "extra_data", e->extra ? e->extra : json_object());
    put(&b, "dispatch_to", names(e->dispatch_to));
    return finish(&b);
}

static json_t *
plugins_run(void)
{
    struct builder b = {.object = json_object()};
    put(&b, "workers", json_array());
    put(&b, "archivers", json_array());
    return finish(&b);
}

json_t *
stoq_doc_entry(const struct stoq_doc_entry *e)
{
    struct builder b = {.object = json_object()};
    put(&b, "size", json_integer((json_int_t)e->size));
    put(&b, "payload_id", json_string_nocheck(e->id));
    put(&b, "payload_meta", payload_meta(e));
    put(&b, "plugins_run", plugins_run());
    put(&b, "extracted_from", json_array());
    put(&b, "extracted_by", json_array());
    put(&b, "workers", json_object());
    put(&b, "archivers", json_object());
    put(&b, "duration_ms", json_object());
    return finish(&b);
}

json_t *
stoq_doc_extra(const struct stoq_payload_meta *meta)
{
    json_t *extra = json_object();
    if (!extra || !meta)
        return extra;
    int rc = 0;
    if (meta->filename &&
        !(meta->extra_data && json_object_get(meta->extra_data, "filename")))
        rc = stoq_json_set_text(extra, "filename", meta->filename,
                                strlen(meta->filename));
    json_auto_t *copy = meta->extra_data ? json_deep_copy(meta->extra_data) : NULL;
    if (meta->extra_data && (!copy || json_object_update(extra, copy) < 0))
        rc = -ENOMEM;
    if (rc < 0) {
        json_decref(extra);
        return NULL;
    }
    return extra;
}

json_t *
stoq_doc_request_meta(bool archive, const char *source, const json_t *extra)
{
    struct builder b = {.object = json_object()};
    put(&b, "archive_payloads", json_boolean(archive));
    put(&b, "source", text(source));
    put(&b, "extra_data", extra ? json_deep_copy(extra) : json_object());
    return finish(&b);
}

static char *STOQ_PRINTF(1, 0) format(const char *fmt, va_list args)
{
    char *out = NULL;
    return vasprintf(&out, fmt, args) < 0 ? NULL : out;
}

int
stoq_doc_error(json_t *errors, const char *plugin, const char *payload_id,
               const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    STOQ_AUTOFREE char *message = format(fmt, args);
    va_end(args);
    struct builder b = {.object = json_object()};
    put(&b, "error", message ? text(message) : NULL);
    put(&b, "plugin_name", text(plugin));
    put(&b, "payload_id", text(payload_id));
    return json_array_append_new(errors, finish(&b)) < 0 ? -ENOMEM : 0;
}

int
stoq_doc_limit(json_t *hits, const char *name, uint64_t value, const char *payload_id)
{
    struct builder b = {.object = json_object()};
    put(&b, "name", text(name));
    put(&b, "value",
        json_integer((json_int_t)(value < NUMBER_MAX ? value : NUMBER_MAX)));
    put(&b, "payload_id", text(payload_id));
    json_auto_t *hit = finish(&b);
    if (!hit)
        return -ENOMEM;
    bool known = json_array_size(hits) >= LIST_MAX;
    size_t i;
    json_t *other;
    json_array_foreach (hits, i, other) {
        if (known)
            break;
        known =
            json_equal(json_object_get(other, "name"), json_object_get(hit, "name")) &&
            json_equal(json_object_get(other, "payload_id"),
                       json_object_get(hit, "payload_id"));
    }
    return !known && json_array_append(hits, hit) < 0 ? -ENOMEM : 0;
}

int
stoq_doc_warning(json_t *warnings, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    STOQ_AUTOFREE char *message = format(fmt, args);
    va_end(args);
    json_auto_t *value = message ? text(message) : NULL;
    if (!value)
        return -ENOMEM;
    if (json_array_size(warnings) >= LIST_MAX)
        return 0;
    size_t i;
    json_t *other;
    json_array_foreach (warnings, i, other) {
        if (json_equal(other, value))
            return 0;
    }
    return json_array_append(warnings, value) < 0 ? -ENOMEM : 0;
}

json_t *
stoq_doc_ms(uint64_t ns)
{
    return json_real((double)((ns + 500) / 1000) / 1000.0);
}

static json_t *
engine(const char *id)
{
    struct builder b = {.object = json_object()};
    put(&b, "id", text(id));
    put(&b, "version", text(stoq_version()));
    return finish(&b);
}

static json_t *
or_empty(json_t *array)
{
    return array ? array : json_array();
}

json_t *
stoq_doc_new(struct stoq_doc *d)
{
    char now[STOQ_TIME_SIZE];
    stoq_time_format(stoq_real_ns(), now);
    struct builder b = {.object = json_object()};
    put(&b, "results", d->results);
    put(&b, "request_meta", d->request_meta);
    put(&b, "errors", d->errors);
    put(&b, "time", text(now));
    put(&b, "decorators", json_object());
    put(&b, "scan_id", text(d->scan_id));
    put(&b, "schema_version", json_integer(STOQ_SCHEMA_VERSION));
    put(&b, "verdict", text(stoq_verdict_name(d->verdict)));
    put(&b, "limits_hit", or_empty(d->hits));
    put(&b, "flagged_by", or_empty(d->flagged));
    put(&b, "warnings", or_empty(d->warnings));
    put(&b, "engine", engine(d->engine_id));
    put(&b, "duration_ms", stoq_doc_ms(d->duration_ns));
    return finish(&b);
}
