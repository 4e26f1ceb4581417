/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The headers of a portable executable. See pe.h. A file is refused where pefile
 * refuses it, so that both carve and describe the same files; what Windows tolerates (a
 * short optional header, directories cut by the end of the file) reads as zero.
 */

#include "common/pe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DOS_SIZE  64U
#define COFF_SIZE 20U
#define ROW_SIZE  40U
/* Of an optional header, up to the subsystem: the least that Windows loads. */
#define OPTIONAL_MIN_32 69U
#define OPTIONAL_MIN_64 73U
/* Section rows with this many oddities end the table. */
#define ODD_MAX     3
#define BIG_ADDRESS 0x10000000U
#define SECTOR      0x200U

static int
refuse(const char **why, const char *text)
{
    if (why)
        *why = text;
    return -EBADMSG;
}

/* Where the file says the new header is; the DOS header before it is not looked at. */
static int
read_dos(struct pe *pe, const char **why)
{
    if (pe->file.size < DOS_SIZE)
        return refuse(why, "Unable to read the DOS Header, possibly a truncated file.");
    if (bytes_are(pe->file, 0, "ZM", 2))
        return refuse(why, "Probably a ZM Executable (not a PE file).");
    if (!bytes_are(pe->file, 0, "MZ", 2))
        return refuse(why, "DOS Header magic not found.");
    pe->nt_offset = bytes_le32(pe->file, 0x3c);
    if (pe->nt_offset > pe->file.size)
        return refuse(why, "Invalid e_lfanew value, probably not a PE file");
    return 0;
}

static int
read_signature(const struct pe *pe, const char **why)
{
    static const struct {
        char magic[3];
        const char *text;
    } others[] = {
        {"NE", "Invalid NT Headers signature. Probably a NE file"},
        {"LE", "Invalid NT Headers signature. Probably a LE file"},
        {"LX", "Invalid NT Headers signature. Probably a LX file"},
        {"VZ", "Invalid NT Headers signature. Probably a TE file"},
    };
    if (!bytes_has(pe->file, pe->nt_offset, 8) ||
        bytes_le32(pe->file, pe->nt_offset) == 0)
        return refuse(why, "NT Headers not found.");
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        if (bytes_are(pe->file, pe->nt_offset, others[i].magic, 2))
            return refuse(why, others[i].text);
    }
    if (!bytes_are(pe->file, pe->nt_offset, "PE\0", 4))
        return refuse(why, "Invalid NT Headers signature.");
    return 0;
}

static int
read_coff(struct pe *pe, const char **why)
{
    uint64_t at = pe->nt_offset + 4;
    if (!bytes_has(pe->file, at, COFF_SIZE))
        return refuse(why, "File Header missing");
    pe->machine = bytes_le16(pe->file, at);
    pe->claimed_sections = bytes_le16(pe->file, at + 2);
    pe->timestamp = bytes_le32(pe->file, at + 4);
    pe->symbols_offset = bytes_le32(pe->file, at + 8);
    pe->symbol_count = bytes_le32(pe->file, at + 12);
    pe->optional_size = bytes_le16(pe->file, at + 16);
    pe->flags = bytes_le16(pe->file, at + 18);
    pe->optional_offset = at + COFF_SIZE;
    pe->table_offset = pe->optional_offset + pe->optional_size;
    return 0;
}

/* The fields before the image base are the same in both but for data_base. */
static void
read_optional_start(struct pe_optional *o, struct bytes b)
{
    o->magic = bytes_le16(b, 0);
    o->linker_major = bytes_u8(b, 2);
    o->linker_minor = bytes_u8(b, 3);
    o->code_size = bytes_le32(b, 4);
    o->data_size = bytes_le32(b, 8);
    o->bss_size = bytes_le32(b, 12);
    o->entry = bytes_le32(b, 16);
    o->code_base = bytes_le32(b, 20);
    if (o->magic == PE_64) {
        o->image_base = bytes_le64(b, 24);
    } else {
        o->data_base = bytes_le32(b, 24);
        o->image_base = bytes_le32(b, 28);
    }
}

