/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Lists, as the original uses them: an element is the id of a payload that lies in the
 * keys ID_buf and ID_meta, or a task {archiver: what it needs}. An element is moved to
 * a list of the reader's own, QUEUE:doing:CONSUMER, and removed there when it is
 * finished. Readers are members of the set QUEUE:doing and renew QUEUE:alive:CONSUMER;
 * what a reader without that key left behind goes back to the queue.
 */

#include <stdio.h>

#include "provider.h"

/* Ids of payloads are shorter; what is longer, or an object, is a task. */
#define ID_MAX 128U
/* Elements of our list that are looked at to find what was lost on the way to us. */
#define STRAYS_MAX "1000"

static int
ask(struct redis_provider *p, size_t count, struct stoq_error *err)
{
    (void)count;
    REDIS_ARGS(a, "BLMOVE", p->r->queue, p->doing, "LEFT", "RIGHT", "5");
    return redis_send(p->r, p->reader, &a, err);
}

/* -------------------------------------------------------------------------- messages
 */

static bool
may_be_id(const struct redis_message *m)
{
    return m->size > 0 && m->size <= ID_MAX && m->id[0] != '{';
}

static int
put_payload(struct ledger_entry *e, const redisReply *data, const redisReply *meta)
{
    json_auto_t *all = redis_extra_data(meta);
    const struct stoq_find find = {STOQ_FIND_HEAD, .data = data->str, .size = data->len,
                                   .extra_data = json_deep_copy(all)};
    ledger_put(e, &find);
    return 0;
}

static int
put(struct redis_provider *p, struct ledger_entry *e, struct stoq_error *err)
{
    struct redis_message *m = e->what;
    if (may_be_id(m)) {
        PLUGIN_AUTOFREE char *meta = redis_key(m->id, m->size, "_meta");
        PLUGIN_AUTOFREE char *data = redis_key(m->id, m->size, "_buf");
        REDIS_AUTO_REPLY redisReply *reply = NULL;
        struct redis_args a = {0};
        if (!meta || !data)
            return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
        redis_arg(&a, "MGET");
        redis_arg_bytes(&a, data, m->size + strlen("_buf"));
        redis_arg_bytes(&a, meta, m->size + strlen("_meta"));
        int code = redis_control(p, &a, 1, &reply, err);
        if (code < 0)
            return code;
        m->keyed = redis_is_string(redis_at(reply, 0));
        if (m->keyed)
            return put_payload(e, redis_at(reply, 0), redis_at(reply, 1));
    }
    json_auto_t *tasks = json_loadb(m->id, m->size, 0, NULL);
    return ledger_put_tasks(e, tasks);
}

static int
got(struct redis_provider *p, const redisReply *reply, struct stoq_error *err)
{
    if (!redis_is_string(reply))
        return 0;
    struct ledger_entry *e = redis_add(p, reply->str, reply->len);
    if (!e)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    p->ledger.ops->put(p->ledger.arg, e);
    return 0;
}

/* Remove @m from our list, and with it the payload's keys or, when it goes @aside, put
 * it there. */
static int
finish(struct redis_provider *p, const struct redis_message *m, const char *aside,
       struct stoq_error *err)
{
    PLUGIN_AUTOFREE char *meta = redis_key(m->id, m->size, "_meta");
    PLUGIN_AUTOFREE char *data = redis_key(m->id, m->size, "_buf");
    PLUGIN_AUTOFREE struct redis_args *list = calloc(2, sizeof(*list));
    if (!meta || !data || !list)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    redis_args_words(&list[0], (const char *const[]){"LREM", p->doing, "1", NULL});
    redis_arg_bytes(&list[0], m->id, m->size);
    if (aside) {
        redis_args_words(&list[1], (const char *const[]){"RPUSH", aside, NULL});
        redis_arg_bytes(&list[1], m->id, m->size);
    } else {
        redis_arg(&list[1], "DEL");
        redis_arg_bytes(&list[1], data, m->size + strlen("_buf"));
        redis_arg_bytes(&list[1], meta, m->size + strlen("_meta"));
    }
    return redis_control(p, list, aside || m->keyed ? 2 : 1, NULL, err);
}

static int
ack(struct redis_provider *p, const struct redis_message *m, struct stoq_error *err)
{
    return finish(p, m, NULL, err);
}

static int
give_up(struct redis_provider *p, const struct redis_message *m, struct stoq_error *err)
{
    int code = finish(p, m, p->dead, err);
    if (code == 0)
        redis_tell(p, m, "it cannot be scanned and is put aside, on the list :dead");
    return code;
}

/* ------------------------------------------------------------------ the living, the
 * dead */

