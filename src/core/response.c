/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Responses: a document and the few facts kept beside it. Documents that come from
 * another process are checked here, once, so that the rest may rely on their shape.
 * No lock.
 */

#include "core/response.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/document.h"
#include "core/engine.h"
#include "util/auto.h"
#include "util/json.h"

STOQ_DEFINE_AUTO(stoq_response)

void
stoq_response_free(struct stoq_response *response)
{
    if (!response)
        return;
    json_decref(response->doc);
    free(response);
}

const json_t *
stoq_response_document(const struct stoq_response *r)
{
    return r->doc;
}

const char *
stoq_response_scan_id(const struct stoq_response *r)
{
    return r->scan_id;
}

enum stoq_verdict
stoq_response_verdict(const struct stoq_response *response)
{
    return response->verdict;
}

bool
stoq_response_reusable(const struct stoq_response *response)
{
    return response->reusable;
}

const uint8_t *
stoq_response_sha256(const struct stoq_response *response)
{
    return response->has_sha256 ? response->sha256 : NULL;
}

char *
stoq_response_text(const struct stoq_response *response, bool pretty)
{
    return stoq_json_dump(response->doc, pretty);
}

int
stoq_response_set_verdict(struct stoq_response *r, enum stoq_verdict verdict)
{
    r->verdict = verdict;
    return json_object_set_new(r->doc, "verdict",
                               json_string(stoq_verdict_name(verdict))) < 0
               ? -ENOMEM
               : 0;
}

/* ------------------------------------------------------- shape of a document */

enum shape { ARRAY, OBJECT, STRING, STRINGS, INTEGER, BOOLEAN };

struct rule {
    const char *key;
    enum shape shape;
};

static bool
all_strings(const json_t *array)
{
    size_t i;
    json_t *item;
    json_array_foreach (array, i, item) {
        if (!json_is_string(item))
            return false;
    }
    return json_is_array(array);
}

static bool
has_shape(const json_t *value, enum shape shape)
{
    switch (shape) {
    case ARRAY:
        return json_is_array(value);
    case OBJECT:
        return json_is_object(value);
    case STRING:
        return json_is_string(value);
    case STRINGS:
        return all_strings(value);
    case INTEGER:
        return json_is_integer(value) && json_integer_value(value) >= 0;
    case BOOLEAN:
        return json_is_boolean(value);
    }
    return false;
}

static int
check_rules(const json_t *object, const struct rule *rules, size_t n,
            struct stoq_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (!has_shape(json_object_get(object, rules[i].key), rules[i].shape))
            return stoq_error_set(err, STOQ_ERROR_FORMAT, -EINVAL,
                                  "not a response: bad or missing \"%s\"",
                                  rules[i].key);
    return 0;
}

static int
check_entry(const json_t *entry, struct stoq_error *err)
{
    static const struct rule top[] = {
        {"size", INTEGER},       {"payload_id", STRING},      {"payload_meta", OBJECT},
        {"plugins_run", OBJECT}, {"extracted_from", STRINGS}, {"extracted_by", STRINGS},
        {"workers", OBJECT},     {"archivers", OBJECT},       {"duration_ms", OBJECT},
    };
    static const struct rule meta[] = {
        {"should_archive", BOOLEAN},
        {"should_scan", BOOLEAN},
        {"extra_data", OBJECT},
        {"dispatch_to", STRINGS},
    };
    static const struct rule run[] = {{"workers", STRINGS}, {"archivers", STRINGS}};
    int rc = check_rules(entry, top, STOQ_ARRAY_SIZE(top), err);
    if (rc == 0)
        rc = check_rules(json_object_get(entry, "payload_meta"), meta,
                         STOQ_ARRAY_SIZE(meta), err);
    if (rc == 0)
        rc = check_rules(json_object_get(entry, "plugins_run"), run,
                         STOQ_ARRAY_SIZE(run), err);
    return rc;
}

static int
check_document(const json_t *doc, struct stoq_error *err)
{
    static const struct rule top[] = {
        {"results", ARRAY},  {"request_meta", OBJECT}, {"errors", ARRAY},
        {"time", STRING},    {"decorators", OBJECT},   {"scan_id", STRING},
        {"verdict", STRING}, {"limits_hit", ARRAY},    {"flagged_by", ARRAY},
        {"warnings", ARRAY},
    };
    int rc = check_rules(doc, top, STOQ_ARRAY_SIZE(top), err);
    size_t i;
    json_t *entry;
    json_array_foreach (json_object_get(doc, "results"), i, entry) {
        if (rc < 0)
            break;
        rc = check_entry(entry, err);
    }
    return rc;
}

