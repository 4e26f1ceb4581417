/* SPDX-License-Identifier: Apache-2.0 */
/* Scanners that crash, spin, hang, eat memory or are killed; zygotes that die. Every
 * job ends, and those that are not at fault end with the right result. */
#include <poll.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "pool_fixture.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static struct bench bench;

START_TEST(crash_is_tried_twice)
{
    struct stoq_pool_stats stats;
    struct box bad = {.outcome = NULL}, good = {.outcome = NULL};

    start_bench(&bench, "hash,crash", 1);
    scan_text(&bench, "CRASH", &bad);
    assert_verdict(&bad, STOQ_VERDICT_ERROR);
    ck_assert_str_eq(error_of(&bad), "scanner crashed (signal 6) twice");
    ck_assert_int_eq(bad.outcome->st.st_size, 5);
    ck_assert(!bad.outcome->reusable);
    scan_text(&bench, "calm", &good);
    assert_verdict(&good, STOQ_VERDICT_CLEAN);
    ck_assert_str_eq(hash_of(&good), sha256_hex("calm", 4));
    stoq_pool_stats(bench.pool, &stats);
    ck_assert_uint_eq(stats.crashes, 2);
    ck_assert_uint_eq(stats.restarts, 2);
    ck_assert_uint_eq(stats.scans, 1);
    box_clear(&bad);
    box_clear(&good);
    stop_bench(&bench);
}
END_TEST

/** Crashing jobs among others harm only themselves. */
START_TEST(crashes_harm_nobody_else)
{
    enum { COUNT = 60 };
    struct box boxes[COUNT];
    char text[COUNT][16];

    memset(boxes, 0, sizeof(boxes));
    start_bench(&bench, "hash,crash", 2);
    for (unsigned i = 0; i < COUNT; i++) {
        struct stoq_job_spec spec = {.fd = -1};

        (void)snprintf(text[i], sizeof(text[i]), "%s %u", i % 6 ? "calm" : "CRASH", i);
        spec.fd = memfd_of(text[i], strlen(text[i]));
        submit(&bench, &spec, &boxes[i]);
    }
    ck_assert_int_eq(stoq_pool_drain(bench.pool, WAIT_MS), 0);
    for (unsigned i = 0; i < COUNT; i++) {
        if (i % 6 == 0) {
            assert_verdict(&boxes[i], STOQ_VERDICT_ERROR);
            ck_assert_str_eq(error_of(&boxes[i]), "scanner crashed (signal 6) twice");
        } else {
            assert_verdict(&boxes[i], STOQ_VERDICT_CLEAN);
            ck_assert_str_eq(hash_of(&boxes[i]), sha256_hex(text[i], strlen(text[i])));
        }
        box_clear(&boxes[i]);
    }
    stop_bench(&bench);
}
END_TEST

/** @p text exceeds a deadline of 150 ms; the scanner is replaced. */
static void
overdue(const char *workers, const char *text)
{
    struct stoq_job_spec spec = {.fd = memfd_of(text, strlen(text)),
                                 .deadline_ms = 150};
    struct box late = {.outcome = NULL}, good = {.outcome = NULL};
    struct stoq_pool_stats stats;
    uint64_t began, took;

    start_bench(&bench, workers, 1);
    began = stoq_now_ms();
    submit(&bench, &spec, &late);
    ck_assert_int_eq(stoq_pool_drain(bench.pool, WAIT_MS), 0);
    took = stoq_now_ms() - began;
    ck_assert_uint_ge(took, 150);
    ck_assert_uint_lt(took, 5000);
    assert_verdict(&late, STOQ_VERDICT_TIMEOUT);
    ck_assert_str_eq(error_of(&late), "scan exceeded its deadline of 150 ms");
    scan_text(&bench, "calm", &good);
    assert_verdict(&good, STOQ_VERDICT_CLEAN);
    stoq_pool_stats(bench.pool, &stats);
    ck_assert_uint_eq(stats.timeouts, 1);
    ck_assert_uint_eq(stats.crashes, 0);
    ck_assert_uint_eq(stats.restarts, 1);
    box_clear(&late);
    box_clear(&good);
    stop_bench(&bench);
}

