/* SPDX-License-Identifier: Apache-2.0 */

/* Rounds, dispatching, requirements and deduplication, seen in the document. */

#include "test_core_fixture.h"

#include <stdlib.h>
#include <string.h>

#include <stoq/plugin.h>

#include "util/auto.h"

STOQ_DEFINE_AUTO(stoq)
STOQ_DEFINE_AUTO(stoq_response)
STOQ_DEFINE_AUTO(stoq_request)

/* One scan and what three parts of its document are. */
struct row {
    const char *what;
    const char *settings[5];
    const char *text, *start;
    const char *pointer[3], *expected[3];
    enum stoq_verdict verdict;
};

static const struct row rows[] = {
    {.what = "workers run by name within a round",
     .settings = {"core.always_dispatch=hash, g_empty, entropy"},
     .text = "x",
     .start = "g_error",
     .pointer = {"/results/0/plugins_run/workers", "/errors"},
     .expected = {"[\"entropy\", \"g_empty\", \"g_error\", \"hash\"]",
                  "[{\"error\": \"soft error\", \"plugin_name\": \"g_error\", "
                  "\"payload_id\": \"p0\"}]"},
     .verdict = STOQ_VERDICT_ERROR},
    {.what = "requirements take rounds",
     .text = "x",
     .start = "g_reqa",
     .pointer = {"/results/0/plugins_run/workers", "/results/0/workers/g_reqa"},
     .expected = {"[\"g_error\", \"hash\", \"g_reqb\", \"g_reqa\"]", "{\"saw_b\": 2}"},
     .verdict = STOQ_VERDICT_ERROR},
    {.what = "a circle drops the requested worker alone",
     .text = "x",
     .start = "g_circa, entropy",
     .pointer = {"/results/0/plugins_run/workers", "/errors"},
     .expected = {"[\"entropy\"]",
                  "[{\"error\": \"RecursionError: Circular required plugin dependency "
                  "found, unable to process plugin g_circa\", \"plugin_name\": "
                  "\"g_circa\", \"payload_id\": \"p0\"}]"},
     .verdict = STOQ_VERDICT_ERROR},
    {.what = "a worker that requires itself",
     .text = "x",
     .start = "g_self",
     .pointer = {"/results/0/plugins_run/workers", "/errors/0/error"},
     .expected = {"[]", "\"RecursionError: Circular required plugin dependency found, "
                        "unable to process plugin g_self\""},
     .verdict = STOQ_VERDICT_ERROR},
    {.what = "too deep a chain",
     .settings = {"core.max_required_worker_depth=1"},
     .text = "x",
     .start = "g_reqa",
     .pointer = {"/results/0/plugins_run/workers", "/errors/0/error"},
     .expected = {"[]", "\"RecursionError: Max required plugin depth 1 reached, unable "
                        "to generate additional tasks\""},
     .verdict = STOQ_VERDICT_ERROR},
    {.what = "a missing requirement is told, and so is what waited for it",
     .text = "x",
     .start = "g_reqmissing",
     .pointer = {"/errors/0/plugin_name", "/warnings",
                 "/results/0/plugins_run/workers"},
     .expected = {"\"nosuch\"", "[\"g_reqmissing on p0 never ran: it needs nosuch\"]",
                  "[]"},
     .verdict = STOQ_VERDICT_ERROR},
    {.what = "a failed requirement releases its dependent",
     .text = "x",
     .start = "g_reqraise",
     .pointer = {"/results/0/plugins_run/workers", "/results/0/workers"},
     .expected = {"[\"g_raise\", \"g_reqraise\"]",
                  "{\"g_reqraise\": {\"ran_anyway\": true, \"raise_result\": "
                  "\"absent\"}}"},
     .verdict = STOQ_VERDICT_ERROR},
    {.what = "a worker's wish comes true in the next round",
     .settings = {"g_more.to=hash, entropy"},
     .text = "x",
     .start = "g_more",
     .pointer = {"/results/0/plugins_run/workers", "/errors"},
     .expected = {"[\"g_more\", \"entropy\", \"hash\"]", "[]"},
     .verdict = STOQ_VERDICT_CLEAN},
    {.what = "start dispatch is for roots, dispatch_to for children",
     .settings = {"g_split.dispatch_to=entropy"},
     .text = "a|b",
     .start = "g_split",
     .pointer = {"/results/0/plugins_run/workers", "/results/1/plugins_run/workers",
                 "/results/2/payload_meta"},
     .expected = {"[\"g_split\"]", "[\"entropy\"]",
                  "{\"should_archive\": true, \"should_scan\": true, \"extra_data\": "
                  "{\"piece\": 1}, \"dispatch_to\": [\"entropy\"]}"},
     .verdict = STOQ_VERDICT_CLEAN},
    {.what = "a child that is not to be scanned",
     .settings = {"core.always_dispatch=g_split", "g_split.should_scan=False",
                  "g_split.dispatch_to=entropy"},
     .text = "a|b",
     .start = "",
     .pointer = {"/results/1/plugins_run/workers",
                 "/results/1/payload_meta/should_scan",
                 "/results/1/payload_meta/dispatch_to"},
     .expected = {"[]", "false", "[\"entropy\"]"},
     .verdict = STOQ_VERDICT_CLEAN},
    {.what = "equal children are one payload with two origins",
     .settings = {"core.always_dispatch=g_split"},
     .text = "a|a|b",
     .start = "",
     .pointer = {"/results/1/extracted_by", "/results/1/extracted_from",
                 "/results/1/payload_meta/extra_data"},
     .expected = {"[\"g_split\", \"g_split\"]", "[\"p0\", \"p0\"]", "{\"piece\": 0}"},
     .verdict = STOQ_VERDICT_CLEAN},
    {.what = "a dispatcher's soft error is a warning and a fault",
     .settings = {"core.dispatchers=g_disp"},
     .text = "x",
     .start = "",
     .pointer = {"/errors", "/warnings", "/results/0/plugins_run/workers"},
     .expected = {"[]", "[\"g_disp on p0: dispatcher soft error\"]", "[\"hash\"]"},
     .verdict = STOQ_VERDICT_ERROR},
    {.what = "a dispatcher that fails is told in every round",
     .settings = {"core.dispatchers=g_disp", "g_disp.raise=True"},
     .text = "x",
     .start = "hash",
     .pointer = {"/errors/0/error", "/errors/1/error", "/errors/2"},
     .expected = {"\"dispatcher:failed to dispatch: RuntimeError: dispatch boom\"",
                  "\"dispatcher:failed to dispatch: RuntimeError: dispatch boom\"",
                  "(none)"},
     .verdict = STOQ_VERDICT_ERROR},
    {.what = "an unknown worker",
     .text = "x",
     .start = "nosuch, hash",
     .pointer = {"/errors", "/results/0/plugins_run/workers"},
     .expected = {"[{\"error\": \"Worker plugin nosuch failed to load: "
                  "stoq.exceptions.StoqPluginNotFound: The plugin \\\"nosuch\\\" is "
                  "invalid or does not exist in your plugin path\", \"plugin_name\": "
                  "\"nosuch\", \"payload_id\": \"p0\"}]",
                  "[\"hash\"]"},
     .verdict = STOQ_VERDICT_ERROR},
    {.what = "a worker whose opening fails",
     .text = "x",
     .start = "g_badinit",
     .pointer = {"/errors/0/error"},
     .expected = {"\"Worker plugin g_badinit failed to load: "
                  "stoq.exceptions.StoqPluginException: init failed\""},
     .verdict = STOQ_VERDICT_ERROR},
    {.what = "a plugin that is no worker",
     .text = "x",
     .start = "g_deco",
     .pointer = {"/errors/0/error", "/results/0/plugins_run/workers"},
     .expected = {"\"worker:failed to scan: g_deco is not a worker plugin\"",
                  "[\"g_deco\"]"},
     .verdict = STOQ_VERDICT_ERROR},
    {.what = "names are stripped once and for all",
     .settings = {"core.always_dispatch= hash "},
     .text = "x",
     .start = "hash",
     .pointer = {"/results/0/plugins_run/workers"},
     .expected = {"[\"hash\"]"},
     .verdict = STOQ_VERDICT_CLEAN},
    {.what = "archivers then decorators, and their soft errors",
     .settings = {"core.dest_archivers=g_arch", "core.decorators=g_deco"},
     .text = "abc",
     .start = "hash",
     .pointer = {"/results/0/archivers", "/decorators", "/errors"},
     .expected = {"{\"g_arch\": {\"size\": 3}}", "{\"g_deco\": {\"payloads\": 1}}",
                  "[{\"error\": \"arch soft\", \"plugin_name\": \"g_arch\", "
                  "\"payload_id\": \"p0\"}, {\"error\": \"deco soft\", "
                  "\"plugin_name\": \"g_deco\", \"payload_id\": null}]"},
     .verdict = STOQ_VERDICT_CLEAN},
    {.what = "failing archivers and decorators do not change the verdict",
     .settings = {"core.dest_archivers=g_arch", "core.decorators=g_deco",
                  "g_arch.raise=True", "g_deco.raise=True"},
     .text = "abc",
     .start = "hash",
     .pointer = {"/results/0/plugins_run/archivers", "/decorators", "/errors"},
     .expected = {"[\"g_arch\"]", "{}",
                  "[{\"error\": \"archiver:failed to archive: OSError: archive boom\", "
                  "\"plugin_name\": \"g_arch\", \"payload_id\": \"p0\"}, {\"error\": "
                  "\"decorator: RuntimeError: deco boom\", \"plugin_name\": "
                  "\"g_deco\", \"payload_id\": null}]"},
     .verdict = STOQ_VERDICT_CLEAN},
};

