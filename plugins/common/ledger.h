/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_COMMON_LEDGER_H
#define PLUGINS_COMMON_LEDGER_H

/*
 * What a provider handed out and has to answer for: messages of a server that are to be
 * acknowledged when their results are delivered, and not before. A message may make
 * several finds; it is finished when the last of them is.
 *
 * One thread, the provider's, calls everything here; the run's threads come in by the
 * finds' `done` alone. Lock: ledger.lock, held over no call.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <stoq/plugin.h>

struct ledger;

enum ledger_state {
    LEDGER_OUT,    /**< with the run */
    LEDGER_BACK,   /**< answered */
    LEDGER_RETRY,  /**< to be put again at due_ms */
    LEDGER_ACK,    /**< finished, to be acknowledged at due_ms */
    LEDGER_GIVE_UP /**< cannot be scanned, to be put aside at due_ms */
};

/** One message. */
struct ledger_entry {
    struct ledger *ledger;
    struct ledger_entry *next;
    void *what;              /**< the provider's; let go of by ops.forget */
    enum ledger_state state; /* guarded by lock */
    unsigned parts;          /* guarded by lock: finds that are not answered */
    int code;                /* guarded by lock: the worst answer */
    unsigned attempts;       /* of this state */
    unsigned failures;       /* how often it could not be scanned */
    uint64_t due_ms;
};

/** What the provider does with a message. A failure of ack and give_up is tried again
 *  later. */
struct ledger_ops {
    /** Put its finds with ledger_put(); what fails is noted there. */
    void (*put)(void *arg, struct ledger_entry *e);
    int (*ack)(void *arg, struct ledger_entry *e);
    int (*give_up)(void *arg, struct ledger_entry *e);
    void (*forget)(void *arg, struct ledger_entry *e);
};

struct ledger {
    const struct ledger_ops *ops;
    void *arg;                            /**< of ops */
    struct stoq_queue *queue;             /**< where finds go; borrowed */
    unsigned max_attempts;                /**< before one is given up */
    int wake_fd;                          /**< readable when an answer came */
    size_t count;                         /**< entries */
    struct ledger_entry *entries, **last; /* in the order of adding */
    pthread_mutex_t lock;
};

/** @return 0 or -errno. */
int ledger_init(struct ledger *l);
/** Forget what is left. Nothing may be with the run any more. */
void ledger_fini(struct ledger *l);

/** CLOCK_MONOTONIC in ms. */
uint64_t ledger_now_ms(void);
/** A pause before try number @p attempts, from 0: doubled each time up to 30 s. */
uint64_t ledger_backoff_ms(unsigned attempts);

/** A message; @p what is taken on success. NULL when memory is short. */
struct ledger_entry *ledger_add(struct ledger *l, void *what);
/** Put a find of @p e; between ledger_begin() and ledger_end(). */
void ledger_put(struct ledger_entry *e, const struct stoq_find *find);
/** Put each member of @p tasks, an object {archiver: task} (borrowed). @return 0;
 *  -EBADMSG when it is no such object or is empty; -ENOMEM. */
int ledger_put_tasks(struct ledger_entry *e, const json_t *tasks);
/** Around the finds of a message: it is not finished before its last is put. */
void ledger_begin(struct ledger_entry *e);
/** @p code is an answer of its own: 0, or why nothing was put; -EBADMSG gives it up at
 *  once. */
void ledger_end(struct ledger_entry *e, int code);

/** Settle what came back and do what is due. @p ending: put nothing again, try each
 *  acknowledgement once. @return ms until more is due, -1 when nothing waits. */
int ledger_service(struct ledger *l, bool ending);
/** Wait for answers to all that is with the run, and settle them; without that the run
 *  would call into memory that is gone. */
void ledger_drain(struct ledger *l);

#endif
