/* SPDX-License-Identifier: Apache-2.0 */

/* The providers' queue; see queue.h. A ring of items under one lock, two conditions. */

#include "core/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <stoq/stoq.h>

#include "util/auto.h"

struct stoq_queue {
    pthread_mutex_t lock;
    pthread_cond_t not_full, not_empty;
    struct stoq_queue_item *ring; /* guarded by lock; owned, `room` items */
    size_t room, first, count;    /* guarded by lock */
    bool closed, cancelled;       /* guarded by lock */
    int cancel_fd;                /* constant */
};

STOQ_DEFINE_AUTO(stoq_queue)

void
stoq_receipt_settle(struct stoq_receipt *receipt, int code)
{
    struct stoq_receipt mine = stoq_receipt_steal(receipt);
    if (mine.done)
        mine.done(mine.arg, code);
}

struct stoq_receipt
stoq_receipt_steal(struct stoq_receipt *from)
{
    struct stoq_receipt mine = *from;
    *from = (struct stoq_receipt){0};
    return mine;
}

void
stoq_queue_item_fini(struct stoq_queue_item *item)
{
    stoq_receipt_settle(&item->receipt, -ECANCELED);
    if (item->kind == STOQ_ITEM_FILE && item->fd >= 0)
        (void)close(item->fd);
    free(item->path);
    free(item->data);
    json_decref(item->extra_data);
    free(item->archiver);
    json_decref(item->task);
    stoq_request_free(item->request);
    *item = (struct stoq_queue_item){.fd = -1};
}

static void
pop_locked(struct stoq_queue *q, struct stoq_queue_item *out)
{
    *out = q->ring[q->first];
    q->first = (q->first + 1) % q->room;
    q->count--;
}

int
stoq_queue_new(size_t room, struct stoq_queue **out, struct stoq_error *err)
{
    struct stoq_queue *q = calloc(1, sizeof(*q));
    if (!q)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    pthread_condattr_t clock;
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&q->lock, NULL);
    (void)pthread_cond_init(&q->not_full, &clock);
    (void)pthread_cond_init(&q->not_empty, &clock);
    (void)pthread_condattr_destroy(&clock);
    STOQ_AUTO(stoq_queue) owned = q;
    q->room = room;
    q->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (q->cancel_fd < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno, "eventfd: %s",
                              strerror(errno));
    q->ring = calloc(room, sizeof(*q->ring));
    if (!q->ring)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    *out = STOQ_STEAL(&owned);
    return 0;
}

/* Drop what is in the ring; receipts are settled without the lock. */
static void
drop_all(struct stoq_queue *q)
{
    for (;;) {
        struct stoq_queue_item item = {.fd = -1};
        (void)pthread_mutex_lock(&q->lock);
        bool some = q->count > 0;
        if (some)
            pop_locked(q, &item);
        (void)pthread_mutex_unlock(&q->lock);
        if (!some)
            return;
        stoq_queue_item_fini(&item);
    }
}

void
stoq_queue_free(struct stoq_queue *q)
{
    if (!q)
        return;
    drop_all(q);
    free(q->ring);
    if (q->cancel_fd >= 0)
        (void)close(q->cancel_fd);
    (void)pthread_cond_destroy(&q->not_full);
    (void)pthread_cond_destroy(&q->not_empty);
    (void)pthread_mutex_destroy(&q->lock);
    free(q);
}

static int
put_locked(struct stoq_queue *q, struct stoq_queue_item *item)
{
    while (q->count == q->room && !q->cancelled && !q->closed)
        (void)pthread_cond_wait(&q->not_full, &q->lock);
    if (q->cancelled || q->closed)
        return -ECANCELED;
    q->ring[(q->first + q->count) % q->room] = *item;
    q->count++;
    (void)pthread_cond_signal(&q->not_empty);
    return 0;
}

/* item is taken, also on failure; of one that is not put nobody is told. */
static int
put(struct stoq_queue *q, struct stoq_queue_item *item)
{
    (void)pthread_mutex_lock(&q->lock);
    int rc = put_locked(q, item);
    (void)pthread_mutex_unlock(&q->lock);
    if (rc < 0) {
        item->receipt = (struct stoq_receipt){0};
        stoq_queue_item_fini(item);
    }
    return rc;
}

