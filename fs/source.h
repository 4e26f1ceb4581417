/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_SOURCE_H
#define STOQFS_SOURCE_H

/* What the kind of filesystem below SRC means for us. Threads: any; no state. */

#include <stdbool.h>

/** Others may change it without this machine's inotify telling, and close(2) may be the
 *  first to say that a write failed. True when it cannot be found out. */
bool stoqfs_source_is_remote(int fd);
/** It is a filesystem on top of others itself. */
bool stoqfs_source_is_stacked(int fd);

#endif
