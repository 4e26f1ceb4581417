/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_OPS_IMPL_H
#define STOQFS_OPS_IMPL_H

/*
 * Shared by the families of operations: ops.c. No locks; whoever needs one has it.
 */

#include "dot.h"
#include "gate.h"
#include "journal.h"
#include "node.h"
#include "opens.h"
#include "ops.h"
#include "sidecar.h"
#include "stoqfs.h"

/** The node of a request; NULL after replying ESTALE. */
struct stoqfs_node *stoqfs_req_node(fuse_req_t req, fuse_ino_t ino);
/** The same for one that must be real; others are replied to with @p error. */
struct stoqfs_node *stoqfs_req_real(fuse_req_t req, fuse_ino_t ino, int error);

/** A directory in which names are about to change, with a borrowed descriptor. */
struct stoqfs_dir {
    struct stoqfs_node *node;
    int fd;
};
/** Fill @p d for real directory @p ino. @return 0 or -errno (EROFS, EPERM, ESTALE). */
int stoqfs_dir_enter(struct stoqfs *fs, fuse_ino_t ino, struct stoqfs_dir *d);
void stoqfs_dir_leave(struct stoqfs *fs, struct stoqfs_dir *d);
/** -EPERM when @p name is not the source's: .stoq in the root, or a sidecar's name of a
 *  regular file while nothing real is there; else 0. */
int stoqfs_name_check(struct stoqfs *fs, const struct stoqfs_dir *d, const char *name);
/** Whether @p name is one that stands for the mount's own directory. */
bool stoqfs_name_is_dot(const struct stoqfs_node *parent, const char *name);

/** A file whose metadata is about to change, its content not: what is known of its
 *  content shall hold afterwards. */
struct stoqfs_keep {
    struct stoqfs_node *node; /* pinned when found by _keep_name; NULL: not known */
    int fd;                   /* O_PATH, -1: nothing to keep */
    bool owned;               /* fd and pin */
    unsigned seq;
    struct stat before;
};
/** Begin for a node with a borrowed descriptor. */
void stoqfs_keep_node(struct stoqfs_node *n, int fd, struct stoqfs_keep *k);
/** Begin for @p name in @p d. @return 0 or -errno of finding it. */
int stoqfs_keep_name(struct stoqfs *fs, const struct stoqfs_dir *d, const char *name,
                     struct stoqfs_keep *k);
/** End; @p changed: the change was made. */
void stoqfs_keep_end(struct stoqfs *fs, struct stoqfs_keep *k, bool changed);
/** The same after a new name: nothing is carried, since rules may look at names and the
 *  document shows one; what was known is found again by content in the background. */
void stoqfs_keep_renamed(struct stoqfs *fs, struct stoqfs_keep *k, bool changed);

/** fstat of a descriptor of @p n, as shown, noted as told. @return 0 or -errno. */
int stoqfs_stat_shown(struct stoqfs *fs, struct stoqfs_node *n, int fd,
                      struct stat *st);
/** Reply with an entry of a node looked up; the lookup is undone if nobody takes it. */
void stoqfs_reply_entry(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n,
                        const struct stat *st);
/** Queue a scan of a file that was written. */
void stoqfs_scan_written(struct stoqfs *fs, struct stoqfs_node *n);

/* The operations. */
void stoqfs_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void stoqfs_op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count);
void stoqfs_op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *f);
void stoqfs_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void stoqfs_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int set,
                       struct fuse_file_info *fi);
void stoqfs_op_readlink(fuse_req_t req, fuse_ino_t ino);
void stoqfs_op_statfs(fuse_req_t req, fuse_ino_t ino);

void stoqfs_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                     dev_t rdev);
void stoqfs_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void stoqfs_op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
                       const char *name);
void stoqfs_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
                    const char *name);
void stoqfs_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void stoqfs_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void stoqfs_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
                      fuse_ino_t new_parent, const char *new_name, unsigned flags);

void stoqfs_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void stoqfs_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                      struct fuse_file_info *fi);
void stoqfs_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

void stoqfs_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                    struct fuse_file_info *fi);
void stoqfs_op_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in,
                         off_t off, struct fuse_file_info *fi);
void stoqfs_op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void stoqfs_op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
                     struct fuse_file_info *fi);
void stoqfs_op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
                         struct fuse_file_info *fi);
void stoqfs_op_copy_file_range(fuse_req_t req, fuse_ino_t in, off_t in_off,
                               struct fuse_file_info *in_fi, fuse_ino_t out,
                               off_t out_off, struct fuse_file_info *out_fi, size_t len,
                               int flags);
void /* NOLINTNEXTLINE(readability-function-size): the library's signature */
stoqfs_op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg,
                struct fuse_file_info *fi, unsigned flags, const void *in,
                size_t in_size, size_t out_size);
void stoqfs_op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
                     struct fuse_file_info *fi);

void stoqfs_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void stoqfs_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                       struct fuse_file_info *fi);
void stoqfs_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                           struct fuse_file_info *fi);
void stoqfs_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void stoqfs_op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync,
                        struct fuse_file_info *fi);

void stoqfs_op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
                        const char *value, size_t size, int flags);
void stoqfs_op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void stoqfs_op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void stoqfs_op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

#endif