static void
read_optional_rest(struct pe_optional *o, struct bytes b)
{
    unsigned word = o->magic == PE_64 ? 8 : 4;
    o->section_alignment = bytes_le32(b, 32);
    o->file_alignment = bytes_le32(b, 36);
    o->os_major = bytes_le16(b, 40);
    o->os_minor = bytes_le16(b, 42);
    o->image_major = bytes_le16(b, 44);
    o->image_minor = bytes_le16(b, 46);
    o->subsystem_major = bytes_le16(b, 48);
    o->subsystem_minor = bytes_le16(b, 50);
    o->win32_version = bytes_le32(b, 52);
    o->image_size = bytes_le32(b, 56);
    o->headers_size = bytes_le32(b, 60);
    o->checksum = bytes_le32(b, 64);
    o->subsystem = bytes_le16(b, 68);
    o->dll_flags = bytes_le16(b, 70);
    o->stack_reserve = bytes_number(b, 72, word, false);
    o->stack_commit = bytes_number(b, 72 + word, word, false);
    o->heap_reserve = bytes_number(b, 72 + 2 * word, word, false);
    o->heap_commit = bytes_number(b, 72 + 3 * word, word, false);
    o->loader_flags = bytes_le32(b, 72 + 4 * word);
    o->directory_count = bytes_le32(b, 76 + 4 * word);
}

static uint64_t
optional_full(const struct pe *pe)
{
    return pe->optional.magic == PE_64 ? 112 : 96;
}

static int
read_optional(struct pe *pe, const char **why)
{
    struct bytes rest = bytes_from(pe->file, pe->optional_offset);
    unsigned char padded[112] = {0};
    size_t n = rest.size < sizeof(padded) ? rest.size : sizeof(padded);
    bool is64 = bytes_le16(rest, 0) == PE_64;
    if (n < (is64 ? OPTIONAL_MIN_64 : OPTIONAL_MIN_32))
        return refuse(why, "No Optional Header found, invalid PE32 or PE32+ file.");
    memcpy(padded, rest.data, n);
    struct bytes b = {padded, sizeof(padded)};
    read_optional_start(&pe->optional, b);
    read_optional_rest(&pe->optional, b);
    return 0;
}

static void
read_directories(struct pe *pe)
{
    uint64_t at = pe->optional_offset + optional_full(pe);
    uint32_t claimed = pe->optional.directory_count & 0x7fffffffU;
    for (unsigned i = 0; i < claimed && i < PE_DIRECTORIES_MAX; i++, at += 8) {
        if (at == pe->file.size)
            break;
        /* one that the file cuts is read as if zeros followed */
        unsigned char padded[8] = {0};
        struct bytes rest = bytes_from(pe->file, at);
        if (rest.size > 0)
            memcpy(padded, rest.data, rest.size < 8 ? rest.size : 8);
        struct bytes b = {padded, sizeof(padded)};
        pe->directories[i].rva = bytes_le32(b, 0);
        pe->directories[i].size = bytes_le32(b, 4);
        pe->directory_count = i + 1;
    }
}

static uint32_t
round_offset(const struct pe *pe, uint32_t offset)
{
    return pe->optional.file_alignment < SECTOR ? offset : offset / SECTOR * SECTOR;
}

static uint32_t
round_rva(const struct pe *pe, uint32_t rva)
{
    uint32_t alignment = pe->optional.section_alignment;
    if (alignment < 0x1000)
        alignment = pe->optional.file_alignment;
    return alignment ? rva / alignment * alignment : rva;
}

static void
read_row(const struct pe *pe, struct bytes row, struct pe_section *s)
{
    memcpy(s->name, row.data, sizeof(s->name));
    s->virtual_size = bytes_le32(row, 8);
    s->rva = bytes_le32(row, 12);
    s->raw_size = bytes_le32(row, 16);
    s->raw_offset = bytes_le32(row, 20);
    s->reloc_offset = bytes_le32(row, 24);
    s->line_offset = bytes_le32(row, 28);
    s->reloc_count = bytes_le16(row, 32);
    s->line_count = bytes_le16(row, 34);
    s->flags = bytes_le32(row, 36);
    s->map_rva = round_rva(pe, s->rva);
    s->map_offset = round_offset(pe, s->raw_offset);
}

