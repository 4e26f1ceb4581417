/* SPDX-License-Identifier: Apache-2.0 */

/* The guarded call: what a plugin may hand back, what happens when it may not. */

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "test_plugin_support.h"
#include "util/auto.h"
#include "util/json.h"

STOQ_DEFINE_AUTO(stoq_loaded)

static struct stoq_reply reply;

static void
begin(void)
{
    set_up();
    stoq_reply_init(&reply, 1000, 50);
}

static void
end(void)
{
    stoq_reply_fini(&reply);
    tear_down();
}

/* Load the probe with "do=@what" and @more, call scan once. */
static int
call(const char *what, const char *more, struct stoq_error *err)
{
    STOQ_AUTO(stoq_loaded) p = NULL;
    struct stoq_payload payload = {.data = ""};
    char setting[64];
    (void)snprintf(setting, sizeof(setting), "do=%s", what);
    put_plugin("p", "probe", "probe", NULL);
    ck_assert_int_eq(load_plugin("p", (const char *[]){setting, more, NULL}, &p, NULL),
                     0);
    return stoq_call_scan(p, &payload, NULL, &reply, err);
}

static const struct {
    const char *what;
    int code;
    const char *message;
} failures[] = {
    {"positive", -EPROTO, "plugin probe returned 22, neither 0 nor a negative errno"},
    {"silent", -ENOENT, "No such file or directory"},
    {"wild", -EIO, "Input/output error"},
    {"latin1", -EIO, "caf? bar \xc3\xa9"},
    {"deep", -EPROTO, "the result of plugin probe is nested too deep"},
    {"deep meta", -EPROTO, "the meta of plugin probe is nested too deep"},
    {"bad key", -EPROTO, "the result of plugin probe has a key that is not UTF-8"},
    {"bad string", -EPROTO,
     "the result of plugin probe has a string that is not UTF-8"},
};

START_TEST(failure)
{
    struct stoq_error err = {0};
    ck_assert_int_eq(call(failures[_i].what, NULL, &err), failures[_i].code);
    ck_assert_int_eq(err.code, failures[_i].code);
    ck_assert_int_eq(err.kind, STOQ_ERROR_PLUGIN);
    ck_assert_str_eq(err.message, failures[_i].message);
    ck_assert_str_eq(err.plugin, "probe");
    ck_assert_ptr_null(reply.results);
    ck_assert_ptr_null(reply.meta);
}
END_TEST

START_TEST(failure_without_error_struct)
{
    ck_assert_int_eq(call(failures[_i].what, NULL, NULL), failures[_i].code);
}
END_TEST

START_TEST(success_forgets_what_was_said)
{
    struct stoq_error err = {0};
    ck_assert_int_eq(call("warn", NULL, &err), 0);
    ck_assert_int_eq(err.code, 0);
    ck_assert_str_eq(err.message, "");
}
END_TEST

START_TEST(deepest_allowed_result)
{
    ck_assert_int_eq(call("deep enough", NULL, NULL), 0);
    ck_assert_uint_eq(stoq_json_depth(reply.results), STOQ_JSON_MAX_DEPTH - 8);
}
END_TEST

START_TEST(null_is_no_result)
{
    ck_assert_int_eq(call("null", NULL, NULL), 0);
    ck_assert_ptr_null(reply.results);
}
END_TEST

START_TEST(options_reach_the_plugin)
{
    ck_assert_int_eq(call("options", "count=7", NULL), 0);
    ck_assert_str_eq(stoq_json_string_of(reply.results, "count"), "7");
    ck_assert_str_eq(stoq_json_string_of(reply.results, "do"), "options");
    ck_assert_ptr_null(json_object_get(reply.results, "wanted"));
    ck_assert_uint_gt(reply.duration_ns, 0);
}
END_TEST

START_TEST(soft_errors_are_text)
{
    ck_assert_int_eq(call("soft", "count=2", NULL), 0);
    ck_assert_uint_eq(reply.errors.count, 2);
    ck_assert_str_eq(reply.errors.items[1], "soft 1 ? ");
    ck_assert_uint_eq(reply.hit_count, 0);
}
END_TEST

START_TEST(soft_errors_end_somewhere)
{
    ck_assert_int_eq(call("soft", "count=1001", NULL), 0);
    ck_assert_uint_eq(reply.errors.count, 1000);
    ck_assert_uint_eq(reply.hit_count, 1);
    ck_assert_str_eq(reply.hits[0].name, "errors");
    ck_assert_uint_eq(reply.hits[0].value, 1000);
}
END_TEST

