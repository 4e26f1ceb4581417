/* SPDX-License-Identifier: Apache-2.0 */

/* See plugins_sinks.h. */

#include "plugins_sinks.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"
#include "util/auto.h"

static json_t *
matches(const char *const *rules)
{
    json_t *list = json_array();
    for (; rules && *rules; rules++)
        ck_assert_int_eq(
            json_array_append_new(list, json_pack("{s:s}", "rule", *rules)), 0);
    return list;
}

static json_t *
workers(const struct sink_document *d)
{
    json_t *all = json_object();
    if (d->sha256)
        (void)json_object_set_new(all, "hash", json_pack("{s:s}", "sha256", d->sha256));
    if (d->rules)
        (void)json_object_set_new(all, "yara",
                                  json_pack("{s:o}", "matches", matches(d->rules)));
    return all;
}

/* A string that may have escapes of JSON in it. */
static json_t *
decoded(const char *text)
{
    STOQ_AUTOFREE char *json = NULL;
    ck_assert_int_gt(asprintf(&json, "\"%s\"", text), 0);
    return json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

static json_t *
extra_data(const struct sink_document *d)
{
    json_t *extra = json_object();
    if (d->filename)
        (void)json_object_set_new(extra, "filename", json_string(d->filename));
    if (d->extra)
        (void)json_object_set_new(extra, "extra", decoded(d->extra));
    if (d->padding) {
        STOQ_AUTOFREE char *text = malloc(d->padding);
        ck_assert_ptr_nonnull(text);
        memset(text, 'p', d->padding);
        (void)json_object_set_new(extra, "padding", json_stringn(text, d->padding));
    }
    return extra;
}

struct stoq_response *
sink_response(const struct sink_document *d)
{
    json_auto_t *entry = json_pack(
        "{s:i, s:s, s:{s:b, s:b, s:o, s:[]}, s:{s:[], s:[]}, s:[], s:[], s:o, s:{}, "
        "s:{}}",
        "size", 5, "payload_id", "aaaaaaaa-2222-4333-8444-555555555555", "payload_meta",
        "should_archive", 1, "should_scan", 1, "extra_data", extra_data(d),
        "dispatch_to", "plugins_run", "workers", "archivers", "extracted_from",
        "extracted_by", "workers", workers(d), "archivers", "duration_ms");
    ck_assert_ptr_nonnull(entry);
    json_auto_t *doc = json_pack(
        "{s:[O], s:{s:b, s:n, s:{}}, s:[], s:s, s:{}, s:s, s:i, s:s, s:[], s:[], s:[]}",
        "results", entry, "request_meta", "archive_payloads", 1, "source", "extra_data",
        "errors", "time", SINK_TIME, "decorators", "scan_id",
        d->scan_id ? d->scan_id : SINK_ID, "schema_version", 1, "verdict",
        d->verdict ? d->verdict : "clean", "limits_hit", "flagged_by", "warnings");
    ck_assert_ptr_nonnull(doc);
    STOQ_AUTOFREE char *text = json_dumps(doc, 0);
    struct stoq_response *response = NULL;
    struct stoq_error err = {0};
    int r = stoq_response_parse(text, strlen(text), &response, &err);
    ck_assert_msg(r == 0, "%s", err.message);
    return response;
}

int
sink_save(struct stoq_loaded *p, const struct sink_document *d, struct stoq_error *err)
{
    struct stoq_response *response = sink_response(d);
    int r = stoq_call_save(p, response, err);
    stoq_response_free(response);
    return r;
}

void
sink_saved(struct stoq_loaded *p, const struct sink_document *d)
{
    struct stoq_error err = {0};
    int r = sink_save(p, d, &err);
    ck_assert_msg(r == 0, "%s", err.message);
}

const char *
sink_option(const char *key, const char *value)
{
    static char texts[8][600];
    static unsigned next;
    char *text = texts[next++ % 8];
    (void)snprintf(text, sizeof texts[0], "%s=%s", key, value);
    return text;
}
