/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compound files: header, FAT and mini FAT, and streams ([MS-CFB] 2.1 to 2.5); see
 * cfb.h. The directory is cfb_directory.c's.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/auto.h"
#include "common/cfb_parts.h"

static const unsigned char magic[] = {0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1};
/* header, FAT, directory */
#define FILE_MIN    1536U
#define HEADER_SIZE 512U
/* FAT sectors that the header names */
#define HEADER_FAT 109U
/* Streams smaller than this are in the mini stream; the field must say so too. */
#define MINI_CUTOFF  4096U
#define END_OF_CHAIN UINT32_C(0xfffffffe)
#define FREE_SECTOR  UINT32_C(0xffffffff)

static int
broken(struct stoq_error *err, const char *why)
{
    return stoq_error_set(err, STOQ_ERROR_FORMAT, -EBADMSG, "OSError: %s", why);
}

static int
no_memory(struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
}

bool
cfb_is(struct bytes file)
{
    return file.size >= FILE_MIN &&
           bytes_are(file, 0, (const char *)magic, sizeof magic);
}

/* ------------------------------------------------------------------------------ FAT */

/* Sector @sector; empty unless all of it is there. */
static struct bytes
sector_at(const struct cfb *c, uint32_t sector)
{
    return bytes_at(c->file, ((uint64_t)sector + 1) << c->shift,
                    UINT64_C(1) << c->shift);
}

/* Append the FAT sectors that @list names, up to its end mark. */
static int
add_fat(struct cfb *c, struct bytes list, struct stoq_error *err)
{
    for (size_t i = 0; i + 4 <= list.size && c->fat_count < c->sectors; i += 4) {
        uint32_t sector = bytes_le32(list, i);
        if (sector == END_OF_CHAIN || sector == FREE_SECTOR)
            return 0;
        struct bytes s = sector_at(c, sector);
        if (s.size == 0)
            return broken(err, "incomplete OLE sector");
        for (size_t k = 0; k + 4 <= s.size && c->fat_count < c->sectors; k += 4)
            c->fat[c->fat_count++] = bytes_le32(s, k);
    }
    return 0;
}

/* The FAT sectors beyond those in the header are named by sectors that form a chain. */
static int
add_difat(struct cfb *c, struct stoq_error *err)
{
    int64_t fat_sectors = bytes_le32(c->file, 44), declared = bytes_le32(c->file, 72);
    uint32_t next = bytes_le32(c->file, 68);
    const int64_t per_sector = (INT64_C(1) << c->shift) / 4 - 1;
    if (declared == 0)
        return 0;
    if (next >= c->sectors)
        return broken(err, "incorrect DIFAT, first index out of range");
    int64_t needed = fat_sectors <= HEADER_FAT
                         ? 0
                         : (fat_sectors - HEADER_FAT + per_sector - 1) / per_sector;
    if (needed != declared)
        return broken(err, "incorrect DIFAT");
    for (int64_t i = 0; i < needed && c->fat_count < c->sectors; i++) {
        struct bytes s = sector_at(c, next);
        if (s.size == 0)
            return broken(err, "incomplete OLE sector");
        int r = add_fat(c, bytes_at(s, 0, (uint64_t)per_sector * 4), err);
        if (r < 0)
            return r;
        next = bytes_le32(s, (uint64_t)per_sector * 4);
    }
    if (c->fat_count < c->sectors && next != END_OF_CHAIN && next != FREE_SECTOR)
        return broken(err, "incorrect end of DIFAT");
    return 0;
}

static int
read_fat(struct cfb *c, struct stoq_error *err)
{
    c->shift = bytes_le16(c->file, 30);
    c->mini_shift = bytes_le16(c->file, 32);
    /* 9 and 12, and 6, are what there is; what is near may be read by some program */
    if (c->shift < 7 || c->shift > 16)
        return broken(err, "incorrect sector_size in OLE header");
    if (c->mini_shift < 4 || c->mini_shift > c->shift)
        return broken(err, "incorrect mini_sector_size in OLE header");
    size_t size = (size_t)1 << c->shift;
    size_t blocks = (c->file.size + size - 1) >> c->shift;
    c->sectors = blocks > 0 ? blocks - 1 : 0;
    c->fat = calloc(c->sectors + 1, sizeof *c->fat);
    if (!c->fat)
        return no_memory(err);
    int r = add_fat(c, bytes_at(c->file, HEADER_SIZE - 4 * HEADER_FAT, 4 * HEADER_FAT),
                    err);
    return r < 0 ? r : add_difat(c, err);
}

/* --------------------------------------------------------------------------- chains */

/* Where a chain's sectors are, and what links them. */
struct space {
    struct bytes bytes;
    uint64_t base; /* of sector 0 */
    unsigned shift;
    const uint32_t *next;
    size_t count;
};

