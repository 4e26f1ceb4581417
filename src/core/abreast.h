/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CORE_ABREAST_H
#define STOQ_CORE_ABREAST_H

/*
 * Workers of one round on one large payload, two at a time: hashing beside matching.
 * Plugins are called as their thread models allow, and what they hand back is taken in
 * in the order of names, as if they had run one after another. For round.c only.
 */

#include "core/scan.h"

/** Payloads from this size on are worth a thread. */
#define STOQ_ABREAST_BYTES (4U << 20)

/** How many tasks from @p first on are for one large payload; 1 when they are not to
 *  run abreast. */
size_t stoq_abreast_count(const struct stoq_scan *scan, size_t first);
/** Run @p count (> 1) tasks from @p first on and take in what they say.
 *  @return how many have run: fewer when time ran out. -ENOMEM, -EAGAIN: none has, for
 *  want of memory or a thread. */
ssize_t stoq_abreast_run(struct stoq_scan *scan, size_t first, size_t count);

#endif