START_TEST(spinning_is_ended)
{
    overdue("hash,spin", "SPIN");
}
END_TEST

START_TEST(hanging_is_ended)
{
    overdue("hash,hang", "HANG");
}
END_TEST

static void
start_limited(const char *always, const char *key, const char *value)
{
    struct stoq_pool_config extra = {.scanners = 1};

    memset(&bench, 0, sizeof(bench));
    bench.config = new_config(always);
    ck_assert_int_eq(stoq_config_set(bench.config, "limits", key, value, NULL), 0);
    start_zygote(bench.config, &bench.zygote);
    start_pool(&bench, &extra);
}

START_TEST(cpu_budget)
{
    struct box box = {.outcome = NULL};

    start_limited("spin", "cpu", "0.1");
    scan_text(&bench, "SPIN", &box);
    assert_verdict(&box, STOQ_VERDICT_TIMEOUT);
    ck_assert_str_eq(error_of(&box), "scan exceeded its CPU budget of 100 ms");
    box_clear(&box);
    stop_bench(&bench);
}
END_TEST

#ifndef SANITIZED
START_TEST(memory_is_limited)
{
    struct box box = {.outcome = NULL};

    start_limited("memory", "memory", "64M");
    scan_text(&bench, "MEMORY", &box);
    assert_verdict(&box, STOQ_VERDICT_ERROR);
    ck_assert_str_eq(error_of(&box), "scanner crashed (signal 6) twice");
    box_clear(&box);
    stop_bench(&bench);
    start_limited("memory", "memory", "2G");
    scan_text(&bench, "MEMORY", &box);
    assert_verdict(&box, STOQ_VERDICT_CLEAN);
    box_clear(&box);
    stop_bench(&bench);
}
END_TEST
#endif

/* -------------------------------------------------------------- random kills */

enum { SUBMITTERS = 8, EACH = 200 };
static atomic_uint ended;

struct submitter {
    unsigned number;
    atomic_uint submitted, ended;
    atomic_bool done[EACH];
    struct box boxes[EACH];
};

static struct submitter submitters[SUBMITTERS];

static void
count_done(void *arg, struct stoq_outcome *outcome, int fd)
{
    struct box *box = arg;

    (void)fd;
    box->outcome = outcome;
    for (unsigned i = 0; i < SUBMITTERS; i++) {
        if (box >= submitters[i].boxes && box < submitters[i].boxes + EACH) {
            atomic_store(&submitters[i].done[box - submitters[i].boxes], true);
            atomic_fetch_add(&submitters[i].ended, 1);
        }
    }
    atomic_fetch_add(&ended, 1);
}

static void
text_of(const struct submitter *s, unsigned i, char text[32])
{
    (void)snprintf(text, 32, "payload %u of %u", i, s->number);
}

static void *
submit_many(void *arg)
{
    struct submitter *s = arg;
    char text[32];

    for (unsigned i = 0; i < EACH; i++) {
        struct stoq_job_spec spec = {.fd = -1, .done = count_done, .arg = &s->boxes[i]};

        text_of(s, i, text);
        spec.fd = memfd_of(text, strlen(text));
        atomic_store(&s->submitted, i + 1);
        ck_assert_int_eq(stoq_pool_submit(bench.pool, &spec, NULL), 0);
        /* stay at most a few jobs ahead, so that kills meet all of them */
        while (i > atomic_load(&s->ended) + 4)
            (void)poll(NULL, 0, 1);
    }
    return NULL;
}

/** Children of @p parent, at most @p max. */
static size_t
children_of(pid_t parent, pid_t *out, size_t max)
{
    char path[64], *text = NULL, *at, *save = NULL;
    size_t size, n = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent,
                   (int)parent);
    if (stoq_read_file(path, 4096, &text, &size, NULL) < 0)
        return 0;
    for (at = strtok_r(text, " ", &save); at && n < max;
         at = strtok_r(NULL, " ", &save))
        out[n++] = (pid_t)strtol(at, NULL, 10);
    free(text);
    return n;
}