START_TEST(test_row)
{
    const struct row *row = &rows[_i];
    STOQ_AUTO(stoq) stoq = engine_with(row->settings);
    STOQ_AUTO(stoq_response) r = scan_text(stoq, row->text, row->start);
    for (size_t i = 0; i < 3 && row->pointer[i]; i++) {
        STOQ_AUTOFREE char *text = part(r, row->pointer[i]);
        ck_assert_msg(strcmp(text ? text : "(none)", row->expected[i]) == 0,
                      "%s: %s is %s", row->what, row->pointer[i],
                      text ? text : "(none)");
    }
    ck_assert_msg(stoq_response_verdict(r) == row->verdict, "%s: verdict %s", row->what,
                  stoq_verdict_name(stoq_response_verdict(r)));
}
END_TEST

static struct stoq_payload *
payload(const char *text)
{
    struct stoq_payload *p = NULL;
    ck_assert_int_eq(stoq_payload_new(text, strlen(text), NULL, &p, NULL), 0);
    return p;
}

/* Roots are never joined; a child equal to two roots belongs to both. */
START_TEST(test_equal_roots)
{
    STOQ_AUTO(stoq) stoq = ENGINE("core.always_dispatch=g_split");
    STOQ_AUTO(stoq_request) request = NULL;
    ck_assert_int_eq(stoq_request_new("multi", NULL, true, &request, NULL), 0);
    ck_assert_int_eq(stoq_request_add(request, payload("same"), NULL), 0);
    ck_assert_int_eq(stoq_request_add(request, payload("same"), NULL), 0);
    ck_assert_int_eq(stoq_request_add(request, payload("same|other"), NULL), 0);
    STOQ_AUTO(stoq_response) r = NULL;
    ck_assert_int_eq(stoq_scan_request(stoq, request, NULL, &r, NULL), 0);
    ck_assert_uint_eq(stoq_request_count(request), 4);
    CHECK_PART(r, "/results/0/extracted_from", "[\"p2\"]");
    CHECK_PART(r, "/results/1/extracted_from", "[\"p2\"]");
    CHECK_PART(r, "/results/2/extracted_from", "[]");
    CHECK_PART(r, "/results/3/extracted_from", "[\"p2\"]");
    CHECK_PART(r, "/results/3/size", "5");
    CHECK_PART(
        r, "/request_meta",
        "{\"archive_payloads\": true, \"source\": \"multi\", \"extra_data\": {}}");
}
END_TEST

