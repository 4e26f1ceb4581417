/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The gate, one behaviour at a time: joining, identities, deadlines, the racy rule,
 * carrying, forgetting, documents, background scans.
 */

#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/config.h"
#include "fs_gate_fakes.h"
#include "util/auto.h"

#define ID1 "00000000-0000-4000-8000-000000000001"
#define ID2 "00000000-0000-4000-8000-000000000002"

static char dir[64], file[96];
static struct stoq_config config;
static struct stoqfs_options options;
static struct stoqfs fs;
static int fd = -1;
static struct stat st;

/* Answers as they come. */
struct got {
    atomic_int calls;
    struct stoqfs_answer answer;
};

static void
on_answer(void *arg, const struct stoqfs_answer *answer)
{
    struct got *got = arg;
    got->answer = *answer;
    atomic_fetch_add(&got->calls, 1);
}

/* Until a scan that begins now would be trusted. */
static void
age(void)
{
    ck_assert_int_eq(fstat(fd, &st), 0);
    const struct stoq_identity id = gate_identity(&st);
    FAKE_UNTIL(gate_trusted(&id, stoq_real_ns()));
}

static void
gate_up(void)
{
    ck_assert_int_eq(stoqfs_gate_new(&fs, &fs.gate, NULL), 0);
}

static void
gate_down(void)
{
    stoqfs_gate_free(fs.gate);
    fs.gate = NULL;
}

static void
setup(void)
{
    fake_setup();
    memset(&config, 0, sizeof(config));
    memset(&options, 0, sizeof(options));
    memset(&fs, 0, sizeof(fs));
    (void)snprintf(dir, sizeof(dir), "/tmp/stoq-gate-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(file, sizeof(file), "%s/f", dir);
    fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "abc", 3), 3);
    options.config = &config;
    options.source = dir;
    fs.options = &options;
    fs.source_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    memset(fs.engine_id, 'e', sizeof(fs.engine_id) - 1);
    atomic_store(&fs.engine_now, fs.engine_id);
    age();
    gate_up();
}

static void
teardown(void)
{
    gate_down();
    (void)close(fs.source_fd);
    (void)close(fd);
    (void)unlink(file);
    (void)rmdir(dir);
    stoq_strv_fini(&config.connectors);
    ck_assert_uint_eq(fake.pins, 0);
    fake_teardown();
}

static int
ask(struct got *got, bool stored, struct stoqfs_answer *now)
{
    const struct stoqfs_question q = {.fd = fd,
                                      .st = &st,
                                      .priority = STOQ_PRIORITY_READER,
                                      .stored = stored,
                                      .fn = got ? on_answer : NULL,
                                      .arg = got};
    return stoqfs_gate_ask(fs.gate, &q, now);
}

static void
know(enum stoq_verdict verdict)
{
    struct got got = {0};
    struct stoqfs_answer now;
    size_t n = fake.job_count;
    ck_assert_int_eq(ask(&got, true, &now), 0);
    (void)fake_finish(fake_job(n), &(struct fake_end){.verdict = verdict});
    FAKE_UNTIL(got.calls == 1);
    ck_assert_int_eq(stoqfs_gate_drain(fs.gate, FAKE_WAIT_MS), 0);
}

START_TEST(many_asks_are_one_scan)
{
    struct got got[5] = {0};
    struct stoqfs_answer now;
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(ask(&got[i], false, &now), 0);
    uint64_t waiting, entries;
    stoqfs_gate_stats(fs.gate, &waiting, &entries);
    ck_assert_uint_eq(waiting, 5);
    ck_assert_uint_eq(entries, 1);
    struct fake_job *job = fake_job(0);
    ck_assert_str_eq(job->filename, "");
    ck_assert(job->reuse);
    ck_assert(fake_finish(job, &(struct fake_end){.verdict = STOQ_VERDICT_FLAGGED}));
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(got[i].calls, 1);
        ck_assert_int_eq(got[i].answer.status, 0);
        ck_assert(got[i].answer.known);
        ck_assert_int_eq(got[i].answer.verdict, STOQ_VERDICT_FLAGGED);
        ck_assert_str_eq(got[i].answer.record.scan_id, ID1);
    }
    ck_assert_int_eq(ask(&got[0], false, &now), 1);
    ck_assert_int_eq(now.verdict, STOQ_VERDICT_FLAGGED);
    ck_assert_int_eq(got[0].calls, 1);
    ck_assert_uint_eq(fake.job_count, 1);
    ck_assert_uint_eq(fs.counters.scans, 1);
    ck_assert_uint_eq(fs.counters.reused_identity, 1);
    ck_assert_uint_eq(fs.counters.verdicts[STOQ_VERDICT_FLAGGED], 1);
    stoqfs_gate_stats(fs.gate, &waiting, &entries);
    ck_assert_uint_eq(waiting, 0);
}
END_TEST

