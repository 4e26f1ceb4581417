/* SPDX-License-Identifier: Apache-2.0 */
/* Reading Mach-O images and universal files; see macho.h. */

#include "macho.h"

#include <errno.h>

#define MAGIC     0xfeedfaceU
#define MAGIC_64  0xfeedfacfU
#define FAT_MAGIC 0xcafebabeU
/* The number after the magic of a Java class is its version, 45 or more. */
#define FAT_MAX 19U

#define FAT_HEADER 8U
#define FAT_ENTRY  20U
#define NAME_SIZE  16U

enum macho_kind
macho_kind(struct bytes file)
{
    uint32_t big = bytes_be32(file, 0), little = bytes_le32(file, 0);
    if (big == MAGIC || big == MAGIC_64 || little == MAGIC || little == MAGIC_64)
        return MACHO_THIN;
    uint32_t count = macho_arch_count(file);
    return big == FAT_MAGIC && count > 0 && count <= FAT_MAX ? MACHO_FAT : MACHO_NONE;
}

uint32_t
macho_arch_count(struct bytes fat)
{
    return bytes_be32(fat, 4);
}

bool
macho_arch(struct bytes fat, uint32_t i, struct macho_arch *out)
{
    uint64_t at = FAT_HEADER + (uint64_t)FAT_ENTRY * i;
    *out = (struct macho_arch){
        .cpu = bytes_be32(fat, at),
        .subcpu = bytes_be32(fat, at + 4),
        .offset = bytes_be32(fat, at + 8),
        .size = bytes_be32(fat, at + 12),
        .align = bytes_be32(fat, at + 16),
    };
    return bytes_has(fat, at, FAT_ENTRY);
}

uint64_t
macho_number(const struct macho *m, struct bytes b, uint64_t off, unsigned width)
{
    return bytes_number(b, off, width, m->big);
}

uint32_t
macho_u32(const struct macho *m, struct bytes b, uint64_t off)
{
    return (uint32_t)macho_number(m, b, off, 4);
}

int
macho_open(struct bytes image, struct macho *out)
{
    if (macho_kind(image) != MACHO_THIN)
        return -EBADMSG;
    uint32_t big = bytes_be32(image, 0);
    struct macho m = {.image = image, .big = big == MAGIC || big == MAGIC_64};
    m.magic = macho_u32(&m, image, 0);
    m.wide = m.magic == MAGIC_64;
    m.header_size = m.wide ? 32 : 28;
    if (!bytes_has(image, 0, m.header_size))
        return -EBADMSG;
    m.cpu = macho_u32(&m, image, 4);
    m.subcpu = macho_u32(&m, image, 8);
    m.filetype = macho_u32(&m, image, 12);
    m.ncmds = macho_u32(&m, image, 16);
    m.sizeofcmds = macho_u32(&m, image, 20);
    m.flags = macho_u32(&m, image, 24);
    m.reserved = m.wide ? macho_u32(&m, image, 28) : 0;
    *out = m;
    return 0;
}

struct macho_walk
macho_first(const struct macho *m)
{
    return (struct macho_walk){m->header_size, m->ncmds};
}

int
macho_next(const struct macho *m, struct macho_walk *walk, struct macho_command *out)
{
    if (walk->left == 0)
        return 0;
    if (!bytes_has(m->image, walk->at, 8))
        return -EBADMSG;
    struct bytes rest = bytes_from(m->image, walk->at);
    out->cmd = macho_u32(m, rest, 0);
    out->size = macho_u32(m, rest, 4);
    out->offset = walk->at;
    out->body = bytes_at(rest, 0, out->size < rest.size ? out->size : rest.size);
    walk->at += out->size;
    walk->left = out->size == 0 ? 0 : walk->left - 1;
    return 1;
}

struct bytes
macho_text(const struct macho *m, const struct macho_command *c, uint64_t off)
{
    uint32_t at = macho_u32(m, c->body, off);
    return bytes_at(c->body, at, bytes_strnlen(c->body, at, SIZE_MAX));
}

