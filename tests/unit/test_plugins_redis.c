/* SPDX-License-Identifier: Apache-2.0 */

/* redis-queue as connector and archiver, against a server of the test's own. */

#include "plugins_queues.h"
#include "plugins_redis.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/auto.h"

static void
is_document(const char *text)
{
    json_auto_t *a = json_loads(text, 0, NULL),
                *b = json_loads(queues_document, 0, NULL);
    ck_assert_msg(a && json_equal(a, b), "%s", text);
}

/* The original's ways: results as keys, what archivers said as list elements. */
START_TEST(test_list)
{
    REDIS_START(NULL);
    struct stoq_loaded *p =
        LOADED("redis-queue", NULL, redis_socket(), "publish_archive=False");
    queues_saved(p);
    queues_saved(p);
    is_document(redis_says("GET %s", QUEUES_SCAN_ID));
    ck_assert_str_eq(redis_says("EXISTS stoq"), "0");
    stoq_loaded_free(p);
    p = LOADED("redis-queue", NULL, redis_socket(), "redis_queue=q");
    queues_saved(p);
    ck_assert_str_eq(redis_says("LRANGE q 0 -1"),
                     "[{\"filedir\":{\"path\":\"/x\"}},{\"kafka-queue\":{"
                     "\"offset\":1}},{\"s3\":{\"path\":\"/y\"}}]");
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_stream)
{
    REDIS_START(NULL);
    struct stoq_loaded *p = LOADED("redis-queue", NULL, redis_socket(), "mode=stream");
    queues_saved(p);
    const char *text = redis_says("XRANGE stoq - +");
    ck_assert_ptr_nonnull(strstr(text, ",[scan_id," QUEUES_SCAN_ID
                                       ",verdict,clean,result,{\"results\":"));
    stoq_loaded_free(p);

    p = LOADED("redis-queue", NULL, redis_socket(), "mode=stream", "redis_queue=q",
               "publish_archive=True", "redis_db=3");
    queues_saved(p);
    ck_assert_str_eq(redis_says("SELECT 3"), "OK");
    text = redis_says("XRANGE q - +");
    ck_assert_ptr_nonnull(strstr(text, ",[scan_id," QUEUES_SCAN_ID
                                       ",task,{\"filedir\":{\"path\":\"/x\"}}]]"));
    ck_assert_ptr_nonnull(
        strstr(text, ",[scan_id," QUEUES_SCAN_ID ",task,{\"s3\":{\"path\":\"/y\"}}]]"));
    ck_assert_str_eq(redis_says("XLEN q"), "3");
    stoq_loaded_free(p);

    p = LOADED("redis-queue", NULL, redis_socket(), "mode=stream", "maxlen=100");
    for (int i = 0; i < 500; i++)
        queues_saved(p);
    ck_assert_str_eq(redis_says("SELECT 0"), "OK");
    ck_assert_int_lt(atoi(redis_says("XLEN stoq")), 300);
    stoq_loaded_free(p);
}
END_TEST

/* ------------------------------------------------------------------------ failures */

static uint64_t
ms_since(const struct timespec *start)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)((now.tv_sec - start->tv_sec) * 1000 +
                      (now.tv_nsec - start->tv_nsec) / 1000000);
}

START_TEST(test_server_away)
{
    struct timespec start;
    struct stoq_loaded *p =
        LOADED("redis-queue", NULL, redis_socket(), "mode=stream", "timeout_ms=500");
    queues_not_saved(p, -ENOENT, "/socket: No such file or directory");
    REDIS_START(NULL);
    queues_saved(p);
    redis_kill();
    queues_not_saved(p, -ECONNREFUSED, "/socket: Connection refused");
    REDIS_START(NULL);
    queues_saved(p);
    /* the connection of the pool is dead, the server is there: nobody notices */
    redis_kill();
    REDIS_START(NULL);
    queues_saved(p);
    ck_assert_str_eq(redis_says("XLEN stoq"), "3");
    redis_freeze(true);
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    queues_not_saved(p, -ETIMEDOUT, "no answer within 500 ms");
    ck_assert_uint_lt(ms_since(&start), 20000);
    redis_freeze(false);
    queues_saved(p);
    stoq_loaded_free(p);

    struct stoq_loaded *tcp = LOADED("redis-queue", NULL, "redis_port=1");
    queues_not_saved(tcp, -ECONNREFUSED, "127.0.0.1:1: Connection refused");
    stoq_loaded_free(tcp);
}
END_TEST

