/* SPDX-License-Identifier: Apache-2.0 */

/* Group commit on a thread of its own; see writer.h. */

#include "store/writer.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/log.h"

#define PAUSE_MIN_MS 250
#define PAUSE_MAX_MS 10000
/* A group commit's size, some tenths of a second of writing. */
#define BATCH_BYTES ((size_t)16 << 20)
/* At the end of the process: how often a failing commit is tried again. */
#define LAST_TRIES    3
#define LAST_PAUSE_MS 100

static void
finish(struct stoq_op *op, int status)
{
    while (op) {
        struct stoq_op *next = op->next;

        if (op->done)
            op->done(op->arg, status);
        free(op);
        op = next;
    }
}

static size_t
bytes_of(const struct stoq_op *op)
{
    size_t bytes = 0;

    for (; op; op = op->next)
        bytes += op->bytes;
    return bytes;
}

/* The result to give up: the oldest one nobody waits for, else the oldest. */
static struct stoq_op **
victim_locked(struct stoq_writer *w)
{
    struct stoq_op **oldest = NULL;

    for (struct stoq_op **p = &w->head; *p; p = &(*p)->next) {
        if ((*p)->kind != STOQ_OP_PUT)
            continue;
        if (!(*p)->done)
            return p;
        if (!oldest)
            oldest = p;
    }
    return oldest;
}

static void
make_room_locked(struct stoq_writer *w)
{
    size_t limit = w->health ? STOQ_WRITER_LIMIT : STOQ_WRITER_SLOW_LIMIT;

    while (w->bytes > limit) {
        struct stoq_op **p = victim_locked(w);
        struct stoq_op *op;

        if (!p)
            return;
        op = *p;
        *p = op->next;
        if (w->tail == &op->next)
            w->tail = p;
        w->bytes -= op->bytes;
        op->next = w->dead;
        w->dead = op;
        w->dropped++;
    }
}

int
stoq_writer_queue(struct stoq_writer *w, struct stoq_op *op)
{
    int r = 0;

    if (!op)
        return -ENOMEM;
    pthread_mutex_lock(&w->lock);
    /* Only results can be given up, so a flood of other changes ends here. */
    if (op->kind != STOQ_OP_PUT && w->bytes > STOQ_WRITER_SLOW_LIMIT) {
        r = -ENOMEM;
    } else {
        op->seq = ++w->next_seq;
        op->next = NULL;
        *w->tail = op;
        w->tail = &op->next;
        w->bytes += op->bytes;
        make_room_locked(w);
        pthread_cond_signal(&w->work);
    }
    pthread_mutex_unlock(&w->lock);
    if (r < 0)
        free(op);
    return r;
}

static void
wait_locked(struct stoq_writer *w, uint64_t until_ms)
{
    struct timespec ts = {.tv_sec = (time_t)(until_ms / 1000),
                          .tv_nsec = (long)(until_ms % 1000) * 1000000};

    (void)pthread_cond_timedwait(&w->work, &w->lock, &ts);
}

/* Wait for work. @return false when the thread is to end and nothing is left. */
static bool
next_locked(struct stoq_writer *w)
{
    for (;;) {
        bool paused = w->health && !w->kick && !w->stop && stoq_now_ms() < w->retry_ms;

        if (w->dead || (w->head && !paused))
            return true;
        if (w->stop && !w->head)
            return false;
        if (w->head)
            wait_locked(w, w->retry_ms);
        else
            pthread_cond_wait(&w->work, &w->lock);
    }
}

/* One transaction. On failure *@bad is the change it failed at, or NULL. */
static int
commit(struct stoq_writer *w, struct stoq_op *batch, struct stoq_op **bad)
{
    int r = w->ready(w->arg);

    *bad = NULL;
    if (r == 0)
        r = stoq_db_run(&w->db, STOQ_STMT_BEGIN);
    for (struct stoq_op *op = batch; r == 0 && op; op = op->next) {
        r = stoq_apply(&w->apply, op);
        if (r < 0)
            *bad = op;
    }
    if (r == 0)
        r = stoq_apply_sweep(&w->apply, stoq_real_ns());
    if (r == 0)
        r = stoq_db_run(&w->db, STOQ_STMT_COMMIT);
    if (r < 0) {
        stoq_db_rollback(&w->db);
        stoq_apply_reset(&w->apply);
    }
    return r;
}

/* Commit without those changes that can never be written. */
static int
commit_sound(struct stoq_writer *w, struct stoq_op **batch)
{
    struct stoq_op *bad;
    int r;

    while ((r = commit(w, *batch, &bad)) == -EINVAL && bad) {
        struct stoq_op **p = batch;

        while (*p != bad)
            p = &(*p)->next;
        *p = bad->next;
        bad->next = NULL;
        STOQ_ERROR("store: the result of scan %s cannot be stored",
                   bad->record.scan_id);
        pthread_mutex_lock(&w->lock);
        w->bytes -= bad->bytes;
        w->dropped++;
        pthread_mutex_unlock(&w->lock);
        finish(bad, -EINVAL);
    }
    return r;
}

static void
requeue_locked(struct stoq_writer *w, struct stoq_op *batch)
{
    struct stoq_op *last = batch;

    if (!batch)
        return;
    while (last->next)
        last = last->next;
    last->next = w->head;
    if (!w->head)
        w->tail = &last->next;
    w->head = batch;
}

static const char *
reason(int r)
{
    if (r == -ENOENT)
        return "the state directory or its database was removed";
    if (r == -ESTALE)
        return "another database is in the place of the one in use";
    return strerror(-r);
}

