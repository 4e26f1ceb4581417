/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_OPS_LIST_H
#define STOQFS_OPS_LIST_H

/*
 * An open directory: its listing is taken when reading begins at the start, so that
 * positions mean the same as long as nobody rewinds. Used by ops_dir.c, by one request
 * at a time (the kernel locks an open directory's position).
 */

#include "node.h"
#include "stoqfs.h"
#include "util/strbuf.h"

struct stoqfs_dirent {
    uint64_t ino;  /* as shown */
    uint32_t name; /* offset in names */
    uint32_t type; /* S_IFMT bits, 0 unknown */
    bool special;  /* "." or "..": is never looked up, has no sidecar */
};

struct stoqfs_dirh {
    struct stoqfs_node
        *node; /* of a real directory, which the kernel holds; else NULL */
    struct stoqfs_node *dot; /* of a directory of .stoq; else NULL */
    int fd;                  /* of a real one, open for reading */
    bool root, taken;
    bool sidecars; /* any may be listed */
    int error;     /* errno that ended the listing early */
    struct stoqfs_dirent *entries;
    size_t count, room;
    struct stoq_strbuf names;
    uint32_t *reals; /* offsets of names that end as sidecars do, sorted by name */
    size_t real_count, real_room;
};

/** @return 0 or -errno of opening. */
int stoqfs_dirh_new(struct stoqfs *fs, struct stoqfs_node *n, struct stoqfs_dirh **out);
void stoqfs_dirh_free(struct stoqfs_dirh *h);
/** Of an open handle; the mirror before this one may have made it, and its listing.
 *  @return 0 or -errno. */
int stoqfs_dirh_of(struct stoqfs *fs, const struct fuse_file_info *fi,
                   struct stoqfs_dirh **out);
/** Take the listing anew, for the handle @p fh. @return 0 or -errno when there is
 *  nothing at all. */
int stoqfs_dirh_take(struct stoqfs *fs, struct stoqfs_dirh *h, uint64_t fh);
/** Have the listing outlive this mirror, as far as there is memory. */
void stoqfs_dirh_keep(struct stoqfs *fs, const struct stoqfs_dirh *h, uint64_t fh);
/** Whether something real is called @p name, which ends as sidecars do. */
bool stoqfs_dirh_has(const struct stoqfs_dirh *h, const char *name);

#endif