START_TEST(children_in_order)
{
    ck_assert_int_eq(call("extract", "count=3", NULL), 0);
    ck_assert_uint_eq(reply.child_count, 3);
    ck_assert_uint_eq(reply.extracted, 30);
    ck_assert_uint_eq(reply.room_bytes, 970);
    ck_assert_uint_eq(reply.room_children, 47);
    const struct stoq_child *c = reply.children;
    ck_assert_uint_eq(c->size, 10);
    ck_assert_mem_eq(c->data, "0123456789", 10);
    ck_assert_str_eq(c->filename, "caf\xe9");
    STOQ_AUTOFREE char *extra = stoq_json_dump(c->extra_data, false);
    ck_assert_str_eq(extra, "{\"filename\": \"caf\xc3\xa9\", "
                            "\"filename_b64\": \"Y2Fm6Q==\"}");
    ck_assert_uint_eq(c->dispatch_to.count, 2);
    ck_assert_str_eq(c->dispatch_to.items[1], "two");
    ck_assert(!c->no_scan);
    c = c->next;
    ck_assert(c->no_scan);
    ck_assert_ptr_null(c->filename);
    ck_assert_str_eq(stoq_json_string_of(c->extra_data, "k"), "v");
    c = c->next;
    ck_assert_uint_eq(json_object_size(c->extra_data), 0);
    ck_assert_ptr_null(c->next);
}
END_TEST

START_TEST(children_room_exhausted)
{
    struct stoq_error err = {0};
    ck_assert_int_eq(call("extract", "count=51", &err), -E2BIG);
    ck_assert_str_eq(err.message, "child 50: Argument list too long");
    ck_assert_int_eq(err.kind, STOQ_ERROR_LIMIT);
    ck_assert_uint_eq(reply.hit_count, 1);
    ck_assert_str_eq(reply.hits[0].name, "children");
    ck_assert_uint_eq(reply.hits[0].value, 51);
    /* the call failed: nothing of it is kept but what was learnt about limits */
    ck_assert_ptr_null(reply.children);
    ck_assert_uint_eq(reply.child_count, 0);
}
END_TEST

START_TEST(byte_room_exhausted)
{
    const struct stoq_extract child = {STOQ_EXTRACT_HEAD, .data = "0123456789",
                                       .size = 10};
    const struct stoq_extract empty = {STOQ_EXTRACT_HEAD};
    stoq_reply_init(&reply, 25, UINT64_MAX);
    ck_assert_int_eq(stoq_reply_extract(&reply, &child), 0);
    ck_assert_int_eq(stoq_reply_extract(&reply, &child), 0);
    ck_assert_uint_eq(stoq_reply_room(&reply), 5);
    ck_assert_int_eq(stoq_reply_extract(&reply, &child), -E2BIG);
    ck_assert_int_eq(stoq_reply_extract(&reply, &empty), 0);
    ck_assert_uint_eq(reply.child_count, 3);
    ck_assert_uint_eq(reply.hit_count, 1);
    ck_assert_str_eq(reply.hits[0].name, "extracted_bytes");
    ck_assert_uint_eq(reply.hits[0].value, 30);
}
END_TEST

START_TEST(bad_children)
{
    const char *const nameless[] = {"", NULL};
    struct stoq_extract none = {.data = "x", .size = 1};
    struct stoq_extract missing = {STOQ_EXTRACT_HEAD, .size = 1};
    struct stoq_extract list = {STOQ_EXTRACT_HEAD, .extra_data = json_array()};
    struct stoq_extract to = {STOQ_EXTRACT_HEAD, .dispatch_to = nameless};
    ck_assert_int_eq(stoq_reply_extract(&reply, &none), -EINVAL);
    ck_assert_int_eq(stoq_reply_extract(&reply, &missing), -EINVAL);
    ck_assert_int_eq(stoq_reply_extract(&reply, &list), -EINVAL);
    ck_assert_int_eq(stoq_reply_extract(&reply, &to), -EINVAL);
    ck_assert_uint_eq(reply.child_count, 0);
    ck_assert_uint_eq(reply.room_children, 50);
    ck_assert(!reply.failed);
}
END_TEST

START_TEST(names_asked_for)
{
    char longest[257];
    memset(longest, 'n', sizeof(longest));
    longest[256] = '\0';
    ck_assert_int_eq(stoq_reply_dispatch(&reply, longest), -EINVAL);
    ck_assert_int_eq(stoq_reply_dispatch(&reply, longest + 1), 0);
    ck_assert_int_eq(stoq_reply_dispatch(&reply, "a"), 0);
    ck_assert_int_eq(stoq_reply_dispatch(&reply, "a"), 0);
    ck_assert_int_eq(stoq_reply_dispatch(&reply, ""), -EINVAL);
    ck_assert_int_eq(stoq_reply_dispatch(&reply, "\xff"), -EINVAL);
    ck_assert_uint_eq(reply.dispatch.count, 2);
}
END_TEST

START_TEST(limits_keep_the_highest_value)
{
    stoq_reply_limit(&reply, "strings", 5);
    stoq_reply_limit(&reply, "strings", 3);
    stoq_reply_limit(&reply, "strings", 9);
    stoq_reply_limit(&reply, "a name that is far longer than fits", 1);
    stoq_reply_limit(&reply, NULL, 1);
    ck_assert_uint_eq(reply.hit_count, 3);
    ck_assert_uint_eq(reply.hits[0].value, 9);
    ck_assert_str_eq(reply.hits[1].name, "a name that is far longer than ");
    ck_assert_str_eq(reply.hits[2].name, "unnamed");
}
END_TEST

