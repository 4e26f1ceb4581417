/* SPDX-License-Identifier: Apache-2.0 */

/*
 * kafka-queue: a topic of Kafka brokers as provider, archiver and connector. The
 * library has threads of its own, so nothing of it is started before it is needed.
 */

#include <stdio.h>

#include "kafka.h"

static int
no_memory(struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
}

/* --------------------------------------------------------------------------- library
 */

int
kafka_set(rd_kafka_conf_t *conf, const char *name, const char *value,
          struct stoq_error *err)
{
    char why[200] = "";
    if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK)
        return 0;
    return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "%s", why);
}

int
kafka_set_number(rd_kafka_conf_t *conf, const char *name, int value,
                 struct stoq_error *err)
{
    char text[16];
    (void)snprintf(text, sizeof(text), "%d", value);
    return kafka_set(conf, name, text, err);
}

/* The library's own messages. Threads: the library's. */
static void
on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    const struct kafka *k = rd_kafka_opaque(rk);
    (void)level;
    stoq_ctx_log(k->ctx, STOQ_LEVEL_DEBUG, "%s: %s", facility, text);
}

/* What it complains of. It tries again by itself; that nobody answers is told once. */
static void
on_error(rd_kafka_t *rk, int code, const char *reason, void *arg)
{
    struct kafka *k = arg;
    (void)rk;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        if (!atomic_exchange(&k->down, true))
            stoq_ctx_log(k->ctx, STOQ_LEVEL_WARNING, "no broker of %s answers",
                         k->servers);
        return;
    }
    (void)pthread_mutex_lock(&k->lock);
    (void)snprintf(k->reason, sizeof(k->reason), "%s", reason);
    (void)pthread_mutex_unlock(&k->lock);
    stoq_ctx_log(k->ctx, STOQ_LEVEL_DEBUG, "%s", reason);
}

void
kafka_reason(struct kafka *k, char *buf, size_t size)
{
    (void)pthread_mutex_lock(&k->lock);
    (void)snprintf(buf, size, "%s%s", k->reason[0] ? ": " : "", k->reason);
    (void)pthread_mutex_unlock(&k->lock);
}

/* The operator's own properties, NAME=VALUE. */
static int
set_properties(const struct kafka *k, rd_kafka_conf_t *conf, struct stoq_error *err)
{
    const char *const *list = stoq_ctx_list(k->ctx, "properties");
    for (size_t i = 0; list[i]; i++) {
        const char *equals = strchr(list[i], '=');
        if (!equals || equals == list[i])
            return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                                  "properties: '%s' is not NAME=VALUE", list[i]);
        PLUGIN_AUTOFREE char *name = strndup(list[i], (size_t)(equals - list[i]));
        if (!name)
            return no_memory(err);
        int r = kafka_set(conf, name, equals + 1, err);
        if (r < 0)
            return r;
    }
    return 0;
}

