/* SPDX-License-Identifier: Apache-2.0 */

/* Limits, what they are called in the document, and verdicts. */

#include "test_core_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "core/engine.h"
#include "core/scan.h"
#include "util/auto.h"
#include "util/json.h"

STOQ_DEFINE_AUTO(stoq)
STOQ_DEFINE_AUTO(stoq_response)

struct row {
    const char *what;
    const char *settings[6];
    const char *text, *start;
    const char *hits, *errors;
    enum stoq_verdict verdict;
    size_t payloads;
};

#define LIMIT_ERROR(worker, payload)                                            \
    "[{\"error\": \"worker:failed to scan: a limit of the scan was reached\", " \
    "\"plugin_name\": \"" worker "\", \"payload_id\": \"" payload "\"}]"

static const struct row rows[] = {
    {.what = "nothing hit",
     .settings = {"core.always_dispatch=g_peel"},
     .text = "abc",
     .start = "",
     .hits = "[]",
     .errors = "[]",
     .verdict = STOQ_VERDICT_CLEAN,
     .payloads = 3},
    {.what = "rounds",
     .settings = {"core.always_dispatch=g_peel", "core.max_recursion=2"},
     .text = "abcdef",
     .start = "",
     .hits = "[{\"name\": \"max_recursion\", \"value\": 2, \"payload_id\": \"p2\"}]",
     .errors = "[{\"error\": \"Final worker round (2) reached, unable to process "
               "payload\", \"plugin_name\": null, \"payload_id\": \"p2\"}]",
     .verdict = STOQ_VERDICT_PARTIAL,
     .payloads = 3},
    {.what = "rounds, with work left on a payload",
     .settings = {"core.max_recursion=1"},
     .text = "x",
     .start = "g_more",
     .hits = "[{\"name\": \"max_recursion\", \"value\": 1, \"payload_id\": \"p0\"}]",
     .errors = "[]",
     .verdict = STOQ_VERDICT_PARTIAL,
     .payloads = 1},
    {.what = "all rounds used and nothing left",
     .settings = {"core.max_recursion=1"},
     .text = "x",
     .start = "hash",
     .hits = "[]",
     .errors = "[]",
     .verdict = STOQ_VERDICT_CLEAN,
     .payloads = 1},
    {.what = "depth",
     .settings = {"core.always_dispatch=g_peel", "limits.depth=1"},
     .text = "abcdef",
     .start = "",
     .hits = "[{\"name\": \"depth\", \"value\": 1, \"payload_id\": \"p2\"}]",
     .errors = "[]",
     .verdict = STOQ_VERDICT_PARTIAL,
     .payloads = 3},
    {.what = "children",
     .settings = {"limits.children=2"},
     .text = "a|b|c",
     .start = "g_split",
     .hits = "[{\"name\": \"children\", \"value\": 2, \"payload_id\": \"p0\"}]",
     .errors = LIMIT_ERROR("g_split", "p0"),
     .verdict = STOQ_VERDICT_PARTIAL,
     .payloads = 1},
    {.what = "extracted bytes",
     .settings = {"limits.extracted_bytes=4"},
     .text = "abc|def",
     .start = "g_split",
     .hits = "[{\"name\": \"extracted_bytes\", \"value\": 4, \"payload_id\": \"p0\"}]",
     .errors = LIMIT_ERROR("g_split", "p0"),
     .verdict = STOQ_VERDICT_PARTIAL,
     .payloads = 1},
    {.what = "extracted bytes over several calls",
     .settings = {"limits.extracted_bytes=6", "core.always_dispatch=g_peel"},
     .text = "abcde",
     .start = "",
     .hits = "[{\"name\": \"extracted_bytes\", \"value\": 6, \"payload_id\": \"p1\"}]",
     .errors = LIMIT_ERROR("g_peel", "p1"),
     .verdict = STOQ_VERDICT_PARTIAL,
     .payloads = 2},
    {.what = "root too large: not scanned",
     .settings = {"core.always_dispatch=hash", "limits.bytes=3"},
     .text = "abcd",
     .start = "entropy",
     .hits = "[{\"name\": \"bytes\", \"value\": 3, \"payload_id\": \"p0\"}]",
     .errors = "[]",
     .verdict = STOQ_VERDICT_SKIPPED,
     .payloads = 1},
    {.what = "flagged beats everything",
     .settings = {"policy.flag=g_peel:/len", "core.always_dispatch=g_peel",
                  "core.max_recursion=1"},
     .text = "abcd",
     .start = "g_raise",
     .hits = "[{\"name\": \"max_recursion\", \"value\": 1, \"payload_id\": \"p1\"}]",
     .errors = "[{\"error\": \"worker:failed to scan: ValueError: boom: \\\"quoted\\\" "
               "and é\", \"plugin_name\": \"g_raise\", \"payload_id\": \"p0\"}, "
               "{\"error\": \"Final worker round (1) reached, unable to process "
               "payload\", \"plugin_name\": null, \"payload_id\": \"p1\"}]",
     .verdict = STOQ_VERDICT_FLAGGED,
     .payloads = 2},
    {.what = "error beats partial",
     .settings = {"core.always_dispatch=g_peel", "limits.depth=1"},
     .text = "abcd",
     .start = "g_error",
     .hits = "[{\"name\": \"depth\", \"value\": 1, \"payload_id\": \"p2\"}]",
     .errors = "[{\"error\": \"soft error\", \"plugin_name\": \"g_error\", "
               "\"payload_id\": \"p0\"}]",
     .verdict = STOQ_VERDICT_ERROR,
     .payloads = 3},
};

