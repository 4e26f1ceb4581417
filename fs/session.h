/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_SESSION_H
#define STOQFS_SESSION_H

/*
 * What outlives a mirror: made by the supervisor before the first one and inherited by
 * each. Memory that both map (what the kernel was told: nodes, open files, requests
 * being executed, the answer to INIT), files in memory, and descriptors that the mirror
 * gives the supervisor to hold because nothing else leads back to their files.
 *
 * A mirror may be killed between any two instructions, so each record is filled first
 * and made valid last, with STOQFS_ORDER between. Pages in shared memory are used as
 * they are touched. Locks: those of the rooms that use a part. The supervisor reads
 * only while no mirror runs, but for `off`.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <stoq/error.h>

#include "journal.h"
#include "opens.h"

#define STOQFS_DEVS_MAX   16384U /* 14 bits of shown inode numbers */
#define STOQFS_MOUNTS_MAX 1024U
#define STOQFS_INIT_MAX   512U

/** Stores before it are made before those after it, as far as a SIGKILL goes. */
#define STOQFS_ORDER() atomic_signal_fence(memory_order_seq_cst)

struct stoqfs_shared {
    uint64_t mounted_ms; /**< stoq_now_ms() */
    uint32_t restarts;   /**< mirrors after the first */
    char off[120];       /**< why a mirror that dies cannot be replaced; see _off() */
    /* pass.c: the request INIT as it came */
    uint32_t init_size;
    char init[STOQFS_INIT_MAX];
    /* node.c */
    uint64_t generation; /**< last one given to a node */
    uint32_t dev_count;
    uint64_t devs[STOQFS_DEVS_MAX];
    /* opens.c */
    atomic_ullong texts_end; /**< where the next text goes */
    uint32_t opens_high;     /**< entries from here on were never used */
    /* journal.c */
    struct stoqfs_request running[STOQFS_RUNNING_MAX];
    struct stoqfs_request left[STOQFS_LEFT_MAX];
    struct stoqfs_open opens[STOQFS_OPENS_MAX];
};

enum stoqfs_hold {
    STOQFS_HOLD_MOUNT = 1, /**< a directory on a mount below SRC; number: its index */
    STOQFS_HOLD_NODE = 2 /**< a file without a name that is open; number: its node's */
};

struct stoqfs_held {
    enum stoqfs_hold what;
    uint32_t number;
    uint64_t id; /**< the kernel's mount id; the node's generation */
    int fd;
};

struct stoqfs_session {
    struct stoqfs_shared *shared;
    int nodes_fd; /**< node_arena.c: the slots */
    int texts_fd; /**< opens.c: what open files read that is nowhere else */
    int give[2];  /**< the supervisor's end, the mirrors' end */
    struct stoqfs_held *held;
    size_t held_count, held_room;
};

/** In the supervisor. Caller frees *out. */
int stoqfs_session_new(struct stoqfs_session **out, struct stoq_error *err);
void stoqfs_session_free(struct stoqfs_session *s);
/** A mirror that dies now takes the mount with it, since @p why. The first reason
 *  stays. Threads: any. */
void stoqfs_session_give_up(struct stoqfs_session *s, const char *why);
/** That reason, or "". */
const char *stoqfs_session_off(const struct stoqfs_session *s);

/** Mirror: have the supervisor hold @p fd (borrowed). Waits for nothing: when it cannot
 *  be told it does not hold. Threads: any. */
void stoqfs_session_hold(struct stoqfs_session *s, enum stoqfs_hold what,
                         uint32_t number, uint64_t id, int fd);
/** Mirror: it need no longer. */
void stoqfs_session_drop(struct stoqfs_session *s, enum stoqfs_hold what,
                         uint32_t number, uint64_t id);
/** Supervisor: take in what was given, when give[0] is readable. */
void stoqfs_session_collect(struct stoqfs_session *s);
#endif
