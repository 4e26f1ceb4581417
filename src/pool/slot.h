/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_POOL_SLOT_H
#define STOQ_POOL_SLOT_H

/*
 * The inside of the pool. The pool has a fixed number of slots, each the seat of one
 * scanner process after another. slot.c is the life of a scanner, deal.c the life of a
 * job on it, loop.c the thread, pool.c the public functions.
 *
 * Lock: pool->lock guards the queue and what submitters touch; it is never held across
 * a callback or a system call that can block. Everything else is the pool thread's own.
 */

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "pool/job.h"
#include "pool/pool.h"
#include "pool/queue.h"
#include "pool/wire.h"

enum stoq_slot_state {
    STOQ_SLOT_EMPTY,    /**< no process; one is asked for at `until` */
    STOQ_SLOT_FORKING,  /**< asked the zygote for one */
    STOQ_SLOT_STARTING, /**< forked; its HELLO is awaited */
    STOQ_SLOT_IDLE,
    STOQ_SLOT_BUSY,
    STOQ_SLOT_GONE /**< died with a job; how is awaited from the zygote, till `until` */
};

struct stoq_slot {
    enum stoq_slot_state state;
    uint32_t generation;             /**< of the occupant; tells late events apart */
    uint32_t zygote;                 /**< number of the zygote it came from */
    char engine_id[STOQ_SHA256_HEX]; /**< of that zygote */
    int sock, pidfd;
    pid_t pid;
    struct stoq_job *job;
    bool hashed;       /**< it asked about reuse and was answered */
    uint64_t deadline; /**< of the job, stoq_now_ms(); 0 = none */
    uint64_t until;
    uint64_t jobs;     /**< done by this occupant */
    unsigned failures; /**< occupants in a row that died without having done a job */
    char reason[64];   /**< why it was killed, or "" */
};

/** A zygote that was replaced and whose scanners have work yet: its socket is held, for
 *  they end with it. */
struct stoq_retired {
    int fd; /**< -1 = none */
    uint32_t number;
};
#define STOQ_RETIRED_MAX 4U

struct stoq_pool {
    /* constant */
    const struct stoq_config *config;
    void (*zygote_lost)(void *arg);
    bool (*reuse)(void *arg, const uint8_t sha256[STOQ_SHA256_SIZE], char **text,
                  size_t *size);
    void *arg;
    unsigned slot_count;
    int epoll, wake;
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t idle;
    struct stoq_job_queue queue; /**< guarded by lock */
    uint64_t next_id;            /**< guarded by lock */
    uint64_t pending;            /**< jobs not ended; guarded by lock */
    bool stop;                   /**< guarded by lock */
    bool woken;                  /**< wake is signalled; guarded by lock */
    bool zygote_given;           /**< guarded by lock, as the next two */
    int new_zygote;
    char new_engine_id[STOQ_SHA256_HEX];

    /* the pool thread's */
    int zygote; /**< control socket, or -1 */
    uint32_t zygote_number;
    char engine_id[STOQ_SHA256_HEX];
    struct stoq_retired retired[STOQ_RETIRED_MAX];
    uint32_t nonce; /**< upper half of fork tokens */
    uint32_t last_generation;
    struct stoq_slot *slots;
    struct stoq_queue_list retries; /**< jobs for a fresh scanner */
    struct stoq_wire_msg msg;

    atomic_ullong queued, unfinished; /**< as queue.count and pending */
    atomic_ullong scans, reused, restarts, crashes, timeouts;
};

/** What an epoll event is about. */
enum stoq_pool_event { STOQ_EVENT_WAKE, STOQ_EVENT_ZYGOTE, STOQ_EVENT_SLOT };

/* slot.c */

/** Add @p fd to the pool's epoll set. @return 0 or -errno. */
int stoq_pool_watch(struct stoq_pool *pool, int fd, enum stoq_pool_event event,
                    uint32_t slot, uint32_t generation);
/** Ask the zygote for an occupant, if one is due by @p now. */
void stoq_slot_fill(struct stoq_pool *pool, struct stoq_slot *slot, uint64_t now);
/** The zygote's answer to that. */
void stoq_slot_forked(struct stoq_pool *pool, struct stoq_wire_msg *msg);
/** An answer came whose descriptors found no room: ask again, later. */
void stoq_slot_unreceived(struct stoq_pool *pool);
/** The zygote says how process @p pid ended. */
void stoq_slot_exited(struct stoq_pool *pool, pid_t pid, int status);
/** Something happened to the occupant: read one message, or see its end. */
void stoq_slot_event(struct stoq_pool *pool, struct stoq_slot *slot);
/** End the occupant and empty the slot, which has no job. */
void stoq_slot_clear(struct stoq_slot *slot);
/** The occupant broke the rules or died: end it, decide about its job. */
void stoq_slot_lost(struct stoq_pool *pool, struct stoq_slot *slot);
/** Same, its exit status being known. */
void stoq_slot_lost_with(struct stoq_pool *pool, struct stoq_slot *slot, int status);

/* deal.c */

/** Give @p job to the idle occupant. */
void stoq_deal_send(struct stoq_pool *pool, struct stoq_slot *slot,
                    struct stoq_job *job);
/** Handle a scanner's message in pool->msg. @return 0 or -EPROTO. */
int stoq_deal_message(struct stoq_pool *pool, struct stoq_slot *slot);
/** The deadline has passed. */
void stoq_deal_timeout(struct stoq_pool *pool, struct stoq_slot *slot);
/** The scanner died with @p job; @p status as of waitpid(2), or -1 when not known. */
void stoq_deal_crashed(struct stoq_pool *pool, struct stoq_job *job, int status,
                       const char *reason);
/** End @p job with a document that says @p text. */
void stoq_deal_fail(struct stoq_pool *pool, struct stoq_job *job,
                    enum stoq_verdict verdict, const char *text);

/* loop.c */

/** The thread. @p arg is the pool. */
void *stoq_pool_main(void *arg);
/** Fork from the zygote behind @p fd (taken) from now on. @return 0 or -errno. */
int stoq_pool_adopt(struct stoq_pool *pool, int fd, const char *engine_id);
/** Publish a count for stoq_pool_stats(). */
static inline void
stoq_pool_count(atomic_ullong *counter, uint64_t value)
{
    atomic_store_explicit(counter, value, memory_order_relaxed);
}
/** Put a job that was running back, before all others of its priority. */
void stoq_pool_requeue(struct stoq_pool *pool, struct stoq_job *job);
/** End @p job, whose outcome is filled, and count it. */
void stoq_pool_end_job(struct stoq_pool *pool, struct stoq_job *job);

#endif
