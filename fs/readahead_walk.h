/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_READAHEAD_WALK_H
#define STOQFS_READAHEAD_WALK_H

/*
 * What a program that walks through a tree reads next: the files after a given one, in
 * its directory, in those below, then in those after. Used by the read-ahead thread
 * alone; no lock.
 */

#include "readahead_list.h"

/** How somebody walks. */
struct ahead_style {
    enum ahead_order order;
    bool files_first; /**< all files of a directory, and then those below it */
};

#define AHEAD_DEPTH 64U

/** One directory on the way; the last is where the walk is. */
struct ahead_step {
    struct ahead_list *list;
    size_t next; /* place in the order */
    bool dirs;   /* files_first: the files have been had */
};

struct ahead_walk {
    struct ahead_lists *lists;
    struct ahead_style style;
    struct ahead_step steps[AHEAD_DEPTH];
    unsigned depth;
    unsigned budget; /* directories that may still be listed */
    char *path;      /* what next returned */
};

/** Walk on after file @p path (below SRC). @return whether that is possible. End it
 *  with _fini in any case. */
bool ahead_walk_init(struct ahead_walk *w, struct ahead_lists *lists,
                     struct ahead_style style, const char *path);
/** The path of the next file, borrowed until the next call; NULL: no more of them, or
 *  more than @p budget directories would have to be listed to find it. */
const char *ahead_walk_next(struct ahead_walk *w, unsigned budget);
void ahead_walk_fini(struct ahead_walk *w);

#endif
