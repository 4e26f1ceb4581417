/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_COURIER_BACKOFF_H
#define STOQ_COURIER_BACKOFF_H

/* How long to wait before something that failed is tried again. No state, no lock. */

#include <stdint.h>

#define STOQ_BACKOFF_MIN_MS 250
#define STOQ_BACKOFF_MAX_MS 60000

/** Pause after @p attempts failures: doubling from 250 ms to 60 s, give or take a
 *  quarter at random, so that many clients of one sink do not come back together.
 *  Never above the maximum. */
uint64_t stoq_backoff_ms(unsigned attempts);

#endif
