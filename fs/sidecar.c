/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sidecars: names, attributes, snapshots. There is no table of them here: a sidecar is
 * its file's node plus what the gate knows of that file. How long the kernel may cache
 * their attributes and entries is said by cache.h; a new result is seen at once.
 */

#include "sidecar.h"

#include <fcntl.h>
#include <string.h>

#include "cache.h"
#include "journal.h"
#include "ops.h"
#include "sidecar_ask.h"
#include "sidecar_text.h"
#include "util/auto.h"

#define NAME_LONGEST 255U
#define SUFFIX_SIZE  (sizeof(STOQFS_SIDECAR_SUFFIX) - 1)
#define TRIES        3U

/* ------------------------------------------------------------------------- names */

static bool
has_suffix(const char *name, size_t n)
{
    return n >= SUFFIX_SIZE &&
           strcmp(name + n - SUFFIX_SIZE, STOQFS_SIDECAR_SUFFIX) == 0;
}

bool
stoqfs_sidecar_name(const struct stoqfs *fs, const char *name, char base[256])
{
    size_t n = strlen(name);
    if (fs->options->sidecars == STOQFS_SIDECARS_OFF || n > NAME_LONGEST ||
        n <= SUFFIX_SIZE || !has_suffix(name, n))
        return false;
    n -= SUFFIX_SIZE;
    memcpy(base, name, n);
    base[n] = '\0';
    return strcmp(base, ".") != 0 && strcmp(base, "..") != 0 && !has_suffix(base, n);
}

bool
stoqfs_sidecar_of(const char *base, char name[256])
{
    size_t n = strlen(base);
    if (n + SUFFIX_SIZE > NAME_LONGEST || has_suffix(base, n))
        return false;
    memcpy(name, base, n);
    memcpy(name + n, STOQFS_SIDECAR_SUFFIX, SUFFIX_SIZE + 1);
    return true;
}

bool
stoqfs_sidecar_listed(struct stoqfs *fs, const char *base, const struct stat *st,
                      char name[256])
{
    struct stoqfs_answer a;
    if (!S_ISREG(st->st_mode) || !stoqfs_sidecar_of(base, name))
        return false;
    switch (fs->options->sidecars) {
    case STOQFS_SIDECARS_ALL:
        return true;
    case STOQFS_SIDECARS_SCANNED:
        return stoqfs_gate_peek(fs->gate, st, &a) && a.stored && !a.ahead;
    case STOQFS_SIDECARS_HIDDEN:
    case STOQFS_SIDECARS_OFF:
    default:
        return false;
    }
}

/* -------------------------------------------------------------------- attributes */

static struct timespec
time_of(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

static void
fill_attr(struct stoqfs *fs, const struct stat *base, const struct stoq_record *r,
          struct stat *out)
{
    uint64_t ino = stoqfs_node_shown_ino(fs->nodes, base->st_dev, base->st_ino);
    memset(out, 0, sizeof(*out));
    out->st_ino = ino | STOQFS_SIDECAR_INO;
    out->st_mode = S_IFREG | (base->st_mode & 0444);
    out->st_nlink = 1;
    out->st_uid = base->st_uid;
    out->st_gid = base->st_gid;
    out->st_size = (off_t)r->document_size;
    out->st_blksize = 4096;
    out->st_blocks = (blkcnt_t)((r->document_size + 511) / 512);
    out->st_mtim = out->st_ctim = out->st_atim = time_of(r->time_ns);
}

uint64_t
stoqfs_sidecar_version(const struct stoq_record *r)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (const char *p = r->scan_id; *p; p++)
        hash = (hash ^ (unsigned char)*p) * UINT64_C(1099511628211);
    return hash << 32 | (r->document_size & UINT32_MAX);
}

bool
stoqfs_sidecar_attr(struct stoqfs *fs, const struct stat *base_st, struct stat *out,
                    uint64_t *version)
{
    struct stoqfs_answer a;
    if (!stoqfs_gate_peek(fs->gate, base_st, &a) || !a.stored || a.stale)
        return false;
    fill_attr(fs, base_st, &a.record, out);
    *version = stoqfs_sidecar_version(&a.record);
    return true;
}

/* A result whose document is nowhere: the store could not keep it, and memory neither.
 */
static int
document_errno(const struct stoqfs_answer *answer)
{
    int err = stoqfs_asking_errno(answer);
    return err ? err : answer->record.document_size ? 0 : EIO;
}

