/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Two threads, the scan's own and one more, take the tasks in order, each the next that
 * nobody has. They share nothing but the payload, which is complete and not changed by
 * anybody meanwhile. A crash, a deadline or the CPU budget ends the process as ever.
 *
 * What a task may extract depends on what those before it have extracted. Each runs
 * with what was left at the start; one that would have had less room than it took, or
 * ran into a limit, is repeated in its turn.
 */

#include "core/abreast.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "util/auto.h"
#include "util/clock.h"

/* One task of those that run abreast. */
struct lane {
    struct stoq_reply reply;
    struct stoq_error err;
    int rc;
    bool ran;
};

struct abreast {
    struct stoq_scan *scan;
    const struct stoq_task *tasks;
    struct lane *lanes;
    size_t count;
    uint64_t bytes, children; /* that each of them may extract */
    atomic_size_t next;
};

/* Asked of the kernel alone: a scanner opens no files. */
static bool
has_cores(void)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    return sched_getaffinity(0, sizeof(cores), &cores) == 0 && CPU_COUNT(&cores) > 1;
}

size_t
stoq_abreast_count(const struct stoq_scan *scan, size_t first)
{
    size_t size = 0, count = 1;
    const struct stoq_payload *payload = scan->tasks[first].payload;
    (void)stoq_payload_data(payload, &size);
    if (size < STOQ_ABREAST_BYTES || !has_cores())
        return 1;
    while (first + count < scan->task_count &&
           scan->tasks[first + count].payload == payload)
        count++;
    return count;
}

static void *
work(void *arg)
{
    struct abreast *a = arg;
    const struct stoq_scan *scan = a->scan;
    for (size_t i; (i = atomic_fetch_add(&a->next, 1)) < a->count;) {
        struct lane *lane = &a->lanes[i];
        if (scan->deadline_ns != 0 && stoq_now_ns() >= scan->deadline_ns)
            break;
        lane->rc = stoq_call_scan(a->tasks[i].worker, a->tasks[i].payload,
                                  scan->request, &lane->reply, &lane->err);
        lane->ran = true;
    }
    return NULL;
}

static int
start(struct abreast *a, pthread_t *thread)
{
    sigset_t all, old;
    (void)sigfillset(&all);
    /* faults are the thread's own; a library may have a handler for them */
    (void)sigdelset(&all, SIGBUS);
    (void)sigdelset(&all, SIGSEGV);
    (void)sigdelset(&all, SIGSYS); /* by which a sandbox refuses a call */
    (void)pthread_sigmask(SIG_BLOCK, &all, &old);
    int r = pthread_create(thread, NULL, work, a);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -r;
}

/* Take in one reply in its turn. */
static void
absorb(const struct abreast *a, size_t i)
{
    uint64_t bytes, children;
    struct stoq_scan *scan = a->scan;
    const struct stoq_task *task = &a->tasks[i];
    struct lane *lane = &a->lanes[i];
    struct stoq_reply *reply = &lane->reply;
    stoq_absorb_room(scan, &bytes, &children);
    bool less = bytes < a->bytes || children < a->children;
    if (less && (reply->hit_count > 0 || reply->extracted > bytes ||
                 reply->child_count > children)) {
        stoq_reply_fini(reply);
        stoq_reply_init(reply, bytes, children);
        lane->err = (struct stoq_error){0};
        lane->rc = stoq_call_scan(task->worker, task->payload, scan->request, reply,
                                  &lane->err);
    }
    stoq_absorb_reply(scan, task, reply, lane->rc, &lane->err);
}

ssize_t
stoq_abreast_run(struct stoq_scan *scan, size_t first, size_t count)
{
    pthread_t thread;
    STOQ_AUTOFREE struct lane *lanes = calloc(count, sizeof(*lanes));
    struct abreast a = {
        .scan = scan, .tasks = &scan->tasks[first], .lanes = lanes, .count = count};
    if (!lanes)
        return -ENOMEM;
    (void)stoq_payload_sha256(a.tasks[0].payload); /* computed when first asked for */
    stoq_absorb_room(scan, &a.bytes, &a.children);
    for (size_t i = 0; i < count; i++)
        stoq_reply_init(&lanes[i].reply, a.bytes, a.children);
    int r = start(&a, &thread);
    if (r == 0) {
        (void)work(&a);
        (void)pthread_join(thread, NULL);
    }
    size_t ran = 0;
    while (r == 0 && ran < count && lanes[ran].ran) {
        absorb(&a, ran);
        ran++;
    }
    for (size_t i = 0; i < count; i++)
        stoq_reply_fini(&lanes[i].reply);
    return r < 0 ? r : (ssize_t)ran;
}