static struct bytes
fixed_name(struct bytes b, uint64_t off)
{
    return bytes_at(b, off, bytes_strnlen(b, off, NAME_SIZE));
}

bool
macho_segment(const struct macho *m, const struct macho_command *c,
              struct macho_segment *out)
{
    bool wide = c->cmd == MACHO_SEGMENT_64;
    unsigned w = wide ? 8 : 4;
    uint64_t at = 24 + (uint64_t)4 * w; /* of the fields after the four addresses */
    *out = (struct macho_segment){
        .name = fixed_name(c->body, 8),
        .address = macho_number(m, c->body, 24, w),
        .vmsize = macho_number(m, c->body, 24 + w, w),
        .offset = macho_number(m, c->body, 24 + 2 * w, w),
        .filesize = macho_number(m, c->body, 24 + 3 * w, w),
        .maxprot = macho_u32(m, c->body, at),
        .initprot = macho_u32(m, c->body, at + 4),
        .nsects = macho_u32(m, c->body, at + 8),
        .flags = macho_u32(m, c->body, at + 12),
    };
    return bytes_has(c->body, 0, at + 16);
}

bool
macho_section(const struct macho *m, const struct macho_command *c, uint32_t i,
              struct macho_section *out)
{
    bool wide = c->cmd == MACHO_SEGMENT_64;
    unsigned w = wide ? 8 : 4;
    uint64_t size = wide ? 80 : 68;
    struct bytes b = bytes_at(c->body, (wide ? 72 : 56) + size * i, size);
    uint64_t at = 32 + (uint64_t)2 * w;
    *out = (struct macho_section){
        .name = fixed_name(b, 0),
        .segment = fixed_name(b, NAME_SIZE),
        .address = macho_number(m, b, 32, w),
        .size = macho_number(m, b, 32 + w, w),
        .offset = macho_u32(m, b, at),
        .align = macho_u32(m, b, at + 4),
        .reloff = macho_u32(m, b, at + 8),
        .nreloc = macho_u32(m, b, at + 12),
        .flags = macho_u32(m, b, at + 16),
        .reserved = {macho_u32(m, b, at + 20), macho_u32(m, b, at + 24),
                     wide ? macho_u32(m, b, at + 28) : 0},
    };
    return b.size > 0;
}

bool
macho_symtab(const struct macho *m, const struct macho_command *c,
             struct macho_symtab *out)
{
    *out = (struct macho_symtab){
        .symoff = macho_u32(m, c->body, 8),
        .nsyms = macho_u32(m, c->body, 12),
        .stroff = macho_u32(m, c->body, 16),
        .strsize = macho_u32(m, c->body, 20),
    };
    return bytes_has(c->body, 0, 24);
}

/* The text at @off of the string table, which ends where the image ends. */
static struct bytes
symbol_name(const struct macho *m, const struct macho_symtab *table, uint32_t off)
{
    struct bytes strings = bytes_from(m->image, table->stroff);
    if (strings.size > table->strsize)
        strings.size = table->strsize;
    size_t length = bytes_strnlen(strings, off, SIZE_MAX);
    return bytes_has(strings, off, (uint64_t)length + 1)
               ? bytes_at(strings, off, length)
               : (struct bytes){0};
}

bool
macho_symbol(const struct macho *m, const struct macho_symtab *table, uint32_t i,
             struct macho_symbol *out)
{
    uint64_t size = m->wide ? 16 : 12;
    struct bytes b = bytes_at(m->image, table->symoff + size * i, size);
    uint32_t name = macho_u32(m, b, 0);
    *out = (struct macho_symbol){
        .name = name ? symbol_name(m, table, name) : (struct bytes){0},
        .type = bytes_u8(b, 4),
        .section = bytes_u8(b, 5),
        .description = (uint16_t)macho_number(m, b, 6, 2),
        .value = macho_number(m, b, 8, m->wide ? 8 : 4),
    };
    return b.size > 0;
}