START_TEST(test_refused)
{
    REDIS_START("--requirepass", "secret");
    struct stoq_loaded *p = LOADED("redis-queue", NULL, redis_socket());
    queues_not_saved(p, -EACCES, "NOAUTH");
    stoq_loaded_free(p);
    p = LOADED("redis-queue", NULL, redis_socket(), "redis_password=wrong");
    queues_not_saved(p, -EACCES, "WRONGPASS");
    stoq_loaded_free(p);

    char option[256];
    put_file("password", "secret\nanother\n");
    (void)snprintf(option, sizeof option, "redis_password_file=%s", in_dir("password"));
    p = LOADED("redis-queue", NULL, redis_socket(), option);
    queues_saved(p);
    stoq_loaded_free(p);
    ck_assert_str_eq(redis_says("AUTH secret"), "OK");
    ck_assert_str_eq(redis_says("ACL SETUSER bob on >pw ~* +@all"), "OK");
    p = LOADED("redis-queue", NULL, redis_socket(), "redis_user=bob",
               "redis_password=pw", "redis_queue=other");
    queues_saved(p);
    ck_assert_str_eq(
        redis_says("XADD other * a b"),
        "WRONGTYPE Operation against a key holding the wrong kind of value");
    stoq_loaded_free(p);
    p = LOADED("redis-queue", NULL, redis_socket(), "redis_password=secret",
               "redis_queue=other", "mode=stream");
    queues_not_saved(p, -EINVAL,
                     "key other holds something else than a stream: WRONGTYPE");
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_options)
{
    struct stoq_loaded *p = NULL;
    struct stoq_error err = {0};
    ck_assert_int_lt(LOAD("redis-queue", NULL, &p, &err, "mode=heap"), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "'heap' is neither list nor stream"));
    stoq_error_clear(&err);
    ck_assert_int_lt(LOAD("redis-queue", NULL, &p, &err, "redis_password=a",
                          "redis_password_file=b"),
                     0);
    ck_assert_ptr_nonnull(strstr(err.message, "are both set"));
    stoq_error_clear(&err);
    ck_assert_int_lt(
        LOAD("redis-queue", NULL, &p, &err, "redis_password_file=/nosuch/file"), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "/nosuch/file: No such file"));
}
END_TEST

static void *
save_some(void *p)
{
    for (int i = 0; i < 50; i++)
        queues_saved(p);
    return NULL;
}

/* Eight threads on two connections. */
START_TEST(test_pool)
{
    REDIS_START(NULL);
    pthread_t threads[8];
    struct stoq_loaded *p =
        LOADED("redis-queue", NULL, redis_socket(), "mode=stream", "max_connections=2");
    for (size_t i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, save_some, p), 0);
    for (size_t i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_str_eq(redis_says("XLEN stoq"), "400");
    const char *stats = strstr(redis_says("INFO clients"), "connected_clients:");
    ck_assert_int_eq(strncmp(stats, "connected_clients:3\r", 20), 0);
    stoq_loaded_free(p);
}
END_TEST

/* ------------------------------------------------------------------------- archiver */

static const char binary[] = "a\0b\r\n\xff\xfe$3\r\n";

static json_t *
archived(struct stoq_loaded *p, const void *data, size_t size)
{
    struct stoq_reply reply;
    struct stoq_error err = {0};
    struct stoq_request *request = NULL;
    struct stoq_payload *target = payload(data, size, "/d/name");
    ck_assert_int_eq(stoq_request_new(NULL, NULL, true, &request, NULL), 0);
    stoq_reply_init(&reply, UINT64_MAX, UINT64_MAX);
    int code = stoq_call_archive(p, target, request, &reply, &err);
    ck_assert_msg(code == 0, "%s", err.message);
    json_t *results = json_incref(reply.results);
    stoq_reply_fini(&reply);
    stoq_request_free(request);
    stoq_payload_free(target);
    return results;
}

/* What @task names is these bytes; nothing when @data is NULL. */
static void
gets(struct stoq_loaded *p, const json_t *task, const void *data, size_t size)
{
    struct stoq_reply reply;
    struct stoq_error err = {0};
    stoq_reply_init(&reply, UINT64_MAX, UINT64_MAX);
    int code = stoq_call_get(p, task, &reply, &err);
    ck_assert_msg(code == 0, "%s", err.message);
    if (data) {
        ck_assert_ptr_nonnull(reply.children);
        ck_assert_uint_eq(reply.children->size, size);
        ck_assert_mem_eq(reply.children->data, data, size);
    } else {
        ck_assert_ptr_null(reply.children);
    }
    stoq_reply_fini(&reply);
}

START_TEST(test_archive)
{
    REDIS_START(NULL);
    const char *mode = _i ? "mode=stream" : "mode=list";
    struct stoq_loaded *p = LOADED("redis-queue", NULL, redis_socket(), mode);
    json_auto_t *task = archived(p, binary, sizeof binary);
    json_auto_t *empty = archived(p, "", 0);
    const char *id = json_string_value(json_object_get(task, "msg_id"));
    ck_assert_uint_eq(json_object_size(task), 1);
    gets(p, task, binary, sizeof binary);
    gets(p, empty, "", 0);
    ck_assert_str_eq(redis_says(_i ? "XLEN stoq" : "LLEN stoq"), "2");
    if (!_i) {
        ck_assert_str_eq(redis_says("LINDEX stoq 0"), id);
        ck_assert_ptr_nonnull(
            strstr(redis_says("GET %s_meta", id), "\"filename\":\"name\""));
    }
    json_auto_t *gone = json_pack("{s:s}", "msg_id", "1-1");
    gets(p, gone, NULL, 0);

    struct stoq_reply reply;
    struct stoq_error err = {0};
    json_auto_t *other = json_pack("{s:s}", "path", "x");
    stoq_reply_init(&reply, UINT64_MAX, UINT64_MAX);
    ck_assert_int_eq(stoq_call_get(p, other, &reply, &err), -EINVAL);
    stoq_reply_fini(&reply);
    stoq_reply_init(&reply, 4, 1); /* no room for it */
    ck_assert_int_eq(stoq_call_get(p, task, &reply, &err), -E2BIG);
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("plugins_redis");
    TCase *tc = tcase_create("plugins_redis");
    tcase_add_checked_fixture(tc, set_up, redis_tear_down);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_list);
    tcase_add_test(tc, test_stream);
    tcase_add_test(tc, test_server_away);
    tcase_add_test(tc, test_refused);
    tcase_add_test(tc, test_options);
    tcase_add_test(tc, test_pool);
    tcase_add_loop_test(tc, test_archive, 0, 2);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