START_TEST(documents_are_finished)
{
    fs.finish = true;
    fs.courier = (struct stoq_courier_client *)&fake;
    know(STOQ_VERDICT_CLEAN);
    ck_assert_str_eq(fake.rows[0].text, "{\n    \"finished\": true\n}\n");
}
END_TEST

START_TEST(documents_wait_for_the_commit)
{
    struct got verdict = {0}, document = {0};
    struct stoqfs_answer now;
    ck_assert_int_eq(stoq_strv_add(&config.connectors, "filedir"), 0);
    fs.courier = (struct stoq_courier_client *)&fake;
    fake.hold = true;
    ck_assert_int_eq(ask(&verdict, false, &now), 0);
    ck_assert_int_eq(ask(&document, true, &now), 0);
    (void)fake_finish(fake_job(0), &(struct fake_end){.verdict = STOQ_VERDICT_CLEAN});
    ck_assert_int_eq(verdict.calls, 1);
    ck_assert(!verdict.answer.stored);
    FAKE_UNTIL(fake_held() == 1);
    ck_assert_int_eq(document.calls, 0);
    struct got later = {0};
    ck_assert_int_eq(ask(&later, true, &now), 0);
    ck_assert_int_eq(ask(&later, false, &now), 1);
    fake_release();
    ck_assert_int_eq(document.calls, 1);
    ck_assert_int_eq(later.calls, 1);
    ck_assert(document.answer.stored);
    const char *expected = "{\n    \"results\": [],\n    \"scan_id\": \"x\"\n}\n";
    ck_assert_uint_eq(document.answer.record.document_size, strlen(expected));
    STOQ_AUTOFREE char *text = NULL;
    size_t size = 0;
    ck_assert_int_eq(
        stoqfs_gate_document(fs.gate, &document.answer.record, &text, &size), 0);
    ck_assert_str_eq(text, expected);
    ck_assert_uint_eq(size, strlen(expected));
    ck_assert_str_eq(fake.connector, "filedir");
    ck_assert_uint_eq(fake.wakes, 1);
    ck_assert_uint_eq(fake.puts, 1);
}
END_TEST

START_TEST(an_older_scan_does_not_answer_for_newer_bytes)
{
    struct got first = {0}, second = {0};
    struct stoqfs_answer now;
    ck_assert_int_eq(ask(&first, false, &now), 0);
    const struct stat old = st;
    ck_assert_int_eq(write(fd, "def", 3), 3);
    age();
    ck_assert_int_eq(ask(&second, false, &now), 0);
    ck_assert_uint_eq(fake.job_count, 1);
    /* the scan had read the file before it changed */
    (void)fake_finish(fake_job(0), &(struct fake_end){.verdict = STOQ_VERDICT_CLEAN,
                                                      .before = &old,
                                                      .after = &old});
    ck_assert_int_eq(first.calls, 1);
    ck_assert_int_eq(second.calls, 0);
    (void)fake_finish(fake_job(1), &(struct fake_end){.verdict = STOQ_VERDICT_FLAGGED,
                                                      .scan_id = ID2});
    ck_assert_int_eq(second.calls, 1);
    ck_assert_int_eq(second.answer.verdict, STOQ_VERDICT_FLAGGED);
    ck_assert_str_eq(second.answer.record.scan_id, ID2);
    ck_assert_int_eq(ask(&first, false, &now), 1);
    ck_assert_int_eq(now.verdict, STOQ_VERDICT_FLAGGED);
}
END_TEST

