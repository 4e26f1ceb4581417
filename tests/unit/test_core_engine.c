/* SPDX-License-Identifier: Apache-2.0 */

/* Engines: what loads, what is refused, the engine id, and many threads on one. */

#include "test_core_fixture.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "core/engine.h"
#include "util/auto.h"
#include "util/json.h"

STOQ_DEFINE_AUTO(stoq)
STOQ_DEFINE_AUTO(stoq_response)

static const struct {
    const char *setting;
    int code;
    const char *message;
} refusals[] = {
    {"core.always_dispatch=nosuch", -ENOENT,
     "stoq.exceptions.StoqPluginNotFound: The plugin \"nosuch\" is invalid or does not "
     "exist in your plugin path"},
    {"core.always_dispatch=g_deco", -EINVAL,
     "plugin g_deco cannot serve under \"always_dispatch\""},
    {"core.dispatchers=hash", -EINVAL,
     "plugin hash cannot serve under \"dispatchers\""},
    {"core.connectors=hash", -EINVAL, "plugin hash cannot serve under \"connectors\""},
    {"core.decorators=hash", -EINVAL, "plugin hash cannot serve under \"decorators\""},
    {"core.providers=hash", -EINVAL, "plugin hash cannot serve under \"providers\""},
    {"core.source_archivers=hash", -EINVAL,
     "plugin hash cannot serve under \"source_archivers\""},
    {"core.dest_archivers=hash", -EINVAL,
     "plugin hash cannot serve under \"dest_archivers\""},
};

START_TEST(test_refusal)
{
    const char *const settings[] = {refusals[_i].setting, NULL};
    struct stoq_error err = {0};
    engine_fails(settings, refusals[_i].code, &err);
    ck_assert_str_eq(err.message, refusals[_i].message);
}
END_TEST

START_TEST(test_load_plugin)
{
    STOQ_AUTO(stoq) stoq = ENGINE("core.always_dispatch=hash");
    ck_assert_ptr_nonnull(stoq_engine_find(stoq, "hash"));
    ck_assert_ptr_null(stoq_engine_find(stoq, "entropy"));
    STOQ_AUTOFREE char *before = strdup(stoq_engine_id(stoq));
    ck_assert_int_eq(stoq_load_plugin(stoq, " entropy ", NULL), 0);
    struct stoq_loaded *p = stoq_engine_find(stoq, "entropy");
    ck_assert_ptr_nonnull(p);
    ck_assert_int_eq(stoq_load_plugin(stoq, "entropy", NULL), 0);
    ck_assert_ptr_eq(stoq_engine_find(stoq, "entropy"), p);
    ck_assert_str_eq(stoq_engine_id(stoq), before);
    /* Twice: a failure is remembered and told again, in the same words. */
    for (int i = 0; i < 2; i++) {
        struct stoq_error err = {0};
        ck_assert_int_lt(stoq_load_plugin(stoq, "g_badinit", &err), 0);
        ck_assert_str_eq(err.message,
                         "stoq.exceptions.StoqPluginException: init failed");
    }
    /* Loaded is not dispatched. */
    STOQ_AUTO(stoq_response) r = scan_text(stoq, "x", "");
    CHECK_PART(r, "/results/0/plugins_run/workers", "[\"hash\"]");
}
END_TEST

START_TEST(test_facts_and_preload)
{
    STOQ_AUTO(stoq)
    stoq = ENGINE("core.always_dispatch=hash", "core.decorators=g_deco");
    stoq_engine_preload(stoq);
    ck_assert_ptr_nonnull(stoq_engine_find(stoq, "g_reqa"));
    ck_assert_ptr_nonnull(stoq_engine_find(stoq, "entropy"));
    ck_assert_ptr_null(stoq_engine_find(stoq, "g_badinit"));
    ck_assert_ptr_null(stoq_engine_find(stoq, "g_conn"));
    json_t *facts = stoq_engine_facts(stoq);
    ck_assert_str_eq(stoq_json_string_of(facts, "engine_id"), stoq_engine_id(stoq));
    ck_assert_str_eq(stoq_json_string_of(facts, "version"), stoq_version());
    ck_assert(
        json_is_object(json_object_get(json_object_get(facts, "plugins"), "g_deco")));
    const json_t *workers = json_object_get(facts, "workers");
    ck_assert_str_eq(json_string_value(json_array_get(workers, 0)), "hash");
    json_decref(facts);
}
END_TEST

/* What changes the id and what must not. */
static const struct {
    const char *setting;
    bool same;
} ids[] = {
    {"core.connectors=stdout", true},     {"core.decorators=g_deco", true},
    {"core.dest_archivers=g_arch", true}, {"core.log_level=debug", true},
    {"policy.error=allow", true},         {"core.always_dispatch=hash, entropy", false},
    {"core.dispatchers=g_disp", false},   {"core.max_recursion=3", false},
    {"limits.children=3", false},         {"limits.deadline=3", false},
    {"policy.flag=hash:/md5", false},     {"g_split.sep=x", false},
};

