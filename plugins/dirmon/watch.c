/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The watched directories, by watch descriptor, and the listing of what is in them. A
 * directory is watched first and listed then: what arrives in between is met twice, and
 * dirmon_offer() knows it. Links are followed nowhere, also not when a directory
 * is swapped for one meanwhile.
 */

#include <dirent.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <sys/inotify.h>

#include "dirmon.h"

#define EVENTS                                                                   \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE_SELF | \
     IN_MOVE_SELF | IN_ONLYDIR)

struct watch {
    int wd;
    unsigned generation;
    char *path; /* owned; relative to the source directory, "" for itself */
};

static int
by_wd(const void *pa, const void *pb)
{
    const struct watch *a = pa, *b = pb;
    return a->wd < b->wd ? -1 : a->wd > b->wd;
}

static void
watch_free(void *p)
{
    struct watch *w = p;
    free(w->path);
    free(w);
}

static struct watch *
watch_find(const struct dirmon_monitor *m, int wd)
{
    const struct watch key = {.wd = wd};
    void *const *node = tfind(&key, &m->watches, by_wd);
    return node ? *node : NULL;
}

const char *
dirmon_watch_path(const struct dirmon_monitor *m, int wd)
{
    const struct watch *w = watch_find(m, wd);
    return w ? w->path : NULL;
}

void
dirmon_watch_forget(struct dirmon_monitor *m, int wd)
{
    struct watch *w = watch_find(m, wd);
    if (!w)
        return;
    (void)tdelete(w, &m->watches, by_wd);
    watch_free(w);
}

/* ----------------------------------------------------------------------- selection */

/* Watches that are to go; a tree must not change while it is walked. */
struct selection {
    const char *below;   /* this path and those below it; NULL = ... */
    unsigned generation; /* ... those of another generation */
    int *wds;
    size_t count, room;
};

static bool
is_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    return n == 0 || (strncmp(path, dir, n) == 0 && (!path[n] || path[n] == '/'));
}

static void
select_watch(const void *node, VISIT visit, void *arg)
{
    struct selection *s = arg;
    const struct watch *w = *(struct watch *const *)node;
    if (visit != postorder && visit != leaf)
        return;
    if (s->below ? !is_below(w->path, s->below) : w->generation == s->generation)
        return;
    if (s->count == s->room) {
        size_t room = s->room ? 2 * s->room : 64;
        int *wds = realloc(s->wds, room * sizeof(int));
        if (!wds)
            return; /* it stays; its events name paths that are not there */
        s->wds = wds;
        s->room = room;
    }
    s->wds[s->count++] = w->wd;
}

static void
drop_selected(struct dirmon_monitor *m, struct selection *s)
{
    twalk_r(m->watches, select_watch, s);
    for (size_t i = 0; i < s->count; i++) {
        (void)inotify_rm_watch(m->notify, s->wds[i]);
        dirmon_watch_forget(m, s->wds[i]);
    }
    free(s->wds);
}

void
dirmon_watch_drop(struct dirmon_monitor *m, const char *path)
{
    struct selection s = {.below = path};
    drop_selected(m, &s);
}

void
dirmon_watch_prune(struct dirmon_monitor *m)
{
    struct selection s = {.generation = m->generation};
    drop_selected(m, &s);
}

void
dirmon_watch_fini(struct dirmon_monitor *m)
{
    tdestroy(m->watches, watch_free);
    m->watches = NULL;
}

/* ------------------------------------------------------------------------- listing */

/* Watch the directory open at @fd; the one of @path, new or under a new name. */
static int
watch_add(struct dirmon_monitor *m, int fd, const char *path)
{
    char name[40];
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    int wd = inotify_add_watch(m->notify, name, EVENTS);
    if (wd < 0)
        return -errno;
    struct watch *w = watch_find(m, wd);
    char *copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    if (w) {
        free(w->path);
    } else {
        w = calloc(1, sizeof *w);
        if (w)
            w->wd = wd;
        if (!w || !tsearch(w, &m->watches, by_wd)) {
            free(copy);
            free(w);
            return -ENOMEM;
        }
    }
    w->path = copy;
    w->generation = m->generation;
    return 0;
}

/* Directories that are still to be listed. */
struct todo {
    char **items; /* owned, each owned */
    size_t count, room;
};

/* @path is taken. */
static int
todo_add(struct todo *t, char *path)
{
    if (t->count == t->room) {
        size_t room = t->room ? 2 * t->room : 64;
        char **items = realloc(t->items, room * sizeof(char *));
        if (!items) {
            free(path);
            return -ENOMEM;
        }
        t->items = items;
        t->room = room;
    }
    t->items[t->count++] = path;
    return 0;
}

static void
todo_fini(struct todo *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->items[i]);
    free(t->items);
}

static unsigned char
type_of(int dir, const struct dirent *e)
{
    struct stat st;
    if (e->d_type != DT_UNKNOWN)
        return e->d_type;
    if (fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return DT_UNKNOWN;
    return S_ISDIR(st.st_mode) ? DT_DIR : S_ISREG(st.st_mode) ? DT_REG : DT_UNKNOWN;
}

/* Offer the files of @path and add its directories to @todo; @dir is borrowed. */
static int
list(struct dirmon_monitor *m, DIR *dir, const char *path, enum dirmon_why why,
     struct todo *todo)
{
    int r = 0;
    for (const struct dirent *e; r == 0 && (e = readdir(dir));) {
        unsigned char type = type_of(dirfd(dir), e);
        if ((type != DT_DIR && type != DT_REG) || strcmp(e->d_name, ".") == 0 ||
            strcmp(e->d_name, "..") == 0)
            continue;
        char *child = NULL;
        if (asprintf(&child, "%s%s%s", path, path[0] ? "/" : "", e->d_name) < 0)
            return -ENOMEM;
        if (type == DT_DIR) {
            r = todo_add(todo, child);
            continue;
        }
        r = dirmon_offer(m, child, why, UINT64_MAX);
        free(child);
    }
    return r;
}

static void
cannot_watch(struct dirmon_monitor *m, const char *path, int code)
{
    if (code == ENOENT || code == ENOTDIR || code == ELOOP)
        return;
    if (!m->told)
        stoq_ctx_log(m->conf->ctx, STOQ_LEVEL_WARNING,
                     "%s/%s: cannot be watched, the tree is listed now and then: %s",
                     m->conf->source_dir, path, strerrordesc_np(code));
    m->blind = true;
    m->told = true;
}

static int
watch_one(struct dirmon_monitor *m, const char *path, enum dirmon_why why,
          struct todo *todo)
{
    int opened = dirmon_open_below(m, path, O_RDONLY | O_DIRECTORY);
    if (opened < 0) {
        cannot_watch(m, path, -opened);
        return 0;
    }
    PLUGIN_AUTOCLOSE int fd = opened;
    int r = watch_add(m, fd, path);
    if (r == -ENOMEM)
        return r;
    if (r < 0)
        cannot_watch(m, path, -r);
    DIR *dir = fdopendir(fd);
    if (!dir)
        return -errno;
    fd = -1;
    r = list(m, dir, path, why, todo);
    (void)closedir(dir);
    return r;
}

int
dirmon_watch_tree(struct dirmon_monitor *m, const char *path, enum dirmon_why why)
{
    struct todo todo = {0};
    char *first = strdup(path);
    int r = first ? todo_add(&todo, first) : -ENOMEM;
    while (r == 0 && todo.count > 0) {
        char *next = todo.items[--todo.count];
        r = watch_one(m, next, why, &todo);
        free(next);
    }
    todo_fini(&todo);
    return r;
}