int
stoq_response_make(json_t *doc, struct stoq_response **out, struct stoq_error *err)
{
    STOQ_AUTO(stoq_response) r = calloc(1, sizeof(*r));
    if (!r || !doc) {
        json_decref(doc);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    r->doc = doc;
    int rc = check_document(doc, err);
    if (rc < 0)
        return rc;
    const char *id = stoq_json_string_of(doc, "scan_id");
    if (!id || strlen(id) != sizeof(r->scan_id) - 1)
        return stoq_error_set(err, STOQ_ERROR_FORMAT, -EINVAL,
                              "not a response: scan_id is no UUID");
    memcpy(r->scan_id, id, sizeof(r->scan_id));
    if (stoq_verdict_parse(stoq_json_string_of(doc, "verdict"), &r->verdict) < 0)
        return stoq_error_set(err, STOQ_ERROR_FORMAT, -EINVAL,
                              "not a response: unknown verdict");
    *out = STOQ_STEAL(&r);
    return 0;
}

int
stoq_response_parse(const char *text, size_t size, struct stoq_response **out,
                    struct stoq_error *err)
{
    json_t *doc = stoq_json_parse(text, size, err);
    if (!doc)
        return err && err->code ? err->code : -EINVAL;
    return stoq_response_make(doc, out, err);
}

/* ----------------------------------------- documents that no scan has made */

int
stoq_response_failed(const struct stoq_payload_meta *meta, uint64_t size,
                     enum stoq_verdict verdict, const char *engine_id, const char *text,
                     struct stoq_response **out, struct stoq_error *err)
{
    char payload_id[STOQ_UUID_SIZE];
    char scan_id[STOQ_UUID_SIZE];
    stoq_uuid(payload_id);
    stoq_uuid(scan_id);
    struct stoq_doc_entry e = {.id = payload_id, .size = size};
    e.no_scan = meta && meta->no_scan;
    e.no_archive = meta && meta->no_archive;
    e.extra = stoq_doc_extra(meta);
    json_t *results = json_array();
    json_t *errors = json_array();
    int rc = e.extra ? json_array_append_new(results, stoq_doc_entry(&e)) : -1;
    if (rc == 0 && text)
        rc = stoq_doc_error(errors, NULL, payload_id, "%s", text);
    struct stoq_doc d = {.results = results,
                         .request_meta = stoq_doc_request_meta(true, NULL, NULL),
                         .errors = errors,
                         .scan_id = scan_id,
                         .engine_id = engine_id,
                         .verdict = verdict};
    json_t *doc = stoq_doc_new(&d);
    if (rc < 0) {
        json_decref(doc);
        doc = NULL;
    }
    return stoq_response_make(doc, out, err);
}

/* What decorators and connectors said of the first scan does not hold for this one;
 * they are called anew. Their entries are those without a payload. */
static void
drop_output_errors(json_t *errors)
{
    for (size_t i = json_array_size(errors); i-- > 0;) {
        const json_t *e = json_array_get(errors, i);
        if (json_is_null(json_object_get(e, "payload_id")) &&
            json_is_string(json_object_get(e, "plugin_name")))
            (void)json_array_remove(errors, i);
    }
}

static int
readdress(json_t *doc, const struct stoq_payload_meta *meta)
{
    char scan_id[STOQ_UUID_SIZE];
    char now[STOQ_TIME_SIZE];
    stoq_uuid(scan_id);
    stoq_time_format(stoq_real_ns(), now);
    json_t *old = json_incref(json_object_get(doc, "scan_id"));
    json_t *root = json_array_get(json_object_get(doc, "results"), 0);
    int failed = 0;
    failed |= json_object_set_new(doc, "reused_from", old);
    failed |= json_object_set_new(doc, "scan_id", json_string(scan_id));
    failed |= json_object_set_new(doc, "time", json_string(now));
    failed |= json_object_set_new(doc, "decorators", json_object());
    drop_output_errors(json_object_get(doc, "errors"));
    if (root)
        failed |= json_object_set_new(json_object_get(root, "payload_meta"),
                                      "extra_data", stoq_doc_extra(meta));
    return failed ? -ENOMEM : 0;
}

int
stoq_response_reuse(const char *text, size_t size, const struct stoq_payload_meta *meta,
                    struct stoq_response **out, struct stoq_error *err)
{
    STOQ_AUTO(stoq_response) r = NULL;
    int rc = stoq_response_parse(text, size, &r, err);
    if (rc < 0)
        return rc;
    json_t *doc = json_incref(r->doc);
    rc = readdress(doc, meta);
    if (rc < 0) {
        json_decref(doc);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, rc, "out of memory");
    }
    return stoq_response_make(doc, out, err);
}
