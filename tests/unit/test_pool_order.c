/* SPDX-License-Identifier: Apache-2.0 */
/* Order, draining, ending, and what a zygote that cannot start says. */
#include <sys/stat.h>
#include <sys/wait.h>

#include "pool_fixture.h"

static struct bench bench;

/** With one scanner held by a hanging job, the others end in order of urgency. */
START_TEST(urgent_jobs_first)
{
    static const enum stoq_priority priorities[] = {
        STOQ_PRIORITY_DISCOVERED, STOQ_PRIORITY_WRITTEN, STOQ_PRIORITY_SIDECAR,
        STOQ_PRIORITY_READER,     STOQ_PRIORITY_READER,  STOQ_PRIORITY_DISCOVERED,
    };
    static const unsigned order[] = {7, 6, 5, 2, 3, 4};
    struct stoq_job_spec hang = {.fd = memfd_of("HANG", 4), .deadline_ms = 400};
    struct box boxes[STOQ_ARRAY_SIZE(priorities)], held = {.outcome = NULL};
    struct stoq_pool_stats stats;
    uint64_t id = 0;

    memset(boxes, 0, sizeof(boxes));
    box_count = 0;
    start_bench(&bench, "hang", 1);
    submit(&bench, &hang, &held);
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(priorities); i++) {
        struct stoq_job_spec spec = {.fd = memfd_of("abc", 3),
                                     .priority = priorities[i],
                                     .done = box_done,
                                     .arg = &boxes[i]};

        ck_assert_int_eq(stoq_pool_submit(bench.pool, &spec, &id), 0);
        ck_assert_int_eq(spec.fd, -1);
        ck_assert_uint_eq(id, i + 2);
    }
    stoq_pool_raise(bench.pool, id, STOQ_PRIORITY_READER);
    ck_assert_int_eq(stoq_pool_drain(bench.pool, WAIT_MS), 0);
    ck_assert_uint_eq(held.order, 1);
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(priorities); i++)
        ck_assert_msg(boxes[i].order == order[i], "job %zu ended as number %u", i,
                      boxes[i].order);
    stoq_pool_stats(bench.pool, &stats);
    ck_assert_uint_eq(stats.queued, 0);
    ck_assert_uint_eq(stats.running, 0);
    ck_assert_uint_eq(stats.scans, 6);
    ck_assert_uint_eq(stats.timeouts, 1);
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(boxes); i++)
        box_clear(&boxes[i]);
    box_clear(&held);
    stop_bench(&bench);
}
END_TEST

START_TEST(drain_times_out)
{
    struct stoq_job_spec hang = {.fd = memfd_of("HANG", 4)};
    struct box held = {.outcome = NULL};

    start_bench(&bench, "hang", 1);
    ck_assert_int_eq(stoq_pool_drain(bench.pool, 0), 0);
    submit(&bench, &hang, &held);
    ck_assert_int_eq(stoq_pool_drain(bench.pool, 50), -ETIMEDOUT);
    stoq_pool_free(bench.pool);
    bench.pool = NULL;
    assert_verdict(&held, STOQ_VERDICT_ERROR);
    ck_assert_str_eq(error_of(&held), "shutting down");
    box_clear(&held);
    stop_bench(&bench);
}
END_TEST

START_TEST(ending_ends_all_jobs)
{
    struct box boxes[20];

    memset(boxes, 0, sizeof(boxes));
    start_bench(&bench, "hang", 2);
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(boxes); i++) {
        struct stoq_job_spec hang = {.fd = memfd_of("HANG", 4), .filename = "f"};

        submit(&bench, &hang, &boxes[i]);
    }
    stoq_pool_free(bench.pool);
    bench.pool = NULL;
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(boxes); i++) {
        assert_verdict(&boxes[i], STOQ_VERDICT_ERROR);
        ck_assert_str_eq(error_of(&boxes[i]), "shutting down");
        ck_assert_int_eq(boxes[i].outcome->st.st_size, 4);
        box_clear(&boxes[i]);
    }
    stop_bench(&bench);
}
END_TEST

/* A job submitted by the end of another. */
static struct box chained[3];

static void
chain_done(void *arg, struct stoq_outcome *outcome, int fd)
{
    struct box *box = arg;

    box_done(box, outcome, fd);
    if (box + 1 < chained + STOQ_ARRAY_SIZE(chained)) {
        struct stoq_job_spec spec = {
            .fd = memfd_of("abc", 3), .done = chain_done, .arg = box + 1};

        ck_assert_int_eq(stoq_pool_submit(bench.pool, &spec, NULL), 0);
    }
}

