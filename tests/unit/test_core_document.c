/* SPDX-License-Identifier: Apache-2.0 */

/* Documents: exact keys and their order, split, reconstruct, and the way from a scanner
 * to the courier and back. */

#include "test_core_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <stoq/plugin.h>

#include "core/engine.h"
#include "core/verdict.h"
#include "util/auto.h"
#include "util/io.h"
#include "util/json.h"

STOQ_DEFINE_AUTO(stoq)
STOQ_DEFINE_AUTO(stoq_response)
STOQ_DEFINE_AUTO(stoq_request)

#define MD5_SHA1_OF_X                                           \
    "\"md5\": \"9dd4e461268c8034f5c8564e155c67a6\", \"sha1\": " \
    "\"11f6ad8ec52a2984abaafd7c3b516503785c2072\""
#define SHA256_OF_X "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"

START_TEST(test_whole_document)
{
    STOQ_AUTO(stoq) stoq = ENGINE("core.always_dispatch=hash", "policy.flag=hash:/md5");
    json_t *extra = json_pack("{s:s}", "source_dir", "/in");
    struct stoq_payload_meta meta = STOQ_PAYLOAD_META_INIT;
    meta.extra_data = extra;
    meta.filename = "na\xefve";
    STOQ_AUTO(stoq_response) r = NULL;
    ck_assert_int_eq(stoq_scan(stoq, "x", 1, &meta, NULL, &r, NULL), 0);
    json_decref(extra);
    CHECK_PART(
        r, "",
        "{\"results\": [{\"size\": 1, \"payload_id\": \"p0\", \"payload_meta\": "
        "{\"should_archive\": true, \"should_scan\": true, \"extra_data\": "
        "{\"filename\": \"naïve\", \"filename_b64\": \"bmHvdmU=\", \"source_dir\": "
        "\"/in\"}, \"dispatch_to\": []}, \"plugins_run\": {\"workers\": [\"hash\"], "
        "\"archivers\": []}, \"extracted_from\": [], \"extracted_by\": [], "
        "\"workers\": "
        "{\"hash\": {\"sha256\": \"" SHA256_OF_X "\", " MD5_SHA1_OF_X "}}, "
        "\"archivers\": {}}], \"request_meta\": {\"archive_payloads\": true, "
        "\"source\": "
        "null, \"extra_data\": {}}, \"errors\": [], \"time\": \"T\", \"decorators\": "
        "{}, "
        "\"scan_id\": \"S\", \"schema_version\": 1, \"verdict\": \"flagged\", "
        "\"limits_hit\": [], \"flagged_by\": [{\"worker\": \"hash\", \"payload_id\": "
        "\"p0\", \"pointer\": \"/md5\"}], \"warnings\": [], \"engine\": {\"id\": "
        "\"E\", "
        "\"version\": \"" STOQ_TEST_VERSION "\"}}");
}
END_TEST

/* duration_ms stands last in both places and has the worker's name. */
START_TEST(test_durations)
{
    STOQ_AUTO(stoq) stoq = ENGINE("core.always_dispatch=hash");
    STOQ_AUTO(stoq_response) r = scan_text(stoq, "x", "");
    const json_t *doc = stoq_response_document(r);
    const json_t *entry = json_array_get(json_object_get(doc, "results"), 0);
    const char *last = NULL;
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)doc, key, value) {
        last = key;
    }
    ck_assert_str_eq(last, "duration_ms");
    json_object_foreach ((json_t *)(uintptr_t)entry, key, value) {
        last = key;
    }
    ck_assert_str_eq(last, "duration_ms");
    const json_t *ms = json_object_get(json_object_get(entry, "duration_ms"), "hash");
    ck_assert(json_is_real(ms));
    ck_assert_double_ge(json_real_value(json_object_get(doc, "duration_ms")),
                        json_real_value(ms));
}
END_TEST

