/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The table of operations, what is agreed with the kernel at INIT, and what the
 * families share.
 */

#include "ops.h"

#include <fcntl.h>
#include <string.h>

#include "cache.h"
#include "ops_impl.h"
#include "util/auto.h"
#include "util/log.h"

#define IO_MOST (1U << 20)

/* HANDLE_KILLPRIV is not taken: then the kernel clears set-id bits itself, in what it
 * has cached as well, so that no window is left in which a written file is executed
 * with them. SPLICE_READ is not taken: it costs every small request two system calls
 * more. No lock operations: locks stay in the kernel. */
static void
op_init(void *userdata, struct fuse_conn_info *conn)
{
    (void)userdata;
    const unsigned wanted =
        FUSE_CAP_ASYNC_READ | FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_EXPORT_SUPPORT |
        FUSE_CAP_DONT_MASK | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_AUTO_INVAL_DATA |
        FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_ASYNC_DIO |
        FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_POSIX_ACL | FUSE_CAP_CACHE_SYMLINKS;
    const unsigned unwanted = FUSE_CAP_HANDLE_KILLPRIV | FUSE_CAP_WRITEBACK_CACHE |
                              FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_MOVE |
                              FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS;
    conn->want |= conn->capable & wanted;
    conn->want &= ~unwanted;
    conn->max_write = IO_MOST;
    STOQ_DEBUG("kernel protocol %u.%u, offered %#x, agreed %#x", conn->proto_major,
               conn->proto_minor, conn->capable, conn->want);
}

const struct fuse_lowlevel_ops stoqfs_ops = {
    .init = op_init,
    .lookup = stoqfs_op_lookup,
    .forget = stoqfs_op_forget,
    .forget_multi = stoqfs_op_forget_multi,
    .getattr = stoqfs_op_getattr,
    .setattr = stoqfs_op_setattr,
    .readlink = stoqfs_op_readlink,
    .statfs = stoqfs_op_statfs,
    .mknod = stoqfs_op_mknod,
    .mkdir = stoqfs_op_mkdir,
    .symlink = stoqfs_op_symlink,
    .link = stoqfs_op_link,
    .unlink = stoqfs_op_unlink,
    .rmdir = stoqfs_op_rmdir,
    .rename = stoqfs_op_rename,
    .open = stoqfs_op_open,
    .create = stoqfs_op_create,
    .release = stoqfs_op_release,
    .read = stoqfs_op_read,
    .write_buf = stoqfs_op_write_buf,
    .flush = stoqfs_op_flush,
    .fsync = stoqfs_op_fsync,
    .fallocate = stoqfs_op_fallocate,
    .copy_file_range = stoqfs_op_copy_file_range,
    .lseek = stoqfs_op_lseek,
    .ioctl = stoqfs_op_ioctl,
    .opendir = stoqfs_op_opendir,
    .readdir = stoqfs_op_readdir,
    .readdirplus = stoqfs_op_readdirplus,
    .releasedir = stoqfs_op_releasedir,
    .fsyncdir = stoqfs_op_fsyncdir,
    .setxattr = stoqfs_op_setxattr,
    .getxattr = stoqfs_op_getxattr,
    .listxattr = stoqfs_op_listxattr,
    .removexattr = stoqfs_op_removexattr,
};

/* ------------------------------------------------------------------ nodes of requests
 */

struct stoqfs_node *
stoqfs_req_node(fuse_req_t req, fuse_ino_t ino)
{
    struct stoqfs_node *n = stoqfs_node_get(stoqfs_of(req)->nodes, ino);
    if (!n)
        (void)fuse_reply_err(req, ESTALE);
    return n;
}

struct stoqfs_node *
stoqfs_req_real(fuse_req_t req, fuse_ino_t ino, int error)
{
    struct stoqfs_node *n = stoqfs_req_node(req, ino);
    if (n && stoqfs_node_kind(n) != STOQFS_REAL) {
        (void)fuse_reply_err(req, error);
        return NULL;
    }
    return n;
}

int
stoqfs_dir_enter(struct stoqfs *fs, fuse_ino_t ino, struct stoqfs_dir *d)
{
    d->fd = -1;
    d->node = stoqfs_node_get(fs->nodes, ino);
    if (!d->node)
        return -ESTALE;
    if (stoqfs_node_kind(d->node) != STOQFS_REAL)
        return -EPERM;
    if (fs->options->read_only)
        return -EROFS;
    return stoqfs_node_fd(fs->nodes, d->node, &d->fd);
}

void
stoqfs_dir_leave(struct stoqfs *fs, struct stoqfs_dir *d)
{
    if (d->fd >= 0)
        stoqfs_node_fd_put(fs->nodes, d->node, d->fd);
    d->fd = -1;
}

bool
stoqfs_name_is_dot(const struct stoqfs_node *parent, const char *name)
{
    return name[0] == '.' && strcmp(name, STOQFS_DOT_NAME) == 0 &&
           stoqfs_node_number(parent) == FUSE_ROOT_ID;
}

