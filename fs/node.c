/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The node table: find or make a node in one step, count what the kernel knows of it,
 * let it go. Everything is under one lock; the source is asked before or after it.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

#include "node_impl.h"
#include "util/auto.h"

#define FDS_LEAST 64U
#define FDS_MOST  16384U

/* --------------------------------------------------------------- making, letting go */

static struct stoqfs_node *
make_file_locked(struct stoqfs_nodes *t, const struct file_id *id)
{
    struct stoqfs_node *n = stoqfs_arena_take_locked(t);
    if (!n)
        return NULL;
    struct stoqfs_slot *s = &t->slots[n->number];
    s->dev = id->st.st_dev;
    s->ino = id->st.st_ino;
    s->handle_type = id->handle_type;
    s->handle_size = id->handle_size;
    s->mount = id->mount;
    s->type = id->st.st_mode & S_IFMT;
    memcpy(s->handle, id->handle, id->handle_size);
    STOQFS_ORDER();
    s->kind = STOQFS_REAL;
    n->kind = STOQFS_REAL;
    n->type = s->type;
    if (id->handle_size == 0)
        stoqfs_session_give_up(t->session,
                               "files of the source cannot be opened by handle");
    n->keeps_fd = id->handle_size == 0;
    stoqfs_hash_add_locked(t, n);
    return n;
}

static struct stoqfs_node *
make_virtual_locked(struct stoqfs_nodes *t, enum stoqfs_kind kind, uint64_t what,
                    uint64_t version)
{
    struct stoqfs_node *n = stoqfs_arena_take_locked(t);
    if (!n)
        return NULL;
    struct stoqfs_slot *s = &t->slots[n->number];
    s->ino = what;
    s->dev = version;
    STOQFS_ORDER();
    s->kind = (uint8_t)kind;
    n->kind = (uint8_t)kind;
    return n;
}

/* Take a node out of the table that nothing refers to. @return the number it pinned. */
static uint32_t
free_node_locked(struct stoqfs_nodes *t, struct stoqfs_node *n, int *fd)
{
    uint32_t parent = n->parent;
    if (n->kind == STOQFS_REAL) {
        stoqfs_hash_remove_locked(t, n);
        *fd = stoqfs_fd_take_locked(t, n);
    } else if (n->kind == STOQFS_SIDECAR) {
        if (t->nodes[parent].sidecar == n->number)
            t->nodes[parent].sidecar = 0;
        (void)atomic_fetch_sub(&t->nodes[parent].sidecars, 1);
    } else {
        stoqfs_chain_remove_locked(
            t, &t->dot[n->what.virtual_id % STOQ_ARRAY_SIZE(t->dot)], n);
    }
    if (n->orphan)
        stoqfs_session_drop(t->session, STOQFS_HOLD_NODE, n->number,
                            t->slots[n->number].generation);
    stoqfs_name_free(t, n);
    stoqfs_arena_give_locked(t, n);
    return parent;
}

void
stoqfs_node_drop(struct stoqfs_nodes *t, uint32_t number, uint64_t lookups,
                 uint32_t pins)
{
    while (number) {
        STOQ_AUTOCLOSE int fd = -1;
        uint32_t next = 0;
        (void)pthread_mutex_lock(&t->lock);
        struct stoqfs_node *n = &t->nodes[number];
        struct stoqfs_slot *s = &t->slots[number];
        s->lookups -= lookups < s->lookups ? lookups : s->lookups;
        n->pins -= pins < n->pins ? pins : n->pins;
        if (n->kind && s->lookups == 0 && n->pins == 0)
            next = free_node_locked(t, n, &fd);
        (void)pthread_mutex_unlock(&t->lock);
        number = next;
        lookups = 0;
        pins = 1;
    }
}

/* ----------------------------------------------------------------------- find or make
 */

/* @p fd is taken. @return 0, 1 when the node is new, -errno. */
static int
enter_file(struct stoqfs_nodes *t, struct stoqfs_node *parent, const char *name, int fd,
           const struct file_id *id, struct stoqfs_node **out)
{
    uint32_t unpin = 0;
    STOQ_AUTOCLOSE int extra = fd;
    (void)pthread_mutex_lock(&t->lock);
    struct stoqfs_node *n = stoqfs_hash_find_locked(t, id);
    bool is_new = !n;
    if (!n)
        n = make_file_locked(t, id);
    if (!n) {
        (void)pthread_mutex_unlock(&t->lock);
        return -ENFILE;
    }
    t->slots[n->number].lookups++;
    if (extra >= 0)
        extra = stoqfs_fd_store_locked(t, n, STOQ_STEAL_FD(&extra));
    if (!stoqfs_name_is_locked(n, parent, name))
        unpin = stoqfs_name_set_locked(t, n, parent, name);
    STOQ_AUTOCLOSE int evicted STOQ_UNUSED = stoqfs_fd_evict_locked(t);
    (void)pthread_mutex_unlock(&t->lock);
    stoqfs_node_drop(t, unpin, 0, 1);
    *out = n;
    return is_new;
}