START_TEST(test_filename)
{
    struct stoq_payload *p = NULL;
    struct stoq_payload_meta meta = STOQ_PAYLOAD_META_INIT;
    json_t *extra = json_pack("{s:n}", "filename");
    meta.extra_data = extra;
    meta.filename = "given";
    meta.path = "/a/given";
    meta.owner = "me";
    ck_assert_int_eq(stoq_payload_new("", 0, &meta, &p, NULL), 0);
    ck_assert(json_is_null(json_object_get(stoq_payload_extra_data(p), "filename")));
    ck_assert_str_eq(stoq_payload_filename(p), "given");
    ck_assert_str_eq(stoq_payload_path(p), "/a/given");
    ck_assert_str_eq(stoq_payload_owner(p), "me");
    size_t size = 7;
    ck_assert_ptr_nonnull(stoq_payload_data(p, &size));
    ck_assert_uint_eq(size, 0);
    json_decref(extra);
    stoq_payload_free(p);
}
END_TEST

START_TEST(test_bad_metadata)
{
    struct stoq_payload *p = NULL;
    struct stoq_request *request = NULL;
    json_t *array = json_array();
    struct stoq_payload_meta meta = STOQ_PAYLOAD_META_INIT;
    meta.extra_data = array;
    ck_assert_int_eq(stoq_payload_new("", 0, &meta, &p, NULL), -EINVAL);
    meta = (struct stoq_payload_meta){0};
    ck_assert_int_eq(stoq_payload_new("", 0, &meta, &p, NULL), -EINVAL);
    ck_assert_int_eq(stoq_request_new(NULL, array, true, &request, NULL), -EINVAL);
    ck_assert_ptr_null(p);
    ck_assert_ptr_null(request);
    json_decref(array);
}
END_TEST

static const char *
string_at(const json_t *json, const char *pointer)
{
    return json_string_value(stoq_json_pointer(json, pointer));
}

START_TEST(test_split)
{
    STOQ_AUTO(stoq) stoq = ENGINE("core.always_dispatch=hash, g_split");
    STOQ_AUTO(stoq_response) r = scan_text(stoq, "aa|bb", "");
    json_t *pieces = stoq_response_split(r);
    static const char *const workers[] = {"g_split", "hash"};
    ck_assert_uint_eq(json_array_size(pieces), 6);
    for (size_t i = 0; i < 6; i++) {
        const json_t *piece = json_array_get(pieces, i);
        const json_t *entry = json_array_get(json_object_get(piece, "results"), 0);
        const json_t *left = json_object_get(entry, "workers");
        ck_assert_uint_eq(json_array_size(json_object_get(piece, "results")), 1);
        ck_assert_uint_eq(json_object_size(left), 1);
        ck_assert_ptr_nonnull(json_object_get(left, workers[i % 2]));
        ck_assert_uint_eq(
            json_array_size(stoq_json_pointer(entry, "/plugins_run/workers")), 2);
        ck_assert_str_eq(string_at(piece, "/scan_id"), stoq_response_scan_id(r));
    }
    json_decref(pieces);
    STOQ_AUTO(stoq_response) empty = scan_text(stoq, "", "");
    json_t *some = stoq_response_split(empty);
    ck_assert_uint_eq(json_array_size(some), 2);
    json_decref(some);
}
END_TEST

START_TEST(test_reconstruct)
{
    STOQ_AUTO(stoq)
    stoq = ENGINE("core.always_dispatch=g_peel, g_error", "core.decorators=g_deco");
    STOQ_AUTO(stoq_response) r = scan_text(stoq, "abc", "");
    size_t errors =
        json_array_size(json_object_get(stoq_response_document(r), "errors"));
    json_t *trees = NULL;
    ck_assert_int_eq(stoq_response_reconstruct(stoq, r, &trees, NULL), 0);
    ck_assert_uint_eq(json_array_size(trees), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *tree = json_array_get(trees, i);
        const json_t *results = json_object_get(tree, "results");
        ck_assert_uint_eq(json_array_size(results), 3 - i);
        ck_assert_int_eq(json_integer_value(stoq_json_pointer(results, "/0/size")),
                         (json_int_t)(3 - i));
        ck_assert_int_eq(
            json_integer_value(stoq_json_pointer(tree, "/decorators/g_deco/payloads")),
            (json_int_t)(3 - i));
        /* The scan's errors are kept, the decorator adds its own again. */
        ck_assert_uint_eq(json_array_size(json_object_get(tree, "errors")), errors + 1);
        ck_assert_str_eq(string_at(tree, "/time"),
                         string_at(stoq_response_document(r), "/time"));
    }
    ck_assert_uint_eq(
        json_array_size(json_object_get(stoq_response_document(r), "errors")), errors);
    json_decref(trees);
}
END_TEST

