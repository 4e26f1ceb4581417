/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Extended attributes, ACLs among them: the source's, but for user.stoq.*, which answer
 * from the result. What the source has under such a name is neither shown nor set.
 */

#include <fcntl.h>
#include <linux/xattr.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "ops_impl.h"
#include "util/auto.h"

/* A node's file as a path, for calls that know no descriptor. */
struct target {
    struct stoqfs_node *node;
    int fd;
    struct stoqfs_fd_path path;
};

static int
target_get(struct stoqfs *fs, struct stoqfs_node *n, struct target *t)
{
    t->node = n;
    t->fd = -1;
    int r = stoqfs_node_fd(fs->nodes, n, &t->fd);
    if (r == 0)
        (void)stoqfs_fd_path(t->fd, &t->path);
    return r;
}

static void
target_put(struct stoqfs *fs, struct target *t)
{
    stoqfs_node_fd_put(fs->nodes, t->node, t->fd);
}

/* An ACL of a file with a set-group-ID bit: whether it stays depends on the caller's
 * groups. */
static bool
needs_caller(const struct target *t, const char *name)
{
    struct stat st;
    return strcmp(name, XATTR_NAME_POSIX_ACL_ACCESS) == 0 && fstat(t->fd, &st) == 0 &&
           st.st_mode & S_ISGID;
}

static int
set_as(fuse_req_t req, const struct target *t, const char *name, const char *value,
       size_t size, int flags)
{
    struct stoqfs_creds creds = {.active = false};
    if (needs_caller(t, name)) {
        int r = stoqfs_creds_enter_groups(req, &creds);
        if (r < 0)
            return r;
    }
    if (flags & XATTR_CREATE)
        stoqfs_note_xattr(t->path.text, name);
    int r = setxattr(t->path.text, name, value, size, flags) < 0 ? -errno : 0;
    stoqfs_creds_leave(&creds);
    return stoqfs_made_before(r);
}

static int
remove_from(const struct target *t, const char *name)
{
    stoqfs_note_xattr(t->path.text, name);
    int r = removexattr(t->path.text, name) < 0 ? -errno : 0;
    return r == -ENODATA && stoqfs_removed_before() ? 0 : r;
}

/* Common part of set and remove; @p value NULL: remove. */
static void
change(fuse_req_t req, struct stoqfs_node *n, const char *name, const char *value,
       size_t size, int flags)
{
    struct stoqfs *fs = stoqfs_of(req);
    struct stoqfs_keep keep;
    struct target t;
    int r = fs->options->read_only ? -EROFS : 0;
    if (r == 0 && stoqfs_xattr_is_virtual(name))
        r = -EPERM;
    if (r == 0)
        r = target_get(fs, n, &t);
    if (r < 0) {
        (void)fuse_reply_err(req, -r);
        return;
    }
    stoqfs_keep_node(n, t.fd, &keep);
    if (value)
        r = set_as(req, &t, name, value, size, flags);
    else
        r = remove_from(&t, name);
    stoqfs_keep_end(fs, &keep, r == 0);
    target_put(fs, &t);
    (void)fuse_reply_err(req, -r);
}

void
stoqfs_op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
                   size_t size, int flags)
{
    struct stoqfs_node *n = stoqfs_req_real(req, ino, EPERM);
    if (n)
        change(req, n, name, value ? value : "", size, flags);
}

void
stoqfs_op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
    struct stoqfs_node *n = stoqfs_req_real(req, ino, EPERM);
    if (n)
        change(req, n, name, NULL, 0, 0);
}

/* ls -l asks each file for its SELinux label, unless it is told once that the
 * filesystem has none. The question comes here only where SELinux is not in force. */
static int
get_errno(const char *name, int err)
{
    return err == ENODATA && strcmp(name, XATTR_NAME_SELINUX) == 0 ? EOPNOTSUPP : err;
}

void
stoqfs_op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    struct stoqfs *fs = stoqfs_of(req);
    struct stoqfs_node *n = stoqfs_req_node(req, ino);
    struct target t;
    STOQ_AUTOFREE char *value = NULL;
    if (!n)
        return;
    /* who may not read a file may not read its result */
    if (stoqfs_node_kind(n) == STOQFS_SIDECAR &&
        strcmp(name, XATTR_NAME_POSIX_ACL_ACCESS) == 0)
        n = stoqfs_node_base(n);
    if (stoqfs_node_kind(n) != STOQFS_REAL) {
        (void)fuse_reply_err(req, ENODATA);
        return;
    }
    if (stoqfs_xattr_is_virtual(name)) {
        if (stoqfs_node_type(n) == S_IFREG)
            stoqfs_xattr_get(fs, req, n, name, size);
        else
            (void)fuse_reply_err(req, ENODATA);
        return;
    }
    if (size > XATTR_SIZE_MAX)
        size = XATTR_SIZE_MAX;
    value = size ? malloc(size) : NULL;
    int r = size && !value ? -ENOMEM : target_get(fs, n, &t);
    if (r < 0) {
        (void)fuse_reply_err(req, -r);
        return;
    }
    ssize_t len = getxattr(t.path.text, name, value, size);
    int err = errno;
    target_put(fs, &t);
    if (len < 0)
        (void)fuse_reply_err(req, get_errno(name, err));
    else if (size)
        (void)fuse_reply_buf(req, value, (size_t)len);
    else
        (void)fuse_reply_xattr(req, (size_t)len);
}

/* Take names of ours out of a list. @return its new length. */
static size_t
filter(char *list, size_t len)
{
    size_t kept = 0;
    for (size_t at = 0; at < len;) {
        size_t one = strnlen(list + at, len - at) + 1;
        if (one > len - at)
            break;
        if (!stoqfs_xattr_is_virtual(list + at)) {
            memmove(list + kept, list + at, one);
            kept += one;
        }
        at += one;
    }
    return kept;
}

void
stoqfs_op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    struct stoqfs *fs = stoqfs_of(req);
    struct stoqfs_node *n = stoqfs_req_node(req, ino);
    struct target t;
    STOQ_AUTOFREE char *list = NULL;
    if (!n)
        return;
    ssize_t len = 0;
    int r = 0;
    if (stoqfs_node_kind(n) == STOQFS_REAL) {
        list = malloc(XATTR_LIST_MAX);
        r = list ? target_get(fs, n, &t) : -ENOMEM;
        if (r == 0) {
            len = listxattr(t.path.text, list, XATTR_LIST_MAX);
            r = len < 0 ? -errno : 0;
            target_put(fs, &t);
        }
    }
    size_t kept = r == 0 && list ? filter(list, (size_t)len) : 0;
    if (r < 0)
        (void)fuse_reply_err(req, -r);
    else if (size == 0)
        (void)fuse_reply_xattr(req, kept);
    else if (kept > size)
        (void)fuse_reply_err(req, ERANGE);
    else
        (void)fuse_reply_buf(req, list, kept);
}
