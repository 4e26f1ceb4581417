/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_POOL_QUEUE_H
#define STOQ_POOL_QUEUE_H

/*
 * Jobs that wait for a scanner: most urgent first, in order of arrival within a
 * priority, found by id in constant time. Lists only; owned and locked by the pool.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pool/job.h"

struct stoq_queue_list {
    struct stoq_job *first, *last;
};

struct stoq_job_queue {
    struct stoq_queue_list lists[STOQ_PRIORITY_COUNT];
    struct stoq_job **buckets; /**< by id, chained through job->chain */
    size_t bucket_count;       /**< a power of two, or 0 */
    size_t count;
};

/** Append, or put before all others of its priority. @p job is borrowed until popped.
 *  @return 0 or -ENOMEM (only while the table has never had room). */
int stoq_job_queue_add(struct stoq_job_queue *q, struct stoq_job *job, bool front);
/** Most urgent job, or NULL. */
struct stoq_job *stoq_job_queue_pop(struct stoq_job_queue *q);
/** Make a job that waits more urgent. @return whether it was found and moved. */
bool stoq_job_queue_raise(struct stoq_job_queue *q, uint64_t id,
                          enum stoq_priority priority);
void stoq_job_queue_fini(struct stoq_job_queue *q);

#endif
