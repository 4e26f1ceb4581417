/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_POOL_SANDBOX_H
#define STOQ_POOL_SANDBOX_H

/*
 * What a scanner gives up before it sees the first hostile byte: a list of measures,
 * each of which says whether it is in force. The zygote prepares what can be shared
 * (the system call filter, the network namespace, the empty root), every scanner enters
 * once. Threads: the only one there is, in both.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "core/config.h"

#define STOQ_SANDBOX_MEASURES 16

/** What became of the measures; bits by number. In neither mask: switched off, or does
 *  not apply here. */
struct stoq_sandbox_report {
    uint32_t applied, failed;
    uint8_t why[STOQ_SANDBOX_MEASURES]; /**< errno of those that failed */
};

struct stoq_sandbox;

/**
 * Prepare, in the zygote, after everything is loaded.
 * @param config   sandbox and limits; borrowed, must outlive it.
 * @param scratch  directories in which workers make temporary files, or NULL; borrowed,
 *                 as @p config.
 * @return 0; -ENOMEM. A measure that cannot be prepared shows in the report.
 */
int stoq_sandbox_new(const struct stoq_config *config, const struct stoq_strv *scratch,
                     struct stoq_sandbox **out);
/** Whether it takes away more than section limits asks for: it is not switched off, and
 *  this is no sanitizer's build, whose reports want files and standard error. */
bool stoq_sandbox_closes(const struct stoq_sandbox *s);
/** More was loaded, and the scratch directories may be more. */
void stoq_sandbox_renew(struct stoq_sandbox *s);
/** Apply all measures, in a scanner, going on after one that is refused. */
void stoq_sandbox_enter(struct stoq_sandbox *s, struct stoq_sandbox_report *report);
/** Enter in a process made for it, which ends then. @return 0 with @p report filled;
 *  -errno of fork(2); -EIO when it died. */
int stoq_sandbox_try(struct stoq_sandbox *s, struct stoq_sandbox_report *report);

/** Whether [core] sandbox = require is not met. @p text gets the first measure that is
 *  missing, and why. */
bool stoq_sandbox_unmet(const struct stoq_sandbox *s,
                        const struct stoq_sandbox_report *report, char *text,
                        size_t size);
/** Whether memory is limited. */
bool stoq_sandbox_limits_memory(const struct stoq_sandbox_report *report);
/** {"mode", "in_force": [names], "refused": {name: why}, "off": [names]}; new tree. */
json_t *stoq_sandbox_describe(const struct stoq_sandbox *s,
                              const struct stoq_sandbox_report *report);
/** The same as one line of text. */
void stoq_sandbox_tell(const struct stoq_sandbox *s,
                       const struct stoq_sandbox_report *report, char *text,
                       size_t size);

/* ---- while scanning; see sandbox_refuse.c ---- */

/** Take what was refused since the last call: "open(2), socket(2)".
 *  @return how many refusals; 0 leaves @p text alone. */
unsigned stoq_sandbox_take_refused(char *text, size_t size);
/** A scan begins: count anew. */
void stoq_sandbox_begin_scan(void);
/** How often something was refused in this scan. */
unsigned stoq_sandbox_refused(void);
/** Call @p fn, which does not return, when a scan is refused so often that it is not
 *  going to end by itself. In a signal handler. */
void stoq_sandbox_on_flood(void (*fn)(const char *text));

#endif
