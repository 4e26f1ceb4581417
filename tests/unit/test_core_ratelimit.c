/* SPDX-License-Identifier: Apache-2.0 */

/* Rate limits: what is one, and when turns are, by a clock of the test's own; and that
 * waiting waits, by the monotonic one. */

#include "test_core_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <stoq/stoq.h>

#include "core/ratelimit.h"
#include "util/auto.h"
#include "util/clock.h"

#define MS 1000000ULL
#define S  (1000 * MS)

static const struct {
    const char *limit;
    uint64_t interval; /* 0: none */
} limits[] = {
    {"1/1", S},
    {"10/1", 100 * MS},
    {"1/60", 60 * S},
    {"3/1", 333333334},
    {" 5 / 10 ", 2 * S},
    {"1000000000/1", 1},
    {"1/1000000000", 1000000000 * S},
    {"", 0},
    {"5", 0},
    {"/", 0},
    {"5/", 0},
    {"/5", 0},
    {"0/1", 0},
    {"1/0", 0},
    {"-1/1", 0},
    {"1/-1", 0},
    {"1.5/1", 0},
    {"1/1/1", 0},
    {"a/b", 0},
    {"1000000001/1", 0},
    {"1/s", 0},
    {"18446744073709551617/1", 0},
};

START_TEST(test_parse)
{
    struct stoq_error err = {0};
    uint64_t interval = 77;
    int r = stoq_ratelimit_parse(limits[_i].limit, &interval, &err);
    if (limits[_i].interval) {
        ck_assert_int_eq(r, 0);
        ck_assert_uint_eq(interval, limits[_i].interval);
        return;
    }
    ck_assert_int_eq(r, -EINVAL);
    ck_assert_uint_eq(interval, 77);
    ck_assert_int_eq(err.kind, STOQ_ERROR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.message, "expected COUNT/SECONDS"));
}
END_TEST

START_TEST(test_turns)
{
    uint64_t now = stoq_now_ns() + 1000 * S;
    ck_assert_uint_eq(stoq_ratelimit_turn(S, now), now);
    ck_assert_uint_eq(stoq_ratelimit_turn(S, now), now + S);
    ck_assert_uint_eq(stoq_ratelimit_turn(S, now), now + 2 * S);
    /* half an interval late: the rest is waited for */
    ck_assert_uint_eq(stoq_ratelimit_turn(S, now + 2 * S + S / 2), now + 3 * S);
    /* another limit counts from the same turn */
    ck_assert_uint_eq(stoq_ratelimit_turn(10 * S, now + 3 * S), now + 13 * S);
    /* what was not used is not saved up */
    ck_assert_uint_eq(stoq_ratelimit_turn(S, now + 100 * S), now + 100 * S);
    ck_assert_uint_eq(stoq_ratelimit_turn(S, now + 100 * S), now + 101 * S);
}
END_TEST

static void *
wait_five(void *arg)
{
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(stoq_ratelimit(arg, NULL), 0);
    return NULL;
}

/* Ten turns of two threads have nine intervals between them. */
START_TEST(test_wait)
{
    static char limit[] = "50/1";
    pthread_t other = 0;
    uint64_t begin = stoq_now_ns();
    ck_assert_int_eq(pthread_create(&other, NULL, wait_five, limit), 0);
    (void)wait_five(limit);
    (void)pthread_join(other, NULL);
    ck_assert_uint_ge(stoq_now_ns() - begin, 9 * 20 * MS);
    ck_assert_int_eq(stoq_ratelimit("x", NULL), -EINVAL);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, test_parse, 0, (int)STOQ_ARRAY_SIZE(limits));
    /* in this order also without forks: the second one's clock is ahead */
    tcase_add_test(tc, test_wait);
    tcase_add_test(tc, test_turns);
}

int
main(void)
{
    return run_suite("core_ratelimit", fill);
}