START_TEST(jobs_from_callbacks)
{
    struct stoq_job_spec spec = {
        .fd = memfd_of("abc", 3), .done = chain_done, .arg = &chained[0]};

    start_bench(&bench, "hash", 1);
    memset(chained, 0, sizeof(chained));
    ck_assert_int_eq(stoq_pool_submit(bench.pool, &spec, NULL), 0);
    while (stoq_pool_drain(bench.pool, WAIT_MS) == 0 && !chained[2].outcome)
        ;
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(chained); i++) {
        assert_verdict(&chained[i], STOQ_VERDICT_CLEAN);
        box_clear(&chained[i]);
    }
    stop_bench(&bench);
}
END_TEST

START_TEST(bad_jobs_are_refused)
{
    static const char *dispatch[300];
    struct stoq_job_spec spec = {.fd = -1};
    struct box box = {.outcome = NULL};
    int pipe_fds[2];

    start_bench(&bench, "hash", 1);
    ck_assert_int_eq(stoq_pool_submit(bench.pool, &spec, NULL), -EINVAL);
    spec.fd = memfd_of("abc", 3);
    spec.priority = STOQ_PRIORITY_COUNT;
    ck_assert_int_eq(stoq_pool_submit(bench.pool, &spec, NULL), -EINVAL);
    spec.priority = STOQ_PRIORITY_READER;
    spec.fd = memfd_of("abc", 3);
    for (size_t i = 0; i + 1 < STOQ_ARRAY_SIZE(dispatch); i++)
        dispatch[i] = "hash";
    spec.start_dispatch = dispatch;
    ck_assert_int_eq(stoq_pool_submit(bench.pool, &spec, NULL), -E2BIG);
    spec.start_dispatch = NULL;
    ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
    spec.fd = pipe_fds[0];
    submit(&bench, &spec, &box);
    ck_assert_int_eq(stoq_pool_drain(bench.pool, WAIT_MS), 0);
    ck_assert_str_eq(error_of(&box), "not a regular file");
    (void)close(pipe_fds[1]);
    box_clear(&box);
    stop_bench(&bench);
}
END_TEST

/* ------------------------------------------------------------------ zygotes */

START_TEST(zygote_tells_its_error)
{
    struct stoq_config *config = new_config("no-such-worker");
    struct stoq_zygote z = {.pid = 0};
    struct stoq_error err = {.code = 0}, here = {.code = 0};
    struct stoq *stoq = NULL;
    int r = stoq_new(config, STOQ_ROLE_SCAN, &stoq, &here);

    if (r == 0)
        stoq_free(stoq);
    ck_assert_int_eq(stoq_zygote_spawn(config, NULL, NULL, &z, &err), 0);
    ck_assert_int_eq(stoq_zygote_wait(&z, (int)WAIT_MS, &err), r);
    ck_assert_str_eq(err.message, here.message);
    ck_assert_int_eq((int)err.kind, (int)here.kind);
    stoq_zygote_end(&z);
    stoq_config_free(config);
}
END_TEST

START_TEST(unknown_preload_is_no_error)
{
    static const char *const preload[] = {"no-such-worker", "hash", NULL};
    struct stoq_config *config = new_config("");
    struct stoq_zygote z = {.pid = 0};
    struct stoq_error err = {.code = 0};

    ck_assert_int_eq(stoq_zygote_spawn(config, preload, "label", &z, &err), 0);
    ck_assert_msg(stoq_zygote_wait(&z, (int)WAIT_MS, &err) == 0, "%s", err.message);
    ck_assert_uint_eq(strlen(z.engine_id), STOQ_SHA256_HEX - 1);
    stoq_zygote_end(&z);
    ck_assert_int_eq(z.control, -1);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    stoq_config_free(config);
}
END_TEST

START_TEST(dead_zygote_is_noticed)
{
    struct stoq_config *config = new_config("");
    struct stoq_zygote z = {.pid = 0};
    struct stoq_error err = {.code = 0};

    ck_assert_int_eq(stoq_zygote_spawn(config, NULL, NULL, &z, &err), 0);
    ck_assert_int_eq(kill(z.pid, SIGSTOP), 0);
    if (stoq_zygote_wait(&z, 20, &err) == -ETIMEDOUT)
        ck_assert_int_eq((int)err.kind, STOQ_ERROR_TIMEOUT);
    stoq_zygote_end(&z);
    stoq_error_clear(&err);
    ck_assert_int_eq(stoq_zygote_spawn(config, NULL, NULL, &z, &err), 0);
    ck_assert_int_eq(stoq_zygote_wait(&z, (int)WAIT_MS, &err), 0);
    ck_assert_int_eq(kill(z.pid, SIGKILL), 0);
    ck_assert_int_eq(stoq_zygote_wait(&z, (int)WAIT_MS, &err), -EPIPE);
    stoq_zygote_end(&z);
    stoq_config_free(config);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        urgent_jobs_first,           drain_times_out,        ending_ends_all_jobs,
        jobs_from_callbacks,         bad_jobs_are_refused,   zygote_tells_its_error,
        unknown_preload_is_no_error, dead_zygote_is_noticed,
    };
    return run_suite("pool order", tests, STOQ_ARRAY_SIZE(tests));
}
