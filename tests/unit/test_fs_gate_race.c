/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The gate under many threads: interrupts against ends of scans and deadlines, asks
 * against forgetting and carrying. Every question is answered exactly once. Meant for
 * the thread sanitizer as much as for its assertions.
 */

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/config.h"
#include "fs_gate_fakes.h"
#include "gate_caller.h"
#include "util/auto.h"

#define ROUNDS 300

static char file[64];
static struct stoq_config config;
static struct stoqfs_options options;
static struct stoqfs fs;
static int fd = -1;
static struct stat st;

static void
setup(void)
{
    fake_setup();
    memset(&config, 0, sizeof(config));
    memset(&options, 0, sizeof(options));
    memset(&fs, 0, sizeof(fs));
    (void)snprintf(file, sizeof(file), "/tmp/stoq-race-XXXXXX");
    fd = mkostemp(file, O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    const struct stoq_identity id = gate_identity(&st);
    FAKE_UNTIL(gate_trusted(&id, stoq_real_ns()));
    options.config = &config;
    options.source = file;
    fs.options = &options;
    fs.source_fd = -1;
    memset(fs.engine_id, 'e', sizeof(fs.engine_id) - 1);
    atomic_store(&fs.engine_now, fs.engine_id);
    ck_assert_int_eq(stoqfs_gate_new(&fs, &fs.gate, NULL), 0);
}

static void
teardown(void)
{
    stoqfs_gate_free(fs.gate);
    (void)close(fd);
    (void)unlink(file);
    fake_teardown();
}

/* As a reply does: from here on the request is nobody's. */
static void
reply(void *arg, const struct stoqfs_answer *answer)
{
    struct fuse_req *req = arg;
    ck_assert(answer->status == 0 || answer->status == -EINTR ||
              answer->status == -ECANCELED);
    atomic_fetch_add(&req->called, 1);
}

static int
ask(struct fuse_req *req, struct stoqfs_answer *now)
{
    const struct stoqfs_question q = {.fd = fd,
                                      .st = &st,
                                      .priority = STOQ_PRIORITY_READER,
                                      .req = req,
                                      .fn = reply,
                                      .arg = req};
    return stoqfs_gate_ask(fs.gate, &q, now);
}

static void *
interrupt_main(void *arg)
{
    fake_interrupt(arg);
    return NULL;
}

START_TEST(interrupted_before)
{
    struct fuse_req req = {.lock = PTHREAD_MUTEX_INITIALIZER, .interrupted = true};
    struct stoqfs_answer now;
    ck_assert_int_eq(ask(&req, &now), 1);
    ck_assert_int_eq(now.status, -EINTR);
    ck_assert(!now.known);
    ck_assert_int_eq(req.called, 0);
    ck_assert(!req.func);
    ck_assert_uint_eq(fake.job_count, 0);
    ck_assert_uint_eq(fs.counters.interrupted, 1);
}
END_TEST

START_TEST(interrupted_while_waiting)
{
    struct fuse_req req = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct stoqfs_answer now;
    ck_assert_int_eq(ask(&req, &now), 0);
    fake_interrupt(&req);
    FAKE_UNTIL(req.called == 1);
    ck_assert(!req.func);
    ck_assert_uint_eq(fs.counters.interrupted, 1);
    /* the scan goes on and its result counts */
    (void)fake_finish(fake_job(0), &(struct fake_end){.verdict = STOQ_VERDICT_CLEAN});
    ck_assert_int_eq(req.called, 1);
    ck_assert_int_eq(ask(&req, &now), 1);
    ck_assert_int_eq(now.verdict, STOQ_VERDICT_CLEAN);
}
END_TEST

/* A signal that does not end the caller leaves it waiting, and the end that comes later
 * without an interrupt is noticed. */
START_TEST(signals_and_the_end)
{
    struct fuse_req req = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct stoqfs_answer now;
    options.deadline_ms = 600000;
    pid_t child = fork();
    if (child == 0)
        for (;;)
            (void)pause();
    req.ctx.pid = child;
    ck_assert_int_eq(ask(&req, &now), 0);
    fake_interrupt(&req);
    ck_assert_int_eq(req.called, 0);
    ck_assert(req.func);
    ck_assert_uint_eq(fs.counters.interrupted, 0);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    FAKE_UNTIL(req.called == 1);
    ck_assert_uint_eq(fs.counters.interrupted, 1);
}
END_TEST

static const struct {
    const char *masks; /* SigPnd ShdPnd SigBlk SigIgn SigCgt */
    bool ends;
} callers[] = {
    {"0 0 0 0 0", false},       {"100 0 0 0 0", true},   {"0 100 0 0 0", true},
    {"0 4000 0 0 4000", false}, {"0 4 0 0 0", true},     {"4 0 0 0 4", false},
    {"4 0 0 4 0", false},       {"4 0 4 0 0", false},    {"400000 0 0 0 400000", false},
    {"8002 0 0 0 8002", false}, {"102 0 100 0 2", true}, {"0 6000 0 0 2000", true},
    {"10000 0 0 0 0", false},
};

START_TEST(caller_by_its_signals)
{
    char text[256], m[5][20];
    ck_assert_int_eq(sscanf(callers[_i].masks, "%19s %19s %19s %19s %19s", m[0], m[1],
                            m[2], m[3], m[4]),
                     5);
    (void)snprintf(text, sizeof(text),
                   "Name:\tx\nSigQ:\t1/2\nSigPnd:\t%s\nShdPnd:\t%s\nSigBlk:\t%s\n"
                   "SigIgn:\t%s\nSigCgt:\t%s\n",
                   m[0], m[1], m[2], m[3], m[4]);
    ck_assert_int_eq(stoqfs_caller_text_ends(text), callers[_i].ends);
}
END_TEST

START_TEST(caller_unknown)
{
    ck_assert(stoqfs_caller_ends(0));
    ck_assert(!stoqfs_caller_ends(getpid()));
    ck_assert(stoqfs_caller_text_ends("Name:\tx\n"));
}
END_TEST

START_TEST(interrupt_against_the_end)
{
    options.deadline_ms = 1000;
    for (size_t i = 0; i < ROUNDS; i++) {
        struct fuse_req req = {.lock = PTHREAD_MUTEX_INITIALIZER};
        struct stoqfs_answer now = {0};
        pthread_t t = pthread_self();
        if (i % 2)
            options.deadline_ms = 1;
        bool early = i % 3 == 0;
        if (early)
            ck_assert_int_eq(pthread_create(&t, NULL, interrupt_main, &req), 0);
        int r = ask(&req, &now);
        if (!early)
            ck_assert_int_eq(pthread_create(&t, NULL, interrupt_main, &req), 0);
        ck_assert(r == 0 || (r == 1 && now.status == -EINTR));
        if (r == 0 || fake.job_count % 2)
            for (size_t j = 0; j < fake.job_count; j++)
                if (!fake.jobs[j].ended)
                    (void)fake_finish(
                        &fake.jobs[j],
                        &(struct fake_end){.verdict = STOQ_VERDICT_CLEAN});
        ck_assert_int_eq(pthread_join(t, NULL), 0);
        if (r == 0)
            FAKE_UNTIL(atomic_load(&req.called) == 1);
        ck_assert_int_eq(req.called, r == 0);
        ck_assert_int_eq(stoqfs_gate_drain(fs.gate, FAKE_WAIT_MS), 0);
        stoqfs_gate_forget(fs.gate, &st);
    }
}
END_TEST

/* ---- many threads, one file ---- */

struct crowd {
    atomic_bool stop;
    atomic_ulong asked, answered;
};

static void
crowd_answer(void *arg, const struct stoqfs_answer *answer)
{
    struct crowd *c = arg;
    ck_assert_int_eq(answer->status, 0);
    ck_assert(answer->known);
    atomic_fetch_add(&c->answered, 1);
}

static void *
asker_main(void *arg)
{
    struct crowd *c = arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct stoqfs_answer now;
        const struct stoqfs_question q = {.fd = fd,
                                          .st = &st,
                                          .priority = STOQ_PRIORITY_SIDECAR,
                                          .stored = i % 2,
                                          .fn = crowd_answer,
                                          .arg = c};
        int r = stoqfs_gate_ask(fs.gate, &q, &now);
        ck_assert(r == 0 || r == 1);
        if (r == 0)
            atomic_fetch_add(&c->asked, 1);
        if (i % 7 == 0)
            stoqfs_gate_forget(fs.gate, &st);
        if (i % 5 == 0)
            (void)stoqfs_gate_peek(fs.gate, &st, &now);
    }
    return NULL;
}

