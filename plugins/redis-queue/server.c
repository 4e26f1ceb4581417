/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The server: connections with time limits, commands, and what their failures are
 * called. hiredis writes with write(2), so SIGPIPE is kept away here: whoever embeds
 * the library need not know.
 */

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "redis.h"

#define PLUGIN_CLEANUP_CONTEXT __attribute__((cleanup(context_auto)))

static void
context_auto(redisContext **c)
{
    if (*c)
        redisFree(*c);
    *c = NULL;
}

/* ------------------------------------------------------------------------ commands */

void
redis_arg_bytes(struct redis_args *a, const void *data, size_t size)
{
    if (a->count >= REDIS_ARGS_MAX)
        return;
    a->argv[a->count] = data;
    a->size[a->count++] = size;
}

void
redis_arg(struct redis_args *a, const char *text)
{
    redis_arg_bytes(a, text, strlen(text));
}

void
redis_arg_number(struct redis_args *a, int64_t number)
{
    char *text = a->numbers[a->number_count++ % 6];
    (void)snprintf(text, sizeof(a->numbers[0]), "%lld", (long long)number);
    redis_arg(a, text);
}

void
redis_args_words(struct redis_args *a, const char *const *words)
{
    for (; *words; words++)
        redis_arg(a, *words);
}

void
redis_xadd(const struct redis *r, struct redis_args *a)
{
    redis_args_words(a, (const char *const[]){"XADD", r->queue, NULL});
    if (r->maxlen > 0) {
        redis_args_words(a, (const char *const[]){"MAXLEN", "~", NULL});
        redis_arg_number(a, r->maxlen);
    }
    redis_arg(a, "*");
}

char *
redis_key(const char *id, size_t size, const char *what)
{
    char *key = malloc(size + strlen(what) + 1);
    if (!key)
        return NULL;
    memcpy(key, id, size);
    (void)strcpy(key + size, what);
    return key;
}

/* ------------------------------------------------------------------------ failures */

static int
no_memory(struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
}

/* Why @c does not work. */
static int
broken(const struct redis *r, const redisContext *c, int saved, struct stoq_error *err)
{
    if (c->err == REDIS_ERR_EOF)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ECONNRESET,
                              "%s: the server closed the connection", r->where);
    if (c->err == REDIS_ERR_IO && (saved == EAGAIN || saved == ETIMEDOUT))
        return stoq_error_set(err, STOQ_ERROR_TIMEOUT, -ETIMEDOUT,
                              "%s: no answer within %d ms", r->where, r->timeout_ms);
    int code = c->err == REDIS_ERR_IO && saved > 0 ? -saved : -EIO;
    if (c->err == REDIS_ERR_PROTOCOL)
        code = -EPROTO;
    if (c->err == REDIS_ERR_OOM)
        code = -ENOMEM;
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, code, "%s: %s", r->where,
                          c->err == REDIS_ERR_IO && saved > 0 ? strerrordesc_np(saved)
                                                              : c->errstr);
}

/* The server says no. What may be otherwise in a while is -EAGAIN. */
static int
refused(const struct redis *r, const redisReply *reply, struct stoq_error *err)
{
    static const char *const later[] = {"LOADING", "BUSY ",    "MASTERDOWN", "TRYAGAIN",
                                        "OOM ",    "READONLY", "NOREPLICAS", "MISCONF"};
    const char *text = reply->str ? reply->str : "";
    int code = -EREMOTEIO;
    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
        if (strncmp(text, later[i], strlen(later[i])) == 0)
            code = -EAGAIN;
    if (strncmp(text, "NOGROUP", 7) == 0)
        code = -ENOENT;
    if (strncmp(text, "NOAUTH", 6) == 0 || strncmp(text, "WRONGPASS", 9) == 0 ||
        strncmp(text, "NOPERM", 6) == 0)
        code = -EACCES;
    if (strncmp(text, "WRONGTYPE", 9) == 0)
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, -EINVAL,
                              "%s: key %s holds something else than a %s: %s", r->where,
                              r->queue, r->stream ? "stream" : "list", text);
    return stoq_error_set(err, STOQ_ERROR_PLUGIN, code, "%s: %s", r->where, text);
}