START_TEST(deadline_answers_and_the_scan_goes_on)
{
    struct got got = {0};
    struct stoqfs_answer now;
    options.deadline_ms = 20;
    ck_assert_int_eq(ask(&got, false, &now), 0);
    FAKE_UNTIL(got.calls == 1);
    ck_assert_int_eq(got.answer.status, 0);
    ck_assert(!got.answer.known);
    ck_assert_int_eq(got.answer.verdict, STOQ_VERDICT_TIMEOUT);
    (void)fake_finish(fake_job(0), &(struct fake_end){.verdict = STOQ_VERDICT_CLEAN});
    ck_assert_int_eq(got.calls, 1);
    ck_assert_int_eq(ask(&got, false, &now), 1);
    ck_assert_int_eq(now.verdict, STOQ_VERDICT_CLEAN);
}
END_TEST

START_TEST(racy_results_answer_once)
{
    struct got got = {0};
    struct stoqfs_answer now;
    ck_assert_int_eq(pwrite(fd, "xyz", 3, 0), 3);
    ck_assert_int_eq(fstat(fd, &st), 0);
    st.st_ctim.tv_sec += 1000; /* always racy, however slow the test is */
    const struct stat future = st;
    ck_assert_int_eq(ask(&got, false, &now), 0);
    (void)fake_finish(fake_job(0), &(struct fake_end){.verdict = STOQ_VERDICT_CLEAN,
                                                      .before = &future,
                                                      .after = &future,
                                                      .reusable = true,
                                                      .digest = 7});
    ck_assert_int_eq(got.calls, 1);
    ck_assert_int_eq(stoqfs_gate_drain(fs.gate, FAKE_WAIT_MS), 0);
    ck_assert_int_eq(fake.rows[0].record.id.ctime_ns, GATE_SMUDGED);
    ck_assert(stoqfs_gate_peek(fs.gate, &st, &now));
    ck_assert(!stoqfs_gate_known(fs.gate, &st, false, &now));
    /* asked again: a second scan, found to be of the same bytes, keeps the document */
    ck_assert_int_eq(ask(&got, false, &now), 0);
    (void)fake_finish(fake_job(1), &(struct fake_end){.verdict = STOQ_VERDICT_CLEAN,
                                                      .before = &future,
                                                      .after = &future,
                                                      .reused = true,
                                                      .scan_id = ID2,
                                                      .digest = 7});
    ck_assert_int_eq(got.calls, 2);
    ck_assert_str_eq(got.answer.record.scan_id, ID1);
    ck_assert_int_eq(stoqfs_gate_drain(fs.gate, FAKE_WAIT_MS), 0);
    ck_assert_uint_eq(fake.puts, 1);
    ck_assert_uint_eq(fs.counters.reused_content, 1);
}
END_TEST

START_TEST(carry_moves_results_and_scans)
{
    struct stoqfs_answer now;
    know(STOQ_VERDICT_CLEAN);
    const struct stat before = st;
    struct stat after = st;
    after.st_ctim.tv_sec += 5;
    stoqfs_gate_carry(fs.gate, &before, &after);
    ck_assert(stoqfs_gate_known(fs.gate, &after, true, &now));
    ck_assert(!stoqfs_gate_known(fs.gate, &before, true, &now));
    ck_assert_uint_eq(fake.carries, 1);
    ck_assert_int_eq(fake.carried_to.ctime_ns - fake.carried_from.ctime_ns, 5000000000);
    struct stat other = after;
    other.st_mtim.tv_sec += 5;
    other.st_ctim.tv_sec += 5;
    stoqfs_gate_carry(fs.gate, &after, &other);
    ck_assert(!stoqfs_gate_peek(fs.gate, &other, &now));
    stoqfs_gate_carry(fs.gate, &before, &other);
    ck_assert(stoqfs_gate_known(fs.gate, &after, true, &now));
}
END_TEST

START_TEST(carry_during_a_scan_is_no_change)
{
    struct got got = {0};
    struct stoqfs_answer now;
    ck_assert_int_eq(ask(&got, false, &now), 0);
    const struct stat before = st;
    struct stat between = st, after = st, stranger = st;
    between.st_ctim.tv_sec += 1;
    after.st_ctim.tv_sec += 2;
    stranger.st_ctim.tv_sec += 3;
    struct fake_job *job = fake_job(0);
    ck_assert(!job->same(job->arg, &before, &between));
    stoqfs_gate_carry(fs.gate, &before, &between);
    stoqfs_gate_carry(fs.gate, &between, &after);
    ck_assert(job->same(job->arg, &before, &between));
    ck_assert(job->same(job->arg, &between, &after));
    ck_assert(!job->same(job->arg, &after, &before));
    ck_assert(!job->same(job->arg, &before, &stranger));
    /* read between the two, carried since: the result holds for what is there now, and
     * its age is that of the bytes */
    ck_assert(fake_finish(job, &(struct fake_end){.verdict = STOQ_VERDICT_CLEAN,
                                                  .before = &before,
                                                  .after = &between}));
    ck_assert(stoqfs_gate_known(fs.gate, &after, false, &now));
}
END_TEST