/* -------------------------------------------- from the scanner to the courier */

/* Scan without archivers, as a scanner does; the text is what travels. */
static char *
scanned_text(const char *bytes)
{
    STOQ_AUTO(stoq) scanner = ENGINE("core.always_dispatch=g_split");
    STOQ_AUTO(stoq_request) request = NULL;
    STOQ_AUTO(stoq_response) r = NULL;
    struct stoq_payload *p = NULL;
    struct stoq_payload_meta meta = STOQ_PAYLOAD_META_INIT;
    meta.filename = "n\xe9";
    ck_assert_int_eq(stoq_payload_new(bytes, strlen(bytes), &meta, &p, NULL), 0);
    ck_assert_int_eq(stoq_request_new("src", NULL, true, &request, NULL), 0);
    ck_assert_int_eq(stoq_request_add(request, p, NULL), 0);
    ck_assert_int_eq(stoq_engine_scan(scanner, request, NULL, &r, NULL), 0);
    return stoq_response_text(r, false);
}

START_TEST(test_finish_elsewhere)
{
    STOQ_AUTOFREE char *text = scanned_text("ab|cde");
    STOQ_AUTO(stoq)
    courier = ENGINE("core.dest_archivers=g_arch", "core.decorators=g_deco");
    STOQ_AUTO(stoq_response) r = NULL;
    STOQ_AUTO(stoq_request) request = NULL;
    ck_assert_int_eq(stoq_response_parse(text, strlen(text), &r, NULL), 0);
    ck_assert_ptr_null(stoq_response_sha256(r));
    ck_assert(!stoq_response_reusable(r));
    ck_assert_int_eq(stoq_request_restore(r, &request, NULL), 0);
    ck_assert_uint_eq(stoq_request_count(request), 3);
    ck_assert_str_eq(stoq_payload_filename(stoq_request_payload(request, 0)), "n\xe9");
    ck_assert_ptr_null(stoq_request_payload(request, 3));

    STOQ_AUTOCLOSE int fd = stoq_memfd("content", "ab|cde", 6);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(stoq_payload_set_content(request, 0, fd, 0, 6, NULL), 0);
    ck_assert_int_eq(stoq_payload_set_content(request, 1, fd, 0, 2, NULL), 0);
    /* Not as many bytes as the document says, and no such payload. */
    ck_assert_int_eq(stoq_payload_set_content(request, 2, fd, 0, 2, NULL), -EINVAL);
    ck_assert_int_eq(stoq_payload_set_content(request, 2, fd, 4, 3, NULL), -ENODATA);
    ck_assert_int_eq(stoq_payload_set_content(request, 9, fd, 0, 6, NULL), -ERANGE);
    size_t size;
    ck_assert_mem_eq(stoq_payload_data(stoq_request_payload(request, 1), &size), "ab",
                     2);
    ck_assert(stoq_payload_should_archive(request, 2));
    ck_assert(!stoq_payload_should_archive(request, 3));

    ck_assert_int_eq(stoq_engine_finish(courier, request, r, NULL), 0);
    CHECK_PART(r, "/results/0/archivers", "{\"g_arch\": {\"size\": 6}}");
    CHECK_PART(r, "/results/1/archivers", "{\"g_arch\": {\"size\": 2}}");
    CHECK_PART(r, "/results/2/archivers", "{}");
    CHECK_PART(
        r, "/errors/2/error",
        "\"archiver:failed to archive: the payload's content is not available\"");
    CHECK_PART(r, "/decorators", "{\"g_deco\": {\"payloads\": 3}}");
    ck_assert_int_eq(stoq_response_verdict(r), STOQ_VERDICT_CLEAN);

    /* Finishing again archives nothing twice. */
    ck_assert_int_eq(stoq_engine_finish(courier, request, r, NULL), 0);
    CHECK_PART(r, "/results/0/plugins_run/archivers", "[\"g_arch\"]");
}
END_TEST

START_TEST(test_round_trip_is_exact)
{
    STOQ_AUTOFREE char *text = scanned_text("ab|cde");
    STOQ_AUTO(stoq_response) r = NULL;
    ck_assert_int_eq(stoq_response_parse(text, strlen(text), &r, NULL), 0);
    STOQ_AUTOFREE char *again = stoq_response_text(r, false);
    ck_assert_str_eq(again, text);
}
END_TEST

