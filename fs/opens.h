/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_OPENS_H
#define STOQFS_OPENS_H

/*
 * Open files: what the kernel's handles (fi->fh) stand for. An entry is in memory that
 * outlives the mirror and says how to open the file again; beside it is what this
 * mirror has: a descriptor, or a listing. What is read through a handle and is nowhere
 * else (texts of sidecars and .stoq, listings) lies in a file in memory, too.
 *
 * A handle is an entry's number and, above it, how often that was used: a RELEASE that
 * comes a second time finds nothing.
 *
 * Lock: one, around the list of free entries. Threads: any; a handle is used by nobody
 * after its RELEASE, and in between its parts are made valid by atomics.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <stoq/error.h>

#define STOQFS_OPENS_MAX (UINT32_C(1) << 20)
#define STOQFS_TEXT_UNIT UINT64_C(4096)

struct fuse_file_info;
struct stoqfs;
struct stoqfs_node;
struct stoqfs_opens;

enum stoqfs_open_kind { STOQFS_OPEN_FILE = 1, STOQFS_OPEN_DIR, STOQFS_OPEN_TEXT };

/** In shared memory. */
struct stoqfs_open {
    atomic_ullong unique; /**< of the request that opened it */
    atomic_ullong at;     /**< its text; 0: none */
    uint64_t size;        /**< the text's; valid while at is */
    uint64_t generation;  /**< of the node */
    uint32_t node;
    uint32_t flags; /**< of open(2) */
    uint32_t uses;
    int32_t backing;   /**< of a file: the kernel's number when it is passthrough */
    atomic_uchar kind; /**< 0: free; else the rest is valid */
};

/** Entries that a mirror before this one left are there again: files are opened,
 *  counted with their nodes. Needs fs->nodes, session and pass. */
int stoqfs_opens_new(struct stoqfs *fs, struct stoqfs_opens **out,
                     struct stoq_error *err);
void stoqfs_opens_free(struct stoqfs_opens *t);

/** A handle to be made. */
struct stoqfs_opening {
    enum stoqfs_open_kind kind;
    int flags;       /**< of open(2) */
    int fd;          /**< FILE: taken when there is room; else -1 */
    int32_t backing; /**< FILE: from stoqfs_pass_begin() */
    uint64_t unique; /**< stoqfs_journal_unique() when its request came */
};
/** Make a handle of @p n. Counts nothing with the node.
 *  @return the handle, 0 when there is no room. */
uint64_t stoqfs_open_add(struct stoqfs *fs, struct stoqfs_node *n,
                         const struct stoqfs_opening *how);
/** The end of a handle: closes its descriptor, frees its text. @return whether there
 *  was such a handle. */
bool stoqfs_open_end(struct stoqfs *fs, uint64_t fh);
/** Whether the handle is in use. */
bool stoqfs_open_valid(const struct stoqfs *fs, uint64_t fh);
/** Descriptor of a FILE, borrowed; -1 when the file could not be opened again. */
int stoqfs_open_fd(const struct stoqfs *fs, const struct fuse_file_info *fi);
/** The mirror's own part of a DIR. */
void *stoqfs_open_what(const struct stoqfs *fs, uint64_t fh);
void stoqfs_open_set_what(struct stoqfs *fs, uint64_t fh, void *what);
/** The node of a handle, or NULL. */
struct stoqfs_node *stoqfs_open_node(const struct stoqfs *fs, uint64_t fh);

/** Give the handle a text, in place of the one it has. @return 0 or -errno. */
int stoqfs_open_write(struct stoqfs *fs, uint64_t fh, const void *data, size_t size);
/** Read of its text. @return bytes, fewer at its end, or -errno. */
ssize_t stoqfs_open_read(const struct stoqfs *fs, uint64_t fh, void *buf, size_t size,
                         uint64_t off);
/** Bytes of its text, 0 when it has none. */
uint64_t stoqfs_open_size(const struct stoqfs *fs, uint64_t fh);

/** The request @p unique will be executed again: what it opened before was never
 *  known to the kernel. */
void stoqfs_opens_undo(struct stoqfs *fs, uint64_t unique);

#endif
