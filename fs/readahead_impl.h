/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_READAHEAD_IMPL_H
#define STOQFS_READAHEAD_IMPL_H

/*
 * Inside read-ahead: readahead.c keeps count of the files ahead and begins their scans,
 * readahead_thread.c notices readers and finds their next files (readahead_walk.h).
 */

#include <pthread.h>

#include "readahead.h"
#include "readahead_walk.h"

#define AHEAD_STREAMS 4U
#define AHEAD_FILES   (AHEAD_STREAMS * STOQFS_READAHEAD_MAX)
#define AHEAD_MISSES  16U

enum ahead_state { AHEAD_FREE, AHEAD_READY, AHEAD_RUNNING, AHEAD_DONE };

/** A file ahead of a reader. */
struct ahead_file {
    enum ahead_state state;
    int stream;   /* -1: the reader is past it, or has stopped */
    uint64_t seq; /* order of finding */
    struct stat st;
    int fd;     /* AHEAD_READY */
    char *path; /* AHEAD_READY */
    bool asked; /* AHEAD_RUNNING: somebody waits for it: no longer ahead */
};

/** One reader going through a tree. */
struct ahead_stream {
    bool live;
    unsigned room; /* files ahead; doubled with each that was right */
    uint64_t last_ms;
    struct ahead_walk walk; /* the thread's */
};

struct stoqfs_readahead {
    struct stoqfs *fs;
    unsigned max, running_max;
    pthread_t thread;
    bool thread_on;
    atomic_bool active; /* there are files or streams to look at */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* guarded by lock */
    bool stopping, refill;
    unsigned running; /* AHEAD_RUNNING that nobody asked for */
    uint64_t seq;
    struct ahead_file files[AHEAD_FILES];
    struct ahead_stream streams[AHEAD_STREAMS];
    struct {
        uint64_t dev, ino;
    } misses[AHEAD_MISSES];
    unsigned miss_count;
    /* the thread's */
    struct ahead_lists lists;
    struct ahead_style style; /* that was right the last time */
    char *last;               /* path of the cold open before */
    unsigned strangers;       /* guesses that failed in a row */
};

/* ---- readahead.c ---- */
struct ahead_file *ahead_find_locked(struct stoqfs_readahead *r, uint64_t dev,
                                     uint64_t ino);
/** @p used: it was of use, if it was scanned at all. */
void ahead_free_locked(struct stoqfs_readahead *r, struct ahead_file *s, bool used);
/** Files that are ahead of a stream's reader. */
unsigned ahead_count_locked(const struct stoqfs_readahead *r, int stream);
/** A place for one more, or NULL: what was not asked for the longest time makes room.
 */
struct ahead_file *ahead_room_locked(struct stoqfs_readahead *r);
/** Begin what may be begun now. Not with the lock. */
void ahead_begin(struct stoqfs_readahead *r);

/* ---- readahead_thread.c ---- */
void *ahead_thread_main(void *arg);

#endif