/* One change to a good document each, which makes it none. */
static const struct {
    const char *from, *to;
} damages[] = {
    {"\"verdict\": \"clean\"", "\"verdict\": \"fine\""},
    {"\"verdict\": \"clean\"", "\"verdict\": 1"},
    {"\"results\": [", "\"results\": [7, "},
    {"\"size\": 6", "\"size\": -6"},
    {"\"size\": 6", "\"size\": \"6\""},
    {"\"extracted_from\": []", "\"extracted_from\": [null]"},
    {"\"workers\": [\"g_split\"]", "\"workers\": [[]]"},
    {"\"archivers\": {}", "\"archivers\": []"},
    {"\"should_archive\": true", "\"should_archive\": 1"},
    {"\"scan_id\": \"", "\"scan_id\": \"0"},
    {"\"decorators\": {}", "\"decorators\": null"},
    {"\"errors\": []", "\"errors\": {}"},
    {"\"payload_id\": \"",
     "\"payload_id\": \"0123456789012345678901234567890123456789"},
    {"{\"results\"", "[{\"results\""},
};

START_TEST(test_damaged_document)
{
    STOQ_AUTOFREE char *text = scanned_text("ab|cde");
    char *at = strstr(text, damages[_i].from);
    ck_assert_msg(at != NULL, "%s is not in the document", damages[_i].from);
    STOQ_AUTOFREE char *bad = NULL;
    int n = asprintf(&bad, "%.*s%s%s", (int)(at - text), text, damages[_i].to,
                     at + strlen(damages[_i].from));
    ck_assert_int_gt(n, 0);
    STOQ_AUTO(stoq_response) r = NULL;
    STOQ_AUTO(stoq_request) request = NULL;
    struct stoq_error err = {0};
    int rc = stoq_response_parse(bad, (size_t)n, &r, &err);
    if (rc == 0)
        rc = stoq_request_restore(r, &request, &err);
    ck_assert_int_lt(rc, 0);
    ck_assert_int_eq(err.code, rc);
    ck_assert_str_ne(err.message, "");
}
END_TEST

START_TEST(test_failed)
{
    struct stoq_payload_meta meta = STOQ_PAYLOAD_META_INIT;
    meta.filename = "f";
    STOQ_AUTO(stoq_response) r = NULL;
    ck_assert_int_eq(stoq_response_failed(&meta, 12, STOQ_VERDICT_TIMEOUT, NULL,
                                          "deadline passed", &r, NULL),
                     0);
    ck_assert_int_eq(stoq_response_verdict(r), STOQ_VERDICT_TIMEOUT);
    CHECK_PART(r, "/results/0/size", "12");
    CHECK_PART(r, "/results/0/payload_meta/extra_data", "{\"filename\": \"f\"}");
    CHECK_PART(r, "/errors",
               "[{\"error\": \"deadline passed\", \"plugin_name\": null, "
               "\"payload_id\": \"p0\"}]");
    ck_assert(json_is_null(stoq_json_pointer(stoq_response_document(r), "/engine/id")));
    STOQ_AUTOFREE char *text = stoq_response_text(r, false);
    STOQ_AUTO(stoq_response) parsed = NULL;
    ck_assert_int_eq(stoq_response_parse(text, strlen(text), &parsed, NULL), 0);
}
END_TEST

