/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_GATE_IMPL_H
#define STOQFS_GATE_IMPL_H

/*
 * Inside the gate: gate.c (questions), gate_map.c (hot map), gate_load.c (store to
 * map), gate_stale.c (engines that made results), gate_scan.c (scans under way),
 * gate_feed.c (background scans that wait their turn), gate_wait.c (who waits),
 * gate_keep.c (documents on their way into the store).
 *
 * One lock for all of it, held for pointer work and for calls that only queue (store).
 * Never held over the pool, the node table, libfuse or a callback. Three threads:
 * "gate-timer" (deadlines, interrupts), "gate-keeper" (pretty documents), "gate-feeder"
 * (loads the store, then opens and submits background scans).
 *
 * Life: the gate is counted by its owner, each scan and each document being kept, since
 * pool, courier and store may call back after stoqfs_gate_free().
 */

#include <pthread.h>
#include <sys/queue.h>

#include "gate.h"

#define GATE_UUID            16U
#define GATE_CHAIN           8U /* identities one scan is followed through */
#define GATE_BACKGROUND      64U /* background scans at the pool, each with a descriptor */
#define GATE_PARKED          262144U /* background scans that wait their turn */
#define GATE_MEMORY          (UINT64_C(64) << 20) /* documents the store could not keep */
#define GATE_COARSE_NS       INT64_C(2000000000) /* file times in whole seconds or pairs */
#define GATE_SMUDGED         INT64_MIN /* ctime of stored results not to be trusted */
#define GATE_LISTS           3U
#define GATE_PIECE           4096U /* buckets looked at in a row under the lock */
#define GATE_ENGINES         64U   /* engines told apart, and two more kinds: */
#define GATE_ENGINE_GIVEN_UP 0U    /* stale, and not to be found in the background */
#define GATE_ENGINE_OTHER    1U    /* stale, of an engine that has no place */

struct gate_scan;
struct gate_keep;

/** A result in the map: a stoq_record without what all share. */
struct gate_known {
    struct stoq_identity id;
    int64_t time_ns;
    uint64_t document_size;
    uint8_t scan_id[GATE_UUID];
    uint8_t sha256[STOQ_SHA256_SIZE];
    uint8_t verdict; /* enum stoq_verdict */
    uint8_t engine;  /* that made it: index in gate.engines */
    bool valid, has_sha256, reusable;
    bool stored; /* document committed */
    bool racy;   /* answers who waited; not trusted afterwards */
    bool ahead;  /* nobody has asked for it: its sidecar is not listed */
};

/** One file. Kept while something is known of it, scanned or kept. */
struct gate_entry {
    struct gate_entry *next; /* of its bucket */
    struct gate_scan *scan;  /* under way; NULL none */
    struct gate_keep *keep;  /* its document, while it is only in memory */
    uint32_t flagged_at;     /* index + 1 in map.flagged, 0 = not in it */
    struct gate_known known; /* known.id.dev and .ino are the key, valid or not */
};

struct gate_map {
    struct gate_entry **buckets;
    size_t mask, count;
    struct gate_entry **flagged;
    size_t flagged_count, flagged_room;
};

/** The engines whose results are in the map. */
struct gate_engines {
    struct gate_engine {
        char id[STOQ_SHA256_HEX]; /* "" = free */
        uint64_t count;           /* results of it in the map */
        uint32_t since;           /* number of the swap that last put it in force */
    } items[GATE_ENGINES];
    uint8_t now;    /* in force */
    uint32_t swaps; /* counted */
};

enum gate_waiter_state { GATE_NEW, GATE_WAITING, GATE_CLAIMED };

TAILQ_HEAD(gate_waiters, gate_waiter);
TAILQ_HEAD(gate_scans, gate_scan);
TAILQ_HEAD(gate_keeps, gate_keep);

/** Somebody who asked and is not answered. Whoever claims it (under the lock) answers
 *  and frees it (without). */
struct gate_waiter {
    TAILQ_ENTRY(gate_waiter) link;     /* of list, then of the claimer's */
    TAILQ_ENTRY(gate_waiter) due_link; /* of gate.due */
    struct gate_waiters *list;         /* a scan's or a keep's */
    struct stoqfs_gate *gate;
    enum gate_waiter_state state;
    bool stored;      /* wants the document, too */
    bool late;        /* came when the scan had begun */
    bool interrupted; /* before it was linked */
    uint32_t swaps;   /* of engines, when it asked */
    bool signalled;   /* its caller may end, which nobody will tell */
    struct stoq_identity id;
    uint64_t due_ms; /* 0 = no deadline */
    fuse_req_t req;
    stoqfs_answer_fn fn;
    void *arg;
    struct stoqfs_answer answer;
};