/* Back to the front of the queue, the last one first, with what is on list @from. */
static int
give_back(struct redis_provider *p, const char *from, struct stoq_error *err)
{
    for (;;) {
        REDIS_ARGS(a, "LMOVE", from, p->r->queue, "RIGHT", "LEFT");
        REDIS_AUTO_REPLY redisReply *reply = NULL;
        int code = redis_control(p, &a, 1, &reply, err);
        if (code < 0 || !redis_is_string(reply))
            return code;
    }
}

/* On how many elements of @list, or messages of ours, are the bytes of @what. */
static size_t
count_in(const redisReply *list, const redisReply *what)
{
    size_t count = 0;
    for (size_t i = 0; i < list->elements; i++)
        count += redis_is_string(list->element[i]) &&
                 list->element[i]->len == what->len &&
                 memcmp(list->element[i]->str, what->str, what->len) == 0;
    return count;
}

static size_t
count_ours(const struct redis_provider *p, const redisReply *what)
{
    size_t count = 0;
    for (const struct ledger_entry *e = p->ledger.entries; e; e = e->next) {
        const struct redis_message *m = e->what;
        count += m->size == what->len && memcmp(m->id, what->str, what->len) == 0;
    }
    return count;
}

/* What was moved to our list while the connection broke never came to us. */
static int
find_strays(struct redis_provider *p, struct stoq_error *err)
{
    REDIS_ARGS(range, "LRANGE", p->doing, "0", STRAYS_MAX);
    REDIS_AUTO_REPLY redisReply *reply = NULL;
    int code = redis_control(p, &range, 1, &reply, err);
    for (size_t i = 0; code == 0 && redis_at(reply, i); i++) {
        const redisReply *what = reply->element[i];
        if (!redis_is_string(what) || count_in(reply, what) <= count_ours(p, what))
            continue;
        struct ledger_entry *e = redis_add(p, what->str, what->len);
        if (!e)
            return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
        p->ledger.ops->put(p->ledger.arg, e);
    }
    return code;
}

static int
show_life(struct redis_provider *p, struct stoq_error *err)
{
    struct redis_args list[2] = {0};
    redis_args_words(&list[0], (const char *const[]){"SET", p->alive, "1", "PX", NULL});
    redis_arg_number(&list[0], p->r->claim_idle_ms);
    redis_args_words(&list[1],
                     (const char *const[]){"SADD", p->members, p->r->consumer, NULL});
    return redis_control(p, list, 2, NULL, err);
}

static int
prepare(struct redis_provider *p, struct stoq_error *err)
{
    REDIS_ARGS(length, "LLEN", p->r->queue); /* says when it is no list */
    int code = redis_control(p, &length, 1, NULL, err);
    if (code == 0)
        code = show_life(p, err);
    return code < 0 ? code : find_strays(p, err);
}

/* Give back what @member left, unless it lives. */
static int
bury(struct redis_provider *p, const char *member, struct stoq_error *err)
{
    PLUGIN_AUTOFREE char *alive = NULL, *doing = NULL;
    REDIS_AUTO_REPLY redisReply *reply = NULL;
    if (asprintf(&alive, "%s:alive:%s", p->r->queue, member) < 0)
        alive = NULL;
    if (asprintf(&doing, "%s:doing:%s", p->r->queue, member) < 0)
        doing = NULL;
    if (!alive || !doing)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    REDIS_ARGS(exists, "EXISTS", alive);
    int code = redis_control(p, &exists, 1, &reply, err);
    if (code < 0 || reply->type != REDIS_REPLY_INTEGER || reply->integer != 0)
        return code;
    code = give_back(p, doing, err);
    REDIS_ARGS(gone, "SREM", p->members, member);
    return code < 0 ? code : redis_control(p, &gone, 1, NULL, err);
}

static int
tend(struct redis_provider *p, struct stoq_error *err)
{
    REDIS_ARGS(members, "SMEMBERS", p->members);
    REDIS_AUTO_REPLY redisReply *reply = NULL;
    int code = show_life(p, err);
    if (code == 0)
        code = redis_control(p, &members, 1, &reply, err);
    for (size_t i = 0; code == 0 && redis_at(reply, i); i++) {
        const redisReply *member = reply->element[i];
        if (redis_is_string(member) && strcmp(member->str, p->r->consumer) != 0)
            code = bury(p, member->str, err);
    }
    return code;
}

static void
leave(struct redis_provider *p)
{
    REDIS_ARGS(members, "SREM", p->members, p->r->consumer);
    REDIS_ARGS(alive, "DEL", p->alive);
    if (give_back(p, p->doing, NULL) == 0 &&
        redis_control(p, &members, 1, NULL, NULL) == 0)
        (void)redis_control(p, &alive, 1, NULL, NULL);
}

const struct redis_source redis_list_source = {prepare, ask,     got,  put,
                                               ack,     give_up, tend, leave};
