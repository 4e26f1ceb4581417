/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sending: idempotent, acknowledged by all replicas that are in sync, and waited for.
 * Whoever waits serves the reports, also those of others.
 */

#include <stdio.h>
#include <time.h>

#include "kafka.h"

/* Beyond the library's own limit for a message, after which it reports. */
#define SLACK_MS 5000
#define POLL_MS  50

/* One call's messages. A report may come when the call has gone; so both hold it. */
struct receipt {
    pthread_mutex_t lock;
    size_t holders, left;     /* guarded by lock; left: reports that are due */
    rd_kafka_resp_err_t code; /* guarded by lock: the first failure */
    struct kafka_place place; /* guarded by lock: of the last */
};

static void
let_go(struct receipt *w, size_t count)
{
    (void)pthread_mutex_lock(&w->lock);
    w->holders -= count;
    bool last = w->holders == 0;
    (void)pthread_mutex_unlock(&w->lock);
    if (!last)
        return;
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}

/* The brokers have a message, or it failed for good. */
static void
on_report(rd_kafka_t *rk, const rd_kafka_message_t *m, void *arg)
{
    struct receipt *w = m->_private;
    (void)rk;
    (void)arg;
    (void)pthread_mutex_lock(&w->lock);
    if (!w->code)
        w->code = m->err;
    w->left--;
    if (m->offset > w->place.offset || m->partition != w->place.partition)
        w->place = (struct kafka_place){m->partition, m->offset};
    (void)pthread_mutex_unlock(&w->lock);
    let_go(w, 1);
}

/* ------------------------------------------------------------------------- producers
 */

static rd_kafka_t *
make(struct kafka *k, struct stoq_error *err)
{
    char why[200] = "";
    rd_kafka_conf_t *conf = kafka_conf(k, err);
    if (!conf)
        return NULL;
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    int r = kafka_set(conf, "enable.idempotence", k->retries ? "true" : "false", err);
    if (r == 0)
        r = kafka_set(conf, "acks", "all", err);
    if (r == 0)
        r = kafka_set_number(conf, "message.send.max.retries", k->retries, err);
    if (r == 0)
        r = kafka_set_number(conf, "message.timeout.ms", k->timeout_ms, err);
    if (r == 0)
        r = kafka_set(conf, "linger.ms", "0", err);
    rd_kafka_t *rk =
        r == 0 ? rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why)) : NULL;
    if (rk)
        return rk;
    rd_kafka_conf_destroy(conf);
    (void)stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "%s", why);
    return NULL;
}

void
kafka_producer_free(struct kafka_producer *p)
{
    if (!p)
        return;
    /* what nobody waits for any more is reported, and so forgotten */
    (void)rd_kafka_purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    while (rd_kafka_outq_len(p->rk) > 0)
        (void)rd_kafka_poll(p->rk, POLL_MS);
    rd_kafka_destroy(p->rk);
    free(p);
}

static struct kafka_producer *
get_locked(struct kafka *k, struct stoq_error *err)
{
    if (!k->producer) {
        struct kafka_producer *p = calloc(1, sizeof(*p));
        if (!p) {
            (void)stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
            return NULL;
        }
        p->rk = make(k, err);
        if (!p->rk) {
            free(p);
            return NULL;
        }
        k->producer = p;
    }
    k->producer->users++;
    return k->producer;
}

/* @p is to be used no more after a failure that the library calls fatal. */
static void
put_back(struct kafka *k, struct kafka_producer *p)
{
    char why[8];
    bool dead = rd_kafka_fatal_error(p->rk, why, sizeof(why)) != 0;
    (void)pthread_mutex_lock(&k->lock);
    if (dead && !p->stale) {
        p->stale = true;
        k->producer = NULL;
    }
    bool last = --p->users == 0 && p->stale;
    (void)pthread_mutex_unlock(&k->lock);
    if (last)
        kafka_producer_free(p);
}

/* --------------------------------------------------------------------------- sending
 */

static uint64_t
now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Hand all texts to the library. */
static void
produce(const struct kafka *k, rd_kafka_t *rk, const json_t *texts, struct receipt *w)
{
    for (size_t i = 0; i < json_array_size(texts); i++) {
        const json_t *text = json_array_get(texts, i);
        rd_kafka_resp_err_t code = rd_kafka_producev(
            rk, RD_KAFKA_V_TOPIC(k->topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_VALUE((void *)(uintptr_t)json_string_value(text),
                             json_string_length(text)),
            RD_KAFKA_V_OPAQUE(w), RD_KAFKA_V_END);
        if (!code)
            continue;
        (void)pthread_mutex_lock(&w->lock);
        w->code = w->code ? w->code : code;
        w->left--;
        (void)pthread_mutex_unlock(&w->lock);
        let_go(w, 1);
    }
}

/* Wait until all is reported. @return its code. */
static rd_kafka_resp_err_t
wait_reports(const struct kafka *k, rd_kafka_t *rk, struct receipt *w,
             struct kafka_place *place)
{
    uint64_t end = now_ms() + (uint64_t)k->timeout_ms + SLACK_MS;
    for (;;) {
        (void)pthread_mutex_lock(&w->lock);
        size_t left = w->left;
        rd_kafka_resp_err_t code = w->code;
        *place = w->place;
        (void)pthread_mutex_unlock(&w->lock);
        if (left == 0)
            return code;
        if (now_ms() >= end)
            return RD_KAFKA_RESP_ERR__MSG_TIMED_OUT;
        (void)rd_kafka_poll(rk, POLL_MS);
    }
}

static int
failed(struct kafka *k, rd_kafka_resp_err_t code, struct stoq_error *err)
{
    char reason[256];
    int r = kafka_code(code);
    if (r == -EBADMSG)
        return stoq_error_set(err, STOQ_ERROR_LIMIT, r,
                              "topic %s: %s; max_message_bytes is %d", k->topic,
                              rd_kafka_err2str(code), k->max_message_bytes);
    kafka_reason(k, reason, sizeof(reason));
    if (r == -ETIMEDOUT)
        return stoq_error_set(err, STOQ_ERROR_TIMEOUT, r,
                              "topic %s: no broker took it within %d ms%s", k->topic,
                              k->timeout_ms, reason);
    return stoq_error_set(err, STOQ_ERROR_PLUGIN, r, "topic %s: %s", k->topic,
                          rd_kafka_err2str(code));
}

int
kafka_send(struct kafka *k, const json_t *texts, struct kafka_place *place,
           struct stoq_error *err)
{
    size_t count = json_array_size(texts);
    struct kafka_place where = {0};
    if (count == 0)
        return 0;
    struct receipt *w = calloc(1, sizeof(*w));
    if (!w)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    (void)pthread_mutex_init(&w->lock, NULL);
    w->holders = count + 1;
    w->left = count;
    w->place = (struct kafka_place){-1, -1};
    (void)pthread_mutex_lock(&k->lock);
    struct kafka_producer *p = get_locked(k, err);
    (void)pthread_mutex_unlock(&k->lock);
    if (!p) {
        let_go(w, count + 1);
        return err && err->code < 0 ? err->code : -EIO;
    }
    produce(k, p->rk, texts, w);
    rd_kafka_resp_err_t code = wait_reports(k, p->rk, w, &where);
    put_back(k, p);
    let_go(w, 1);
    if (code)
        return failed(k, code, err);
    kafka_up(k);
    if (place)
        *place = where;
    return 0;
}
