/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_PLUGIN_KAFKA_QUEUE_H
#define STOQ_PLUGIN_KAFKA_QUEUE_H

/*
 * What the parts of the kafka-queue plugin share. producer.c sends and waits until the
 * brokers have it, connector.c and archiver.c make what is sent, provider.c reads.
 *
 * An instance is its options and one producer, made when something is first sent; calls
 * may run at the same time. Lock: kafka.lock; it is held over no call that waits.
 */

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <stoq/plugin.h>
#include <stoq/stoq.h>

#include "common/auto.h"

#define KAFKA_NAME "kafka-queue"

/** A producer; the last user of one that is of no use any more ends it. */
struct kafka_producer {
    rd_kafka_t *rk;
    unsigned users; /* guarded by kafka.lock */
    bool stale;     /* guarded by kafka.lock: it failed for good */
};

struct kafka {
    struct stoq_ctx *ctx;
    const char *group, *topic; /* borrowed from ctx */
    char *servers;             /* owned; comma separated */
    int retries, session_timeout_ms, heartbeat_interval_ms, timeout_ms;
    int max_message_bytes;
    bool publish_archive;
    unsigned prefetch, max_attempts;
    atomic_bool down;               /* it was told that no broker answers */
    atomic_flag told_empty;         /* a result had nothing to publish */
    struct kafka_provider *running; /* the provider's thread's own */
    pthread_mutex_t lock;
    struct kafka_producer *producer; /* guarded by lock; owned, or NULL */
    char reason[200];                /* guarded by lock: the library's last complaint */
};

/** Where a message went. */
struct kafka_place {
    int32_t partition;
    int64_t offset;
};

/* ---------------------------------------------------------------- kafka-queue.c */

/** What producer and consumer share: servers, properties, logging. NULL: see @p err. */
rd_kafka_conf_t *kafka_conf(struct kafka *k, struct stoq_error *err);
/** Set one. @return 0 or -EINVAL. */
int kafka_set(rd_kafka_conf_t *conf, const char *name, const char *value,
              struct stoq_error *err);
int kafka_set_number(rd_kafka_conf_t *conf, const char *name, int value,
                     struct stoq_error *err);
/** The library's last complaint as "...: TEXT", or "". */
void kafka_reason(struct kafka *k, char *buf, size_t size);
/** A broker did what it was asked. */
void kafka_up(struct kafka *k);
/** An errno for what the library or a broker answered. */
int kafka_code(rd_kafka_resp_err_t code);

/* ------------------------------------------------------------------- producer.c */

/** Send texts (an array of strings), and wait until all brokers that must have them
 *  have them. @p place, which may be NULL, is that of the last. */
int kafka_send(struct kafka *k, const json_t *texts, struct kafka_place *place,
               struct stoq_error *err);
/** End @p p without waiting. */
void kafka_producer_free(struct kafka_producer *p);

/* ------------------------------------------------------------------- operations */

int kafka_save(void *instance, const struct stoq_response *response, unsigned flags,
               struct stoq_error *err);
int kafka_archive(void *instance, struct stoq_payload *payload,
                  const struct stoq_request *request, struct stoq_reply *reply,
                  unsigned flags, struct stoq_error *err);
int kafka_ingest(void *instance, struct stoq_queue *queue, unsigned flags,
                 struct stoq_error *err);

#endif