START_TEST(test_reuse)
{
    STOQ_AUTO(stoq)
    stoq = ENGINE("core.always_dispatch=hash", "core.dest_archivers=g_arch",
                  "core.decorators=g_deco");
    STOQ_AUTO(stoq_response) first = scan_text(stoq, "x", "g_error");
    STOQ_AUTOFREE char *text = stoq_response_text(first, true);
    struct stoq_payload_meta meta = STOQ_PAYLOAD_META_INIT;
    meta.filename = "other";
    STOQ_AUTO(stoq_response) r = NULL;
    ck_assert_int_eq(stoq_response_reuse(text, strlen(text), &meta, &r, NULL), 0);
    const json_t *doc = stoq_response_document(r);
    ck_assert_str_ne(stoq_response_scan_id(r), stoq_response_scan_id(first));
    ck_assert_str_eq(string_at(doc, "/scan_id"), stoq_response_scan_id(r));
    ck_assert_str_eq(string_at(doc, "/reused_from"), stoq_response_scan_id(first));
    CHECK_PART(r, "/results/0/payload_meta/extra_data", "{\"filename\": \"other\"}");
    CHECK_PART(r, "/results/0/archivers", "{\"g_arch\": {\"size\": 1}}");
    CHECK_PART(r, "/decorators", "{}");
    /* Left: the worker's and the archiver's; decorators will say theirs again. */
    ck_assert_uint_eq(json_array_size(json_object_get(doc, "errors")), 2);
    ck_assert_int_eq(stoq_response_verdict(r), stoq_response_verdict(first));

    STOQ_AUTO(stoq_request) request = NULL;
    ck_assert_int_eq(stoq_request_restore(r, &request, NULL), 0);
    ck_assert_int_eq(stoq_engine_finish(stoq, request, r, NULL), 0);
    CHECK_PART(r, "/decorators", "{\"g_deco\": {\"payloads\": 1}}");
    ck_assert_uint_eq(json_array_size(json_object_get(doc, "errors")), 3);
}
END_TEST

START_TEST(test_save)
{
    STOQ_AUTO(stoq)
    stoq = ENGINE("core.always_dispatch=hash", "core.connectors=g_conn");
    STOQ_AUTO(stoq_response) r = scan_text(stoq, "x", "");
    struct stoq_error err = {0};
    ck_assert_int_eq(stoq_save(stoq, r, &err), -EIO);
    ck_assert_str_eq(err.message, "g_conn: OSError: connector boom");
    CHECK_PART(r, "/errors",
               "[{\"error\": \"connector:failed to save: OSError: connector boom\", "
               "\"plugin_name\": \"g_conn\", \"payload_id\": null}]");
    ck_assert_int_eq(stoq_response_verdict(r), STOQ_VERDICT_CLEAN);
    stoq_error_clear(&err);
    ck_assert_int_eq(stoq_engine_save(stoq, "g_conn", r, &err), -EIO);
    ck_assert_str_eq(err.message, "OSError: connector boom");
    ck_assert_int_eq(stoq_engine_save(stoq, "nosuch", r, NULL), -ENOENT);
}
END_TEST

START_TEST(test_get)
{
    STOQ_AUTO(stoq) stoq = ENGINE("core.source_archivers=g_arch");
    struct stoq_payload *p = NULL;
    json_t *task = json_pack("{s:s}", "data", "from archiver");
    ck_assert_int_eq(stoq_engine_get(stoq, "g_arch", task, &p, NULL), 0);
    size_t size;
    ck_assert_mem_eq(stoq_payload_data(p, &size), "from archiver", 13);
    ck_assert_uint_eq(size, 13);
    ck_assert_str_eq(string_at(stoq_payload_extra_data(p), "/data"), "from archiver");
    stoq_payload_free(p);
    json_decref(task);
    task = json_pack("{s:i}", "none", 1);
    ck_assert_int_eq(stoq_engine_get(stoq, "g_arch", task, &p, NULL), 0);
    ck_assert_ptr_null(p);
    ck_assert_int_eq(stoq_engine_get(stoq, "nosuch", task, &p, NULL), -ENOENT);
    json_decref(task);
    task = json_pack("{s:i}", "bad", 1);
    ck_assert_int_eq(stoq_engine_get(stoq, "g_arch", task, &p, NULL), -EIO);
    json_decref(task);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_test(tc, test_whole_document);
    tcase_add_test(tc, test_durations);
    tcase_add_test(tc, test_filename);
    tcase_add_test(tc, test_bad_metadata);
    tcase_add_test(tc, test_split);
    tcase_add_test(tc, test_reconstruct);
    tcase_add_test(tc, test_finish_elsewhere);
    tcase_add_test(tc, test_round_trip_is_exact);
    tcase_add_loop_test(tc, test_damaged_document, 0, (int)STOQ_ARRAY_SIZE(damages));
    tcase_add_test(tc, test_failed);
    tcase_add_test(tc, test_reuse);
    tcase_add_test(tc, test_save);
    tcase_add_test(tc, test_get);
}

int
main(void)
{
    return run_suite("core_document", fill);
}
