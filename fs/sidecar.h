/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_SIDECAR_H
#define STOQFS_SIDECAR_H

/*
 * NAME.stoq.json: the complete result of NAME as a read-only file that is not there in
 * the source. Also the virtual user.stoq.* xattrs, which answer from the same result.
 * Every function that takes a request replies to it, perhaps later.
 */

#include "gate.h"
#include "node.h"
#include "stoqfs.h"

#define STOQFS_SIDECAR_SUFFIX ".stoq.json"

/** Whether @p name is that of a sidecar; @p base gets NAME (256 bytes). False when
 *  sidecars are off and for a sidecar's sidecar. */
bool stoqfs_sidecar_name(const struct stoqfs *fs, const char *name, char base[256]);
/** The name of @p base's sidecar; false when it would be longer than NAME_MAX. */
bool stoqfs_sidecar_of(const char *base, char name[256]);

/** LOOKUP of a name for which stoqfs_sidecar_name() holds and nothing real exists.
 *  Replies: entry | err (ENOENT no regular file NAME, EINTR, EIO, ETIMEDOUT). */
void stoqfs_sidecar_lookup(struct stoqfs *fs, fuse_req_t req,
                           struct stoqfs_node *parent, const char *base);
/** Of the newest result; scans when the file has changed. Replies: attr | err. */
void stoqfs_sidecar_getattr(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n);
/** The same through an open handle: the size is that of its snapshot. @p fi NULL = as
 *  stoqfs_sidecar_getattr(). */
void stoqfs_sidecar_fgetattr(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n,
                             struct fuse_file_info *fi);
/** Opens a snapshot. Replies: open | err (EPERM for writing, EACCES, EIO). */
void stoqfs_sidecar_open(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n,
                         struct fuse_file_info *fi);
/** Replies: buf. */
void stoqfs_sidecar_read(fuse_req_t req, size_t size, off_t off,
                         struct fuse_file_info *fi);
/** Replies: err 0. */
void stoqfs_sidecar_release(fuse_req_t req, struct fuse_file_info *fi);
/** Forget the result of file @p base in @p parent. @return 0, -ENOENT or -errno. */
int stoqfs_sidecar_unlink(struct stoqfs *fs, struct stoqfs_node *parent,
                          const char *base);
/** A number for a result that differs for every scan and carries, in its low 32 bits,
 * the size of the document: the version of a sidecar's node. */
uint64_t stoqfs_sidecar_version(const struct stoq_record *r);
/** Whether readdir lists a sidecar for a regular file with these attributes (st_ino the
 *  source's own) and name; @p name gets the sidecar's name. */
bool stoqfs_sidecar_listed(struct stoqfs *fs, const char *base, const struct stat *st,
                           char name[256]);
/** Attributes of the sidecar of a file with attributes @p base_st, if its result is
 *  stored, and the version of its node. For readdirplus. */

bool stoqfs_sidecar_attr(struct stoqfs *fs, const struct stat *base_st,
                         struct stat *out, uint64_t *version);

/** Whether @p name is in the namespace user.stoq. (masked, cannot be set). */
bool stoqfs_xattr_is_virtual(const char *name);
/** getxattr of such a name on real node @p n: verdict, sha256, scan_id, rules (engine
 *  id), sidecar. Scans when nothing is known.
 *  Replies: buf | xattr size | err (ENODATA, ERANGE, EINTR...). */
void stoqfs_xattr_get(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n,
                      const char *name, size_t size);

#endif