START_TEST(test_row)
{
    const struct row *row = &rows[_i];
    STOQ_AUTO(stoq) stoq = engine_with(row->settings);
    STOQ_AUTO(stoq_response) r = scan_text(stoq, row->text, row->start);
    STOQ_AUTOFREE char *hits = part(r, "/limits_hit");
    STOQ_AUTOFREE char *errors = part(r, "/errors");
    STOQ_AUTOFREE char *verdict = part(r, "/verdict");
    ck_assert_msg(strcmp(hits, row->hits) == 0, "%s: %s", row->what, hits);
    ck_assert_msg(strcmp(errors, row->errors) == 0, "%s: %s", row->what, errors);
    ck_assert_msg(stoq_response_verdict(r) == row->verdict, "%s: %s", row->what,
                  verdict);
    ck_assert_uint_eq(
        json_array_size(json_object_get(stoq_response_document(r), "results")),
        row->payloads);
    ck_assert_uint_eq(strlen(verdict), strlen(stoq_verdict_name(row->verdict)) + 2);
}
END_TEST

/* 4 KiB of root at least, so ratio 1 allows 4096 bytes. */
START_TEST(test_ratio)
{
    STOQ_AUTO(stoq) stoq = ENGINE("core.always_dispatch=g_peel", "limits.ratio=1");
    char text[3001];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    STOQ_AUTO(stoq_response) r = scan_text(stoq, text, "");
    CHECK_PART(r, "/limits_hit",
               "[{\"name\": \"ratio\", \"value\": 1, \"payload_id\": \"p1\"}]");
    ck_assert_int_eq(stoq_response_verdict(r), STOQ_VERDICT_PARTIAL);
}
END_TEST

START_TEST(test_root_not_to_be_scanned)
{
    STOQ_AUTO(stoq) stoq = ENGINE("core.always_dispatch=hash");
    struct stoq_payload_meta meta = STOQ_PAYLOAD_META_INIT;
    meta.no_scan = true;
    STOQ_AUTO(stoq_response) r = NULL;
    ck_assert_int_eq(stoq_scan(stoq, "x", 1, &meta, NULL, &r, NULL), 0);
    ck_assert_int_eq(stoq_response_verdict(r), STOQ_VERDICT_SKIPPED);
    ck_assert(!stoq_response_reusable(r));
    CHECK_PART(r, "/results/0/plugins_run/workers", "[]");
}
END_TEST