/* At most @size bytes of a chain. No chain is longer than its table, or than all that
 * there is to link: so one that runs in circles ends. */
static int
read_chain(const struct space *s, uint32_t sector, uint64_t size, unsigned char **data,
           size_t *read)
{
    const uint64_t one = UINT64_C(1) << s->shift;
    uint64_t most = size / one + (size % one != 0);
    most = most < s->count ? most : s->count;
    most = most < s->bytes.size / one + 1 ? most : s->bytes.size / one + 1;
    unsigned char *out = malloc((size_t)(most << s->shift) + 1);
    if (!out)
        return -ENOMEM;
    size_t used = 0;
    for (uint64_t i = 0; i < most && sector < s->count; i++) {
        uint64_t at = s->base + ((uint64_t)sector << s->shift);
        struct bytes rest = bytes_from(s->bytes, at);
        size_t n =
            rest.size < one ? rest.size : (size_t)one; /* the last may be short */
        if (n > 0)
            memcpy(out + used, rest.data, n);
        used += n;
        sector = s->next[sector];
    }
    *data = out;
    *read = used < size ? used : (size_t)size;
    return 0;
}

static struct space
fat_space(const struct cfb *c)
{
    return (struct space){c->file, UINT64_C(1) << c->shift, c->shift, c->fat,
                          c->fat_count};
}

int
cfb_read_directory(const struct cfb *c, unsigned char **data, size_t *size)
{
    const struct space s = fat_space(c);
    return read_chain(&s, bytes_le32(c->file, 48), (uint64_t)c->fat_count << c->shift,
                      data, size);
}

/* The mini FAT and the stream that it divides. */
static int
read_mini(struct cfb *c)
{
    const struct space s = fat_space(c);
    uint64_t declared = (uint64_t)bytes_le32(c->file, 64) << c->shift;
    uint64_t one = UINT64_C(1) << c->mini_shift;
    uint64_t used = c->root_size / one + (c->root_size % one != 0);
    PLUGIN_AUTOFREE unsigned char *table = NULL;
    size_t size = 0;
    int r = read_chain(&s, bytes_le32(c->file, 60), declared, &table, &size);
    if (r < 0)
        return r;
    c->mini_count = size / 4 < used ? size / 4 : (size_t)used;
    c->mini_fat = calloc(c->mini_count + 1, sizeof *c->mini_fat);
    if (!c->mini_fat)
        return -ENOMEM;
    for (size_t i = 0; i < c->mini_count; i++)
        c->mini_fat[i] = bytes_le32((struct bytes){table, size}, 4 * i);
    return read_chain(&s, c->root_start, c->root_size, &c->mini, &c->mini_size);
}

int
cfb_read(const struct cfb *c, size_t i, unsigned char **data, size_t *size)
{
    const struct cfb_entry *e = &c->list[i];
    struct space s = fat_space(c);
    if (e->size < MINI_CUTOFF)
        s = (struct space){
            {c->mini, c->mini_size}, 0, c->mini_shift, c->mini_fat, c->mini_count};
    return read_chain(&s, e->start, e->size, data, size);
}

/* -------------------------------------------------------------------------- entries */

int
cfb_open(struct bytes file, struct cfb **out, struct stoq_error *err)
{
    if (!cfb_is(file))
        return broken(err, "not an OLE2 structured storage file");
    struct cfb *c = calloc(1, sizeof *c);
    if (!c)
        return no_memory(err);
    c->file = file;
    int r = read_fat(c, err);
    if (r == 0)
        r = cfb_list(c);
    if (r == 0)
        r = read_mini(c);
    if (r < 0) {
        cfb_free(c);
        return r == -ENOMEM ? no_memory(err)
                            : broken(err, "OLE directory index out of range");
    }
    *out = c;
    return 0;
}

void
cfb_free(struct cfb *c)
{
    if (!c)
        return;
    free(c->fat);
    free(c->mini_fat);
    free(c->mini);
    free(c->list);
    free(c);
}

size_t
cfb_count(const struct cfb *c)
{
    return c->count;
}

size_t
cfb_count_all(const struct cfb *c)
{
    return c->count_all;
}

const struct cfb_entry *
cfb_at(const struct cfb *c, size_t i)
{
    return &c->list[i];
}

bool
cfb_is_cut(const struct cfb *c)
{
    return c->is_cut;
}

size_t
cfb_find(const struct cfb *c, uint32_t parent, const char *name)
{
    size_t i = parent == CFB_ROOT ? 0 : (size_t)parent + 1;
    size_t end = parent == CFB_ROOT ? c->count : c->list[parent].end;
    for (; i < end; i = c->list[i].end)
        if (strcasecmp(c->list[i].name, name) == 0)
            return i;
    return SIZE_MAX;
}
