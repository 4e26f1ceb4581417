/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Listings that outlive the mirror: a program that reads a directory goes on where it
 * was, in the same listing, although another mirror answers.
 */

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "opens.h"
#include "ops_list.h"
#include "util/auto.h"
#include "util/log.h"

struct head {
    uint64_t count, names, reals;
    int64_t error;
};

/* Two requests can be the first of one handle. */
static pthread_mutex_t reviving = PTHREAD_MUTEX_INITIALIZER;

void
stoqfs_dirh_keep(struct stoqfs *fs, const struct stoqfs_dirh *h, uint64_t fh)
{
    const struct head head = {.count = h->count,
                              .names = h->names.size,
                              .reals = h->real_count,
                              .error = h->error};
    size_t entries = h->count * sizeof(*h->entries);
    size_t reals = h->real_count * sizeof(*h->reals);
    size_t size = sizeof(head) + entries + h->names.size + reals;
    STOQ_AUTOFREE char *all = malloc(size);
    if (!all)
        return;
    char *p = mempcpy(all, &head, sizeof(head));
    if (entries)
        p = mempcpy(p, h->entries, entries);
    if (h->names.size)
        p = mempcpy(p, h->names.data, h->names.size);
    if (reals)
        (void)memcpy(p, h->reals, reals);
    if (stoqfs_open_write(fs, fh, all, size) < 0)
        STOQ_DEBUG("no memory to keep a listing");
}

/* The next @p size bytes at *p, in memory of their own; NULL also for none. */
static void *
cut(const char **p, size_t size)
{
    void *copy = size ? malloc(size) : NULL;
    if (copy)
        memcpy(copy, *p, size);
    *p += size;
    return copy;
}

/* What was kept. Without it the listing is taken anew. */
static void
load(struct stoqfs *fs, struct stoqfs_dirh *h, uint64_t fh)
{
    struct head head;
    size_t size = (size_t)stoqfs_open_size(fs, fh);
    STOQ_AUTOFREE char *all = size >= sizeof(head) ? malloc(size) : NULL;
    if (!all || stoqfs_open_read(fs, fh, all, size, 0) != (ssize_t)size)
        return;
    memcpy(&head, all, sizeof(head));
    const char *p = all + sizeof(head);
    h->entries = cut(&p, (size_t)head.count * sizeof(*h->entries));
    STOQ_AUTOFREE char *names = cut(&p, (size_t)head.names);
    h->reals = cut(&p, (size_t)head.reals * sizeof(*h->reals));
    if (names)
        stoq_strbuf_add(&h->names, names, (size_t)head.names);
    if ((head.count && !h->entries) || (head.reals && !h->reals) || h->names.failed)
        return;
    h->count = h->room = (size_t)head.count;
    h->real_count = h->real_room = (size_t)head.reals;
    h->error = (int)head.error;
    h->taken = true;
}

static int
revive(struct stoqfs *fs, uint64_t fh, struct stoqfs_dirh **out)
{
    struct stoqfs_node *n = stoqfs_open_node(fs, fh);
    if (!n)
        return -EBADF;
    int r = stoqfs_dirh_new(fs, n, out);
    if (r < 0)
        return r;
    load(fs, *out, fh);
    stoqfs_open_set_what(fs, fh, *out);
    return 0;
}

int
stoqfs_dirh_of(struct stoqfs *fs, const struct fuse_file_info *fi,
               struct stoqfs_dirh **out)
{
    *out = fs->restarted ? NULL : stoqfs_open_what(fs, fi->fh);
    if (*out)
        return 0;
    (void)pthread_mutex_lock(&reviving);
    *out = stoqfs_open_what(fs, fi->fh);
    int r = *out ? 0 : revive(fs, fi->fh, out);
    (void)pthread_mutex_unlock(&reviving);
    return r;
}
