/* SPDX-License-Identifier: Apache-2.0 */

/* See selftest.h: reading a case, making its engine, and what the roles share. */

#include "cli/selftest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/differ.h"
#include "core/config.h"
#include "core/engine.h"
#include "util/auto.h"
#include "util/digest.h"
#include "util/io.h"
#include "util/json.h"
#include "util/strbuf.h"

#define CASE_MAX   ((size_t)4 << 20)
#define SAMPLE_MAX ((size_t)64 << 20)

STOQ_DEFINE_AUTO(stoq_config)

static const char *const known_keys[] = {
    "comment",   "sample",     "text",      "meta",     "dispatch_meta",
    "options",   "result",     "errors",    "saved",    "archived",
    "extracted", "dispatches", "decorated", "provided",
};

static int
bad(struct stoq_error *err, const char *why)
{
    return stoq_error_set(err, STOQ_ERROR_FORMAT, -EINVAL, "not a case: %s", why);
}

static int
check_types(const json_t *spec, struct stoq_error *err)
{
    static const struct {
        const char *key;
        json_type type;
    } typed[] = {
        {"sample", JSON_STRING},    {"text", JSON_STRING},
        {"meta", JSON_OBJECT},      {"dispatch_meta", JSON_OBJECT},
        {"options", JSON_OBJECT},   {"extracted", JSON_ARRAY},
        {"dispatches", JSON_ARRAY}, {"errors", JSON_INTEGER},
        {"provided", JSON_ARRAY},
    };
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(typed); i++) {
        const json_t *value = json_object_get(spec, typed[i].key);
        if (value && json_typeof(value) != typed[i].type)
            return stoq_error_set(err, STOQ_ERROR_FORMAT, -EINVAL,
                                  "not a case: %s has the wrong type", typed[i].key);
    }
    for (size_t i = 0; i < 2; i++) {
        const json_t *value = json_object_get(spec, i ? "saved" : "archived");
        if (value && !json_is_boolean(value))
            return bad(err, "saved and archived are true or false");
    }
    return 0;
}

static int
check_spec(const json_t *spec, struct stoq_error *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(spec))
        return bad(err, "it is no object");
    json_object_foreach ((json_t *)(uintptr_t)spec, key, value) {
        size_t i = 0;
        while (i < STOQ_ARRAY_SIZE(known_keys) && strcmp(key, known_keys[i]) != 0)
            i++;
        if (i == STOQ_ARRAY_SIZE(known_keys))
            return stoq_error_set(err, STOQ_ERROR_FORMAT, -EINVAL,
                                  "not a case: unknown key %s", key);
    }
    if (json_object_get(spec, "sample") && json_object_get(spec, "text"))
        return bad(err, "it has both sample and text");
    return check_types(spec, err);
}

