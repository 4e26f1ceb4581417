/* SPDX-License-Identifier: Apache-2.0 */

/*
 * kafka-queue against librdkafka's mock cluster, which is no real server: what is sent,
 * what is handed out, and what is committed when.
 */

#include "plugins_queues.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/auto.h"

static rd_kafka_t *own; /* in which the cluster lives; reads and asks, too */
static rd_kafka_mock_cluster_t *cluster;
static struct queues_run runs[2];
#define RUN (&runs[0])

static void
kafka_set_up(void)
{
    char why[200];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    ck_assert_int_eq(rd_kafka_conf_set(conf, "client.id", "MOCK", NULL, 0), 0);
    ck_assert_int_eq(rd_kafka_conf_set(conf, "log_level", "0", NULL, 0), 0);
    set_up();
    rd_kafka_t *mock = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    ck_assert_ptr_nonnull(mock);
    cluster = rd_kafka_mock_cluster_new(mock, 1);
    ck_assert_ptr_nonnull(cluster);
    ck_assert_int_eq(rd_kafka_mock_topic_create(cluster, "stoq", 1, 1), 0);
    conf = rd_kafka_conf_new();
    ck_assert_int_eq(rd_kafka_conf_set(conf, "bootstrap.servers",
                                       rd_kafka_mock_cluster_bootstraps(cluster), NULL,
                                       0),
                     0);
    ck_assert_int_eq(rd_kafka_conf_set(conf, "group.id", "stoq", NULL, 0), 0);
    ck_assert_int_eq(rd_kafka_conf_set(conf, "log_level", "0", NULL, 0), 0);
    own = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    ck_assert_ptr_nonnull(own);
}

static void
kafka_tear_down(void)
{
    rd_kafka_t *mock = rd_kafka_mock_cluster_handle(cluster);
    rd_kafka_destroy(own);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(mock);
    tear_down();
}

static const char *
servers(void)
{
    static char option[128];
    (void)snprintf(option, sizeof option, "servers=%s",
                   rd_kafka_mock_cluster_bootstraps(cluster));
    return option;
}
#define KAFKA(...)                                             \
    LOADED("kafka-queue", NULL, servers(), "timeout_ms=20000", \
           "session_timeout_ms=6000", "heartbeat_interval_ms=500", __VA_ARGS__)

/* The messages of the topic, from the start, as a JSON array; caller's reference. */
static json_t *
messages(size_t count)
{
    json_t *list = json_array();
    rd_kafka_topic_partition_list_t *at = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(at, "stoq", 0)->offset = 0;
    ck_assert_int_eq(rd_kafka_assign(own, at), 0);
    rd_kafka_topic_partition_list_destroy(at);
    for (int i = 0; json_array_size(list) < count && i < 600; i++) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(own, 100);
        if (m && !m->err)
            ck_assert_int_eq(
                json_array_append_new(list, json_loadb(m->payload, m->len, 0, NULL)),
                0);
        if (m)
            rd_kafka_message_destroy(m);
    }
    ck_assert_int_eq(rd_kafka_assign(own, NULL), 0);
    ck_assert_uint_eq(json_array_size(list), count);
    return list;
}

static void
is_text(const json_t *value, const char *expected)
{
    STOQ_AUTOFREE char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
    ck_assert_str_eq(text, expected);
}

/* The group's position gets to be @p expected. */
static void
committed(int64_t expected)
{
    int64_t offset = -1;
    for (int i = 0; i < 600 && offset != expected; i++) {
        rd_kafka_topic_partition_list_t *at = rd_kafka_topic_partition_list_new(1);
        (void)rd_kafka_topic_partition_list_add(at, "stoq", 0);
        if (rd_kafka_committed(own, at, 10000) == 0)
            offset = at->elems[0].offset;
        rd_kafka_topic_partition_list_destroy(at);
        if (offset != expected)
            (void)usleep(50000);
    }
    ck_assert_int_eq(offset, expected);
}

static void
send_text(const char *text)
{
    char why[200];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    ck_assert_int_eq(rd_kafka_conf_set(conf, "bootstrap.servers",
                                       rd_kafka_mock_cluster_bootstraps(cluster), NULL,
                                       0),
                     0);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    ck_assert_ptr_nonnull(rk);
    ck_assert_int_eq(
        rd_kafka_producev(
            rk, RD_KAFKA_V_TOPIC("stoq"), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_VALUE((void *)(uintptr_t)text, strlen(text)), RD_KAFKA_V_END),
        0);
    ck_assert_int_eq(rd_kafka_flush(rk, 30000), 0);
    rd_kafka_destroy(rk);
}

/* ----------------------------------------------------------------------- connector */

