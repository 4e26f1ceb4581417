/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The mirror's end of the courier: scans waiting to be finished, in order, and wakes.
 * A thread of its own sends, receives and calls back; a courier that died is replaced
 * through stoq_courier_client_set() and gets again what it had not answered.
 *
 * Lock: `lock` around the list and the flags; the socket and what was sent are the
 * thread's own. Never held across a callback.
 */

#include "courier/courier.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "courier/waiting.h"
#include "courier/wire.h"
#include "util/auto.h"
#include "util/clock.h"
#include "util/log.h"

/* Scans under way to a courier at one time: enough to keep it busy. */
#define WINDOW 8
/* Scans that may wait; each holds two descriptors. Beyond, they stay unfinished. */
#define WAITING_MAX 2048
/* Couriers that die over one scan until it is let go unfinished. */
#define DEATHS_MAX 3
/* How long scans wait for a courier to be started again. */
#define ABSENT_MS 30000

struct stoq_courier_client {
    pthread_t thread;
    int event;          /* eventfd: look at the flags and the list */
    int control;        /* the thread's; -1 = no courier */
    uint64_t absent_ms; /* the thread's: since when there is none */
    struct stoq_waiting waiting;
    pthread_mutex_t lock;
    int replacement; /* a new control socket, or -1; guarded by lock */
    bool wake, stop; /* guarded by lock */
};

static void
poke(struct stoq_courier_client *c)
{
    uint64_t one = 1;

    /* Full means that it is readable anyway. */
    if (write(c->event, &one, sizeof one) < 0 && errno != EAGAIN)
        STOQ_ERROR("courier: eventfd: %s", strerror(errno));
}

int
stoq_courier_client_finish(struct stoq_courier_client *c, struct stoq_outcome *outcome,
                           int fd, stoq_job_done done, void *arg)
{
    const struct stoq_waiting_job like = {.outcome = outcome, .done = done, .arg = arg};
    int r = stoq_waiting_add(&c->waiting, &like, fd, WAITING_MAX);

    if (r == 0)
        poke(c);
    return r;
}

void
stoq_courier_client_wake(struct stoq_courier_client *c)
{
    pthread_mutex_lock(&c->lock);
    c->wake = true;
    pthread_mutex_unlock(&c->lock);
    poke(c);
}

void
stoq_courier_client_set(struct stoq_courier_client *c, int control)
{
    pthread_mutex_lock(&c->lock);
    stoq_auto_close(&c->replacement);
    c->replacement = control;
    pthread_mutex_unlock(&c->lock);
    poke(c);
}

/* ----------------------------------------------------------------- the thread's own */

/* The courier is gone. It answers in order, so the first scan it had is what it was at.
 */
static void
lose_control(struct stoq_courier_client *c)
{
    stoq_auto_close(&c->control);
    c->absent_ms = stoq_now_ms();
    stoq_waiting_lost(&c->waiting);
    stoq_waiting_fail(&c->waiting, stoq_waiting_is_deadly, DEATHS_MAX,
                      "the courier dies over this scan");
}

/* Put the answer's document in place of the outcome's. */
static void
take_answer(struct stoq_waiting_job *job, const struct stoq_courier_in *in)
{
    struct stoq_outcome *o = job->outcome;
    char *text = NULL;
    int r;

    if (in->msg.code < 0) {
        stoq_waiting_end(job, in->msg.text[0] ? in->msg.text : strerror(-in->msg.code));
        return;
    }
    r = stoq_courier_read(in->fds[0], 0, in->msg.size, &text);
    if (r < 0) {
        stoq_waiting_end(job, strerror(-r));
        return;
    }
    free(o->document);
    o->document = text;
    o->document_size = (size_t)in->msg.size;
    stoq_waiting_end(job, NULL);
}

static void
receive(struct stoq_courier_client *c)
{
    struct stoq_courier_in in;
    int r;

    while ((r = stoq_courier_recv(c->control, &in)) == 1) {
        struct stoq_waiting_job *job =
            in.msg.type == STOQ_COURIER_DONE
                ? stoq_waiting_take(&c->waiting, stoq_waiting_has_id, in.msg.id)
                : NULL;

        if (job)
            take_answer(job, &in);
        stoq_courier_in_fini(&in);
    }
    if (r != -EAGAIN)
        lose_control(c);
}

static int
send_job(struct stoq_courier_client *c, const struct stoq_waiting_job *job)
{
    const struct stoq_outcome *o = job->outcome;
    struct stoq_courier_msg msg = {
        .type = STOQ_COURIER_FINISH,
        .id = job->id,
        .size = o->document_size,
        .extent_count = (uint32_t)o->extent_count,
        .file_size = (uint64_t)o->st.st_size,
        .file_mtime_ns = stoq_courier_mtime(&o->st),
        .has_file = job->fd >= 0,
        .has_payloads = o->payloads_fd >= 0 && o->extent_count > 0,
    };
    STOQ_AUTOCLOSE int blob = stoq_courier_blob(o);
    int fds[3] = {blob};
    size_t n = 1;

    if (blob < 0)
        return blob;
    if (msg.has_file)
        fds[n++] = job->fd;
    if (msg.has_payloads)
        fds[n++] = o->payloads_fd;
    return stoq_courier_send(c->control, &msg, fds, n);
}

