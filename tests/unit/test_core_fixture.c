/* SPDX-License-Identifier: Apache-2.0 */

/* See test_core_fixture.h. */

#include "test_core_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "core/verdict.h"
#include "util/auto.h"
#include "util/json.h"
#include "util/log.h"

STOQ_DEFINE_AUTO(stoq_config)

static void
apply(struct stoq_config *config, const char *setting)
{
    STOQ_AUTOFREE char *copy = strdup(setting);
    char *value = strchr(copy, '=');
    char *key = strchr(copy, '.');
    ck_assert_ptr_nonnull(value);
    ck_assert_ptr_nonnull(key);
    *value++ = '\0';
    *key++ = '\0';
    struct stoq_error err = {0};
    int rc = stoq_config_set(config, copy, key, value, &err);
    ck_assert_msg(rc == 0, "%s: %s", setting, err.message);
}

static struct stoq_config *
configure(const char *const *settings)
{
    struct stoq_config *config = NULL;
    ck_assert_int_eq(stoq_config_new(&config, NULL), 0);
    apply(config, "core.plugin_dir_list=" BUILD_DIR "/tests/golden-plugins," BUILD_DIR
                  "/plugins");
    apply(config, "core.log_dir=");
    for (; *settings; settings++)
        apply(config, *settings);
    return config;
}

struct stoq *
engine_with(const char *const *settings)
{
    STOQ_AUTO(stoq_config) config = configure(settings);
    struct stoq *stoq = NULL;
    struct stoq_error err = {0};
    int rc = stoq_new(config, 0, &stoq, &err);
    ck_assert_msg(rc == 0, "%s", err.message);
    return stoq;
}

void
engine_fails(const char *const *settings, int code, struct stoq_error *err)
{
    STOQ_AUTO(stoq_config) config = configure(settings);
    struct stoq *stoq = NULL;
    ck_assert_int_eq(stoq_new(config, 0, &stoq, err), code);
    ck_assert_ptr_null(stoq);
}

struct stoq_response *
scan_text(struct stoq *stoq, const char *text, const char *start)
{
    struct stoq_strv names = {0};
    struct stoq_response *response = NULL;
    struct stoq_error err = {0};
    ck_assert_int_eq(stoq_strv_add_list(&names, start), 0);
    int rc = stoq_scan(stoq, text, strlen(text), NULL, stoq_strv_items(&names),
                       &response, &err);
    ck_assert_msg(rc == 0, "%s", err.message);
    stoq_strv_fini(&names);
    return response;
}

/* Replace every occurrence of a 36-character id; the caller frees. */
static char *
replace(char *text, const char *id, const char *name)
{
    struct stoq_strbuf out = {0};
    char *at = text;
    for (char *hit = strstr(at, id); hit; hit = strstr(at, id)) {
        stoq_strbuf_add(&out, at, (size_t)(hit - at));
        stoq_strbuf_adds(&out, name);
        at = hit + strlen(id);
    }
    stoq_strbuf_adds(&out, at);
    free(text);
    return stoq_strbuf_steal(&out);
}

static void
drop_times(json_t *doc)
{
    size_t i;
    json_t *entry;
    ck_assert(json_is_real(json_object_get(doc, "duration_ms")));
    ck_assert_int_eq(json_object_del(doc, "duration_ms"), 0);
    json_array_foreach (json_object_get(doc, "results"), i, entry) {
        ck_assert(json_is_object(json_object_get(entry, "duration_ms")));
        ck_assert_int_eq(json_object_del(entry, "duration_ms"), 0);
    }
    ck_assert_int_eq(json_object_set_new(doc, "time", json_string("T")), 0);
    ck_assert_int_eq(json_object_set_new(doc, "scan_id", json_string("S")), 0);
    ck_assert_int_eq(
        json_object_set_new(json_object_get(doc, "engine"), "id", json_string("E")), 0);
}

json_t *
plain(const struct stoq_response *response)
{
    char *text = stoq_response_text(response, false);
    ck_assert_ptr_nonnull(text);
    size_t i;
    json_t *entry;
    json_array_foreach (json_object_get(stoq_response_document(response), "results"), i,
                        entry) {
        char name[32];
        (void)snprintf(name, sizeof(name), "p%zu", i);
        text = replace(text, stoq_json_string_of(entry, "payload_id"), name);
    }
    json_t *doc = stoq_json_parse(text, strlen(text), NULL);
    ck_assert_ptr_nonnull(doc);
    free(text);
    drop_times(doc);
    return doc;
}

char *
part(const struct stoq_response *response, const char *pointer)
{
    json_t *doc = plain(response);
    const json_t *found = stoq_json_pointer(doc, pointer);
    char *text = found ? stoq_json_dump(found, false) : NULL;
    json_decref(doc);
    return text;
}

int
run_suite(const char *name, void (*fill)(TCase *tc))
{
    const struct stoq_log_config quiet = {.level = STOQ_LEVEL_ERROR, .ident = name};
    (void)stoq_log_setup(&quiet, NULL);
    Suite *suite = suite_create(name);
    TCase *tc = tcase_create(name);
    tcase_set_timeout(tc, 60);
    fill(tc);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