/** A scan that waits its turn (parked) or is at the pool. */
struct gate_scan {
    TAILQ_ENTRY(gate_scan) link; /* of gate.parked */
    struct stoqfs_gate *gate;
    uint64_t dev, ino;
    struct stoqfs_node *node; /* pinned, or NULL; constant once not parked */
    char *path;               /* below SRC, as the question gave it, or NULL */
    /* the state of the file being scanned, and the ctimes it was carried through */
    uint64_t size;
    int64_t mtime_ns;
    int64_t ctimes[GATE_CHAIN];
    unsigned ctime_count;
    int64_t before_ctime; /* of the bytes read */
    bool has_before;
    int64_t begin_ns; /* realtime before the pool could look at the file */
    uint64_t due_ms;  /* parked: not before */
    uint64_t job;     /* pool's id once known */
    enum stoq_priority priority;
    bool parked, background;
    bool again;            /* changed while scanned, and nobody waits: scan once more */
    bool ahead;            /* nobody has asked for it */
    stoqfs_ended_fn ended; /* to be called once, or NULL */
    void *ended_arg;
    bool stale;    /* counted in gate.stale_scans */
    unsigned refs; /* guarded by lock */
    struct gate_waiters waiters;
};

/** A document between scan and store, or in memory since the store could not. */
struct gate_keep {
    TAILQ_ENTRY(gate_keep) link;  /* gate.keeps or gate.memory */
    TAILQ_ENTRY(gate_keep) queue; /* gate.to_print */
    struct stoqfs_gate *gate;
    struct stoq_outcome *outcome; /* until printed; one owner at a time */
    struct stoq_record record;
    char *text; /* pretty, once printed */
    size_t size;
    struct gate_waiters waiters;
    bool put;       /* at the store */
    bool forgotten; /* forget the result once it is in the store */
    bool ended;     /* the store has spoken: nobody waits for it any more */
    bool memory;    /* in gate.memory */
};

#define GATE_OWNERS 64U
struct gate_owner {
    bool known;
    uid_t uid;
    char name[48]; /* "" = no such user */
};

struct stoqfs_gate {
    struct stoqfs *fs;
    pthread_mutex_t lock;
    pthread_cond_t timer_wake, feeder_wake, keeper_wake, idle;
    pthread_t timer, feeder, keeper;
    bool timer_on, feeder_on, keeper_on; /* owner's thread only */
    atomic_uint refs;
    /* all below: guarded by lock */
    struct gate_map map;
    struct gate_engines engines;
    bool loading;     /* the map does not hold all the store's results yet */
    bool stopping;    /* no new questions; errors are not recorded */
    bool keeper_stop; /* end when nothing is left to print */
    bool keeper_gone; /* documents are put by whoever brings them */
    uint64_t waiting, scans, keeping;
    struct gate_waiters due;   /* who waits, by deadline */
    struct gate_waiters ready; /* interrupted, for the timer thread to answer */
    struct gate_scans parked[GATE_LISTS]; /* just written; discovered; stale */
    size_t parked_count;
    unsigned background;  /* at the pool */
    unsigned stale_scans; /* under way */
    struct gate_keeps keeps, memory, to_print;
    uint64_t memory_bytes;
    struct gate_owner owners[GATE_OWNERS];
};

/* ---- gate_map.c ---- */
struct stoq_identity gate_identity(const struct stat *st);
bool gate_same(const struct stoq_identity *a, const struct stoq_identity *b);
/** How much younger than its scan a file's times must be. */
int64_t gate_slack(const struct stoq_identity *id);
/** git's rule: a change after @p begin_ns cannot have left these times as they are. */
bool gate_trusted(const struct stoq_identity *id, int64_t begin_ns);
/** NULL when there is none. */
struct gate_entry *gate_find_locked(struct stoqfs_gate *g, uint64_t dev, uint64_t ino);
/** Find or make; NULL on -ENOMEM. */
struct gate_entry *gate_add_locked(struct stoqfs_gate *g, uint64_t dev, uint64_t ino);
/** Drop the entry when nothing is in it. While loading it stays and keeps out what the
 *  store has of that file. */
void gate_tidy_locked(struct stoqfs_gate *g, struct gate_entry *e);
void gate_sweep_locked(struct stoqfs_gate *g);
/** "8-4-4-4-12" to 16 bytes. 0 or -EINVAL. */
int gate_uuid_pack(const char *text, uint8_t out[GATE_UUID]);
/** @return -EINVAL when scan_id is not a UUID (then nothing is known). */
int gate_know_locked(struct stoqfs_gate *g, struct gate_entry *e,
                     const struct stoq_record *r);
void gate_unknow_locked(struct stoqfs_gate *g, struct gate_entry *e);
void gate_record(const struct stoqfs_gate *g, const struct gate_known *k,
                 struct stoq_record *out);
/** A successful answer from what is known. */
void gate_tell(const struct stoqfs_gate *g, const struct gate_known *k,
               struct stoqfs_answer *out);
int gate_map_init(struct gate_map *m);
void gate_map_fini(struct gate_map *m);

/* ---- gate_stale.c ---- */
void gate_engine_init(struct stoqfs_gate *g, const char *id);
/** The number of engine @p id. */
uint8_t gate_engine_locked(struct stoqfs_gate *g, const char *id);
const char *gate_engine_id(const struct stoqfs_gate *g, unsigned engine);
/** Whether a result is of the engine in force. */
bool gate_fresh_locked(const struct stoqfs_gate *g, const struct gate_known *k);
/** Whether @p engine is in force now, or was when swap @p asked was the last. */
bool gate_in_force_locked(const struct stoqfs_gate *g, unsigned engine, uint32_t asked);
/** One more (@p by 1) or less (-1) of the results of its engine. */
void gate_count_locked(struct stoqfs_gate *g, const struct gate_known *k, int by);
/** A stale result is not looked for in the background any more. */
void gate_give_up_locked(struct stoqfs_gate *g, struct gate_entry *e);

