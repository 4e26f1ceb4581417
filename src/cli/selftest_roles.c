/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How each role is tried; see selftest.h. A worker is run through an engine, since it
 * may need others first; the other operations are called directly, one at a time.
 */

#include "cli/selftest.h"

#include <errno.h>
#include <string.h>

#include "cli/differ.h"
#include "core/engine.h"
#include "util/auto.h"
#include "util/json.h"

#define ROOM_BYTES    ((uint64_t)1 << 30)
#define ROOM_CHILDREN 100000U

STOQ_DEFINE_AUTO(stoq_request)
STOQ_DEFINE_AUTO(stoq_response)

static const char *
plugin_name(const struct cli_case *c)
{
    return c->test->manifest->name;
}

/* A request around the sample, or NULL: a line says why. */
static struct stoq_request *
make_request(struct cli_case *c)
{
    struct stoq_error err = {0};
    struct stoq_payload *payload = cli_case_payload(c);
    STOQ_AUTO(stoq_request) request = NULL;
    if (!payload)
        return NULL;
    if (stoq_request_new(NULL, NULL, true, &request, &err) < 0) {
        stoq_payload_free(payload);
        cli_differ_say(c->lines, "the request: %s", err.message);
        return NULL;
    }
    if (stoq_request_add(request, payload, &err) < 0) {
        cli_differ_say(c->lines, "the request: %s", err.message);
        return NULL;
    }
    return STOQ_STEAL(&request);
}

/* ---------------------------------------------------------------------- worker */

static bool
is_text(const json_t *value, const char *text)
{
    const char *s = json_string_value(value);
    return s && text && strcmp(s, text) == 0;
}

/* Errors of the plugin about payload @root, as texts. */
static json_t *
own_errors(const struct cli_case *c, const json_t *doc, const char *root)
{
    json_t *list = json_array();
    size_t i;
    json_t *entry;
    json_array_foreach (json_object_get(doc, "errors"), i, entry) {
        const json_t *about = json_object_get(entry, "payload_id");
        if (is_text(json_object_get(entry, "plugin_name"), plugin_name(c)) &&
            (json_is_null(about) || is_text(about, root)))
            (void)json_array_append(list, json_object_get(entry, "error"));
    }
    return list;
}

/* What a case may say of the child @entry of the document, whose payload is @p. */
static json_t *
child_facts(const json_t *entry, const struct stoq_payload *p)
{
    size_t size;
    const void *data = stoq_payload_data(p, &size);
    json_t *facts = cli_case_digest(data, size);
    if (facts)
        (void)json_object_update(facts, json_object_get(entry, "payload_meta"));
    return facts;
}

/* The children that the plugin made of payload @root, in order. */
static json_t *
own_children(const struct cli_case *c, const json_t *doc,
             const struct stoq_request *request, const char *root)
{
    const json_t *results = json_object_get(doc, "results");
    json_t *list = json_array();
    for (size_t i = 1; i < json_array_size(results); i++) {
        const json_t *entry = json_array_get(results, i);
        const json_t *by = json_object_get(entry, "extracted_by");
        const json_t *from = json_object_get(entry, "extracted_from");
        if (is_text(json_array_get(by, 0), plugin_name(c)) &&
            is_text(json_array_get(from, 0), root))
            (void)json_array_append_new(
                list, child_facts(entry, stoq_request_payload(request, i)));
    }
    return list;
}

static void
compare_children(struct cli_case *c, const json_t *actual)
{
    const json_t *expected = json_object_get(c->spec, "extracted");
    size_t n = json_array_size(expected), m = json_array_size(actual);
    if (n != m)
        cli_differ_say(c->lines, "extracted: expected %zu children, got %zu", n, m);
    for (size_t i = 0; i < n || i < m; i++) {
        char what[48];
        (void)snprintf(what, sizeof(what), "extracted/%zu", i);
        cli_case_compare(c, what, json_array_get(expected, i),
                         json_array_get(actual, i));
    }
}

/* Failures of others that say why there is no result: unknown required workers and the
 * like. Told only when something differs already. */
static void
tell_others(struct cli_case *c, const json_t *doc)
{
    size_t i;
    json_t *entry;
    if (json_array_size(c->lines) == 0)
        return;
    json_array_foreach (json_object_get(doc, "errors"), i, entry)
        if (!is_text(json_object_get(entry, "plugin_name"), plugin_name(c)))
            cli_differ_say(c->lines, "meanwhile: %s",
                           stoq_json_string_of(entry, "error"));
}

static void
run_worker(struct cli_case *c)
{
    struct stoq_error err = {0};
    const char *start[] = {plugin_name(c), NULL};
    STOQ_AUTO(stoq_request) request = make_request(c);
    STOQ_AUTO(stoq_response) response = NULL;
    if (!request)
        return;
    if (stoq_scan_request(c->engine, request, start, &response, &err) < 0) {
        cli_differ_say(c->lines, "the scan: %s", err.message);
        return;
    }
    const json_t *doc = stoq_response_document(response);
    const json_t *root = json_array_get(json_object_get(doc, "results"), 0);
    const char *id = stoq_json_string_of(root, "payload_id");
    const json_t *result =
        json_object_get(json_object_get(root, "workers"), plugin_name(c));
    const json_t *expected = json_object_get(c->spec, "result");
    json_auto_t *errors = own_errors(c, doc, id);
    json_auto_t *children = own_children(c, doc, request, id);
    cli_differ(c->lines, "result", json_is_null(expected) ? NULL : expected, result);
    compare_children(c, children);
    cli_case_errors(c, errors);
    tell_others(c, doc);
}

/* -------------------------------------------------------- one call of another role */

