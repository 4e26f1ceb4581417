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
stoq_queue_item_fini(struct stoq_queue_item *item)
{
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

void
stoq_queue_free(struct stoq_queue *q)
{
    if (!q)
        return;
    for (; q->count > 0; q->count--) {
        stoq_queue_item_fini(&q->ring[q->first]);
        q->first = (q->first + 1) % q->room;
    }
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

/* item is taken, also on failure. */
static int
put(struct stoq_queue *q, struct stoq_queue_item *item)
{
    (void)pthread_mutex_lock(&q->lock);
    int rc = put_locked(q, item);
    (void)pthread_mutex_unlock(&q->lock);
    if (rc < 0)
        stoq_queue_item_fini(item);
    return rc;
}

int
stoq_queue_put_fd(struct stoq_queue *q, int fd, const char *path, json_t *extra_data)
{
    struct stoq_queue_item item = {
        .kind = STOQ_ITEM_FILE, .fd = fd, .extra_data = extra_data};
    item.path = path ? strdup(path) : NULL;
    if (path && !item.path) {
        stoq_queue_item_fini(&item);
        return -ENOMEM;
    }
    return put(q, &item);
}

int
stoq_queue_put_bytes(struct stoq_queue *q, const void *data, size_t size,
                     json_t *extra_data)
{
    struct stoq_queue_item item = {
        .kind = STOQ_ITEM_BYTES, .fd = -1, .size = size, .extra_data = extra_data};
    item.data = malloc(size ? size : 1);
    if (!item.data) {
        stoq_queue_item_fini(&item);
        return -ENOMEM;
    }
    if (size)
        memcpy(item.data, data, size);
    return put(q, &item);
}

int
stoq_queue_put_task(struct stoq_queue *q, const char *archiver, json_t *task)
{
    struct stoq_queue_item item = {.kind = STOQ_ITEM_TASK, .fd = -1, .task = task};
    item.archiver = strdup(archiver);
    if (!item.archiver) {
        stoq_queue_item_fini(&item);
        return -ENOMEM;
    }
    return put(q, &item);
}

int
stoq_queue_put_request(struct stoq_queue *q, struct stoq_request *request)
{
    struct stoq_queue_item item = {
        .kind = STOQ_ITEM_REQUEST, .fd = -1, .request = request};
    return put(q, &item);
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
    *out = q->ring[q->first];
    q->first = (q->first + 1) % q->room;
    q->count--;
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
}
