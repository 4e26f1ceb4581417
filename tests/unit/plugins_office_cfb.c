/* SPDX-License-Identifier: Apache-2.0 */

/* See plugins_office_cfb.h. */

#include "plugins_office_cfb.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define END    UINT32_C(0xfffffffe)
#define FREE   UINT32_C(0xffffffff)
#define MINI   64U
#define CUTOFF 4096U

struct maker {
    unsigned char *file; /* calloc'ed with room for all */
    uint32_t *fat;
    uint32_t next; /* sector */
};

void
put_le(unsigned char *at, unsigned long long value, unsigned width)
{
    for (unsigned i = 0; i < width; i++, value >>= 8)
        at[i] = (unsigned char)value;
}

static size_t
units(size_t size, size_t unit)
{
    return (size + unit - 1) / unit;
}

/* Put bytes into new sectors. @return the first. */
static uint32_t
put_chain(struct maker *m, const void *data, size_t size)
{
    const uint32_t first = m->next;
    const size_t n = units(size, CFB_SECTOR);
    if (n == 0)
        return END;
    memcpy(m->file + CFB_SECTOR * (first + 1), data, size);
    for (size_t i = 0; i < n; i++, m->next++)
        m->fat[m->next] = i + 1 < n ? m->next + 1 : END;
    return first;
}

static void
put_entry(unsigned char *at, const char *name, unsigned type, uint32_t start,
          size_t size)
{
    const size_t length = strlen(name);
    for (size_t i = 0; i < length; i++)
        at[2 * i] = (unsigned char)name[i];
    put_le(at + 64, 2 * length + 2, 2);
    at[66] = (unsigned char)type;
    put_le(at + 68, FREE, 4);
    put_le(at + 72, FREE, 4);
    put_le(at + 76, FREE, 4);
    put_le(at + 116, start, 4);
    put_le(at + 120, size, 4);
}

/* Each node is the right sibling of the one before it in its storage. */
static void
link_entries(unsigned char *directory, const struct cfb_node *nodes, size_t count)
{
    for (int parent = -1; parent < (int)count; parent++) {
        unsigned char *link = directory + 128 * (parent + 1) + 76;
        for (size_t i = 0; i < count; i++)
            if (nodes[i].parent == parent) {
                put_le(link, i + 1, 4);
                link = directory + 128 * (i + 1) + 72;
            }
    }
}

static void
put_header(const struct maker *m, size_t fat_sectors, uint32_t directory, uint32_t mini,
           size_t mini_sectors)
{
    static const unsigned char magic[] = {0xd0, 0xcf, 0x11, 0xe0,
                                          0xa1, 0xb1, 0x1a, 0xe1};
    unsigned char *h = m->file;
    memcpy(h, magic, sizeof magic);
    put_le(h + 24, 0x3e, 2);
    put_le(h + 26, 3, 2);
    put_le(h + 28, 0xfffe, 2);
    put_le(h + 30, 9, 2);
    put_le(h + 32, 6, 2);
    put_le(h + 44, fat_sectors, 4);
    put_le(h + 48, directory, 4);
    put_le(h + 56, CUTOFF, 4);
    put_le(h + 60, mini, 4);
    put_le(h + 64, mini_sectors, 4);
    put_le(h + 68, END, 4);
    for (size_t i = 0; i < 109; i++)
        put_le(h + 76 + 4 * i, i < fat_sectors ? i : FREE, 4);
}

unsigned char *
make_cfb(const struct cfb_node *nodes, size_t count, size_t *size)
{
    size_t total = 0, minis = 0;
    for (size_t i = 0; i < count; i++) {
        total += nodes[i].size + 2 * CFB_SECTOR;
        minis += nodes[i].size < CUTOFF ? units(nodes[i].size, MINI) : 0;
    }
    /* streams, directory, mini FAT; then the FAT for them */
    size_t sectors = units(total, CFB_SECTOR) + count + 8;
    const size_t fat_sectors = units(sectors, 120);
    ck_assert_uint_le(fat_sectors, 109);
    sectors += fat_sectors;
    struct maker m = {calloc(sectors + 1, CFB_SECTOR), calloc(sectors + 128, 4),
                      (uint32_t)fat_sectors};
    unsigned char *directory = calloc(count + 5, 128);
    unsigned char *mini = calloc(minis + 1, MINI), *mini_fat = calloc(minis + 128, 4);
    memset(m.fat, 0xff, 4 * (sectors + 128));
    memset(mini_fat, 0xff, 4 * (minis + 128));
    const size_t directory_size = units(count + 1, 4) * CFB_SECTOR;
    const uint32_t directory_at = put_chain(&m, directory, directory_size);

    for (size_t i = 0, used = 0; i < count; i++) {
        const struct cfb_node *n = &nodes[i];
        uint32_t start = END;
        if (n->data && n->size >= CUTOFF)
            start = put_chain(&m, n->data, n->size);
        else if (n->data && n->size > 0) {
            start = (uint32_t)used;
            memcpy(mini + MINI * used, n->data, n->size);
            for (size_t k = units(n->size, MINI); k > 0; k--, used++)
                put_le(mini_fat + 4 * used, k > 1 ? used + 1 : END, 4);
        }
        put_entry(directory + 128 * (i + 1), n->name, n->data ? 2 : 1, start, n->size);
    }
    put_entry(directory, "Root Entry", 5, put_chain(&m, mini, MINI * minis),
              MINI * minis);
    link_entries(directory, nodes, count);
    memcpy(m.file + CFB_SECTOR * (directory_at + 1), directory, directory_size);
    const size_t mini_sectors = units(4 * minis, CFB_SECTOR);
    const uint32_t mini_at = put_chain(&m, mini_fat, CFB_SECTOR * mini_sectors);
    for (size_t i = 0; i < fat_sectors * 128; i++)
        put_le(m.file + CFB_SECTOR + 4 * i,
               i < fat_sectors ? 0xfffffffd
               : i < sectors   ? m.fat[i]
                               : FREE,
               4);
    put_header(&m, fat_sectors, directory_at, mini_at, mini_sectors);
    *size = CFB_SECTOR * ((size_t)m.next + 1);
    free(m.fat);
    free(directory);
    free(mini);
    free(mini_fat);
    return m.file;
}
