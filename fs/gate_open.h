/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_GATE_OPEN_H
#define STOQFS_GATE_OPEN_H

/* Opening by a path below SRC, for the gate's background scans and the watch. */

/** open(2) @p path below @p dirfd with @p flags: no symbolic link is followed, no file
 *  system boundary is crossed (so never into the mount itself), nothing above @p dirfd
 *  is reached. "" is @p dirfd itself. Reading leaves no access time where the file is
 *  ours to say so. @return descriptor or -errno. */
int stoqfs_open_below(int dirfd, const char *path, int flags);

#endif
