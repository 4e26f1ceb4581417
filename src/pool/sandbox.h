/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_POOL_SANDBOX_H
#define STOQ_POOL_SANDBOX_H

/*
 * What a scanner gives up before it sees the first hostile byte: a list of measures,
 * each of which says whether it is in force. Called once, by a scanner.
 */

#include <stddef.h>
#include <stdint.h>

#include "core/config.h"

/** What became of the measures; bits by number. In neither mask: does not apply here
 *  (switched off by configuration, or a sanitizer needs what it would take away). */
struct stoq_sandbox_report {
    uint32_t applied, failed;
};

/** Apply all measures, going on after one that is refused. */
void stoq_sandbox_enter(const struct stoq_limits *limits,
                        struct stoq_sandbox_report *report);
/** Number of measures; their names, for logs and status. */
size_t stoq_sandbox_count(void);
const char *stoq_sandbox_name(size_t i);

#endif
