/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs with several roots, or with more to say of one than names: workers are told what
 * they would be told in this process, and nothing that breaks a rule becomes a job. */
#include <sys/stat.h>

#include "pool/roots.h"
#include "pool_fixture.h"

static struct bench bench;

static int
sealed(const char *text)
{
    int fd = stoq_memfd("roots", text, strlen(text));

    ck_assert_int_ge(fd, 0);
    return fd;
}

static struct stoq_job_root
root_of(uint64_t size, const char *filename, json_t *extra)
{
    struct stoq_job_root root = {.size = size, .meta = STOQ_PAYLOAD_META_INIT};

    root.meta.filename = filename;
    root.meta.extra_data = extra;
    return root;
}

/** Results of the witness for root @p i. */
static const json_t *
seen(const json_t *doc, size_t i)
{
    const json_t *entry = json_array_get(json_object_get(doc, "results"), i);

    return json_object_get(json_object_get(entry, "workers"), "witness");
}

START_TEST(all_is_told)
{
    json_t *extra = json_pack("{s:[i, s], s:n}", "list", 1, "two", "filename");
    struct stoq_job_root roots[] = {
        root_of(3, NULL, extra),
        root_of(0, "raw \xff", NULL),
        root_of(4, "x", NULL),
    };
    struct stoq_job_spec spec = {
        .fd = sealed("abcdefg"),
        .roots = roots,
        .root_count = 3,
        .request_source = "unit",
        .no_archive = true,
        .reuse = true,
    };
    struct box box = {.outcome = NULL};
    json_t *doc;

    roots[1].meta.path = "/raw/\xfe";
    roots[1].meta.owner = "me";
    roots[2].meta.no_scan = true;
    roots[2].meta.no_archive = true;
    start_bench(&bench, "witness", 1);
    submit(&bench, &spec, &box);
    ck_assert_int_eq(stoq_pool_drain(bench.pool, WAIT_MS), 0);
    /* one was not to be scanned */
    assert_verdict(&box, STOQ_VERDICT_SKIPPED);
    doc = document_of(&box);
    ck_assert_uint_eq(json_array_size(json_object_get(doc, "results")), 3);
    ck_assert_str_eq(stoq_json_string_of(seen(doc, 0), "data"), "YWJj");
    ck_assert(json_equal(json_object_get(seen(doc, 0), "extra_data"), extra) == 1);
    ck_assert(json_is_null(json_object_get(seen(doc, 0), "filename")));
    ck_assert_str_eq(stoq_json_string_of(seen(doc, 1), "data"), "");
    ck_assert_str_eq(stoq_json_string_of(seen(doc, 1), "filename"), "raw ÿ");
    ck_assert_str_eq(stoq_json_string_of(seen(doc, 1), "path"), "/raw/þ");
    ck_assert_str_eq(stoq_json_string_of(seen(doc, 1), "owner"), "me");
    ck_assert_ptr_null(seen(doc, 2));
    const json_t *payloads = json_object_get(seen(doc, 0), "payloads");
    const json_t *last = json_array_get(payloads, 2);
    ck_assert_uint_eq(json_array_size(payloads), 3);
    ck_assert(json_is_false(json_object_get(last, "should_scan")));
    ck_assert(json_is_false(json_object_get(last, "should_archive")));
    ck_assert(json_is_false(
        json_object_get(json_object_get(seen(doc, 1), "request"), "archive_payloads")));
    json_decref(doc);
    json_decref(extra);
    box_clear(&box);
    stop_bench(&bench);
}
END_TEST