/* A child equal to its own parent ends the scan, with a circle in extracted_from. */
START_TEST(test_child_equals_parent)
{
    STOQ_AUTO(stoq)
    stoq = ENGINE("core.always_dispatch=simple_worker", "simple_worker.extract=loop");
    STOQ_AUTO(stoq_response) r = scan_text(stoq, "loop", "");
    CHECK_PART(r, "/results/0/extracted_from", "[\"p0\"]");
    CHECK_PART(r, "/results/1", "(none)");
    ck_assert_int_eq(stoq_response_verdict(r), STOQ_VERDICT_CLEAN);
}
END_TEST

/* stoQ loses what the second of two equal children was due; here it runs. */
START_TEST(test_duplicate_keeps_wishes)
{
    STOQ_AUTO(stoq)
    stoq = ENGINE("core.always_dispatch=g_split, simple_worker",
                  "simple_worker.extract=a", "g_split.dispatch_to=hash");
    STOQ_AUTO(stoq_response) r = scan_text(stoq, "a|b", "");
    /* g_split's child came first by name and simple_worker's equal one joined it. */
    CHECK_PART(
        r, "/results/1/extracted_by",
        "[\"g_split\", \"simple_worker\", \"simple_worker\", \"simple_worker\"]");
    CHECK_PART(r, "/results/1/plugins_run/workers",
               "[\"g_split\", \"hash\", \"simple_worker\"]");
}
END_TEST

