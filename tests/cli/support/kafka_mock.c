/* SPDX-License-Identifier: Apache-2.0 */

/*
 * librdkafka's mock cluster as a program of its own:
 *   kafka_mock serve           prints the brokers; then reads "down N", "up N"
 *   kafka_mock dump SERVERS TOPIC COUNT
 *                              prints the first COUNT messages, a line each
 */

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BROKERS 3

static rd_kafka_t *
client(rd_kafka_type_t type, const char *servers)
{
    char why[200] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "log_level", "0", why, sizeof(why)) ||
        rd_kafka_conf_set(conf, "group.id", "dump", why, sizeof(why)) ||
        rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", why, sizeof(why)) ||
        (servers &&
         rd_kafka_conf_set(conf, "bootstrap.servers", servers, why, sizeof(why))))
        (void)fprintf(stderr, "%s\n", why);
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof(why));
    if (!rk)
        (void)fprintf(stderr, "%s\n", why);
    return rk;
}

static int
serve(void)
{
    char line[64];
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, NULL);
    rd_kafka_mock_cluster_t *cluster =
        rk ? rd_kafka_mock_cluster_new(rk, BROKERS) : NULL;
    if (!cluster)
        return 1;
    (void)printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
    (void)fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        char *number = strchr(line, ' ');
        int broker = number ? atoi(number) : 0;
        if (strncmp(line, "down", 4) == 0)
            (void)rd_kafka_mock_broker_set_down(cluster, broker);
        else
            (void)rd_kafka_mock_broker_set_up(cluster, broker);
    }
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(rk);
    return 0;
}

static int
dump(const char *servers, const char *name, int count)
{
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, servers);
    if (!rk)
        return 1;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    (void)rd_kafka_topic_partition_list_add(list, name, RD_KAFKA_PARTITION_UA);
    (void)rd_kafka_subscribe(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    for (int tries = 0; count > 0 && tries < 1200; tries++) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 100);
        if (m && !m->err) {
            (void)printf("%.*s\n", (int)m->len, (const char *)m->payload);
            count--;
        }
        if (m)
            rd_kafka_message_destroy(m);
    }
    (void)rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return count > 0;
}

int
main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "dump") == 0)
        return dump(argv[2], argv[3], atoi(argv[4]));
    return serve();
}
