/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_GATE_H
#define STOQFS_GATE_H

/*
 * The gate: what is known of each file's bytes (hot map over the store), the scans
 * under way, and who waits for them. One entry per (dev, ino); one scan per entry at a
 * time, however many ask. A waiter holds no thread: its callback is called by whoever
 * ends the scan, by the deadline, or by an interrupt.
 *
 * A known result counts only when the identity (dev, ino, size, mtime, ctime) and the
 * engine id are those of the question: results of other engines than the one in force
 * are stale. They are shown in listings and lists, and nowhere else. A result whose
 * mtime or ctime is within STOQFS_RACY_NS of the time its scan began is not trusted for
 * reuse (git's "racily clean"): the next question scans again, and content reuse makes
 * that cheap.
 */

#include <stdbool.h>
#include <sys/stat.h>

#include "node.h"
#include "stoqfs.h"

/** Kernel timestamps advance by jiffies: 10 ms covers HZ=100. */
#define STOQFS_RACY_NS 10000000

struct stoqfs_answer {
    int status;  /**< 0; -EINTR; -ECANCELED at unmount; -errno no scan could be
                      queued */
    bool known;  /**< record is valid */
    bool stored; /**< its document is committed */
    bool ahead;  /**< nobody had asked for it until now */
    bool stale;  /**< of an engine that is not in force; stoqfs_gate_peek() only */
    enum stoq_verdict verdict; /**< also when !known: TIMEOUT after the deadline */
    struct stoq_record record;
};

typedef void (*stoqfs_answer_fn)(void *arg, const struct stoqfs_answer *answer);
typedef void (*stoqfs_ended_fn)(void *arg, uint64_t dev, uint64_t ino);

/** A question with fn must bring a descriptor. One without is a background scan: with a
 *  node or a path the file is opened when its turn comes. */
struct stoqfs_question {
    int fd;                   /**< open for reading; borrowed, duplicated when needed */
    const struct stat *st;    /**< fstat of fd, st_ino the source's own */
    struct stoqfs_node *node; /**< for the names in the document; NULL = none */
    const char
        *path; /**< path below SRC, before what node says; borrowed; NULL = none */
    enum stoq_priority priority;
    bool stored;         /**< wait until the document can be read, too */
    fuse_req_t req;      /**< interruptible by its caller; NULL = no */
    stoqfs_answer_fn fn; /**< may be NULL: nobody waits (background scan) */
    /** Without fn: the scan is ahead of anybody's wish. It brings a descriptor, begins
     *  at once or not at all, and this is called when it has ended. */
    stoqfs_ended_fn ended;
    void *arg;
};

int stoqfs_gate_new(struct stoqfs *fs, struct stoqfs_gate **out,
                    struct stoq_error *err);
/** Answers all waiters with -ECANCELED, waits for callbacks to end. Scans at the pool
 * may end later, and their results are still stored (errors are not: nobody looked): so
 *  pool, courier and store are freed after this, in that order. */
void stoqfs_gate_free(struct stoqfs_gate *g);

/**
 * Ask for the verdict on a file's present bytes, scanning them when it is not known.
 * @param now  filled when the answer is there at once.
 * @return 1 answered in @p now, fn is not called; 0 fn will be called, once, perhaps
 *         before this returns; -errno: nothing was queued, fn is not called. The same
 *         for ended, but 1 also when the file is being scanned already, and -EAGAIN
 *         when it is too young for a result that could be trusted.
 */
int stoqfs_gate_ask(struct stoqfs_gate *g, const struct stoqfs_question *q,
                    struct stoqfs_answer *now);
/** What is known of these bytes, stale or not, without scanning. @return whether
 *  anything is. */
bool stoqfs_gate_peek(struct stoqfs_gate *g, const struct stat *st,
                      struct stoqfs_answer *out);
/** The answer stoqfs_gate_ask() would give at once, without asking: unlike peek, not a
 *  racily clean one. @return whether there is one. */
bool stoqfs_gate_known(struct stoqfs_gate *g, const struct stat *st, bool stored,
                       struct stoqfs_answer *out);
