/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Open files: READ, WRITE, FLUSH, FSYNC, FALLOCATE, COPY_FILE_RANGE, LSEEK, IOCTL.
 * Handles of real files are descriptors; those of sidecars and .stoq belong to their
 * rooms.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ops_impl.h"
#include "util/auto.h"

/* Up to here a copy is cheaper than setting up pipes. */
#define COPY_MOST (32U << 10)
/* A call copies no more at once, so that a thread is not kept busy for long. */
#define COPY_RANGE_MOST (32U << 20)

/* ENOSYS would switch the operation off for the whole mount. */
static int
not_enosys(int err)
{
    return err == ENOSYS ? EOPNOTSUPP : err;
}

/* enum fuse_buf_flags and its like are sets of bits, which compilers doubt. */
#define NO_FLAGS ((enum fuse_buf_copy_flags)0)

static struct fuse_bufvec
file_buf(int fd, size_t size, off_t off)
{
    struct fuse_bufvec v = FUSE_BUFVEC_INIT(size);
    v.buf[0].flags = (enum fuse_buf_flags)(FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK);
    v.buf[0].fd = fd;
    v.buf[0].pos = off;
    return v;
}

void
stoqfs_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
               struct fuse_file_info *fi)
{
    struct stoqfs_node *n = stoqfs_req_node(req, ino);
    if (!n)
        return;
    if (stoqfs_node_kind(n) == STOQFS_SIDECAR) {
        stoqfs_sidecar_read(req, size, off, fi);
        return;
    }
    if (stoqfs_node_kind(n) == STOQFS_DOT) {
        stoqfs_dot_read(req, size, off, fi);
        return;
    }
    if (size <= COPY_MOST) {
        char buf[COPY_MOST];
        ssize_t got = pread(stoqfs_open_fd(stoqfs_of(req), fi), buf, size, off);
        if (got < 0)
            (void)fuse_reply_err(req, errno);
        else
            (void)fuse_reply_buf(req, buf, (size_t)got);
        return;
    }
    struct fuse_bufvec data = file_buf(stoqfs_open_fd(stoqfs_of(req), fi), size, off);
    (void)fuse_reply_data(req, &data, NO_FLAGS);
}

/* The kernel counts the end of the file from what it has cached; the source knows. */
static ssize_t
append(int fd, struct fuse_bufvec *in)
{
    size_t size = fuse_buf_size(in);
    STOQ_AUTOFREE void *copy = NULL;
    struct iovec v = {.iov_base = in->buf[0].mem, .iov_len = size};
    if (in->count != 1 || in->buf[0].flags & FUSE_BUF_IS_FD) {
        struct fuse_bufvec mem = FUSE_BUFVEC_INIT(size);
        copy = malloc(size);
        if (!copy)
            return -ENOMEM;
        mem.buf[0].mem = copy;
        ssize_t got = fuse_buf_copy(&mem, in, NO_FLAGS);
        if (got < 0)
            return got;
        v = (struct iovec){.iov_base = copy, .iov_len = (size_t)got};
    }
    size_t before = stoqfs_appended_before(fd, v.iov_base, v.iov_len);
    v.iov_base = (char *)v.iov_base + before;
    v.iov_len -= before;
    ssize_t put = v.iov_len || !before ? pwritev2(fd, &v, 1, 0, RWF_APPEND) : 0;
    return put < 0 ? -errno : put + (ssize_t)before;
}

static ssize_t
write_at(int fd, struct fuse_bufvec *in, off_t off)
{
    struct fuse_bufvec out = file_buf(fd, fuse_buf_size(in), off);
    return fuse_buf_copy(&out, in, NO_FLAGS);
}

void
stoqfs_op_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in, off_t off,
                    struct fuse_file_info *fi)
{
    struct stoqfs_node *n = stoqfs_req_real(req, ino, EPERM);
    struct stoqfs_creds creds;
    if (!n)
        return;
    stoqfs_node_set_dirty(n);
    stoqfs_creds_enter_writer(req, &creds);
    ssize_t put = fi->flags & O_APPEND && !fi->writepage
                      ? append(stoqfs_open_fd(stoqfs_of(req), fi), in)
                      : write_at(stoqfs_open_fd(stoqfs_of(req), fi), in, off);
    stoqfs_creds_leave(&creds);
    if (put < 0)
        (void)fuse_reply_err(req, (int)-put);
    else
        (void)fuse_reply_write(req, (size_t)put);
}

