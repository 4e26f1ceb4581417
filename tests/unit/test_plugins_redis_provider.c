/* SPDX-License-Identifier: Apache-2.0 */

/*
 * redis-queue as provider: what it hands out, and that the server keeps it until it is
 * told how it ended. The test plays the run: it takes finds and settles them.
 */

#include "plugins_queues.h"
#include "plugins_redis.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct queues_run runs[2];
#define RUN (&runs[0])
#define START(r, ...)                                                              \
    queues_start(r, LOADED("redis-queue", NULL, redis_socket(), "timeout_ms=5000", \
                           __VA_ARGS__))
#define PENDING(expected) REDIS_WAIT(expected, "XPENDING stoq stoq")

START_TEST(test_stream)
{
    REDIS_START(NULL);
    (void)redis_says("XADD stoq 1-1 payload %b filename name", "a\r\nb", (size_t)4);
    (void)redis_says("XADD stoq 1-2 task %s", "{\"filedir\":{\"path\":\"/x\"},"
                                              "\"s3\":{\"path\":\"/y\"}}");
    (void)redis_says("XADD stoq 1-3 payload c meta %s",
                     "{\"should_scan\":true,\"extra_data\":{\"k\":1}}");
    (void)redis_says("XADD stoq 1-4 payload d meta %s", "{\"plain\":2}");
    START(RUN, "mode=stream", "consumer=me", "max_attempts=2");
    struct stoq_receipt a = queues_next(RUN, "a\r\nb|{\"filename\":\"name\"}");
    struct stoq_receipt x = queues_next(RUN, "filedir:{\"path\":\"/x\"}");
    struct stoq_receipt y = queues_next(RUN, "s3:{\"path\":\"/y\"}");
    queues_settled(RUN, "c|{\"k\":1}", 0);
    queues_settled(RUN, "d|{\"plain\":2}", 0);
    PENDING("[2,1-1,1-2,[[me,2]]]");
    stoq_receipt_settle(&x, 0);
    stoq_receipt_settle(&a, 0);
    PENDING("[1,1-2,1-2,[[me,1]]]"); /* one of its two finds is not finished */
    stoq_receipt_settle(&y, 0);
    PENDING("[0,(nil),(nil),(nil)]");
    ck_assert_str_eq(redis_says("XLEN stoq"), "4");

    /* what did not arrive comes again, however often; what cannot be scanned not */
    (void)redis_says("XADD stoq 2-1 payload e");
    for (int i = 0; i < 3; i++)
        queues_settled(RUN, "e|{}", -EAGAIN);
    queues_settled(RUN, "e|{}", -ENOENT);
    queues_settled(RUN, "e|{}", -ENOENT);
    PENDING("[0,(nil),(nil),(nil)]");
    /* nor does what is no message at all */
    (void)redis_says("XADD stoq 3-1 what ever");
    (void)redis_says("XADD stoq 3-2 task [1]");
    (void)redis_says("XADD stoq 3-3 payload f");
    queues_settled(RUN, "f|{}", 0);
    PENDING("[0,(nil),(nil),(nil)]");
    queues_stop(RUN);
    ck_assert_str_eq(redis_says("XINFO CONSUMERS stoq stoq"), "[]");
}
END_TEST

START_TEST(test_delete_done)
{
    REDIS_START(NULL);
    (void)redis_says("XADD stoq 1-1 payload a");
    START(RUN, "mode=stream", "delete_done=True");
    queues_settled(RUN, "a|{}", 0);
    REDIS_WAIT("0", "XLEN stoq");
    queues_stop(RUN);
}
END_TEST

/* What a reader that died had is another's after a while, what one has that lives not,
 * and what was left when a run ended is handed out in the next. */
START_TEST(test_claim)
{
    REDIS_START(NULL);
    (void)redis_says("XADD stoq 1-1 payload dead");
    (void)redis_says("XADD stoq 1-2 payload alive");
    (void)redis_says("XGROUP CREATE stoq stoq 0");
    (void)redis_says("XREADGROUP GROUP stoq gone COUNT 1 STREAMS stoq >");
    START(RUN, "mode=stream", "consumer=one", "claim_idle_ms=2000");
    struct stoq_receipt alive = queues_next(RUN, "alive|{}");
    struct stoq_receipt dead = queues_next(RUN, "dead|{}");
    START(&runs[1], "mode=stream", "consumer=two", "claim_idle_ms=2000");
    /* several times the idle time: the second looks, and finds nothing idle */
    struct stoq_queue_item item = {.fd = -1};
    ck_assert_int_eq(stoq_queue_take(runs[1].queue, &item, 4500), -ETIMEDOUT);
    PENDING("[2,1-1,1-2,[[one,2]]]");
    stoq_receipt_settle(&alive, 0);
    PENDING("[1,1-1,1-1,[[one,1]]]");
    stoq_receipt_settle(&dead, -ECANCELED);
    queues_stop(RUN);
    queues_settled(&runs[1], "dead|{}", 0);
    PENDING("[0,(nil),(nil),(nil)]");
    queues_stop(&runs[1]);
}
END_TEST

/* The end waits for what is with the run, and acknowledges it. */
START_TEST(test_end)
{
    REDIS_START(NULL);
    const char *mode = _i ? "mode=stream" : "mode=list";
    if (_i)
        (void)redis_says("XADD stoq * payload one");
    else
        (void)redis_says("RPUSH stoq %s", "{\"a\":{\"one\":1}}");
    START(RUN, mode, "consumer=me");
    struct stoq_receipt one = queues_next(RUN, _i ? "one|{}" : "a:{\"one\":1}");
    stoq_queue_cancel(RUN->queue);
    stoq_receipt_settle(&one, 0);
    queues_stop(RUN);
    if (_i)
        ck_assert_str_eq(redis_says("XPENDING stoq stoq"), "[0,(nil),(nil),(nil)]");
    else
        ck_assert_str_eq(redis_says("KEYS *"), "[]");
}
END_TEST

