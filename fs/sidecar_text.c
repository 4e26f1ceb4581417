/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Handles that hold the text they read from.
 */

#include "sidecar_text.h"

#include <string.h>
#include <sys/stat.h>

#include "opens.h"
#include "util/auto.h"

#define HEAD sizeof(struct stat)

/* Attributes and text in one piece. */
static int
store(struct stoqfs *fs, uint64_t fh, const struct stoqfs_text *t)
{
    STOQ_AUTOFREE char *all = malloc(HEAD + t->size);
    if (!all)
        return -ENOMEM;
    memcpy(all, &t->attr, HEAD);
    memcpy(all + HEAD, t->data, t->size);
    return stoqfs_open_write(fs, fh, all, HEAD + t->size);
}

void
stoqfs_text_reply_open(fuse_req_t req, struct stoqfs_node *n,
                       const struct stoqfs_text *t, struct fuse_file_info *fi)
{
    struct stoqfs *fs = stoqfs_of(req);
    const struct stoqfs_opening how = {
        .kind = STOQFS_OPEN_TEXT, .flags = fi->flags, .fd = -1, .unique = t->unique};
    fi->fh = stoqfs_open_add(fs, n, &how);
    int r = fi->fh ? store(fs, fi->fh, t) : -ENFILE;
    fi->noflush = 1;
    if (r < 0)
        (void)fuse_reply_err(req, -r);
    if (r < 0 || fuse_reply_open(req, fi) != 0)
        (void)stoqfs_open_end(fs, fi->fh);
}

int
stoqfs_text_attr(struct stoqfs *fs, const struct fuse_file_info *fi, struct stat *attr)
{
    ssize_t n = stoqfs_open_read(fs, fi->fh, attr, HEAD, 0);
    return n == (ssize_t)HEAD ? 0 : n < 0 ? (int)n : -EIO;
}

void
stoqfs_text_read(fuse_req_t req, size_t size, off_t off, struct fuse_file_info *fi)
{
    struct stoqfs *fs = stoqfs_of(req);
    uint64_t all = stoqfs_open_size(fs, fi->fh);
    uint64_t from = (uint64_t)(off < 0 ? 0 : off) + HEAD;
    if (size > all)
        size = (size_t)all;
    STOQ_AUTOFREE char *buf = malloc(size + 1);
    ssize_t n = buf ? stoqfs_open_read(fs, fi->fh, buf, size, from) : -ENOMEM;
    if (n < 0)
        (void)fuse_reply_err(req, (int)-n);
    else
        (void)fuse_reply_buf(req, buf, (size_t)n);
}

void
stoqfs_text_release(fuse_req_t req, struct fuse_file_info *fi)
{
    (void)stoqfs_open_end(stoqfs_of(req), fi->fh);
    (void)fuse_reply_err(req, 0);
}
