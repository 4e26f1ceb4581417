/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Listings of open directories: from the source by getdents64(2), or from .stoq.
 */

#include "ops_list.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dot.h"
#include "sidecar.h"
#include "util/auto.h"

#define DENTS_SIZE (32U << 10)

STOQ_DEFINE_AUTO(stoqfs_dirh)

/* Below a directory whose name begins with a dot nobody browses results, and programs
 * that keep their data there take every file in it for theirs: git would read
 * refs/heads/main.stoq.json as a branch. Such sidecars can be named, but are not
 * listed. */
static bool
in_hidden(struct stoqfs *fs, struct stoqfs_node *n)
{
    char path[PATH_MAX];
    if (stoqfs_node_path(fs->nodes, n, path, sizeof(path)) < 0)
        return false;
    return path[0] == '.' || strstr(path, "/.") != NULL;
}

int
stoqfs_dirh_new(struct stoqfs *fs, struct stoqfs_node *n, struct stoqfs_dirh **out)
{
    STOQ_AUTO(stoqfs_dirh) h = calloc(1, sizeof(*h));
    if (!h)
        return -ENOMEM;
    h->fd = -1;
    if (stoqfs_node_kind(n) == STOQFS_SIDECAR)
        return -ENOTDIR;
    if (stoqfs_node_kind(n) == STOQFS_DOT) {
        h->dot = n;
    } else {
        h->node = n;
        h->root = stoqfs_node_number(n) == FUSE_ROOT_ID;
        h->sidecars = (fs->options->sidecars == STOQFS_SIDECARS_SCANNED ||
                       fs->options->sidecars == STOQFS_SIDECARS_ALL) &&
                      !in_hidden(fs, n);
        const int flags = O_RDONLY | O_DIRECTORY | O_NONBLOCK;
        bool unseen = fs->options->nodiratime || fs->options->read_only;
        h->fd = unseen ? stoqfs_node_open_unseen(fs->nodes, n, flags)
                       : stoqfs_node_open(fs->nodes, n, flags);
        if (h->fd < 0)
            return h->fd;
    }
    *out = STOQ_STEAL(&h);
    return 0;
}

void
stoqfs_dirh_free(struct stoqfs_dirh *h)
{
    if (!h)
        return;
    stoq_auto_close(&h->fd);
    stoq_strbuf_fini(&h->names);
    free(h->entries);
    free(h->reals);
    free(h);
}

/* Room for one more of @p size in an array; false: no memory. */
static bool
grow(void **array, size_t *room, size_t count, size_t size)
{
    if (count < *room)
        return true;
    size_t more = *room ? *room * 2 : 64;
    void *p = realloc(*array, more * size);
    if (!p)
        return false;
    *array = p;
    *room = more;
    return true;
}

static bool
ends_as_sidecar(const char *name)
{
    size_t len = strlen(name), suffix = sizeof(STOQFS_SIDECAR_SUFFIX) - 1;
    return len > suffix && strcmp(name + len - suffix, STOQFS_SIDECAR_SUFFIX) == 0;
}

static bool
add(struct stoqfs_dirh *h, const char *name, uint64_t ino, uint32_t type)
{
    if (h->names.size + 256 > UINT32_MAX)
        return false;
    uint32_t at = (uint32_t)h->names.size;
    if (!grow((void **)&h->entries, &h->room, h->count, sizeof(*h->entries)) ||
        !grow((void **)&h->reals, &h->real_room, h->real_count, sizeof(*h->reals)))
        return false;
    stoq_strbuf_add(&h->names, name, strlen(name) + 1);
    if (h->names.failed)
        return false;
    bool special = name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
    h->entries[h->count++] = (struct stoqfs_dirent){
        .ino = ino, .name = at, .type = type, .special = special};
    if (h->sidecars && ends_as_sidecar(name))
        h->reals[h->real_count++] = at;
    return true;
}

static int
compare(const void *a, const void *b, void *names)
{
    const char *text = names;
    return strcmp(text + *(const uint32_t *)a, text + *(const uint32_t *)b);
}

bool
stoqfs_dirh_has(const struct stoqfs_dirh *h, const char *name)
{
    size_t low = 0, high = h->real_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = strcmp(name, h->names.data + h->reals[mid]);
        if (c == 0)
            return true;
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return false;
}

/* One buffer of getdents64(). false: no memory. */
static bool
add_dents(struct stoqfs *fs, struct stoqfs_dirh *h, uint64_t dev, const char *buf,
          size_t len)
{
    for (size_t at = 0; at < len;) {
        const struct dirent64 *d = (const void *)(buf + at);
        at += d->d_reclen;
        if (h->root && strcmp(d->d_name, STOQFS_DOT_NAME) == 0)
            continue;
        uint64_t ino = d->d_ino;
        /* what is above SRC is nobody's business */
        if (h->root && strcmp(d->d_name, "..") == 0) {
            struct stat st;
            if (fstat(h->fd, &st) == 0)
                ino = st.st_ino;
        }
        if (!add(h, d->d_name, stoqfs_node_shown_ino(fs->nodes, dev, ino),
                 (uint32_t)DTTOIF(d->d_type)))
            return false;
    }
    return true;
}

static int
take_real(struct stoqfs *fs, struct stoqfs_dirh *h)
{
    _Alignas(struct dirent64) char buf[DENTS_SIZE];
    struct stat st;
    if (fstat(h->fd, &st) < 0 || lseek(h->fd, 0, SEEK_SET) < 0)
        return -errno;
    for (;;) {
        ssize_t len = getdents64(h->fd, buf, sizeof(buf));
        if (len < 0)
            return -errno;
        if (len == 0)
            return 0;
        if (!add_dents(fs, h, st.st_dev, buf, (size_t)len))
            return -ENOMEM;
    }
}

static bool
add_dot(void *arg, const char *name, uint64_t ino, mode_t type)
{
    return add(arg, name, ino, type & S_IFMT);
}

static int
take_dot(struct stoqfs *fs, struct stoqfs_dirh *h)
{
    uint64_t own = stoqfs_node_number(h->dot) | STOQFS_SIDECAR_INO;
    if (!add(h, ".", own, S_IFDIR) || !add(h, "..", own, S_IFDIR))
        return -ENOMEM;
    stoqfs_dot_list(fs, h->dot, add_dot, h);
    return 0;
}

int
stoqfs_dirh_take(struct stoqfs *fs, struct stoqfs_dirh *h, uint64_t fh)
{
    h->count = h->real_count = 0;
    stoq_strbuf_fini(&h->names);
    h->taken = true;
    int r = h->dot ? take_dot(fs, h) : take_real(fs, h);
    h->error = -r;
    if (h->real_count > 1)
        qsort_r(h->reals, h->real_count, sizeof(*h->reals), compare, h->names.data);
    stoqfs_dirh_keep(fs, h, fh);
    return h->count == 0 ? r : 0;
}
