/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_COMMON_CFB_H
#define PLUGINS_COMMON_CFB_H

/*
 * Compound files, the containers of Office documents before 2007 and of their macros
 * since ([MS-CFB]). As lenient as olefile, whose choices the original's results show:
 * a chain that breaks ends its stream, and only a broken FAT is an error.
 *
 * Nothing is allocated by a size that the file names: all is bounded by the size of the
 * file, and the number of entries and their depth by the limits below.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stoq/error.h>

#include "common/bytes.h"

/** Directory entries that are read. */
#define CFB_ENTRIES_MAX ((size_t)1 << 18)
/** Storages within storages. */
#define CFB_DEPTH_MAX 100U
/** Bytes of a name as UTF-8, with its NUL. */
#define CFB_NAME_MAX 100
/** The parent of what is in no storage. */
#define CFB_ROOT UINT32_MAX
/** The parent of a stream that no storage leads to. */
#define CFB_LOST (UINT32_MAX - 1)

enum cfb_type { CFB_STORAGE = 1, CFB_STREAM = 2 };

/** A storage or a stream. */
struct cfb_entry {
    char name[CFB_NAME_MAX]; /**< UTF-8; may have any character, also '/', none a NUL */
    enum cfb_type type;
    uint32_t parent; /**< index of its storage, CFB_ROOT or CFB_LOST */
    uint32_t end;    /**< index of the first entry after it that is not within it */
    uint32_t start;  /**< first sector */
    uint32_t id;     /**< of its directory entry */
    uint64_t size;   /**< as declared; there may be less */
};

struct cfb;

/** Whether the bytes begin as a compound file, and are as many as one must have. */
bool cfb_is(struct bytes file);

/**
 * Read the tables and the directory of @p file, which must outlive the result.
 * @return 0; -EBADMSG when it is no compound file or its FAT is broken, in olefile's
 *         words; -ENOMEM. On failure @p out is unchanged.
 */
int cfb_open(struct bytes file, struct cfb **out, struct stoq_error *err);
void cfb_free(struct cfb *c);

/** Entries, storages before what is in them, by name within a storage. */
size_t cfb_count(const struct cfb *c);
/** The same and, behind them, the streams in the directory that no storage leads to. */
size_t cfb_count_all(const struct cfb *c);
/** Entry @p i, below cfb_count_all(). Borrowed. */
const struct cfb_entry *cfb_at(const struct cfb *c, size_t i);
/** Whether there are entries beyond the limits, which are left out. */
bool cfb_is_cut(const struct cfb *c);
/** The entry called @p name, in any case, within storage @p parent, or SIZE_MAX. */
size_t cfb_find(const struct cfb *c, uint32_t parent, const char *name);

/**
 * The bytes of a stream: as many as are there, at most its declared size.
 * @param data  out, never NULL, caller frees with free(3).
 * @return 0 or -ENOMEM.
 */
int cfb_read(const struct cfb *c, size_t i, unsigned char **data, size_t *size);

#endif
