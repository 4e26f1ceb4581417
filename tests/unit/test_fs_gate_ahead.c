/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Scans in the gate that are ahead of anybody's wish: when they begin, what is seen of
 * them, and that their end is told once.
 */

#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/config.h"
#include "fs_gate_fakes.h"
#include "util/auto.h"

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

static atomic_int endings;

static void
on_end(void *arg, uint64_t dev, uint64_t ino)
{
    ck_assert_ptr_eq(arg, &endings);
    ck_assert_uint_eq(dev, st.st_dev);
    ck_assert_uint_eq(ino, st.st_ino);
    atomic_fetch_add(&endings, 1);
}

static int
ask_ahead(struct stoqfs_answer *now)
{
    const struct stoqfs_question q = {.fd = fd,
                                      .st = &st,
                                      .path = "f",
                                      .priority = STOQ_PRIORITY_DISCOVERED,
                                      .ended = on_end,
                                      .arg = &endings};
    return stoqfs_gate_ask(fs.gate, &q, now);
}

static int
ask(struct got *got, struct stoqfs_answer *now)
{
    const struct stoqfs_question q = {.fd = fd,
                                      .st = &st,
                                      .priority = STOQ_PRIORITY_READER,
                                      .fn = on_answer,
                                      .arg = got};
    return stoqfs_gate_ask(fs.gate, &q, now);
}

static const struct fake_end clean = {.verdict = STOQ_VERDICT_CLEAN};

START_TEST(unseen_until_somebody_asks)
{
    struct stoqfs_answer now = {0};
    struct got got = {0};
    atomic_store(&endings, 0);
    ck_assert_int_eq(ask_ahead(&now), 0);
    ck_assert_str_eq(fake_job(0)->filename, "f");
    ck_assert_int_eq(ask_ahead(&now), 1); /* it is being scanned: no second ending */
    (void)fake_finish(fake_job(0), &clean);
    ck_assert_int_eq(atomic_load(&endings), 1);
    ck_assert_int_eq(stoqfs_gate_drain(fs.gate, FAKE_WAIT_MS), 0);
    for (int i = 0; i < 2; i++) { /* looking changes nothing */
        ck_assert(stoqfs_gate_peek(fs.gate, &st, &now));
        ck_assert(now.stored && now.ahead);
    }
    ck_assert_int_eq(ask(&got, &now), 1);
    ck_assert(stoqfs_gate_peek(fs.gate, &st, &now));
    ck_assert(now.stored && !now.ahead);
    ck_assert_uint_eq(fake.job_count, 1);
    ck_assert_int_eq(atomic_load(&endings), 1);
}
END_TEST

START_TEST(a_reader_who_joins_has_asked)
{
    struct stoqfs_answer now = {0};
    struct got got = {0};
    atomic_store(&endings, 0);
    ck_assert_int_eq(ask_ahead(&now), 0);
    ck_assert_int_eq(ask(&got, &now), 0);
    ck_assert_int_eq(fake_job(0)->priority, STOQ_PRIORITY_READER);
    (void)fake_finish(fake_job(0), &clean);
    FAKE_UNTIL(atomic_load(&got.calls) == 1);
    ck_assert_int_eq(got.answer.verdict, STOQ_VERDICT_CLEAN);
    ck_assert_int_eq(atomic_load(&endings), 1);
    ck_assert(stoqfs_gate_peek(fs.gate, &st, &now));
    ck_assert(!now.ahead);
    ck_assert_uint_eq(fake.job_count, 1);
}
END_TEST

START_TEST(young_files_are_left_alone)
{
    struct stoqfs_answer now = {0};
    const struct timespec soon = {.tv_sec = stoq_real_ns() / 1000000000 + 60};
    const struct timespec times[2] = {soon, soon};
    atomic_store(&endings, 0);
    ck_assert_int_eq(futimens(fd, times), 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert_int_eq(ask_ahead(&now), -EAGAIN);
    ck_assert_uint_eq(fake.job_count, 0);
    ck_assert_int_eq(atomic_load(&endings), 0);
}
END_TEST

START_TEST(a_pool_that_refuses_ends_it)
{
    struct stoqfs_answer now = {0};
    atomic_store(&endings, 0);
    fake.submit_error = -ECANCELED;
    ck_assert_int_eq(ask_ahead(&now), 0);
    ck_assert_int_eq(atomic_load(&endings), 1);
    ck_assert(!stoqfs_gate_expects(fs.gate, &st));
    fake.submit_error = 0;
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("fs_gate_ahead");
    TCase *t = tcase_create("ahead");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, unseen_until_somebody_asks);
    tcase_add_test(t, a_reader_who_joins_has_asked);
    tcase_add_test(t, young_files_are_left_alone);
    tcase_add_test(t, a_pool_that_refuses_ends_it);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