static void
failed_locked(struct stoq_writer *w, int r)
{
    if (r != w->health) {
        STOQ_ERROR("store: results cannot be committed: %s", reason(r));
        w->pause_ms = PAUSE_MIN_MS;
    } else if (w->pause_ms < PAUSE_MAX_MS) {
        w->pause_ms *= 2;
    }
    w->health = r;
    w->failures++;
    w->retry_ms = stoq_now_ms() + w->pause_ms;
    make_room_locked(w);
}

static void
succeeded_locked(struct stoq_writer *w, size_t bytes)
{
    w->bytes -= bytes;
    if (w->health || w->told)
        STOQ_WARN("store: results are committed again, %llu were given up so far",
                  (unsigned long long)w->dropped);
    w->health = 0;
    w->told = false;
}

/* Take what the next commit is to have: everything, unless that would make those who
 * wait for the first of it wait for very much more. */
static struct stoq_op *
take_batch_locked(struct stoq_writer *w)
{
    struct stoq_op *batch = w->head;
    struct stoq_op *last = batch;
    size_t bytes = last->bytes;

    while (last->next && bytes < BATCH_BYTES) {
        last = last->next;
        bytes += last->bytes;
    }
    w->head = last->next;
    if (!w->head)
        w->tail = &w->head;
    last->next = NULL;
    return batch;
}

/* One commit. Enters and leaves with the lock held. */
static int
round_locked(struct stoq_writer *w)
{
    struct stoq_op *batch = take_batch_locked(w);
    size_t bytes;
    int r;

    w->busy_seq = batch->seq;
    w->kick = false;
    pthread_mutex_unlock(&w->lock);
    r = commit_sound(w, &batch);
    if (r == -EUCLEAN)
        w->damaged(w->arg);
    bytes = bytes_of(batch);
    if (r == 0)
        finish(batch, 0);
    pthread_mutex_lock(&w->lock);
    w->busy_seq = 0;
    if (r == 0) {
        succeeded_locked(w, bytes);
    } else {
        requeue_locked(w, batch);
        failed_locked(w, r);
    }
    pthread_cond_broadcast(&w->settled);
    return r;
}

/* Tell those whose results were given up. */
static void
bury_locked(struct stoq_writer *w)
{
    struct stoq_op *dead = w->dead;
    bool first = !w->told;

    w->dead = NULL;
    w->told = true;
    pthread_mutex_unlock(&w->lock);
    if (first)
        STOQ_ERROR("store: too much waits to be committed, the oldest results are "
                   "given up from now on");
    finish(dead, -ENOSPC);
    pthread_mutex_lock(&w->lock);
}

static void
give_up_locked(struct stoq_writer *w)
{
    struct stoq_op *lost = w->head;
    uint64_t count = 0;

    for (struct stoq_op *op = lost; op; op = op->next)
        count++;
    w->head = NULL;
    w->tail = &w->head;
    w->bytes = 0;
    pthread_mutex_unlock(&w->lock);
    STOQ_ERROR("store: %llu changes are lost", (unsigned long long)count);
    finish(lost, w->health ? w->health : -EIO);
    pthread_mutex_lock(&w->lock);
}

static void *
run(void *arg)
{
    struct stoq_writer *w = arg;
    int last = 0;

    (void)pthread_setname_np(pthread_self(), "stoq-store");
    pthread_mutex_lock(&w->lock);
    while (next_locked(w)) {
        if (w->dead) {
            bury_locked(w);
        } else if (round_locked(w) < 0 && w->stop) {
            if (++last >= LAST_TRIES)
                give_up_locked(w);
            else
                wait_locked(w, stoq_now_ms() + LAST_PAUSE_MS);
        }
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static int
init_sync(struct stoq_writer *w)
{
    pthread_condattr_t attr;
    int r = pthread_condattr_init(&attr);

    if (r)
        return -r;
    r = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (!r)
        r = pthread_cond_init(&w->work, &attr);
    if (!r)
        r = pthread_cond_init(&w->settled, NULL);
    if (!r)
        r = pthread_mutex_init(&w->lock, NULL);
    (void)pthread_condattr_destroy(&attr);
    return -r;
}

int
stoq_writer_start(struct stoq_writer *w)
{
    sigset_t all, old;
    int r = init_sync(w);

    if (r < 0)
        return r;
    w->tail = &w->head;
    w->apply.db = &w->db;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all,
                          &old); /* signals are for the main thread */
    r = pthread_create(&w->thread, NULL, run, w);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -r;
}

void
stoq_writer_stop(struct stoq_writer *w)
{
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
    (void)pthread_mutex_destroy(&w->lock);
    (void)pthread_cond_destroy(&w->work);
    (void)pthread_cond_destroy(&w->settled);
}

/* Sequence number of the oldest change that is not settled, or UINT64_MAX. */
static uint64_t
oldest_locked(const struct stoq_writer *w)
{
    if (w->busy_seq)
        return w->busy_seq;
    return w->head ? w->head->seq : UINT64_MAX;
}

int
stoq_writer_sync(struct stoq_writer *w)
{
    uint64_t seq, failures;
    int r = 0;

    pthread_mutex_lock(&w->lock);
    seq = w->next_seq;
    failures = w->failures;
    w->kick = true;
    pthread_cond_signal(&w->work);
    while (oldest_locked(w) <= seq && w->failures == failures)
        pthread_cond_wait(&w->settled, &w->lock);
    if (oldest_locked(w) <= seq)
        r = w->health ? w->health : -EIO;
    pthread_mutex_unlock(&w->lock);
    return r;
}

int
stoq_writer_health(struct stoq_writer *w, uint64_t *dropped)
{
    int r;

    pthread_mutex_lock(&w->lock);
    r = w->health;
    if (dropped)
        *dropped = w->dropped;
    pthread_mutex_unlock(&w->lock);
    return r;
}