START_TEST(forgotten_results_are_scanned_again)
{
    struct stoqfs_answer now;
    struct got got = {0};
    know(STOQ_VERDICT_FLAGGED);
    struct stoq_record r;
    uint64_t key = stoqfs_gate_flagged_key(ID1);
    ck_assert_uint_eq(key >> 62, 1);
    ck_assert(stoqfs_gate_find_flagged(fs.gate, key, &r));
    ck_assert(!stoqfs_gate_find_flagged(fs.gate, stoqfs_gate_flagged_key("no"), &r));
    ck_assert_uint_eq(r.id.ino, st.st_ino);
    ck_assert_str_eq(r.scan_id, ID1);
    ck_assert(stoqfs_gate_remembers(fs.gate, &st));
    stoqfs_gate_forget(fs.gate, &st);
    ck_assert(!stoqfs_gate_remembers(fs.gate, &st));
    ck_assert(!stoqfs_gate_find_flagged(fs.gate, key, &r));
    ck_assert_uint_eq(fake.row_count, 0);
    ck_assert_int_eq(ask(&got, false, &now), 0);
    (void)fake_finish(fake_job(1), &(struct fake_end){.verdict = STOQ_VERDICT_CLEAN});
}
END_TEST

START_TEST(stored_results_are_loaded)
{
    struct stoqfs_answer now;
    know(STOQ_VERDICT_PARTIAL);
    gate_down();
    gate_up();
    ck_assert(stoqfs_gate_known(fs.gate, &st, true, &now));
    ck_assert_int_eq(now.verdict, STOQ_VERDICT_PARTIAL);
    ck_assert_str_eq(now.record.scan_id, ID1);
    gate_down();
    fake.hold_load = true;
    gate_up();
    /* before the load is through: from the store; and what is forgotten stays so */
    ck_assert(stoqfs_gate_known(fs.gate, &st, true, &now));
    stoqfs_gate_forget(fs.gate, &st);
    ck_assert(!stoqfs_gate_peek(fs.gate, &st, &now));
    (void)pthread_mutex_lock(&fake.lock);
    fake.hold_load = false;
    (void)pthread_mutex_unlock(&fake.lock);
    uint64_t waiting, entries = 1;
    FAKE_UNTIL((stoqfs_gate_stats(fs.gate, &waiting, &entries), entries == 0));
    gate_down();
    gate_up();
    know(STOQ_VERDICT_CLEAN);
    gate_down();
    fs.engine_id[0] = 'x'; /* other rules */
    gate_up();
    ck_assert(!stoqfs_gate_known(fs.gate, &st, true, &now));
}
END_TEST

START_TEST(a_failing_store_leaves_documents_in_memory)
{
    struct stoqfs_answer now;
    fake.put_status = -ENOSPC;
    know(STOQ_VERDICT_CLEAN);
    ck_assert(stoqfs_gate_known(fs.gate, &st, true, &now));
    ck_assert(!now.stored);
    STOQ_AUTOFREE char *text = NULL;
    size_t size = 0;
    ck_assert_int_eq(stoqfs_gate_document(fs.gate, &now.record, &text, &size), 0);
    ck_assert_uint_eq(size, now.record.document_size);
    ck_assert_int_eq(stoqfs_gate_document(
                         fs.gate, &(struct stoq_record){.scan_id = ID2}, &text, &size),
                     -ENOENT);
}
END_TEST

START_TEST(a_pool_that_refuses_is_told_to_all)
{
    struct got got = {0};
    struct stoqfs_answer now;
    fake.submit_error = -ECANCELED;
    ck_assert_int_eq(ask(&got, false, &now), 0);
    ck_assert_int_eq(got.calls, 1);
    ck_assert_int_eq(got.answer.status, -ECANCELED);
    ck_assert(!got.answer.known);
    fake.submit_error = 0;
    know(STOQ_VERDICT_CLEAN);
}
END_TEST