int
stoqfs_name_check(struct stoqfs *fs, const struct stoqfs_dir *d, const char *name)
{
    char base[256];
    struct stat st;
    if (stoqfs_name_is_dot(d->node, name))
        return -EPERM;
    if (!stoqfs_sidecar_name(fs, name, base) ||
        fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    return fstatat(d->fd, base, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)
               ? -EPERM
               : 0;
}

/* ------------------------------------------------------- results outlive metadata
 * changes */

static void
keep_begin(struct stoqfs_keep *k)
{
    if (k->node)
        k->seq = stoqfs_node_write_seq(k->node);
}

void
stoqfs_keep_node(struct stoqfs_node *n, int fd, struct stoqfs_keep *k)
{
    memset(k, 0, sizeof(*k));
    k->fd = -1;
    k->node = n;
    keep_begin(k);
    if (stoqfs_node_type(n) == S_IFREG && fstat(fd, &k->before) == 0)
        k->fd = fd;
}

int
stoqfs_keep_name(struct stoqfs *fs, const struct stoqfs_dir *d, const char *name,
                 struct stoqfs_keep *k)
{
    memset(k, 0, sizeof(*k));
    k->owned = true;
    k->fd = stoqfs_nodes_openat(fs->nodes, d->fd, name, O_PATH | O_NOFOLLOW);
    if (k->fd < 0)
        return k->fd;
    if (fstat(k->fd, &k->before) < 0) {
        int r = -errno;
        stoq_auto_close(&k->fd);
        return r;
    }
    k->node = stoqfs_node_find(fs->nodes, k->before.st_dev, k->before.st_ino);
    keep_begin(k);
    return 0;
}

static void
keep_release(struct stoqfs *fs, struct stoqfs_keep *k)
{
    if (k->owned) {
        stoq_auto_close(&k->fd);
        if (k->node)
            stoqfs_node_unpin(fs->nodes, k->node);
    }
    k->fd = -1;
    k->node = NULL;
}

void
stoqfs_keep_renamed(struct stoqfs *fs, struct stoqfs_keep *k, bool changed)
{
    if (k->fd >= 0 && changed && k->node && S_ISREG(k->before.st_mode) &&
        stoqfs_gate_expects(fs->gate, &k->before))
        stoqfs_scan_written(fs, k->node);
    keep_release(fs, k);
}

void
stoqfs_keep_end(struct stoqfs *fs, struct stoqfs_keep *k, bool changed)
{
    struct stat after;
    bool quiet = !k->node || (stoqfs_node_writers(k->node) == 0 &&
                              stoqfs_node_write_seq(k->node) == k->seq);
    if (k->fd >= 0 && changed && quiet && S_ISREG(k->before.st_mode) &&
        fstat(k->fd, &after) == 0 && after.st_nlink > 0)
        stoqfs_gate_carry(fs->gate, &k->before, &after);
    keep_release(fs, k);
}

void
stoqfs_scan_written(struct stoqfs *fs, struct stoqfs_node *n)
{
    struct stat st;
    struct stoqfs_answer now;
    stoqfs_cache_stale(fs, n);
    stoqfs_node_set_due(n);
    STOQ_AUTOCLOSE int fd =
        stoqfs_node_open_unseen(fs->nodes, n, O_RDONLY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_nlink == 0)
        return;
    const struct stoqfs_question q = {
        .fd = fd, .st = &st, .node = n, .priority = STOQ_PRIORITY_WRITTEN};
    int r = stoqfs_gate_ask(fs->gate, &q, &now);
    if (r < 0)
        STOQ_DEBUG("a written file is scanned when it is opened: %s", strerror(-r));
}

/* --------------------------------------------------------------------------- entries
 */

int
stoqfs_stat_shown(struct stoqfs *fs, struct stoqfs_node *n, int fd, struct stat *st)
{
    if (fstat(fd, st) < 0)
        return -errno;
    stoqfs_node_told(n, st);
    st->st_ino = stoqfs_node_shown_ino(fs->nodes, st->st_dev, st->st_ino);
    return 0;
}

void
stoqfs_fill_entry(struct stoqfs *fs, struct stoqfs_node *n, const struct stat *st,
                  struct fuse_entry_param *e)
{
    memset(e, 0, sizeof(*e));
    e->ino = stoqfs_node_number(n);
    e->generation = stoqfs_node_generation(fs->nodes, n);
    e->attr = *st;
    e->attr_timeout = stoqfs_cache_attr_time(fs, st);
    e->entry_timeout = stoqfs_cache_time(fs);
    if (stoqfs_node_kind(n) == STOQFS_REAL)
        stoqfs_node_told(n, st);
}

void
stoqfs_reply_entry(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n,
                   const struct stat *st)
{
    struct fuse_entry_param e;
    stoqfs_fill_entry(fs, n, st, &e);
    if (fuse_reply_entry(req, &e) != 0)
        stoqfs_node_forget(fs->nodes, e.ino, 1);
}

void
stoqfs_reply_lookup(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *parent,
                    const char *name)
{
    struct stoqfs_node *n = NULL;
    struct stat st;
    int r = stoqfs_node_lookup(fs->nodes, parent, name, &n, &st);
    if (r < 0)
        (void)fuse_reply_err(req, -r);
    else
        stoqfs_reply_entry(fs, req, n, &st);
}