START_TEST(test_list)
{
    REDIS_START(NULL);
    (void)redis_says("MSET id_buf %b id_meta %s", "a\r\nb", (size_t)4,
                     "{\"should_scan\":true,\"extra_data\":{\"k\":1}}");
    (void)redis_says("RPUSH stoq id %s none", "{\"f\":{\"p\":1}}");
    START(RUN, "consumer=me", "max_attempts=2");
    struct stoq_receipt a = queues_next(RUN, "a\r\nb|{\"k\":1}");
    queues_settled(RUN, "f:{\"p\":1}", -EAGAIN);
    queues_settled(RUN, "f:{\"p\":1}", -EIO);
    REDIS_WAIT("[id,{\"f\":{\"p\":1}}]", "LRANGE stoq:doing:me 0 -1");
    queues_settled(RUN, "f:{\"p\":1}", -EIO);
    REDIS_WAIT("[none,{\"f\":{\"p\":1}}]", "LRANGE stoq:dead 0 -1");
    ck_assert_str_eq(redis_says("LRANGE stoq:doing:me 0 -1"), "[id]");
    ck_assert_str_eq(redis_says("EXISTS id_buf id_meta"), "2");
    stoq_receipt_settle(&a, 0);
    REDIS_WAIT("0", "EXISTS id_buf id_meta stoq:doing:me stoq");
    queues_stop(RUN);
    ck_assert_str_eq(redis_says("KEYS *"), "[stoq:dead]");
}
END_TEST

/* What a reader of lists that died had goes back to the queue, not what one has that
 * lives; what this reader had before it died comes first. */
START_TEST(test_list_dead)
{
    REDIS_START(NULL);
    (void)redis_says("SADD stoq:doing gone lives");
    (void)redis_says("SET stoq:alive:lives 1");
    (void)redis_says("RPUSH stoq:doing:lives %s", "{\"a\":{\"lives\":1}}");
    (void)redis_says("RPUSH stoq:doing:gone %s", "{\"a\":{\"gone\":1}}");
    (void)redis_says("RPUSH stoq:doing:me %s %s", "{\"a\":{\"mine\":1}}",
                     "{\"a\":{\"mine\":1}}");
    START(RUN, "consumer=me", "claim_idle_ms=500");
    queues_settled(RUN, "a:{\"mine\":1}", 0);
    queues_settled(RUN, "a:{\"mine\":1}", 0);
    struct stoq_receipt gone = queues_next(RUN, "a:{\"gone\":1}");
    REDIS_WAIT("[{\"a\":{\"gone\":1}}]", "LRANGE stoq:doing:me 0 -1");
    stoq_receipt_settle(&gone, -ECANCELED);
    queues_stop(RUN);
    ck_assert_str_eq(redis_says("LRANGE stoq 0 -1"), "[{\"a\":{\"gone\":1}}]");
    ck_assert_str_eq(redis_says("SMEMBERS stoq:doing"), "[lives]");
    ck_assert_str_eq(redis_says("LLEN stoq:doing:lives"), "1");
}
END_TEST

/* A server that is killed and comes back with what was on its disk: all that it had is
 * finished, what was settled meanwhile is acknowledged then. */
START_TEST(test_restart)
{
    REDIS_START(NULL);
    (void)redis_says("XADD stoq 1-1 payload a");
    (void)redis_says("XADD stoq 1-2 payload b");
    START(RUN, "mode=stream", "consumer=me");
    queues_settled(RUN, "a|{}", 0);
    struct stoq_receipt b = queues_next(RUN, "b|{}");
    PENDING("[1,1-2,1-2,[[me,1]]]");
    redis_kill();
    stoq_receipt_settle(&b, 0);
    REDIS_START(NULL);
    (void)redis_says("XADD stoq 1-3 payload c");
    queues_settled(RUN, "c|{}", 0);
    PENDING("[0,(nil),(nil),(nil)]");
    /* and one that lost everything */
    (void)redis_says("FLUSHALL");
    (void)redis_says("XADD stoq 1-4 payload d");
    queues_settled(RUN, "d|{}", 0);
    PENDING("[0,(nil),(nil),(nil)]");
    queues_stop(RUN);
}
END_TEST

/* What is wrong at the start is told, and not waited for. */
START_TEST(test_start)
{
    const char *mode = _i ? "mode=stream" : "mode=list";
    queues_fails(LOADED("redis-queue", NULL, redis_socket(), mode), -ENOENT,
                 "No such file");
    REDIS_START("--requirepass", "secret");
    queues_fails(LOADED("redis-queue", NULL, redis_socket(), mode), -EACCES, "NOAUTH");
    ck_assert_str_eq(redis_says("AUTH secret"), "OK");
    (void)redis_says("SET stoq text");
    queues_fails(
        LOADED("redis-queue", NULL, redis_socket(), mode, "redis_password=secret"),
        -EINVAL, "key stoq holds something else than a");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("plugins_redis_provider");
    TCase *tc = tcase_create("plugins_redis_provider");
    tcase_add_checked_fixture(tc, set_up, redis_tear_down);
    tcase_set_timeout(tc, 100);
    tcase_add_test(tc, test_stream);
    tcase_add_test(tc, test_delete_done);
    tcase_add_test(tc, test_claim);
    tcase_add_loop_test(tc, test_end, 0, 2);
    tcase_add_test(tc, test_list);
    tcase_add_test(tc, test_list_dead);
    tcase_add_test(tc, test_restart);
    tcase_add_loop_test(tc, test_start, 0, 2);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