static pthread_t threads[SUBMITTERS];

static void
start_submitters(void)
{
    memset(submitters, 0, sizeof(submitters));
    atomic_store(&ended, 0);
    for (unsigned i = 0; i < SUBMITTERS; i++) {
        submitters[i].number = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, submit_many, &submitters[i]),
                         0);
    }
}

static void
finish_submitters(void)
{
    char text[32];

    for (unsigned i = 0; i < SUBMITTERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(stoq_pool_drain(bench.pool, WAIT_MS), 0);
    ck_assert_uint_eq(atomic_load(&ended), SUBMITTERS * EACH);
    for (unsigned s = 0; s < SUBMITTERS; s++) {
        for (unsigned i = 0; i < EACH; i++) {
            text_of(&submitters[s], i, text);
            assert_verdict(&submitters[s].boxes[i], STOQ_VERDICT_CLEAN);
            ck_assert_str_eq(hash_of(&submitters[s].boxes[i]),
                             sha256_hex(text, strlen(text)));
            box_clear(&submitters[s].boxes[i]);
        }
    }
}

/** Wait until @p count jobs have ended, but not for ever. */
static void
wait_ended(unsigned count)
{
    uint64_t end = stoq_now_ms() + WAIT_MS;

    while (atomic_load(&ended) < count && stoq_now_ms() < end)
        (void)poll(NULL, 0, 1);
    ck_assert_uint_ge(atomic_load(&ended), count);
}

/** Wait until all jobs have ended that are under way now. */
static void
wait_settled(void)
{
    uint64_t end = stoq_now_ms() + WAIT_MS;

    for (unsigned s = 0; s < SUBMITTERS; s++) {
        unsigned count = atomic_load(&submitters[s].submitted);

        for (unsigned i = 0; i < count; i++) {
            while (!atomic_load(&submitters[s].done[i]) && stoq_now_ms() < end)
                (void)poll(NULL, 0, 1);
        }
    }
}

START_TEST(killed_scanners)
{
    enum { GAP = 80 };
    struct stoq_pool_stats stats;
    unsigned seed = 7, kills = 0, next = GAP;
    pid_t pids[8];

    start_bench(&bench, "hash", 3);
    start_submitters();
    /* none before the job that met the last one has ended: one retry is promised */
    while (next < SUBMITTERS * EACH) {
        size_t n;

        wait_ended(next);
        n = children_of(bench.zygote.pid, pids, STOQ_ARRAY_SIZE(pids));
        seed = seed * 1103515245U + 12345U;
        if (n > 0 && kill(pids[(seed >> 8) % n], SIGKILL) == 0)
            kills++;
        wait_settled();
        next = atomic_load(&ended) + GAP;
    }
    finish_submitters();
    stoq_pool_stats(bench.pool, &stats);
    ck_assert_uint_ge(kills, 3);
    ck_assert_uint_ge(stats.restarts + 1, kills); /* the last may not be noticed yet */
    ck_assert_uint_le(stats.crashes, kills);
    stop_bench(&bench);
}
END_TEST

/** The pool's process has no descriptor left for a new scanner: it waits for one. */
START_TEST(descriptors_run_out)
{
    struct stoq_pool_stats stats = {.restarts = 0};
    struct rlimit limit, none = {.rlim_cur = 3};
    struct box box = {.outcome = NULL};
    uint64_t end = stoq_now_ms() + WAIT_MS;
    pid_t pid = 0;

    start_bench(&bench, "hash", 1);
    scan_text(&bench, "one", &box);
    box_clear(&box);
    ck_assert_uint_eq(children_of(bench.zygote.pid, &pid, 1), 1);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none.rlim_max = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    while (stats.restarts == 0 && stoq_now_ms() < end)
        stoq_pool_stats(bench.pool, &stats);
    (void)poll(NULL, 0, 50); /* time for an attempt that fails */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    scan_text(&bench, "two", &box);
    assert_verdict(&box, STOQ_VERDICT_CLEAN);
    box_clear(&box);
    stop_bench(&bench);
}
END_TEST

/* ------------------------------------------------------------------ zygotes */

static struct stoq_zygote spare[2]; /* started ahead: forking needs one thread */
static atomic_uint lost;

static void
next_zygote(void *arg)
{
    struct bench *b = arg;
    unsigned n = atomic_fetch_add(&lost, 1);

    ck_assert_uint_lt(n, STOQ_ARRAY_SIZE(spare));
    stoq_pool_set_zygote(b->pool, STOQ_STEAL_FD(&spare[n].control), spare[n].engine_id);
}

static void
start_with_spares(void)
{
    struct stoq_pool_config extra = {
        .scanners = 2, .zygote_lost = next_zygote, .arg = &bench};

    memset(&bench, 0, sizeof(bench));
    bench.config = new_config("hash");
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(spare); i++)
        start_zygote(bench.config, &spare[i]);
    start_zygote(bench.config, &bench.zygote);
    atomic_store(&lost, 0);
    start_pool(&bench, &extra);
}

