/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How a node's file is reached: by a file handle, opened when needed, with the O_PATH
 * descriptors of those last used kept in a list of bounded length. A file that has no
 * handle, or on whose mount handles cannot be opened, keeps its descriptor as long as
 * its node lives.
 */

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>

#include "node_impl.h"
#include "util/auto.h"
#include "util/log.h"

struct handle {
    struct file_handle head;
    uint8_t bytes[HANDLE_MAX];
};

/* ------------------------------------------------------------------ the cache's list
 */

static void
lru_remove_locked(struct stoqfs_nodes *t, struct stoqfs_node *n)
{
    if (!n->in_lru)
        return;
    if (n->lru_prev)
        t->nodes[n->lru_prev].lru_next = n->lru_next;
    else
        t->lru_head = n->lru_next;
    if (n->lru_next)
        t->nodes[n->lru_next].lru_prev = n->lru_prev;
    else
        t->lru_tail = n->lru_prev;
    n->lru_prev = n->lru_next = 0;
    n->in_lru = false;
}

static void
lru_push_locked(struct stoqfs_nodes *t, struct stoqfs_node *n)
{
    n->lru_prev = 0;
    n->lru_next = t->lru_head;
    if (t->lru_head)
        t->nodes[t->lru_head].lru_prev = n->number;
    else
        t->lru_tail = n->number;
    t->lru_head = n->number;
    n->in_lru = true;
}

int
stoqfs_fd_take_locked(struct stoqfs_nodes *t, struct stoqfs_node *n)
{
    int fd = n->fd;
    if (fd >= 0) {
        lru_remove_locked(t, n);
        n->fd = -1;
        t->fds--;
    }
    return fd;
}

int
stoqfs_fd_store_locked(struct stoqfs_nodes *t, struct stoqfs_node *n, int fd)
{
    if (n->fd >= 0)
        return fd;
    n->fd = fd;
    t->fds++;
    if (!n->keeps_fd)
        lru_push_locked(t, n);
    return -1;
}

int
stoqfs_fd_evict_locked(struct stoqfs_nodes *t)
{
    if (t->fds <= t->fd_limit || !t->lru_tail)
        return -1;
    return stoqfs_fd_take_locked(t, &t->nodes[t->lru_tail]);
}

void
stoqfs_fd_trim(struct stoqfs_nodes *t)
{
    for (;;) {
        (void)pthread_mutex_lock(&t->lock);
        int fd = stoqfs_fd_evict_locked(t);
        (void)pthread_mutex_unlock(&t->lock);
        if (fd < 0)
            return;
        (void)close(fd);
    }
}

bool
stoqfs_nodes_relieve(struct stoqfs_nodes *t)
{
    (void)pthread_mutex_lock(&t->lock);
    uint64_t goal = t->fds / 2;
    bool any = t->lru_tail != 0;
    while (t->fds > goal && t->lru_tail)
        (void)close(stoqfs_fd_take_locked(t, &t->nodes[t->lru_tail]));
    (void)pthread_mutex_unlock(&t->lock);
    return any;
}

int
stoqfs_nodes_openat(struct stoqfs_nodes *t, int dir, const char *name, int flags)
{
    for (;;) {
        int fd = openat(dir, name, flags | O_CLOEXEC);
        if (fd >= 0)
            return fd;
        if (errno != EMFILE || !stoqfs_nodes_relieve(t))
            return -errno;
    }
}

/* -------------------------------------------------------------------------- handles */

/* What open_handle() needs. */
static struct stoqfs_slot
slot_locked(const struct stoqfs_nodes *t, const struct stoqfs_node *n)
{
    struct stoqfs_slot s = {0};
    memcpy(&s, &t->slots[n->number], offsetof(struct stoqfs_slot, name));
    return s;
}

static int
open_handle(struct stoqfs_nodes *t, const struct stoqfs_slot *s, int flags)
{
    struct handle h = {
        .head = {.handle_bytes = s->handle_size, .handle_type = s->handle_type}};
    memcpy(h.bytes, s->handle, s->handle_size);
    int mount = t->mounts[s->mount].fd; /* constant once the index was given */
    for (;;) {
        int fd = open_by_handle_at(mount, &h.head, flags | O_CLOEXEC);
        if (fd >= 0)
            return fd;
        if (errno != EMFILE || !stoqfs_nodes_relieve(t))
            return -errno;
    }
}

static int
find_mount_locked(const struct stoqfs_nodes *t, int mount_id)
{
    for (uint32_t i = 0; i < t->mount_count; i++)
        if (t->mounts[i].id == mount_id)
            return (int)i;
    return -1;
}

/* Whether a handle of that mount can be opened through a descriptor on it. */
static bool
probe(int mount_fd, const struct file_id *id)
{
    struct handle h = {
        .head = {.handle_bytes = id->handle_size, .handle_type = id->handle_type}};
    memcpy(h.bytes, id->handle, id->handle_size);
    STOQ_AUTOCLOSE int fd = open_by_handle_at(mount_fd, &h.head, O_PATH | O_CLOEXEC);
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == id->st.st_dev &&
           st.st_ino == id->st.st_ino;
}

