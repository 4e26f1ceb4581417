/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_SIDECAR_ASK_H
#define STOQFS_SIDECAR_ASK_H

/*
 * A request that needs a file's result and is replied to when there is one: lookup,
 * getattr and open of sidecars, virtual xattrs.
 */

#include "gate.h"
#include "node.h"
#include "stoqfs.h"

struct stoqfs_asking {
    struct stoqfs *fs;
    fuse_req_t req;
    struct stoqfs_node *base; /**< the file; lives until the reply */
    struct stoqfs_node *n;    /**< the sidecar, if there is a node of it */
    bool stored;              /**< the document is needed */
    uint64_t unique;          /**< of the request, when it came */
    unsigned tries;           /**< left, for documents replaced while asking */
    struct stat st;           /**< of base, st_ino the source's own */
    struct fuse_file_info fi; /**< open */
    char name[32];            /**< xattr: after the prefix */
    size_t size;              /**< xattr: the caller's buffer */
    /** Replies and frees the struct. Called once, from any thread. */
    void (*end)(struct stoqfs_asking *a, const struct stoqfs_answer *answer);
};

/** @p a is taken. end() is called, perhaps before this returns. */
void stoqfs_asking_start(struct stoqfs_asking *a);
/** Positive errno for an answer with nothing known; 0 when there is a result. */
int stoqfs_asking_errno(const struct stoqfs_answer *answer);

#endif
