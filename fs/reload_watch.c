/* SPDX-License-Identifier: Apache-2.0 */

/* See reload_watch.h. Everything is set up anew each time, which is simple, and rare.
 */

#include "reload_watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "util/auto.h"
#include "util/log.h"

#define PLACES_MOST 4096U
#define DEPTH_MOST  16U
#define EVENTS                                                              \
    (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | \
     IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

/* One name in one directory, or all of them. */
struct place {
    int wd;
    char *name; /* owned; NULL = all that are not hidden */
};

struct stoqfs_reload_watch {
    int fd;
    struct place *places; /* owned */
    size_t count;
    bool full; /* not all could be watched */
};

int
stoqfs_reload_watch_new(struct stoqfs_reload_watch **out)
{
    struct stoqfs_reload_watch *w = calloc(1, sizeof(*w));
    if (!w)
        return -ENOMEM;
    w->places = calloc(PLACES_MOST, sizeof(*w->places));
    w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (!w->places || w->fd < 0) {
        int r = w->places ? -errno : -ENOMEM;
        stoqfs_reload_watch_free(w);
        return r;
    }
    *out = w;
    return 0;
}

static void
forget(struct stoqfs_reload_watch *w)
{
    for (size_t i = 0; i < w->count; i++)
        free(w->places[i].name);
    w->count = 0;
    w->full = false;
}

void
stoqfs_reload_watch_free(struct stoqfs_reload_watch *w)
{
    if (!w)
        return;
    forget(w);
    free(w->places);
    stoq_auto_close(&w->fd);
    free(w);
}

int
stoqfs_reload_watch_fd(const struct stoqfs_reload_watch *w)
{
    return w->fd;
}

/* @p name NULL = all. */
static void
add(struct stoqfs_reload_watch *w, const char *dir, const char *name)
{
    int wd = w->count < PLACES_MOST ? inotify_add_watch(w->fd, *dir ? dir : "/", EVENTS)
                                    : -1;
    char *copy = wd >= 0 && name ? strdup(name) : NULL;
    if (wd < 0 || (name && !copy)) {
        w->full = w->full || (wd < 0 && errno != ENOENT && errno != ENOTDIR);
        return;
    }
    w->places[w->count++] = (struct place){wd, copy};
}

/* Directories below @p path, which has room for PATH_MAX bytes and is as it was
 * afterwards. */
static void
add_tree(struct stoqfs_reload_watch *w, char *path, unsigned depth)
{
    size_t n = strlen(path);
    add(w, path, NULL);
    STOQ_AUTOCLOSEDIR DIR *dir = depth < DEPTH_MOST ? opendir(path) : NULL;
    const struct dirent *d;
    while (dir && (d = readdir(dir))) {
        struct stat st;
        if (d->d_name[0] == '.' ||
            fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISDIR(st.st_mode) || n + strlen(d->d_name) + 2 > PATH_MAX)
            continue;
        (void)snprintf(path + n, PATH_MAX - n, "/%s", d->d_name);
        add_tree(w, path, depth + 1);
        path[n] = '\0';
    }
}

/* Each part of absolute @p path that a name can be given to: the last one, links, and
 * the first that is missing. */
static void
add_names(struct stoqfs_reload_watch *w, const char *path)
{
    char dir[PATH_MAX];
    (void)snprintf(dir, sizeof(dir), "%s", path);
    for (char *slash = dir, *next; slash; slash = next) {
        struct stat st;
        next = strchr(slash + 1, '/');
        if (next)
            *next = '\0';
        bool missing = lstat(dir, &st) < 0;
        if (missing || !next || S_ISLNK(st.st_mode)) {
            *slash = '\0';
            add(w, dir, slash + 1);
            *slash = '/';
        }
        if (missing)
            return;
        if (next)
            *next = '/';
    }
}

static void
add_path(struct stoqfs_reload_watch *w, const char *path)
{
    char real[PATH_MAX];
    struct stat st;
    if (path[0] != '/' || strlen(path) >= PATH_MAX)
        return;
    bool there = stat(path, &st) == 0;
    if (there && (st.st_mode & S_IWOTH)) {
        STOQ_DEBUG("%s is not watched: everybody may write to it", path);
        return;
    }
    add_names(w, path);
    if (!there || !realpath(path, real))
        return;
    if (strcmp(real, path) != 0)
        add_names(w, real);
    if (S_ISDIR(st.st_mode))
        add_tree(w, real, 0);
}

void
stoqfs_reload_watch_set(struct stoqfs_reload_watch *w, const json_t *paths)
{
    size_t i;
    const json_t *path;
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd < 0) {
        STOQ_WARN("rules are watched as before: inotify: %s", strerror(errno));
        return;
    }
    stoq_auto_close(&w->fd);
    w->fd = fd;
    forget(w);
    json_array_foreach (paths, i, path)
        add_path(w, json_string_value(path));
    if (w->full)
        STOQ_WARN("not all rules are watched: too many directories, or the limit of "
                  "inotify watches is reached (fs.inotify.max_user_watches)");
}

/* Editors' own files are hidden ones; "..data" is how some systems swap directories. */
static bool
is_hidden(const char *name)
{
    return name[0] == '.' && strcmp(name, "..data") != 0;
}

static bool
concerns(const struct stoqfs_reload_watch *w, const struct inotify_event *e)
{
    if (e->mask & IN_Q_OVERFLOW)
        return true;
    if (e->mask & IN_IGNORED)
        return false;
    for (size_t i = 0; i < w->count; i++) {
        const struct place *p = &w->places[i];
        if (p->wd != e->wd)
            continue;
        if (!e->len) {
            if (e->mask & (IN_DELETE_SELF | IN_MOVE_SELF))
                return true;
        } else if (p->name ? strcmp(p->name, e->name) == 0 : !is_hidden(e->name)) {
            return true;
        }
    }
    return false;
}

bool
stoqfs_reload_watch_changed(struct stoqfs_reload_watch *w)
{
    _Alignas(struct inotify_event) char buf[8192];
    bool changed = false;
    ssize_t n;
    while ((n = read(w->fd, buf, sizeof(buf))) > 0) {
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *e = (const void *)(buf + at);
            at += (ssize_t)(sizeof(*e) + e->len);
            changed = changed || concerns(w, e);
        }
    }
    return changed;
}
