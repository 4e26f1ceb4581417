/* SPDX-License-Identifier: Apache-2.0 */

/* Messages that are not committed, and the positions that are; see provider.h. */

#include "provider.h"

#define COMMIT_MS 200U /* between two commits that nobody waits for */
#define WAIT_MS   5000 /* for the answer to one; the library would wait much longer */

struct kafka_message *
kafka_remember(struct kafka_provider *p, rd_kafka_message_t *m)
{
    struct kafka_message *x = calloc(1, sizeof(*x));
    if (!x)
        return NULL;
    x->m = m;
    *p->last = x;
    p->last = &x->next;
    p->count++;
    return x;
}

static void
forget(struct kafka_provider *p, struct kafka_message **at)
{
    struct kafka_message *x = *at;
    *at = x->next;
    if (!x->next)
        p->last = at;
    p->count--;
    rd_kafka_message_destroy(x->m);
    free(x);
}

static bool
same_partition(const rd_kafka_message_t *a, const rd_kafka_message_t *b)
{
    return a->partition == b->partition && a->rkt == b->rkt;
}

/* Whether a message before @x, of its partition, is not finished. */
static bool
is_held(const struct kafka_provider *p, const struct kafka_message *x)
{
    for (const struct kafka_message *y = p->first; y != x; y = y->next)
        if (!y->done && !y->lost && same_partition(y->m, x->m))
            return true;
    return false;
}

static void
note(struct kafka_provider *p, const rd_kafka_message_t *m)
{
    const char *topic = rd_kafka_topic_name(m->rkt);
    rd_kafka_topic_partition_t *at =
        rd_kafka_topic_partition_list_find(p->positions, topic, m->partition);
    if (!at)
        at = rd_kafka_topic_partition_list_add(p->positions, topic, m->partition);
    at->offset = m->offset + 1;
    p->news = true;
}

void
kafka_advance(struct kafka_provider *p)
{
    for (struct kafka_message **at = &p->first; *at;) {
        struct kafka_message *x = *at;
        if (!x->done || (!x->lost && is_held(p, x))) {
            at = &x->next;
            continue;
        }
        if (!x->lost)
            note(p, x->m);
        forget(p, at);
    }
}

/* Commit, and wait for the answer. */
static rd_kafka_resp_err_t
commit_now(const struct kafka_provider *p)
{
    rd_kafka_queue_t *answers = rd_kafka_queue_new(p->rk);
    rd_kafka_resp_err_t code =
        rd_kafka_commit_queue(p->rk, p->positions, answers, NULL, NULL);
    rd_kafka_event_t *event = code ? NULL : rd_kafka_queue_poll(answers, WAIT_MS);
    if (!code)
        code = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(answers);
    return code;
}

void
kafka_commit(struct kafka_provider *p, bool wait)
{
    uint64_t now = ledger_now_ms();
    if (!p->news || p->positions->cnt == 0 || (!wait && now < p->commit_ms))
        return;
    p->news = false;
    p->commit_ms = now + COMMIT_MS;
    rd_kafka_resp_err_t code =
        wait ? commit_now(p) : rd_kafka_commit(p->rk, p->positions, 1);
    if (code)
        kafka_trouble(p, "cannot commit", code);
    /* after a wait there is no later: it will be scanned again */
    p->news = code && !wait;
}

void
kafka_revoked(struct kafka_provider *p,
              const rd_kafka_topic_partition_list_t *partitions)
{
    kafka_advance(p);
    kafka_commit(p, true);
    for (int i = 0; i < partitions->cnt; i++) {
        const rd_kafka_topic_partition_t *gone = &partitions->elems[i];
        (void)rd_kafka_topic_partition_list_del(p->positions, gone->topic,
                                                gone->partition);
        for (struct kafka_message *x = p->first; x; x = x->next)
            if (x->m->partition == gone->partition &&
                strcmp(rd_kafka_topic_name(x->m->rkt), gone->topic) == 0)
                x->lost = true;
    }
    kafka_advance(p);
}

void
kafka_positions_fini(struct kafka_provider *p)
{
    while (p->first)
        forget(p, &p->first);
    if (p->positions)
        rd_kafka_topic_partition_list_destroy(p->positions);
}
