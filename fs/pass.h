/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_PASS_H
#define STOQFS_PASS_H

/*
 * Kernel passthrough: reads of large files with a permitted verdict go from the kernel
 * to the source's page cache, not through us and not into a second copy. Also the
 * session on /dev/fuse, because libfuse before 3.17 does not speak this part of the
 * protocol: a hook adds it to the answer to INIT.
 *
 * Rules of the kernel (6.9 and later, fs/fuse/iomode.c and passthrough.c): the handles
 * of one inode are either all passthrough, with one backing file, or all through the
 * page cache; the other kind is refused with EIO. So each node carries how many handles
 * it has and of which kind, and the first one decides. Making a backing file needs
 * CAP_SYS_ADMIN.
 *
 * Lock: one, around the counts of nodes; no request waits under it. Threads: any.
 */

#include <sys/stat.h>

#include "stoqfs.h"

struct stoqfs_pass;
struct stoqfs_node;

/** What a node carries; guarded by the lock in pass.c. */
struct stoqfs_handles {
    int count;       /**< > 0: through the page cache; < 0: passthrough */
    int32_t backing; /**< the kernel's number of the backing file, while count < 0 */
};

/** Regular files of this many bytes are read by passthrough. Below, the round trip of
 *  the open is what costs, and a kept page cache serves as well. */
#define STOQFS_PASS_MIN ((off_t)1 << 20)

/**
 * Give @p fs's session (made, not mounted) the mount behind @p fuse_fd (borrowed),
 * answer INIT and find out whether passthrough can be had. After a restart the request
 * INIT is the one kept in the session, and nobody is sent an answer.
 * @return 0 or -errno. Caller frees *out after the session.
 */
int stoqfs_pass_new(struct stoqfs *fs, int fuse_fd, struct stoqfs_pass **out,
                    struct stoq_error *err);
void stoqfs_pass_free(struct stoqfs_pass *p);
/** After a restart, when all is ready for requests: have the kernel send again what the
 *  mirror before was asked and did not answer. @return false when it cannot: unmounted.
 */
bool stoqfs_pass_resend(struct stoqfs_pass *p);
/** "from 1 MiB", or why not; static storage. */
const char *stoqfs_pass_state(const struct stoqfs_pass *p);

/**
 * A handle of @p n is about to be given out: decide its kind and count it.
 * @param fd  the handle's descriptor in the source.
 * @param st  fstat of it, or NULL: then the page cache is used if possible.
 * @return the backing file's number when it is passthrough, else 0.
 */
int32_t stoqfs_pass_begin(struct stoqfs_pass *p, struct stoqfs_node *n, int fd,
                          const struct stat *st, bool writes);
/** A handle that the mirror before gave out with @p backing is counted. Before there
 *  are threads; needs no pass. */
void stoqfs_pass_revive(struct stoqfs_node *n, int32_t backing);
/** Whether the node has open handles. */
bool stoqfs_pass_is_open(struct stoqfs_pass *p, struct stoqfs_node *n);
/** A handle is closed, or its reply failed. @return whether it was passthrough. */
bool stoqfs_pass_end(struct stoqfs_pass *p, struct stoqfs_node *n);
/** Answer an OPEN with backing file @p backing. @return as fuse_reply_open(). */
int stoqfs_pass_reply(fuse_req_t req, int32_t backing, bool writes,
                      const struct fuse_file_info *fi);

#endif
