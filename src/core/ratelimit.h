/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CORE_RATELIMIT_H
#define STOQ_CORE_RATELIMIT_H

/*
 * How often scans may begin: "COUNT/SECONDS". As in the original there is one time
 * stamp for the whole process, whatever the limits of its callers are. stoq_ratelimit()
 * of stoq/stoq.h waits; these are for callers with a clock, or a way to wait, of their
 * own. Lock: inside, held for moments.
 */

#include <stdint.h>

#include <stoq/error.h>

/** Nanoseconds between two scans under @p limit, two whole numbers above 0.
 *  @return 0 or -EINVAL with one line; @p interval_ns is then unchanged. */
int stoq_ratelimit_parse(const char *limit, uint64_t *interval_ns,
                         struct stoq_error *err);
/** Take a turn at @p now_ns of the monotonic clock. @return when it is: at least
 *  @p interval_ns after the turn before, and not before @p now_ns. Threads: any. */
uint64_t stoq_ratelimit_turn(uint64_t interval_ns, uint64_t now_ns);

#endif
