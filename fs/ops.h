/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_OPS_H
#define STOQFS_OPS_H

/*
 * The FUSE operations, by family: ops_entry.c (lookup, forget, attributes), ops_dir.c
 * (directories), ops_file.c (open, read, write, ...), ops_name.c (create, link, rename,
 * remove), ops_xattr.c. ops.c holds the table, INIT and what families share. Real nodes
 * are handled there; sidecar and .stoq nodes are passed on to their rooms.
 */

#include "node.h"
#include "stoqfs.h"

/** All operations; userdata of the session is struct stoqfs. */
extern const struct fuse_lowlevel_ops stoqfs_ops;

/** Take on the caller's fsuid, fsgid and supplementary groups for the current thread, so
 *  that what is created is theirs; and go back. No-ops when not privileged. */
struct stoqfs_creds {
    bool active;
};
int stoqfs_creds_enter(fuse_req_t req, struct stoqfs_creds *c);
void stoqfs_creds_leave(struct stoqfs_creds *c);

/** Look up @p name in @p parent and reply with the entry (after create, mkdir, link).
 *  Replies: entry | err. */
void stoqfs_reply_lookup(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *parent,
                         const char *name);
/** Fill @p e for a node that was just looked up. */
void stoqfs_fill_entry(struct stoqfs *fs, struct stoqfs_node *n, const struct stat *st,
                       struct fuse_entry_param *e);

#endif
