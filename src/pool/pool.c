/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool's public functions, its queue and its thread; see pool.h and slot.h.
 * Submitters hold the lock for list operations only; the thread holds none while it
 * calls back.
 */
#include "pool/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>

#include "pool/slot.h"
#include "util/auto.h"

#define SLOTS_MAX 1024U

/** @return whether the thread has to be woken; do so after unlocking. */
static bool
want_wake_locked(struct stoq_pool *pool)
{
    bool first = !pool->woken;

    pool->woken = true;
    return first;
}

static void
wake(struct stoq_pool *pool)
{
    uint64_t one = 1;

    while (write(pool->wake, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

/* ---------------------------------------------------------------- submitters */

int
stoq_pool_submit(struct stoq_pool *pool, struct stoq_job_spec *spec, uint64_t *id)
{
    STOQ_AUTO(stoq_job) job = NULL;
    bool first = false;
    int r = stoq_job_new(spec, 0, pool->config->limits.deadline_ms, &job);

    spec->fd = -1;
    if (r < 0)
        return r;
    if (!pool->reuse)
        job->wire.flags &= ~STOQ_WIRE_JOB_REUSE;
    (void)pthread_mutex_lock(&pool->lock);
    job->id = job->wire.id = ++pool->next_id;
    if (id)
        *id = job->id;
    r = pool->stop ? -ECANCELED : stoq_job_queue_add(&pool->queue, job, false);
    if (r == 0) {
        job = NULL;
        stoq_pool_count(&pool->unfinished, ++pool->pending);
        stoq_pool_count(&pool->queued, pool->queue.count);
        first = want_wake_locked(pool);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    if (first)
        wake(pool);
    return r;
}

void
stoq_pool_raise(struct stoq_pool *pool, uint64_t id, enum stoq_priority priority)
{
    (void)pthread_mutex_lock(&pool->lock);
    (void)stoq_job_queue_raise(&pool->queue, id, priority);
    (void)pthread_mutex_unlock(&pool->lock);
}

int
stoq_pool_drain(struct stoq_pool *pool, uint64_t timeout_ms)
{
    struct timespec end;
    int r = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += (time_t)(timeout_ms / 1000);
    end.tv_nsec += (long)(timeout_ms % 1000) * 1000000L;
    if (end.tv_nsec >= 1000000000L) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000L;
    }
    (void)pthread_mutex_lock(&pool->lock);
    while (pool->pending > 0 && r == 0) {
        r = timeout_ms ? pthread_cond_timedwait(&pool->idle, &pool->lock, &end)
                       : pthread_cond_wait(&pool->idle, &pool->lock);
    }
    r = pool->pending > 0 ? -ETIMEDOUT : 0;
    (void)pthread_mutex_unlock(&pool->lock);
    return r;
}

void
stoq_pool_set_zygote(struct stoq_pool *pool, int fd, const char *engine_id)
{
    int unused = -1;
    bool first;

    (void)pthread_mutex_lock(&pool->lock);
    if (pool->zygote_given)
        unused = pool->new_zygote;
    pool->zygote_given = true;
    pool->new_zygote = fd;
    (void)snprintf(pool->new_engine_id, sizeof(pool->new_engine_id), "%s", engine_id);
    first = want_wake_locked(pool);
    (void)pthread_mutex_unlock(&pool->lock);
    stoq_auto_close(&unused);
    if (first)
        wake(pool);
}

void
stoq_pool_stats(const struct stoq_pool *pool, struct stoq_pool_stats *out)
{
    uint64_t queued = atomic_load_explicit(&pool->queued, memory_order_relaxed);
    uint64_t all = atomic_load_explicit(&pool->unfinished, memory_order_relaxed);

    out->scanners = pool->slot_count;
    out->queued = queued;
    out->running = all > queued ? all - queued : 0;
    out->scans = atomic_load_explicit(&pool->scans, memory_order_relaxed);
    out->reused = atomic_load_explicit(&pool->reused, memory_order_relaxed);
    out->restarts = atomic_load_explicit(&pool->restarts, memory_order_relaxed);
    out->crashes = atomic_load_explicit(&pool->crashes, memory_order_relaxed);
    out->timeouts = atomic_load_explicit(&pool->timeouts, memory_order_relaxed);
}

/* ------------------------------------------------------------ making, freeing */

static unsigned
default_scanners(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
    return 1;
}

static void
release_pool(struct stoq_pool *pool)
{
    stoq_auto_close(&pool->zygote);
    for (unsigned i = 0; i < STOQ_RETIRED_MAX; i++)
        stoq_auto_close(&pool->retired[i].fd);
    if (pool->zygote_given)
        stoq_auto_close(&pool->new_zygote);
    stoq_auto_close(&pool->epoll);
    stoq_auto_close(&pool->wake);
    stoq_job_queue_fini(&pool->queue);
    (void)pthread_cond_destroy(&pool->idle);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool->slots);
    free(pool);
}

static int
init_sync(struct stoq_pool *pool)
{
    pthread_condattr_t attr;
    int r = pthread_condattr_init(&attr);

    if (r == 0)
        r = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (r == 0)
        r = pthread_cond_init(&pool->idle, &attr);
    (void)pthread_condattr_destroy(&attr);
    return r ? -r : -pthread_mutex_init(&pool->lock, NULL);
}

static int
init_pool(struct stoq_pool *pool, const struct stoq_pool_config *config)
{
    char id[STOQ_SHA256_HEX];
    int r = 0;

    pool->slots = calloc(pool->slot_count, sizeof(*pool->slots));
    if (!pool->slots)
        return -ENOMEM;
    for (unsigned i = 0; i < pool->slot_count; i++)
        pool->slots[i].sock = pool->slots[i].pidfd = -1;
    pool->epoll = epoll_create1(EPOLL_CLOEXEC);
    pool->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pool->epoll < 0 || pool->wake < 0)
        return -errno;
    if (getrandom(&pool->nonce, sizeof(pool->nonce), 0) < 0)
        return -errno;
    r = stoq_pool_watch(pool, pool->wake, STOQ_EVENT_WAKE, 0, 0);
    if (r < 0)
        return r;
    memset(id, 0, sizeof(id));
    if (config->engine_id)
        memcpy(id, config->engine_id, strnlen(config->engine_id, sizeof(id) - 1));
    return stoq_pool_adopt(pool, pool->zygote, id);
}

int
stoq_pool_new(const struct stoq_pool_config *config, struct stoq_pool **out,
              struct stoq_error *err)
{
    STOQ_AUTOCLOSE int zygote = config->zygote_fd;
    struct stoq_pool *pool = calloc(1, sizeof(*pool));
    int r;

    if (!pool)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    pool->config = config->config;
    pool->zygote_lost = config->zygote_lost;
    pool->reuse = config->reuse;
    pool->arg = config->arg;
    pool->slot_count = config->scanners ? config->scanners : default_scanners();
    if (pool->slot_count > SLOTS_MAX)
        pool->slot_count = SLOTS_MAX;
    pool->epoll = pool->wake = -1;
    for (unsigned i = 0; i < STOQ_RETIRED_MAX; i++)
        pool->retired[i].fd = -1;
    pool->zygote = STOQ_STEAL_FD(&zygote);
    r = init_sync(pool);
    if (r == 0)
        r = init_pool(pool, config);
    if (r == 0)
        r = -pthread_create(&pool->thread, NULL, stoq_pool_main, pool);
    if (r < 0) {
        release_pool(pool);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r,
                              "cannot start the scanner pool: "
                              "%s",
                              strerror(-r));
    }
    *out = pool;
    return 0;
}

void
stoq_pool_free(struct stoq_pool *pool)
{
    if (!pool)
        return;
    (void)pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    (void)pthread_mutex_unlock(&pool->lock);
    wake(pool);
    (void)pthread_join(pool->thread, NULL);
    release_pool(pool);
}
