/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Directories as they are read: OPENDIR, READDIR, READDIRPLUS, RELEASEDIR, FSYNCDIR.
 * Entries come from the handle's listing (ops_list.c); entry i has two positions, 2i
 * for its sidecar and 2i+1 for itself, so that positions stay right although which
 * sidecars are there is decided only when they are reached. A sidecar comes before its
 * file: whoever removes entries in the order of listing then finds each one.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache.h"
#include "ops_impl.h"
#include "ops_list.h"
#include "util/auto.h"

/* A reply being filled. */
struct filling {
    struct stoqfs *fs;
    fuse_req_t req;
    struct stoqfs_dirh *h;
    bool plus;
    char *buf;
    size_t size, used;
};

/* One entry of the listing and what was found out about it. */
struct item {
    const struct stoqfs_dirent *entry;
    const char *name;
    struct stoqfs_node *node; /* looked up, to be forgotten unless replied with */
    struct stat st;           /* st_ino the source's own */
    bool known;               /* st is valid */
};

/* @return false when it does not fit. */
static bool
put(struct filling *f, const char *name, const struct fuse_entry_param *e, off_t next)
{
    char *at = f->buf + f->used;
    size_t room = f->size - f->used;
    size_t len = f->plus ? fuse_add_direntry_plus(f->req, at, room, name, e, next)
                         : fuse_add_direntry(f->req, at, room, name, &e->attr, next);
    if (len > room)
        return false;
    f->used += len;
    return true;
}

static struct fuse_entry_param
bare(uint64_t ino, mode_t type)
{
    return (struct fuse_entry_param){.attr = {.st_ino = ino, .st_mode = type}};
}

/* Look the entry up (plus) or stat it, once. Its absence is no error. */
static void
item_learn(struct filling *f, struct item *it)
{
    struct stoqfs *fs = f->fs;
    if (it->known || !f->h->node)
        return;
    if (f->plus)
        it->known = stoqfs_node_lookup_raw(fs->nodes, f->h->node, it->name, &it->node,
                                           &it->st) == 0;
    else
        it->known = fstatat(f->h->fd, it->name, &it->st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
item_forget(struct filling *f, struct item *it)
{
    if (it->node)
        stoqfs_node_forget(f->fs->nodes, stoqfs_node_number(it->node), 1);
    it->node = NULL;
}

static bool
put_sidecar(struct filling *f, struct item *it, off_t next)
{
    struct stoqfs *fs = f->fs;
    char name[256];
    const struct stoqfs_dirent *d = it->entry;
    if (!f->h->node || d->special || !f->h->sidecars ||
        (d->type != S_IFREG && d->type != 0))
        return true;
    item_learn(f, it);
    if (!it->known || !S_ISREG(it->st.st_mode) ||
        !stoqfs_sidecar_listed(fs, it->name, &it->st, name) ||
        stoqfs_dirh_has(f->h, name))
        return true;
    uint64_t ino = stoqfs_node_shown_ino(fs->nodes, it->st.st_dev, it->st.st_ino);
    struct fuse_entry_param e = bare(ino | STOQFS_SIDECAR_INO, S_IFREG);
    struct stoqfs_node *n = NULL;
    struct stat st;
    uint64_t version = 0;
    if (it->node && stoqfs_sidecar_attr(fs, &it->st, &st, &version) &&
        stoqfs_node_sidecar(fs->nodes, it->node, version, &n) == 0) {
        st.st_ino = ino | STOQFS_SIDECAR_INO;
        stoqfs_fill_entry(fs, n, &st, &e);
        e.attr_timeout = e.entry_timeout =
            stoqfs_cache_sidecar_time(fs, it->node, version);
    }
    if (put(f, name, &e, next))
        return true;
    if (n)
        stoqfs_node_forget(fs->nodes, stoqfs_node_number(n), 1);
    return false;
}

static bool
put_entry(struct filling *f, struct item *it, off_t next)
{
    struct stoqfs *fs = f->fs;
    const struct stoqfs_dirent *d = it->entry;
    struct fuse_entry_param e = bare(d->ino, d->type);
    if (!d->special && f->h->node && (f->plus || d->type == 0)) {
        item_learn(f, it);
        if (it->known)
            e.attr.st_mode = it->st.st_mode;
        if (it->node) {
            struct stat st = it->st;
            st.st_ino = stoqfs_node_shown_ino(fs->nodes, st.st_dev, st.st_ino);
            stoqfs_fill_entry(fs, it->node, &st, &e);
        }
    }
    if (!put(f, it->name, &e, next))
        return false;
    it->node = NULL; /* the kernel's now */
    return true;
}

/* Both positions of one entry, from @p pos. @return false when the buffer is full. */
static bool
put_both(struct filling *f, uint64_t pos)
{
    size_t i = (size_t)(pos / 2);
    struct item it = {.entry = &f->h->entries[i]};
    it.name = f->h->names.data + it.entry->name;
    bool fits = pos % 2 == 1 || put_sidecar(f, &it, (off_t)(2 * i + 1));
    if (fits)
        fits = put_entry(f, &it, (off_t)(2 * i + 2));
    item_forget(f, &it);
    return fits;
}

static void
read_dir(fuse_req_t req, size_t size, off_t off, struct fuse_file_info *fi, bool plus)
{
    struct stoqfs_dirh *h = NULL;
    struct filling f = {.fs = stoqfs_of(req), .req = req, .plus = plus, .size = size};
    STOQ_AUTOFREE char *buf = malloc(size);
    int r = buf ? stoqfs_dirh_of(f.fs, fi, &h) : -ENOMEM;
    if (r == 0 && (off == 0 || !h->taken))
        r = stoqfs_dirh_take(f.fs, h, fi->fh);
    if (r < 0) {
        (void)fuse_reply_err(req, -r);
        return;
    }
    f.h = h;
    f.buf = buf;
    uint64_t pos = (uint64_t)off;
    while (pos / 2 < h->count && put_both(&f, pos))
        pos = pos / 2 * 2 + 2;
    /* what is there is delivered first, then the error that cut the listing short */
    if (f.used == 0 && pos / 2 >= h->count && h->error)
        (void)fuse_reply_err(req, h->error);
    else
        (void)fuse_reply_buf(req, buf, f.used);
}

void
stoqfs_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                  struct fuse_file_info *fi)
{
    (void)ino;
    read_dir(req, size, off, fi, false);
}

void
stoqfs_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                      struct fuse_file_info *fi)
{
    (void)ino;
    read_dir(req, size, off, fi, true);
}

