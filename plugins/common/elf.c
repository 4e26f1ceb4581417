/* SPDX-License-Identifier: Apache-2.0 */
/* Reading ELF files; see elf.h. */

#include "elf.h"

#include <errno.h>

/* Chains of a GNU hash table followed to find the last symbol. */
#define BUCKETS_MAX ((uint64_t)1 << 20)

uint64_t
elf_number(const struct elf *e, struct bytes b, uint64_t off, unsigned width)
{
    return bytes_number(b, off, width, e->big);
}

int
elf_open(struct bytes file, struct elf *out)
{
    struct elf e = {
        .file = file, .big = bytes_u8(file, 5) == 2, .wide = bytes_u8(file, 4) == 2};
    unsigned w = e.wide ? 8 : 4;
    uint64_t at = 24 + (uint64_t)3 * w;
    if (!bytes_are(file, 0,
                   "\x7f"
                   "ELF",
                   4) ||
        !bytes_has(file, 0, at + 16))
        return -EBADMSG;
    e.type = (uint16_t)elf_number(&e, file, 16, 2);
    e.machine = (uint16_t)elf_number(&e, file, 18, 2);
    e.version = (uint32_t)elf_number(&e, file, 20, 4);
    e.entry = elf_number(&e, file, 24, w);
    e.phoff = elf_number(&e, file, 24 + w, w);
    e.shoff = elf_number(&e, file, 24 + 2 * w, w);
    e.flags = (uint32_t)elf_number(&e, file, at, 4);
    e.ehsize = (uint16_t)elf_number(&e, file, at + 4, 2);
    e.phentsize = (uint16_t)elf_number(&e, file, at + 6, 2);
    e.phnum = (uint16_t)elf_number(&e, file, at + 8, 2);
    e.shentsize = (uint16_t)elf_number(&e, file, at + 10, 2);
    e.shnum = (uint16_t)elf_number(&e, file, at + 12, 2);
    e.shstrndx = (uint16_t)elf_number(&e, file, at + 14, 2);
    *out = e;
    return 0;
}

/* Row @i of a table of @size bytes a row that begins at @off; empty when cut off. */
static struct bytes
row(struct bytes b, uint64_t off, uint64_t i, uint64_t size)
{
    uint64_t at;
    if (__builtin_mul_overflow(i, size, &at) || __builtin_add_overflow(at, off, &at))
        return (struct bytes){0};
    return bytes_at(b, at, size);
}

/* Up to @size bytes at @off. */
static struct bytes
part(struct bytes b, uint64_t off, uint64_t size)
{
    struct bytes rest = bytes_from(b, off);
    return bytes_at(rest, 0, size < rest.size ? size : rest.size);
}

bool
elf_segment(const struct elf *e, uint32_t i, struct elf_segment *out)
{
    unsigned w = e->wide ? 8 : 4;
    struct bytes b = row(e->file, e->phoff, i, e->wide ? 56 : 32);
    uint64_t at = e->wide ? 8 : 4;
    *out = (struct elf_segment){
        .type = (uint32_t)elf_number(e, b, 0, 4),
        .flags = (uint32_t)elf_number(e, b, e->wide ? 4 : 24, 4),
        .offset = elf_number(e, b, at, w),
        .address = elf_number(e, b, at + w, w),
        .physical = elf_number(e, b, at + 2 * w, w),
        .filesize = elf_number(e, b, at + 3 * w, w),
        .memsize = elf_number(e, b, at + 4 * w, w),
        .align = elf_number(e, b, e->wide ? 48 : 28, w),
    };
    return i < e->phnum && b.size > 0;
}

bool
elf_section(const struct elf *e, uint32_t i, struct elf_section *out)
{
    unsigned w = e->wide ? 8 : 4;
    struct bytes b = row(e->file, e->shoff, i, e->wide ? 64 : 40);
    uint64_t at = 8 + (uint64_t)4 * w; /* of the fields after four wide ones */
    *out = (struct elf_section){
        .name = (uint32_t)elf_number(e, b, 0, 4),
        .type = (uint32_t)elf_number(e, b, 4, 4),
        .flags = elf_number(e, b, 8, w),
        .address = elf_number(e, b, 8 + w, w),
        .offset = elf_number(e, b, 8 + 2 * w, w),
        .size = elf_number(e, b, 8 + 3 * w, w),
        .link = (uint32_t)elf_number(e, b, at, 4),
        .info = (uint32_t)elf_number(e, b, at + 4, 4),
        .align = elf_number(e, b, at + 8, w),
        .entsize = elf_number(e, b, at + 8 + w, w),
    };
    return i < e->shnum && b.size > 0;
}

bool
elf_find_segment(const struct elf *e, uint32_t type, struct elf_segment *out)
{
    for (uint32_t i = 0; elf_segment(e, i, out); i++)
        if (out->type == type)
            return true;
    return false;
}

bool
elf_find_section(const struct elf *e, uint32_t type, struct elf_section *out)
{
    for (uint32_t i = 0; elf_section(e, i, out); i++)
        if (out->type == type)
            return true;
    return false;
}

