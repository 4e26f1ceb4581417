/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The priority queue of jobs; see queue.h. Called by the pool with its lock held.
 */
#include "pool/queue.h"

#include <errno.h>
#include <stdlib.h>

#include "util/auto.h"

#define BUCKETS_MIN 64U

static struct stoq_job **
bucket_of(const struct stoq_job_queue *q, uint64_t id)
{
    return &q->buckets[id & (q->bucket_count - 1)];
}

/** Ids count up, so a table as large as the queue has short chains. One that cannot
 *  grow has longer ones. */
static void
grow(struct stoq_job_queue *q)
{
    size_t count = q->bucket_count ? q->bucket_count * 2 : BUCKETS_MIN;
    struct stoq_job **old = q->buckets,
                    **fresh = calloc(count, sizeof(struct stoq_job *));
    size_t old_count = q->bucket_count;

    if (!fresh)
        return;
    q->buckets = fresh;
    q->bucket_count = count;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i]) {
            struct stoq_job *job = old[i], **to = bucket_of(q, job->id);

            old[i] = job->chain;
            job->chain = *to;
            *to = job;
        }
    }
    free(old);
}

static void
list_add(struct stoq_job_queue *q, struct stoq_job *job, bool front)
{
    struct stoq_queue_list *list = &q->lists[job->priority];

    job->prev = front ? NULL : list->last;
    job->next = front ? list->first : NULL;
    if (job->prev)
        job->prev->next = job;
    else
        list->first = job;
    if (job->next)
        job->next->prev = job;
    else
        list->last = job;
}

static void
list_remove(struct stoq_job_queue *q, struct stoq_job *job)
{
    struct stoq_queue_list *list = &q->lists[job->priority];

    if (job->prev)
        job->prev->next = job->next;
    else
        list->first = job->next;
    if (job->next)
        job->next->prev = job->prev;
    else
        list->last = job->prev;
    job->prev = job->next = NULL;
}

int
stoq_job_queue_add(struct stoq_job_queue *q, struct stoq_job *job, bool front)
{
    struct stoq_job **bucket;

    if (q->count >= q->bucket_count)
        grow(q);
    if (!q->buckets)
        return -ENOMEM;
    bucket = bucket_of(q, job->id);
    job->chain = *bucket;
    *bucket = job;
    list_add(q, job, front);
    q->count++;
    return 0;
}

struct stoq_job *
stoq_job_queue_pop(struct stoq_job_queue *q)
{
    for (size_t i = 0; i < STOQ_PRIORITY_COUNT; i++) {
        struct stoq_job *job = q->lists[i].first, **at;

        if (!job)
            continue;
        for (at = bucket_of(q, job->id); *at != job; at = &(*at)->chain)
            ;
        *at = job->chain;
        job->chain = NULL;
        list_remove(q, job);
        q->count--;
        return job;
    }
    return NULL;
}

bool
stoq_job_queue_raise(struct stoq_job_queue *q, uint64_t id, enum stoq_priority priority)
{
    struct stoq_job *job = q->buckets ? *bucket_of(q, id) : NULL;

    while (job && job->id != id)
        job = job->chain;
    if (!job || priority >= job->priority)
        return false;
    list_remove(q, job);
    job->priority = priority;
    list_add(q, job, false);
    return true;
}

void
stoq_job_queue_fini(struct stoq_job_queue *q)
{
    stoq_auto_free(&q->buckets);
    q->bucket_count = 0;
}
