/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The provider's loop; see provider.h. At the start a server that is not there, or not
 * as it should be, is a failure; later it is waited for. When the run ends what is
 * being scanned is waited for and acknowledged; the rest stays with the server.
 */

#include <poll.h>
#include <stdio.h>

#include "provider.h"

/* How long the server waits for messages before it says that there are none. */
#define BLOCK_MS 5000
/* After a failure: so that a server that does not answer is not asked for each message.
 */
#define UNBLOCK_MS 50
#define PAUSE_MS   300

struct ledger_entry *
redis_find(const struct redis_provider *p, const char *id, size_t size)
{
    for (struct ledger_entry *e = p->ledger.entries; e; e = e->next) {
        const struct redis_message *m = e->what;
        if (m->size == size && memcmp(m->id, id, size) == 0)
            return e;
    }
    return NULL;
}

struct ledger_entry *
redis_add(struct redis_provider *p, const char *id, size_t size)
{
    struct redis_message *m = calloc(1, sizeof(*m) + size + 1);
    if (!m)
        return NULL;
    m->size = size;
    memcpy(m->id, id, size);
    struct ledger_entry *e = ledger_add(&p->ledger, m);
    if (!e)
        free(m);
    return e;
}

void
redis_tell(const struct redis_provider *p, const struct redis_message *m,
           const char *why)
{
    stoq_ctx_log(p->r->ctx, STOQ_LEVEL_ERROR, "%s: message %.100s%s: %s", p->r->queue,
                 m->id, m->size > 100 ? "..." : "", why);
}

json_t *
redis_extra_data(const redisReply *meta)
{
    json_auto_t *all =
        redis_is_string(meta) ? json_loadb(meta->str, meta->len, 0, NULL) : NULL;
    json_t *extra = json_object_get(all, "extra_data");
    if (json_object_get(all, "should_scan") && json_is_object(extra))
        return json_incref(extra);
    return json_is_object(all) ? json_incref(all) : json_object();
}

/* ------------------------------------------------------------------------- trouble */

/* Tell of a failure when it is another one than before. */
static void
trouble(struct redis_provider *p, const char *text)
{
    char line[sizeof(p->trouble)];
    (void)snprintf(line, sizeof(line), "%s", text);
    if (strcmp(line, p->trouble) == 0)
        return;
    memcpy(p->trouble, line, sizeof(line));
    stoq_ctx_log(p->r->ctx, STOQ_LEVEL_WARNING, "%s; trying again", line);
}

static void
hang_up(redisContext **c)
{
    if (*c)
        redisFree(*c);
    *c = NULL;
}

static void
lose_reader(struct redis_provider *p)
{
    hang_up(&p->reader);
    p->asked = false;
    p->prepared = false;
    p->connect_ms = ledger_now_ms() + ledger_backoff_ms(p->failures++);
}

int
redis_control(struct redis_provider *p, const struct redis_args *list, size_t count,
              redisReply **out, struct stoq_error *err)
{
    if (!p->control && ledger_now_ms() < p->control_ms)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOTCONN, "%s",
                              p->trouble[0] ? p->trouble : "not connected");
    int code = p->control ? 0 : redis_open(p->r, &p->control, err);
    if (code == 0)
        code = count == 1 ? redis_call(p->r, p->control, list, out, err)
                          : redis_call_all(p->r, p->control, list, count, out, err);
    if (p->control && p->control->err)
        hang_up(&p->control);
    if (!p->control)
        p->control_ms = ledger_now_ms() + PAUSE_MS;
    return code;
}

/* ---------------------------------------------------------------- ledger operations */

static void
again(void *arg, struct ledger_entry *e)
{
    struct redis_provider *p = arg;
    struct stoq_error err = {0};
    ledger_begin(e);
    int code = p->source->put(p, e, &err);
    if (code < 0 && code != -EBADMSG)
        trouble(p, err.message);
    ledger_end(e, code == -EBADMSG ? code : code < 0 ? -EAGAIN : 0);
}

static int
acknowledge(void *arg, struct ledger_entry *e)
{
    struct redis_provider *p = arg;
    struct stoq_error err = {0};
    int code = p->source->ack(p, e->what, &err);
    if (code < 0)
        trouble(p, err.message);
    else if (p->prepared)
        p->trouble[0] = '\0';
    return code;
}

static int
give_up(void *arg, struct ledger_entry *e)
{
    struct redis_provider *p = arg;
    struct stoq_error err = {0};
    int code = p->source->give_up(p, e->what, &err);
    if (code < 0)
        trouble(p, err.message);
    return code;
}

static void
forget(void *arg, struct ledger_entry *e)
{
    (void)arg;
    free(e->what);
}

static const struct ledger_ops ledger_ops = {again, acknowledge, give_up, forget};

/* ------------------------------------------------------------------------ the loop */

/* The server's number of the reader, so that it can be told to stop waiting. */
static int64_t
number_of(struct redis_provider *p)
{
    REDIS_ARGS(a, "CLIENT", "ID");
    REDIS_AUTO_REPLY redisReply *reply = NULL;
    if (redis_call(p->r, p->reader, &a, &reply, NULL) < 0)
        return 0;
    return reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;
}

static int
connect_all(struct redis_provider *p, struct stoq_error *err)
{
    int code = p->reader ? 0 : redis_open(p->r, &p->reader, err);
    if (code < 0)
        return code;
    p->reader_id = number_of(p);
    code = p->source->prepare(p, err);
    if (code < 0)
        return code;
    p->prepared = true;
    p->failures = 0;
    if (p->trouble[0])
        stoq_ctx_log(p->r->ctx, STOQ_LEVEL_WARNING, "%s: it works again", p->r->where);
    p->trouble[0] = '\0';
    return 0;
}

