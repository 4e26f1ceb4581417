/* SPDX-License-Identifier: Apache-2.0 */
/* The queue's order: priority, then arrival, with raising and putting back. */
#include "pool/queue.h"
#include "pool_fixture.h"

static struct stoq_job *
add(struct stoq_job_queue *q, uint64_t id, enum stoq_priority priority, bool front)
{
    struct stoq_job *job = calloc(1, sizeof(*job));

    job->id = id;
    job->fd = -1;
    job->priority = priority;
    ck_assert_int_eq(stoq_job_queue_add(q, job, front), 0);
    return job;
}

static void
expect(struct stoq_job_queue *q, const uint64_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct stoq_job *job = stoq_job_queue_pop(q);

        ck_assert_ptr_nonnull(job);
        ck_assert_uint_eq(job->id, ids[i]);
        free(job);
    }
    ck_assert_ptr_null(stoq_job_queue_pop(q));
    ck_assert_uint_eq(q->count, 0);
}

START_TEST(most_urgent_first)
{
    static const uint64_t ids[] = {3, 6, 4, 2, 5, 1};
    struct stoq_job_queue q = {.count = 0};

    (void)add(&q, 1, STOQ_PRIORITY_DISCOVERED, false);
    (void)add(&q, 2, STOQ_PRIORITY_WRITTEN, false);
    (void)add(&q, 3, STOQ_PRIORITY_READER, false);
    (void)add(&q, 4, STOQ_PRIORITY_SIDECAR, false);
    (void)add(&q, 5, STOQ_PRIORITY_WRITTEN, false);
    (void)add(&q, 6, STOQ_PRIORITY_READER, false);
    expect(&q, ids, STOQ_ARRAY_SIZE(ids));
    stoq_job_queue_fini(&q);
}
END_TEST

START_TEST(raising)
{
    static const uint64_t ids[] = {4, 2, 1, 3};
    struct stoq_job_queue q = {.count = 0};

    ck_assert(!stoq_job_queue_raise(&q, 1, STOQ_PRIORITY_READER));
    (void)add(&q, 1, STOQ_PRIORITY_WRITTEN, false);
    (void)add(&q, 2, STOQ_PRIORITY_DISCOVERED, false);
    (void)add(&q, 3, STOQ_PRIORITY_DISCOVERED, false);
    (void)add(&q, 4, STOQ_PRIORITY_READER, false);
    ck_assert(stoq_job_queue_raise(&q, 2, STOQ_PRIORITY_READER));
    ck_assert(!stoq_job_queue_raise(&q, 1, STOQ_PRIORITY_DISCOVERED));
    ck_assert(!stoq_job_queue_raise(&q, 4, STOQ_PRIORITY_READER));
    ck_assert(!stoq_job_queue_raise(&q, 99, STOQ_PRIORITY_READER));
    expect(&q, ids, STOQ_ARRAY_SIZE(ids));
    stoq_job_queue_fini(&q);
}
END_TEST

START_TEST(putting_back)
{
    static const uint64_t ids[] = {9, 2, 1};
    struct stoq_job_queue q = {.count = 0};

    (void)add(&q, 1, STOQ_PRIORITY_WRITTEN, false);
    (void)add(&q, 2, STOQ_PRIORITY_WRITTEN, true);
    (void)add(&q, 9, STOQ_PRIORITY_READER, true);
    expect(&q, ids, STOQ_ARRAY_SIZE(ids));
    stoq_job_queue_fini(&q);
}
END_TEST

/** Many, so that the table grows; a third of them raised. */
START_TEST(many)
{
    enum { COUNT = 10000 };
    struct stoq_job_queue q = {.count = 0};
    uint64_t *ids = calloc(COUNT, sizeof(*ids));
    size_t n = 0;

    for (uint64_t i = 1; i <= COUNT; i++)
        (void)add(&q, i, STOQ_PRIORITY_DISCOVERED, false);
    for (uint64_t i = 3; i <= COUNT; i += 3) {
        ck_assert(stoq_job_queue_raise(&q, i, STOQ_PRIORITY_SIDECAR));
        ids[n++] = i;
    }
    for (uint64_t i = 1; i <= COUNT; i++) {
        if (i % 3 != 0)
            ids[n++] = i;
    }
    expect(&q, ids, n);
    free(ids);
    stoq_job_queue_fini(&q);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {most_urgent_first, raising, putting_back, many};

    return run_suite("pool queue", tests, STOQ_ARRAY_SIZE(tests));
}