/* ---- gate_load.c ---- */
/** Load the store into the map, then clear loading. Blocks. */
void gate_load(struct stoqfs_gate *g);
/** While loading: what the store has of one file into the map. Blocks. */
void gate_load_one(struct stoqfs_gate *g, uint64_t dev, uint64_t ino);

/* ---- gate_wait.c ---- */
/** A waiter for @p q, its request already interruptible; NULL on -ENOMEM. */
struct gate_waiter *gate_waiter_new(struct stoqfs_gate *g,
                                    const struct stoqfs_question *q);
/** Undo: it was never linked. NULL allowed. Not with the lock. */
void gate_waiter_drop(struct gate_waiter *w);
/** @p list: a scan's or a keep's. */
void gate_wait_locked(struct gate_waiter *w, struct gate_waiters *list);
/** Move from one list to another. */
void gate_rewait_locked(struct gate_waiter *w, struct gate_waiters *list);
/** Take it for answering; the caller fills w->answer. */
void gate_claim_locked(struct gate_waiter *w, struct gate_waiters *ready);
void gate_claim_all_locked(struct gate_waiters *from, int status,
                           struct gate_waiters *ready);
/** Answer and free all of them. Not with the lock. */
void gate_answer(struct stoqfs_gate *g, struct gate_waiters *ready);
void *gate_timer_main(void *arg);

/* ---- gate_scan.c ---- */
/** A scan for @p q, not linked anywhere. 0 or -ENOMEM. */
int gate_scan_new(struct stoqfs_gate *g, const struct stoqfs_question *q,
                  struct gate_scan **out);
/** Not with the lock. NULL allowed. */
void gate_scan_unref(struct gate_scan *scan);
/** The state being scanned is now @p id, whatever it was. */
void gate_scan_base_locked(struct gate_scan *scan, const struct stoq_identity *id);
/** Position of @p id's ctime in the chain, -1 when it is another state. */
int gate_scan_index_locked(const struct gate_scan *scan,
                           const struct stoq_identity *id);
/** It leaves the parked ones, if it was there, and gate_scan_submit() must follow, for
 *  which a reference is taken. */
void gate_scan_begin_locked(struct gate_scan *scan);
/** Somebody asks for what may have been scanned ahead. */
static inline void
gate_scan_asked_locked(struct gate_scan *scan)
{
    scan->ahead = false;
}
/** Hand a begun scan to the pool; @p fd taken, or -errno of getting it: then those who
 *  wait are told. Not with the lock. */
void gate_scan_submit(struct gate_scan *scan, int fd);
/** A parked or begun scan that ends without a result: detach it from its file. The
 *  caller has seen to those who wait, and unrefs it once (once more when begun). */
void gate_scan_detach_locked(struct gate_scan *scan);

/* ---- gate_feed.c ---- */
void gate_park_locked(struct gate_scan *scan);
void gate_unpark_locked(struct gate_scan *scan);
void *gate_feeder_main(void *arg);

/* ---- gate_names.c ---- */
/** Owned by the caller: fini. */
struct gate_names {
    char *path, *dir; /* absolute; NULL unknown */
    const char *name; /* in path */
    char owner[48];   /* "" unknown */
};
void gate_names_get(const struct gate_scan *scan, uid_t uid, struct gate_names *out);
void gate_names_fini(struct gate_names *n);

/* ---- gate_keep.c ---- */
/** NULL on -ENOMEM. Not counted until gate_keep_enter_locked(). */
struct gate_keep *gate_keep_new(struct stoqfs_gate *g);
/** One that was not entered. NULL allowed. */
void gate_keep_drop(struct gate_keep *keep);
/** Keep the document of @p record, to be given to gate_keep_start(). */
void gate_keep_enter_locked(struct gate_keep *keep, const struct stoq_record *record);
/** Whether its document is read from memory: the store gave it up, or cannot commit
 * now, so that waiting for it would be for who knows how long. NULL allowed. */
bool gate_keep_readable_locked(struct stoqfs_gate *g, const struct gate_keep *keep);
/** The entry's document is no longer of interest. Frees it when it was in memory. */
void gate_keep_detach_locked(struct gate_entry *e);
/** Archivers, decorators, printing, store; @p outcome taken, @p fd borrowed. Not with
 *  the lock. */
void gate_keep_start(struct gate_keep *keep, struct stoq_outcome *outcome, int fd);
void *gate_keeper_main(void *arg);
/** A document in memory that may be reused for equal content. */
bool gate_keep_reuse(struct stoqfs_gate *g, const uint8_t sha256[STOQ_SHA256_SIZE],
                     char **text, size_t *size);

/** Not with the lock. */
void gate_unref(struct stoqfs_gate *g);

#endif
