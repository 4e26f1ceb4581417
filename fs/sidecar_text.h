/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_SIDECAR_TEXT_H
#define STOQFS_SIDECAR_TEXT_H

/*
 * A text that was made when it was opened: what a handle of a sidecar or of a file in
 * .stoq reads, whatever happens to the result meanwhile, and also in the mirror after
 * this one. It lies with the handle (opens.h), with the attributes before it.
 */

#include <sys/stat.h>

#include "stoqfs.h"

struct stoqfs_node;

struct stoqfs_text {
    const char *data; /**< borrowed */
    size_t size;
    struct stat attr; /**< as it is opened; sidecars only */
    uint64_t unique;  /**< of the request, when it came */
};

/** Replies: open. */
void stoqfs_text_reply_open(fuse_req_t req, struct stoqfs_node *n,
                            const struct stoqfs_text *t, struct fuse_file_info *fi);
/** The attributes it was opened with. @return 0 or -errno. */
int stoqfs_text_attr(struct stoqfs *fs, const struct fuse_file_info *fi,
                     struct stat *attr);
/** Replies: buf. */
void stoqfs_text_read(fuse_req_t req, size_t size, off_t off,
                      struct fuse_file_info *fi);
/** Replies: err 0. */
void stoqfs_text_release(fuse_req_t req, struct fuse_file_info *fi);

#endif