START_TEST(test_save)
{
    struct stoq_loaded *p = KAFKA(NULL);
    queues_saved(p);
    stoq_loaded_free(p);
    p = KAFKA("publish_archive=False");
    queues_saved(p);
    stoq_loaded_free(p);
    json_auto_t *list = messages(4);
    is_text(json_array_get(list, 0),
            "{\"filedir\":{\"filename\":\"f\",\"path\":\"/x\",\"request_meta\":{"
            "\"archive_payloads\":true,\"extra_data\":{},\"source\":null}}}");
    is_text(json_array_get(list, 1),
            "{\"redis-queue\":{\"filename\":\"f\",\"msg_id\":\"p1\",\"request_meta\":{"
            "\"archive_payloads\":true,\"extra_data\":{},\"source\":null}}}");
    is_text(json_array_get(list, 2),
            "{\"s3\":{\"path\":\"/y\",\"request_meta\":{\"archive_payloads\":true,"
            "\"extra_data\":{},\"source\":null}}}");
    json_auto_t *document = json_loads(queues_document, 0, NULL);
    ck_assert(json_equal(json_array_get(list, 3), document));
}
END_TEST

/* Brokers that go and come back; a message that no broker takes, ever. */
START_TEST(test_save_failures)
{
    struct stoq_loaded *p = LOADED("kafka-queue", NULL, servers(), "timeout_ms=1500",
                                   "publish_archive=False", "retries=1000");
    queues_saved(p);
    ck_assert_int_eq(rd_kafka_mock_broker_set_down(cluster, 1), 0);
    queues_not_saved(p, -ETIMEDOUT, "topic stoq: no broker took it within 1500 ms");
    ck_assert_int_eq(rd_kafka_mock_broker_set_up(cluster, 1), 0);
    struct stoq_error err = {0};
    int r = -1;
    for (int i = 0; i < 40 && r < 0; i++) {
        stoq_error_clear(&err);
        r = queues_save(p, &err);
    }
    ck_assert_msg(r == 0, "%s", err.message);
    /* what the brokers may answer once: it is sent again */
    rd_kafka_mock_push_request_errors(cluster, 0, 1,
                                      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
    queues_saved(p);
    rd_kafka_mock_push_request_errors(cluster, 0, 1,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    queues_not_saved(p, -EACCES, "topic stoq: Broker: Topic authorization failed");
    stoq_loaded_free(p);

    p = LOADED("kafka-queue", NULL, servers(), "publish_archive=False",
               "max_message_bytes=1000");
    queues_not_saved(p, -EBADMSG, "max_message_bytes is 1000");
    stoq_loaded_free(p);
    p = LOADED("kafka-queue", NULL, "servers=127.0.0.1:1", "publish_archive=False",
               "timeout_ms=300");
    queues_not_saved(p, -ETIMEDOUT, "within 300 ms: 127.0.0.1:1/bootstrap: Connect to");
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_options)
{
    struct stoq_loaded *p = NULL;
    struct stoq_error err = {0};
    ck_assert_int_lt(LOAD("kafka-queue", NULL, &p, &err, "properties=nosuch=1"), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "nosuch"));
    stoq_error_clear(&err);
    ck_assert_int_lt(LOAD("kafka-queue", NULL, &p, &err, "properties=x"), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "'x' is not NAME=VALUE"));
    p = LOADED("kafka-queue", NULL, "properties=socket.timeout.ms=1000,debug=generic");
    stoq_loaded_free(p);
}
END_TEST

static void *
save_some(void *p)
{
    for (int i = 0; i < 20; i++)
        queues_saved(p);
    return NULL;
}

START_TEST(test_threads)
{
    pthread_t threads[6];
    struct stoq_loaded *p = KAFKA("publish_archive=False");
    for (size_t i = 0; i < 6; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, save_some, p), 0);
    for (size_t i = 0; i < 6; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    json_decref(messages(120));
    stoq_loaded_free(p);
}
END_TEST

/* ------------------------------------------------------------------------- provider */

static void
archive(struct stoq_loaded *p, const void *data, size_t size)
{
    struct stoq_reply reply;
    struct stoq_error err = {0};
    struct stoq_request *request = NULL;
    struct stoq_payload *target = payload(data, size, "/d/name");
    ck_assert_int_eq(stoq_request_new("feed", NULL, true, &request, NULL), 0);
    stoq_reply_init(&reply, UINT64_MAX, UINT64_MAX);
    int r = stoq_call_archive(p, target, request, &reply, &err);
    ck_assert_msg(r == 0, "%s", err.message);
    ck_assert_str_eq(json_string_value(json_object_get(reply.results, "topic")),
                     "stoq");
    stoq_reply_fini(&reply);
    stoq_request_free(request);
    stoq_payload_free(target);
}