/* --------------------------------------------------------------------------- calls */

struct pipe_guard {
    sigset_t before;
    bool was_pending;
};

static struct pipe_guard
pipe_block(void)
{
    struct pipe_guard g;
    sigset_t pipe_set, pending;
    (void)sigemptyset(&pending);
    (void)sigpending(&pending);
    g.was_pending = sigismember(&pending, SIGPIPE) == 1;
    (void)sigemptyset(&pipe_set);
    (void)sigaddset(&pipe_set, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_set, &g.before);
    return g;
}

static void
pipe_restore(const struct pipe_guard *g)
{
    sigset_t pipe_set, pending;
    const struct timespec now = {0};
    int saved = errno;
    (void)sigpending(&pending);
    if (!g->was_pending && sigismember(&pending, SIGPIPE) == 1) {
        (void)sigemptyset(&pipe_set);
        (void)sigaddset(&pipe_set, SIGPIPE);
        (void)sigtimedwait(&pipe_set, NULL, &now);
    }
    (void)pthread_sigmask(SIG_SETMASK, &g->before, NULL);
    errno = saved;
}

int
redis_send(const struct redis *r, redisContext *c, const struct redis_args *a,
           struct stoq_error *err)
{
    int done = 0;
    if (a->count >= REDIS_ARGS_MAX)
        return stoq_error_set(err, STOQ_ERROR_LIMIT, -E2BIG, "the command is too long");
    if (redisAppendCommandArgv(c, a->count, (const char **)(uintptr_t)a->argv,
                               a->size) != REDIS_OK)
        return no_memory(err);
    const struct pipe_guard guard = pipe_block();
    errno = 0;
    while (!done && redisBufferWrite(c, &done) == REDIS_OK)
        if (!done && errno == EAGAIN) { /* SO_SNDTIMEO passed */
            c->err = REDIS_ERR_IO;
            break;
        }
    pipe_restore(&guard);
    return c->err ? broken(r, c, errno, err) : 0;
}

int
redis_answer(const struct redis *r, redisContext *c, redisReply **out,
             struct stoq_error *err)
{
    void *raw = NULL;
    errno = 0;
    if (redisGetReply(c, &raw) != REDIS_OK)
        return broken(r, c, errno, err);
    REDIS_AUTO_REPLY redisReply *reply = raw;
    if (reply->type == REDIS_REPLY_ERROR)
        return refused(r, reply, err);
    *out = PLUGIN_STEAL(&reply);
    return 0;
}

int
redis_call(const struct redis *r, redisContext *c, const struct redis_args *a,
           redisReply **out, struct stoq_error *err)
{
    REDIS_AUTO_REPLY redisReply *reply = NULL;
    int code = redis_send(r, c, a, err);
    if (code == 0)
        code = redis_answer(r, c, &reply, err);
    if (code == 0 && out)
        *out = PLUGIN_STEAL(&reply);
    return code;
}

int
redis_call_all(const struct redis *r, redisContext *c, const struct redis_args *list,
               size_t count, redisReply **out, struct stoq_error *err)
{
    REDIS_ARGS(multi, "MULTI");
    REDIS_ARGS(exec, "EXEC");
    struct stoq_error first = {0};
    REDIS_AUTO_REPLY redisReply *last = NULL;
    int code = redis_send(r, c, &multi, err);
    for (size_t i = 0; code == 0 && i < count; i++)
        code = redis_send(r, c, &list[i], err);
    if (code == 0)
        code = redis_send(r, c, &exec, err);
    if (code < 0)
        return code;
    for (size_t i = 0; i < count + 2; i++) {
        redis_reply_auto(&last);
        (void)redis_answer(r, c, &last, &first);
        if (c->err)
            break;
    }
    /* a command of the transaction that failed is an element of the answer */
    for (size_t i = 0; last && first.code == 0 && i < last->elements; i++)
        if (last->element[i]->type == REDIS_REPLY_ERROR)
            (void)refused(r, last->element[i], &first);
    if (first.code < 0)
        return stoq_error_set(err, first.kind, first.code, "%s", first.message);
    if (out)
        *out = PLUGIN_STEAL(&last);
    return 0;
}