static int
odd(const struct pe *pe, const struct pe_section *s)
{
    uint32_t alignment = pe->optional.file_alignment;
    return ((uint64_t)s->raw_size + s->raw_offset > pe->file.size) +
           (s->map_offset > pe->file.size) + (s->virtual_size > BIG_ADDRESS) +
           (s->map_rva > BIG_ADDRESS) + (alignment && s->raw_offset % alignment != 0);
}

static bool
all_zero(struct bytes b)
{
    for (size_t i = 0; i < b.size; i++) {
        if (b.data[i] != 0)
            return false;
    }
    return true;
}

static int
by_rva(const void *a, const void *b)
{
    const struct pe_section *x = a, *y = b;
    if (x->rva != y->rva)
        return x->rva < y->rva ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* A section ends where the next one starts. Its size in the file counts only where the
 * file has it. */
static void
map_section(const struct pe *pe, struct pe_section *s, const struct pe_section *next)
{
    int64_t left = (int64_t)pe->file.size - (int64_t)s->map_offset;
    uint32_t size = s->virtual_size;
    if (left >= (int64_t)s->raw_size && s->raw_size > size)
        size = s->raw_size;
    s->map_end = (uint64_t)s->map_rva + size;
    if (next && next->rva > s->rva && s->map_end > next->rva)
        s->map_end = next->rva;
}

static int
read_sections(struct pe *pe, const char **why)
{
    unsigned n =
        pe->claimed_sections < PE_SECTIONS_MAX ? pe->claimed_sections : PE_SECTIONS_MAX;
    /* no more than the file has, and one that it cuts */
    size_t rows = bytes_from(pe->file, pe->table_offset).size / ROW_SIZE + 1;
    n = n < rows ? n : (unsigned)rows;
    if (n == 0)
        return 0;
    pe->sections = calloc(n, sizeof(*pe->sections));
    if (!pe->sections)
        return -ENOMEM;
    for (unsigned i = 0; i < n; i++) {
        struct bytes rest =
            bytes_from(pe->file, pe->table_offset + (uint64_t)ROW_SIZE * i);
        struct bytes row = bytes_at(rest, 0, ROW_SIZE);
        pe->work++;
        if (rest.size == 0 || (row.size > 0 && all_zero(row)))
            break;
        if (row.size == 0)
            return refuse(why, "Data length less than expected header length.");
        struct pe_section *s = &pe->sections[pe->section_count];
        read_row(pe, row, s);
        s->index = i;
        if (odd(pe, s) >= ODD_MAX)
            break;
        pe->section_count++;
    }
    qsort(pe->sections, pe->section_count, sizeof(*pe->sections), by_rva);
    for (unsigned i = 0; i < pe->section_count; i++)
        map_section(pe, &pe->sections[i],
                    i + 1 < pe->section_count ? &pe->sections[i + 1] : NULL);
    return 0;
}

/* Up to the first section's bytes, or to the end of the table when that is later. */
static void
find_header(struct pe *pe)
{
    uint64_t end = pe->table_offset;
    uint32_t lowest = UINT32_MAX;
    if (pe->section_count > 0)
        end += (uint64_t)ROW_SIZE * pe->claimed_sections;
    for (unsigned i = 0; i < pe->section_count; i++) {
        const struct pe_section *s = &pe->sections[i];
        if (s->raw_offset > 0 && s->map_offset < lowest)
            lowest = s->map_offset;
    }
    if (lowest != UINT32_MAX && lowest > 0 && lowest >= end)
        end = lowest;
    pe->header = pe->file;
    if (end < pe->file.size)
        pe->header.size = (size_t)end;
}

int
pe_open(struct pe *pe, struct bytes file, const char **why)
{
    memset(pe, 0, sizeof(*pe));
    pe->file = file;
    int r = read_dos(pe, why);
    if (r == 0)
        r = read_signature(pe, why);
    if (r == 0)
        r = read_coff(pe, why);
    if (r == 0)
        r = read_optional(pe, why);
    if (r < 0)
        return r;
    read_directories(pe);
    r = read_sections(pe, why);
    if (r < 0)
        pe_close(pe);
    else
        find_header(pe);
    return r;
}

void
pe_close(struct pe *pe)
{
    free(pe->sections);
    pe->sections = NULL;
    pe->section_count = 0;
    pe->last = NULL;
}
