/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_RULES_H
#define STOQFS_RULES_H

/*
 * The mirror's side of reloading: which generation of plugins and rules is in force,
 * how the last reload ended, and asking for another. The supervisor does the work
 * (reload.h) and reports; the report is one JSON object, in a memfd, of which this
 * keeps the last:
 *
 *   {"generation", "digest" (engine id), "loaded_at", "asked" and "request" (numbers of
 *    the last request and of the last that was answered), "facts",
 *    "last_reload": null or {"time", "result", "error"}}
 *
 * Callers: mirror, dot, status, metrics. Threads: any; a lock of its own.
 */

#include "stoqfs.h"

/** How a reload ended; also the label in metrics. */
enum stoqfs_reload_result {
    STOQFS_RELOAD_SWAPPED,
    STOQFS_RELOAD_UNCHANGED, /**< not swapped: the files are as they were */
    STOQFS_RELOAD_REFUSED,
    STOQFS_RELOAD_RESULTS
};
const char *stoqfs_reload_result_name(enum stoqfs_reload_result result);

/** @p report as above, copied; @p control: the socket to the supervisor, borrowed. */
int stoqfs_rules_new(const json_t *report, int control, struct stoqfs_rules **out,
                     struct stoq_error *err);
/** NULL allowed. */
void stoqfs_rules_free(struct stoqfs_rules *r);
/** A report came in @p fd, borrowed. @return whether it tells of a reload, which is
 *  counted; not of a zygote that was started because one died. */
bool stoqfs_rules_report(struct stoqfs_rules *r, int fd);
/** Ask the supervisor to reload. @return 0, with the request's number, or -errno. */
int stoqfs_rules_ask(struct stoqfs_rules *r, uint64_t *number);

/** For the status document: {"loaded", "failed", "generation", "digest", "loaded_at",
 *  "requests", "answered", "last_reload"}; new tree. */
json_t *stoqfs_rules_status(struct stoqfs_rules *r);
/** For the metrics: the generation, and ends counted since the mount. */
uint64_t stoqfs_rules_counts(struct stoqfs_rules *r,
                             uint64_t counts[STOQFS_RELOAD_RESULTS]);

#endif
