/* SPDX-License-Identifier: Apache-2.0 */
/* What a pool of real scanners answers: the same as a scan in this process. */
#include <sys/stat.h>

#include "pool_fixture.h"

static struct bench bench;

/** Take out what differs from scan to scan. */
static void
normalise(json_t *json)
{
    static const char *const keys[] = {"time", "duration_ms", "scan_id", "payload_id"};
    const char *key;
    json_t *value;
    size_t i;

    for (i = 0; json_is_object(json) && i < STOQ_ARRAY_SIZE(keys); i++) {
        if (json_object_get(json, keys[i]))
            (void)json_object_set_new(json, keys[i], json_null());
    }
    if (json_object_get(json, "extracted_from"))
        (void)json_object_set_new(json, "extracted_from", json_null());
    json_object_foreach (json, key, value)
        normalise(value);
    if (json_is_array(json)) {
        json_array_foreach (json, i, value)
            normalise(value);
    }
}

static void
same_as_here(const char *text, const char *filename)
{
    struct stoq_payload_meta meta = STOQ_PAYLOAD_META_INIT;
    struct stoq_job_spec spec = {.fd = memfd_of(text, strlen(text))};
    struct stoq_response *response = NULL;
    struct stoq *stoq = NULL;
    struct box box = {.outcome = NULL};
    json_t *there, *here;

    meta.filename = filename;
    spec.filename = filename;
    ck_assert_int_eq(stoq_new(bench.config, STOQ_ROLE_SCAN, &stoq, NULL), 0);
    ck_assert_int_eq(stoq_scan(stoq, text, strlen(text), &meta, NULL, &response, NULL),
                     0);
    submit(&bench, &spec, &box);
    ck_assert_int_eq(stoq_pool_drain(bench.pool, WAIT_MS), 0);
    assert_verdict(&box, STOQ_VERDICT_CLEAN);
    there = document_of(&box);
    here = json_deep_copy(stoq_response_document(response));
    normalise(there);
    normalise(here);
    ck_assert_msg(json_equal(there, here) == 1, "%s", box.outcome->document);
    json_decref(there);
    json_decref(here);
    box_clear(&box);
    stoq_response_free(response);
    stoq_free(stoq);
}

