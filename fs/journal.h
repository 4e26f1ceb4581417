/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_JOURNAL_H
#define STOQFS_JOURNAL_H

/*
 * Requests being executed, in memory that outlives the mirror. When a mirror dies, the
 * kernel sends again what was not answered. What must not be done twice (making,
 * linking, removing and renaming names, appending) is looked up here:
 *
 *   - it was done, only the answer was not sent: the answer is here, and is sent;
 *   - it was begun: what was noted before, compared with the source now, tells whether
 *     it was done (the operations ask, by the calls below);
 *   - it is not here: it was never begun.
 *
 * A request that was being executed when STOQFS_DEADLY mirrors died is answered EIO.
 *
 * One record per thread, used by it alone. Requests that wait without a thread (for a
 * scan) have none: they change nothing and are blamed for nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define STOQFS_RUNNING_MAX 256U
#define STOQFS_LEFT_MAX    512U
#define STOQFS_REPLY_MAX   208U
#define STOQFS_DEADLY      3U

struct stoqfs_session;
struct stoqfs_journal;

/** In shared memory. */
struct stoqfs_request {
    uint64_t unique; /**< without the mark; 0: none */
    uint32_t opcode;
    uint32_t crashes;    /**< mirrors that died while they executed it */
    uint32_t reply_size; /**< the answer is in reply; 0: not yet */
    bool taken;          /**< a thread's, in this mirror */
    bool absent;         /**< the name to be made was not there */
    bool noted;          /**< the rest is valid */
    uint64_t dev, ino;   /**< of what is moved or removed */
    uint64_t dev2, ino2; /**< of what is in its new place */
    uint64_t size;       /**< of the file to be appended to */
    uint8_t reply[STOQFS_REPLY_MAX];
};

/** What the mirror before left becomes what may come again. */
int stoqfs_journal_new(struct stoqfs_session *s, struct stoqfs_journal **out);
void stoqfs_journal_free(struct stoqfs_journal *j);

enum stoqfs_begun {
    STOQFS_EXECUTE,  /**< for the first time, or it does no harm */
    STOQFS_AGAIN,    /**< it was being executed before */
    STOQFS_ANSWERED, /**< the answer is in *reply: not to be executed */
};
/** This thread has read the request @p buf. @p reply: STOQFS_REPLY_MAX bytes, with
 *  *size. */
enum stoqfs_begun stoqfs_journal_begin(struct stoqfs_journal *j, const char *buf,
                                       size_t n, uint8_t *reply, size_t *size);
/** This thread is about to send an answer, which is kept if it is to its request.
 *  @return whether it is: then call stoqfs_journal_end() when it was sent. */
bool stoqfs_journal_reply(const struct iovec *iov, int count);
/** This thread has left its request to another, or ended it. */
void stoqfs_journal_end(void);
/** The request this thread executes, 0 outside of one. */
uint64_t stoqfs_journal_unique(void);

/* ---- for operations, about the request of this thread; no-ops outside of one ---- */

/** Before making @p name in @p dir. */
void stoqfs_note_make(int dir, const char *name);
/** Before making or removing the extended attribute @p name of @p path. */
void stoqfs_note_xattr(const char *path, const char *name);
/** It failed with @p r. @return 0 when that is because it was made before, else @p r.
 */
int stoqfs_made_before(int r);
/** Before removing or moving @p st, @p other being in the new place or NULL. */
void stoqfs_note_move(const struct stat *st, const struct stat *other);
/** Whether a name that is not there any more was removed before. */
bool stoqfs_removed_before(void);
/** Whether what was noted is @p name in @p dir now: it was moved before. With @p swap,
 *  what was in its place is @p swap_name in @p swap_dir. */
bool stoqfs_moved_before(int dir, const char *name);
bool stoqfs_swapped_before(int from, const char *name, int to, const char *new_name);
/** Before appending @p data to @p fd. @return how many of its bytes were appended
 *  before. */
size_t stoqfs_appended_before(int fd, const void *data, size_t size);
/** Whether the request was being executed before. */
bool stoqfs_is_again(void);

#endif