/* Whether the kernel keeps the listing, and believes the one that it has. */
static void
set_caching(struct stoqfs *fs, struct stoqfs_node *n, const struct stoqfs_dirh *h,
            struct fuse_file_info *fi)
{
    struct stat st;
    if (!h->node || fs->options->strict || fstat(h->fd, &st) < 0)
        return;
    fi->cache_readdir = 1;
    fi->keep_cache = stoqfs_cache_listing(fs, n, &st);
}

static void
end(struct stoqfs *fs, struct stoqfs_node *n, uint64_t fh)
{
    if (!stoqfs_open_valid(fs, fh))
        return; /* by the mirror before this one */
    struct stoqfs_dirh *h = stoqfs_open_what(fs, fh);
    stoqfs_node_listers_add(n, -1);
    (void)stoqfs_open_end(fs, fh);
    stoqfs_dirh_free(h);
}

void
stoqfs_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct stoqfs *fs = stoqfs_of(req);
    struct stoqfs_node *n = stoqfs_req_node(req, ino);
    struct stoqfs_dirh *h = NULL;
    if (!n)
        return;
    stoqfs_node_listers_add(n, 1);
    int r = stoqfs_dirh_new(fs, n, &h);
    if (r < 0) {
        stoqfs_node_listers_add(n, -1);
        (void)fuse_reply_err(req, -r);
        return;
    }
    const struct stoqfs_opening how = {.kind = STOQFS_OPEN_DIR,
                                       .flags = fi->flags,
                                       .fd = -1,
                                       .unique = stoqfs_journal_unique()};
    fi->fh = stoqfs_open_add(fs, n, &how);
    if (!fi->fh) {
        stoqfs_node_listers_add(n, -1);
        stoqfs_dirh_free(h);
        (void)fuse_reply_err(req, ENFILE);
        return;
    }
    stoqfs_open_set_what(fs, fi->fh, h);
    set_caching(fs, n, h, fi);
    if (fuse_reply_open(req, fi) != 0)
        end(fs, n, fi->fh);
}

void
stoqfs_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct stoqfs_node *n = stoqfs_req_node(req, ino);
    if (!n)
        return;
    end(stoqfs_of(req), n, fi->fh);
    (void)fuse_reply_err(req, 0);
}

void
stoqfs_op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync,
                   struct fuse_file_info *fi)
{
    struct stoqfs_dirh *h = NULL;
    (void)ino;
    int r = stoqfs_dirh_of(stoqfs_of(req), fi, &h);
    if (r == 0 && h->fd >= 0 && (datasync ? fdatasync(h->fd) : fsync(h->fd)) < 0)
        r = -errno;
    (void)fuse_reply_err(req, -r);
}