START_TEST(same_as_in_process)
{
    char long_name[9000];

    start_bench(&bench, "hash,lines", 1);
    ck_assert_str_eq(bench.engine_id, bench.zygote.engine_id);
    ck_assert_str_eq(stoq_json_string_of(bench.zygote.facts, "engine_id"),
                     bench.engine_id);
    same_as_here("hello", "name");
    same_as_here("", "empty");
    same_as_here("LINES\none\ntwo\nLINES\n", "bytes \xff\xfe");
    memset(long_name, 'n', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    same_as_here("x", long_name);
    stop_bench(&bench);
}
END_TEST

START_TEST(names_and_request)
{
    static const char *const dispatch[] = {"hash", "lines", NULL};
    struct stoq_job_spec spec = {.path = "/d/e/f", .source_dir = "/d", .owner = "root"};
    struct box box = {.outcome = NULL};
    json_t *json, *extra = json_pack("{s:s, s:i}", "who", "test", "n", 3);
    const json_t *meta, *root;
    size_t big = 100000;
    char *filler = malloc(big + 1);

    start_bench(&bench, "", 1);
    /* larger than a message, so that the names travel apart */
    memset(filler, 'y', big);
    filler[big] = '\0';
    (void)json_object_set_new(extra, "filler", json_string(filler));
    spec.fd = memfd_of("abc", 3);
    spec.start_dispatch = dispatch;
    spec.request_source = "unit";
    spec.request_extra = extra;
    submit(&bench, &spec, &box);
    ck_assert_int_eq(stoq_pool_drain(bench.pool, WAIT_MS), 0);
    ck_assert_str_eq(hash_of(&box), sha256_hex("abc", 3));
    ck_assert(box.outcome->has_sha256);
    ck_assert_int_eq(box.outcome->st.st_size, 3);
    ck_assert_int_eq(box.outcome->payloads_fd, -1);
    json = document_of(&box);
    meta = json_object_get(json, "request_meta");
    ck_assert(json_is_true(json_object_get(meta, "archive_payloads")));
    ck_assert_str_eq(stoq_json_string_of(meta, "source"), "unit");
    ck_assert(json_equal(json_object_get(meta, "extra_data"), extra) == 1);
    root = json_array_get(json_object_get(json, "results"), 0);
    meta = json_object_get(json_object_get(root, "payload_meta"), "extra_data");
    ck_assert(json_is_null(json_object_get(meta, "filename")));
    ck_assert_str_eq(stoq_json_string_of(meta, "source_dir"), "/d");
    json_decref(json);
    json_decref(extra);
    free(filler);
    box_clear(&box);
    stop_bench(&bench);
}
END_TEST

/** A document of several hundred KiB comes in a memfd. */
START_TEST(large_document)
{
    struct stoq_job_spec spec = {.filename = "f"};
    struct box box = {.outcome = NULL};
    char *text = malloc(64000);
    size_t n = (size_t)sprintf(text, "LINES\n");

    for (unsigned i = 0; i < 1500; i++)
        n += (size_t)sprintf(text + n, "line %u\n", i);
    start_bench(&bench, "hash,lines", 1);
    spec.fd = memfd_of(text, n);
    submit(&bench, &spec, &box);
    ck_assert_int_eq(stoq_pool_drain(bench.pool, WAIT_MS), 0);
    ck_assert_uint_gt(box.outcome->document_size, 300000);
    assert_verdict(&box, STOQ_VERDICT_CLEAN);
    ck_assert_str_eq(hash_of(&box), sha256_hex(text, n));
    free(text);
    box_clear(&box);
    stop_bench(&bench);
}
END_TEST

START_TEST(payloads_for_archivers)
{
    static const char text[] = "LINES\nfirst\n-not this\n\nlast";
    static const char *const kept[] = {"first", "", "last"};
    static const uint32_t index[] = {1, 3, 4};
    struct stoq_job_spec spec = {.fd = memfd_of(text, strlen(text)),
                                 .want_payloads = true};
    struct stoq_pool_config extra = {.scanners = 1};
    struct box box = {.outcome = NULL};
    char data[16];

    memset(&bench, 0, sizeof(bench));
    bench.config = new_config("lines");
    ck_assert_int_eq(
        stoq_config_set(bench.config, "core", "dest_archivers", "filedir", NULL), 0);
    start_zygote(bench.config, &bench.zygote);
    start_pool(&bench, &extra);
    submit(&bench, &spec, &box);
    ck_assert_int_eq(stoq_pool_drain(bench.pool, WAIT_MS), 0);
    assert_verdict(&box, STOQ_VERDICT_CLEAN);
    ck_assert_uint_eq(box.outcome->extent_count, STOQ_ARRAY_SIZE(kept));
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(kept); i++) {
        const struct stoq_extent *e = &box.outcome->extents[i];

        ck_assert_uint_eq(e->index, index[i]);
        ck_assert_uint_eq(e->size, strlen(kept[i]));
        ck_assert_int_eq(
            stoq_pread_full(box.outcome->payloads_fd, data, (size_t)e->size, e->offset),
            (ssize_t)e->size);
        ck_assert_mem_eq(data, kept[i], (size_t)e->size);
    }
    box_clear(&box);
    stop_bench(&bench);
}
END_TEST

/* ------------------------------------------------------------------- reuse */

static struct {
    char *document; /* what was stored, or NULL */
    uint8_t sha256[STOQ_SHA256_SIZE];
    const char *rewrite; /* a file to change when asked, or NULL */
    unsigned asked;
} stored;

static bool
look_up(void *arg, const uint8_t sha256[STOQ_SHA256_SIZE], char **text, size_t *size)
{
    ck_assert_ptr_eq(arg, &stored);
    stored.asked++;
    if (stored.rewrite) {
        int fd = open(stored.rewrite, O_WRONLY | O_TRUNC | O_CLOEXEC);

        ck_assert_int_eq(stoq_write_full(fd, "changed", 7), 0);
        (void)close(fd);
        stored.rewrite = NULL;
    }
    if (!stored.document || memcmp(sha256, stored.sha256, sizeof(stored.sha256)) != 0)
        return false;
    *text = strdup(stored.document);
    *size = strlen(stored.document);
    return true;
}

static void
start_reusing(const char *always)
{
    struct stoq_pool_config extra = {.scanners = 1, .reuse = look_up, .arg = &stored};

    memset(&bench, 0, sizeof(bench));
    memset(&stored, 0, sizeof(stored));
    bench.config = new_config(always);
    start_zygote(bench.config, &bench.zygote);
    start_pool(&bench, &extra);
}

static void
reuse_scan(const char *text, const char *filename, struct box *box)
{
    struct stoq_job_spec spec = {
        .fd = memfd_of(text, strlen(text)), .filename = filename, .reuse = true};

    submit(&bench, &spec, box);
    ck_assert_int_eq(stoq_pool_drain(bench.pool, WAIT_MS), 0);
    ck_assert_ptr_nonnull(box->outcome);
    assert_verdict(box, STOQ_VERDICT_CLEAN);
    ck_assert_str_eq(hash_of(box), sha256_hex(text, strlen(text)));
}

