/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_MOUNT_H
#define STOQFS_MOUNT_H

/*
 * mount(2) by way of libfuse, which also knows the unprivileged way over fusermount3.
 * The supervisor holds the descriptor; the mirror gets it as /dev/fd/N.
 */

#include "options.h"

struct stoqfs_mount;

/** Mount at options->mountpoint. On failure nothing is mounted. */
int stoqfs_mount_new(const struct stoqfs_options *o, struct stoqfs_mount **out,
                     struct stoq_error *err);
/** The /dev/fuse descriptor, also when detached. Borrowed. */
int stoqfs_mount_fd(const struct stoqfs_mount *m);
/** Take the mount out of the tree; open files go on. Once is enough. */
void stoqfs_mount_detach(struct stoqfs_mount *m);
/** Unmount when that has not happened yet, and close. NULL allowed. */
void stoqfs_mount_free(struct stoqfs_mount *m);

/** Detach the mount at @p mountpoint, from a process that did not make it. Threads:
 * any. */
void stoqfs_mount_take_away(const char *mountpoint);

#endif
