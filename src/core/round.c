/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One round: for every payload in order of discovery, the workers that are due and can
 * run, by name. Planning comes first for all payloads, so that what runs in a round
 * does not depend on the order within it. No lock.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/abreast.h"
#include "core/document.h"
#include "core/scan.h"
#include "util/auto.h"

static int
by_name(const void *a, const void *b)
{
    struct stoq_loaded *const *x = a;
    struct stoq_loaded *const *y = b;
    return strcmp(stoq_loaded_name(*x), stoq_loaded_name(*y));
}

static int
names_order(const void *a, const void *b)
{
    char *const *x = a;
    char *const *y = b;
    return strcmp(*x, *y);
}

static int
add_task(struct stoq_scan *scan, struct stoq_payload *payload,
         struct stoq_loaded *worker)
{
    if (scan->task_count == scan->task_room) {
        size_t room = scan->task_room ? 2 * scan->task_room : 16;
        struct stoq_task *tasks = reallocarray(scan->tasks, room, sizeof(*tasks));
        if (!tasks)
            return -ENOMEM;
        scan->tasks = tasks;
        scan->task_room = room;
    }
    scan->tasks[scan->task_count++] =
        (struct stoq_task){.payload = payload, .worker = worker};
    return 0;
}

/* Names of all workers wanted on payload in this round, each once, sorted. */
static void
wanted(struct stoq_scan *scan, struct stoq_payload *payload, struct stoq_strv *names)
{
    for (size_t i = 0; i < payload->due.count; i++)
        stoq_scan_want(scan, names, payload->due.items[i]);
    for (size_t i = 0; i < scan->stoq->always.count; i++)
        stoq_scan_want(scan, names, scan->stoq->always.items[i]);
    stoq_dispatch(scan, payload, names);
    if (names->count > 1)
        qsort(names->items, names->count, sizeof(*names->items), names_order);
}

static void
plan_payload(struct stoq_scan *scan, struct stoq_payload *payload)
{
    struct stoq_strv names = {0};
    struct stoq_plan plan = {0};
    wanted(scan, payload, &names);
    for (size_t i = 0; i < names.count; i++)
        stoq_resolve(scan, payload, names.items[i], &plan);
    if (plan.count > 1)
        qsort(plan.can, plan.count, sizeof(struct stoq_loaded *), by_name);
    for (size_t i = 0; i < plan.count; i++)
        stoq_scan_note(scan, add_task(scan, payload, plan.can[i]));
    /* What has to wait is asked for again in the next round. */
    struct stoq_strv done = payload->due;
    payload->due = plan.deferred;
    plan.deferred = done;
    stoq_plan_fini(&plan);
    stoq_strv_fini(&names);
}

void
stoq_round_plan(struct stoq_scan *scan)
{
    scan->task_count = 0;
    for (size_t i = 0; i < scan->request->count; i++)
        if (scan->request->payloads[i]->scan)
            plan_payload(scan, scan->request->payloads[i]);
}

static void
run_task(struct stoq_scan *scan, const struct stoq_task *task)
{
    uint64_t bytes;
    uint64_t children;
    struct stoq_reply reply;
    struct stoq_error err = {0};
    stoq_absorb_room(scan, &bytes, &children);
    stoq_reply_init(&reply, bytes, children);
    int rc = stoq_call_scan(task->worker, task->payload, scan->request, &reply, &err);
    stoq_absorb_reply(scan, task, &reply, rc, &err);
    stoq_reply_fini(&reply);
}

/* The deadline passed: say which worker was next, and that others may be missing. */
static void
tell_deadline(struct stoq_scan *scan, const struct stoq_task *task)
{
    uint64_t ms = (scan->deadline_ns - scan->started_ns) / 1000000;
    const char *worker = stoq_loaded_name(task->worker);
    scan->faults |= STOQ_FAULT_TIMEOUT;
    stoq_scan_note(scan,
                   stoq_doc_limit(scan->hits, "deadline_ms", ms, task->payload->id));
    stoq_scan_note(scan,
                   stoq_doc_error(scan->request->errors, worker, task->payload->id,
                                  "deadline of %" PRIu64 " ms passed before this "
                                  "worker and all later ones",
                                  ms));
}

/* Run the task at @p i, or several from there on. @return how many have run. */
static size_t
run_next(struct stoq_scan *scan, size_t i)
{
    if (scan->deadline_ns != 0 && stoq_now_ns() >= scan->deadline_ns)
        return 0;
    size_t count = stoq_abreast_count(scan, i);
    ssize_t ran = count > 1 ? stoq_abreast_run(scan, i, count) : -EAGAIN;
    if (ran >= 0)
        return (size_t)ran;
    run_task(scan, &scan->tasks[i]);
    return 1;
}

bool
stoq_round_run(struct stoq_scan *scan)
{
    for (size_t i = 0; i < scan->task_count;) {
        size_t ran = run_next(scan, i);
        if (ran == 0) {
            tell_deadline(scan, &scan->tasks[i]);
            stoq_absorb_children(scan);
            return false;
        }
        i += ran;
    }
    stoq_absorb_children(scan);
    return true;
}

void
stoq_round_fini(struct stoq_scan *scan)
{
    for (size_t i = 0; i < scan->found_count; i++)
        stoq_payload_free(scan->found[i]);
    free(scan->found);
    free(scan->tasks);
    scan->found = NULL;
    scan->tasks = NULL;
    scan->found_count = scan->task_count = 0;
}
