/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the plugin directories hold: manifests only, no code is loaded. Walks by
 * descriptors; symbolic links to directories are not followed below a given directory.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "plugin/loader.h"
#include "plugin/manifest.h"
#include "util/auto.h"
#include "util/log.h"

#define DEPTH_MAX 16U

struct stoq_catalogue {
    struct stoq_manifest **items; /* owned, in order of discovery */
    size_t count;
};

STOQ_DEFINE_AUTO(stoq_catalogue)

static int
no_memory(struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
}

static int
find_index(const struct stoq_catalogue *c, const char *name, size_t *index)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->items[i]->name, name) == 0) {
            *index = i;
            return 0;
        }
    }
    return -ENOENT;
}

/* @m is taken. */
static int
add(struct stoq_catalogue *c, struct stoq_manifest *m)
{
    size_t at;
    if (find_index(c, m->name, &at) == 0) {
        STOQ_WARN("plugin %s: %s replaces %s", m->name, m->path, c->items[at]->path);
        stoq_manifest_free(c->items[at]);
        c->items[at] = m;
        return 0;
    }
    struct stoq_manifest **items =
        realloc(c->items, (c->count + 1) * sizeof(struct stoq_manifest *));
    if (!items) {
        stoq_manifest_free(m);
        return -ENOMEM;
    }
    c->items = items;
    items[c->count++] = m;
    return 0;
}

static int
add_file(struct stoq_catalogue *c, const char *dir, const char *file)
{
    struct stoq_manifest *m = NULL;
    struct stoq_error own = {0};
    int r = stoq_manifest_read(dir, file, &m, &own);
    if (r == 0)
        return add(c, m);
    if (r == -ENOMEM)
        return r;
    STOQ_WARN("skipping plugin manifest %s/%s: %s", dir, file, own.message);
    return 0;
}

static bool
is_manifest(const char *name)
{
    static const char suffix[] = ".stoq";
    size_t size = strlen(name), tail = sizeof(suffix) - 1;
    return size > tail && strcmp(name + size - tail, suffix) == 0;
}

static int
text_order(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* Names in the directory @fd (taken), sorted; hidden ones are left out. */
static int
read_names(int fd, struct stoq_strv *names)
{
    STOQ_AUTOCLOSEDIR DIR *d = fdopendir(fd);
    if (!d) {
        int r = -errno;
        (void)close(fd);
        return r;
    }
    for (;;) {
        errno = 0;
        const struct dirent *e = readdir(d);
        if (!e && errno)
            return -errno;
        if (!e)
            break;
        int r = e->d_name[0] == '.' ? 0 : stoq_strv_add(names, e->d_name);
        if (r < 0)
            return r;
    }
    if (names->count)
        qsort(names->items, names->count, sizeof(char *), text_order);
    return 0;
}

static int walk(struct stoq_catalogue *c, int fd, const char *path, unsigned depth);

/* One entry of the directory at @path: a manifest, a directory, or neither. */
static int
visit(struct stoq_catalogue *c, int parent, const char *path, const char *name,
      unsigned depth)
{
    struct stat st;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0; /* gone meanwhile */
    if (!S_ISDIR(st.st_mode))
        return is_manifest(name) ? add_file(c, path, name) : 0;
    STOQ_AUTOFREE char *below = NULL;
    if (asprintf(&below, "%s/%s", path, name) < 0) {
        below = NULL;
        return -ENOMEM;
    }
    if (depth >= DEPTH_MAX) {
        STOQ_WARN("%s: nested too deep, skipping", below);
        return 0;
    }
    STOQ_AUTOCLOSE int fd =
        openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        STOQ_WARN("%s: %s, skipping", below, strerror(errno));
        return 0;
    }
    return walk(c, fd, below, depth + 1);
}

/* @fd stays the caller's. */
static int
walk(struct stoq_catalogue *c, int fd, const char *path, unsigned depth)
{
    struct stoq_strv names = {0};
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = copy < 0 ? -errno : read_names(copy, &names);
    if (r < 0 && r != -ENOMEM) {
        STOQ_WARN("%s: %s, skipping", path, strerror(-r));
        r = 0;
    }
    for (size_t i = 0; r == 0 && i < names.count; i++)
        r = visit(c, fd, path, names.items[i], depth);
    stoq_strv_fini(&names);
    return r;
}

static int
walk_root(struct stoq_catalogue *c, const char *dir)
{
    STOQ_AUTOFREE char *path = realpath(dir, NULL);
    if (!path && errno == ENOMEM)
        return -ENOMEM;
    STOQ_AUTOCLOSE int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0) {
        STOQ_WARN("Invalid plugin directory specified, skipping: %s (%s)", dir,
                  strerror(errno));
        return 0;
    }
    return walk(c, fd, path, 0);
}

int
stoq_catalogue_new(const struct stoq_strv *dirs, struct stoq_catalogue **out,
                   struct stoq_error *err)
{
    STOQ_AUTO(stoq_catalogue) c = calloc(1, sizeof(*c));
    if (!c)
        return no_memory(err);
    for (size_t i = 0; i < dirs->count; i++) {
        if (walk_root(c, dirs->items[i]) < 0)
            return no_memory(err);
    }
    *out = STOQ_STEAL(&c);
    return 0;
}

void
stoq_catalogue_free(struct stoq_catalogue *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++)
        stoq_manifest_free(c->items[i]);
    free(c->items);
    free(c);
}

size_t
stoq_catalogue_count(const struct stoq_catalogue *c)
{
    return c->count;
}

const struct stoq_manifest *
stoq_catalogue_at(const struct stoq_catalogue *c, size_t i)
{
    return i < c->count ? c->items[i] : NULL;
}

const struct stoq_manifest *
stoq_catalogue_find(const struct stoq_catalogue *c, const char *name)
{
    size_t at;
    return find_index(c, name, &at) == 0 ? c->items[at] : NULL;
}
