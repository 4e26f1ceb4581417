/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Streams: entries are read as a consumer of a group, and so stay pending until they
 * are acknowledged. Pending entries that nobody has cared for are claimed; ours are
 * cared for by claiming them again.
 */

#include "provider.h"

/* Ids in one command. */
#define IDS 32U

static int
prepare(struct redis_provider *p, struct stoq_error *err)
{
    REDIS_ARGS(a, "XGROUP", "CREATE", p->r->queue, p->r->group, "0", "MKSTREAM");
    struct stoq_error own = {0};
    int code = redis_control(p, &a, 1, NULL, &own);
    if (code < 0 && strstr(own.message, "BUSYGROUP"))
        code = 0;
    return code < 0 ? stoq_error_set(err, own.kind, code, "%s", own.message) : 0;
}

static int
ask(struct redis_provider *p, size_t count, struct stoq_error *err)
{
    REDIS_ARGS(a, "XREADGROUP", "GROUP", p->r->group, p->r->consumer, "COUNT");
    redis_arg_number(&a, (int64_t)count);
    redis_args_words(
        &a, (const char *const[]){"BLOCK", "5000", "STREAMS", p->r->queue, ">", NULL});
    return redis_send(p->r, p->reader, &a, err);
}

/* -------------------------------------------------------------------------- entries */

static const redisReply *
field(const redisReply *fields, const char *name)
{
    for (size_t i = 0; redis_at(fields, i + 1); i += 2)
        if (redis_is_string(fields->element[i]) &&
            strcmp(fields->element[i]->str, name) == 0)
            return fields->element[i + 1];
    return NULL;
}

/* Fields beside the known ones become extra_data, as texts. */
static int
add_fields(json_t *extra, const redisReply *fields)
{
    static const char *const known[] = {"payload", "payload_id", "meta", NULL};
    for (size_t i = 0; redis_at(fields, i + 1); i += 2) {
        const redisReply *name = fields->element[i], *value = fields->element[i + 1];
        size_t k = 0;
        while (known[k] && strcmp(known[k], name->str) != 0)
            k++;
        json_auto_t *key = stoq_json_text(name->str, name->len, NULL);
        const char *text = json_string_value(key);
        if (known[k] || !text || !text[0])
            continue;
        if (stoq_json_set_text(extra, text, value->str, value->len) < 0)
            return -ENOMEM;
    }
    return 0;
}

/* Put the finds of the entry with @fields. @return 0, -EBADMSG: there is none, -ENOMEM.
 */
static int
put_fields(struct ledger_entry *e, const redisReply *fields)
{
    const redisReply *payload = field(fields, "payload");
    const redisReply *task = field(fields, "task");
    if (!redis_is_string(payload)) {
        json_auto_t *tasks =
            redis_is_string(task) ? json_loadb(task->str, task->len, 0, NULL) : NULL;
        return ledger_put_tasks(e, tasks);
    }
    json_auto_t *meta = redis_extra_data(field(fields, "meta"));
    json_t *extra = json_deep_copy(meta);
    if (!extra || add_fields(extra, fields) < 0) {
        json_decref(extra);
        return -ENOMEM;
    }
    const struct stoq_find find = {STOQ_FIND_HEAD, .data = payload->str,
                                   .size = payload->len, .extra_data = extra};
    ledger_put(e, &find);
    return 0;
}

/* What was read or claimed: [[id, [field, value, ...]], ...]. */
static int
add_entries(struct redis_provider *p, const redisReply *entries, struct stoq_error *err)
{
    for (size_t i = 0; redis_at(entries, i); i++) {
        const redisReply *id = redis_at(entries->element[i], 0);
        if (!redis_is_string(id) || redis_find(p, id->str, id->len))
            continue; /* deleted meanwhile; or with us already */
        struct ledger_entry *e = redis_add(p, id->str, id->len);
        if (!e)
            return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
        ledger_begin(e);
        int code = put_fields(e, redis_at(entries->element[i], 1));
        ledger_end(e, code == -ENOMEM ? -EAGAIN : code);
    }
    return 0;
}