/* Copy what @find lends to @item. @return 0, -ENOMEM, -EINVAL. */
static int
copy_lent(struct stoq_queue_item *item, const struct stoq_find *find)
{
    switch (find->kind) {
    case STOQ_FIND_BYTES:
        item->kind = STOQ_ITEM_BYTES;
        item->data = malloc(find->size ? find->size : 1);
        item->size = find->size;
        if (item->data && find->size)
            memcpy(item->data, find->data, find->size);
        return item->data ? 0 : -ENOMEM;
    case STOQ_FIND_FD:
        item->kind = STOQ_ITEM_FILE;
        item->fd = find->fd;
        item->path = find->path ? strdup(find->path) : NULL;
        return find->path && !item->path ? -ENOMEM : 0;
    case STOQ_FIND_TASK:
        item->kind = STOQ_ITEM_TASK;
        item->archiver = find->archiver ? strdup(find->archiver) : NULL;
        return item->archiver ? 0 : find->archiver ? -ENOMEM : -EINVAL;
    case STOQ_FIND_REQUEST:
        item->kind = STOQ_ITEM_REQUEST;
        return find->request ? 0 : -EINVAL;
    default:
        return -EINVAL;
    }
}

int
stoq_queue_put(struct stoq_queue *q, const struct stoq_find *find)
{
    struct stoq_find known = {0};
    memcpy(&known, find,
           find->struct_size < sizeof(known) ? find->struct_size : sizeof(known));
    struct stoq_queue_item item = {.fd = -1,
                                   .extra_data = known.extra_data,
                                   .task = known.task,
                                   .request = known.request};
    int r = copy_lent(&item, &known);
    if (r < 0) {
        stoq_queue_item_fini(&item);
        return r;
    }
    item.receipt = (struct stoq_receipt){known.done, known.arg};
    return put(q, &item);
}

int
stoq_queue_put_fd(struct stoq_queue *q, int fd, const char *path, json_t *extra_data)
{
    const struct stoq_find find = {STOQ_FIND_HEAD, .kind = STOQ_FIND_FD, .fd = fd,
                                   .path = path, .extra_data = extra_data};
    return stoq_queue_put(q, &find);
}

int
stoq_queue_put_bytes(struct stoq_queue *q, const void *data, size_t size,
                     json_t *extra_data)
{
    const struct stoq_find find = {STOQ_FIND_HEAD, .kind = STOQ_FIND_BYTES,
                                   .data = data, .size = size,
                                   .extra_data = extra_data};
    return stoq_queue_put(q, &find);
}

int
stoq_queue_put_task(struct stoq_queue *q, const char *archiver, json_t *task)
{
    const struct stoq_find find = {STOQ_FIND_HEAD, .kind = STOQ_FIND_TASK,
                                   .archiver = archiver, .task = task};
    return stoq_queue_put(q, &find);
}

int
stoq_queue_put_request(struct stoq_queue *q, struct stoq_request *request)
{
    const struct stoq_find find = {STOQ_FIND_HEAD, .kind = STOQ_FIND_REQUEST,
                                   .request = request};
    return stoq_queue_put(q, &find);
}

int
stoq_queue_cancel_fd(const struct stoq_queue *q)
{
    return q->cancel_fd;
}

static struct timespec
after(uint64_t timeout_ms)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (time_t)(timeout_ms / 1000);
    t.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    return t;
}

static int
take_locked(struct stoq_queue *q, struct stoq_queue_item *out, uint64_t timeout_ms)
{
    struct timespec until = after(timeout_ms == UINT64_MAX ? 0 : timeout_ms);
    int rc = 0;
    while (q->count == 0 && !q->closed && !q->cancelled && rc == 0)
        rc = timeout_ms == UINT64_MAX
                 ? pthread_cond_wait(&q->not_empty, &q->lock)
                 : pthread_cond_timedwait(&q->not_empty, &q->lock, &until);
    if (q->cancelled)
        return -ECANCELED;
    if (q->count == 0)
        return q->closed ? -EPIPE : -ETIMEDOUT;
    pop_locked(q, out);
    (void)pthread_cond_signal(&q->not_full);
    return 0;
}

int
stoq_queue_take(struct stoq_queue *q, struct stoq_queue_item *out, uint64_t timeout_ms)
{
    (void)pthread_mutex_lock(&q->lock);
    int rc = take_locked(q, out, timeout_ms);
    (void)pthread_mutex_unlock(&q->lock);
    return rc;
}

static void
end(struct stoq_queue *q, bool cancel)
{
    (void)pthread_mutex_lock(&q->lock);
    q->closed = true;
    q->cancelled |= cancel;
    (void)pthread_cond_broadcast(&q->not_full);
    (void)pthread_cond_broadcast(&q->not_empty);
    (void)pthread_mutex_unlock(&q->lock);
}

void
stoq_queue_close(struct stoq_queue *q)
{
    end(q, false);
}

void
stoq_queue_cancel(struct stoq_queue *q)
{
    end(q, true);
    (void)eventfd_write(q->cancel_fd, 1);
    drop_all(q);
}
