/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_PENDING_H
#define STOQFS_PENDING_H

/*
 * Scans that were due when the mount ended, kept in STATE/pending for the next start:
 * what was written is scanned, even when nobody opens it again.
 * Threads: the mirror's first.
 */

#include "stoqfs.h"

/** Write down what the gate has not ended. @return how many, or -errno. */
int stoqfs_pending_save(struct stoqfs *fs);
/** Queue what was written down. */
void stoqfs_pending_load(struct stoqfs *fs);
/** What was queued was scanned, or is written down again. */
void stoqfs_pending_done(struct stoqfs *fs);

#endif
