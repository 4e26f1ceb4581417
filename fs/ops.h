/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_OPS_H
#define STOQFS_OPS_H

/*
 * The FUSE operations, by family: ops_entry.c (lookup, forget, attributes),
 * ops_setattr.c, ops_dir.c (directories), ops_open.c (open, create, release),
 * ops_file.c (read, write, ...), ops_name.c (make, link, remove), ops_rename.c,
 * ops_xattr.c. ops.c holds the table, INIT and what families share. Real nodes are
 * handled there; sidecar and .stoq nodes are passed on to their rooms.
 */

#include "node.h"
#include "stoqfs.h"

/** All operations; userdata of the session is struct stoqfs. */
extern const struct fuse_lowlevel_ops stoqfs_ops;

/** Take on the caller's fsuid and fsgid and umask for the current thread, so that what
 * is created is theirs, and go back. Whether the caller may do what it does was decided
 * by the kernel (default_permissions): capabilities that open paths stay, the one that
 *  keeps set-id bits does not. Without privileges only the umask changes. */
struct stoqfs_creds {
    bool active;  /* ids were changed */
    bool groups;  /* supplementary groups, too */
    bool masked;  /* umask was changed */
    mode_t umask; /* to go back to */
};
void stoqfs_creds_enter(fuse_req_t req, struct stoqfs_creds *c);
/** The same with the caller's supplementary groups, where a set-group-ID bit depends on
 *  them. Slower. @return 0, or -EPERM when they cannot be had. */
int stoqfs_creds_enter_groups(fuse_req_t req, struct stoqfs_creds *c);
/** Only as far as is needed for set-id bits to be cleared by what the caller does. */
void stoqfs_creds_enter_writer(fuse_req_t req, struct stoqfs_creds *c);
void stoqfs_creds_leave(struct stoqfs_creds *c);

/** Look up @p name in @p parent and reply with the entry (after mkdir, link...).
 *  Replies: entry | err. */
void stoqfs_reply_lookup(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *parent,
                         const char *name);
/** Fill @p e for a node that was just looked up; @p st with st_ino as shown. */
void stoqfs_fill_entry(struct stoqfs *fs, struct stoqfs_node *n, const struct stat *st,
                       struct fuse_entry_param *e);

#endif