static int
got(struct redis_provider *p, const redisReply *reply, struct stoq_error *err)
{
    return add_entries(p, redis_at(redis_at(reply, 0), 1), err);
}

static int
put(struct redis_provider *p, struct ledger_entry *e, struct stoq_error *err)
{
    const struct redis_message *m = e->what;
    REDIS_ARGS(a, "XRANGE", p->r->queue, m->id, m->id);
    REDIS_AUTO_REPLY redisReply *reply = NULL;
    int code = redis_control(p, &a, 1, &reply, err);
    if (code < 0)
        return code;
    if (!redis_at(reply, 0))
        return 0; /* deleted or trimmed: nothing is left to be scanned */
    return put_fields(e, redis_at(redis_at(reply, 0), 1));
}

/* -------------------------------------------------------------------------- the end */

static int
ack(struct redis_provider *p, const struct redis_message *m, struct stoq_error *err)
{
    struct redis_args list[2] = {0};
    redis_args_words(
        &list[0], (const char *const[]){"XACK", p->r->queue, p->r->group, m->id, NULL});
    redis_args_words(&list[1], (const char *const[]){"XDEL", p->r->queue, m->id, NULL});
    return redis_control(p, list, p->r->delete_done ? 2 : 1, NULL, err);
}

static int
give_up(struct redis_provider *p, const struct redis_message *m, struct stoq_error *err)
{
    REDIS_ARGS(a, "XACK", p->r->queue, p->r->group, m->id);
    int code = redis_control(p, &a, 1, NULL, err);
    if (code == 0)
        redis_tell(p, m,
                   "it cannot be scanned and is passed over; it stays in the stream");
    return code;
}

/* Claim again what is ours, so that no other takes it for abandoned. */
static int
care(struct redis_provider *p, struct stoq_error *err)
{
    struct ledger_entry *e = p->ledger.entries;
    int code = 0;
    while (e && code == 0) {
        REDIS_ARGS(a, "XCLAIM", p->r->queue, p->r->group, p->r->consumer, "0");
        for (unsigned i = 0; e && i < IDS; i++, e = e->next)
            redis_arg(&a, ((const struct redis_message *)e->what)->id);
        redis_arg(&a, "JUSTID");
        code = redis_control(p, &a, 1, NULL, err);
    }
    return code;
}

static int
tend(struct redis_provider *p, struct stoq_error *err)
{
    int code = care(p, err);
    size_t room =
        p->ledger.count < p->r->prefetch ? p->r->prefetch - p->ledger.count : 0;
    if (code < 0 || room == 0)
        return code;
    REDIS_ARGS(a, "XAUTOCLAIM", p->r->queue, p->r->group, p->r->consumer);
    REDIS_AUTO_REPLY redisReply *reply = NULL;
    redis_arg_number(&a, p->r->claim_idle_ms);
    redis_args_words(&a, (const char *const[]){p->cursor, "COUNT", NULL});
    redis_arg_number(&a, (int64_t)room);
    code = redis_control(p, &a, 1, &reply, err);
    if (code < 0)
        return code;
    const redisReply *next = redis_at(reply, 0);
    char *cursor = redis_is_string(next) ? strdup(next->str) : NULL;
    if (cursor) {
        free(p->cursor);
        p->cursor = cursor;
    }
    return add_entries(p, redis_at(reply, 1), err);
}

/* A consumer without pending entries is forgotten; what is pending would be, too. */
static void
leave(struct redis_provider *p)
{
    REDIS_ARGS(pending, "XPENDING", p->r->queue, p->r->group, "-", "+", "1",
               p->r->consumer);
    REDIS_ARGS(gone, "XGROUP", "DELCONSUMER", p->r->queue, p->r->group, p->r->consumer);
    REDIS_AUTO_REPLY redisReply *reply = NULL;
    if (redis_control(p, &pending, 1, &reply, NULL) == 0 &&
        reply->type == REDIS_REPLY_ARRAY && reply->elements == 0)
        (void)redis_control(p, &gone, 1, NULL, NULL);
}

const struct redis_source redis_stream_source = {prepare, ask,     got,  put,
                                                 ack,     give_up, tend, leave};
