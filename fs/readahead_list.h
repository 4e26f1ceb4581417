/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_READAHEAD_LIST_H
#define STOQFS_READAHEAD_LIST_H

/*
 * Directories as a reader may go through them: the names of one, in the orders that
 * programs take them in. A few listings are kept, each as long as its directory is as
 * it was. Used by the read-ahead thread alone; no lock.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "util/strbuf.h"

#define AHEAD_LISTS 32U

enum ahead_order {
    AHEAD_LISTED, /**< as the directory gives them: find, tar, grep -r */
    AHEAD_BYTES,  /**< sorted by bytes: rsync, * in the C locale */
    AHEAD_FOLDED, /**< letters and digits first, of any case: * in other locales */
    AHEAD_INODES, /**< sorted by inode: cp -r */
    AHEAD_ORDERS
};

struct ahead_entry {
    uint64_t ino;
    uint32_t name;  /**< offset in names */
    bool file, dir; /**< neither: nothing to be read */
};

struct ahead_list {
    char *path; /**< below SRC, "" for SRC itself */
    struct stat st;
    struct ahead_entry *entries;
    size_t count, room;
    struct stoq_strbuf names;
    uint32_t *orders[AHEAD_ORDERS]; /**< made when asked for; NULL = as listed */
    unsigned refs;
    uint64_t used;
};

struct ahead_lists {
    int source_fd;
    struct ahead_list *all[AHEAD_LISTS];
    uint64_t clock;
};

/** The listing of the directory @p path below SRC; give it back with _put. NULL when
 *  there is none to be had: gone, another file system, too large, no memory. */
struct ahead_list *ahead_list_get(struct ahead_lists *lists, const char *path);
void ahead_list_put(struct ahead_list *list);
/** The entry at place @p i (< count) of an order; NULL on no memory. */
const struct ahead_entry *ahead_list_at(struct ahead_list *list, enum ahead_order order,
                                        size_t i);
/** The place of @p name in an order, or -1. */
ssize_t ahead_list_place(struct ahead_list *list, enum ahead_order order,
                         const char *name);
static inline const char *
ahead_list_name(const struct ahead_list *list, const struct ahead_entry *e)
{
    return list->names.data + e->name;
}
void ahead_lists_fini(struct ahead_lists *lists);

#endif
