/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_STORE_WRITER_H
#define STOQ_STORE_WRITER_H

/*
 * The writer thread: what is queued while one commit is under way becomes the next one.
 * A commit that fails is tried again with growing pauses, its changes staying in memory
 * in their order; memory is bounded by giving up the oldest results.
 *
 * Lock: `lock`, never held across SQLite or a callback.
 */

#include <pthread.h>
#include <stdbool.h>

#include "store/ops.h"

/** Bytes queued while commits fail, and while they are merely slow. */
#define STOQ_WRITER_LIMIT      ((size_t)64 << 20)
#define STOQ_WRITER_SLOW_LIMIT ((size_t)256 << 20)

struct stoq_writer {
    struct stoq_db db;          /**< the thread's, once started */
    struct stoq_apply apply;    /**< the thread's */
    int (*ready)(void *arg);    /**< asked before each commit: 0 or -errno */
    void (*damaged)(void *arg); /**< told when the file is found damaged */
    void *arg;                  /**< of both; called on the thread */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;    /**< for the thread: something to do */
    pthread_cond_t settled; /**< for stoq_writer_sync(): a commit ended */
    /* guarded by lock */
    struct stoq_op *head, **tail; /**< queued, oldest first */
    struct stoq_op *dead;         /**< given up, callback still to be called */
    size_t bytes;                 /**< queued or being committed */
    uint64_t next_seq;
    uint64_t busy_seq; /**< oldest change being committed, 0 = none */
    int health;        /**< -errno of the last commit while commits fail */
    uint64_t failures; /**< failed commits */
    uint64_t dropped;  /**< results given up */
    uint64_t retry_ms; /**< when to try again, stoq_now_ms() */
    uint64_t pause_ms;
    bool told; /**< the log has that results are given up */
    bool kick; /**< try now */
    bool stop;
};

/** Start the thread. w->db, w->ready, w->damaged and w->arg are set, the rest is
 *  zero.
 *  On failure the caller still owns w->db. */
int stoq_writer_start(struct stoq_writer *w);
/** Commit what is queued, give up what cannot be, join the thread. The
 *  caller closes w->db. */
void stoq_writer_stop(struct stoq_writer *w);
/** Queue @p op (taken, even on failure). @return 0 or -ENOMEM. Threads: any. */
int stoq_writer_queue(struct stoq_writer *w, struct stoq_op *op);
/** See stoq_store_sync(). Threads: any but the writer. */
int stoq_writer_sync(struct stoq_writer *w);
/** See stoq_store_health(). Threads: any. */
int stoq_writer_health(struct stoq_writer *w, uint64_t *dropped);

#endif
