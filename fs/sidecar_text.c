/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Handles that hold the text they read from.
 */

#include "sidecar_text.h"

#include "util/auto.h"

struct stoqfs_text *
stoqfs_text_new(char *data, size_t size)
{
    struct stoqfs_text *t = calloc(1, sizeof(*t));
    if (!t) {
        free(data);
        return NULL;
    }
    t->data = data;
    t->size = size;
    atomic_init(&t->refs, 1);
    return t;
}

void
stoqfs_text_unref(struct stoqfs_text *t)
{
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    free(t->data);
    free(t);
}

struct stoqfs_text *
stoqfs_text_of(const struct fuse_file_info *fi)
{
    return (struct stoqfs_text *)(uintptr_t)fi->fh;
}

void
stoqfs_text_reply_open(fuse_req_t req, struct stoqfs_text *t, struct fuse_file_info *fi)
{
    fi->fh = (uint64_t)(uintptr_t)t;
    fi->noflush = 1;
    if (fuse_reply_open(req, fi) != 0)
        stoqfs_text_unref(t);
}

void
stoqfs_text_read(fuse_req_t req, size_t size, off_t off, struct fuse_file_info *fi)
{
    struct stoqfs_text *t = stoqfs_text_of(fi);
    (void)atomic_fetch_add(&t->refs, 1);
    size_t at = off < 0 || (uint64_t)off > t->size ? t->size : (size_t)off;
    size_t n = t->size - at;
    (void)fuse_reply_buf(req, t->data + at, n < size ? n : size);
    stoqfs_text_unref(t);
}

void
stoqfs_text_release(fuse_req_t req, struct fuse_file_info *fi)
{
    stoqfs_text_unref(stoqfs_text_of(fi));
    (void)fuse_reply_err(req, 0);
}
