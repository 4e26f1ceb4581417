/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of a portable executable's image and what the file has there. See pe.h. An
 * address outside of all sections is taken for an offset in the file, as the headers
 * are mapped that way.
 */

#include "common/pe.h"

static bool
holds(const struct pe_section *s, uint64_t rva)
{
    return s->map_rva <= rva && rva < s->map_end;
}

const struct pe_section *
pe_section_at(struct pe *pe, uint64_t rva)
{
    if (pe->last && holds(pe->last, rva))
        return pe->last;
    for (unsigned i = 0; i < pe->section_count; i++) {
        if (holds(&pe->sections[i], rva)) {
            pe->last = &pe->sections[i];
            return pe->last;
        }
    }
    return NULL;
}

/* Bytes [from, to) of the file as far as it has them. */
static struct bytes
cut(struct bytes file, uint64_t from, uint64_t to)
{
    if (to > file.size)
        to = file.size;
    return from < to ? bytes_at(file, from, to - from) : (struct bytes){0};
}

static uint64_t
sum(uint64_t a, uint64_t b)
{
    uint64_t total;
    return __builtin_add_overflow(a, b, &total) ? UINT64_MAX : total;
}

/* The end is not rounded down as the start is: nothing is lost there. */
static struct bytes
section_part(const struct pe *pe, const struct pe_section *s, uint64_t from,
             uint64_t size)
{
    uint64_t end = (uint64_t)s->raw_offset + s->raw_size;
    uint64_t to = sum(from, size);
    return cut(pe->file, from, to < end ? to : end);
}

struct bytes
pe_section_bytes(const struct pe *pe, const struct pe_section *section)
{
    return section_part(pe, section, section->map_offset, section->raw_size);
}

bool
pe_data(struct pe *pe, uint64_t rva, uint64_t size, struct bytes *out)
{
    const struct pe_section *s = pe_section_at(pe, rva);
    *out = (struct bytes){0};
    if (s)
        *out = section_part(pe, s, rva - s->map_rva + s->map_offset, size);
    else if (rva < pe->header.size)
        *out = cut(pe->header, rva, sum(rva, size));
    else if (rva < pe->file.size)
        *out = cut(pe->file, rva, sum(rva, size));
    else
        return false;
    return true;
}

bool
pe_offset(struct pe *pe, uint64_t rva, uint64_t *offset)
{
    const struct pe_section *s = pe_section_at(pe, rva);
    *offset = s ? rva - s->map_rva + s->map_offset : rva;
    return s || rva < pe->file.size;
}

struct bytes
pe_text(struct pe *pe, uint64_t rva, size_t max)
{
    const struct pe_section *s = pe_section_at(pe, rva);
    struct bytes found = s ? section_part(pe, s, rva - s->map_rva + s->map_offset, max)
                           : cut(pe->file, rva, sum(rva, max));
    found.size = bytes_strnlen(found, 0, max);
    return found;
}

bool
pe_text16(struct pe *pe, uint64_t rva, size_t max, struct bytes *out)
{
    size_t n = 0;
    *out = (struct bytes){0};
    if (max == 0)
        return true;
    if (!pe_data(pe, rva, 2 * (uint64_t)max, out))
        return false;
    while (2 * n + 2 <= out->size && bytes_le16(*out, 2 * n) != 0)
        n++;
    out->size = 2 * n;
    return true;
}

static void
grow(const struct pe *pe, uint64_t *end, uint64_t candidate)
{
    if (candidate <= pe->file.size && candidate > *end)
        *end = candidate;
}

uint64_t
pe_end(struct pe *pe)
{
    uint64_t end = 0, offset;
    grow(pe, &end, pe->table_offset);
    for (unsigned i = 0; i < pe->section_count; i++)
        grow(pe, &end, (uint64_t)pe->sections[i].raw_offset + pe->sections[i].raw_size);
    for (unsigned i = 0; i < pe->directory_count; i++) {
        if (i != PE_SECURITY && pe_offset(pe, pe->directories[i].rva, &offset))
            grow(pe, &end, offset + pe->directories[i].size);
    }
    return end;
}

struct pe_directory
pe_directory(const struct pe *pe, enum pe_index index)
{
    if ((unsigned)index >= pe->directory_count)
        return (struct pe_directory){0, 0};
    return pe->directories[index];
}
