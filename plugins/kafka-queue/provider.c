/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The provider's loop; see provider.h. Reading goes on while messages are with the run,
 * since the group takes a reader that does not for dead; when there are enough of them
 * the partitions are paused. When the run ends what is being scanned is waited for and
 * committed.
 */

#include <poll.h>
#include <stdio.h>

#include "provider.h"

#define POLL_MS 100
#define ASK_MS  1000
/* So long nothing is read while enough is unfinished; then the partitions are paused,
 * which costs more and keeps the group content for as long as it takes. */
#define PAUSE_MS 5000

void
kafka_trouble(struct kafka_provider *p, const char *what, rd_kafka_resp_err_t code)
{
    char line[sizeof(p->trouble)];
    (void)snprintf(line, sizeof(line), "topic %s: %s: %s", p->k->topic, what,
                   rd_kafka_err2str(code));
    if (strcmp(line, p->trouble) == 0)
        return;
    memcpy(p->trouble, line, sizeof(line));
    stoq_ctx_log(p->k->ctx, STOQ_LEVEL_WARNING, "%s", line);
}

/* ---------------------------------------------------------------- ledger operations */

static void
put(void *arg, struct ledger_entry *e)
{
    const struct kafka_message *x = e->what;
    (void)arg;
    ledger_begin(e);
    /* one whose partition is another's is not scanned again */
    int r = x->lost ? 0 : kafka_put(e, x->m->payload, x->m->len);
    ledger_end(e, r == -ENOMEM ? -EAGAIN : r);
}

static int
acknowledge(void *arg, struct ledger_entry *e)
{
    struct kafka_message *x = e->what;
    (void)arg;
    x->done = true;
    return 0;
}

static int
give_up(void *arg, struct ledger_entry *e)
{
    struct kafka_provider *p = arg;
    struct kafka_message *x = e->what;
    x->done = true;
    stoq_ctx_log(p->k->ctx, STOQ_LEVEL_ERROR,
                 "topic %s, partition %d, offset %lld: it cannot be scanned and is "
                 "passed over",
                 p->k->topic, (int)x->m->partition, (long long)x->m->offset);
    return 0;
}

/* The message stays with the positions. */
static void
forget(void *arg, struct ledger_entry *e)
{
    (void)arg;
    (void)e;
}

static const struct ledger_ops ledger_ops = {put, acknowledge, give_up, forget};

/* --------------------------------------------------------------------------- library
 */

static void
on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
             rd_kafka_topic_partition_list_t *partitions, void *arg)
{
    const struct kafka *k = arg;
    struct kafka_provider *p = k->running;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        p->paused = false;
        stoq_ctx_log(k->ctx, STOQ_LEVEL_INFO, "topic %s: %d partitions are ours",
                     k->topic, partitions->cnt);
        (void)rd_kafka_assign(rk, partitions);
        return;
    }
    kafka_revoked(p, partitions);
    (void)rd_kafka_assign(rk, NULL);
}

static void
on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t code,
          rd_kafka_topic_partition_list_t *positions, void *arg)
{
    struct kafka_provider *p = ((const struct kafka *)arg)->running;
    (void)rk;
    (void)positions;
    if (!code)
        kafka_up(p->k);
    if (code && code != RD_KAFKA_RESP_ERR__NO_OFFSET) {
        kafka_trouble(p, "cannot commit", code);
        p->news = true;
    }
}

static rd_kafka_t *
make(struct kafka *k, struct stoq_error *err)
{
    char why[200] = "";
    rd_kafka_conf_t *conf = kafka_conf(k, err);
    if (!conf)
        return NULL;
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_offset_commit_cb(conf, on_commit);
    int r = kafka_set(conf, "group.id", k->group, err);
    if (r == 0)
        r = kafka_set(conf, "enable.auto.commit", "false", err);
    if (r == 0)
        r = kafka_set(conf, "enable.auto.offset.store", "false", err);
    if (r == 0)
        r = kafka_set(conf, "auto.offset.reset", "earliest", err);
    if (r == 0)
        r = kafka_set(conf, "allow.auto.create.topics", "true", err);
    if (r == 0)
        r = kafka_set_number(conf, "session.timeout.ms", k->session_timeout_ms, err);
    if (r == 0)
        r = kafka_set_number(conf, "heartbeat.interval.ms", k->heartbeat_interval_ms,
                             err);
    if (r == 0 && k->session_timeout_ms > 300000)
        r = kafka_set_number(conf, "max.poll.interval.ms", k->session_timeout_ms, err);
    rd_kafka_t *rk =
        r == 0 ? rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why)) : NULL;
    if (!rk) {
        rd_kafka_conf_destroy(conf);
        (void)stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "%s", why);
        return NULL;
    }
    (void)rd_kafka_poll_set_consumer(rk);
    return rk;
}

static bool
is_ending(const struct stoq_queue *queue)
{
    struct pollfd fd = {.fd = stoq_queue_cancel_fd(queue), .events = POLLIN};
    return poll(&fd, 1, 0) > 0;
}

/* Ask for the topic until a broker answers, the time is over, or the run ends. */
static rd_kafka_resp_err_t
ask(const struct kafka_provider *p, rd_kafka_topic_t *topic,
    const struct rd_kafka_metadata **md)
{
    uint64_t end = ledger_now_ms() + (uint64_t)p->k->timeout_ms;
    for (;;) {
        uint64_t now = ledger_now_ms();
        int left = now < end ? (int)(end - now) : 0;
        rd_kafka_resp_err_t code =
            rd_kafka_metadata(p->rk, 0, topic, md, left < ASK_MS ? left : ASK_MS);
        if (!code || left <= ASK_MS || is_ending(p->ledger.queue))
            return code;
    }
}

