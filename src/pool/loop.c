/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool's thread: waits for scanners, the zygote, submitters and time, and deals
 * jobs to idle scanners; see slot.h. It takes the lock for list operations only and
 * holds none while it calls back.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "pool/slot.h"
#include "util/auto.h"
#include "util/log.h"

#define EVENTS 64

void
stoq_pool_requeue(struct stoq_pool *pool, struct stoq_job *job)
{
    (void)pthread_mutex_lock(&pool->lock);
    /* it was in the queue before, so there is a table and adding cannot fail */
    (void)stoq_job_queue_add(&pool->queue, job, true);
    stoq_pool_count(&pool->queued, pool->queue.count);
    (void)pthread_mutex_unlock(&pool->lock);
}

void
stoq_pool_end_job(struct stoq_pool *pool, struct stoq_job *job)
{
    stoq_job_end(job);
    (void)pthread_mutex_lock(&pool->lock);
    stoq_pool_count(&pool->unfinished, --pool->pending);
    if (pool->pending == 0)
        (void)pthread_cond_broadcast(&pool->idle);
    (void)pthread_mutex_unlock(&pool->lock);
}

static struct stoq_job *
pop_queue(struct stoq_pool *pool)
{
    struct stoq_job *job;

    (void)pthread_mutex_lock(&pool->lock);
    job = stoq_job_queue_pop(&pool->queue);
    stoq_pool_count(&pool->queued, pool->queue.count);
    (void)pthread_mutex_unlock(&pool->lock);
    return job;
}

static struct stoq_job *
pop_retry(struct stoq_pool *pool)
{
    struct stoq_job *job = pool->retries.first;

    if (!job)
        return NULL;
    pool->retries.first = job->next;
    if (!job->next)
        pool->retries.last = NULL;
    job->next = NULL;
    return job;
}

/** Jobs to idle scanners; one that crashed a scanner only to a fresh one, of which its
 *  crash made one. */
static void
deal(struct stoq_pool *pool)
{
    bool more = true;

    for (unsigned i = 0; i < pool->slot_count; i++) {
        struct stoq_slot *slot = &pool->slots[i];

        /* a job that cannot be sent leaves its scanner idle */
        while (slot->state == STOQ_SLOT_IDLE) {
            struct stoq_job *job = slot->jobs == 0 ? pop_retry(pool) : NULL;

            if (!job && more)
                job = pop_queue(pool);
            if (!job) {
                more = false;
                break;
            }
            stoq_deal_send(pool, slot, job);
        }
    }
}

/** End all jobs that wait. */
static void
fail_waiting(struct stoq_pool *pool, const char *text)
{
    struct stoq_job *job;

    while ((job = pop_retry(pool)) || (job = pop_queue(pool)))
        stoq_deal_fail(pool, job, STOQ_VERDICT_ERROR, text);
}

/** Take what the slots have of an ended zygote; their jobs wait again. */
static void
empty_slots(struct stoq_pool *pool, bool busy_too)
{
    for (unsigned i = 0; i < pool->slot_count; i++) {
        struct stoq_slot *slot = &pool->slots[i];
        struct stoq_job *job = slot->job;

        if (slot->state == STOQ_SLOT_BUSY && !busy_too)
            continue;
        stoq_slot_clear(slot);
        if (job)
            stoq_pool_requeue(pool, job);
    }
}

static void
lose_zygote(struct stoq_pool *pool)
{
    stoq_auto_close(&pool->zygote);
    empty_slots(pool, true);
    if (pool->zygote_lost) {
        STOQ_WARN("the scanners' parent is gone; jobs wait for another");
        pool->zygote_lost(pool->arg);
    }
}

int
stoq_pool_adopt(struct stoq_pool *pool, int fd, const char *engine_id)
{
    struct stoq_wire_head clear = {.type = STOQ_WIRE_CLEAR};
    struct stoq_wire_out out = {.head = &clear, .size = sizeof(clear)};
    int flags = fcntl(fd, F_GETFL);

    /* those of a pool before us, in a process that died; it tells them from ours */
    (void)stoq_wire_send(fd, &out);
    pool->zygote = fd;
    pool->zygote_number++;
    memcpy(pool->engine_id, engine_id, sizeof(pool->engine_id));
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    return stoq_pool_watch(pool, fd, STOQ_EVENT_ZYGOTE, 0, pool->zygote_number);
}

/** Whether a scanner of zygote @p number is at work. */
static bool
has_work(const struct stoq_pool *pool, uint32_t number)
{
    for (unsigned i = 0; i < pool->slot_count; i++) {
        if (pool->slots[i].job && pool->slots[i].zygote == number)
            return true;
    }
    return false;
}

/** Let go of replaced zygotes with nothing left to do. */
static void
dismiss(struct stoq_pool *pool)
{
    for (unsigned i = 0; i < STOQ_RETIRED_MAX; i++) {
        struct stoq_retired *r = &pool->retired[i];

        if (r->fd >= 0 && !has_work(pool, r->number))
            stoq_auto_close(&r->fd);
    }
}

/** The zygote was replaced: hold it until its scanners are done. When too many are
 * held, what the oldest one's scan is scanned again by others. */
