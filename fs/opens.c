/* SPDX-License-Identifier: Apache-2.0 */

/* See opens.h. */

#include "opens.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "node.h"
#include "pass.h"
#include "session.h"
#include "stoqfs.h"
#include "util/auto.h"
#include "util/log.h"

struct own {
    uint32_t next; /* free: the next free one; guarded by lock */
    int fd;
    _Atomic(void *) what;
};

struct stoqfs_opens {
    pthread_mutex_t lock;
    struct stoqfs_shared *shared;
    int texts_fd;
    uint32_t room;    /* of own; guarded by lock */
    uint32_t free;    /* first free entry below opens_high, 0 none; guarded by lock */
    struct own **own; /* chunks, made as they are used */
};

#define CHUNK  4096U
#define CHUNKS (STOQFS_OPENS_MAX / CHUNK)

static struct own *
own_of(const struct stoqfs_opens *t, uint32_t i)
{
    return &t->own[i / CHUNK][i % CHUNK];
}

/* Have the private halves of entries up to @p i. */
static int
reach(struct stoqfs_opens *t, uint32_t i)
{
    while (t->room <= i) {
        struct own *chunk = calloc(CHUNK, sizeof(*chunk));
        if (!chunk)
            return -ENOMEM;
        for (uint32_t k = 0; k < CHUNK; k++)
            chunk[k].fd = -1;
        t->own[t->room / CHUNK] = chunk;
        t->room += CHUNK;
    }
    return 0;
}

static struct stoqfs_open *
entry_of(const struct stoqfs *fs, uint64_t fh)
{
    uint32_t i = (uint32_t)fh;
    if (i == 0 || i >= STOQFS_OPENS_MAX)
        return NULL;
    struct stoqfs_open *e = &fs->session->shared->opens[i];
    return atomic_load(&e->kind) && e->uses == (uint32_t)(fh >> 32) ? e : NULL;
}

static bool
can_write(const struct stoqfs_open *e)
{
    return e->kind == STOQFS_OPEN_FILE && (e->flags & O_ACCMODE) != O_RDONLY;
}

/* ------------------------------------------------------------------------- its life */

/* Open again and count. The kernel's flags for itself are not for the source. */
static void
revive(struct stoqfs *fs, struct stoqfs_opens *t, uint32_t i, struct stoqfs_node *n)
{
    const struct stoqfs_open *e = &t->shared->opens[i];
    if (e->kind == STOQFS_OPEN_DIR)
        stoqfs_node_listers_add(n, 1);
    if (e->kind != STOQFS_OPEN_FILE)
        return;
    int flags = (int)e->flags & (O_ACCMODE | O_SYNC | O_DSYNC | O_NOATIME);
    int fd = stoqfs_node_open(fs->nodes, n, flags | O_NONBLOCK);
    if (fd < 0)
        STOQ_WARN("a file that was open cannot be opened again: %s", strerror(-fd));
    own_of(t, i)->fd = fd;
    stoqfs_pass_revive(n, e->backing);
    if (can_write(e))
        stoqfs_node_writers_add(n, 1);
}

static int
restore(struct stoqfs *fs, struct stoqfs_opens *t)
{
    for (uint32_t i = t->shared->opens_high; i-- > 1;) {
        struct stoqfs_open *e = &t->shared->opens[i];
        struct stoqfs_node *n = e->kind ? stoqfs_node_get(fs->nodes, e->node) : NULL;
        if (reach(t, i) < 0)
            return -ENOMEM;
        if (n && stoqfs_node_generation(fs->nodes, n) == e->generation) {
            revive(fs, t, i, n);
        } else {
            e->kind = 0;
            own_of(t, i)->next = t->free;
            t->free = i;
        }
    }
    return 0;
}

int
stoqfs_opens_new(struct stoqfs *fs, struct stoqfs_opens **out, struct stoq_error *err)
{
    struct stoqfs_opens *t = calloc(1, sizeof(*t));
    if (t)
        t->own = calloc(CHUNKS, sizeof(struct own *));
    if (!t || !t->own) {
        free(t);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    (void)pthread_mutex_init(&t->lock, NULL);
    t->shared = fs->session->shared;
    t->texts_fd = fs->session->texts_fd;
    *out = t;
    if (t->shared->opens_high == 0)
        t->shared->opens_high = 1; /* 0 is no handle */
    int r = reach(t, t->shared->opens_high);
    if (r == 0)
        r = restore(fs, t);
    return r < 0 ? stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "out of memory") : 0;
}

void
stoqfs_opens_free(struct stoqfs_opens *t)
{
    if (!t)
        return;
    for (uint32_t i = 0; i < CHUNKS; i++) {
        for (uint32_t k = 0; t->own[i] && k < CHUNK; k++)
            stoq_auto_close(&t->own[i][k].fd);
        free(t->own[i]);
    }
    free(t->own);
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
}

/* -------------------------------------------------------------------------- handles */

static uint32_t
take_entry(struct stoqfs_opens *t)
{
    (void)pthread_mutex_lock(&t->lock);
    uint32_t i = t->free;
    if (i) {
        t->free = own_of(t, i)->next;
    } else if (t->shared->opens_high < STOQFS_OPENS_MAX &&
               reach(t, t->shared->opens_high) == 0) {
        i = t->shared->opens_high++;
    }
    (void)pthread_mutex_unlock(&t->lock);
    return i;
}