static void *
pool_main(void *arg)
{
    struct crowd *c = arg;
    size_t next = 0;
    for (;;) {
        bool stop = atomic_load(&c->stop);
        (void)pthread_mutex_lock(&fake.lock);
        bool there = next < fake.job_count;
        (void)pthread_mutex_unlock(&fake.lock);
        if (there)
            (void)fake_finish(&fake.jobs[next++],
                              &(struct fake_end){.verdict = STOQ_VERDICT_CLEAN});
        else if (stop)
            return NULL;
        else
            (void)usleep(20);
    }
}

START_TEST(a_crowd_is_answered_once_each)
{
    struct crowd c = {0};
    pthread_t askers[4], pool;
    ck_assert_int_eq(pthread_create(&pool, NULL, pool_main, &c), 0);
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(askers); i++)
        ck_assert_int_eq(pthread_create(&askers[i], NULL, asker_main, &c), 0);
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(askers); i++)
        ck_assert_int_eq(pthread_join(askers[i], NULL), 0);
    FAKE_UNTIL(atomic_load(&c.answered) == atomic_load(&c.asked));
    atomic_store(&c.stop, true);
    ck_assert_int_eq(pthread_join(pool, NULL), 0);
    ck_assert_int_eq(stoqfs_gate_drain(fs.gate, FAKE_WAIT_MS), 0);
    uint64_t waiting = 1, entries;
    stoqfs_gate_stats(fs.gate, &waiting, &entries);
    ck_assert_uint_eq(waiting, 0);
    ck_assert_uint_gt(c.asked, 0);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("fs_gate_race");
    TCase *t = tcase_create("race");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 100);
    tcase_add_test(t, interrupted_before);
    tcase_add_test(t, interrupted_while_waiting);
    tcase_add_test(t, signals_and_the_end);
    tcase_add_loop_test(t, caller_by_its_signals, 0,
                        sizeof(callers) / sizeof(callers[0]));
    tcase_add_test(t, caller_unknown);
    tcase_add_test(t, interrupt_against_the_end);
    tcase_add_test(t, a_crowd_is_answered_once_each);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