/* What changed before the node was in the table was told to nobody. */
static int
look_again(struct stoqfs_nodes *t, int r, struct stoqfs_node *n, struct stat *st)
{
    struct stat now;
    if (r == 1 && stoqfs_node_stat(t, n, &now) == 0)
        *st = now;
    return r < 0 ? r : 0;
}

int
stoqfs_node_lookup_raw(struct stoqfs_nodes *t, struct stoqfs_node *parent,
                       const char *name, struct stoqfs_node **out, struct stat *st)
{
    int dir = -1;
    struct file_id id;
    int r = stoqfs_node_fd(t, parent, &dir);
    if (r < 0)
        return r;
    int fd = stoqfs_nodes_openat(t, dir, name, O_PATH | O_NOFOLLOW);
    r = fd < 0 ? fd : stoqfs_identify(t, fd, dir, &id);
    stoqfs_node_fd_put(t, parent, dir);
    if (r < 0) {
        stoq_auto_close(&fd);
        return r;
    }
    *st = id.st;
    r = enter_file(t, parent, name, fd, &id, out);
    return look_again(t, r, *out, st);
}

int
stoqfs_node_adopt(struct stoqfs_nodes *t, struct stoqfs_node *parent, const char *name,
                  int fd, struct stoqfs_node **out, struct stat *st)
{
    int dir = -1;
    struct file_id id;
    int r = stoqfs_node_fd(t, parent, &dir);
    if (r < 0)
        return r;
    r = stoqfs_identify(t, fd, dir, &id);
    stoqfs_node_fd_put(t, parent, dir);
    if (r < 0)
        return r;
    int path_fd = -1;
    if (id.handle_size == 0) { /* the node needs an O_PATH descriptor to keep */
        struct stoqfs_fd_path path;
        path_fd = stoqfs_nodes_openat(t, AT_FDCWD, stoqfs_fd_path(fd, &path), O_PATH);
        if (path_fd < 0)
            return path_fd;
    }
    *st = id.st;
    r = enter_file(t, parent, name, path_fd, &id, out);
    return look_again(t, r, *out, st);
}

int
stoqfs_node_lookup(struct stoqfs_nodes *t, struct stoqfs_node *parent, const char *name,
                   struct stoqfs_node **out, struct stat *st)
{
    int r = stoqfs_node_lookup_raw(t, parent, name, out, st);
    if (r == 0)
        st->st_ino = stoqfs_node_shown_ino(t, st->st_dev, st->st_ino);
    return r;
}

int
stoqfs_node_sidecar(struct stoqfs_nodes *t, struct stoqfs_node *base, uint64_t version,
                    struct stoqfs_node **out)
{
    if (base->kind != STOQFS_REAL)
        return -EINVAL;
    (void)pthread_mutex_lock(&t->lock);
    struct stoqfs_node *n = stoqfs_at(t, base->sidecar);
    if (!n || t->slots[n->number].dev != version) {
        n = make_virtual_locked(t, STOQFS_SIDECAR, base->number, version);
        if (n) {
            n->parent = base->number;
            n->what.base = base;
            base->sidecar = n->number;
            base->pins++;
            (void)atomic_fetch_add(&base->sidecars, 1);
        }
    }
    if (n)
        t->slots[n->number].lookups++;
    (void)pthread_mutex_unlock(&t->lock);
    if (!n)
        return -ENFILE;
    *out = n;
    return 0;
}

int
stoqfs_node_dot(struct stoqfs_nodes *t, uint64_t id, struct stoqfs_node **out)
{
    uint32_t *head = &t->dot[id % STOQ_ARRAY_SIZE(t->dot)];
    (void)pthread_mutex_lock(&t->lock);
    struct stoqfs_node *n = stoqfs_at(t, *head);
    while (n && n->what.virtual_id != id)
        n = stoqfs_at(t, n->hash_next);
    if (!n) {
        n = make_virtual_locked(t, STOQFS_DOT, id, 0);
        if (n) {
            n->what.virtual_id = id;
            n->hash_next = *head;
            *head = n->number;
        }
    }
    if (n)
        t->slots[n->number].lookups++;
    (void)pthread_mutex_unlock(&t->lock);
    if (!n)
        return -ENFILE;
    *out = n;
    return 0;
}

struct stoqfs_node *
stoqfs_node_find(struct stoqfs_nodes *t, uint64_t dev, uint64_t ino)
{
    (void)pthread_mutex_lock(&t->lock);
    struct stoqfs_node *n = stoqfs_hash_newest_locked(t, dev, ino);
    if (n)
        n->pins++;
    (void)pthread_mutex_unlock(&t->lock);
    return n;
}

