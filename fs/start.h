/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_START_H
#define STOQFS_START_H

/*
 * From the command to a running mount: goes into the background (unless -f), relays
 * what the daemon says until the mount is usable, and returns the exit status then.
 */

#include "options.h"

/** Start; with -f this returns when the mount has ended. @return an exit status. */
int stoqfs_start(const struct stoqfs_options *options);

#endif
