/* SPDX-License-Identifier: Apache-2.0 */
/* A zygote beside another: tried before anybody uses it, then put in the other's place
 * while scans are under way. */
#include <poll.h>
#include <sys/wait.h>

#include "pool/trial.h"
#include "pool_fixture.h"

static struct bench bench;

static bool
is_over(pid_t pid)
{
    return waitpid(pid, NULL, WNOHANG) == pid;
}

/** Take steps until it ends. */
static int
end_trial(struct stoq_trial *t, enum stoq_verdict *verdict, struct stoq_error *err)
{
    for (int r = 0;;) {
        struct pollfd p = {.fd = stoq_trial_fd(t), .events = POLLIN};

        ck_assert_int_eq(poll(&p, 1, (int)WAIT_MS), 1);
        r = stoq_trial_step(t, verdict, err);
        if (r != 0)
            return r;
    }
}

START_TEST(trial_of_a_good_one)
{
    struct stoq_config *config = new_config("hash");
    struct stoq_zygote z = {.pid = 0};
    struct stoq_error err = {.code = 0};

    start_zygote(config, &z);
    for (int i = 0; i < 3; i++) {
        struct stoq_trial *t = NULL;
        enum stoq_verdict verdict = STOQ_VERDICT_ERROR;

        ck_assert_int_eq(stoq_trial_new(z.control, config, &t, &err), 0);
        ck_assert_int_eq(end_trial(t, &verdict, &err), 1);
        ck_assert_int_eq(verdict, STOQ_VERDICT_CLEAN);
        ck_assert_int_eq(err.code, 0);
        stoq_trial_free(t);
    }
    /* and the pool that gets it does not mind what it says of their ends */
    bench = (struct bench){.config = config, .zygote = z};
    start_pool(&bench, &(struct stoq_pool_config){.scanners = 1});
    struct box box = {.outcome = NULL};
    scan_text(&bench, "calm", &box);
    assert_verdict(&box, STOQ_VERDICT_CLEAN);
    box_clear(&box);
    stop_bench(&bench);
}
END_TEST

START_TEST(trial_of_a_bad_one)
{
    struct stoq_config *config = new_config("hash,trial");
    struct stoq_zygote z = {.pid = 0};
    struct stoq_error err = {.code = 0};
    struct stoq_trial *t = NULL;
    enum stoq_verdict verdict = STOQ_VERDICT_CLEAN;

    start_zygote(config, &z);
    ck_assert_int_eq(stoq_trial_new(z.control, config, &t, &err), 0);
    ck_assert_int_eq(end_trial(t, &verdict, &err), 1);
    ck_assert_int_eq(verdict, STOQ_VERDICT_ERROR);
    ck_assert_str_eq(err.message,
                     "trial scan: trial: worker:failed to scan: no trials");
    stoq_trial_free(t);
    stoq_zygote_end(&z);
    stoq_config_free(config);
}
END_TEST

START_TEST(trial_of_one_that_dies)
{
    struct stoq_config *config = new_config("hash");
    struct stoq_zygote z = {.pid = 0};
    struct stoq_error err = {.code = 0};
    struct stoq_trial *t = NULL;
    enum stoq_verdict verdict = STOQ_VERDICT_CLEAN;

    start_zygote(config, &z);
    ck_assert_int_eq(kill(z.pid, SIGSTOP), 0);
    ck_assert_int_eq(stoq_trial_new(z.control, config, &t, &err), 0);
    ck_assert_int_eq(kill(z.pid, SIGKILL), 0);
    ck_assert_int_eq(end_trial(t, &verdict, &err), -EPIPE);
    ck_assert_str_eq(err.message, "trial scan: the zygote died");
    stoq_trial_free(t);
    stoq_zygote_end(&z);
    stoq_config_free(config);
}
END_TEST

/** What is under way is finished where it is, under its own engine id; then the older
 *  zygote is let go. What waited is scanned by the newer one. */
