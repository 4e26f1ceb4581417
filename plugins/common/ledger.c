/* SPDX-License-Identifier: Apache-2.0 */

/* See ledger.h. */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/ledger.h"

#define BACKOFF_MIN_MS 500U
#define BACKOFF_MAX_MS 30000U
#define DOUBLINGS      6U

int
ledger_init(struct ledger *l)
{
    l->entries = NULL;
    l->last = &l->entries;
    l->count = 0;
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->wake_fd < 0)
        return -errno;
    (void)pthread_mutex_init(&l->lock, NULL);
    return 0;
}

/* Take the entry at @at out and forget it. */
static void
drop(struct ledger *l, struct ledger_entry **at)
{
    struct ledger_entry *e = *at;
    *at = e->next;
    if (!e->next)
        l->last = at;
    l->count--;
    l->ops->forget(l->arg, e);
    free(e);
}

void
ledger_fini(struct ledger *l)
{
    while (l->entries)
        drop(l, &l->entries);
    (void)close(l->wake_fd);
    (void)pthread_mutex_destroy(&l->lock);
}

uint64_t
ledger_now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t
ledger_backoff_ms(unsigned attempts)
{
    uint64_t ms = (uint64_t)BACKOFF_MIN_MS
                  << (attempts < DOUBLINGS ? attempts : DOUBLINGS);
    return ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
}

struct ledger_entry *
ledger_add(struct ledger *l, void *what)
{
    struct ledger_entry *e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    e->ledger = l;
    e->what = what;
    *l->last = e;
    l->last = &e->next;
    l->count++;
    return e;
}

/* ------------------------------------------------------------------------- answers */

static int
badness(int code)
{
    return code == 0 ? 0 : code == -EAGAIN ? 2 : code == -ECANCELED ? 3 : 1;
}

/* One answer; the last one brings the message back. Threads: any. */
static void
answer(void *arg, int code)
{
    struct ledger_entry *e = arg;
    struct ledger *l = e->ledger;
    (void)pthread_mutex_lock(&l->lock);
    if (badness(code) > badness(e->code))
        e->code = code;
    if (--e->parts == 0) {
        e->state = LEDGER_BACK;
        /* under the lock: who sees the state may end the ledger */
        (void)eventfd_write(l->wake_fd, 1);
    }
    (void)pthread_mutex_unlock(&l->lock);
}

void
ledger_begin(struct ledger_entry *e)
{
    (void)pthread_mutex_lock(&e->ledger->lock);
    e->state = LEDGER_OUT;
    e->parts = 1;
    e->code = 0;
    (void)pthread_mutex_unlock(&e->ledger->lock);
}

void
ledger_end(struct ledger_entry *e, int code)
{
    answer(e, code);
}

void
ledger_put(struct ledger_entry *e, const struct stoq_find *find)
{
    struct stoq_find mine = *find;
    mine.done = answer;
    mine.arg = e;
    (void)pthread_mutex_lock(&e->ledger->lock);
    e->parts++;
    (void)pthread_mutex_unlock(&e->ledger->lock);
    int r = stoq_queue_put(e->ledger->queue, &mine);
    if (r < 0)
        answer(e, r == -ECANCELED ? r : -EAGAIN);
}

int
ledger_put_tasks(struct ledger_entry *e, const json_t *tasks)
{
    const char *archiver;
    json_t *task;
    if (json_object_size(tasks) == 0)
        return -EBADMSG;
    json_object_foreach ((json_t *)(uintptr_t)tasks, archiver, task)
        if (!json_is_object(task))
            return -EBADMSG;
    json_object_foreach ((json_t *)(uintptr_t)tasks, archiver, task) {
        json_t *own = json_deep_copy(task); /* a tree belongs to one thread */
        if (!own)
            return -ENOMEM;
        const struct stoq_find find = {STOQ_FIND_HEAD, .kind = STOQ_FIND_TASK,
                                       .archiver = archiver, .task = own};
        ledger_put(e, &find);
    }
    return 0;
}

/* ------------------------------------------------------------------------ settling */

/* What is to happen to a message that came back with @code. */
static void
judge(struct ledger *l, struct ledger_entry *e, int code, uint64_t now)
{
    e->due_ms = now;
    if (code == 0) {
        e->state = LEDGER_ACK;
        e->attempts = 0;
        return;
    }
    bool can = code == -EAGAIN || code == -ECANCELED;
    if (!can && (code == -EBADMSG || ++e->failures >= l->max_attempts)) {
        e->state = LEDGER_GIVE_UP;
        e->attempts = 0;
        return;
    }
    e->state = LEDGER_RETRY;
    e->due_ms = now + ledger_backoff_ms(e->attempts++);
}

static enum ledger_state
state_of(struct ledger *l, const struct ledger_entry *e, int *code)
{
    (void)pthread_mutex_lock(&l->lock);
    enum ledger_state state = e->state;
    *code = e->code;
    (void)pthread_mutex_unlock(&l->lock);
    return state;
}

/* @return whether @e is done with. */
static bool
act(struct ledger *l, struct ledger_entry *e, uint64_t now, bool ending)
{
    int r = -EAGAIN;
    if (e->state == LEDGER_RETRY && ending)
        return true;
    if (e->due_ms > now && !ending)
        return false;
    if (e->state == LEDGER_RETRY) {
        l->ops->put(l->arg, e);
        return false;
    }
    if (e->state == LEDGER_ACK)
        r = l->ops->ack(l->arg, e);
    else if (e->state == LEDGER_GIVE_UP)
        r = l->ops->give_up(l->arg, e);
    e->due_ms = now + ledger_backoff_ms(e->attempts++);
    return r == 0 || ending;
}

int
ledger_service(struct ledger *l, bool ending)
{
    uint64_t now = ledger_now_ms(), next = UINT64_MAX;
    eventfd_t any;
    (void)eventfd_read(l->wake_fd, &any);
    for (struct ledger_entry **at = &l->entries; *at;) {
        struct ledger_entry *e = *at;
        int code = 0;
        enum ledger_state state = state_of(l, e, &code);
        if (state == LEDGER_BACK)
            judge(l, e, code, now);
        if (state != LEDGER_OUT && act(l, e, now, ending)) {
            drop(l, at);
            continue;
        }
        if (state_of(l, e, &code) != LEDGER_OUT && e->due_ms < next)
            next = e->due_ms;
        at = &e->next;
    }
    if (next == UINT64_MAX)
        return -1;
    return next > now ? (int)(next - now) : 0;
}

void
ledger_drain(struct ledger *l)
{
    struct pollfd p = {.fd = l->wake_fd, .events = POLLIN};
    for (;;) {
        (void)ledger_service(l, true);
        if (l->count == 0)
            return;
        (void)poll(&p, 1, -1);
    }
}
