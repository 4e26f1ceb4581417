/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who waits. A waiter is claimed exactly once, under the lock, by the end of a scan,
 * the deadline, an interrupt or the end of the gate; the claimer then answers it
 * without the lock.
 *
 * Interrupts: libfuse calls interrupted() with its request's lock held, from the thread
 * that read INTERRUPT, or from within fuse_req_interrupt_func() when the interrupt came
 * first; in that case a reply from inside would free the request under libfuse's hands.
 * So interrupted() only claims, and the timer thread answers. Whoever answers first
 * takes the function back, which waits until a call of it has ended: after that nobody
 * else can hold the waiter. The function is set before the waiter is linked, when
 * nobody can have answered the request yet.
 *
 * Only a caller that is about to end stops waiting. The kernel interrupts a request
 * once, so that after a signal of another kind the timer thread looks now and then
 * whether a fatal one has followed.
 */

#include <string.h>

#include "gate_caller.h"
#include "gate_impl.h"
#include "gate_thread.h"
#include "util/auto.h"

#define LOOK_MS   100U /* how often after callers with signals */
#define LOOK_MOST 64U  /* of them at once */

static void
interrupted(fuse_req_t req, void *data)
{
    struct gate_waiter *w = data;
    struct stoqfs_gate *g = w->gate;
    bool ends = stoqfs_caller_ends(fuse_req_ctx(req)->pid);
    (void)pthread_mutex_lock(&g->lock);
    if (!ends) {
        w->signalled = true;
        (void)pthread_cond_signal(&g->timer_wake);
    } else if (w->state == GATE_NEW) {
        w->interrupted = true;
    } else if (w->state == GATE_WAITING) {
        gate_claim_locked(w, &g->ready);
        w->answer.status = -EINTR;
        (void)pthread_cond_signal(&g->timer_wake);
    }
    (void)pthread_mutex_unlock(&g->lock);
}

struct gate_waiter *
gate_waiter_new(struct stoqfs_gate *g, const struct stoqfs_question *q)
{
    struct gate_waiter *w = calloc(1, sizeof(*w));
    if (!w)
        return NULL;
    w->gate = g;
    w->stored = q->stored;
    w->id = gate_identity(q->st);
    w->req = q->req;
    w->fn = q->fn;
    w->arg = q->arg;
    w->answer.verdict = STOQ_VERDICT_ERROR;
    if (g->fs->options->deadline_ms)
        w->due_ms = stoq_now_ms() + g->fs->options->deadline_ms;
    if (w->req)
        fuse_req_interrupt_func(w->req, interrupted, w);
    return w;
}

void
gate_waiter_drop(struct gate_waiter *w)
{
    if (w && w->req)
        fuse_req_interrupt_func(w->req, NULL, NULL);
    free(w);
}

void
gate_wait_locked(struct gate_waiter *w, struct gate_waiters *list)
{
    struct stoqfs_gate *g = w->gate;
    w->state = GATE_WAITING;
    w->list = list;
    w->swaps = g->engines.swaps;
    TAILQ_INSERT_TAIL(list, w, link);
    g->waiting++;
    if (!w->due_ms)
        return;
    /* All wait equally long, so the list is in order, give or take the time between
     * making a waiter and linking it. */
    if (TAILQ_EMPTY(&g->due) || w->signalled)
        (void)pthread_cond_signal(&g->timer_wake);
    TAILQ_INSERT_TAIL(&g->due, w, due_link);
}

void
gate_rewait_locked(struct gate_waiter *w, struct gate_waiters *list)
{
    TAILQ_REMOVE(w->list, w, link);
    w->list = list;
    TAILQ_INSERT_TAIL(list, w, link);
}

void
gate_claim_locked(struct gate_waiter *w, struct gate_waiters *ready)
{
    TAILQ_REMOVE(w->list, w, link);
    w->list = NULL;
    if (w->due_ms)
        TAILQ_REMOVE(&w->gate->due, w, due_link);
    w->state = GATE_CLAIMED;
    TAILQ_INSERT_TAIL(ready, w, link);
}