static int
read_sample(struct cli_case *c, struct stoq_error *err)
{
    const char *sample = stoq_json_string_of(c->spec, "sample");
    const json_t *text = json_object_get(c->spec, "text");
    STOQ_AUTOFREE char *path = NULL;
    char *data = NULL;
    if (!sample) {
        c->size = json_string_length(text);
        c->data = malloc(c->size + 1);
        if (c->data && c->size)
            memcpy(c->data, json_string_value(text), c->size);
        return c->data ? 0 : -ENOMEM;
    }
    if (strchr(sample, '/'))
        return bad(err, "sample is not a file beside it");
    if (asprintf(&path, "%s/%s", c->test->dir, sample) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    int r = stoq_read_file(path, SAMPLE_MAX, &data, &c->size, err);
    c->data = data;
    return r;
}

static int
read_case(struct cli_case *c, struct stoq_error *err)
{
    STOQ_AUTOFREE char *path = NULL;
    STOQ_AUTOFREE char *text = NULL;
    size_t size = 0;
    if (asprintf(&path, "%s/%s", c->test->dir, c->test->file) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    int r = stoq_read_file(path, CASE_MAX, &text, &size, err);
    if (r < 0)
        return r;
    c->spec = stoq_json_parse(text, size, err);
    if (!c->spec)
        return -EINVAL;
    r = check_spec(c->spec, err);
    return r < 0 ? r : read_sample(c, err);
}

/* @text with @SELFTEST@ and @TMP@ replaced; NULL on -ENOMEM. */
static char *
substitute(const struct cli_selftest *t, const char *text)
{
    const struct {
        const char *word, *value;
    } words[] = {{"@SELFTEST@", t->dir}, {"@TMP@", t->tmp}};
    struct stoq_strbuf b = {0};
    while (*text) {
        size_t i = 0;
        while (i < STOQ_ARRAY_SIZE(words) &&
               strncmp(text, words[i].word, strlen(words[i].word)) != 0)
            i++;
        if (i < STOQ_ARRAY_SIZE(words)) {
            stoq_strbuf_adds(&b, words[i].value);
            text += strlen(words[i].word);
        } else {
            stoq_strbuf_add(&b, text++, 1);
        }
    }
    stoq_strbuf_add(&b, "", 0);
    return stoq_strbuf_steal(&b);
}

static int
set_option(const struct cli_selftest *t, const char *key, const json_t *value,
           struct stoq_config *config, struct stoq_error *err)
{
    const char *text = json_string_value(value);
    if (!text)
        return stoq_error_set(err, STOQ_ERROR_FORMAT, -EINVAL,
                              "not a case: option %s is no string", key);
    STOQ_AUTOFREE char *full = substitute(t, text);
    return full ? stoq_config_set(config, t->manifest->name, key, full, err) : -ENOMEM;
}

static int
make_engine(struct cli_case *c, struct stoq_error *err)
{
    const struct cli_selftest *t = c->test;
    STOQ_AUTO(stoq_config) config = NULL;
    const char *key;
    json_t *value;
    int r = stoq_config_new(&config, err);
    if (r == 0)
        r = stoq_config_set_list(config, "core", "plugin_dir_list",
                                 stoq_strv_items(t->plugin_dirs), t->plugin_dirs->count,
                                 err);
    json_object_foreach (json_object_get(c->spec, "options"), key, value)
        r = r < 0 ? r : set_option(t, key, value, config, err);
    if (r == 0)
        r = stoq_new(config, 0, &c->engine, err);
    if (r == 0)
        r = stoq_load_plugin(c->engine, t->manifest->name, err);
    if (r == 0)
        c->plugin = stoq_engine_find(c->engine, t->manifest->name);
    return r;
}

/* ------------------------------------------------------- what the roles share */

struct stoq_payload *
cli_case_payload(struct cli_case *c)
{
    struct stoq_error err = {0};
    struct stoq_payload_meta meta = STOQ_PAYLOAD_META_INIT;
    struct stoq_payload *payload = NULL;
    json_t *left = json_object_get(c->spec, "dispatch_meta");
    meta.extra_data = json_object_get(c->spec, "meta");
    meta.filename = stoq_json_string_of(meta.extra_data, "filename");
    if (stoq_payload_new(c->data, c->size, &meta, &payload, &err) < 0) {
        cli_differ_say(c->lines, "the payload: %s", err.message);
        return NULL;
    }
    /* as if dispatchers had left it: there are none in this engine to replace it */
    json_t *dispatched = (json_t *)(uintptr_t)stoq_payload_dispatch_meta(payload);
    if (left && json_object_update(dispatched, left) < 0)
        cli_differ_say(c->lines, "dispatch_meta: out of memory");
    return payload;
}

void
cli_case_errors(struct cli_case *c, const json_t *errors)
{
    json_int_t expected = json_integer_value(json_object_get(c->spec, "errors"));
    size_t count = json_array_size(errors), i;
    json_t *line;
    if ((json_int_t)count == expected)
        return;
    cli_differ_say(c->lines, "errors: expected %lld, got %zu", (long long)expected,
                   count);
    json_array_foreach (errors, i, line)
        cli_differ_say(c->lines, "errors/%zu: %s", i, json_string_value(line));
}

json_t *
cli_case_digest(const void *data, size_t size)
{
    uint8_t digest[STOQ_SHA256_SIZE];
    char hex[STOQ_SHA256_HEX];
    if (stoq_sha256(data, size, digest) < 0)
        return NULL;
    stoq_hex(digest, sizeof(digest), hex);
    return json_pack("{s:I, s:s}", "size", (json_int_t)size, "sha256", hex);
}

void
cli_case_compare(struct cli_case *c, const char *what, const json_t *expected,
                 const json_t *actual)
{
    const char *key;
    json_t *value;
    if (!json_is_object(expected) || !json_is_object(actual)) {
        cli_differ(c->lines, what, expected, actual);
        return;
    }
    json_object_foreach ((json_t *)(uintptr_t)expected, key, value) {
        STOQ_AUTOFREE char *at = NULL;
        if (asprintf(&at, "%s/%s", what, key) < 0)
            at = NULL;
        cli_differ(c->lines, at ? at : what, value, json_object_get(actual, key));
    }
}

/* ------------------------------------------------------------------- one case */

static void
note_roles(struct cli_case *c, const char *operations)
{
    struct stoq_strv words = {0};
    STOQ_AUTOFREE char *list = strdup(operations);
    for (char *p = list; p && *p; p++)
        *p = *p == ' ' ? ',' : *p;
    if (list && stoq_strv_add_list(&words, list) == 0)
        for (size_t i = 0; i < words.count; i++)
            (void)json_array_append_new(c->roles, json_string(words.items[i]));
    stoq_strv_fini(&words);
}

static void
run_roles(struct cli_case *c)
{
    bool any = false;
    for (const struct cli_case_role *role = cli_case_roles; role->key; role++) {
        if (!json_object_get(c->spec, role->key))
            continue;
        any = true;
        note_roles(c, role->operations);
        role->run(c);
    }
    /* children or errors alone are a worker's as well */
    if (any)
        return;
    note_roles(c, cli_case_roles[0].operations);
    cli_case_roles[0].run(c);
}

static void
case_fini(struct cli_case *c)
{
    stoq_free(c->engine);
    free(c->data);
    json_decref(c->spec);
    json_decref(c->lines);
    json_decref(c->roles);
}

int
cli_selftest_run(void *arg, json_t **answer, struct stoq_error *err)
{
    struct cli_case c = {.test = arg, .lines = json_array(), .roles = json_array()};
    (void)setenv("TZ", "UTC", 1);
    int r = c.lines && c.roles ? read_case(&c, err) : -ENOMEM;
    if (r == 0)
        r = make_engine(&c, err);
    if (r == 0) {
        run_roles(&c);
        *answer = json_pack("{s:O, s:O}", "roles", c.roles, "differences", c.lines);
        r = *answer ? 0 : -ENOMEM;
    }
    case_fini(&c);
    return r;
}
