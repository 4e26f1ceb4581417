/* SPDX-License-Identifier: Apache-2.0 */

/*
 * redis-queue: a Redis server as provider, archiver and connector. Nothing connects
 * before it is needed: a mount must start without its server.
 */

#include <limits.h>
#include <stdio.h>

#include "redis.h"

#define SECRET_MAX 4096

static void
plugin_close(void *instance)
{
    struct redis *r = instance;
    if (!r)
        return;
    for (size_t i = 0; i < r->idle_count; i++)
        redisFree(r->idle[i]);
    free(r->idle);
    free(r->password);
    free(r->consumer);
    free(r->where);
    (void)pthread_cond_destroy(&r->freed);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}

/* The first line of a file. */
static int
read_secret(const char *path, char **out, struct stoq_error *err)
{
    char line[SECRET_MAX];
    FILE *f = fopen(path, "re");
    if (!f)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -errno,
                              "redis_password_file %s: %s", path,
                              strerrordesc_np(errno));
    bool ok = fgets(line, sizeof(line), f);
    (void)fclose(f);
    line[ok ? strcspn(line, "\r\n") : 0] = '\0';
    if (!line[0])
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "redis_password_file %s: there is no password in it",
                              path);
    *out = strdup(line);
    return *out ? 0 : stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
}

static const char *
text(const struct stoq_ctx *ctx, const char *name)
{
    const char *value = stoq_ctx_string(ctx, name);
    return value ? value : "";
}

/* Texts that are made of others. */
static int
make_texts(struct redis *r, struct stoq_error *err)
{
    const char *password = text(r->ctx, "redis_password");
    const char *file = text(r->ctx, "redis_password_file");
    const char *consumer = text(r->ctx, "consumer");
    char host[HOST_NAME_MAX + 1] = "";
    if (password[0] && file[0])
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "redis_password and redis_password_file are both set");
    if (file[0]) {
        int code = read_secret(file, &r->password, err);
        if (code < 0)
            return code;
    }
    (void)gethostname(host, sizeof(host) - 1);
    bool ok = !password[0] || (r->password = strdup(password));
    if (consumer[0])
        ok = ok && (r->consumer = strdup(consumer));
    else
        ok = ok && asprintf(&r->consumer, "%s-%ld", host, (long)getpid()) >= 0;
    ok = ok && (r->path[0] ? asprintf(&r->where, "%s", r->path)
                           : asprintf(&r->where, "%s:%d", r->host, r->port)) >= 0;
    return ok ? 0 : stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
}

static int
read_options(struct redis *r, struct stoq_error *err)
{
    const struct stoq_ctx *ctx = r->ctx;
    const char *mode = text(ctx, "mode");
    r->host = text(ctx, "redis_host");
    r->path = text(ctx, "redis_socket");
    r->user = text(ctx, "redis_user");
    r->queue = text(ctx, "redis_queue");
    r->group = text(ctx, "group");
    r->port = (int)stoq_ctx_int(ctx, "redis_port");
    r->db = (int)stoq_ctx_int(ctx, "redis_db");
    r->timeout_ms = (int)stoq_ctx_int(ctx, "timeout_ms");
    r->maxlen = stoq_ctx_int(ctx, "maxlen");
    r->claim_idle_ms = (unsigned)stoq_ctx_int(ctx, "claim_idle_ms");
    r->prefetch = (unsigned)stoq_ctx_int(ctx, "prefetch");
    r->max_attempts = (unsigned)stoq_ctx_int(ctx, "max_attempts");
    r->max_connections = (size_t)stoq_ctx_int(ctx, "max_connections");
    r->delete_done = stoq_ctx_bool(ctx, "delete_done");
    r->stream = strcmp(mode, "stream") == 0;
    if (!r->stream && strcmp(mode, "list") != 0)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "mode: '%s' is neither list nor stream", mode);
    if (!r->queue[0] || !r->group[0])
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "redis_queue and group must not be empty");
    r->publish_archive = stoq_ctx_string(ctx, "publish_archive")
                             ? stoq_ctx_bool(ctx, "publish_archive")
                             : !r->stream;
    return make_texts(r, err);
}