START_TEST(test_deadline)
{
    STOQ_AUTO(stoq) stoq = ENGINE("core.always_dispatch=g_peel");
    struct stoq_request *request = NULL;
    struct stoq_payload *payload = NULL;
    STOQ_AUTOFREE char *big = calloc(1, 16 << 20);
    ck_assert_int_eq(stoq_payload_new(big, 16 << 20, NULL, &payload, NULL), 0);
    ck_assert_int_eq(stoq_request_new(NULL, NULL, true, &request, NULL), 0);
    ck_assert_int_eq(stoq_request_add(request, payload, NULL), 0);
    stoq_request_set_deadline(request, 1);
    STOQ_AUTO(stoq_response) r = NULL;
    ck_assert_int_eq(stoq_engine_scan(stoq, request, NULL, &r, NULL), 0);
    ck_assert_int_eq(stoq_response_verdict(r), STOQ_VERDICT_TIMEOUT);
    CHECK_PART(r, "/limits_hit/0/name", "\"deadline_ms\"");
    CHECK_PART(r, "/limits_hit/0/value", "1");
    ck_assert(!stoq_response_reusable(r));
    stoq_request_free(request);
}
END_TEST

/* ------------------------------------------------------------------- verdicts */

static const struct {
    unsigned faults;
    bool flagged;
    enum stoq_verdict verdict;
} verdicts[] = {
    {0, false, STOQ_VERDICT_CLEAN},
    {STOQ_FAULT_SKIP, false, STOQ_VERDICT_SKIPPED},
    {STOQ_FAULT_LIMIT, false, STOQ_VERDICT_PARTIAL},
    {STOQ_FAULT_LIMIT | STOQ_FAULT_SKIP, false, STOQ_VERDICT_PARTIAL},
    {STOQ_FAULT_ERROR | STOQ_FAULT_LIMIT, false, STOQ_VERDICT_ERROR},
    {STOQ_FAULT_TIMEOUT | STOQ_FAULT_ERROR | STOQ_FAULT_LIMIT, false,
     STOQ_VERDICT_TIMEOUT},
    {0, true, STOQ_VERDICT_FLAGGED},
    {15, true, STOQ_VERDICT_FLAGGED},
};

START_TEST(test_verdict_table)
{
    ck_assert_int_eq(stoq_verdict_of(verdicts[_i].faults, verdicts[_i].flagged),
                     verdicts[_i].verdict);
}
END_TEST

/* Which values at a pointer flag. */
static const struct {
    const char *pointer, *result;
    bool flags;
} values[] = {
    {"/matches", "{\"matches\": [1]}", true},
    {"/matches", "{\"matches\": []}", false},
    {"/matches", "{\"matches\": {}}", false},
    {"/matches", "{\"matches\": \"\"}", false},
    {"/matches", "{\"matches\": \"x\"}", true},
    {"/matches", "{\"matches\": null}", false},
    {"/matches", "{\"matches\": false}", false},
    {"/matches", "{\"matches\": true}", true},
    {"/matches", "{\"matches\": 0}", true},
    {"/matches", "{\"matches\": 0.0}", true},
    {"/matches", "{}", false},
    {"/matches", "[1]", false},
    {"", "{\"a\": null}", true},
    {"", "{}", false},
    {"/a/1/b", "{\"a\": [0, {\"b\": 1}]}", true},
    {"/a/2/b", "{\"a\": [0, {\"b\": 1}]}", false},
    {"/a/-", "{\"a\": [1]}", false},
    {"/a/1x", "{\"a\": [1, 2]}", false},
    {"/a~1b", "{\"a/b\": 1}", true},
    {"/m~0n", "{\"m~n\": 1}", true},
    {"/~01", "{\"~1\": 1}", true},
    {"/", "{\"\": 1}", true},
    {"a", "{\"a\": 1}", false},
};