#define EXTRA                                                             \
    "{\"filename\":\"name\",\"request_meta\":{\"archive_payloads\":true," \
    "\"extra_data\":{},\"source\":\"feed\"}}"

/* What is archived comes back, every byte; a position is that of the first message that
 * is not finished. */
START_TEST(test_provider)
{
    struct stoq_loaded *p = KAFKA(NULL);
    archive(p, "a\r\nb\xff", 5);
    archive(p, "", 0);
    archive(p, "cd", 2);
    stoq_loaded_free(p);
    send_text("{\"filedir\":{\"path\":\"/x\"},\"s3\":{\"path\":\"/y\"}}");
    queues_start(RUN, KAFKA("max_attempts=2"));
    struct stoq_receipt a = queues_next(RUN, "a\r\nb\xff|" EXTRA);
    queues_settled(RUN, "|" EXTRA, 0);
    struct stoq_receipt c = queues_next(RUN, "cd|" EXTRA);
    queues_settled(RUN, "filedir:{\"path\":\"/x\"}", 0);
    queues_settled(RUN, "s3:{\"path\":\"/y\"}", 0);
    stoq_receipt_settle(&a, 0);
    committed(2);
    stoq_receipt_settle(&c, -EAGAIN);
    queues_settled(RUN, "cd|" EXTRA, 0);
    committed(4);
    /* what is no message, or cannot be scanned, is passed over */
    send_text("not JSON");
    send_text("{\"_is_payload\":true,\"_content\":\"####\"}");
    send_text("{\"f\":{\"p\":1}}");
    queues_settled(RUN, "f:{\"p\":1}", -ENOENT);
    queues_settled(RUN, "f:{\"p\":1}", -ENOENT);
    committed(7);
    queues_stop(RUN);
}
END_TEST

/* What was not finished when a run ended is handed out in the next, and so is what is
 * with the run at the end committed when it is finished. */
START_TEST(test_end)
{
    send_text("{\"f\":{\"p\":1}}");
    send_text("{\"f\":{\"p\":2}}");
    queues_start(RUN, KAFKA(NULL));
    struct stoq_receipt one = queues_next(RUN, "f:{\"p\":1}");
    struct stoq_receipt two = queues_next(RUN, "f:{\"p\":2}");
    stoq_queue_cancel(RUN->queue);
    stoq_receipt_settle(&one, 0);
    stoq_receipt_settle(&two, -ECANCELED);
    queues_stop(RUN);
    committed(1);
    queues_start(RUN, KAFKA(NULL));
    queues_settled(RUN, "f:{\"p\":2}", 0);
    committed(2);
    queues_stop(RUN);
}
END_TEST

/* Many more than may be unfinished, also for longer than reading just waits: none is
 * handed out twice, none is left out. */
START_TEST(test_throttle)
{
    enum { COUNT = 60 };
    struct stoq_receipt held[4];
    char text[64], want[64];
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(text, sizeof text, "{\"f\":{\"p\":%d}}", i);
        send_text(text);
    }
    queues_start(RUN, KAFKA("prefetch=4"));
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(want, sizeof want, "f:{\"p\":%d}", i);
        struct stoq_queue_item item = {.fd = -1};
        if (i == 4)
            ck_assert_int_eq(stoq_queue_take(RUN->queue, &item, 7000), -ETIMEDOUT);
        if (i >= 4)
            stoq_receipt_settle(&held[i % 4], 0);
        held[i % 4] = queues_next(RUN, want);
    }
    for (size_t i = 0; i < 4; i++)
        stoq_receipt_settle(&held[i], 0);
    committed(COUNT);
    queues_stop(RUN);
}
END_TEST

START_TEST(test_start)
{
    queues_fails(LOADED("kafka-queue", NULL, "servers=127.0.0.1:1", "timeout_ms=1000"),
                 -ENOTCONN, "no broker of 127.0.0.1:1 answers within 1000 ms");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("plugins_kafka");
    TCase *tc = tcase_create("plugins_kafka");
    tcase_add_checked_fixture(tc, kafka_set_up, kafka_tear_down);
    tcase_set_timeout(tc, 100);
    tcase_add_test(tc, test_save);
    tcase_add_test(tc, test_save_failures);
    tcase_add_test(tc, test_options);
    tcase_add_test(tc, test_threads);
    tcase_add_test(tc, test_provider);
    tcase_add_test(tc, test_end);
    tcase_add_test(tc, test_throttle);
    tcase_add_test(tc, test_start);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