/* Taken by stoqfs_asking_start(); NULL after replying ENOMEM. */
static struct stoqfs_asking *
asking_new(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *base)
{
    struct stoqfs_asking *a = calloc(1, sizeof(*a));
    if (!a) {
        (void)fuse_reply_err(req, ENOMEM);
        return NULL;
    }
    a->fs = fs;
    a->req = req;
    a->base = base;
    a->stored = true;
    a->tries = TRIES;
    a->unique = stoqfs_journal_unique();
    return a;
}

/* ---------------------------------------------------------------------- removed */

/* A sidecar that was removed stays away for a moment, unless its file is opened. A
 * program that removes a name to make it anew (tar, unpacking results over themselves)
 * would find it there again each time, since naming one makes one. One slot per hash is
 * enough: what is lost here is only that moment. */
#define REMOVED_SLOTS 256U
#define REMOVED_MS    1000U

static struct {
    atomic_ullong file, until_ms;
} removed[REMOVED_SLOTS];

static uint64_t
file_hash(const struct stat *st)
{
    return ((uint64_t)st->st_dev << 48 ^ (uint64_t)st->st_ino) *
               UINT64_C(0x9e3779b97f4a7c15) |
           1;
}

static void
set_removed(const struct stat *st)
{
    uint64_t h = file_hash(st);
    atomic_store(&removed[h >> 56].until_ms, stoq_now_ms() + REMOVED_MS);
    atomic_store(&removed[h >> 56].file, h);
}

static bool
is_removed(struct stoqfs *fs, const struct stat *st)
{
    uint64_t h = file_hash(st);
    return atomic_load(&removed[h >> 56].file) == h &&
           stoq_now_ms() < atomic_load(&removed[h >> 56].until_ms) &&
           !stoqfs_gate_expects(fs->gate, st);
}

/* ------------------------------------------------------------------------ lookup */

static void
reply_entry(struct stoqfs_asking *a, const struct stoqfs_answer *answer)
{
    struct stoqfs *fs = a->fs;
    struct stoqfs_node *n = NULL;
    struct fuse_entry_param e;
    struct stat st;
    int err = document_errno(answer);
    if (!err)
        err = -stoqfs_node_sidecar(fs->nodes, a->base,
                                   stoqfs_sidecar_version(&answer->record), &n);
    if (err) {
        (void)fuse_reply_err(a->req, err);
        return;
    }
    fill_attr(fs, &a->st, &answer->record, &st);
    stoqfs_fill_entry(fs, n, &st, &e);
    e.attr_timeout = e.entry_timeout =
        stoqfs_cache_sidecar_time(fs, a->base, stoqfs_sidecar_version(&answer->record));
    if (fuse_reply_entry(a->req, &e) != 0)
        stoqfs_node_forget(fs->nodes, e.ino, 1);
}

static void
lookup_end(struct stoqfs_asking *a, const struct stoqfs_answer *answer)
{
    reply_entry(a, answer);
    stoqfs_node_forget(a->fs->nodes, stoqfs_node_number(a->base), 1);
    free(a);
}

/* Find the regular file that @p base names, counting a lookup. 0 or -errno. */
static int
find_base(struct stoqfs *fs, struct stoqfs_node *parent, const char *base,
          struct stoqfs_node **out)
{
    struct stat st;
    struct stoqfs_node *n = NULL;
    int r = stoqfs_node_lookup(fs->nodes, parent, base, &n, &st);
    if (r < 0)
        return r;
    if (!S_ISREG(st.st_mode)) {
        stoqfs_node_forget(fs->nodes, stoqfs_node_number(n), 1);
        return -ENOENT;
    }
    *out = n;
    return 0;
}

void
stoqfs_sidecar_lookup(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *parent,
                      const char *base)
{
    struct stoqfs_node *n = NULL;
    int r = find_base(fs, parent, base, &n);
    if (r < 0) {
        (void)fuse_reply_err(req, -r);
        return;
    }
    struct stat st;
    r = stoqfs_node_stat(fs->nodes, n, &st);
    if (r < 0 || is_removed(fs, &st)) {
        stoqfs_node_forget(fs->nodes, stoqfs_node_number(n), 1);
        (void)fuse_reply_err(req, r < 0 ? -r : ENOENT);
        return;
    }
    struct stoqfs_asking *a = asking_new(fs, req, n);
    if (!a) {
        stoqfs_node_forget(fs->nodes, stoqfs_node_number(n), 1);
        return;
    }
    a->end = lookup_end;
    stoqfs_asking_start(a);
}

