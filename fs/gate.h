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
 * engine id are those of the question. A result whose mtime or ctime is within
 * STOQFS_RACY_NS of the time its scan began is not trusted for reuse (git's "racily
 * clean"): the next question scans again, and content reuse makes that cheap.
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
    enum stoq_verdict verdict; /**< also when !known: TIMEOUT after the deadline */
    struct stoq_record record;
};

typedef void (*stoqfs_answer_fn)(void *arg, const struct stoqfs_answer *answer);

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
 *         before this returns; -errno: nothing was queued, fn is not called.
 */
int stoqfs_gate_ask(struct stoqfs_gate *g, const struct stoqfs_question *q,
                    struct stoqfs_answer *now);
/** What is known of these bytes, without scanning. @return whether anything is. */
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
/** The pool's reuse function; arg is the gate. */
bool stoqfs_gate_reuse(void *arg, const uint8_t sha256[STOQ_SHA256_SIZE], char **text,
                       size_t *size);

#endif
