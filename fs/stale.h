/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_STALE_H
#define STOQFS_STALE_H

/*
 * Scanning stale results again, in the background: those whose engine is not in force,
 * because rules were swapped or the mount was made under others. The newest first, only
 * while nobody else has work for the scanners, and with one scanner left free for who
 * comes. One thread; what it holds does not grow with the number of results.
 *
 * Callers: mirror, control. Threads: any.
 */

#include "stoqfs.h"

/** Start. Needs gate, pool, store and nodes. 0 or -errno. */
int stoqfs_stale_new(struct stoqfs *fs, struct stoqfs_stale **out,
                     struct stoq_error *err);
/** Rules were swapped: there is something to do. NULL allowed. */
void stoqfs_stale_wake(struct stoqfs_stale *s);
/** Stop; what is stale stays so. Before the gate is freed. NULL allowed. */
void stoqfs_stale_free(struct stoqfs_stale *s);

#endif