rd_kafka_conf_t *
kafka_conf(struct kafka *k, struct stoq_error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(conf, k);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    int r = set_properties(k, conf, err);
    if (r == 0)
        r = kafka_set(conf, "bootstrap.servers", k->servers, err);
    if (r == 0)
        r = kafka_set(conf, "client.id", "stoq", err);
    if (r == 0)
        r = kafka_set_number(conf, "message.max.bytes", k->max_message_bytes, err);
    if (r == 0)
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

void
kafka_up(struct kafka *k)
{
    if (atomic_exchange(&k->down, false))
        stoq_ctx_log(k->ctx, STOQ_LEVEL_WARNING, "brokers of %s answer again",
                     k->servers);
}

int
kafka_code(rd_kafka_resp_err_t code)
{
    int c = (int)code;
    if (c == RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    if (c == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
        c == RD_KAFKA_RESP_ERR_INVALID_MSG || c == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE ||
        c == RD_KAFKA_RESP_ERR_INVALID_RECORD)
        return -EBADMSG;
    if (c == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT || c == RD_KAFKA_RESP_ERR__TIMED_OUT)
        return -ETIMEDOUT;
    if (c == RD_KAFKA_RESP_ERR__TRANSPORT || c == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
        c == RD_KAFKA_RESP_ERR__RESOLVE)
        return -ENOTCONN;
    if (c == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
        c == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
        c == RD_KAFKA_RESP_ERR__AUTHENTICATION)
        return -EACCES;
    if (c == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return -EAGAIN;
    return -EIO;
}

/* -------------------------------------------------------------------------- instance
 */

static void
plugin_close(void *instance)
{
    struct kafka *k = instance;
    if (!k)
        return;
    kafka_producer_free(k->producer);
    free(k->servers);
    (void)pthread_mutex_destroy(&k->lock);
    free(k);
}

static char *
join(const char *const *list)
{
    size_t size = 1;
    for (size_t i = 0; list[i]; i++)
        size += strlen(list[i]) + 1;
    char *text = calloc(1, size), *end = text;
    for (size_t i = 0; text && list[i]; i++)
        end = stpcpy(stpcpy(end, i ? "," : ""), list[i]);
    return text;
}

static int
read_options(struct kafka *k, struct stoq_error *err)
{
    const struct stoq_ctx *ctx = k->ctx;
    const char *group = stoq_ctx_string(ctx, "group");
    const char *topic = stoq_ctx_string(ctx, "topic");
    k->group = group ? group : "";
    k->topic = topic ? topic : "";
    k->servers = join(stoq_ctx_list(ctx, "servers"));
    k->publish_archive = stoq_ctx_bool(ctx, "publish_archive");
    k->retries = (int)stoq_ctx_int(ctx, "retries");
    k->session_timeout_ms = (int)stoq_ctx_int(ctx, "session_timeout_ms");
    k->heartbeat_interval_ms = (int)stoq_ctx_int(ctx, "heartbeat_interval_ms");
    k->timeout_ms = (int)stoq_ctx_int(ctx, "timeout_ms");
    k->max_message_bytes = (int)stoq_ctx_int(ctx, "max_message_bytes");
    k->prefetch = (unsigned)stoq_ctx_int(ctx, "prefetch");
    k->max_attempts = (unsigned)stoq_ctx_int(ctx, "max_attempts");
    if (!k->servers)
        return no_memory(err);
    if (!k->servers[0] || !k->group[0] || !k->topic[0])
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "servers, group and topic must not be empty");
    rd_kafka_conf_t *conf = kafka_conf(k, err); /* are they understood? */
    if (!conf)
        return -EINVAL;
    rd_kafka_conf_destroy(conf);
    return 0;
}

static int
plugin_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    struct kafka *k = calloc(1, sizeof(*k));
    if (!k)
        return no_memory(err);
    k->ctx = ctx;
    (void)pthread_mutex_init(&k->lock, NULL);
    int r = read_options(k, err);
    if (r < 0) {
        plugin_close(k);
        return r;
    }
    *instance = k;
    return 0;
}

static const struct stoq_option options[] = {
    {"servers", STOQ_OPTION_LIST, "127.0.0.1:9092", 0, 0,
     "Brokers to begin with, HOST:PORT, separated by commas."},
    {"topic", STOQ_OPTION_STRING, "stoq", 0, 0, "Topic to write to and to read."},
    {"group", STOQ_OPTION_STRING, "stoq", 0, 0, "Provider: the consumer group."},
    {"publish_archive", STOQ_OPTION_BOOL, "True", 0, 0,
     "Connector: send what archivers said instead of the result."},
    {"retries", STOQ_OPTION_INT, "5", 0, 1000000,
     "Times that sending is tried again; 0 also gives up idempotence."},
    {"session_timeout_ms", STOQ_OPTION_INT, "15000", 1, 3600000,
     "Provider: a reader that was silent for so long is taken for dead, in ms."},
    {"heartbeat_interval_ms", STOQ_OPTION_INT, "5000", 1, 3600000,
     "Provider: time between two signs of life, in ms."},
    {"timeout_ms", STOQ_OPTION_INT, "30000", 100, 250000,
     "Longest that sending, or finding a broker at the start, may take, in ms."},
    {"max_message_bytes", STOQ_OPTION_INT, "1000000", 1000, 1000000000,
     "Longest message, in bytes; the brokers have a bound of their own."},
    {"properties", STOQ_OPTION_LIST, NULL, 0, 0,
     "Settings of librdkafka, NAME=VALUE, separated by commas."},
    {"prefetch", STOQ_OPTION_INT, "16", 1, 1000,
     "Provider: messages that may be unfinished at a time."},
    {"max_attempts", STOQ_OPTION_INT, "3", 1, 1000,
     "Provider: pass a message over when it could not be scanned so often."},
    {NULL, STOQ_OPTION_STRING, NULL, 0, 0, NULL}};

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,         .name = KAFKA_NAME,  .thread_model = STOQ_THREAD_PARALLEL,
    .options = options,       .open = plugin_open, .close = plugin_close,
    .archive = kafka_archive, .save = kafka_save,  .ingest = kafka_ingest,
};
STOQ_PLUGIN(plugin);
