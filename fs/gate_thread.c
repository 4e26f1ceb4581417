/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Threads with signals blocked, and waits by the monotonic clock.
 */

#include "gate_thread.h"

#include <signal.h>
#include <time.h>

int
stoqfs_thread_start(pthread_t *thread, const char *name, void *(*main)(void *),
                    void *arg)
{
    sigset_t all, old;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &old);
    int r = pthread_create(thread, NULL, main, arg);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r == 0)
        (void)pthread_setname_np(*thread, name);
    return -r;
}

int
stoqfs_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    int r = pthread_condattr_init(&attr);
    if (r)
        return -r;
    r = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (r == 0)
        r = pthread_cond_init(cond, &attr);
    (void)pthread_condattr_destroy(&attr);
    return -r;
}

void
stoqfs_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until_ms)
{
    if (until_ms == UINT64_MAX) {
        (void)pthread_cond_wait(cond, lock);
        return;
    }
    struct timespec ts = {.tv_sec = (time_t)(until_ms / 1000),
                          .tv_nsec = (long)(until_ms % 1000) * 1000000};
    (void)pthread_cond_timedwait(cond, lock, &ts);
}