uint64_t
stoqfs_open_add(struct stoqfs *fs, struct stoqfs_node *n,
                const struct stoqfs_opening *how)
{
    uint32_t i = take_entry(fs->opens);
    if (!i)
        return 0;
    struct own *own = own_of(fs->opens, i);
    struct stoqfs_open *e = &fs->session->shared->opens[i];
    own->fd = how->fd;
    atomic_store(&own->what, NULL);
    atomic_store(&e->unique, how->unique);
    atomic_store(&e->at, 0);
    e->generation = stoqfs_node_generation(fs->nodes, n);
    e->node = (uint32_t)stoqfs_node_number(n);
    e->flags = (uint32_t)how->flags;
    e->backing = how->backing;
    e->uses++;
    atomic_store(&e->kind, (unsigned char)how->kind);
    return (uint64_t)e->uses << 32 | i;
}

static void
drop_text(const struct stoqfs_opens *t, struct stoqfs_open *e)
{
    uint64_t at = atomic_exchange(&e->at, 0);
    if (at)
        (void)fallocate(t->texts_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                        (off_t)at, (off_t)(e->size ? e->size : 1));
}

bool
stoqfs_open_end(struct stoqfs *fs, uint64_t fh)
{
    struct stoqfs_opens *t = fs->opens;
    struct stoqfs_open *e = entry_of(fs, fh);
    if (!e)
        return false;
    struct own *own = own_of(t, (uint32_t)fh);
    drop_text(t, e);
    atomic_store(&e->kind, 0);
    stoq_auto_close(&own->fd);
    atomic_store(&own->what, NULL);
    (void)pthread_mutex_lock(&t->lock);
    own->next = t->free;
    t->free = (uint32_t)fh;
    (void)pthread_mutex_unlock(&t->lock);
    return true;
}

bool
stoqfs_open_valid(const struct stoqfs *fs, uint64_t fh)
{
    return entry_of(fs, fh) != NULL;
}

int
stoqfs_open_fd(const struct stoqfs *fs, const struct fuse_file_info *fi)
{
    return entry_of(fs, fi->fh) ? own_of(fs->opens, (uint32_t)fi->fh)->fd : -1;
}

void *
stoqfs_open_what(const struct stoqfs *fs, uint64_t fh)
{
    return entry_of(fs, fh) ? atomic_load(&own_of(fs->opens, (uint32_t)fh)->what)
                            : NULL;
}

void
stoqfs_open_set_what(struct stoqfs *fs, uint64_t fh, void *what)
{
    if (entry_of(fs, fh))
        atomic_store(&own_of(fs->opens, (uint32_t)fh)->what, what);
}

struct stoqfs_node *
stoqfs_open_node(const struct stoqfs *fs, uint64_t fh)
{
    const struct stoqfs_open *e = entry_of(fs, fh);
    return e ? stoqfs_node_get(fs->nodes, e->node) : NULL;
}

/* ---------------------------------------------------------------------------- texts */

/* Places in the file are not used twice, so nothing has to know which are free: what is
 * no longer read is a hole. */
int
stoqfs_open_write(struct stoqfs *fs, uint64_t fh, const void *data, size_t size)
{
    struct stoqfs_open *e = entry_of(fs, fh);
    if (!e)
        return -EBADF;
    uint64_t room = (size + STOQFS_TEXT_UNIT) / STOQFS_TEXT_UNIT * STOQFS_TEXT_UNIT;
    uint64_t at = atomic_fetch_add(&fs->session->shared->texts_end, room);
    const char *p = data;
    for (size_t done = 0; done < size;) {
        ssize_t n =
            pwrite(fs->opens->texts_fd, p + done, size - done, (off_t)(at + done));
        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    drop_text(fs->opens, e);
    e->size = size;
    atomic_store(&e->at, at);
    return 0;
}

ssize_t
stoqfs_open_read(const struct stoqfs *fs, uint64_t fh, void *buf, size_t size,
                 uint64_t off)
{
    const struct stoqfs_open *e = entry_of(fs, fh);
    uint64_t at = e ? atomic_load(&e->at) : 0;
    if (!at)
        return -EBADF;
    if (off >= e->size)
        return 0;
    size = size < e->size - off ? size : (size_t)(e->size - off);
    ssize_t n = pread(fs->opens->texts_fd, buf, size, (off_t)(at + off));
    return n < 0 ? -errno : n;
}

uint64_t
stoqfs_open_size(const struct stoqfs *fs, uint64_t fh)
{
    const struct stoqfs_open *e = entry_of(fs, fh);
    return e && atomic_load(&e->at) ? e->size : 0;
}

/* ---------------------------------------------------------------------------- again */

void
stoqfs_opens_undo(struct stoqfs *fs, uint64_t unique)
{
    struct stoqfs_shared *shared = fs->session->shared;
    (void)pthread_mutex_lock(&fs->opens->lock);
    uint32_t high = shared->opens_high;
    (void)pthread_mutex_unlock(&fs->opens->lock);
    for (uint32_t i = 1; i < high; i++) {
        const struct stoqfs_open *e = &shared->opens[i];
        if (!atomic_load(&e->kind) || atomic_load(&e->unique) != unique)
            continue;
        uint64_t fh = (uint64_t)e->uses << 32 | i;
        struct stoqfs_node *n = stoqfs_open_node(fs, fh);
        if (n && e->kind == STOQFS_OPEN_DIR)
            stoqfs_node_listers_add(n, -1);
        if (n && e->kind == STOQFS_OPEN_FILE)
            (void)stoqfs_pass_end(fs->pass, n);
        if (n && can_write(e))
            stoqfs_node_writers_add(n, -1);
        (void)stoqfs_open_end(fs, fh);
    }
}