static int
ask(struct redis_provider *p, struct stoq_error *err)
{
    size_t room =
        p->ledger.count < p->r->prefetch ? p->r->prefetch - p->ledger.count : 0;
    if (room == 0 || p->asked)
        return 0;
    p->asked_ms = ledger_now_ms();
    int code = p->source->ask(p, room, err);
    p->asked = code == 0;
    return code;
}

/* Take the answer that is there. */
static int
take(struct redis_provider *p, struct stoq_error *err)
{
    REDIS_AUTO_REPLY redisReply *reply = NULL;
    p->asked = false;
    int code = redis_answer(p->r, p->reader, &reply, err);
    return code < 0 ? code : p->source->got(p, reply, err);
}

/* One step of what is not waiting. @return ms to wait at most. */
static int
work(struct redis_provider *p)
{
    struct stoq_error err = {0};
    uint64_t now = ledger_now_ms();
    int code = 0, wait = ledger_service(&p->ledger, false);
    if (!p->prepared && now >= p->connect_ms)
        code = connect_all(p, &err);
    if (code == 0 && p->prepared && now >= p->tend_ms) {
        p->tend_ms = now + p->r->claim_idle_ms / 3;
        code = p->source->tend(p, &err);
    }
    if (code == 0 && p->prepared)
        code = ask(p, &err);
    if (code == 0 && p->asked &&
        now > p->asked_ms + BLOCK_MS + (uint64_t)p->r->timeout_ms)
        code =
            stoq_error_set(&err, STOQ_ERROR_TIMEOUT, -ETIMEDOUT,
                           "%s: no answer within %d ms", p->r->where, p->r->timeout_ms);
    if (code < 0) {
        trouble(p, err.message);
        lose_reader(p);
    }
    uint64_t next = p->prepared ? p->tend_ms : p->connect_ms;
    int until = next > now ? (int)(next - now) : 0;
    until = until < BLOCK_MS ? until : BLOCK_MS;
    return wait >= 0 && wait < until ? wait : until;
}

static void
loop(struct redis_provider *p, struct stoq_queue *queue)
{
    for (;;) {
        struct stoq_error err = {0};
        int wait = work(p);
        struct pollfd fds[3] = {
            {.fd = stoq_queue_cancel_fd(queue), .events = POLLIN},
            {.fd = p->ledger.wake_fd, .events = POLLIN},
            {.fd = p->asked ? p->reader->fd : -1, .events = POLLIN}};
        if (poll(fds, 3, wait) < 0)
            continue;
        if (fds[0].revents)
            return;
        if (p->asked && fds[2].revents && take(p, &err) < 0) {
            trouble(p, err.message);
            lose_reader(p);
        }
    }
}

/* End the reader's waiting in a way that leaves no doubt what was given to it. The
 * server may see this before what the reader asked: so more than once.
 * @return whether it did. */
static bool
stop_reader(struct redis_provider *p)
{
    REDIS_ARGS(a, "CLIENT", "UNBLOCK");
    REDIS_AUTO_REPLY redisReply *reply = NULL;
    if (!p->asked)
        return true;
    redis_arg_number(&a, p->reader_id);
    struct pollfd answer = {.fd = p->reader->fd, .events = POLLIN};
    uint64_t end = ledger_now_ms() + (uint64_t)p->r->timeout_ms;
    do {
        if (p->reader_id == 0 || redis_control(p, &a, 1, NULL, NULL) < 0)
            return false;
    } while (poll(&answer, 1, UNBLOCK_MS) == 0 && ledger_now_ms() < end);
    return redis_answer(p->r, p->reader, &reply, NULL) == 0;
}

static void
fini(struct redis_provider *p)
{
    ledger_fini(&p->ledger);
    hang_up(&p->reader);
    hang_up(&p->control);
    free(p->cursor);
    free(p->doing);
    free(p->dead);
    free(p->alive);
    free(p->members);
}

static int
name_keys(struct redis_provider *p)
{
    const char *queue = p->r->queue;
    bool ok = asprintf(&p->doing, "%s:doing:%s", queue, p->r->consumer) >= 0;
    ok = ok && asprintf(&p->alive, "%s:alive:%s", queue, p->r->consumer) >= 0;
    ok = ok && asprintf(&p->dead, "%s:dead", queue) >= 0;
    ok = ok && asprintf(&p->members, "%s:doing", queue) >= 0;
    p->cursor = strdup("0-0");
    return ok && p->cursor ? 0 : -ENOMEM;
}

int
redis_ingest(void *instance, struct stoq_queue *queue, unsigned flags,
             struct stoq_error *err)
{
    (void)flags;
    struct redis *r = instance;
    struct redis_provider p = {
        .r = r,
        .source = r->stream ? &redis_stream_source : &redis_list_source,
        .ledger = {
            .ops = &ledger_ops, .queue = queue, .max_attempts = r->max_attempts}};
    p.ledger.arg = &p;
    int code = ledger_init(&p.ledger);
    if (code < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, code, "eventfd: %s",
                              strerrordesc_np(-code));
    if (name_keys(&p) < 0)
        code = stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    if (code == 0)
        code = connect_all(&p, err);
    if (code == 0) {
        stoq_ctx_log(r->ctx, STOQ_LEVEL_INFO, "Monitoring redis queue %s", r->queue);
        loop(&p, queue);
        bool stopped = stop_reader(&p);
        ledger_drain(&p.ledger);
        if (stopped)
            p.source->leave(&p);
    }
    fini(&p);
    return code;
}
