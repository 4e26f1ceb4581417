/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_CACHE_H
#define STOQFS_CACHE_H

/*
 * For how long the kernel may believe what it was told of names and attributes.
 *
 * While the watch vouches for the whole tree (all of it is watched, no event was lost,
 * and the kernel can be told that all names are to be looked up again), it may for a
 * day: whatever changes behind the mount is told by an event. Otherwise it may for a
 * second, and with coherence=strict not at all. Sidecars change with their files: they
 * are believed only while the watch vouches, and their names are looked up again when a
 * result has come or a file has gone.
 *
 * Directories' listings are kept while the directory's own times and the results of the
 * files in it are what they were; that is checked at each opendir, not vouched for.
 *
 * Callers: ops, sidecar, watch, gate. State: atomics. Threads: any.
 */

#include <sys/stat.h>

#include "stoqfs.h"

struct stoqfs_node;

/** Seconds for the names of real nodes. */
double stoqfs_cache_time(const struct stoqfs *fs);
/** Seconds for their attributes @p st. A file with several names may be changed by one
 *  that is not in SRC, and loses one without an event: a second at most. */
double stoqfs_cache_attr_time(const struct stoqfs *fs, const struct stat *st);
/** Seconds for the sidecar of @p base that shows result @p version. Ask after its node
 *  was made: changes from then on are told by stoqfs_cache_stale(). */
double stoqfs_cache_sidecar_time(struct stoqfs *fs, struct stoqfs_node *base,
                                 uint64_t version);

/** The watch vouches, or no longer does: then all that is known is dropped. */
void stoqfs_cache_vouch(struct stoqfs *fs, bool yes);
/** Have the kernel drop all names and attributes it was told. */
void stoqfs_cache_drop(struct stoqfs *fs);
/** Have the kernel look all names up again. @return false when it cannot be told (Linux
 *  before 6.16). Waits for nothing. */
bool stoqfs_cache_new_epoch(struct stoqfs *fs);

/** What the sidecars of file @p n show may be out of date, or their name. */
void stoqfs_cache_stale(struct stoqfs *fs, struct stoqfs_node *n);
/** Rules were swapped: all sidecars may be out of date. */
void stoqfs_cache_swapped(struct stoqfs *fs);
/** A result of the file was stored: its directory lists one more. */
void stoqfs_cache_stored(struct stoqfs *fs, uint64_t dev, uint64_t ino);
/** A directory is opened. @return whether the listing that the kernel has is right. */
bool stoqfs_cache_listing(struct stoqfs *fs, struct stoqfs_node *dir,
                          const struct stat *st);

#endif
