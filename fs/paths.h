/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_PATHS_H
#define STOQFS_PATHS_H

/*
 * The directories of a mount: made absolute, given defaults, and kept apart. A mount
 * must never read or write through itself, nor scan its own store.
 */

#include "options.h"

/** $STOQ_HOME/@p name, else ~/.stoq/NAME; NULL when neither is set. Caller frees. */
char *stoqfs_path_home(const char *name);
/** Make source, mountpoint and state_dir of @p o absolute; @p state_dir is what the
 *  command line said, or NULL. Sets core/cache_dir when nothing else does. */
int stoqfs_paths_resolve(struct stoqfs_options *o, const char *state_dir,
                         struct stoq_error *err);
/** Refuse what cannot work: SRC or MNT not a directory, overlapping ones, an occupied
 *  mount point, no /dev/fuse. One line that says what to do. */
int stoqfs_paths_check(const struct stoqfs_options *o, struct stoq_error *err);
/** Whether @p path is @p dir or below it; both absolute and resolved. */
bool stoqfs_path_below(const char *path, const char *dir);

#endif