/** A scan that cannot take place names each root all the same. */
START_TEST(a_crash_names_all)
{
    struct stoq_job_root roots[] = {root_of(2, "one", NULL), root_of(5, "two", NULL)};
    struct stoq_job_spec spec = {
        .fd = sealed("okCRASH"), .roots = roots, .root_count = 2, .no_archive = true};
    struct box box = {.outcome = NULL};
    json_t *doc, *results;

    start_bench(&bench, "crash", 1);
    submit(&bench, &spec, &box);
    ck_assert_int_eq(stoq_pool_drain(bench.pool, WAIT_MS), 0);
    assert_verdict(&box, STOQ_VERDICT_ERROR);
    doc = document_of(&box);
    results = json_object_get(doc, "results");
    ck_assert_uint_eq(json_array_size(results), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *entry = json_array_get(results, i);
        const json_t *meta = json_object_get(entry, "payload_meta");

        ck_assert_int_eq(json_integer_value(json_object_get(entry, "size")), i ? 5 : 2);
        ck_assert_str_eq(
            stoq_json_string_of(json_object_get(meta, "extra_data"), "filename"),
            i ? "two" : "one");
    }
    ck_assert(json_is_false(
        json_object_get(json_object_get(doc, "request_meta"), "archive_payloads")));
    json_decref(doc);
    box_clear(&box);
    stop_bench(&bench);
}
END_TEST

START_TEST(bad_jobs_are_refused)
{
    struct stoq_job_root ok = root_of(3, NULL, NULL);
    struct stoq_job_root all = root_of(STOQ_ROOT_ALL, NULL, NULL);
    struct stoq_job_root long_one = root_of(4, NULL, NULL);
    struct stoq_job_root two[] = {ok, root_of(UINT64_MAX - 1, NULL, NULL)};
    struct stoq_job_root pair[] = {all, ok};
    struct stoq_job_root *many = calloc(STOQ_ROOTS_MAX + 1, sizeof(*many));
    const struct {
        const struct stoq_job_root *roots;
        size_t count;
        bool open; /* the descriptor is not sealed */
        int code;
    } cases[] = {
        {&ok, 1, false, 0},
        {&all, 1, true, 0},
        {&ok, 0, false, -EINVAL},
        {&ok, 1, true, -EINVAL},
        {&long_one, 1, false, -EINVAL},
        {two, 2, false, -EINVAL},
        {pair, 2, false, -EINVAL},
        {many, STOQ_ROOTS_MAX + 1, false, -E2BIG},
    };

    start_bench(&bench, "hash", 1);
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(cases); i++) {
        struct box box = {.outcome = NULL};
        struct stoq_job_spec spec = {
            .fd = cases[i].open ? memfd_of("abc", 3) : sealed("abc"),
            .roots = cases[i].roots,
            .root_count = cases[i].count,
            .done = box_done,
            .arg = &box,
        };
        ck_assert_msg(stoq_pool_submit(bench.pool, &spec, NULL) == cases[i].code,
                      "case %zu", i);
        ck_assert_int_eq(stoq_pool_drain(bench.pool, WAIT_MS), 0);
        ck_assert((box.outcome != NULL) == (cases[i].code == 0));
        if (box.outcome)
            ck_assert_str_eq(hash_of(&box), sha256_hex("abc", 3));
        box_clear(&box);
    }
    stop_bench(&bench);
    free(many);
}
END_TEST

START_TEST(bad_texts_are_refused)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "[1]",
        "[{\"size\": -1}]",
        "[{\"size\": \"3\"}]",
        "[{\"size\": 1.5}]",
        "[{}, {}]",
        "[{\"size\": 1}, {}]",
        "[{\"extra_data\": []}]",
        "[{\"filename\": 1}]",
        "[{\"filename\": \"x\", \"filename_b64\": \"abc\"}]",
        "[{\"owner\": \"x\", \"owner_b64\": \"????\"}]",
        "[{\"size\": 1}",
    };

    for (size_t i = 0; i < STOQ_ARRAY_SIZE(texts); i++) {
        struct stoq_wire_names names = {.dispatch = ""};
        struct stoq_roots roots = {NULL, 0};

        names.text[STOQ_WIRE_ROOTS] = texts[i];
        ck_assert_msg(stoq_roots_read(&names, &roots) == -EPROTO, "%s", texts[i]);
        stoq_roots_fini(&roots);
    }
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        all_is_told,
        a_crash_names_all,
        bad_jobs_are_refused,
        bad_texts_are_refused,
    };
    return run_suite("pool roots", tests, STOQ_ARRAY_SIZE(tests));
}
