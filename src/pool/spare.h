/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_POOL_SPARE_H
#define STOQ_POOL_SPARE_H

/*
 * Memory files of a scanner. They are memory that no limit of a process counts, so a
 * scanner gets a few before its sandbox closes, cannot make any afterwards, and ends
 * when they are used up. Elsewhere they are simply made. One thread; state is the
 * process's.
 */

#include <stdbool.h>

/** Make the scanner's. @return 0 or -errno. */
int stoq_spare_fill(void);
/** An empty memory file that can be sealed. @return its descriptor, the caller's, or
 *  -errno. */
int stoq_spare_take(const char *name);
/** Whether there may be too few for another job. */
bool stoq_spare_low(void);

#endif