static int
send_wake(struct stoq_courier_client *c)
{
    const struct stoq_courier_msg msg = {.type = STOQ_COURIER_WAKE};
    bool wake;
    int r;

    pthread_mutex_lock(&c->lock);
    wake = c->wake;
    c->wake = false;
    pthread_mutex_unlock(&c->lock);
    if (!wake)
        return 0;
    r = stoq_courier_send(c->control, &msg, NULL, 0);
    if (r == -EAGAIN) {
        pthread_mutex_lock(&c->lock);
        c->wake = true;
        pthread_mutex_unlock(&c->lock);
    }
    return r;
}

/* Send what can be. @return whether the socket is full and more is to be sent. */
static bool
transmit(struct stoq_courier_client *c)
{
    struct stoq_waiting_job *job;
    int r = 0;

    while (r == 0 && (job = stoq_waiting_next(&c->waiting, WINDOW))) {
        r = send_job(c, job);
        if (r == 0) {
            stoq_waiting_sent(&c->waiting, job);
        } else if (r != -EAGAIN && r != -EPIPE && r != -ECONNRESET) {
            /* This one cannot be sent at all: no memory, no descriptors. */
            stoq_waiting_fail(&c->waiting, stoq_waiting_has_id, job->id, strerror(-r));
            r = 0;
        }
    }
    if (r == 0)
        r = send_wake(c);
    if (r < 0 && r != -EAGAIN)
        lose_control(c);
    return r == -EAGAIN;
}

static void
take_replacement(struct stoq_courier_client *c)
{
    int fd;

    pthread_mutex_lock(&c->lock);
    fd = STOQ_STEAL_FD(&c->replacement);
    pthread_mutex_unlock(&c->lock);
    if (fd < 0)
        return;
    if (c->control >= 0)
        lose_control(c);
    if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
        STOQ_ERROR("courier: %s", strerror(errno));
    c->control = fd;
    pthread_mutex_lock(&c->lock);
    c->wake = true; /* the old one may have died with a wake unread */
    pthread_mutex_unlock(&c->lock);
}

static bool
is_stopping(struct stoq_courier_client *c)
{
    bool stop;

    pthread_mutex_lock(&c->lock);
    stop = c->stop;
    pthread_mutex_unlock(&c->lock);
    return stop;
}

/* Without a courier for too long: let go. @return how long to wait for one. */
static int
without_courier(struct stoq_courier_client *c)
{
    uint64_t now = stoq_now_ms();
    uint64_t end = c->absent_ms + ABSENT_MS;

    if (now < end)
        return (int)(end - now);
    stoq_waiting_fail(&c->waiting, stoq_waiting_any, 0, "no courier is running");
    return -1;
}

static void
drain_event(struct stoq_courier_client *c)
{
    uint64_t count;

    if (read(c->event, &count, sizeof count) < 0 && errno != EAGAIN)
        STOQ_ERROR("courier: eventfd: %s", strerror(errno));
}

static void *
run(void *arg)
{
    struct stoq_courier_client *c = arg;

    (void)pthread_setname_np(pthread_self(), "stoq-courier");
    while (!is_stopping(c)) {
        struct pollfd p[2] = {{.fd = c->event, .events = POLLIN}, {.fd = -1}};
        bool full = false;
        int wait = -1;

        take_replacement(c);
        stoq_waiting_fail(&c->waiting, stoq_waiting_is_refused, 0,
                          "too many scans wait for it");
        if (c->control >= 0)
            full = transmit(c);
        if (c->control < 0)
            wait = without_courier(c);
        p[1].fd = c->control;
        p[1].events = (short)(full ? POLLIN | POLLOUT : POLLIN);
        if (poll(p, 2, wait) < 0 && errno != EINTR)
            break;
        if (p[0].revents)
            drain_event(c);
        if (p[1].revents)
            receive(c);
    }
    if (c->control >= 0)
        (void)send_wake(c);
    stoq_waiting_fail(&c->waiting, stoq_waiting_any, 0,
                      "it was ended before it came to this scan");
    return NULL;
}

/* ---------------------------------------------------------------- its start and end */

static int
start(struct stoq_courier_client *c)
{
    sigset_t all, old;
    int r;

    c->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->event < 0)
        return -errno;
    if (fcntl(c->control, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
        return -errno;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    r = pthread_create(&c->thread, NULL, run, c);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -r;
}

static void
discard(struct stoq_courier_client *c)
{
    stoq_auto_close(&c->event);
    stoq_auto_close(&c->control);
    stoq_auto_close(&c->replacement);
    (void)pthread_mutex_destroy(&c->lock);
    stoq_waiting_fini(&c->waiting);
    free(c);
}

int
stoq_courier_client_new(int control, struct stoq_courier_client **out,
                        struct stoq_error *err)
{
    struct stoq_courier_client *c = calloc(1, sizeof *c);
    int r;

    if (!c) {
        stoq_auto_close(&control);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    c->control = control;
    c->event = c->replacement = -1;
    /* Answers meant for a client before us, of the same courier, have other numbers. */
    stoq_waiting_init(&c->waiting, stoq_now_ns());
    (void)pthread_mutex_init(&c->lock, NULL);
    r = start(c);
    if (r < 0) {
        discard(c);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "courier: %s", strerror(-r));
    }
    *out = c;
    return 0;
}

void
stoq_courier_client_free(struct stoq_courier_client *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_mutex_unlock(&c->lock);
    poke(c);
    (void)pthread_join(c->thread, NULL);
    discard(c);
}