/* The conditional dispatcher asks for simple_worker once dummy_worker has run. */
START_TEST(test_conditional_dispatch)
{
    STOQ_AUTO(stoq) stoq = ENGINE("core.dispatchers=conditional_dispatcher");
    STOQ_AUTO(stoq_response) r = scan_text(stoq, "x", "dummy_worker");
    CHECK_PART(r, "/results/0/plugins_run/workers",
               "[\"dummy_worker\", \"simple_worker\"]");
    CHECK_PART(r, "/results/1/extracted_from", "[\"p0\", \"p1\"]");
}
END_TEST

START_TEST(test_request_is_used_up)
{
    STOQ_AUTO(stoq) stoq = ENGINE("core.always_dispatch=hash");
    STOQ_AUTO(stoq_request) request = NULL;
    ck_assert_int_eq(stoq_request_new(NULL, NULL, true, &request, NULL), 0);
    ck_assert_int_eq(stoq_request_add(request, payload("x"), NULL), 0);
    STOQ_AUTO(stoq_response) r = NULL;
    STOQ_AUTO(stoq_response) again = NULL;
    ck_assert_int_eq(stoq_scan_request(stoq, request, NULL, &r, NULL), 0);
    ck_assert_int_eq(stoq_scan_request(stoq, request, NULL, &again, NULL), -EINVAL);
    ck_assert_ptr_null(again);
    ck_assert_int_eq(stoq_request_add(request, payload("y"), NULL), -EINVAL);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, test_row, 0, (int)STOQ_ARRAY_SIZE(rows));
    tcase_add_test(tc, test_equal_roots);
    tcase_add_test(tc, test_child_equals_parent);
    tcase_add_test(tc, test_duplicate_keeps_wishes);
    tcase_add_test(tc, test_conditional_dispatch);
    tcase_add_test(tc, test_request_is_used_up);
}

int
main(void)
{
    return run_suite("core_rounds", fill);
}
