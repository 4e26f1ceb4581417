/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_OFFICE_CFB_H
#define PLUGINS_OFFICE_CFB_H

/* Makes compound files for the tests of the office plugins: sectors of 512 bytes, up to
 * 109 FAT sectors. Sector 0 is the first of the FAT, the directory follows it. */

#include <stddef.h>

/** A storage, or a stream when data is set. */
struct cfb_node {
    const char *name; /**< ASCII, at most 31 characters */
    int parent;       /**< index of its storage, -1 for the root */
    const void *data; /**< NULL for a storage */
    size_t size;
};

#define CFB_SECTOR 512U
/** Offset of directory entry @p id in what make_cfb() made; entry 0 is the root, node i
 *  is entry i + 1. */
#define CFB_ENTRY_AT(fat_sectors, id) (CFB_SECTOR * (1 + (fat_sectors)) + 128U * (id))

/** The file's bytes, caller frees. @p size is set. */
unsigned char *make_cfb(const struct cfb_node *nodes, size_t count, size_t *size);

void put_le(unsigned char *at, unsigned long long value, unsigned width);

#endif
