/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Requirements of workers: who can run now, who has to wait, who never can. One
 * requested worker is one attempt: a circle or too deep a chain drops everything of
 * that attempt and is told under the name that was requested. No lock.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/document.h"
#include "core/scan.h"
#include "util/auto.h"

#define DEFAULT_DEPTH 10

/* One step of the chain from the requested worker down. */
struct frame {
    const char *name;
    const struct frame *up;
    uint64_t depth;
};

struct attempt {
    struct stoq_scan *scan;
    struct stoq_payload *payload;
    struct stoq_plan *plan;
    const char *culprit; /* where a circle closed */
};

static uint64_t
max_depth(const struct stoq_scan *scan)
{
    uint64_t depth = scan->config->max_required_worker_depth;
    return depth ? depth : DEFAULT_DEPTH;
}

static bool
in_chain(const struct frame *frame, const char *name)
{
    for (; frame; frame = frame->up)
        if (strcmp(frame->name, name) == 0)
            return true;
    return false;
}

static bool
requirements_met(const struct stoq_payload *payload, const struct stoq_strv *required)
{
    for (size_t i = 0; i < required->count; i++)
        if (!stoq_payload_has_run(payload, required->items[i]))
            return false;
    return true;
}

static int
add_can(struct stoq_plan *plan, struct stoq_loaded *p)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->can[i] == p)
            return 0;
    if (plan->count == plan->room) {
        size_t room = plan->room ? 2 * plan->room : 8;
        struct stoq_loaded **can =
            reallocarray(plan->can, room, sizeof(struct stoq_loaded *));
        if (!can)
            return -ENOMEM;
        plan->can = can;
        plan->room = room;
    }
    plan->can[plan->count++] = p;
    return 0;
}

static void
tell_load_failure(struct attempt *a, const char *name, const struct stoq_error *why)
{
    a->scan->faults |= STOQ_FAULT_ERROR;
    if (!a->scan->silent)
        stoq_scan_note(a->scan,
                       stoq_doc_error(a->scan->request->errors, name, a->payload->id,
                                      "Worker plugin %s failed to load: %s", name,
                                      why->message));
}

/* @return 0, -ELOOP for a circle, -E2BIG for too long a chain. */
static int
// NOLINTNEXTLINE(misc-no-recursion): depth is limited by max_required_worker_depth
resolve(struct attempt *a, const char *name, const struct frame *up)
{
    struct frame frame = {.name = name, .up = up, .depth = up ? up->depth + 1 : 0};
    if (in_chain(up, name)) {
        a->culprit = name;
        return -ELOOP;
    }
    if (frame.depth > max_depth(a->scan))
        return -E2BIG;
    struct stoq_loaded *p = NULL;
    struct stoq_error why = {0};
    if (stoq_registry_get(a->scan->stoq, name, &p, &why) < 0) {
        tell_load_failure(a, name, &why);
        return 0;
    }
    if (stoq_payload_has_run(a->payload, name))
        return 0;
    const struct stoq_strv *required = stoq_loaded_required(p);
    stoq_scan_note(a->scan, requirements_met(a->payload, required)
                                ? add_can(a->plan, p)
                                : stoq_strv_add_unique(&a->plan->deferred, name));
    for (size_t i = 0; i < required->count; i++) {
        int rc = resolve(a, required->items[i], &frame);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void
tell_recursion(struct stoq_scan *scan, const struct attempt *a, const char *name,
               int rc)
{
    scan->faults |= STOQ_FAULT_ERROR;
    if (scan->silent)
        return;
    json_t *errors = scan->request->errors;
    if (rc == -ELOOP)
        stoq_scan_note(scan,
                       stoq_doc_error(errors, name, a->payload->id,
                                      "RecursionError: Circular required plugin "
                                      "dependency found, unable to process plugin "
                                      "%s",
                                      a->culprit));
    else
        stoq_scan_note(scan, stoq_doc_error(errors, name, a->payload->id,
                                            "RecursionError: Max required plugin depth "
                                            "%" PRIu64 " reached, unable to generate "
                                            "additional tasks",
                                            max_depth(scan)));
}

/* Add what an attempt found to the plan of the payload. */
static void
merge(struct stoq_scan *scan, struct stoq_plan *plan, const struct stoq_plan *part)
{
    for (size_t i = 0; i < part->count; i++)
        stoq_scan_note(scan, add_can(plan, part->can[i]));
    for (size_t i = 0; i < part->deferred.count; i++)
        stoq_scan_note(scan,
                       stoq_strv_add_unique(&plan->deferred, part->deferred.items[i]));
}

void
stoq_resolve(struct stoq_scan *scan, struct stoq_payload *payload, const char *name,
             struct stoq_plan *plan)
{
    struct stoq_plan part = {0};
    struct attempt a = {.scan = scan, .payload = payload, .plan = &part};
    int rc = resolve(&a, name, NULL);
    if (rc < 0)
        tell_recursion(scan, &a, name, rc);
    else
        merge(scan, plan, &part);
    stoq_plan_fini(&part);
}

void
stoq_plan_fini(struct stoq_plan *plan)
{
    free(plan->can);
    stoq_strv_fini(&plan->deferred);
    *plan = (struct stoq_plan){0};
}
