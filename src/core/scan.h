/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CORE_SCAN_H
#define STOQ_CORE_SCAN_H

/*
 * One scan under way: what rounds, dispatchers, dependency resolution and the absorbing
 * of children share. Lives on the stack of stoq_engine_scan(); one thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/core.h"
#include "core/seen.h"
#include "core/verdict.h"

/** One worker to run on one payload in this round. */
struct stoq_task {
    struct stoq_payload *payload;
    struct stoq_loaded *worker;
};

struct stoq_scan {
    struct stoq *stoq;
    struct stoq_request *request;
    const struct stoq_config *config;

    struct stoq_seen seen;
    json_t *hits, *warnings; /* owned */
    unsigned faults;         /* enum stoq_fault, or-ed */
    bool content_only;       /* all that ran depends on content alone */
    bool no_memory;          /* something could not be recorded */
    bool silent;             /* looking ahead: resolve without recording errors */

    uint64_t level, rounds; /* number of the round, from 1; how many there may be */
    uint64_t started_ns, deadline_ns; /* deadline 0 = none */
    uint64_t extracted, children;     /* used so far */
    uint64_t ratio_bytes; /* what limits.ratio allows in all; UINT64_MAX = any */

    struct stoq_task *tasks; /* owned; of this round */
    size_t task_count, task_room;
    struct stoq_payload **found; /* owned; children extracted in this round */
    size_t found_count, found_room;
};

/* --------------------------------------------------------------------- round.c */

/** Plan one round: ask dispatchers, resolve requirements, fill tasks. */
void stoq_round_plan(struct stoq_scan *scan);
/** Run the tasks, then take in the children. @return false when time ran out. */
bool stoq_round_run(struct stoq_scan *scan);
/** Forget found children and tasks; at the end of a scan. */
void stoq_round_fini(struct stoq_scan *scan);

/* ------------------------------------------------------------------- resolve.c */

/** What one payload can run now, and what has to wait. Zero-initialise. */
struct stoq_plan {
    struct stoq_loaded **can; /* owned array of borrowed plugins */
    size_t count, room;
    struct stoq_strv deferred;
};
/** Resolve the requirements of @p name on @p payload into @p plan. */
void stoq_resolve(struct stoq_scan *scan, struct stoq_payload *payload,
                  const char *name, struct stoq_plan *plan);
void stoq_plan_fini(struct stoq_plan *plan);

/* ------------------------------------------------------------------ dispatch.c */

/** Add what dispatchers name for @p payload to @p names. */
void stoq_dispatch(struct stoq_scan *scan, struct stoq_payload *payload,
                   struct stoq_strv *names);

/* -------------------------------------------------------------------- absorb.c */

/** Take in the outcome of a worker's call: results, errors, limits, children. */
void stoq_absorb_reply(struct stoq_scan *scan, const struct stoq_task *task,
                       struct stoq_reply *reply, int rc, const struct stoq_error *err);
/** Make found children payloads of the request, or join them to equal ones. */
void stoq_absorb_children(struct stoq_scan *scan);
/** Copy the limits a reply ran into. */
void stoq_absorb_hits(struct stoq_scan *scan, const struct stoq_payload *payload,
                      const struct stoq_reply *reply);
/** Bytes and children that one more call may extract. */
void stoq_absorb_room(const struct stoq_scan *scan, uint64_t *bytes,
                      uint64_t *children);

/* ---------------------------------------------------------------------- scan.c */

/** Note a limit and its fault. @p payload may be NULL. */
void stoq_scan_limit(struct stoq_scan *scan, const char *name, uint64_t value,
                     const struct stoq_payload *payload);
/** Add worker @p name, stripped, to @p names unless it is there. */
void stoq_scan_want(struct stoq_scan *scan, struct stoq_strv *names, const char *name);
/** Note whether recording something worked. */
void stoq_scan_note(struct stoq_scan *scan, int rc);
/** The fault of a call that returned @p rc with @p err. */
void stoq_scan_fault(struct stoq_scan *scan, int rc, const struct stoq_error *err);
/** Text of a failed call. */
const char *stoq_scan_text(int rc, const struct stoq_error *err);

/* ---------------------------------------------------------------------- trim.c */

/** Bring @p doc below @p limit bytes of compact text by dropping the largest results of
 *  workers (and metadata of payloads), each with an entry in limits_hit.
 *  @return how many were dropped, or -ENOMEM. */
int stoq_trim(json_t *doc, uint64_t limit);

#endif
