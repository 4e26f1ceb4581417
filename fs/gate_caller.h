/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_GATE_CALLER_H
#define STOQFS_GATE_CALLER_H

/*
 * Whether a caller that was interrupted is about to end. The kernel tells of any signal
 * that wakes a caller; but programs do not expect open(2) of a file to fail with EINTR
 * because a timer ran out or a child ended, and no disk lets it.
 *
 * Callers: gate_wait.c. No state. Threads: any. Reads /proc.
 */

#include <stdbool.h>
#include <sys/types.h>

/** @p thread: as fuse_req_ctx() tells it, 0 unknown. @return true when it has a fatal
 *  signal pending, is gone, or nothing can be learnt of it. */
bool stoqfs_caller_ends(pid_t thread);
/** The same of the text of its /proc/TID/status. */
bool stoqfs_caller_text_ends(const char *status);

#endif