static int
plugin_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    struct redis *r = calloc(1, sizeof(*r));
    pthread_condattr_t clock;
    if (!r)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    r->ctx = ctx;
    (void)pthread_mutex_init(&r->lock, NULL);
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&r->freed, &clock);
    (void)pthread_condattr_destroy(&clock);
    int code = read_options(r, err);
    if (code == 0) {
        r->idle = calloc(r->max_connections, sizeof(redisContext *));
        if (!r->idle)
            code = stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    if (code < 0) {
        plugin_close(r);
        return code;
    }
    *instance = r;
    return 0;
}

static const struct stoq_option options[] = {
    {"mode", STOQ_OPTION_STRING, "list", 0, 0,
     "What redis_queue is: list, as in stoQ 3, or stream."},
    {"redis_host", STOQ_OPTION_STRING, "127.0.0.1", 0, 0, "Name or address."},
    {"redis_port", STOQ_OPTION_INT, "6379", 1, 65535, "TCP port."},
    {"redis_socket", STOQ_OPTION_PATH, NULL, 0, 0,
     "Unix socket, used instead of host and port."},
    {"redis_queue", STOQ_OPTION_STRING, "stoq", 0, 0, "Key of the list or stream."},
    {"redis_db", STOQ_OPTION_INT, "0", 0, 1000000, "Number of the database."},
    {"redis_user", STOQ_OPTION_STRING, NULL, 0, 0, "User; not set = the default one."},
    {"redis_password", STOQ_OPTION_STRING, NULL, 0, 0,
     "Password; everybody who can see the configuration can see it."},
    {"redis_password_file", STOQ_OPTION_PATH, NULL, 0, 0,
     "File whose first line is the password."},
    {"publish_archive", STOQ_OPTION_BOOL, NULL, 0, 0,
     "Connector: send what archivers said instead of the result; not set = in list "
     "mode "
     "only."},
    {"max_connections", STOQ_OPTION_INT, "15", 1, 10000,
     "Connector and archiver: connections at a time."},
    {"timeout_ms", STOQ_OPTION_INT, "10000", 1, 100000,
     "Longest that connecting or one answer may take, in ms."},
    {"maxlen", STOQ_OPTION_INT, "0", 0, INT64_MAX,
     "Stream: trim it to about so many entries when adding; 0 = never."},
    {"group", STOQ_OPTION_STRING, "stoq", 0, 0,
     "Provider of a stream: the consumer group, made when it is not there."},
    {"consumer", STOQ_OPTION_STRING, NULL, 0, 0,
     "Provider: name of this reader, another one for each; not set = HOST-PID."},
    {"claim_idle_ms", STOQ_OPTION_INT, "60000", 100, 86400000,
     "Provider: take messages of a reader that gave no sign of life for so long, in "
     "ms."},
    {"delete_done", STOQ_OPTION_BOOL, "False", 0, 0,
     "Provider of a stream: delete entries when they are finished."},
    {"prefetch", STOQ_OPTION_INT, "16", 1, 10000,
     "Provider: messages that may be unfinished at a time."},
    {"max_attempts", STOQ_OPTION_INT, "3", 1, 1000,
     "Provider: put a message aside when it could not be scanned so often."},
    {NULL, STOQ_OPTION_STRING, NULL, 0, 0, NULL}};

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,         .name = REDIS_NAME,  .thread_model = STOQ_THREAD_PARALLEL,
    .options = options,       .open = plugin_open, .close = plugin_close,
    .archive = redis_archive, .get = redis_get,    .save = redis_save,
    .ingest = redis_ingest,
};
STOQ_PLUGIN(plugin);