START_TEST(results_replace_each_other)
{
    stoq_reply_results(&reply, json_integer(1));
    stoq_reply_results(&reply, json_integer(2));
    ck_assert_int_eq(json_integer_value(reply.results), 2);
    stoq_reply_results(&reply, json_null());
    ck_assert(json_is_null(reply.results));
    ck_assert(!reply.failed);
    stoq_reply_results(&reply, NULL); /* could not be made */
    ck_assert_ptr_null(reply.results);
    ck_assert(reply.failed);
}
END_TEST

START_TEST(missing_operation)
{
    STOQ_AUTO(stoq_loaded) p = NULL;
    put_plugin("p", "probe", "probe", NULL);
    ck_assert_int_eq(load_plugin("p", NULL, &p, NULL), 0);
    static const char *const messages[] = {
        "probe is not a dispatcher plugin",
        "probe is not a destination archiver plugin",
        "probe is not a source archiver plugin",
        "probe is not a decorator plugin",
        "probe is not a connector plugin",
        "probe is not a provider plugin",
    };
    struct stoq_error err[6] = {{0}};
    ck_assert_int_eq(stoq_call_dispatch(p, NULL, NULL, &reply, &err[0]), -ENOSYS);
    ck_assert_int_eq(stoq_call_archive(p, NULL, NULL, &reply, &err[1]), -ENOSYS);
    ck_assert_int_eq(stoq_call_get(p, NULL, &reply, &err[2]), -ENOSYS);
    ck_assert_int_eq(stoq_call_decorate(p, NULL, &reply, &err[3]), -ENOSYS);
    ck_assert_int_eq(stoq_call_save(p, NULL, &err[4]), -ENOSYS);
    ck_assert_int_eq(stoq_call_ingest(p, NULL, &err[5]), -ENOSYS);
    for (size_t i = 0; i < 6; i++)
        ck_assert_str_eq(err[i].message, messages[i]);
}
END_TEST

/* ------------------------------------------------------------------------- threads */

static void *
meet(void *arg)
{
    struct stoq_reply own;
    struct stoq_payload payload = {.data = ""};
    stoq_reply_init(&own, 0, 0);
    int r = stoq_call_scan(arg, &payload, NULL, &own, NULL);
    void *met = r == 0 && json_integer_value(own.results) == 1 ? arg : NULL;
    stoq_reply_fini(&own);
    return met;
}

static const struct {
    const char *built;
    bool one_instance, meets;
} models[] = {
    {"probe", true, false},          {"probe", false, false},
    {"probe_instance", true, false}, {"probe_instance", false, true},
    {"probe_parallel", true, true},  {"probe_parallel", false, true},
};

/* Two threads call at the same time; the plugin says whether they met inside. */
START_TEST(thread_model)
{
    STOQ_AUTO(stoq_loaded) a = NULL;
    STOQ_AUTO(stoq_loaded) b = NULL;
    /* one that comes late is waited for; one that must not come, for a moment */
    const char *settings[] = {"do=meet", models[_i].meets ? "count=5000" : "count=30",
                              NULL};
    put_plugin("p", models[_i].built, "probe", NULL);
    ck_assert_int_eq(load_plugin("p", settings, &a, NULL), 0);
    ck_assert_int_eq(load_plugin("p", settings, &b, NULL), 0);
    pthread_t other;
    ck_assert_int_eq(pthread_create(&other, NULL, meet, a), 0);
    bool met = meet(models[_i].one_instance ? a : b) != NULL;
    void *also = NULL;
    ck_assert_int_eq(pthread_join(other, &also), 0);
    ck_assert_int_eq(met || also, models[_i].meets);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("plugin_call");
    TCase *tc = tcase_create("call");
    tcase_add_checked_fixture(tc, begin, end);
    tcase_add_loop_test(tc, failure, 0, STOQ_ARRAY_SIZE(failures));
    tcase_add_loop_test(tc, failure_without_error_struct, 0, STOQ_ARRAY_SIZE(failures));
    tcase_add_test(tc, success_forgets_what_was_said);
    tcase_add_test(tc, deepest_allowed_result);
    tcase_add_test(tc, null_is_no_result);
    tcase_add_test(tc, options_reach_the_plugin);
    tcase_add_test(tc, soft_errors_are_text);
    tcase_add_test(tc, soft_errors_end_somewhere);
    tcase_add_test(tc, children_in_order);
    tcase_add_test(tc, children_room_exhausted);
    tcase_add_test(tc, byte_room_exhausted);
    tcase_add_test(tc, bad_children);
    tcase_add_test(tc, names_asked_for);
    tcase_add_test(tc, limits_keep_the_highest_value);
    tcase_add_test(tc, results_replace_each_other);
    tcase_add_test(tc, missing_operation);
    tcase_add_loop_test(tc, thread_model, 0, STOQ_ARRAY_SIZE(models));
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
