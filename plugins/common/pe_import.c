/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Imports. See pe_tables.h. A library has two tables of thunks, one of names and one of
 * addresses; the second stands in where the first is missing. Tables that show signs of
 * being made up (entries that repeat, spread over the whole address space, or point
 * into the table itself) count as empty, by pefile's rules.
 */

#include "common/pe_tables.h"

#include <errno.h>
#include <stdlib.h>

#include "common/pe_counts.h"

#define DESCRIPTOR_SIZE   20U
#define BAD_LIBRARIES_MAX 5
#define BAD_NAMES_MAX     1000U
#define REPEATS_MAX       15U
#define SPREAD_MAX        ((uint64_t)128 << 20)
#define FOUR_GB           ((uint64_t)1 << 32)

struct thunks {
    uint64_t values[PE_SYMBOLS_MAX + 1];
    size_t count;
};

struct reader {
    struct pe *pe;
    struct pe_imports *out;
    unsigned width;        /* bytes of a thunk */
    uint64_t ordinal_flag; /* its top bit */
    unsigned looked_at;    /* thunks of all tables so far */
    struct thunks names, addresses;
    struct pe_counts seen; /* addresses of one table */
};

struct span {
    uint64_t low, high;
};

static bool
too_wide(struct span *s)
{
    return s->low <= s->high && s->high - s->low > SPREAD_MAX;
}

static void
widen(struct span *s, uint64_t value)
{
    s->low = value < s->low ? value : s->low;
    s->high = value > s->high ? value : s->high;
}

/* Note one thunk. @return 1 when the table cannot be true, 0, -ENOMEM. */
static int
note(struct reader *r, uint64_t value, struct span spans[2], unsigned *repeats)
{
    if (value & r->ordinal_flag)
        return (value & 0x7fffffffU) > 0xffff;
    int seen = pe_counts_add(&r->seen, value, (struct bytes){0});
    if (seen < 0)
        return seen;
    *repeats += seen > 1;
    widen(&spans[value >= FOUR_GB], value);
    return 0;
}

/* One table, to its zero entry. @count is 0 when there is none or it cannot be true. */
static int
read_thunks(struct reader *r, uint64_t start, uint64_t max, struct thunks *out)
{
    struct span spans[2] = {{UINT64_MAX, 0}, {UINT64_MAX, 0}};
    unsigned repeats = 0;
    out->count = 0;
    pe_counts_clear(&r->seen);
    for (uint64_t rva = start; start && rva - start < max; rva += r->width) {
        struct bytes b;
        if (r->looked_at > PE_SYMBOLS_MAX) {
            r->out->limited = true;
            return 0;
        }
        r->looked_at++;
        if (repeats >= REPEATS_MAX || too_wide(&spans[0]) || too_wide(&spans[1]) ||
            !pe_data(r->pe, rva, r->width, &b) || b.size != r->width) {
            out->count = 0;
            return 0;
        }
        uint64_t value = bytes_number(b, 0, r->width, false);
        if (value == 0 || (value >= start && value <= rva))
            return 0;
        int doubt = note(r, value, spans, &repeats);
        if (doubt < 0)
            return doubt;
        if (doubt > 0) {
            out->count = 0;
            return 0;
        }
        out->values[out->count++] = value;
    }
    return 0;
}

static bool
name_valid(struct bytes name)
{
    for (size_t i = 0; i < name.size; i++) {
        unsigned char c = name.data[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!letter && !(c >= '0' && c <= '9') && !(c && strchr("._?@$()<>", c)))
            return false;
    }
    return true;
}

static bool
library_valid(struct bytes name)
{
    for (size_t i = 0; i < name.size; i++) {
        unsigned char c = name.data[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!letter && !(c >= '0' && c <= '9') &&
            !(c && strchr("!#$%&'()-@^_`{}~+,.;=[]\\/", c)))
            return false;
    }
    return true;
}

static int
add_symbol(struct pe_imports *out, struct pe_symbol symbol)
{
    if (!out->symbols)
        out->symbols = calloc(PE_SYMBOLS_MAX + 1, sizeof(*out->symbols));
    if (!out->symbols)
        return -ENOMEM;
    if (out->symbol_count <= PE_SYMBOLS_MAX)
        out->symbols[out->symbol_count++] = symbol;
    return 0;
}