/* A directory on the mount of @p id, readable, or -1. */
static int
mount_directory(int fd, int dir_fd, const struct file_id *id)
{
    if (S_ISDIR(id->st.st_mode))
        return openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct handle h = {.head = {.handle_bytes = HANDLE_MAX}};
    int mount_id = -1;
    if (dir_fd < 0 ||
        name_to_handle_at(dir_fd, "", &h.head, &mount_id, AT_EMPTY_PATH) ||
        mount_id != id->mount_id)
        return -1; /* a file that is itself a mount point */
    return openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The index of the mount of @p id, made when it is new; -1 when it cannot be had. */
static int
mount_index(struct stoqfs_nodes *t, int fd, int dir_fd, const struct file_id *id)
{
    (void)pthread_mutex_lock(&t->lock);
    int i = find_mount_locked(t, id->mount_id);
    bool full = t->mount_count == MOUNTS_MAX;
    (void)pthread_mutex_unlock(&t->lock);
    if (i >= 0 || full)
        return i;

    STOQ_AUTOCLOSE int mount_fd = mount_directory(fd, dir_fd, id);
    if (mount_fd < 0)
        return -1;
    if (!probe(mount_fd, id)) {
        stoq_auto_close(&mount_fd);
        STOQ_INFO(
            "files of mount %d cannot be reopened by handle; each known one keeps "
            "a descriptor",
            id->mount_id);
    }
    (void)pthread_mutex_lock(&t->lock);
    i = find_mount_locked(t, id->mount_id);
    if (i < 0 && t->mount_count < MOUNTS_MAX) {
        i = (int)t->mount_count++;
        if (mount_fd >= 0) /* before there can be nodes with it; waits for nothing */
            stoqfs_session_hold(t->session, STOQFS_HOLD_MOUNT, (uint32_t)i,
                                (uint64_t)id->mount_id, mount_fd);
        t->mounts[i] =
            (struct mount_point){.id = id->mount_id, .fd = STOQ_STEAL_FD(&mount_fd)};
    }
    (void)pthread_mutex_unlock(&t->lock);
    return i;
}

int
stoqfs_identify(struct stoqfs_nodes *t, int fd, int dir_fd, struct file_id *id)
{
    struct handle h = {.head = {.handle_bytes = HANDLE_MAX}};
    id->handle_size = 0;
    id->mount_id = -1;
    id->mount = 0;
    if (fstat(fd, &id->st) < 0)
        return -errno;
    if (name_to_handle_at(fd, "", &h.head, &id->mount_id, AT_EMPTY_PATH) < 0 ||
        h.head.handle_bytes == 0)
        return 0;
    id->handle_type = h.head.handle_type;
    id->handle_size = (uint8_t)h.head.handle_bytes;
    memcpy(id->handle, h.bytes, h.head.handle_bytes);
    int i = mount_index(t, fd, dir_fd, id);
    if (i < 0 || t->mounts[i].fd < 0)
        id->handle_size = 0;
    else
        id->mount = (uint16_t)i;
    return 0;
}

/* ---------------------------------------------------------------- the node's own file
 */

int
stoqfs_node_fd(struct stoqfs_nodes *t, struct stoqfs_node *n, int *fd)
{
    if (n->kind != STOQFS_REAL)
        return -EINVAL;
    (void)pthread_mutex_lock(&t->lock);
    if (n->fd >= 0) {
        lru_remove_locked(t, n);
        n->fd_refs++;
        *fd = n->fd;
        (void)pthread_mutex_unlock(&t->lock);
        return 0;
    }
    struct stoqfs_slot slot = slot_locked(t, n);
    (void)pthread_mutex_unlock(&t->lock);

    int r = open_handle(t, &slot, O_PATH | O_NOFOLLOW);
    if (r < 0)
        return r;
    (void)pthread_mutex_lock(&t->lock);
    STOQ_AUTOCLOSE int extra STOQ_UNUSED = stoqfs_fd_store_locked(t, n, r);
    lru_remove_locked(t, n);
    n->fd_refs++;
    *fd = n->fd;
    (void)pthread_mutex_unlock(&t->lock);
    return 0;
}

void
stoqfs_node_fd_put(struct stoqfs_nodes *t, struct stoqfs_node *n, int fd)
{
    if (fd < 0)
        return;
    (void)pthread_mutex_lock(&t->lock);
    if (--n->fd_refs == 0 && !n->keeps_fd)
        lru_push_locked(t, n);
    STOQ_AUTOCLOSE int evicted STOQ_UNUSED = stoqfs_fd_evict_locked(t);
    (void)pthread_mutex_unlock(&t->lock);
}

/* By the handle where there is one: that is the quickest way, and takes no descriptor
 * of the cache. A file that has no links left may be out of reach by handle. */
int
stoqfs_node_open(struct stoqfs_nodes *t, struct stoqfs_node *n, int flags)
{
    if (n->kind != STOQFS_REAL)
        return -EINVAL;
    (void)pthread_mutex_lock(&t->lock);
    struct stoqfs_slot slot = slot_locked(t, n);
    bool cached = n->fd >= 0;
    (void)pthread_mutex_unlock(&t->lock);
    int r = -ESTALE;
    if (slot.handle_size > 0)
        r = open_handle(t, &slot, flags & ~O_NOFOLLOW);
    if (r != -ESTALE || !cached)
        return r;

    int fd = -1;
    r = stoqfs_node_fd(t, n, &fd);
    if (r < 0)
        return r;
    struct stoqfs_fd_path path;
    r = stoqfs_nodes_openat(t, AT_FDCWD, stoqfs_fd_path(fd, &path),
                            flags & ~O_NOFOLLOW);
    stoqfs_node_fd_put(t, n, fd);
    return r;
}

int
stoqfs_node_open_unseen(struct stoqfs_nodes *t, struct stoqfs_node *n, int flags)
{
    int fd = stoqfs_node_open(t, n, flags | O_NOATIME);
    return fd == -EPERM ? stoqfs_node_open(t, n, flags) : fd;
}

int
stoqfs_node_stat(struct stoqfs_nodes *t, struct stoqfs_node *n, struct stat *st)
{
    int fd = -1;
    int r = stoqfs_node_fd(t, n, &fd);
    if (r < 0)
        return r;
    r = fstat(fd, st) < 0 ? -errno : 0;
    stoqfs_node_fd_put(t, n, fd);
    return r;
}
