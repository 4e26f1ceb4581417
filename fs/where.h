/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_WHERE_H
#define STOQFS_WHERE_H

/* Where the file of a result is: results are known by device and inode number. */

#include "stoqfs.h"

/** The path below SRC of the file with result @p r: by the names the node table has or,
 *  failing that, those of the document, which may be out of date. Reads the store.
 *  @return 0; -ENOENT neither knows; -ENAMETOOLONG; other -errno. */
int stoqfs_where(struct stoqfs *fs, const struct stoq_record *r, char *buf,
                 size_t size);
/** The same, and whether that file is there: with its attributes in @p st.
 *  @return 0; -ESTALE another file is; -EXDEV it is on a file system mounted there;
 * other -errno. */
int stoqfs_where_is(struct stoqfs *fs, const struct stoq_record *r, char *buf,
                    size_t size, struct stat *st);

#endif
