/* SPDX-License-Identifier: Apache-2.0 */

/* Exponential pauses with jitter; see backoff.h. */

#include "courier/backoff.h"

#include <sys/random.h>

/* 250 ms doubled this often is beyond the maximum. */
#define DOUBLINGS 8

uint64_t
stoq_backoff_ms(unsigned attempts)
{
    unsigned shift = attempts > DOUBLINGS ? DOUBLINGS : attempts;
    uint64_t base = (uint64_t)STOQ_BACKOFF_MIN_MS << shift;
    uint64_t ms;
    uint32_t dice = 0;

    if (getrandom(&dice, sizeof dice, GRND_NONBLOCK) != (ssize_t)sizeof dice)
        dice = 0;
    if (base > STOQ_BACKOFF_MAX_MS)
        base = STOQ_BACKOFF_MAX_MS;
    ms = base - base / 4 + dice % (base / 2 + 1);
    return ms > STOQ_BACKOFF_MAX_MS ? STOQ_BACKOFF_MAX_MS : ms;
}