START_TEST(swap_while_scanning)
{
    struct box held = {.outcome = NULL}, next = {.outcome = NULL};
    struct stoq_zygote other = {.pid = 0};
    struct stoq_pool_stats stats;
    uint64_t end = 0;

    /* before the pool has a thread: a process with threads must not fork zygotes */
    struct stoq_config *config = new_config("hash");
    start_zygote(config, &other);
    start_bench(&bench, "hash,hang", 2);
    ck_assert_str_ne(other.engine_id, bench.engine_id);
    struct stoq_job_spec spec = {.fd = memfd_of("HANG", 4), .deadline_ms = 1500};
    submit(&bench, &spec, &held);
    end = stoq_now_ms() + WAIT_MS;
    do {
        stoq_pool_stats(bench.pool, &stats);
        ck_assert_uint_lt(stoq_now_ms(), end);
        (void)usleep(1000);
    } while (stats.queued > 0);
    stoq_pool_set_zygote(bench.pool, other.control, other.engine_id);
    other.control = -1;
    spec = (struct stoq_job_spec){.fd = memfd_of("calm", 4)};
    submit(&bench, &spec, &next);
    ck_assert_int_eq(stoq_pool_drain(bench.pool, WAIT_MS), 0);
    assert_verdict(&held, STOQ_VERDICT_TIMEOUT);
    assert_verdict(&next, STOQ_VERDICT_CLEAN);
    ck_assert_str_eq(held.outcome->engine_id, bench.engine_id);
    ck_assert_str_eq(next.outcome->engine_id, other.engine_id);
    ck_assert_uint_lt(next.order, held.order);
    end = stoq_now_ms() + WAIT_MS;
    while (!is_over(bench.zygote.pid)) {
        ck_assert_uint_lt(stoq_now_ms(), end);
        (void)usleep(1000);
    }
    bench.zygote.pid = 0;
    box_clear(&held);
    box_clear(&next);
    stop_bench(&bench);
    stoq_zygote_end(&other);
    stoq_config_free(config);
}
END_TEST

/** More swaps than the pool holds zygotes for: the oldest one's scan is done again. */
START_TEST(many_swaps_while_scanning)
{
    enum { SWAPS = 6 };
    struct box held = {.outcome = NULL};
    struct stoq_zygote others[SWAPS] = {{.pid = 0}};
    struct stoq_pool_stats stats;

    struct stoq_config *config = new_config("hash"); /* who does not hang */
    for (unsigned i = 0; i < SWAPS; i++)
        start_zygote(config, &others[i]);
    start_bench(&bench, "hash,hang", 1);
    struct stoq_job_spec spec = {.fd = memfd_of("HANG", 4), .deadline_ms = 25000};
    submit(&bench, &spec, &held);
    do {
        stoq_pool_stats(bench.pool, &stats);
        (void)usleep(1000);
    } while (stats.queued > 0);
    for (unsigned i = 0; i < SWAPS; i++) {
        stoq_pool_set_zygote(bench.pool, others[i].control, others[i].engine_id);
        others[i].control = -1;
    }
    /* its one slot is the hanging scanner's: nothing but the end of that zygote helps
     */
    ck_assert_int_eq(kill(bench.zygote.pid, SIGKILL), 0);
    ck_assert_int_eq(stoq_pool_drain(bench.pool, WAIT_MS), 0);
    assert_verdict(&held, STOQ_VERDICT_CLEAN);
    ck_assert_str_eq(held.outcome->engine_id, others[0].engine_id);
    box_clear(&held);
    stop_bench(&bench);
    for (unsigned i = 0; i < SWAPS; i++)
        stoq_zygote_end(&others[i]);
    stoq_config_free(config);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        trial_of_a_good_one, trial_of_a_bad_one,        trial_of_one_that_dies,
        swap_while_scanning, many_swaps_while_scanning,
    };
    return run_suite("pool swap", tests, STOQ_ARRAY_SIZE(tests));
}