/* --------------------------------------------------------------------- connections */

static struct timeval
limit(const struct redis *r)
{
    return (struct timeval){.tv_sec = r->timeout_ms / 1000,
                            .tv_usec = (r->timeout_ms % 1000) * 1000};
}

static int
greet(const struct redis *r, redisContext *c, struct stoq_error *err)
{
    int code = 0;
    if (r->password) {
        REDIS_ARGS(auth, "AUTH");
        if (r->user[0])
            redis_arg(&auth, r->user);
        redis_arg(&auth, r->password);
        code = redis_call(r, c, &auth, NULL, err);
    }
    if (code == 0 && r->db > 0) {
        REDIS_ARGS(select_db, "SELECT");
        redis_arg_number(&select_db, r->db);
        code = redis_call(r, c, &select_db, NULL, err);
    }
    return code;
}

int
redis_open(const struct redis *r, redisContext **out, struct stoq_error *err)
{
    errno = 0;
    PLUGIN_CLEANUP_CONTEXT redisContext *c =
        r->path[0] ? redisConnectUnixWithTimeout(r->path, limit(r))
                   : redisConnectWithTimeout(r->host, r->port, limit(r));
    int saved = errno;
    if (!c)
        return no_memory(err);
    if (c->err)
        return broken(r, c, saved, err);
    if (redisSetTimeout(c, limit(r)) != REDIS_OK)
        return broken(r, c, errno, err);
    if (!r->path[0])
        (void)redisEnableKeepAlive(c);
    int code = greet(r, c, err);
    if (code == 0)
        *out = PLUGIN_STEAL(&c);
    return code;
}

/* Whether the server still listens to an idle connection: it says nothing unasked. */
static bool
is_alive(const redisContext *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN | POLLRDHUP};
    return poll(&p, 1, 0) == 0;
}

/* The right to one connection of the pool; an idle one, or NULL. */
static int
borrow(struct redis *r, redisContext **out, struct stoq_error *err)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += r->timeout_ms / 1000 + 1;
    int code = 0;
    *out = NULL;
    (void)pthread_mutex_lock(&r->lock);
    while (code == 0 && r->idle_count == 0 && r->opened >= r->max_connections)
        code = pthread_cond_timedwait(&r->freed, &r->lock, &until);
    if (code == 0 && r->idle_count > 0)
        *out = r->idle[--r->idle_count];
    else if (code == 0)
        r->opened++;
    (void)pthread_mutex_unlock(&r->lock);
    return code ? stoq_error_set(err, STOQ_ERROR_LIMIT, -EAGAIN,
                                 "%s: all %zu connections are in use", r->where,
                                 r->max_connections)
                : 0;
}

static void
give_back(struct redis *r, redisContext *c)
{
    bool works = c && !c->err;
    if (c && !works)
        redisFree(c);
    (void)pthread_mutex_lock(&r->lock);
    if (works)
        r->idle[r->idle_count++] = c;
    else
        r->opened--;
    (void)pthread_cond_signal(&r->freed);
    (void)pthread_mutex_unlock(&r->lock);
}

int
redis_do(struct redis *r, const struct redis_args *list, size_t count, redisReply **out,
         struct stoq_error *err)
{
    redisContext *c = NULL;
    int code = borrow(r, &c, err);
    if (code < 0)
        return code;
    if (c && !is_alive(c)) {
        redisFree(c);
        c = NULL;
    }
    bool used = c;
    for (;;) {
        struct stoq_error mine = {0};
        code = c ? 0 : redis_open(r, &c, &mine);
        if (code == 0)
            code = count == 1 ? redis_call(r, c, list, out, &mine)
                              : redis_call_all(r, c, list, count, out, &mine);
        if (c && c->err && used && mine.code != -ETIMEDOUT) {
            redisFree(c);
            c = NULL;
            used = false;
            continue;
        }
        if (code < 0)
            (void)stoq_error_set(err, mine.kind, code, "%s", mine.message);
        break;
    }
    give_back(r, c);
    return code;
}