void
stoqfs_op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct stoqfs_node *n = stoqfs_req_node(req, ino);
    int err = 0;
    if (!n)
        return;
    if (stoqfs_node_kind(n) == STOQFS_REAL) {
        int copy = fcntl(stoqfs_open_fd(stoqfs_of(req), fi), F_DUPFD_CLOEXEC, 0);
        if (copy >= 0 && close(copy) < 0)
            err = errno;
    }
    (void)fuse_reply_err(req, err);
}

void
stoqfs_op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
    struct stoqfs_node *n = stoqfs_req_node(req, ino);
    int r = 0;
    if (!n)
        return;
    if (stoqfs_node_kind(n) == STOQFS_REAL)
        r = datasync ? fdatasync(stoqfs_open_fd(stoqfs_of(req), fi))
                     : fsync(stoqfs_open_fd(stoqfs_of(req), fi));
    (void)fuse_reply_err(req, r < 0 ? not_enosys(errno) : 0);
}

void
stoqfs_op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
                    struct fuse_file_info *fi)
{
    struct stoqfs_node *n = stoqfs_req_real(req, ino, EPERM);
    struct stoqfs_creds creds;
    if (!n)
        return;
    struct stoqfs *fs = stoqfs_of(req);
    int fd = stoqfs_open_fd(fs, fi);
    struct stat st;
    bool set_id = fstat(fd, &st) < 0 || st.st_mode & (S_ISUID | S_ISGID);
    stoqfs_node_set_dirty(n);
    stoqfs_creds_enter_writer(req, &creds);
    int err = fallocate(fd, mode, off, len) < 0 ? errno : 0;
    stoqfs_creds_leave(&creds);
    if (set_id) /* it may be gone, which the kernel does not expect of this request */
        (void)fuse_lowlevel_notify_inval_inode(fs->se, ino, -1, 0);
    (void)fuse_reply_err(req, not_enosys(err));
}

void /* NOLINTNEXTLINE(readability-function-size): the library's signature */
stoqfs_op_copy_file_range(fuse_req_t req, fuse_ino_t in, off_t in_off,
                          struct fuse_file_info *in_fi, fuse_ino_t out, off_t out_off,
                          struct fuse_file_info *out_fi, size_t len, int flags)
{
    /* EXDEV: the kernel copies by reading and writing */
    struct stoqfs_node *from = stoqfs_req_real(req, in, EXDEV);
    struct stoqfs_node *to = from ? stoqfs_req_real(req, out, EXDEV) : NULL;
    struct stoqfs_creds creds;
    if (!to)
        return;
    if (len > COPY_RANGE_MOST)
        len = COPY_RANGE_MOST;
    stoqfs_node_set_dirty(to);
    stoqfs_creds_enter_writer(req, &creds);
    ssize_t put = copy_file_range(stoqfs_open_fd(stoqfs_of(req), in_fi), &in_off,
                                  stoqfs_open_fd(stoqfs_of(req), out_fi), &out_off, len,
                                  (unsigned)flags);
    int err = errno;
    stoqfs_creds_leave(&creds);
    if (put < 0)
        (void)fuse_reply_err(req, not_enosys(err));
    else
        (void)fuse_reply_write(req, (size_t)put);
}

void
stoqfs_op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
                struct fuse_file_info *fi)
{
    struct stoqfs_node *n = stoqfs_req_real(req, ino, EINVAL);
    if (!n)
        return;
    off_t at = lseek(stoqfs_open_fd(stoqfs_of(req), fi), off, whence);
    if (at < 0)
        (void)fuse_reply_err(req, not_enosys(errno));
    else
        (void)fuse_reply_lseek(req, at);
}

/* Those of the source are not passed on: what they would do is not known. */
void /* NOLINTNEXTLINE(readability-function-size): the library's signature */
stoqfs_op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg,
                struct fuse_file_info *fi, unsigned flags, const void *in,
                size_t in_size, size_t out_size)
{
    struct stoqfs_node *n = stoqfs_req_node(req, ino);
    (void)arg;
    (void)fi;
    (void)flags;
    (void)in;
    (void)in_size;
    (void)out_size;
    if (!n)
        return;
    if (stoqfs_node_kind(n) == STOQFS_DOT)
        stoqfs_dot_ioctl(stoqfs_of(req), req, n, cmd);
    else
        (void)fuse_reply_err(req, ENOTTY);
}