static void
retire(struct stoq_pool *pool)
{
    struct stoq_retired *to = &pool->retired[0];

    if (pool->zygote < 0)
        return;
    /* what it says from now on is of no interest */
    (void)epoll_ctl(pool->epoll, EPOLL_CTL_DEL, pool->zygote, NULL);
    for (unsigned i = 0; i < STOQ_RETIRED_MAX; i++) {
        struct stoq_retired *r = &pool->retired[i];

        if (to->fd >= 0 && (r->fd < 0 || r->number < to->number))
            to = r;
    }
    stoq_auto_close(&to->fd);
    to->number = pool->zygote_number;
    to->fd = STOQ_STEAL_FD(&pool->zygote);
}

/** @return whether the pool is to stop. */
static bool
on_wake(struct stoq_pool *pool)
{
    char engine_id[STOQ_SHA256_HEX];
    uint64_t ignored;
    int fd = -1;
    bool stop;

    (void)!read(pool->wake, &ignored, sizeof(ignored));
    (void)pthread_mutex_lock(&pool->lock);
    pool->woken = false;
    stop = pool->stop;
    if (pool->zygote_given) {
        pool->zygote_given = false;
        fd = pool->new_zygote;
        memcpy(engine_id, pool->new_engine_id, sizeof(engine_id));
    }
    (void)pthread_mutex_unlock(&pool->lock);
    if (fd >= 0) {
        /* scans under way may end; their scanners are not used again */
        empty_slots(pool, false);
        retire(pool);
        if (stoq_pool_adopt(pool, fd, engine_id) < 0)
            lose_zygote(pool);
    }
    return stop;
}

static void
on_zygote(struct stoq_pool *pool)
{
    int r;

    while ((r = stoq_wire_recv(pool->zygote, &pool->msg)) > 0 || r == -EMSGSIZE) {
        if (r < 0) {
            stoq_slot_unreceived(pool);
            continue;
        }
        if (pool->msg.u.head.type == STOQ_WIRE_FORKED)
            stoq_slot_forked(pool, &pool->msg);
        else if (pool->msg.u.head.type == STOQ_WIRE_EXITED)
            stoq_slot_exited(pool, pool->msg.u.exited.pid, pool->msg.u.exited.status);
        else
            r = -EPROTO;
        stoq_wire_close(&pool->msg);
        if (r < 0)
            break;
    }
    if (r != -EAGAIN)
        lose_zygote(pool);
}

/** @return whether the pool is to stop. */
static bool
on_event(struct stoq_pool *pool, uint64_t data)
{
    uint32_t generation = (uint32_t)data, index = (uint32_t)(data >> 32) & 0xfffffffU;

    switch ((enum stoq_pool_event)(data >> 60)) {
    case STOQ_EVENT_WAKE:
        return on_wake(pool);
    case STOQ_EVENT_ZYGOTE:
        if (pool->zygote >= 0 && generation == pool->zygote_number)
            on_zygote(pool);
        return false;
    case STOQ_EVENT_SLOT:
        /* events of one batch may be about an occupant that another of them ended */
        if (pool->slots[index].generation == generation && pool->slots[index].sock >= 0)
            stoq_slot_event(pool, &pool->slots[index]);
        return false;
    default:
        return false;
    }
}

/** When the slot wants to be looked at without an event; 0 = never. */
static uint64_t
slot_due(const struct stoq_pool *pool, const struct stoq_slot *slot)
{
    switch (slot->state) {
    case STOQ_SLOT_BUSY:
        return slot->deadline;
    case STOQ_SLOT_GONE:
        return slot->until;
    case STOQ_SLOT_EMPTY:
        return pool->zygote >= 0 ? slot->until + (slot->until == 0) : 0;
    case STOQ_SLOT_FORKING:
    case STOQ_SLOT_STARTING:
    case STOQ_SLOT_IDLE:
    default:
        return 0;
    }
}

/** Do what time demands. @return how long epoll may wait. */
static int
tick(struct stoq_pool *pool)
{
    uint64_t now = stoq_now_ms(), next = UINT64_MAX;

    for (unsigned i = 0; i < pool->slot_count; i++) {
        struct stoq_slot *slot = &pool->slots[i];
        uint64_t due = slot_due(pool, slot);

        if (due != 0 && due <= now) {
            if (slot->state == STOQ_SLOT_BUSY)
                stoq_deal_timeout(pool, slot);
            else if (slot->state == STOQ_SLOT_GONE)
                stoq_slot_lost_with(pool, slot, -1);
            stoq_slot_fill(pool, slot, now);
            due = slot_due(pool, slot);
        }
        if (due != 0 && due < next)
            next = due;
    }
    if (next == UINT64_MAX)
        return -1;
    if (next <= now)
        return 0;
    return next - now < 60000 ? (int)(next - now) : 60000;
}

static void
shut_down(struct stoq_pool *pool)
{
    empty_slots(pool, true);
    fail_waiting(pool, "shutting down");
}

void *
stoq_pool_main(void *arg)
{
    struct stoq_pool *pool = arg;
    struct epoll_event events[EVENTS];
    bool stop = false;
    sigset_t all;

    /* signals are for the threads that expect them */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
    (void)pthread_setname_np(pthread_self(), "stoq-pool");
    while (!stop) {
        int n = epoll_wait(pool->epoll, events, EVENTS, tick(pool));

        for (int i = 0; i < n; i++)
            stop |= on_event(pool, events[i].data.u64);
        if (stop)
            break;
        if (pool->zygote < 0 && !pool->zygote_lost)
            fail_waiting(pool, "the scanners' parent is gone");
        deal(pool);
        dismiss(pool);
    }
    shut_down(pool);
    return NULL;
}
