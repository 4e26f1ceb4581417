/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_SUPERVISOR_H
#define STOQFS_SUPERVISOR_H

/*
 * The supervisor: mounts, holds the mount's descriptor, starts zygote, courier and
 * mirror, and starts again what dies. It touches no payload and has one thread.
 */

#include "options.h"

/** Run until the mount has ended. Errors go to stderr and the log.
 *  @param notify_fd  told once, when the mount is usable; -1 = nobody waits.
 *  @return exit status: 0 ended cleanly, 1 the mirror failed, 2 could not start. */
int stoqfs_supervise(const struct stoqfs_options *options, int notify_fd);

#endif
