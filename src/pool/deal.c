/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a job on a scanner: sent, asked about, answered, overdue, crashed; see
 * slot.h. Pool thread only; no lock is held when callbacks run.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "pool/slot.h"
#include "util/auto.h"
#include "util/json.h"
#include "util/log.h"

/* How often a job may take a scanner down, and be found changed, before it ends. */
#define CRASHES_MAX 2U
#define KILLS_MAX   16U
#define CHANGES_MAX 3U
/* How often a job may need a plugin that is not loaded. */
#define WANTS_MAX 32U

static void
count(atomic_ullong *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void
stoq_deal_fail(struct stoq_pool *pool, struct stoq_job *job, enum stoq_verdict verdict,
               const char *text)
{
    char *engine_id = job->outcome->engine_id;

    if (!engine_id[0]) /* no scanner ever had it */
        memcpy(engine_id, pool->engine_id, sizeof(pool->engine_id));
    stoq_job_fail(job, verdict, engine_id[0] ? engine_id : NULL, text);
    stoq_pool_end_job(pool, job);
}

void
stoq_deal_send(struct stoq_pool *pool, struct stoq_slot *slot, struct stoq_job *job)
{
    struct stoq_wire_out out = {
        .head = &job->wire.head,
        .size = sizeof(job->wire),
        .body[0] = {.iov_base = job->body, .iov_len = job->body_size},
        .fds[0] = job->fd,
        .nfds = 1,
    };
    char text[96];
    int r = fstat(job->fd, &job->before) < 0 ? -errno : 0;

    job->sent = r == 0;
    if (r == 0 && !S_ISREG(job->before.st_mode)) {
        stoq_deal_fail(pool, job, STOQ_VERDICT_ERROR, "not a regular file");
        return;
    }
    if (r == 0)
        r = stoq_wire_send(slot->sock, &out);
    if (r == 0) {
        slot->state = STOQ_SLOT_BUSY;
        slot->job = job;
        memcpy(job->outcome->engine_id, slot->engine_id, sizeof(slot->engine_id));
        slot->hashed = false;
        slot->deadline =
            job->wire.deadline_ms ? stoq_now_ms() + job->wire.deadline_ms : 0;
    } else if (r == -EPIPE || r == -ECONNRESET || r == -EAGAIN) {
        stoq_slot_lost(pool, slot);
        stoq_pool_requeue(pool, job);
    } else {
        (void)snprintf(text, sizeof(text), "cannot hand the file to a scanner: %s",
                       strerror(-r));
        stoq_deal_fail(pool, job, STOQ_VERDICT_ERROR, text);
    }
}

/** The occupant has answered: it can have another job, unless that was its @p last or
 *  its zygote was replaced. @return the job it had. */
static struct stoq_job *
release(struct stoq_pool *pool, struct stoq_slot *slot, bool last)
{
    struct stoq_job *job = STOQ_STEAL(&slot->job);

    slot->state = STOQ_SLOT_IDLE;
    slot->deadline = 0;
    slot->jobs++;
    slot->failures = 0;
    if (last || slot->zygote != pool->zygote_number)
        stoq_slot_clear(slot);
    return job;
}

static void
changed(struct stoq_pool *pool, struct stoq_job *job)
{
    if (++job->changes > CHANGES_MAX)
        stoq_deal_fail(pool, job, STOQ_VERDICT_ERROR,
                       "file kept changing during the scan");
    else
        stoq_pool_requeue(pool, job);
}

static int
on_hello(struct stoq_pool *pool, struct stoq_slot *slot)
{
    (void)pool;
    if (slot->state != STOQ_SLOT_STARTING)
        return -EPROTO;
    slot->state = STOQ_SLOT_IDLE;
    return 0;
}

/** Answer HASHED with GO or SKIP. */
static int
answer_hashed(struct stoq_slot *slot, enum stoq_wire_type type)
{
    struct stoq_wire_hashed w = {.head.type = (uint32_t)type, .id = slot->job->id};
    struct stoq_wire_out out = {.head = &w.head, .size = sizeof(w)};

    return stoq_wire_send(slot->sock, &out);
}

/** @return whether the outcome could be made from a document of equal content. */
static bool
reuse(struct stoq_pool *pool, struct stoq_job *job,
      const uint8_t sha256[STOQ_SHA256_SIZE])
{
    STOQ_AUTOFREE char *text = NULL;
    size_t size = 0;

    return pool->reuse && pool->reuse(pool->arg, sha256, &text, &size) && text &&
           stoq_job_reuse(job, sha256, text, size) == 0;
}

static int
on_hashed(struct stoq_pool *pool, struct stoq_slot *slot)
{
    const struct stoq_wire_hashed *w = &pool->msg.u.hashed;
    struct stoq_job *job = slot->job;
    bool kept;

    if (!job || slot->hashed || w->id != job->id ||
        !(job->wire.flags & STOQ_WIRE_JOB_REUSE))
        return -EPROTO;
    slot->hashed = true;
    kept = stoq_job_unchanged(job);
    /* A scanner that died meanwhile is noticed by its own event. What may be reused is
     * of the engine in force, so not for a scanner of another. */
    if (kept && (slot->zygote != pool->zygote_number || !reuse(pool, job, w->sha256))) {
        (void)answer_hashed(slot, STOQ_WIRE_GO);
        return 0;
    }
    (void)answer_hashed(slot, STOQ_WIRE_SKIP);
    job = release(pool, slot, false);
    if (!kept) {
        changed(pool, job);
        return 0;
    }
    count(&pool->reused);
    stoq_pool_end_job(pool, job);
    return 0;
}

static int
on_result(struct stoq_pool *pool, struct stoq_slot *slot)
{
    struct stoq_job *job = slot->job;
    bool last = pool->msg.u.result.flags & STOQ_WIRE_RESULT_LAST;
    int r;

    if (!job || pool->msg.u.result.id != job->id)
        return -EPROTO;
    if (!stoq_job_unchanged(job)) {
        changed(pool, release(pool, slot, last));
        return 0;
    }
    r = stoq_job_result(job, &pool->msg, pool->config->limits.response_bytes);
    if (r == -EPROTO)
        return r;
    (void)release(pool, slot, last);
    count(&pool->scans);
    if (r < 0)
        stoq_deal_fail(pool, job, STOQ_VERDICT_ERROR, "cannot take over the result");
    else
        stoq_pool_end_job(pool, job);
    return 0;
}

static int
on_failed(struct stoq_pool *pool, struct stoq_slot *slot)
{
    struct stoq_wire_failed *w = &pool->msg.u.failed;
    struct stoq_job *job = slot->job;

    if (!job || w->id != job->id)
        return -EPROTO;
    w->message[sizeof(w->message) - 1] = '\0';
    if (!stoq_utf8_valid(w->message, strlen(w->message)))
        return -EPROTO;
    job = release(pool, slot, true);
    if (!stoq_job_unchanged(job))
        changed(pool, job);
    else
        stoq_deal_fail(pool, job, STOQ_VERDICT_ERROR, w->message);
    return 0;
}

/** Behind the jobs that wait for a fresh scanner. */
static void
retry(struct stoq_pool *pool, struct stoq_job *job)
{
    job->next = NULL;
    if (pool->retries.last)
        pool->retries.last->next = job;
    else
        pool->retries.first = job;
    pool->retries.last = job;
}

/** The zygote loads the plugin; scanners forked after that have it. */
static int
on_want(struct stoq_pool *pool, struct stoq_slot *slot)
{
    struct stoq_wire_want *w = &pool->msg.u.want;
    struct stoq_wire_want load = {.head.type = STOQ_WIRE_LOAD};
    struct stoq_wire_out out = {.head = &load.head, .size = sizeof(load)};
    struct stoq_job *job = slot->job;

    if (!job || w->id != job->id || !memchr(w->name, '\0', sizeof(w->name)))
        return -EPROTO;
    memcpy(load.name, w->name, sizeof(load.name));
    job = release(pool, slot, true);
    if (++job->wants > WANTS_MAX) {
        stoq_deal_fail(pool, job, STOQ_VERDICT_ERROR, "workers cannot be loaded");
        return 0;
    }
    /* a zygote that died is noticed by its own event, and jobs wait for another */
    if (pool->zygote >= 0)
        (void)stoq_wire_send(pool->zygote, &out);
    for (unsigned i = 0; i < pool->slot_count; i++)
        if (pool->slots[i].state == STOQ_SLOT_IDLE)
            stoq_slot_clear(&pool->slots[i]);
    retry(pool, job);
    return 0;
}

int
stoq_deal_message(struct stoq_pool *pool, struct stoq_slot *slot)
{
    switch (pool->msg.u.head.type) {
    case STOQ_WIRE_HELLO:
        return on_hello(pool, slot);
    case STOQ_WIRE_HASHED:
        return on_hashed(pool, slot);
    case STOQ_WIRE_RESULT:
        return on_result(pool, slot);
    case STOQ_WIRE_FAILED:
        return on_failed(pool, slot);
    case STOQ_WIRE_WANT:
        return on_want(pool, slot);
    default:
        return -EPROTO;
    }
}

void
stoq_deal_timeout(struct stoq_pool *pool, struct stoq_slot *slot)
{
    struct stoq_job *job = slot->job;
    char text[96];

    (void)snprintf(text, sizeof(text), "scan exceeded its deadline of %llu ms",
                   (unsigned long long)job->wire.deadline_ms);
    stoq_slot_clear(slot);
    slot->failures = 0;
    count(&pool->restarts);
    count(&pool->timeouts);
    stoq_deal_fail(pool, job, STOQ_VERDICT_TIMEOUT, text);
}

/** The scanner's own timers, see scanner.c. @return whether one of them ended it. */
static bool
over_budget(struct stoq_pool *pool, struct stoq_job *job, int status)
{
    char text[96];
    bool cpu = status >= 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF;
    bool wall = status >= 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    uint64_t ms = cpu ? pool->config->limits.cpu_ms : job->wire.deadline_ms;

    if (!cpu && !wall)
        return false;
    (void)snprintf(text, sizeof(text), "scan exceeded its %s of %llu ms",
                   cpu ? "CPU budget" : "deadline", (unsigned long long)ms);
    count(&pool->timeouts);
    stoq_deal_fail(pool, job, STOQ_VERDICT_TIMEOUT, text);
    return true;
}

static void
describe(int status, const char *reason, char *out, size_t size)
{
    if (reason[0])
        (void)snprintf(out, size, "scanner crashed (%s) twice", reason);
    else if (status >= 0 && WIFSIGNALED(status))
        (void)snprintf(out, size, "scanner crashed (signal %d) twice",
                       WTERMSIG(status));
    else if (status >= 0 && WIFEXITED(status))
        (void)snprintf(out, size, "scanner crashed (exit status %d) twice",
                       WEXITSTATUS(status));
    else
        (void)snprintf(out, size, "scanner crashed twice");
}

/** A crash is tried once more. SIGKILL that is not ours comes from outside and says
 * little of the file, so it is tried more often; not for ever, since the kernel may
 * send it to whoever takes all memory. @return whether to give up, with why in @p text.
 */
static bool
is_given_up(struct stoq_job *job, int status, const char *reason, char *text,
            size_t size)
{
    bool killed =
        !reason[0] && status >= 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;

    if (killed) {
        (void)snprintf(text, size, "scanner was killed %u times", KILLS_MAX);
        return ++job->kills >= KILLS_MAX;
    }
    if (status >= 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
        (void)snprintf(text, size, "a worker did what the sandbox ends a scanner for");
        return true;
    }
    describe(status, reason, text, size);
    return ++job->crashes >= CRASHES_MAX;
}

void
stoq_deal_crashed(struct stoq_pool *pool, struct stoq_job *job, int status,
                  const char *reason)
{
    char text[128];

    if (over_budget(pool, job, status))
        return;
    count(&pool->crashes);
    /* a file that shrinks under its reader raises SIGBUS: no fault of its bytes */
    if (!stoq_job_unchanged(job)) {
        changed(pool, job);
        return;
    }
    if (is_given_up(job, status, reason, text, sizeof(text))) {
        stoq_deal_fail(pool, job, STOQ_VERDICT_ERROR, text);
        return;
    }
    retry(pool, job);
}
