/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_UTIL_CLOCK_H
#define STOQ_UTIL_CLOCK_H

/* Time and identifiers. Limits use the monotonic clock, documents the real one. */

#include <stdint.h>

/** Milliseconds of CLOCK_MONOTONIC. */
uint64_t stoq_now_ms(void);
/** Nanoseconds of CLOCK_MONOTONIC. */
uint64_t stoq_now_ns(void);
/** Nanoseconds of CLOCK_REALTIME since the epoch. */
int64_t stoq_real_ns(void);

#define STOQ_TIME_SIZE 40
/** ISO 8601 UTC with microseconds and zone, "2026-11-24T04:06:36.143944+00:00". */
void stoq_time_format(int64_t real_ns, char out[STOQ_TIME_SIZE]);

#define STOQ_UUID_SIZE 37
/** A random (version 4) UUID, lower case, NUL-terminated. */
void stoq_uuid(char out[STOQ_UUID_SIZE]);

#endif
