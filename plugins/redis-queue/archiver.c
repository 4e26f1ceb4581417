/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Archiver: a payload on the queue, for the provider of another stoQ, and as a source
 * by the msg_id that archiving gave.
 */

#include "redis.h"

static int
no_memory(struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
}

/* A payload on its way. */
struct parcel {
    const char *id;
    char *meta; /* owned: payload_meta, as text */
    const void *data;
    size_t size;
    char *msg_id; /* owned: where it is */
};

static int
keep_in_stream(struct redis *r, struct parcel *p, struct stoq_error *err)
{
    REDIS_AUTO_REPLY redisReply *reply = NULL;
    struct redis_args a = {0};
    redis_xadd(r, &a);
    redis_args_words(&a, (const char *const[]){"payload_id", p->id, "meta", p->meta,
                                               "payload", NULL});
    redis_arg_bytes(&a, p->data, p->size);
    int code = redis_do(r, &a, 1, &reply, err);
    if (code < 0)
        return code;
    if (!redis_is_string(reply))
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, -EPROTO,
                              "%s: XADD gave no entry id", r->where);
    p->msg_id = strdup(reply->str);
    return p->msg_id ? 0 : no_memory(err);
}

static int
keep_as_keys(struct redis *r, struct parcel *p, struct stoq_error *err)
{
    PLUGIN_AUTOFREE char *meta_key = redis_key(p->id, strlen(p->id), "_meta");
    PLUGIN_AUTOFREE char *data_key = redis_key(p->id, strlen(p->id), "_buf");
    PLUGIN_AUTOFREE struct redis_args *list = calloc(3, sizeof(*list));
    p->msg_id = strdup(p->id);
    if (!meta_key || !data_key || !list || !p->msg_id)
        return no_memory(err);
    redis_args_words(&list[0], (const char *const[]){"SET", meta_key, p->meta, NULL});
    redis_args_words(&list[1], (const char *const[]){"SET", data_key, NULL});
    redis_arg_bytes(&list[1], p->data, p->size);
    redis_args_words(&list[2], (const char *const[]){"RPUSH", r->queue, p->id, NULL});
    return redis_do(r, list, 3, NULL, err);
}

/* Keep @p p. @return the results, or NULL with @p err set. */
static json_t *
keep(struct redis *r, struct parcel *p, struct stoq_error *err)
{
    if (p->size > REDIS_VALUE_MAX) {
        (void)stoq_error_set(err, STOQ_ERROR_LIMIT, -EFBIG,
                             "the payload has %zu bytes, a value of Redis at most %zu",
                             p->size, REDIS_VALUE_MAX);
        return NULL;
    }
    if ((r->stream ? keep_in_stream(r, p, err) : keep_as_keys(r, p, err)) < 0)
        return NULL;
    json_t *results = json_pack("{s:s}", "msg_id", p->msg_id);
    if (!results)
        (void)no_memory(err);
    return results;
}

int
redis_archive(void *instance, struct stoq_payload *payload,
              const struct stoq_request *request, struct stoq_reply *reply,
              unsigned flags, struct stoq_error *err)
{
    (void)request;
    (void)flags;
    struct redis *r = instance;
    struct parcel p = {.id = stoq_payload_id(payload)};
    struct stoq_error own = {0};
    p.data = stoq_payload_data(payload, &p.size);
    p.meta = json_dumps(json_object_get(stoq_payload_results(payload), "payload_meta"),
                        JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_t *results = NULL;
    if (p.meta)
        results = keep(r, &p, &own);
    else
        (void)no_memory(&own);
    free(p.meta);
    free(p.msg_id);
    if (!results)
        return stoq_error_set(err, own.kind, own.code, "%s", own.message);
    stoq_reply_results(reply, results);
    return 0;
}

/* ------------------------------------------------------------------------ source */

/* The payload in an answer to XRANGE or GET, or NULL: it is not there. */
static const redisReply *
payload_of(const struct redis *r, const redisReply *reply)
{
    if (!r->stream)
        return redis_is_string(reply) ? reply : NULL;
    const redisReply *fields = redis_at(redis_at(reply, 0), 1);
    for (size_t i = 0; redis_at(fields, i + 1); i += 2)
        if (redis_is_string(fields->element[i]) &&
            strcmp(fields->element[i]->str, "payload") == 0)
            return fields->element[i + 1];
    return NULL;
}

int
redis_get(void *instance, const json_t *task, struct stoq_reply *reply, unsigned flags,
          struct stoq_error *err)
{
    (void)flags;
    struct redis *r = instance;
    REDIS_AUTO_REPLY redisReply *answer = NULL;
    const char *id = json_string_value(json_object_get(task, "msg_id"));
    if (!id)
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, -EINVAL,
                              "the task has no msg_id");
    if (r->stream && strspn(id, "0123456789-") != strlen(id))
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, -EINVAL,
                              "msg_id %.64s is not the id of a stream entry", id);
    PLUGIN_AUTOFREE char *key = redis_key(id, strlen(id), "_buf");
    if (!key)
        return no_memory(err);
    struct redis_args a = {0};
    redis_args_words(&a, r->stream
                             ? (const char *const[]){"XRANGE", r->queue, id, id, NULL}
                             : (const char *const[]){"GET", key, NULL});
    int code = redis_do(r, &a, 1, &answer, err);
    if (code < 0)
        return code;
    const redisReply *found = payload_of(r, answer);
    if (!found)
        return 0; /* no child: not found */
    struct stoq_extract child = {STOQ_EXTRACT_HEAD, .data = found->str,
                                 .size = found->len,
                                 .extra_data = json_deep_copy(task)};
    code = stoq_reply_extract(reply, &child);
    return code < 0 ? stoq_error_set(err, STOQ_ERROR_LIMIT, code, "%.64s: %s", id,
                                     strerrordesc_np(-code))
                    : 0;
}