START_TEST(background_scans_hold_no_descriptor_and_are_named)
{
    struct got got = {0};
    struct stoqfs_answer now;
    struct stoqfs_question q = {
        .fd = -1, .st = &st, .path = "f", .priority = STOQ_PRIORITY_DISCOVERED};
    ck_assert_int_eq(stoqfs_gate_ask(fs.gate, &q, &now), 0);
    struct fake_job *job = fake_job(0);
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/f", dir);
    ck_assert_str_eq(job->path, path);
    ck_assert_str_eq(job->filename, "f");
    ck_assert_str_eq(job->dir, dir);
    ck_assert_int_eq(job->priority, STOQ_PRIORITY_DISCOVERED);
    ck_assert_int_eq(ask(&got, false, &now), 0); /* a reader makes it urgent */
    ck_assert_uint_eq(fake.job_count, 1);
    FAKE_UNTIL(job->priority == STOQ_PRIORITY_READER);
    (void)fake_finish(job, &(struct fake_end){.verdict = STOQ_VERDICT_CLEAN});
    ck_assert_int_eq(got.calls, 1);
    ck_assert_int_eq(stoqfs_gate_ask(fs.gate, &q, &now), 1);
    /* by node, just written, while the file's times are fresh: a reader takes it out */
    ck_assert_int_eq(pwrite(fd, "xyz", 3, 0), 3);
    ck_assert_int_eq(fstat(fd, &st), 0);
    q.path = NULL;
    q.node = (struct stoqfs_node *)file;
    q.priority = STOQ_PRIORITY_WRITTEN;
    ck_assert_int_eq(stoqfs_gate_ask(fs.gate, &q, &now), 0);
    ck_assert(stoqfs_gate_expects(fs.gate, &st));
    ck_assert_int_eq(ask(&got, false, &now), 0);
    job = fake_job(1);
    (void)snprintf(path, sizeof(path), "%s/sub/f", dir);
    ck_assert_str_eq(job->path, path);
    (void)fake_finish(job, &(struct fake_end){.verdict = STOQ_VERDICT_CLEAN});
    FAKE_UNTIL(got.calls == 2);
    /* gone before its turn: dropped */
    q.path = "nothing";
    q.node = NULL;
    st.st_size++;
    ck_assert_int_eq(stoqfs_gate_ask(fs.gate, &q, &now), 0);
    ck_assert_int_eq(stoqfs_gate_drain(fs.gate, FAKE_WAIT_MS), 0);
    ck_assert_uint_eq(fake.job_count, 2);
}
END_TEST

START_TEST(the_end_cancels_and_records_no_errors)
{
    struct got got = {0};
    struct stoqfs_answer now;
    ck_assert_int_eq(ask(&got, false, &now), 0);
    gate_down();
    ck_assert_int_eq(got.calls, 1);
    ck_assert_int_eq(got.answer.status, -ECANCELED);
    (void)fake_finish(fake_job(0), &(struct fake_end){.verdict = STOQ_VERDICT_ERROR});
    ck_assert_uint_eq(fake.puts, 0);
    gate_up();
    ck_assert_int_eq(ask(&got, false, &now), 0);
    gate_down();
    (void)fake_finish(fake_job(1), &(struct fake_end){.verdict = STOQ_VERDICT_CLEAN});
    ck_assert_uint_eq(fake.puts, 1);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("fs_gate");
    TCase *t = tcase_create("gate");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, many_asks_are_one_scan);
    tcase_add_test(t, documents_are_finished);
    tcase_add_test(t, documents_wait_for_the_commit);
    tcase_add_test(t, an_older_scan_does_not_answer_for_newer_bytes);
    tcase_add_test(t, deadline_answers_and_the_scan_goes_on);
    tcase_add_test(t, racy_results_answer_once);
    tcase_add_test(t, carry_moves_results_and_scans);
    tcase_add_test(t, carry_during_a_scan_is_no_change);
    tcase_add_test(t, forgotten_results_are_scanned_again);
    tcase_add_test(t, stored_results_are_loaded);
    tcase_add_test(t, a_failing_store_leaves_documents_in_memory);
    tcase_add_test(t, a_pool_that_refuses_is_told_to_all);
    tcase_add_test(t, background_scans_hold_no_descriptor_and_are_named);
    tcase_add_test(t, the_end_cancels_and_records_no_errors);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