START_TEST(killed_zygotes)
{
    struct stoq_pool_stats stats;

    start_with_spares();
    start_submitters();
    wait_ended(SUBMITTERS * EACH / 4);
    ck_assert_int_eq(kill(bench.zygote.pid, SIGKILL), 0);
    wait_ended(SUBMITTERS * EACH / 2);
    ck_assert_int_eq(kill(spare[0].pid, SIGKILL), 0);
    finish_submitters();
    ck_assert_uint_eq(atomic_load(&lost), 2);
    stoq_pool_stats(bench.pool, &stats);
    ck_assert_uint_eq(stats.crashes, 0);
    stop_bench(&bench);
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(spare); i++)
        stoq_zygote_end(&spare[i]);
}
END_TEST

/** A replaced zygote's scanners are not used again. */
START_TEST(replaced_zygote)
{
    struct box box = {.outcome = NULL};
    pid_t pids[8];
    uint64_t end = stoq_now_ms() + WAIT_MS;

    start_with_spares();
    scan_text(&bench, "one", &box);
    assert_verdict(&box, STOQ_VERDICT_CLEAN);
    box_clear(&box);
    stoq_pool_set_zygote(bench.pool, STOQ_STEAL_FD(&spare[0].control),
                         spare[0].engine_id);
    while (children_of(bench.zygote.pid, pids, 8) > 0 && stoq_now_ms() < end)
        (void)poll(NULL, 0, 1);
    ck_assert_uint_eq(children_of(bench.zygote.pid, pids, 8), 0);
    scan_text(&bench, "two", &box);
    assert_verdict(&box, STOQ_VERDICT_CLEAN);
    ck_assert_uint_gt(children_of(spare[0].pid, pids, 8), 0);
    ck_assert_uint_eq(atomic_load(&lost), 0);
    box_clear(&box);
    stop_bench(&bench);
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(spare); i++)
        stoq_zygote_end(&spare[i]);
}
END_TEST

START_TEST(no_zygote_fails_jobs)
{
    struct box box = {.outcome = NULL};

    start_bench(&bench, "hash", 2);
    ck_assert_int_eq(kill(bench.zygote.pid, SIGKILL), 0);
    scan_text(&bench, "abc", &box);
    /* a scanner may have been quicker than the signal */
    if (box.outcome->verdict == STOQ_VERDICT_CLEAN) {
        stoq_zygote_end(&bench.zygote);
        while (box.outcome->verdict == STOQ_VERDICT_CLEAN) {
            box_clear(&box);
            scan_text(&bench, "abc", &box);
        }
    }
    assert_verdict(&box, STOQ_VERDICT_ERROR);
    ck_assert_str_eq(error_of(&box), "the scanners' parent is gone");
    box_clear(&box);
    stop_bench(&bench);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        crash_is_tried_twice, crashes_harm_nobody_else,
        spinning_is_ended,    hanging_is_ended,
        cpu_budget,
#ifndef SANITIZED
        memory_is_limited,
#endif
        killed_scanners,      descriptors_run_out,
        killed_zygotes,       replaced_zygote,
        no_zygote_fails_jobs,
    };
    return run_suite("pool fault", tests, STOQ_ARRAY_SIZE(tests));
}
