/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_QUEUES_H
#define PLUGINS_QUEUES_H

/* What the tests of redis-queue and kafka-queue share: a result to save, and a run of
 * the provider, played by the test. */

#include <pthread.h>

#include "core/queue.h"
#include "plugins_support.h"

#define QUEUES_SCAN_ID "2f6c7d7e-4a0b-4a3e-9d0e-000000000001"

/** A result of two payloads, archived by filedir, by both queues, and by s3. */
extern const char queues_document[];
/** Save it. */
int queues_save(struct stoq_loaded *p, struct stoq_error *err);
void queues_saved(struct stoq_loaded *p);
/** Saving fails with @p code and these words. */
void queues_not_saved(struct stoq_loaded *p, int code, const char *words);

/** A provider in a thread. */
struct queues_run {
    struct stoq_loaded *plugin;
    struct stoq_queue *queue;
    pthread_t thread;
    struct stoq_error err;
    int code;
};
/** @p plugin is taken. */
void queues_start(struct queues_run *r, struct stoq_loaded *plugin);
/** End it, with success. */
void queues_stop(struct queues_run *r);
/** It ends by itself with @p code and these words. */
void queues_fails(struct stoq_loaded *plugin, int code, const char *words);
/** The next find is @p expected, "BYTES|EXTRA_DATA" or "ARCHIVER:TASK"; its receipt is
 *  the caller's. */
struct stoq_receipt queues_next(struct queues_run *r, const char *expected);
void queues_settled(struct queues_run *r, const char *expected, int code);

#endif
