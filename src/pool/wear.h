/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_POOL_WEAR_H
#define STOQ_POOL_WEAR_H

/*
 * Whether a scanner has kept so much memory of its former jobs that the next ones would
 * suffer for it: a worker that leaks must not make others fail. Called by the scanner's
 * only thread.
 */

#include <stdbool.h>
#include <stdint.h>

struct stoq_wear {
    int fd;        /**< /proc/self/statm, or -1: nothing is noticed */
    uint64_t base; /**< bytes when the scanner was new */
    uint64_t most; /**< bytes it may grow by */
};

/** Private writable memory as the kernel counts it against RLIMIT_DATA, from an open
 *  /proc/self/statm. @return bytes; 0 unknown. */
uint64_t stoq_wear_memory(int statm);
/** Remember how large the process is. Opens a file: before the sandbox forbids it.
 *  @p memory_bytes is the budget of one scan, 0 = none; an eighth of it may be kept. */
void stoq_wear_begin(struct stoq_wear *w, uint64_t memory_bytes);
/** Whether the process should make room for a fresh one. A few microseconds. */
bool stoq_wear_is_worn(const struct stoq_wear *w);

#endif
