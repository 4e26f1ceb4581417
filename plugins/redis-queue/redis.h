/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_PLUGIN_REDIS_QUEUE_H
#define STOQ_PLUGIN_REDIS_QUEUE_H

/*
 * What the parts of the redis-queue plugin share. server.c speaks with the server,
 * connector.c and archiver.c send, provider.c reads: stream.c and list.c are the two
 * ways of doing that.
 *
 * An instance is its options and a pool of connections; calls may run at the same time.
 * Lock: redis.lock, for the pool; it is held over no call.
 */

#include <errno.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <stoq/plugin.h>
#include <stoq/stoq.h>

#include "common/auto.h"

#define REDIS_NAME "redis-queue"
/* No value of the server is longer than this. */
#define REDIS_VALUE_MAX ((size_t)512 << 20)

struct redis {
    struct stoq_ctx *ctx;
    const char *host, *path, *user, *queue, *group; /* borrowed from ctx; path or "" */
    char *password;                                 /* owned; NULL = none */
    char *consumer;                                 /* owned */
    char *where; /* owned: the server, for messages */
    int port, db;
    int timeout_ms;
    bool stream, publish_archive, delete_done;
    int64_t maxlen;
    unsigned claim_idle_ms, prefetch, max_attempts;
    size_t max_connections;
    atomic_flag told_empty; /* a result had nothing to publish */
    pthread_mutex_t lock;
    pthread_cond_t freed;
    redisContext **idle;       /* guarded by lock; owned, max_connections of them */
    size_t idle_count, opened; /* guarded by lock */
};

/* --------------------------------------------------------------------- server.c */

#define REDIS_ARGS_MAX 64

/** A command. Everything in it is borrowed until it is sent. */
struct redis_args {
    int count;
    const char *argv[REDIS_ARGS_MAX];
    size_t size[REDIS_ARGS_MAX];
    char numbers[6][24];
    unsigned number_count;
};

void redis_arg_bytes(struct redis_args *a, const void *data, size_t size);
void redis_arg(struct redis_args *a, const char *text);
void redis_arg_number(struct redis_args *a, int64_t number);
/** The command of these words, to which more may be added. */
#define REDIS_ARGS(name, ...)     \
    struct redis_args name = {0}; \
    redis_args_words(&(name), (const char *const[]){__VA_ARGS__, NULL})
void redis_args_words(struct redis_args *a, const char *const *words);

/** A connection that is authenticated and at its database. @return 0 or -errno. */
int redis_open(const struct redis *r, redisContext **out, struct stoq_error *err);
/** Send without waiting for the answer. */
int redis_send(const struct redis *r, redisContext *c, const struct redis_args *a,
               struct stoq_error *err);
/** The next answer; caller frees. One that is an error is a failure, and so is an error
 *  in the answer to EXEC. */
int redis_answer(const struct redis *r, redisContext *c, redisReply **out,
                 struct stoq_error *err);
/** Both. @p out may be NULL. */
int redis_call(const struct redis *r, redisContext *c, const struct redis_args *a,
               redisReply **out, struct stoq_error *err);
/** Commands that happen all or none; @p out, which may be NULL, is EXEC's answer. */
int redis_call_all(const struct redis *r, redisContext *c,
                   const struct redis_args *list, size_t count, redisReply **out,
                   struct stoq_error *err);
/** The same on a connection of the pool; once more on a new one when the server had
 *  closed it meanwhile. One command goes without MULTI. */
int redis_do(struct redis *r, const struct redis_args *list, size_t count,
             redisReply **out, struct stoq_error *err);

/** Element @p i of an array, or NULL. */
static inline redisReply *
redis_at(const redisReply *reply, size_t i)
{
    return reply && reply->type == REDIS_REPLY_ARRAY && i < reply->elements
               ? reply->element[i]
               : NULL;
}

static inline bool
redis_is_string(const redisReply *reply)
{
    return reply && reply->type == REDIS_REPLY_STRING;
}

static inline void
redis_reply_auto(redisReply **reply)
{
    if (*reply)
        freeReplyObject(*reply);
    *reply = NULL;
}
#define REDIS_AUTO_REPLY __attribute__((cleanup(redis_reply_auto)))

/** Begin "XADD queue [MAXLEN ~ n] *". */
void redis_xadd(const struct redis *r, struct redis_args *a);
/** "ID_what"; caller frees. */
char *redis_key(const char *id, size_t size, const char *what);

/* -------------------------------------------------------------------- operations */

int redis_save(void *instance, const struct stoq_response *response, unsigned flags,
               struct stoq_error *err);
int redis_archive(void *instance, struct stoq_payload *payload,
                  const struct stoq_request *request, struct stoq_reply *reply,
                  unsigned flags, struct stoq_error *err);
int redis_get(void *instance, const json_t *task, struct stoq_reply *reply,
              unsigned flags, struct stoq_error *err);
int redis_ingest(void *instance, struct stoq_queue *queue, unsigned flags,
                 struct stoq_error *err);

#endif