START_TEST(test_engine_id)
{
    STOQ_AUTO(stoq) base = ENGINE("core.always_dispatch=hash");
    STOQ_AUTO(stoq) again = ENGINE("core.always_dispatch=hash");
    STOQ_AUTO(stoq) other = ENGINE("core.always_dispatch=hash", ids[_i].setting);
    ck_assert_uint_eq(strlen(stoq_engine_id(base)), 64);
    ck_assert_uint_eq(strspn(stoq_engine_id(base), "0123456789abcdef"), 64);
    ck_assert_str_eq(stoq_engine_id(base), stoq_engine_id(again));
    ck_assert_msg((strcmp(stoq_engine_id(base), stoq_engine_id(other)) == 0) ==
                      ids[_i].same,
                  "%s", ids[_i].setting);
}
END_TEST

START_TEST(test_bundled_dir)
{
    char dir[PATH_MAX];
    ck_assert_int_eq(stoq_bundled_plugin_dir(dir, sizeof(dir)), 0);
    STOQ_AUTOFREE char *expected = realpath(BUILD_DIR "/plugins", NULL);
    ck_assert_str_eq(dir, expected);
    ck_assert_int_eq(stoq_bundled_plugin_dir(dir, 4), -ENAMETOOLONG);
}
END_TEST

/* Which scans may be reused for equal content. */
static const struct {
    const char *settings[4];
    const char *start;
    bool reusable;
} reuses[] = {
    {{"core.always_dispatch=hash, entropy"}, "", true},
    {{"core.always_dispatch=hash", "policy.flag=hash:/md5"}, "", true},
    {{"core.always_dispatch=hash"}, "entropy", false},
    {{"core.always_dispatch=hash, g_empty"}, "", false},
    {{"core.always_dispatch=hash", "core.dispatchers=simple_dispatcher"}, "", false},
    {{"core.always_dispatch=hash", "limits.bytes=1"}, "", false},
};

START_TEST(test_reusable)
{
    STOQ_AUTO(stoq) stoq = engine_with(reuses[_i].settings);
    STOQ_AUTO(stoq_response) r = scan_text(stoq, "xyz", reuses[_i].start);
    ck_assert_int_eq(stoq_response_reusable(r), reuses[_i].reusable);
}
END_TEST

START_TEST(test_sha256_of_root)
{
    STOQ_AUTO(stoq) stoq = ENGINE("core.always_dispatch=hash");
    STOQ_AUTO(stoq_response) r = scan_text(stoq, "x", "");
    char hex[STOQ_SHA256_HEX];
    ck_assert_ptr_nonnull(stoq_response_sha256(r));
    stoq_hex(stoq_response_sha256(r), STOQ_SHA256_SIZE, hex);
    CHECK_PART(r, "/results/0/workers/hash/sha256",
               "\"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\"");
    ck_assert_str_eq(
        hex, "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881");
}
END_TEST

/* ------------------------------------------------------------------- threads */

#define THREADS 4
#define SCANS   25

struct crowd {
    struct stoq *stoq;
    size_t clean;
};

static void *
scan_much(void *arg)
{
    struct crowd *c = arg;
    static const char *const start[] = {"g_more", "g_split", NULL};
    for (int i = 0; i < SCANS; i++) {
        struct stoq_response *r = NULL;
        if (stoq_scan(c->stoq, "one|two|three", 13, NULL, start, &r, NULL) == 0 &&
            stoq_response_verdict(r) == STOQ_VERDICT_CLEAN)
            c->clean++;
        stoq_response_free(r);
    }
    return NULL;
}

/* All threads ask for the same plugins, not loaded yet, at the same time. */
START_TEST(test_threads)
{
    STOQ_AUTO(stoq)
    stoq = ENGINE("core.always_dispatch=hash, entropy", "g_more.to=g_peel, b64decode",
                  "g_split.dispatch_to=g_empty");
    struct crowd crowds[THREADS];
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        crowds[i] = (struct crowd){.stoq = stoq};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, scan_much, &crowds[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    STOQ_AUTO(stoq_response) r = scan_text(stoq, "one|two|three", "g_more, g_split");
    size_t expected = stoq_response_verdict(r) == STOQ_VERDICT_CLEAN ? SCANS : 0;
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_uint_eq(crowds[i].clean, expected);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, test_refusal, 0, (int)STOQ_ARRAY_SIZE(refusals));
    tcase_add_test(tc, test_load_plugin);
    tcase_add_test(tc, test_facts_and_preload);
    tcase_add_loop_test(tc, test_engine_id, 0, (int)STOQ_ARRAY_SIZE(ids));
    tcase_add_test(tc, test_bundled_dir);
    tcase_add_loop_test(tc, test_reusable, 0, (int)STOQ_ARRAY_SIZE(reuses));
    tcase_add_test(tc, test_sha256_of_root);
    tcase_add_test(tc, test_threads);
}

int
main(void)
{
    return run_suite("core_engine", fill);
}
