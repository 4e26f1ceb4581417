/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_WATCH_IMPL_H
#define STOQFS_WATCH_IMPL_H

/*
 * Inside the watch: watch.c (life, the loop), watch_tree.c (directories watched and how
 * they are named), watch_walk.c (finding them), watch_event.c (what a change means).
 * All of it belongs to the watch's thread, but for the atomics.
 */

#include <pthread.h>
#include <sys/queue.h>

#include "watch.h"

TAILQ_HEAD(watch_dirs, watch_dir);

/** A directory, watched or about to be. */
struct watch_dir {
    struct watch_dir *next;          /* of its bucket */
    TAILQ_ENTRY(watch_dir) siblings; /* of parent->children, or watch.moving */
    TAILQ_ENTRY(watch_dir) queue;    /* of watch.todo */
    TAILQ_ENTRY(watch_dir) touched;  /* of watch.touched */
    struct watch_dirs children;
    struct watch_dir *parent; /* NULL: SRC itself, or moving */
    char *name;               /* in parent; "" for SRC */
    int wd;                   /* -1: not watched yet */
    uint64_t dev, ino;        /* once watched */
    uint32_t cookie;          /* moving */
    uint64_t moved_ms;
    bool queued, is_touched, moving;
    bool fresh;  /* appeared while we watched: files in it are news */
    bool resync; /* events were lost: look at what is known */
};

#define WATCH_BUCKETS 4096U

struct stoqfs_watch {
    struct stoqfs *fs;
    int inotify, stop_fd;
    pthread_t thread;
    struct watch_dir *root;
    struct watch_dir *buckets[WATCH_BUCKETS]; /* by wd */
    struct watch_dirs todo;                   /* to be read */
    struct watch_dirs moving;                 /* seen to leave, not to arrive */
    struct watch_dirs touched;                /* whose listings the kernel must drop */
    bool limit_said;
    bool new_epoch; /* names changed: the kernel shall look all of them up again */
    bool no_epochs; /* it does not know how */
    bool may_vouch; /* events tell of all changes there can be */
    atomic_bool stop;
    atomic_bool complete, limit_reached;
    atomic_ullong directories, overflows, unwatched;
};

/* ---- watch_tree.c ---- */
/** A directory not watched yet; NULL on -ENOMEM. */
struct watch_dir *watch_dir_new(struct watch_dir *parent, const char *name);
struct watch_dir *watch_dir_find(struct stoqfs_watch *w, int wd);
/** Child by name, or NULL. */
struct watch_dir *watch_dir_child(struct watch_dir *d, const char *name);
/** It is watched as @p wd. */
void watch_dir_map(struct stoqfs_watch *w, struct watch_dir *d, int wd);
/** Give it another place. @return 0 or -ENOMEM (then under its old name). */
int watch_dir_place(struct stoqfs_watch *w, struct watch_dir *d,
                    struct watch_dir *parent, const char *name);
/** It left its place for one not known yet. */
void watch_dir_depart(struct stoqfs_watch *w, struct watch_dir *d, uint32_t cookie);
struct watch_dir *watch_dir_departed(struct stoqfs_watch *w, uint32_t cookie);
/** Forget it and all below; no longer watched. */
void watch_dir_drop(struct stoqfs_watch *w, struct watch_dir *d);
void watch_dir_queue(struct stoqfs_watch *w, struct watch_dir *d);
/** Path below SRC of @p name in @p d ("" for d itself). 0 or -errno. */
int watch_dir_path(const struct watch_dir *d, const char *name, char *buf, size_t size);

/* ---- watch_walk.c ---- */
/** Watch and read one directory of todo. */
void watch_walk_one(struct stoqfs_watch *w);
/** Everything again: events were lost. */
void watch_walk_again(struct stoqfs_watch *w);

/* ---- watch_event.c ---- */
struct inotify_event;
void watch_event(struct stoqfs_watch *w, const struct inotify_event *e);
/** A file found in a directory that is fresh or resynced. */
void watch_found(struct stoqfs_watch *w, struct watch_dir *d, const char *name);
/** The kernel must read the directory anew. Done at the end of a batch. */
void watch_touch(struct stoqfs_watch *w, struct watch_dir *d);
void watch_flush(struct stoqfs_watch *w);

#endif
