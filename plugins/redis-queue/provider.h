/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_PLUGIN_REDIS_PROVIDER_H
#define STOQ_PLUGIN_REDIS_PROVIDER_H

/*
 * One run of the provider. A message that was read stays with the server, marked as
 * ours, until its results are delivered; only then it is acknowledged. provider.c has
 * the loop, stream.c and list.c what is different in the two kinds of queue.
 *
 * Two connections: one waits for messages, the other is for everything else. All is
 * called by the provider's thread.
 */

#include "common/ledger.h"
#include "redis.h"

/** A message: the id of a stream's entry, or an element of the list. */
struct redis_message {
    size_t size;
    bool keyed; /**< list: its payload lies in keys of its own */
    char id[];  /**< size bytes and a NUL */
};

struct redis_provider;

/** A kind of queue. Each @return 0 or -errno with @p err set. */
struct redis_source {
    /** Make ready, also after a connection was lost. */
    int (*prepare)(struct redis_provider *p, struct stoq_error *err);
    /** Ask for at most @p count messages, waiting. */
    int (*ask)(struct redis_provider *p, size_t count, struct stoq_error *err);
    /** Take what the server gave: NULL or nil for nothing. */
    int (*got)(struct redis_provider *p, const redisReply *reply,
               struct stoq_error *err);
    /** Put the finds of @p e, reading it again. */
    int (*put)(struct redis_provider *p, struct ledger_entry *e,
               struct stoq_error *err);
    int (*ack)(struct redis_provider *p, const struct redis_message *m,
               struct stoq_error *err);
    /** Put aside what can never be scanned. */
    int (*give_up)(struct redis_provider *p, const struct redis_message *m,
                   struct stoq_error *err);
    /** Say that we live, and take what the dead left. */
    int (*tend)(struct redis_provider *p, struct stoq_error *err);
    /** Leave nothing behind that is not needed. */
    void (*leave)(struct redis_provider *p);
};
extern const struct redis_source redis_stream_source, redis_list_source;

struct redis_provider {
    struct redis *r;
    const struct redis_source *source;
    struct ledger ledger;
    redisContext *reader, *control; /* owned, or NULL */
    int64_t reader_id;              /* the server's number of it, 0 = not told */
    bool asked;                     /* an answer is due on the reader ... */
    uint64_t asked_ms;              /* ... since then */
    uint64_t tend_ms, connect_ms;   /* when to do so next */
    uint64_t control_ms;            /* before then the second is not opened again */
    unsigned failures;              /* in a row */
    bool prepared;
    char trouble[256]; /* last failure that was told, "" = it works */
    char *cursor;      /* stream: where claiming goes on; owned */
    char *doing, *dead, *alive, *members; /* list: keys; owned */
};

/** The entry of a message with these bytes, or NULL. */
struct ledger_entry *redis_find(const struct redis_provider *p, const char *id,
                                size_t size);
/** Add a message. NULL when memory is short. */
struct ledger_entry *redis_add(struct redis_provider *p, const char *id, size_t size);
/** A call on the second connection, which is made when it is not there. */
int redis_control(struct redis_provider *p, const struct redis_args *list, size_t count,
                  redisReply **out, struct stoq_error *err);
/** Log that @p m cannot be scanned. */
void redis_tell(const struct redis_provider *p, const struct redis_message *m,
                const char *why);
/** Whether JSON @p meta is stoQ's payload_meta: then its extra_data, else itself; new
 *  reference, {} for what is no object. */
json_t *redis_extra_data(const redisReply *meta);

#endif
