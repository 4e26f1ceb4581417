/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_DOT_H
#define STOQFS_DOT_H

/*
 * MNT/.stoq: the mount's own directory, openable, never listed. status.json, metrics
 * (Prometheus text) and flagged/ (a symlink per flagged file, named by scan_id).
 * Read-only: everything that would change it is EPERM. Every function replies. An
 * ioctl(2) on status.json asks for a reload; see util/ioc.h.
 */

#include "node.h"
#include "stoqfs.h"

#define STOQFS_DOT_NAME ".stoq"

/** Set in inode numbers shown for .stoq and what is in it. */
#define STOQFS_DOT_INO (UINT64_C(3) << 62)

/** virtual_id of the directory itself. */
#define STOQFS_DOT_ROOT 1U

/** LOOKUP of @p name in DOT node @p parent, or of ".stoq" in the root (@p parent NULL).
 *  Replies: entry | err (ENOENT). */
void stoqfs_dot_lookup(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *parent,
                       const char *name);
void stoqfs_dot_getattr(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n);
void stoqfs_dot_readlink(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n);
void stoqfs_dot_open(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n,
                     struct fuse_file_info *fi);
void stoqfs_dot_read(fuse_req_t req, size_t size, off_t off, struct fuse_file_info *fi);
void stoqfs_dot_release(fuse_req_t req, struct fuse_file_info *fi);
/** Replies: ioctl | err (ENOTTY not on status.json or unknown, EPERM neither root nor
 * the mount's owner). */
void stoqfs_dot_ioctl(struct stoqfs *fs, fuse_req_t req, const struct stoqfs_node *n,
                      unsigned cmd);
/** Names and types in directory @p n. Calls @p add for each; stops when it is false. */
void stoqfs_dot_list(struct stoqfs *fs, struct stoqfs_node *n,
                     bool (*add)(void *arg, const char *name, uint64_t ino,
                                 mode_t type),
                     void *arg);

/** The metrics in Prometheus's text format; caller frees. NULL on -ENOMEM. */
char *stoqfs_metrics(struct stoqfs *fs);
/** The status document; new tree, or NULL on -ENOMEM. See stoqfs(1), STATUS. */
json_t *stoqfs_status(struct stoqfs *fs);

#endif
