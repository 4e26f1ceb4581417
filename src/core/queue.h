/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CORE_QUEUE_H
#define STOQ_CORE_QUEUE_H

/*
 * The bounded queue between providers and what consumes their finds. Providers put with
 * the stoq_queue_put_* functions of stoq/plugin.h; the run takes with these.
 * Threads: any; the lock is inside. Puts wait while the queue is full, so a fast
 * provider cannot fill memory.
 */

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include <stoq/plugin.h>

enum stoq_item_kind {
    STOQ_ITEM_FILE,
    STOQ_ITEM_BYTES,
    STOQ_ITEM_TASK,
    STOQ_ITEM_REQUEST
};

/** Who is to be told how a find ends; nobody when done is NULL. */
struct stoq_receipt {
    void (*done)(void *arg, int code);
    void *arg;
};

/** Tell and forget: a second call does nothing. The codes are those of
 *  struct stoq_find. Hold no lock. */
void stoq_receipt_settle(struct stoq_receipt *receipt, int code);
/** What @p from was to tell is another's to tell now. */
struct stoq_receipt stoq_receipt_steal(struct stoq_receipt *from);

/** One find. Zero-initialise; fini, which settles with -ECANCELED what is not yet. */
struct stoq_queue_item {
    enum stoq_item_kind kind;
    int fd;                       /**< FILE: owned; else -1 */
    char *path;                   /**< FILE: owned, or NULL */
    unsigned char *data;          /**< BYTES: owned */
    size_t size;                  /**< BYTES: at data */
    json_t *extra_data;           /**< FILE, BYTES: owned, or NULL */
    char *archiver;               /**< TASK: owned */
    json_t *task;                 /**< TASK: owned */
    struct stoq_request *request; /**< REQUEST: owned */
    struct stoq_receipt receipt;
};

/** A queue of at most @p room (> 0) items. @return 0 or -errno. */
int stoq_queue_new(size_t room, struct stoq_queue **out, struct stoq_error *err);
/** Free the queue and what is in it. No thread may be inside. */
void stoq_queue_free(struct stoq_queue *q);
/** Take the oldest item, waiting at most @p timeout_ms (UINT64_MAX = for ever).
 *  @return 0; -ETIMEDOUT; -EPIPE empty and closed; -ECANCELED. */
int stoq_queue_take(struct stoq_queue *q, struct stoq_queue_item *out,
                    uint64_t timeout_ms);
/** All providers are done: takes drain what is there, then answer -EPIPE. */
void stoq_queue_close(struct stoq_queue *q);
/** The run is ending: every put and take answers -ECANCELED from now on, and what is in
 *  the queue is dropped. */
void stoq_queue_cancel(struct stoq_queue *q);
void stoq_queue_item_fini(struct stoq_queue_item *item);

#endif