/* Soft errors of @reply and, when @code < 0, the failure. */
static json_t *
errors_of(const struct stoq_reply *reply, int code, const struct stoq_error *err)
{
    json_t *list = json_array();
    for (size_t i = 0; i < reply->errors.count; i++)
        (void)json_array_append_new(list, json_string(reply->errors.items[i]));
    if (code < 0)
        (void)json_array_append_new(list, json_string(err->message));
    return list;
}

/* The pieces of @v, sorted. */
static json_t *
sorted(const json_t *list)
{
    json_t *out = json_array();
    size_t i, at;
    json_t *item, *other;
    json_array_foreach ((json_t *)(uintptr_t)list, i, item) {
        const char *text = json_string_value(item);
        json_array_foreach (out, at, other)
            if (text && strcmp(text, json_string_value(other)) < 0)
                break;
        (void)json_array_insert_new(out, at, json_string(text ? text : ""));
    }
    return out;
}

static void
run_dispatcher(struct cli_case *c)
{
    struct stoq_error err = {0};
    struct stoq_reply reply;
    STOQ_AUTO(stoq_request) request = make_request(c);
    if (!request)
        return;
    stoq_reply_init(&reply, ROOM_BYTES, ROOM_CHILDREN);
    int r = stoq_call_dispatch(c->plugin, stoq_request_payload(request, 0), request,
                               &reply, &err);
    json_auto_t *names = json_array();
    for (size_t i = 0; i < reply.dispatch.count; i++)
        (void)json_array_append_new(names, json_string(reply.dispatch.items[i]));
    json_auto_t *actual = sorted(names);
    json_auto_t *expected = sorted(json_object_get(c->spec, "dispatches"));
    json_auto_t *errors = errors_of(&reply, r, &err);
    cli_differ(c->lines, "dispatches", expected, actual);
    cli_case_errors(c, errors);
    stoq_reply_fini(&reply);
}

/* The response that decorators and connectors get: the sample, looked at by nobody. */
static struct stoq_response *
make_response(struct cli_case *c)
{
    struct stoq_error err = {0};
    struct stoq_response *response = NULL;
    STOQ_AUTO(stoq_request) request = make_request(c);
    if (request && stoq_scan_request(c->engine, request, NULL, &response, &err) < 0)
        cli_differ_say(c->lines, "the response: %s", err.message);
    return response;
}

static void
run_decorator(struct cli_case *c)
{
    struct stoq_error err = {0};
    struct stoq_reply reply;
    STOQ_AUTO(stoq_response) response = make_response(c);
    const json_t *expected = json_object_get(c->spec, "decorated");
    if (!response)
        return;
    stoq_reply_init(&reply, ROOM_BYTES, ROOM_CHILDREN);
    int r = stoq_call_decorate(c->plugin, response, &reply, &err);
    json_auto_t *errors = errors_of(&reply, r, &err);
    cli_differ(c->lines, "decorated", json_is_null(expected) ? NULL : expected,
               reply.results);
    cli_case_errors(c, errors);
    stoq_reply_fini(&reply);
}

static void
run_connector(struct cli_case *c)
{
    struct stoq_error err = {0};
    bool expected = json_is_true(json_object_get(c->spec, "saved"));
    STOQ_AUTO(stoq_response) response = make_response(c);
    if (!response)
        return;
    int r = stoq_call_save(c->plugin, response, &err);
    if (expected && r < 0)
        cli_differ_say(c->lines, "saved: %s", err.message);
    else if (!expected && r == 0)
        cli_differ_say(c->lines, "saved: expected a failure");
}

/* -------------------------------------------------------------------- archiver */

/* Ask for what @task names and compare it with the sample. */
static void
get_again(struct cli_case *c, const json_t *task)
{
    struct stoq_error err = {0};
    struct stoq_reply got;
    stoq_reply_init(&got, ROOM_BYTES, ROOM_CHILDREN);
    int r = stoq_call_get(c->plugin, task, &got, &err);
    const struct stoq_child *child = got.children;
    if (r < 0)
        cli_differ_say(c->lines, "archived: not got again: %s", err.message);
    else if (!child)
        cli_differ_say(c->lines, "archived: not found again");
    else if (child->size != c->size || memcmp(child->data, c->data, c->size) != 0)
        cli_differ_say(c->lines, "archived: other bytes came back (%zu of %zu)",
                       child->size, c->size);
    stoq_reply_fini(&got);
}

static void
run_archiver(struct cli_case *c)
{
    struct stoq_error err = {0};
    struct stoq_reply reply;
    bool expected = json_is_true(json_object_get(c->spec, "archived"));
    STOQ_AUTO(stoq_request) request = make_request(c);
    if (!request)
        return;
    stoq_reply_init(&reply, ROOM_BYTES, ROOM_CHILDREN);
    int r = stoq_call_archive(c->plugin, stoq_request_payload(request, 0), request,
                              &reply, &err);
    if (!expected && r == 0)
        cli_differ_say(c->lines, "archived: expected a failure");
    else if (expected && r < 0)
        cli_differ_say(c->lines, "archived: %s", err.message);
    else if (r == 0 && (stoq_loaded_roles(c->plugin) & STOQ_ROLE_SOURCE_ARCHIVER))
        get_again(c, reply.results);
    if (expected && r == 0) {
        json_auto_t *errors = errors_of(&reply, 0, &err);
        cli_case_errors(c, errors);
    }
    stoq_reply_fini(&reply);
}

const struct cli_case_role cli_case_roles[] = {
    {"result", "scan", run_worker},
    {"dispatches", "dispatch", run_dispatcher},
    {"decorated", "decorate", run_decorator},
    {"saved", "save", run_connector},
    {"archived", "archive get", run_archiver},
    {"provided", "ingest", cli_case_provider},
    {NULL, NULL, NULL},
};
