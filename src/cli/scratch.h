/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CLI_SCRATCH_H
#define STOQ_CLI_SCRATCH_H

/* Directories that are made for a moment and removed with all that is in them. */

#include <stoq/error.h>

/** Make a fresh directory PARENT/PREFIXxxxxxx, mode 0700. @p parent NULL = $TMPDIR or
 *  /tmp. @p out: its path, absolute when @p parent is; caller frees.
 *  @return 0 or -errno. */
int cli_scratch_new(const char *parent, const char *prefix, char **out,
                    struct stoq_error *err);
/** Remove @p path and what is below it; symbolic links are not followed. NULL allowed.
 *  @return 0 or -errno of what could not be removed. */
int cli_scratch_remove(const char *path);

#endif
