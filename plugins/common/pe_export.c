/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exports by name. See pe_tables.h. The addresses are looked at as well, because a
 * table of addresses that cannot be read makes pefile drop the names, too.
 */

#include "common/pe_tables.h"

#include <errno.h>
#include <stdlib.h>

#include "common/pe_counts.h"

#define DIRECTORY_SIZE      40U
#define NAME_REPEATS_MAX    10
#define ADDRESS_REPEATS_MAX 120
#define FAILURES_MAX        10

struct table {
    struct pe *pe;
    struct pe_directory place;
    struct pe_exports *out;
    uint32_t functions_rva, names_rva, ordinals_rva;
    uint32_t function_count, name_count;
    struct bytes names, ordinals, functions;
    struct pe_counts seen;
    int failures;
};

/* @count items of four bytes at @rva, as far as the file goes. */
static bool
array_at(struct pe *pe, uint32_t rva, uint32_t count, struct bytes *out)
{
    uint64_t offset, size = 4 * (uint64_t)count;
    *out = (struct bytes){0};
    if (!pe_offset(pe, rva, &offset))
        return false;
    uint64_t left = offset < pe->file.size ? pe->file.size - offset : 0;
    return pe_data(pe, rva, left < size ? left : size, out);
}

static bool
open_table(struct table *t)
{
    struct bytes b;
    if (!pe_data(t->pe, t->place.rva, DIRECTORY_SIZE, &b) || b.size != DIRECTORY_SIZE)
        return false;
    t->out->base = bytes_le32(b, 16);
    t->function_count = bytes_le32(b, 20);
    t->name_count = bytes_le32(b, 24);
    t->functions_rva = bytes_le32(b, 28);
    t->names_rva = bytes_le32(b, 32);
    t->ordinals_rva = bytes_le32(b, 36);
    return array_at(t->pe, t->names_rva, t->name_count, &t->names) &&
           array_at(t->pe, t->ordinals_rva, t->name_count, &t->ordinals) &&
           array_at(t->pe, t->functions_rva, t->function_count, &t->functions);
}

/* How many items of four bytes the section of @rva, else the file, has room for. */
static uint64_t
room_at(struct pe *pe, uint32_t rva)
{
    const struct pe_section *s = pe_section_at(pe, rva);
    if (!s)
        return pe->file.size / 4;
    uint64_t end = (uint64_t)s->rva + pe_section_bytes(pe, s).size;
    return end > rva ? (end - rva) / 4 : 0;
}

static bool
name_valid(struct bytes name)
{
    for (size_t i = 0; i < name.size; i++) {
        unsigned char c = name.data[i];
        if (c < '!' || c > '~' || c == '=' || c == ';')
            return false;
    }
    return true;
}

static int
add_name(struct pe_exports *out, struct pe_exported symbol)
{
    if ((out->count & (out->count - 1)) == 0) {
        size_t room = out->count ? 2 * out->count : 1;
        void *p = reallocarray(out->named, room, sizeof(*out->named));
        if (!p)
            return -ENOMEM;
        out->named = p;
    }
    out->named[out->count++] = symbol;
    return 0;
}

/* Everything that must lie somewhere for one name. */
static bool
places_known(struct table *t, uint32_t i, uint16_t index)
{
    uint64_t offset;
    return pe_offset(t->pe, t->ordinals_rva + 2 * (uint64_t)i, &offset) &&
           pe_offset(t->pe, t->functions_rva + 4 * (uint64_t)index, &offset);
}

/* Name number @i. @return 1 go on, 0 end of the names, -EBADMSG the whole table is to
 * be dropped, -ENOMEM. */
static int
read_name(struct table *t, uint32_t i)
{
    uint64_t offset;
    struct pe_exported s = {.index = bytes_le16(t->ordinals, 2 * (uint64_t)i)};
    if (!bytes_has(t->ordinals, 2 * (uint64_t)i, 2) ||
        4 * (uint64_t)s.index >= t->functions.size)
        return -EBADMSG;
    s.address = bytes_le32(t->functions, 4 * (uint64_t)s.index);
    if (s.address == 0)
        return 1;
    s.forwards =
        s.address >= t->place.rva && s.address < (uint64_t)t->place.rva + t->place.size;
    if (s.forwards && !pe_offset(t->pe, s.address, &offset))
        return 1;
    if (!bytes_has(t->names, 4 * (uint64_t)i, 4))
        return 0;
    uint32_t where = bytes_le32(t->names, 4 * (uint64_t)i);
    s.name = pe_text(t->pe, where, PE_NAME_MAX);
    if (!name_valid(s.name))
        return 0;
    if (!pe_offset(t->pe, where, &offset)) {
        t->failures += 2; /* pefile asks twice */
        return t->failures < FAILURES_MAX;
    }
    int seen = pe_counts_add(&t->seen, s.address, s.name);
    if (seen == 0 || t->seen.used > PE_EXPORTS_MAX)
        t->out->limited = true;
    if (seen < 0 || seen == 0 || seen > NAME_REPEATS_MAX || t->out->limited)
        return seen < 0 ? seen : 0;
    if (!places_known(t, i, s.index))
        return -EBADMSG;
    int e = add_name(t->out, s);
    return e < 0 ? e : 1;
}

static int
read_names(struct table *t)
{
    uint64_t n = room_at(t->pe, t->names_rva);
    int r = 1;
    for (uint32_t i = 0; r > 0 && i < t->name_count && i < n; i++)
        r = read_name(t, i);
    return r < 0 ? r : 0;
}

/* Whether the addresses without a name can be read. @return 0, -EBADMSG, -ENOMEM. */
static int
check_rest(struct table *t)
{
    uint64_t n = room_at(t->pe, t->functions_rva);
    unsigned char named[65536 / 8] = {0};
    int failures = 0;
    for (size_t i = 0; i < t->out->count; i++)
        named[t->out->named[i].index / 8] |=
            (unsigned char)(1U << t->out->named[i].index % 8);
    pe_counts_clear(&t->seen);
    for (uint32_t i = 0; i < t->function_count && i < n; i++) {
        if (i < 65536 && named[i / 8] >> i % 8 & 1)
            continue;
        uint64_t address = bytes_le32(t->functions, 4 * (uint64_t)i);
        if (!bytes_has(t->functions, 4 * (uint64_t)i, 4)) {
            if (++failures >= FAILURES_MAX)
                return -EBADMSG;
            continue;
        }
        if (address == 0)
            continue;
        int seen = pe_counts_add(&t->seen, address, (struct bytes){0});
        if (seen < 0)
            return seen;
        if (seen == 0 || seen > ADDRESS_REPEATS_MAX || t->seen.used > PE_EXPORTS_MAX)
            return 0;
    }
    return 0;
}

int
pe_exports_read(struct pe *pe, struct pe_exports *out)
{
    *out = (struct pe_exports){0};
    struct table t = {.pe = pe, .place = pe_directory(pe, PE_EXPORT), .out = out};
    if (t.place.rva == 0 || !open_table(&t))
        return 0;
    int r = read_names(&t);
    if (r == 0)
        r = check_rest(&t);
    pe_counts_free(&t.seen);
    if (r < 0)
        pe_exports_free(out);
    return r == -EBADMSG ? 0 : r;
}

void
pe_exports_free(struct pe_exports *exports)
{
    free(exports->named);
    *exports = (struct pe_exports){0};
}