/** Whether a result of this file is known, of whatever bytes. */
bool stoqfs_gate_remembers(struct stoqfs_gate *g, const struct stat *st);
/** Whether these bytes are known or being scanned: the change was the mount's own. */
bool stoqfs_gate_expects(struct stoqfs_gate *g, const struct stat *st);
/** The document of a result, from memory or from the store. *text malloc'ed, caller
 *  frees. 0 or -ENOENT (replaced or forgotten meanwhile), -ENOMEM. May block. */
int stoqfs_gate_document(struct stoqfs_gate *g, const struct stoq_record *record,
                         char **text, size_t *size);
/** A number for a flagged result: 62 bits of its scan_id, bit 62 set, bit 63 not. 0
 * when
 *  @p scan_id is not a UUID. */
uint64_t stoqfs_gate_flagged_key(const char *scan_id);
/** The flagged result with that number. */
bool stoqfs_gate_find_flagged(struct stoqfs_gate *g, uint64_t key,
                              struct stoq_record *out);
/** Forget the result of a file (a sidecar was removed, or its last link). */
void stoqfs_gate_forget(struct stoqfs_gate *g, const struct stat *st);
/** The mount changed only metadata: what is known of @p before holds for @p after. Does
 *  nothing when size or mtime differ. Also moves on a scan under way. */
void stoqfs_gate_carry(struct stoqfs_gate *g, const struct stat *before,
                       const struct stat *after);
/** Under the mount's policy: 0, or the errno (positive) a reader gets. */
int stoqfs_gate_policy(const struct stoqfs *fs, const struct stoqfs_answer *answer);
/** Waiters and entries now. */
void stoqfs_gate_stats(struct stoqfs_gate *g, uint64_t *waiting, uint64_t *entries);
/** Call @p fn for known results with @p verdict, newest first, at most @p max. */
void stoqfs_gate_foreach(struct stoqfs_gate *g, enum stoq_verdict verdict, size_t max,
                         void (*fn)(void *arg, const struct stoq_record *record),
                         void *arg);
/** Wait until no scan is queued or running and all results are stored. 0 or
 *  -ETIMEDOUT. */
int stoqfs_gate_drain(struct stoqfs_gate *g, uint64_t timeout_ms);
/** Call @p fn with the path below SRC of every scan that has not ended. 0 or -ENOMEM.
 */
int stoqfs_gate_unfinished(struct stoqfs_gate *g,
                           void (*fn)(void *arg, const char *path), void *arg);
/** From now on engine @p id is in force. Whoever asked before may be told what the one
 *  before finds, whoever asks later is not. */
void stoqfs_gate_engine(struct stoqfs_gate *g, const char *id);

/** A file with a stale result. */
struct stoqfs_stale_file {
    uint64_t dev, ino;
    int64_t time_ns; /**< of the result */
};
/** How many results are stale and not given up. */
uint64_t stoqfs_gate_stale(struct stoqfs_gate *g);
/** The newest of them that are not being scanned, newest first, at most @p max, into
 *  @p out; none while the store is being loaded. Takes the lock in short pieces.
 *  @return how many. */
size_t stoqfs_gate_stale_newest(struct stoqfs_gate *g, struct stoqfs_stale_file *out,
                                size_t max);
/** The result of a file, if it is still stale and not being scanned. */
bool stoqfs_gate_stale_record(struct stoqfs_gate *g, uint64_t dev, uint64_t ino,
                              struct stoq_record *out);
/** The file cannot be found: do not try it again until somebody asks. */
void stoqfs_gate_give_up(struct stoqfs_gate *g, uint64_t dev, uint64_t ino);
/** Whether results are still being loaded from the store. */
bool stoqfs_gate_loading(struct stoqfs_gate *g);
/** Wait until fewer than @p most scans of STOQ_PRIORITY_STALE are under way, or
 *  @p stop is set and stoqfs_gate_nudge() called. */
void stoqfs_gate_stale_wait(struct stoqfs_gate *g, unsigned most,
                            const atomic_bool *stop);
void stoqfs_gate_nudge(struct stoqfs_gate *g);
/** The pool's reuse function; arg is the gate. */
bool stoqfs_gate_reuse(void *arg, const uint8_t sha256[STOQ_SHA256_SIZE], char **text,
                       size_t *size);

#endif