void
gate_claim_all_locked(struct gate_waiters *from, int status, struct gate_waiters *ready)
{
    struct gate_waiter *w;
    while ((w = TAILQ_FIRST(from))) {
        gate_claim_locked(w, ready);
        w->answer.status = status;
    }
}

void
gate_answer(struct stoqfs_gate *g, struct gate_waiters *ready)
{
    struct gate_waiter *w;
    uint64_t n = 0;
    for (; (w = TAILQ_FIRST(ready)); n++) {
        TAILQ_REMOVE(ready, w, link);
        if (w->req)
            fuse_req_interrupt_func(w->req, NULL, NULL);
        if (w->answer.status == -EINTR)
            atomic_fetch_add_explicit(&g->fs->counters.interrupted, 1,
                                      memory_order_relaxed);
        w->fn(w->arg, &w->answer);
        free(w);
    }
    if (!n)
        return;
    (void)pthread_mutex_lock(&g->lock);
    g->waiting -= n;
    (void)pthread_cond_broadcast(&g->idle);
    (void)pthread_mutex_unlock(&g->lock);
}

static uint64_t
expire_locked(struct stoqfs_gate *g, struct gate_waiters *ready)
{
    struct gate_waiter *w;
    uint64_t now = stoq_now_ms();
    while ((w = TAILQ_FIRST(&g->due)) && w->due_ms <= now) {
        gate_claim_locked(w, ready);
        w->answer.verdict = STOQ_VERDICT_TIMEOUT;
    }
    return w ? w->due_ms : UINT64_MAX;
}

/* The threads that wait and have had signals. A thread has one request at a time. */
static size_t
signalled_locked(struct stoqfs_gate *g, pid_t threads[LOOK_MOST])
{
    const struct gate_waiter *w;
    size_t n = 0;
    TAILQ_FOREACH(w, &g->due, due_link)
    if (w->signalled && n < LOOK_MOST)
        threads[n++] = fuse_req_ctx(w->req)->pid;
    return n;
}

/* Claim those of them that end. Lets go of the lock. @return when to look again. */
static uint64_t
look_locked(struct stoqfs_gate *g, struct gate_waiters *ready)
{
    pid_t threads[LOOK_MOST];
    size_t n = signalled_locked(g, threads);
    if (n == 0)
        return UINT64_MAX;
    (void)pthread_mutex_unlock(&g->lock);
    for (size_t i = 0; i < n; i++)
        if (!stoqfs_caller_ends(threads[i]))
            threads[i] = -1;
    (void)pthread_mutex_lock(&g->lock);
    struct gate_waiter *w, *next;
    for (w = TAILQ_FIRST(&g->due); w; w = next) {
        bool ends = false;
        next = TAILQ_NEXT(w, due_link);
        for (size_t i = 0; w->signalled && i < n; i++)
            ends = ends || threads[i] == fuse_req_ctx(w->req)->pid;
        if (ends) {
            gate_claim_locked(w, ready);
            w->answer.status = -EINTR;
        }
    }
    return stoq_now_ms() + LOOK_MS;
}

void *
gate_timer_main(void *arg)
{
    struct stoqfs_gate *g = arg;
    struct gate_waiters ready = TAILQ_HEAD_INITIALIZER(ready);
    (void)pthread_mutex_lock(&g->lock);
    for (;;) {
        uint64_t look = look_locked(g, &ready);
        TAILQ_CONCAT(&ready, &g->ready, link);
        uint64_t next = expire_locked(g, &ready);
        if (look < next)
            next = look;
        if (!TAILQ_EMPTY(&ready)) {
            (void)pthread_mutex_unlock(&g->lock);
            gate_answer(g, &ready);
            (void)pthread_mutex_lock(&g->lock);
        } else if (g->stopping) {
            break;
        } else {
            stoqfs_cond_wait(&g->timer_wake, &g->lock, next);
        }
    }
    (void)pthread_mutex_unlock(&g->lock);
    return NULL;
}