struct stoqfs_node *
stoqfs_node_get(struct stoqfs_nodes *t, fuse_ino_t ino)
{
    if (ino == 0 || ino >= t->capacity)
        return NULL;
    /* the lock orders this thread after the one that made the node */
    (void)pthread_mutex_lock(&t->lock);
    struct stoqfs_node *n =
        ino < (uint64_t)t->chunks_made * CHUNK_SLOTS ? &t->nodes[ino] : NULL;
    if (n && n->kind == 0)
        n = NULL;
    (void)pthread_mutex_unlock(&t->lock);
    return n;
}

/* ----------------------------------------------------------------------------- counts
 */

void
stoqfs_node_ref(struct stoqfs_nodes *t, struct stoqfs_node *n)
{
    (void)pthread_mutex_lock(&t->lock);
    t->slots[n->number].lookups++;
    (void)pthread_mutex_unlock(&t->lock);
}

void
stoqfs_node_forget(struct stoqfs_nodes *t, fuse_ino_t ino, uint64_t count)
{
    if (ino > FUSE_ROOT_ID && stoqfs_node_get(t, ino))
        stoqfs_node_drop(t, (uint32_t)ino, count, 0);
}

void
stoqfs_node_pin(struct stoqfs_nodes *t, struct stoqfs_node *n)
{
    (void)pthread_mutex_lock(&t->lock);
    n->pins++;
    (void)pthread_mutex_unlock(&t->lock);
}

void
stoqfs_node_unpin(struct stoqfs_nodes *t, struct stoqfs_node *n)
{
    stoqfs_node_drop(t, n->number, 0, 1);
}

/* --------------------------------------------------------------------------- the table
 */

static void
raise_limit(struct stoqfs_nodes *t)
{
    struct rlimit r = {.rlim_cur = 1024, .rlim_max = 1024};
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        struct rlimit most = {.rlim_cur = r.rlim_max, .rlim_max = r.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &most) == 0)
            r = most;
    }
    /* most descriptors are for open files: each costs at least one */
    t->fd_limit = r.rlim_cur / 4;
    if (t->fd_limit < FDS_LEAST)
        t->fd_limit = FDS_LEAST;
    if (t->fd_limit > FDS_MOST)
        t->fd_limit = FDS_MOST;
}

static int
make_root(struct stoqfs_nodes *t, int source_fd)
{
    struct file_id id;
    int fd = fcntl(source_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int r = stoqfs_identify(t, fd, fd, &id);
    if (r < 0) {
        (void)close(fd);
        return r;
    }
    (void)pthread_mutex_lock(&t->lock);
    struct stoqfs_node *n = make_file_locked(t, &id);
    if (n) {
        n->keeps_fd = true;
        t->slots[n->number].lookups = 1;
        fd = stoqfs_fd_store_locked(t, n, fd);
        (void)stoqfs_dev_index_locked(t, id.st.st_dev);
    }
    (void)pthread_mutex_unlock(&t->lock);
    stoq_auto_close(&fd);
    return n && n->number == FUSE_ROOT_ID ? 0 : -ENOMEM;
}

STOQ_DEFINE_AUTO(stoqfs_nodes)

int
stoqfs_nodes_new(int source_fd, struct stoqfs_session *session,
                 struct stoqfs_nodes **out, struct stoq_error *err)
{
    STOQ_AUTO(stoqfs_nodes) t = calloc(1, sizeof(*t));
    if (!t)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    (void)pthread_mutex_init(&t->lock, NULL);
    t->session = session;
    t->memfd = -1;
    t->bucket_count = 1024;
    t->buckets = calloc(t->bucket_count, sizeof(*t->buckets));
    raise_limit(t);
    int r = t->buckets ? stoqfs_arena_init(t) : -ENOMEM;
    if (r == 0)
        r = stoqfs_nodes_restore(t, source_fd);
    if (r == -ENOENT)
        r = make_root(t, source_fd);
    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r,
                              "cannot make the node table: %s", strerror(-r));
    *out = STOQ_STEAL(&t);
    return 0;
}

void
stoqfs_nodes_free(struct stoqfs_nodes *t)
{
    if (!t)
        return;
    for (uint32_t i = 1; t->nodes && i < t->chunks_made * CHUNK_SLOTS; i++) {
        if (t->nodes[i].kind == 0)
            continue;
        stoqfs_name_free(t, &t->nodes[i]);
        if (t->nodes[i].fd >= 0)
            (void)close(t->nodes[i].fd);
    }
    for (uint32_t i = 0; i < t->mount_count; i++)
        if (t->mounts[i].fd >= 0)
            (void)close(t->mounts[i].fd);
    stoqfs_arena_fini(t);
    free(t->buckets);
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
}

void
stoqfs_nodes_stats(struct stoqfs_nodes *t, uint64_t *nodes, uint64_t *fds)
{
    (void)pthread_mutex_lock(&t->lock);
    *nodes = t->used;
    *fds = t->fds;
    (void)pthread_mutex_unlock(&t->lock);
}
