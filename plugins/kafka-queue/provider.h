/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_PLUGIN_KAFKA_PROVIDER_H
#define STOQ_PLUGIN_KAFKA_PROVIDER_H

/*
 * One run of the provider. provider.c reads messages and hands them out; positions.c
 * remembers those that are not committed, in order: a partition is committed up to the
 * first message that is not finished. message.c makes finds of a message. All is called
 * by the provider's thread.
 */

#include "common/ledger.h"
#include "kafka.h"

/** A message that was read and is not committed. */
struct kafka_message {
    struct kafka_message *next; /* in the order of reading */
    rd_kafka_message_t *m;      /* owned */
    bool done;                  /* finished */
    bool lost;                  /* its partition is another reader's by now */
};

struct kafka_provider {
    struct kafka *k;
    rd_kafka_t *rk;
    struct ledger ledger;
    struct kafka_message *first, **last;
    size_t count;
    rd_kafka_topic_partition_list_t *positions; /* what is to be committed, or was */
    bool news;                                  /* some of it is new */
    bool paused;
    uint64_t full_ms;   /* since when enough is unfinished, 0 = it is not */
    uint64_t commit_ms; /* when to commit next */
    char trouble[256];  /* last failure that was told, "" = it works */
};

/* ----------------------------------------------------------------- positions.c */

/** Remember @p m (taken on success). NULL when memory is short. */
struct kafka_message *kafka_remember(struct kafka_provider *p, rd_kafka_message_t *m);
/** Forget what is finished, and note up to where that is everything. */
void kafka_advance(struct kafka_provider *p);
/** Commit what is noted and new. @p wait for the broker's answer. */
void kafka_commit(struct kafka_provider *p, bool wait);
/** These partitions are not ours any more: commit, and forget. */
void kafka_revoked(struct kafka_provider *p,
                   const rd_kafka_topic_partition_list_t *partitions);
/** Forget everything. */
void kafka_positions_fini(struct kafka_provider *p);

/* ------------------------------------------------------------------- message.c */

/** Put the finds of a message. @return 0, -EBADMSG: there is none, -ENOMEM. */
int kafka_put(struct ledger_entry *e, const void *data, size_t size);
/** Bytes of @p size characters of base64, blanks allowed; caller frees. @return 0,
 *  -EBADMSG, -ENOMEM. */
int kafka_base64(const char *text, size_t size, unsigned char **out, size_t *out_size);

/* ------------------------------------------------------------------ provider.c */

/** Tell of a failure when it is another one than before. */
void kafka_trouble(struct kafka_provider *p, const char *what,
                   rd_kafka_resp_err_t code);

#endif