START_TEST(test_flag_values)
{
    char worker[] = "w";
    STOQ_AUTOFREE char *pointer = strdup(values[_i].pointer);
    struct stoq_flag_rule rule = {.worker = worker, .pointer = pointer};
    const struct stoq_policy policy = {.flags = &rule, .flag_count = 1};
    json_t *result = json_loads(values[_i].result, 0, NULL);
    json_t *results =
        json_pack("[{s:s, s:{s:o}}]", "payload_id", "id", "workers", "w", result);
    ck_assert_ptr_nonnull(results);
    json_t *flags = stoq_verdict_flags(&policy, results);
    ck_assert_uint_eq(json_array_size(flags), values[_i].flags ? 1 : 0);
    if (values[_i].flags) {
        STOQ_AUTOFREE char *text = stoq_json_dump(json_array_get(flags, 0), false);
        STOQ_AUTOFREE char *expected = NULL;
        ck_assert_int_ge(asprintf(&expected,
                                  "{\"worker\": \"w\", \"payload_id\": \"id\", "
                                  "\"pointer\": \"%s\"}",
                                  pointer),
                         0);
        ck_assert_str_eq(text, expected);
    }
    json_decref(flags);
    json_decref(results);
}
END_TEST

/* ----------------------------------------------------------- response_bytes */

static uint64_t
text_size(const struct stoq_response *r)
{
    STOQ_AUTOFREE char *text = stoq_response_text(r, false);
    return strlen(text);
}

START_TEST(test_trim_drops_largest_first)
{
    STOQ_AUTO(stoq)
    free_engine = ENGINE("core.always_dispatch=hash, entropy", "policy.flag=hash:/md5");
    STOQ_AUTO(stoq_response) whole = scan_text(free_engine, "abc", "");
    char limit[64];
    (void)snprintf(limit, sizeof(limit), "limits.response_bytes=%llu",
                   (unsigned long long)text_size(whole) - 10);
    STOQ_AUTO(stoq)
    stoq = ENGINE("core.always_dispatch=hash, entropy", "policy.flag=hash:/md5", limit);
    STOQ_AUTO(stoq_response) r = scan_text(stoq, "abc", "");
    ck_assert_uint_lt(text_size(r), text_size(whole) - 10);
    CHECK_PART(r, "/results/0/workers/hash", "(none)");
    CHECK_PART(r, "/results/0/workers/entropy", "{\"entropy\": 1.584962500721156}");
    CHECK_PART(r, "/results/0/plugins_run/workers", "[\"entropy\", \"hash\"]");
    CHECK_PART(r, "/limits_hit/0/name", "\"response_bytes\"");
    CHECK_PART(r, "/limits_hit/0/payload_id", "\"p0\"");
    /* What was seen before it was dropped still counts. */
    ck_assert_int_eq(stoq_response_verdict(r), STOQ_VERDICT_FLAGGED);
}
END_TEST

START_TEST(test_trim_makes_partial)
{
    STOQ_AUTO(stoq)
    stoq = ENGINE("core.always_dispatch=hash", "limits.response_bytes=1");
    STOQ_AUTO(stoq_response) r = scan_text(stoq, "abc", "");
    CHECK_PART(r, "/results/0/workers", "{}");
    CHECK_PART(r, "/verdict", "\"partial\"");
    ck_assert_int_eq(stoq_response_verdict(r), STOQ_VERDICT_PARTIAL);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, test_row, 0, (int)STOQ_ARRAY_SIZE(rows));
    tcase_add_test(tc, test_ratio);
    tcase_add_test(tc, test_root_not_to_be_scanned);
    tcase_add_test(tc, test_deadline);
    tcase_add_loop_test(tc, test_verdict_table, 0, (int)STOQ_ARRAY_SIZE(verdicts));
    tcase_add_loop_test(tc, test_flag_values, 0, (int)STOQ_ARRAY_SIZE(values));
    tcase_add_test(tc, test_trim_drops_largest_first);
    tcase_add_test(tc, test_trim_makes_partial);
}

int
main(void)
{
    return run_suite("core_limits", fill);
}
