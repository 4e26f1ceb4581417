/* SPDX-License-Identifier: Apache-2.0 */

/*
 * MNT/.stoq as files. Contents are made when a file is opened and read without the page
 * cache; sizes are those of now, for tools that look first. A link of flagged/ is found
 * by the number that stands for its scan_id, and its target by the names the node table
 * or, failing that, the document has.
 */

#include "dot.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include "gate.h"
#include "journal.h"
#include "ops.h"
#include "rules.h"
#include "sidecar_text.h"
#include "util/auto.h"
#include "util/ioc.h"
#include "util/json.h"
#include "where.h"

#define DOT_STATUS  2U
#define DOT_METRICS 3U
#define DOT_FLAGGED 4U
#define DOT_LINK    (UINT64_C(1) << 62) /* or higher: a flagged result's number */

#define FLAGGED_MAX 10000U
#define UP          "../../" /* from a link to MNT */

static const struct {
    uint64_t id;
    const char *name;
    mode_t mode;
} entries[] = {
    {DOT_STATUS, "status.json", S_IFREG | 0444},
    {DOT_METRICS, "metrics", S_IFREG | 0444},
    {DOT_FLAGGED, "flagged", S_IFDIR | 0555},
};

/* Apart from those of sources (high bit clear) and of sidecars (high bit and the
 * source's number, which is nowhere near 2^62). */
static uint64_t
shown_ino(uint64_t id)
{
    return STOQFS_DOT_INO | (id & ~STOQFS_DOT_INO);
}

static char *
text_of(struct stoqfs *fs, uint64_t id, size_t *size)
{
    char *text = NULL;
    if (id == DOT_METRICS) {
        text = stoqfs_metrics(fs);
    } else {
        json_auto_t *status = stoqfs_status(fs);
        STOQ_AUTOFREE char *json = status ? stoq_json_dump(status, true) : NULL;
        if (!json || asprintf(&text, "%s\n", json) < 0)
            text = NULL;
    }
    *size = text ? strlen(text) : 0;
    return text;
}

/* Target of the link @p id, "../../" and the path below the mount. 0 or -ENOENT. */
static int
link_target(struct stoqfs *fs, uint64_t id, char buf[PATH_MAX])
{
    const size_t n = sizeof(UP) - 1;
    struct stoq_record r;
    if (!stoqfs_gate_find_flagged(fs->gate, id, &r))
        return -ENOENT;
    memcpy(buf, UP, sizeof(UP));
    return stoqfs_where(fs, &r, buf + n, PATH_MAX - n) < 0 ? -ENOENT : 0;
}

/* 0 or -ENOENT when there is no such thing (any more). */
static int
fill_attr(struct stoqfs *fs, uint64_t id, struct stat *st)
{
    char target[PATH_MAX];
    struct stoq_record r;
    memset(st, 0, sizeof(*st));
    st->st_ino = shown_ino(id);
    st->st_uid = getuid();
    st->st_gid = getgid();
    st->st_nlink = 1;
    st->st_blksize = 4096;
    st->st_atim.tv_sec = st->st_mtim.tv_sec = st->st_ctim.tv_sec = time(NULL);
    if (id >= DOT_LINK) {
        if (!stoqfs_gate_find_flagged(fs->gate, id, &r))
            return -ENOENT;
        st->st_mode = S_IFLNK | 0777;
        if (link_target(fs, id, target) == 0)
            st->st_size = (off_t)strlen(target);
        st->st_mtim.tv_sec = st->st_ctim.tv_sec = r.time_ns / 1000000000;
        return 0;
    }
    st->st_mode = S_IFDIR | 0555;
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(entries); i++)
        if (entries[i].id == id)
            st->st_mode = entries[i].mode;
    if (S_ISDIR(st->st_mode)) {
        st->st_nlink = id == STOQFS_DOT_ROOT ? 3 : 2;
    } else {
        size_t size = 0;
        free(text_of(fs, id, &size));
        st->st_size = (off_t)size;
        st->st_blocks = (blkcnt_t)((size + 511) / 512);
    }
    return 0;
}

/* The number of @p name in DOT node @p parent; 0 when there is no such thing. */
static uint64_t
find(struct stoqfs_node *parent, const char *name)
{
    if (!parent)
        return strcmp(name, STOQFS_DOT_NAME) == 0 ? STOQFS_DOT_ROOT : 0;
    uint64_t id = stoqfs_node_virtual_id(parent);
    if (id == DOT_FLAGGED)
        return stoqfs_gate_flagged_key(name);
    for (size_t i = 0; id == STOQFS_DOT_ROOT && i < STOQ_ARRAY_SIZE(entries); i++)
        if (strcmp(entries[i].name, name) == 0)
            return entries[i].id;
    return 0;
}

