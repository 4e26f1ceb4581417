/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a scanner as the pool sees it: asked for, forked, greeting, idle or busy,
 * dead; see slot.h. Pool thread only; no lock.
 */
#include "pool/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "util/auto.h"
#include "util/log.h"

/* How long to wait for the zygote to say how a scanner died. */
#define STATUS_WAIT_MS 1000U
#define BACKOFF_MIN_MS 20U
#define BACKOFF_MAX_MS 5000U
/* Deaths without work done that are answered at once. */
#define FREE_FAILURES 2U

int
stoq_pool_watch(struct stoq_pool *pool, int fd, enum stoq_pool_event event,
                uint32_t slot, uint32_t generation)
{
    struct epoll_event e = {.events = EPOLLIN};

    e.data.u64 = ((uint64_t)event << 60) | ((uint64_t)slot << 32) | generation;
    return epoll_ctl(pool->epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static void
close_occupant(struct stoq_slot *slot)
{
    if (slot->pidfd >= 0)
        (void)syscall(SYS_pidfd_send_signal, slot->pidfd, SIGKILL, NULL, 0U);
    stoq_auto_close(&slot->sock);
    stoq_auto_close(&slot->pidfd);
}

void
stoq_slot_clear(struct stoq_slot *slot)
{
    close_occupant(slot);
    slot->state = STOQ_SLOT_EMPTY;
    slot->pid = 0;
    slot->job = NULL;
    slot->hashed = false;
    slot->deadline = 0;
    slot->until = 0;
    slot->jobs = 0;
    slot->reason[0] = '\0';
}

/** An occupant never came to work: wait longer each time. */
static void
back_off(struct stoq_slot *slot, uint64_t now)
{
    uint64_t wait = 0;

    slot->failures++;
    if (slot->failures > FREE_FAILURES) {
        unsigned doubled = slot->failures - FREE_FAILURES - 1;

        wait = doubled < 8 ? (uint64_t)BACKOFF_MIN_MS << doubled : BACKOFF_MAX_MS;
    }
    slot->until = now + wait;
}

void
stoq_slot_fill(struct stoq_pool *pool, struct stoq_slot *slot, uint64_t now)
{
    struct stoq_wire_fork w = {.head.type = STOQ_WIRE_FORK};
    struct stoq_wire_out out = {.head = &w.head, .size = sizeof(w)};

    if (slot->state != STOQ_SLOT_EMPTY || pool->zygote < 0 || now < slot->until)
        return;
    slot->generation = ++pool->last_generation;
    slot->zygote = pool->zygote_number;
    memcpy(slot->engine_id, pool->engine_id, sizeof(slot->engine_id));
    w.token = ((uint64_t)pool->nonce << 32) | slot->generation;
    if (stoq_wire_send(pool->zygote, &out) < 0)
        slot->until = now + BACKOFF_MIN_MS; /* full, or dead, which epoll will tell */
    else
        slot->state = STOQ_SLOT_FORKING;
}

static struct stoq_slot *
find_token(struct stoq_pool *pool, uint64_t token)
{
    for (unsigned i = 0; i < pool->slot_count; i++) {
        struct stoq_slot *slot = &pool->slots[i];

        if (slot->state == STOQ_SLOT_FORKING && token >> 32 == pool->nonce &&
            (uint32_t)token == slot->generation)
            return slot;
    }
    return NULL;
}

static int
set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

void
stoq_slot_forked(struct stoq_pool *pool, struct stoq_wire_msg *msg)
{
    struct stoq_slot *slot = find_token(pool, msg->u.fork.token);
    uint32_t index;
    int r;

    /* asked for by somebody before us: closing its socket ends it */
    if (!slot)
        return;
    if (msg->u.fork.code < 0) {
        STOQ_WARN("cannot fork a scanner: %s", strerror(-msg->u.fork.code));
        slot->state = STOQ_SLOT_EMPTY;
        back_off(slot, stoq_now_ms());
        return;
    }
    index = (uint32_t)(slot - pool->slots);
    slot->sock = stoq_wire_take(msg, 0);
    slot->pidfd = stoq_wire_take(msg, 1);
    slot->pid = msg->u.fork.pid;
    slot->state = STOQ_SLOT_STARTING;
    r = set_nonblocking(slot->sock);
    if (r == 0)
        r = stoq_pool_watch(pool, slot->sock, STOQ_EVENT_SLOT, index, slot->generation);
    if (r == 0)
        r = stoq_pool_watch(pool, slot->pidfd, STOQ_EVENT_SLOT, index,
                            slot->generation);
    if (r < 0) {
        STOQ_WARN("cannot watch a scanner: %s", strerror(-r));
        stoq_slot_clear(slot);
        back_off(slot, stoq_now_ms());
    }
}

void
stoq_slot_unreceived(struct stoq_pool *pool)
{
    uint64_t now = stoq_now_ms();

    STOQ_WARN("too many open files: cannot take in a scanner");
    for (unsigned i = 0; i < pool->slot_count; i++) {
        /* which of them it was for is not known; the others' answers will be refused */
        if (pool->slots[i].state == STOQ_SLOT_FORKING) {
            pool->slots[i].state = STOQ_SLOT_EMPTY;
            pool->slots[i].failures += FREE_FAILURES;
            back_off(&pool->slots[i], now);
        }
    }
}

void
stoq_slot_lost(struct stoq_pool *pool, struct stoq_slot *slot)
{
    struct stoq_job *job = slot->job;
    uint64_t now = stoq_now_ms();
    bool orphan = pool->zygote < 0 || slot->zygote != pool->zygote_number;
    bool worked = slot->jobs > 0;

    close_occupant(slot);
    atomic_fetch_add_explicit(&pool->restarts, 1, memory_order_relaxed);
    if (job && !orphan) {
        slot->state = STOQ_SLOT_GONE;
        slot->until = now + STATUS_WAIT_MS;
        slot->deadline = 0;
        return;
    }
    stoq_slot_clear(slot);
    if (job)
        stoq_pool_requeue(pool, job); /* its scanner died of its parent's death */
    else if (!worked && !orphan)
        back_off(slot, now);
}

void
stoq_slot_lost_with(struct stoq_pool *pool, struct stoq_slot *slot, int status)
{
    struct stoq_job *job = slot->job;
    char reason[sizeof(slot->reason)];

    memcpy(reason, slot->reason, sizeof(reason));
    stoq_slot_clear(slot);
    slot->failures = 0; /* it did work: what it was given killed it */
    stoq_deal_crashed(pool, job, status, reason);
}

void
stoq_slot_event(struct stoq_pool *pool, struct stoq_slot *slot)
{
    struct pollfd end = {.fd = slot->pidfd, .events = POLLIN};
    int r = stoq_wire_recv(slot->sock, &pool->msg);

    if (r > 0) {
        r = stoq_deal_message(pool, slot);
        stoq_wire_close(&pool->msg);
        if (r == 0)
            return;
    }
    /* nothing to read, and alive */
    if (r == -EAGAIN && poll(&end, 1, 0) == 0)
        return;
    if (r == -EMSGSIZE)
        r = -EPROTO;
    if (r == -EPROTO) {
        STOQ_WARN("scanner %d sent what it must not; ended", (int)slot->pid);
        memcpy(slot->reason, "broken reply", sizeof("broken reply"));
    }
    stoq_slot_lost(pool, slot);
    /* we ended it, so how it ended says nothing */
    if (r == -EPROTO && slot->state == STOQ_SLOT_GONE)
        stoq_slot_lost_with(pool, slot, -1);
}

void
stoq_slot_exited(struct stoq_pool *pool, pid_t pid, int status)
{
    struct stoq_slot *slot = NULL;
    uint32_t generation;

    for (unsigned i = 0; i < pool->slot_count && !slot; i++) {
        if (pool->slots[i].pid == pid && pool->slots[i].zygote == pool->zygote_number)
            slot = &pool->slots[i];
    }
    if (!slot)
        return;
    generation = slot->generation;
    /* a result may have been sent before the end; it counts */
    while (slot->generation == generation && slot->sock >= 0)
        stoq_slot_event(pool, slot);
    if (slot->generation == generation && slot->state == STOQ_SLOT_GONE)
        stoq_slot_lost_with(pool, slot, status);
}
