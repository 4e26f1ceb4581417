/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_SIDECAR_TEXT_H
#define STOQFS_SIDECAR_TEXT_H

/*
 * A text that was made when it was opened: what a handle of a sidecar or of a file in
 * .stoq reads, whatever happens to the result meanwhile. Immutable but for its count:
 * one for the handle (fi->fh), one for each read, since a RELEASE can be handled before
 * the write of the last reply has returned.
 */

#include "stoqfs.h"

struct stoqfs_text {
    char *data; /**< owned */
    size_t size;
    atomic_uint refs;
    struct stat attr; /**< as it was opened; sidecars only */
};

/** @p data (malloc'ed) is taken, even on failure. NULL on -ENOMEM. */
struct stoqfs_text *stoqfs_text_new(char *data, size_t size);
void stoqfs_text_unref(struct stoqfs_text *t);
struct stoqfs_text *stoqfs_text_of(const struct fuse_file_info *fi);
/** Replies: open. On a failed reply the text is freed: no RELEASE will come. */
void stoqfs_text_reply_open(fuse_req_t req, struct stoqfs_text *t,
                            struct fuse_file_info *fi);
/** Replies: buf. */
void stoqfs_text_read(fuse_req_t req, size_t size, off_t off,
                      struct fuse_file_info *fi);
/** Replies: err 0. */
void stoqfs_text_release(fuse_req_t req, struct fuse_file_info *fi);

#endif
