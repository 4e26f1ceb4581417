/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Finding the directories to watch. A directory is watched first and read afterwards,
 * so that nothing made in between is missed: what is seen twice is recognised by its
 * watch descriptor, which is one per directory. Files are looked at only in directories
 * that are new, or when events were lost.
 */

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "cache.h"
#include "gate_open.h"
#include "node.h"
#include "util/auto.h"
#include "util/log.h"
#include "watch_impl.h"

#define MASK                                                                          \
    (IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM | \
     IN_MOVED_TO | IN_ONLYDIR | IN_EXCL_UNLINK)

static void
limit_reached(struct stoqfs_watch *w)
{
    struct watch_dir *d;
    atomic_store(&w->limit_reached, true);
    stoqfs_cache_vouch(w->fs, false);
    if (!w->limit_said)
        STOQ_WARN("the limit of inotify watches is reached: changes made behind the "
                  "mount are noticed late in some directories "
                  "(sysctl fs.inotify.max_user_watches)");
    w->limit_said = true;
    while ((d = TAILQ_FIRST(&w->todo))) {
        TAILQ_REMOVE(&w->todo, d, queue);
        d->queued = false;
        if (d->wd < 0)
            watch_dir_drop(w, d);
    }
}

/* Watch @p d, open as @p fd. @return the directory that has the watch, which is another
 * one when it was known under another name; NULL when there is none. */
static struct watch_dir *
watch(struct stoqfs_watch *w, struct watch_dir *d, int fd)
{
    struct stoqfs_fd_path path;
    struct stat st;
    int wd = inotify_add_watch(w->inotify, stoqfs_fd_path(fd, &path), MASK);
    if (wd < 0 && errno == ENOSPC) {
        if (d->wd < 0)
            watch_dir_drop(w, d);
        limit_reached(w);
        return NULL;
    }
    if (wd < 0 || fstat(fd, &st) < 0) {
        watch_dir_drop(w, d);
        return NULL;
    }
    struct watch_dir *known = watch_dir_find(w, wd);
    if (known && known != d) {
        if (d->wd >= 0) /* another directory is there now, and known, too */
            return NULL;
        if (known != w->root)
            (void)watch_dir_place(w, known, d->parent, d->name);
        known->resync = known->resync || d->resync;
        known->fresh = known->fresh || d->fresh;
        watch_dir_drop(w, d);
        return known;
    }
    if (!known && d->wd >= 0) { /* another directory is under this name now */
        struct watch_dir *other = d->parent ? watch_dir_new(d->parent, d->name) : NULL;
        watch_dir_drop(w, d);
        if (!other)
            return NULL;
        other->fresh = true;
        d = other;
    }
    if (!known)
        watch_dir_map(w, d, wd);
    d->dev = st.st_dev;
    d->ino = st.st_ino;
    return d;
}

static bool
is_dir(int fd, const struct dirent *e)
{
    struct stat st;
    if (e->d_type != DT_UNKNOWN)
        return e->d_type == DT_DIR;
    return fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0 &&
           S_ISDIR(st.st_mode);
}

static void
read_entries(struct stoqfs_watch *w, struct watch_dir *d, DIR *dir)
{
    const struct dirent *e;
    bool look = d->fresh || d->resync;
    while (!atomic_load(&w->stop) && (e = readdir(dir))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (!is_dir(dirfd(dir), e)) {
            if (look)
                watch_found(w, d, e->d_name);
            continue;
        }
        struct watch_dir *child = watch_dir_new(d, e->d_name);
        if (!child)
            continue;
        child->fresh = d->fresh;
        child->resync = d->resync;
        watch_dir_queue(w, child);
    }
    /* what the kernel was told of it before it was watched may be wrong by now */
    if (look) {
        watch_touch(w, d);
        w->new_epoch = true;
    }
    d->fresh = d->resync = false;
}

void
watch_walk_one(struct stoqfs_watch *w)
{
    char path[PATH_MAX];
    struct watch_dir *d = TAILQ_FIRST(&w->todo);
    if (!d)
        return;
    TAILQ_REMOVE(&w->todo, d, queue);
    d->queued = false;
    int r = watch_dir_path(d, "", path, sizeof(path));
    STOQ_AUTOCLOSE int fd =
        r < 0 ? r : stoqfs_open_below(w->fs->source_fd, path, O_RDONLY | O_DIRECTORY);
    if (fd < 0) {
        if (fd == -EXDEV || fd == -ENAMETOOLONG || fd == -EACCES)
            (void)atomic_fetch_add(&w->unwatched, 1);
        if (d->wd < 0) /* those that are watched are told of by IN_IGNORED */
            watch_dir_drop(w, d);
        return;
    }
    d = watch(w, d, fd);
    STOQ_AUTOCLOSEDIR DIR *dir = d ? fdopendir(fd) : NULL;
    if (!dir)
        return;
    (void)STOQ_STEAL_FD(&fd);
    read_entries(w, d, dir);
}

void
watch_walk_again(struct stoqfs_watch *w)
{
    if (!w->root)
        return;
    stoqfs_cache_vouch(w->fs, false);
    w->root->resync = true;
    watch_dir_queue(w, w->root);
}
