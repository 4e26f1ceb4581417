/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The gate when rules are swapped: what is stale, who is told what, and which results
 * are to be made again first.
 */

#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/config.h"
#include "fs_gate_fakes.h"
#include "util/auto.h"

#define FILES 12U
#define ID    "00000000-0000-4000-8000-0000000000%02x"

static char dir[64];
static struct stoq_config config;
static struct stoqfs_options options;
static struct stoqfs fs;
static int fds[FILES];
static struct stat st[FILES];
static char engines[4][STOQ_SHA256_HEX];
static unsigned scans;

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

static char *
path_of(unsigned i)
{
    static char path[96];
    (void)snprintf(path, sizeof(path), "%s/f%u", dir, i);
    return path;
}

static void
swap_to(unsigned engine)
{
    atomic_store(&fs.engine_now, engines[engine]);
    stoqfs_gate_engine(fs.gate, engines[engine]);
}

static void
gate_up(void)
{
    ck_assert_int_eq(stoqfs_gate_new(&fs, &fs.gate, NULL), 0);
    FAKE_UNTIL(!stoqfs_gate_loading(fs.gate));
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
    scans = 0;
    (void)snprintf(dir, sizeof(dir), "/tmp/stoq-stale-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    for (unsigned i = 0; i < FILES; i++) {
        fds[i] = open(path_of(i), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        ck_assert_int_ge(fds[i], 0);
        ck_assert_int_eq(write(fds[i], "abc", 3), 3);
        ck_assert_int_eq(fstat(fds[i], &st[i]), 0);
    }
    for (unsigned i = 0; i < STOQ_ARRAY_SIZE(engines); i++)
        memset(engines[i], 'a' + (int)i, sizeof(engines[i]) - 1);
    options.config = &config;
    options.source = dir;
    fs.options = &options;
    fs.source_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    atomic_store(&fs.engine_now, engines[0]);
    const struct stoq_identity id = gate_identity(&st[FILES - 1]);
    FAKE_UNTIL(gate_trusted(&id, stoq_real_ns()));
    gate_up();
}

static void
teardown(void)
{
    gate_down();
    (void)close(fs.source_fd);
    for (unsigned i = 0; i < FILES; i++) {
        (void)close(fds[i]);
        (void)unlink(path_of(i));
    }
    (void)rmdir(dir);
    fake_teardown();
}

static int
ask(unsigned i, struct got *got, struct stoqfs_answer *now)
{
    const struct stoqfs_question q = {.fd = fds[i],
                                      .st = &st[i],
                                      .priority = STOQ_PRIORITY_READER,
                                      .fn = on_answer,
                                      .arg = got};
    return stoqfs_gate_ask(fs.gate, &q, now);
}

/* End job @p n as a scanner of @p engine would. */
static void
finish(size_t n, unsigned engine, enum stoq_verdict verdict)
{
    char id[40];
    (void)snprintf(id, sizeof(id), ID, ++scans);
    (void)fake_finish(fake_job(n), &(struct fake_end){.verdict = verdict,
                                                      .scan_id = id,
                                                      .engine = engines[engine]});
}

/* File @p i is known under @p engine, which is in force. */
static void
know(unsigned i, unsigned engine, enum stoq_verdict verdict)
{
    struct got got = {0};
    struct stoqfs_answer now;
    size_t n = fake.job_count;
    ck_assert_int_eq(ask(i, &got, &now), 0);
    finish(n, engine, verdict);
    ck_assert_int_eq(got.calls, 1);
    ck_assert_int_eq(stoqfs_gate_drain(fs.gate, FAKE_WAIT_MS), 0);
}

START_TEST(a_swap_makes_results_stale)
{
    struct got got = {0};
    struct stoqfs_answer now;
    struct stoq_record r;
    know(0, 0, STOQ_VERDICT_CLEAN);
    ck_assert_uint_eq(stoqfs_gate_stale(fs.gate), 0);
    ck_assert(!stoqfs_gate_stale_record(fs.gate, st[0].st_dev, st[0].st_ino, &r));
    swap_to(1);
    ck_assert_uint_eq(stoqfs_gate_stale(fs.gate), 1);
    ck_assert(!stoqfs_gate_known(fs.gate, &st[0], false, &now));
    ck_assert(stoqfs_gate_peek(fs.gate, &st[0], &now));
    ck_assert(now.stale);
    ck_assert_str_eq(now.record.engine_id, engines[0]);
    ck_assert(stoqfs_gate_expects(fs.gate, &st[0]));
    ck_assert(stoqfs_gate_stale_record(fs.gate, st[0].st_dev, st[0].st_ino, &r));
    ck_assert_str_eq(r.engine_id, engines[0]);
    /* asked for, it is scanned again */
    ck_assert_int_eq(ask(0, &got, &now), 0);
    finish(1, 1, STOQ_VERDICT_FLAGGED);
    ck_assert_int_eq(got.calls, 1);
    ck_assert_int_eq(got.answer.verdict, STOQ_VERDICT_FLAGGED);
    ck_assert_str_eq(got.answer.record.engine_id, engines[1]);
    ck_assert_uint_eq(stoqfs_gate_stale(fs.gate), 0);
    ck_assert(stoqfs_gate_peek(fs.gate, &st[0], &now));
    ck_assert(!now.stale);
}
END_TEST

START_TEST(rules_that_come_back_find_their_results)
{
    struct stoqfs_answer now;
    know(0, 0, STOQ_VERDICT_CLEAN);
    know(1, 0, STOQ_VERDICT_CLEAN);
    swap_to(1);
    know(1, 1, STOQ_VERDICT_FLAGGED);
    ck_assert_uint_eq(stoqfs_gate_stale(fs.gate), 1);
    swap_to(0);
    ck_assert_uint_eq(stoqfs_gate_stale(fs.gate), 1);
    ck_assert(stoqfs_gate_known(fs.gate, &st[0], false, &now));
    ck_assert(!stoqfs_gate_known(fs.gate, &st[1], false, &now));
}
END_TEST

START_TEST(who_asks_later_is_not_told_what_older_rules_say)
{
    struct got before = {0}, after = {0};
    struct stoqfs_answer now;
    ck_assert_int_eq(ask(0, &before, &now), 0);
    swap_to(1);
    ck_assert_int_eq(ask(0, &after, &now), 0);
    ck_assert_uint_eq(fake.job_count, 1);
    finish(0, 0, STOQ_VERDICT_CLEAN);
    /* who asked before the swap is; it is recorded as what it is */
    ck_assert_int_eq(before.calls, 1);
    ck_assert_int_eq(before.answer.verdict, STOQ_VERDICT_CLEAN);
    ck_assert_str_eq(before.answer.record.engine_id, engines[0]);
    ck_assert_int_eq(after.calls, 0);
    ck_assert_uint_eq(stoqfs_gate_stale(fs.gate), 1);
    /* a scanner of the older rules took it once more: not enough */
    finish(1, 0, STOQ_VERDICT_CLEAN);
    ck_assert_int_eq(after.calls, 0);
    finish(2, 1, STOQ_VERDICT_FLAGGED);
    ck_assert_int_eq(after.calls, 1);
    ck_assert_int_eq(after.answer.verdict, STOQ_VERDICT_FLAGGED);
    ck_assert_uint_eq(stoqfs_gate_stale(fs.gate), 0);
}
END_TEST

START_TEST(two_swaps_during_one_scan)
{
    struct got first = {0}, second = {0}, third = {0};
    struct stoqfs_answer now;
    ck_assert_int_eq(ask(0, &first, &now), 0);
    swap_to(1);
    ck_assert_int_eq(ask(0, &second, &now), 0);
    swap_to(2);
    ck_assert_int_eq(ask(0, &third, &now), 0);
    finish(0, 0, STOQ_VERDICT_CLEAN);
    ck_assert_int_eq(first.calls, 1);
    ck_assert_int_eq(second.calls + third.calls, 0);
    finish(1, 1, STOQ_VERDICT_CLEAN); /* in force when the second asked */
    ck_assert_int_eq(second.calls, 1);
    ck_assert_int_eq(third.calls, 0);
    finish(2, 2, STOQ_VERDICT_FLAGGED);
    ck_assert_int_eq(third.calls, 1);
}
END_TEST

START_TEST(a_stale_result_is_not_confirmed)
{
    struct got got = {0};
    struct stoqfs_answer now;
    char id[40];
    (void)snprintf(id, sizeof(id), ID, 0x77U);
    ck_assert_int_eq(ask(0, &got, &now), 0);
    (void)fake_finish(
        fake_job(0),
        &(struct fake_end){.digest = 7, .reusable = true, .engine = engines[0]});
    ck_assert_int_eq(stoqfs_gate_drain(fs.gate, FAKE_WAIT_MS), 0);
    swap_to(1);
    ck_assert_int_eq(ask(0, &got, &now), 0);
    (void)fake_finish(fake_job(1), &(struct fake_end){.digest = 7,
                                                      .reused = true,
                                                      .reusable = true,
                                                      .scan_id = id,
                                                      .engine = engines[1]});
    ck_assert_str_eq(got.answer.record.scan_id, id);
    ck_assert_str_eq(got.answer.record.engine_id, engines[1]);
    ck_assert_uint_eq(stoqfs_gate_stale(fs.gate), 0);
}
END_TEST

START_TEST(newest_first_and_no_more_than_asked_for)
{
    struct stoqfs_stale_file list[FILES];
    for (unsigned i = 0; i < FILES; i++)
        know(i, 0, STOQ_VERDICT_CLEAN);
    ck_assert_uint_eq(stoqfs_gate_stale_newest(fs.gate, list, FILES), 0);
    swap_to(1);
    ck_assert_uint_eq(stoqfs_gate_stale_newest(fs.gate, list, FILES), FILES);
    for (unsigned i = 0; i < FILES; i++)
        ck_assert_uint_eq(list[i].ino, st[FILES - 1 - i].st_ino);
    ck_assert_uint_eq(stoqfs_gate_stale_newest(fs.gate, list, 5), 5);
    for (unsigned i = 0; i < 5; i++)
        ck_assert_uint_eq(list[i].ino, st[FILES - 1 - i].st_ino);
    /* one that cannot be found is left out, until somebody asks */
    stoqfs_gate_give_up(fs.gate, st[FILES - 1].st_dev, st[FILES - 1].st_ino);
    ck_assert_uint_eq(stoqfs_gate_stale(fs.gate), FILES - 1);
    ck_assert_uint_eq(stoqfs_gate_stale_newest(fs.gate, list, 1), 1);
    ck_assert_uint_eq(list[0].ino, st[FILES - 2].st_ino);
    know(FILES - 1, 1, STOQ_VERDICT_CLEAN);
    ck_assert_uint_eq(stoqfs_gate_stale(fs.gate), FILES - 1);
}
END_TEST

START_TEST(background_scans_are_counted_and_come_last)
{
    struct stoqfs_stale_file list[FILES];
    struct stoqfs_answer now;
    atomic_bool stop = false;
    know(0, 0, STOQ_VERDICT_CLEAN);
    know(1, 0, STOQ_VERDICT_CLEAN);
    swap_to(1);
    const struct stoqfs_question q = {
        .fd = -1, .st = &st[1], .path = "f1", .priority = STOQ_PRIORITY_STALE};
    ck_assert_int_eq(stoqfs_gate_ask(fs.gate, &q, &now), 0);
    struct fake_job *job = fake_job(2);
    ck_assert_int_eq(job->priority, STOQ_PRIORITY_STALE);
    ck_assert_uint_eq(stoqfs_gate_stale_newest(fs.gate, list, FILES), 1);
    ck_assert_uint_eq(list[0].ino, st[0].st_ino);
    stoqfs_gate_stale_wait(fs.gate, 2, &stop); /* one is under way */
    stop = true;
    stoqfs_gate_stale_wait(fs.gate, 1, &stop); /* would wait */
    stop = false;
    /* a reader makes it urgent */
    struct got got = {0};
    ck_assert_int_eq(ask(1, &got, &now), 0);
    FAKE_UNTIL(job->priority == STOQ_PRIORITY_READER);
    finish(2, 1, STOQ_VERDICT_CLEAN);
    ck_assert_int_eq(got.calls, 1);
    stoqfs_gate_stale_wait(fs.gate, 1, &stop);
    /* what is gone when its turn comes is given up */
    ck_assert_int_eq(unlink(path_of(0)), 0);
    const struct stoqfs_question gone = {
        .fd = -1, .st = &st[0], .path = "f0", .priority = STOQ_PRIORITY_STALE};
    ck_assert_int_eq(stoqfs_gate_ask(fs.gate, &gone, &now), 0);
    FAKE_UNTIL(stoqfs_gate_stale(fs.gate) == 0);
    ck_assert_int_eq(stoqfs_gate_drain(fs.gate, FAKE_WAIT_MS), 0);
}
END_TEST

START_TEST(stored_results_of_other_rules_are_stale)
{
    struct stoqfs_answer now;
    struct stoqfs_stale_file list[FILES];
    know(0, 0, STOQ_VERDICT_FLAGGED);
    know(1, 0, STOQ_VERDICT_CLEAN);
    gate_down();
    atomic_store(&fs.engine_now, engines[1]);
    gate_up();
    ck_assert_uint_eq(stoqfs_gate_stale(fs.gate), 2);
    ck_assert(!stoqfs_gate_known(fs.gate, &st[0], true, &now));
    ck_assert(stoqfs_gate_peek(fs.gate, &st[0], &now));
    ck_assert(now.stale && now.stored);
    ck_assert_uint_eq(stoqfs_gate_stale_newest(fs.gate, list, FILES), 2);
    ck_assert_uint_eq(list[0].ino, st[1].st_ino);
}
END_TEST

START_TEST(nothing_of_other_rules_is_reused)
{
    struct stoqfs_answer now;
    struct got got = {0};
    uint8_t digest[STOQ_SHA256_SIZE];
    char *text = NULL;
    size_t size = 0;
    memset(digest, 7, sizeof(digest));
    fake.hold = true; /* so that it is in memory */
    ck_assert_int_eq(ask(0, &got, &now), 0);
    (void)fake_finish(
        fake_job(0),
        &(struct fake_end){.digest = 7, .reusable = true, .engine = engines[0]});
    FAKE_UNTIL(fake_held() == 1);
    ck_assert(stoqfs_gate_reuse(fs.gate, digest, &text, &size));
    free(text);
    swap_to(1);
    ck_assert(!stoqfs_gate_reuse(fs.gate, digest, &text, &size));
    fake_release();
    ck_assert(!stoqfs_gate_reuse(fs.gate, digest, &text, &size));
}
END_TEST

START_TEST(more_engines_than_places)
{
    struct stoqfs_answer now;
    char id[STOQ_SHA256_HEX];
    know(0, 0, STOQ_VERDICT_CLEAN);
    for (unsigned i = 0; i < 3 * GATE_ENGINES; i++) {
        (void)snprintf(id, sizeof(id), "%064x", i);
        atomic_store(&fs.engine_now, id);
        stoqfs_gate_engine(fs.gate, id);
        /* each has a result, so that none of them can be forgotten */
        struct got got = {0};
        size_t n = fake.job_count;
        unsigned f = 1 + i % (FILES - 1);
        ck_assert_int_eq(ask(f, &got, &now), 0);
        (void)fake_finish(fake_job(n), &(struct fake_end){.engine = id});
        ck_assert_int_eq(got.calls, 1);
        ck_assert(stoqfs_gate_known(fs.gate, &st[f], false, &now));
        ck_assert_str_eq(now.record.engine_id, id);
        ck_assert(!stoqfs_gate_known(fs.gate, &st[0], false, &now));
        ck_assert_uint_eq(stoqfs_gate_stale(fs.gate),
                          i < FILES - 1 ? i + 1 : FILES - 1);
    }
    ck_assert_int_eq(stoqfs_gate_drain(fs.gate, FAKE_WAIT_MS), 0);
    swap_to(0);
    ck_assert(stoqfs_gate_known(fs.gate, &st[0], false, &now));
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        a_swap_makes_results_stale,
        rules_that_come_back_find_their_results,
        who_asks_later_is_not_told_what_older_rules_say,
        two_swaps_during_one_scan,
        a_stale_result_is_not_confirmed,
        newest_first_and_no_more_than_asked_for,
        background_scans_are_counted_and_come_last,
        stored_results_of_other_rules_are_stale,
        nothing_of_other_rules_is_reused,
        more_engines_than_places,
    };
    Suite *suite = suite_create("fs_gate_stale");
    TCase *tc = tcase_create("gate");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(tests); i++)
        tcase_add_test(tc, tests[i]);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
