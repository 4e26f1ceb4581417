/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_READAHEAD_H
#define STOQFS_READAHEAD_H

/*
 * Read-ahead scanning: a reader that goes through a tree waits for one scan after
 * another, while other cores have nothing to do. Its next files are guessed from its
 * last ones and scanned before it asks.
 *
 * A cold open that comes next to the one before it, in one of the orders programs read
 * in, begins a stream: a walk through the tree behind that file. A few files ahead are
 * opened (regular ones, of moderate size, without links or mounts in the way, whose
 * bytes are not known) and scanned behind everything that somebody waits for, fewer at
 * a time than there are scanners. Each open that was foreseen moves the stream on; none
 * for a while ends it, and what was not begun is dropped.
 *
 * The results are as all others, but their sidecars are listed only once somebody has
 * asked for the file: who sees nothing but the speed sees what was there before.
 *
 * Lock: its own, held for list work only. Thread: "read-ahead" lists directories and
 * opens files; scans are begun by whoever notices that one may be.
 */

#include "stoqfs.h"

struct stoqfs_readahead;

/** -o readahead: files ahead of a reader; 0 = off. */
#define STOQFS_READAHEAD_AUTO UINT_MAX
#define STOQFS_READAHEAD_MAX  32U

/** @return 0 with *out NULL when it is off or there is one scanner only; -errno. Takes
 *  effect with stoqfs_readahead_opened(). */
int stoqfs_readahead_new(struct stoqfs *fs, struct stoqfs_readahead **out,
                         struct stoq_error *err);
/** Begin nothing more; join the thread. Before the gate ends. NULL allowed. */
void stoqfs_readahead_stop(struct stoqfs_readahead *r);
/** After the pool has ended. NULL allowed. */
void stoqfs_readahead_free(struct stoqfs_readahead *r);
/** A file was opened for reading; @p cold: its verdict was not known. Costs next to
 *  nothing unless it is cold or somebody is being read ahead of. NULL allowed.
 *  Threads: any. Blocks: no. */
void stoqfs_readahead_opened(struct stoqfs_readahead *r, uint64_t dev, uint64_t ino,
                             bool cold);

#endif