struct bytes
elf_segment_bytes(const struct elf *e, const struct elf_segment *s)
{
    return part(e->file, s->offset, s->filesize);
}

struct bytes
elf_section_bytes(const struct elf *e, const struct elf_section *s)
{
    return s->type == ELF_NOBITS ? (struct bytes){0}
                                 : part(e->file, s->offset, s->size);
}

struct bytes
elf_at(const struct elf *e, uint64_t address)
{
    struct elf_segment s;
    for (uint32_t i = 0; elf_segment(e, i, &s); i++)
        if (s.type == ELF_LOAD && address >= s.address &&
            address - s.address < s.filesize)
            return bytes_from(elf_segment_bytes(e, &s), address - s.address);
    return (struct bytes){0};
}

struct bytes
elf_text(struct bytes strings, uint64_t off)
{
    return bytes_at(strings, off, bytes_strnlen(strings, off, SIZE_MAX));
}

bool
elf_symbol(const struct elf *e, struct bytes table, uint64_t i, struct elf_symbol *out)
{
    struct bytes b = row(table, 0, i, e->wide ? 24 : 16);
    uint64_t at = e->wide ? 4 : 12; /* of info, other, section */
    *out = (struct elf_symbol){
        .name = (uint32_t)elf_number(e, b, 0, 4),
        .info = bytes_u8(b, at),
        .other = bytes_u8(b, at + 1),
        .section = (uint16_t)elf_number(e, b, at + 2, 2),
        .value = e->wide ? elf_number(e, b, 8, 8) : elf_number(e, b, 4, 4),
        .size = e->wide ? elf_number(e, b, 16, 8) : elf_number(e, b, 8, 4),
    };
    return b.size > 0;
}

bool
elf_reloc(const struct elf *e, struct bytes table, uint64_t i, bool with_addend,
          struct elf_reloc *out)
{
    unsigned w = e->wide ? 8 : 4;
    struct bytes b = row(table, 0, i, (uint64_t)w * (with_addend ? 3 : 2));
    uint64_t info = elf_number(e, b, w, w);
    *out = (struct elf_reloc){
        .address = elf_number(e, b, 0, w),
        .type = (uint32_t)(e->wide ? info : info & 0xff),
        .symbol = (uint32_t)(e->wide ? info >> 32 : info >> 8),
    };
    return b.size > 0;
}

bool
elf_dyn(const struct elf *e, struct bytes table, uint64_t i, struct elf_dyn *out)
{
    unsigned w = e->wide ? 8 : 4;
    struct bytes b = row(table, 0, i, (uint64_t)2 * w);
    out->tag = elf_number(e, b, 0, w);
    out->value = elf_number(e, b, w, w);
    return b.size > 0;
}

bool
elf_dyn_find(const struct elf *e, struct bytes table, uint64_t tag, uint64_t *value)
{
    struct elf_dyn d;
    for (uint64_t i = 0; elf_dyn(e, table, i, &d) && d.tag != 0; i++) {
        *value = d.value;
        if (d.tag == tag)
            return true;
    }
    return false;
}

/* One more than the highest symbol in a GNU hash table. */
static uint64_t
gnu_hash_count(const struct elf *e, struct bytes table)
{
    uint64_t buckets = elf_number(e, table, 0, 4), first = elf_number(e, table, 4, 4);
    uint64_t at = 16 + elf_number(e, table, 8, 4) * (e->wide ? 8 : 4);
    uint64_t last = 0, chains = at + 4 * buckets;
    if (buckets > BUCKETS_MAX)
        return 0;
    for (uint64_t i = 0; i < buckets; i++) {
        uint64_t symbol = elf_number(e, table, at + 4 * i, 4);
        last = symbol > last ? symbol : last;
    }
    if (last < first || last == 0)
        return first;
    while (bytes_has(table, chains + 4 * (last - first), 4) &&
           (elf_number(e, table, chains + 4 * (last - first), 4) & 1) == 0)
        last++;
    return last + 1;
}

struct bytes
elf_dynamic_symbols(const struct elf *e, struct bytes dynamic, struct bytes *strings)
{
    struct elf_section s;
    uint64_t symbols = 0, value = 0, count = 0, size = e->wide ? 24 : 16;
    *strings = (struct bytes){0};
    if (!elf_dyn_find(e, dynamic, ELF_SYMBOLS, &symbols))
        return (struct bytes){0};
    if (elf_dyn_find(e, dynamic, ELF_STRTAB, &value))
        *strings = elf_at(e, value);
    if (elf_find_section(e, ELF_DYNSYM, &s))
        count = s.size / size;
    else if (elf_dyn_find(e, dynamic, ELF_HASH, &value))
        count = elf_number(e, elf_at(e, value), 4, 4);
    else if (elf_dyn_find(e, dynamic, ELF_GNU_HASH, &value))
        count = gnu_hash_count(e, elf_at(e, value));
    struct bytes table = elf_at(e, symbols);
    return count < table.size / size ? bytes_at(table, 0, count * size) : table;
}