START_TEST(equal_content_is_reused)
{
    struct box first = {.outcome = NULL}, second = first, third = first, fourth = first;
    struct stoq_pool_stats stats;
    json_t *json;
    const json_t *root;

    start_reusing("hash");
    reuse_scan("one", "a", &first);
    ck_assert(!first.outcome->reused);
    ck_assert(first.outcome->reusable);
    stored.document = first.outcome->document;
    memcpy(stored.sha256, first.outcome->sha256, sizeof(stored.sha256));
    reuse_scan("one", "b", &second);
    ck_assert(second.outcome->reused);
    ck_assert(second.outcome->has_sha256);
    ck_assert_mem_eq(second.outcome->sha256, first.outcome->sha256, STOQ_SHA256_SIZE);
    ck_assert_str_ne(second.outcome->scan_id, first.outcome->scan_id);
    json = document_of(&second);
    ck_assert_str_eq(stoq_json_string_of(json, "reused_from"), first.outcome->scan_id);
    root = json_array_get(json_object_get(json, "results"), 0);
    root = json_object_get(json_object_get(root, "payload_meta"), "extra_data");
    ck_assert_str_eq(stoq_json_string_of(root, "filename"), "b");
    json_decref(json);
    reuse_scan("two", "c", &third);
    ck_assert(!third.outcome->reused);
    /* a stored document that is none does not stop the scan */
    stored.document = (char *)(uintptr_t) "{damaged";
    reuse_scan("one", "d", &fourth);
    ck_assert(!fourth.outcome->reused);
    stoq_pool_stats(bench.pool, &stats);
    ck_assert_uint_eq(stats.scans, 3);
    ck_assert_uint_eq(stats.reused, 1);
    ck_assert_uint_eq(stored.asked, 4);
    box_clear(&first);
    box_clear(&second);
    box_clear(&third);
    box_clear(&fourth);
    stop_bench(&bench);
}
END_TEST

/* ----------------------------------------------------------- changing files */

/** The file has @p size bytes at first, and 7 when it was hashed. */
static void
changes_after_hashing(size_t size)
{
    char path[] = "/tmp/stoq-pool-XXXXXX";
    struct stoq_job_spec spec = {.fd = -1, .reuse = true};
    struct box box = {.outcome = NULL};
    int fd = mkstemp(path);
    char *before = calloc(1, size);

    ck_assert_int_eq(stoq_write_full(fd, before, size), 0);
    free(before);
    (void)close(fd);
    start_reusing("hash");
    stored.rewrite = path;
    spec.fd = open(path, O_RDONLY | O_CLOEXEC);
    submit(&bench, &spec, &box);
    ck_assert_int_eq(stoq_pool_drain(bench.pool, WAIT_MS), 0);
    ck_assert_str_eq(hash_of(&box), sha256_hex("changed", 7));
    ck_assert_int_eq(box.outcome->st.st_size, 7);
    ck_assert_uint_eq(stored.asked, 2);
    box_clear(&box);
    (void)unlink(path);
    stop_bench(&bench);
}

START_TEST(changed_file_is_scanned_again)
{
    changes_after_hashing(6);
}
END_TEST

/** Pages of the mapping are gone when the workers look at them. */
START_TEST(shrunk_file_is_scanned_again)
{
    changes_after_hashing(3U << 20);
}
END_TEST

static unsigned comparisons, differ; /* pool thread, then after drain */

static bool
compare(void *arg, const struct stat *before, const struct stat *after)
{
    (void)arg;
    ck_assert_int_eq(before->st_size, 3);
    ck_assert_int_eq(after->st_size, 3);
    return ++comparisons > differ;
}

static void
run_changing(unsigned times, struct box *box)
{
    struct stoq_job_spec spec = {.fd = memfd_of("abc", 3), .same = compare};

    comparisons = 0;
    differ = times;
    submit(&bench, &spec, box);
    ck_assert_int_eq(stoq_pool_drain(bench.pool, WAIT_MS), 0);
}

START_TEST(restless_file_is_given_up)
{
    struct box box = {.outcome = NULL};

    start_bench(&bench, "hash", 2);
    run_changing(3, &box);
    assert_verdict(&box, STOQ_VERDICT_CLEAN);
    ck_assert_uint_eq(comparisons, 4);
    box_clear(&box);
    run_changing(4, &box);
    assert_verdict(&box, STOQ_VERDICT_ERROR);
    ck_assert_str_eq(error_of(&box), "file kept changing during the scan");
    ck_assert_uint_eq(comparisons, 4);
    ck_assert(!box.outcome->reusable);
    box_clear(&box);
    stop_bench(&bench);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        same_as_in_process,
        names_and_request,
        large_document,
        payloads_for_archivers,
        equal_content_is_reused,
        changed_file_is_scanned_again,
        shrunk_file_is_scanned_again,
        restless_file_is_given_up,
    };
    return run_suite("pool scan", tests, STOQ_ARRAY_SIZE(tests));
}