/* Whether a broker answers, and lets us read the topic. */
static int
check(struct kafka_provider *p, struct stoq_error *err)
{
    struct kafka *k = p->k;
    char reason[256];
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(p->rk, k->topic, NULL);
    if (!topic)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "topic %s: %s", k->topic,
                              rd_kafka_err2str(rd_kafka_last_error()));
    rd_kafka_resp_err_t code = ask(p, topic, &md);
    rd_kafka_topic_destroy(topic);
    if (code && is_ending(p->ledger.queue))
        return 0;
    if (code) {
        /* the complaints of the library come with what is read */
        rd_kafka_message_t *m = rd_kafka_consumer_poll(p->rk, 0);
        if (m)
            rd_kafka_message_destroy(m);
        kafka_reason(k, reason, sizeof(reason));
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, kafka_code(code),
                              "no broker of %s answers within %d ms%s", k->servers,
                              k->timeout_ms, reason);
    }
    rd_kafka_resp_err_t denied =
        md->topic_cnt > 0 ? md->topics[0].err : RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_metadata_destroy(md);
    return kafka_code(denied) == -EACCES
               ? stoq_error_set(err, STOQ_ERROR_SYSTEM, -EACCES, "topic %s: %s",
                                k->topic, rd_kafka_err2str(denied))
               : 0;
}

static int
subscribe(struct kafka_provider *p, struct stoq_error *err)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    (void)rd_kafka_topic_partition_list_add(topics, p->k->topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(p->rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    return code ? stoq_error_set(err, STOQ_ERROR_PLUGIN, kafka_code(code),
                                 "topic %s: %s", p->k->topic, rd_kafka_err2str(code))
                : 0;
}

/* -------------------------------------------------------------------------- the loop
 */

static void
set_paused(struct kafka_provider *p, bool pause)
{
    rd_kafka_topic_partition_list_t *ours = NULL;
    if (pause == p->paused || rd_kafka_assignment(p->rk, &ours) || !ours)
        return;
    if (pause)
        (void)rd_kafka_pause_partitions(p->rk, ours);
    else
        (void)rd_kafka_resume_partitions(p->rk, ours);
    rd_kafka_topic_partition_list_destroy(ours);
    p->paused = pause;
}

/* @return whether to read on: not, for a while, when enough is unfinished. */
static bool
throttle(struct kafka_provider *p)
{
    uint64_t now = ledger_now_ms();
    bool full = p->count >= p->k->prefetch;
    p->full_ms = full ? (p->full_ms ? p->full_ms : now) : 0;
    set_paused(p, full && now - p->full_ms >= PAUSE_MS);
    return !full || p->paused;
}

/* @p m is taken. */
static int
take(struct kafka_provider *p, rd_kafka_message_t *m, struct stoq_error *err)
{
    if (m->err) {
        kafka_trouble(p, "cannot be read", m->err);
        rd_kafka_message_destroy(m);
        return 0;
    }
    p->trouble[0] = '\0';
    kafka_up(p->k);
    struct kafka_message *x = kafka_remember(p, m);
    struct ledger_entry *e = x ? ledger_add(&p->ledger, x) : NULL;
    if (!x)
        rd_kafka_message_destroy(m);
    if (!e)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    put(p, e);
    return 0;
}

static int
loop(struct kafka_provider *p, const struct stoq_queue *queue, struct stoq_error *err)
{
    int r = 0;
    while (r == 0 && !is_ending(queue)) {
        (void)ledger_service(&p->ledger, false);
        kafka_advance(p);
        kafka_commit(p, false);
        rd_kafka_message_t *m = NULL;
        struct pollfd wake = {.fd = p->ledger.wake_fd, .events = POLLIN};
        if (throttle(p))
            m = rd_kafka_consumer_poll(p->rk, POLL_MS);
        else
            (void)poll(&wake, 1, POLL_MS);
        if (m)
            r = take(p, m, err);
    }
    return r;
}

static int
run(struct kafka_provider *p, const struct stoq_queue *queue, struct stoq_error *err)
{
    int r = check(p, err);
    if (r == 0)
        r = subscribe(p, err);
    if (r == 0) {
        stoq_ctx_log(p->k->ctx, STOQ_LEVEL_INFO, "Monitoring %s topic for messages...",
                     p->k->topic);
        r = loop(p, queue, err);
        ledger_drain(&p->ledger);
        kafka_advance(p);
        kafka_commit(p, true);
    }
    (void)rd_kafka_consumer_close(p->rk);
    return r;
}

int
kafka_ingest(void *instance, struct stoq_queue *queue, unsigned flags,
             struct stoq_error *err)
{
    (void)flags;
    struct kafka *k = instance;
    struct kafka_provider p = {.k = k,
                               .ledger = {.ops = &ledger_ops,
                                          .queue = queue,
                                          .max_attempts = k->max_attempts}};
    p.ledger.arg = &p;
    p.last = &p.first;
    int r = ledger_init(&p.ledger);
    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "eventfd: %s",
                              strerrordesc_np(-r));
    k->running = &p;
    p.rk = make(k, err);
    p.positions = rd_kafka_topic_partition_list_new(8);
    r = p.rk ? run(&p, queue, err) : -EINVAL;
    ledger_fini(&p.ledger);
    kafka_positions_fini(&p);
    if (p.rk)
        rd_kafka_destroy(p.rk);
    k->running = NULL;
    return r;
}