void
stoqfs_dot_lookup(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *parent,
                  const char *name)
{
    struct fuse_entry_param e;
    struct stoqfs_node *n = NULL;
    struct stat st;
    uint64_t id = find(parent, name);
    int r = id ? fill_attr(fs, id, &st) : -ENOENT;
    if (r == 0)
        r = stoqfs_node_dot(fs->nodes, id, &n);
    if (r < 0) {
        (void)fuse_reply_err(req, -r);
        return;
    }
    stoqfs_fill_entry(fs, n, &st, &e);
    e.attr_timeout = e.entry_timeout = 0;
    if (fuse_reply_entry(req, &e) != 0)
        stoqfs_node_forget(fs->nodes, e.ino, 1);
}

void
stoqfs_dot_getattr(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n)
{
    struct stat st;
    int r = fill_attr(fs, stoqfs_node_virtual_id(n), &st);
    if (r < 0)
        (void)fuse_reply_err(req, -r);
    else
        (void)fuse_reply_attr(req, &st, 0);
}

void
stoqfs_dot_readlink(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n)
{
    char target[PATH_MAX];
    uint64_t id = stoqfs_node_virtual_id(n);
    int r = id < DOT_LINK ? -EINVAL : link_target(fs, id, target);
    if (r < 0)
        (void)fuse_reply_err(req, -r);
    else
        (void)fuse_reply_readlink(req, target);
}

void
stoqfs_dot_open(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n,
                struct fuse_file_info *fi)
{
    uint64_t id = stoqfs_node_virtual_id(n);
    if ((fi->flags & O_ACCMODE) != O_RDONLY || (fi->flags & O_TRUNC)) {
        (void)fuse_reply_err(req, EPERM);
        return;
    }
    if (id != DOT_STATUS && id != DOT_METRICS) {
        (void)fuse_reply_err(req, EINVAL);
        return;
    }
    size_t size = 0;
    STOQ_AUTOFREE char *data = text_of(fs, id, &size);
    if (!data) {
        (void)fuse_reply_err(req, ENOMEM);
        return;
    }
    const struct stoqfs_text t = {
        .data = data, .size = size, .unique = stoqfs_journal_unique()};
    fi->direct_io = 1;
    stoqfs_text_reply_open(req, n, &t, fi);
}

void
stoqfs_dot_read(fuse_req_t req, size_t size, off_t off, struct fuse_file_info *fi)
{
    stoqfs_text_read(req, size, off, fi);
}

void
stoqfs_dot_release(fuse_req_t req, struct fuse_file_info *fi)
{
    stoqfs_text_release(req, fi);
}

void
stoqfs_dot_ioctl(struct stoqfs *fs, fuse_req_t req, const struct stoqfs_node *n,
                 unsigned cmd)
{
    uid_t caller = fuse_req_ctx(req)->uid;
    uint64_t number = 0;
    int r = -ENOTTY;
    if (stoqfs_node_virtual_id(n) == DOT_STATUS && cmd == (unsigned)STOQ_IOC_RELOAD)
        r = caller != 0 && caller != getuid() ? -EPERM
                                              : stoqfs_rules_ask(fs->rules, &number);
    if (r < 0)
        (void)fuse_reply_err(req, -r);
    else
        (void)fuse_reply_ioctl(req, 0, &number, sizeof(number));
}

/* Removed behind the mount, or renamed: then it is scanned under its new name. */
static bool
is_there(struct stoqfs *fs, const struct stoq_record *record)
{
    char path[PATH_MAX];
    struct stat st;
    int r = stoqfs_where_is(fs, record, path, sizeof(path), &st);
    return r == 0 || r == -EXDEV; /* on a file system mounted there: not looked at */
}

struct listing {
    struct stoqfs *fs;
    bool (*add)(void *arg, const char *name, uint64_t ino, mode_t type);
    void *arg;
    bool full;
};

static void
list_flagged(void *arg, const struct stoq_record *r)
{
    struct listing *l = arg;
    if (!l->full && is_there(l->fs, r))
        l->full = !l->add(l->arg, r->scan_id,
                          shown_ino(stoqfs_gate_flagged_key(r->scan_id)), S_IFLNK);
}

void
stoqfs_dot_list(struct stoqfs *fs, struct stoqfs_node *n,
                bool (*add)(void *arg, const char *name, uint64_t ino, mode_t type),
                void *arg)
{
    struct listing l = {.fs = fs, .add = add, .arg = arg};
    uint64_t id = stoqfs_node_virtual_id(n);
    if (id == DOT_FLAGGED)
        stoqfs_gate_foreach(fs->gate, STOQ_VERDICT_FLAGGED, FLAGGED_MAX, list_flagged,
                            &l);
    for (size_t i = 0; id == STOQFS_DOT_ROOT && i < STOQ_ARRAY_SIZE(entries); i++)
        if (!add(arg, entries[i].name, shown_ino(entries[i].id),
                 entries[i].mode & S_IFMT))
            return;
}
