/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_WATCH_H
#define STOQFS_WATCH_H

/*
 * inotify on the source tree, in a thread of its own: changes made behind the mount
 * invalidate what the kernel caches and queue background scans. Correctness never
 * depends on it: the gate checks identities itself.
 */

#include "stoqfs.h"

/** Start watching (the tree is walked in the background). -errno when inotify cannot be
 *  had at all; reaching the watch limit only degrades. */
int stoqfs_watch_new(struct stoqfs *fs, struct stoqfs_watch **out,
                     struct stoq_error *err);
/** Stop the thread. */
void stoqfs_watch_free(struct stoqfs_watch *w);
/** {"directories": n, "complete": bool, "limit_reached": bool, "overflows": n}; new. */
json_t *stoqfs_watch_status(struct stoqfs_watch *w);

#endif
