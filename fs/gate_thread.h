/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_GATE_THREAD_H
#define STOQFS_GATE_THREAD_H

/*
 * Threads and condition variables as the gate and the watch use them: signals blocked
 * (they belong to the main thread), waits measured by the monotonic clock.
 */

#include <pthread.h>
#include <stdint.h>

/** Start @p main(@p arg) with all signals blocked, shown as @p name (15 bytes).
 *  @return 0 or -errno. */
int stoqfs_thread_start(pthread_t *thread, const char *name, void *(*main)(void *),
                        void *arg);
/** A condition whose timed waits are by CLOCK_MONOTONIC. 0 or -errno. */
int stoqfs_cond_init(pthread_cond_t *cond);
/** Wait until signalled or until stoq_now_ms() reaches @p until_ms (UINT64_MAX = for
 *  ever). Caller holds @p lock. */
void stoqfs_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until_ms);

#endif
