/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_PLUGIN_DIRMON_H
#define STOQ_PLUGIN_DIRMON_H

/*
 * What the parts of the dirmon plugin share. events.c runs a monitor, watch.c knows the
 * directories of the tree and lists them, offer.c decides about one file and hands it
 * out, seen.c remembers what was handed out, dirmon.c is the plugin. A monitor lives
 * for one call of ingest and belongs to its thread.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stoq/plugin.h>

#include "common/auto.h"

/** The options of one instance; constant after open(). */
struct dirmon {
    const struct stoq_ctx *ctx; /**< borrowed, outlives the instance */
    char *source_dir;           /**< owned; absolute, links resolved */
    bool existing;
};

/** A version of a file that was handed out, or was there before the start. */
struct dirmon_seen {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec mtime, ctime;
    struct timespec when; /**< realtime: when it was handed out */
    uint64_t barrier;     /**< events before this offset were queued before that */
    unsigned generation;  /**< of the last listing that met it */
};

struct dirmon_monitor {
    const struct dirmon *conf;
    struct stoq_queue *queue; /**< borrowed */
    int notify;               /**< of inotify(7) */
    int root;                 /**< source_dir, or -1 while it is gone */
    void *watches;            /**< tsearch(3) tree of the watched directories */
    void *seen;               /**< tree of struct dirmon_seen, by device and inode */
    size_t seen_count, seen_limit;
    void *waiting; /**< tree of paths: files that may be open for writing */
    size_t waiting_count;
    uint64_t read;       /**< bytes of events read so far */
    unsigned generation; /**< of the listing of the whole tree */
    bool relist;         /**< list the whole tree again, now */
    bool blind;          /**< something could not be watched: list again later */
    bool told;           /**< that is in the log already */
};

/** Why a file is looked at, which decides what is news about it. */
enum dirmon_why {
    DIRMON_KNOWN,  /**< there before the start: remember it */
    DIRMON_CLOSED, /**< somebody closed it after writing */
    DIRMON_NAMED,  /**< it got this name: moved or linked, or its directory did */
    DIRMON_FOUND   /**< met in a listing of the whole tree, without events */
};

/* ---------------------------------------------------------------------- offer.c */

/** Open @p path, relative to the source directory, without following a link on the
 *  way. @return a descriptor, or -errno. */
int dirmon_open_below(const struct dirmon_monitor *m, const char *path, uint64_t flags);
/**
 * Hand out the file at @p path when it is a version that was not handed out before and
 * nobody has it open for writing; else let it wait where that helps.
 * @param offset  of the event that told of it; UINT64_MAX = none.
 * @return 0; -ECANCELED the run is ending; -ENOMEM.
 */
int dirmon_offer(struct dirmon_monitor *m, const char *path, enum dirmon_why why,
                 uint64_t offset);
/** Look at the waiting files again. @return as dirmon_offer(). */
int dirmon_offer_waiting(struct dirmon_monitor *m);
void dirmon_waiting_fini(struct dirmon_monitor *m);

/* ----------------------------------------------------------------------- seen.c */

/** The version that is remembered of a file, or NULL. Borrowed. */
struct dirmon_seen *dirmon_seen_find(const struct dirmon_monitor *m,
                                     const struct stat *st);
/** Remember @p st as handed out now. @return 0 or -ENOMEM. */
int dirmon_seen_put(struct dirmon_monitor *m, const struct stat *st, uint64_t barrier);
/** Forget what the last listing of the whole tree did not meet. */
void dirmon_seen_prune(struct dirmon_monitor *m);
void dirmon_seen_fini(struct dirmon_monitor *m);

/* ---------------------------------------------------------------------- watch.c */

/** Path of the directory that watch @p wd is on; NULL = of none. Borrowed. */
const char *dirmon_watch_path(const struct dirmon_monitor *m, int wd);
/** Watch the directory @p path and those below it, and offer their files.
 *  @return as dirmon_offer(). */
int dirmon_watch_tree(struct dirmon_monitor *m, const char *path, enum dirmon_why why);
/** Watch no longer the directory @p path and those below it. */
void dirmon_watch_drop(struct dirmon_monitor *m, const char *path);
/** The kernel has ended watch @p wd. */
void dirmon_watch_forget(struct dirmon_monitor *m, int wd);
/** Watch no longer what the last listing of the whole tree did not meet. */
void dirmon_watch_prune(struct dirmon_monitor *m);
void dirmon_watch_fini(struct dirmon_monitor *m);

/* --------------------------------------------------------------------- events.c */

/** Run @p m, which has conf and queue only, until the run ends or an error. */
int dirmon_monitor_run(struct dirmon_monitor *m, struct stoq_error *err);

#endif