/* ----------------------------------------------------------------------- getattr */

static void
getattr_end(struct stoqfs_asking *a, const struct stoqfs_answer *answer)
{
    struct stat st;
    int err = document_errno(answer);
    if (err) {
        (void)fuse_reply_err(a->req, err);
    } else {
        fill_attr(a->fs, &a->st, &answer->record, &st);
        /* an older result, still open: its size goes with its bytes */
        uint64_t version = stoqfs_node_version(a->fs->nodes, a->n);
        if (version != stoqfs_sidecar_version(&answer->record))
            st.st_size = (off_t)(version & UINT32_MAX);
        (void)fuse_reply_attr(a->req, &st,
                              stoqfs_cache_sidecar_time(a->fs, a->base, version));
    }
    free(a);
}

void
stoqfs_sidecar_getattr(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n)
{
    struct stoqfs_asking *a = asking_new(fs, req, stoqfs_node_base(n));
    if (!a)
        return;
    a->n = n;
    a->end = getattr_end;
    stoqfs_asking_start(a);
}

void
stoqfs_sidecar_fgetattr(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n,
                        struct fuse_file_info *fi)
{
    struct stat base;
    if (!fi) {
        stoqfs_sidecar_getattr(fs, req, n);
        return;
    }
    struct stat st;
    int r = stoqfs_text_attr(fs, fi, &st);
    if (r < 0) {
        (void)fuse_reply_err(req, -r);
        return;
    }
    if (stoqfs_node_stat(fs->nodes, stoqfs_node_base(n), &base) == 0) {
        st.st_mode = S_IFREG | (base.st_mode & 0444);
        st.st_uid = base.st_uid;
        st.st_gid = base.st_gid;
    }
    (void)fuse_reply_attr(req, &st, 0);
}

/* ---------------------------------------------------------------------- contents */

static void
open_end(struct stoqfs_asking *a, const struct stoqfs_answer *answer)
{
    STOQ_AUTOFREE char *data = NULL;
    size_t size = 0;
    int err = document_errno(answer);
    if (!err && stoqfs_node_version(a->fs->nodes, a->n) !=
                    stoqfs_sidecar_version(&answer->record))
        err =
            ESTALE; /* looked up before there was a newer one: the kernel tries again */
    if (!err)
        err = -stoqfs_gate_document(a->fs->gate, &answer->record, &data, &size);
    if (err == ENOENT && a->tries-- > 0) { /* replaced since; there is a newer one */
        stoqfs_asking_start(a);
        return;
    }
    if (err) {
        (void)fuse_reply_err(a->req, err);
        free(a);
        return;
    }
    struct stoqfs_text t = {.data = data, .size = size, .unique = a->unique};
    fill_attr(a->fs, &a->st, &answer->record, &t.attr);
    t.attr.st_size = (off_t)size;
    a->fi.keep_cache = 1; /* a version's bytes never change */
    stoqfs_text_reply_open(a->req, a->n, &t, &a->fi);
    free(a);
}

void
stoqfs_sidecar_open(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n,
                    struct fuse_file_info *fi)
{
    if ((fi->flags & O_ACCMODE) != O_RDONLY || (fi->flags & O_TRUNC)) {
        (void)fuse_reply_err(req, EPERM);
        return;
    }
    struct stoqfs_asking *a = asking_new(fs, req, stoqfs_node_base(n));
    if (!a)
        return;
    a->n = n;
    a->fi = *fi;
    a->end = open_end;
    stoqfs_asking_start(a);
}

void
stoqfs_sidecar_read(fuse_req_t req, size_t size, off_t off, struct fuse_file_info *fi)
{
    stoqfs_text_read(req, size, off, fi);
}

void
stoqfs_sidecar_release(fuse_req_t req, struct fuse_file_info *fi)
{
    stoqfs_text_release(req, fi);
}

int
stoqfs_sidecar_unlink(struct stoqfs *fs, struct stoqfs_node *parent, const char *base)
{
    struct stoqfs_node *n = NULL;
    struct stat st;
    int r = find_base(fs, parent, base, &n);
    if (r < 0)
        return r;
    r = stoqfs_node_stat(fs->nodes, n, &st);
    if (r == 0) {
        stoqfs_gate_forget(fs->gate, &st);
        set_removed(&st);
        stoqfs_node_listing_changed(parent);
    }
    stoqfs_node_forget(fs->nodes, stoqfs_node_number(n), 1);
    return r;
}