/* The symbols of one table. @return 1 when the table is to be given up, 0, -ENOMEM. */
static int
read_symbols(struct reader *r, const struct thunks *table)
{
    size_t invalid = 0;
    for (size_t i = 0; i < table->count; i++) {
        uint64_t value = table->values[i];
        struct pe_symbol symbol = {0};
        struct bytes hint;
        if (value & r->ordinal_flag) {
            symbol.by_ordinal = true;
            symbol.ordinal = (uint16_t)value;
        } else if (!pe_data(r->pe, value, 2, &hint)) {
            return 1;
        } else {
            symbol.name = pe_text(r->pe, value + 2, PE_NAME_MAX);
            if (!name_valid(symbol.name)) {
                if (invalid > BAD_NAMES_MAX && invalid == i)
                    return 1;
                invalid++;
                continue;
            }
        }
        if (!symbol.ordinal && symbol.name.size == 0)
            continue;
        int e = add_symbol(r->out, symbol);
        if (e < 0)
            return e;
    }
    return 0;
}

/* The symbols of one library. @return how many, -ENOMEM. */
static int
read_library(struct reader *r, struct bytes descriptor, uint64_t max)
{
    size_t before = r->out->symbol_count;
    int e = read_thunks(r, bytes_le32(descriptor, 0), max, &r->names);
    if (e == 0)
        e = read_thunks(r, bytes_le32(descriptor, 16), max, &r->addresses);
    if (e == 0)
        e = read_symbols(r, r->names.count ? &r->names : &r->addresses);
    if (e > 0) {
        r->out->symbol_count = before;
        e = 0;
    }
    return e < 0 ? e : (int)(r->out->symbol_count - before);
}

static int
add_library(struct reader *r, struct bytes name, size_t count)
{
    static const unsigned char invalid[] = "*invalid*";
    struct pe_imports *out = r->out;
    size_t first = out->symbol_count - count;
    if (!library_valid(name))
        name = (struct bytes){invalid, sizeof(invalid) - 1};
    if (name.size == 0) {
        out->symbol_count = first;
        return 0;
    }
    if ((out->library_count & (out->library_count - 1)) == 0) {
        size_t room = out->library_count ? 2 * out->library_count : 1;
        void *p = reallocarray(out->libraries, room, sizeof(*out->libraries));
        if (!p)
            return -ENOMEM;
        out->libraries = p;
    }
    out->libraries[out->library_count++] = (struct pe_library){name, first, count};
    return 0;
}

/* How far a table may go: as far as its descriptor when it lies before, else as far as
 * the file. @rva is behind the descriptor. */
static uint64_t
table_max(const struct pe *pe, struct bytes descriptor, uint64_t rva, uint64_t offset)
{
    uint32_t names = bytes_le32(descriptor, 0), addresses = bytes_le32(descriptor, 16);
    uint32_t lower = names < addresses ? names : addresses;
    if (rva > lower)
        return rva - lower;
    return offset < pe->file.size ? pe->file.size - offset : 0;
}

static bool
ends_table(struct bytes descriptor)
{
    static const unsigned char zero[DESCRIPTOR_SIZE];
    return descriptor.size != DESCRIPTOR_SIZE ||
           memcmp(descriptor.data, zero, DESCRIPTOR_SIZE) == 0;
}

static int
read_all(struct reader *r)
{
    uint64_t rva = pe_directory(r->pe, PE_IMPORT).rva, offset;
    unsigned bad = 0;
    for (;;) {
        struct bytes descriptor;
        if (!pe_data(r->pe, rva, DESCRIPTOR_SIZE, &descriptor) ||
            ends_table(descriptor) || !pe_offset(r->pe, rva, &offset))
            return 0;
        rva += DESCRIPTOR_SIZE;
        int n = read_library(r, descriptor, table_max(r->pe, descriptor, rva, offset));
        if (n < 0)
            return n;
        if (bad > BAD_LIBRARIES_MAX)
            return 0;
        if (n == 0) {
            bad++;
            continue;
        }
        n = add_library(r, pe_text(r->pe, bytes_le32(descriptor, 12), PE_NAME_MAX),
                        (size_t)n);
        if (n < 0)
            return n;
    }
}

int
pe_imports_read(struct pe *pe, struct pe_imports *out)
{
    *out = (struct pe_imports){0};
    if (pe_directory(pe, PE_IMPORT).rva == 0)
        return 0;
    struct reader *r = calloc(1, sizeof(*r));
    if (!r)
        return -ENOMEM;
    r->pe = pe;
    r->out = out;
    r->width = pe->optional.magic == PE_64 ? 8 : 4;
    r->ordinal_flag = (uint64_t)1 << (8 * r->width - 1);
    int e = read_all(r);
    pe_counts_free(&r->seen);
    free(r);
    if (e < 0)
        pe_imports_free(out);
    return e;
}

void
pe_imports_free(struct pe_imports *imports)
{
    free(imports->libraries);
    free(imports->symbols);
    *imports = (struct pe_imports){0};
}
