/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strings of a version block (VS_VERSIONINFO). See pe_tables.h. A block holds
 * string tables, which hold pairs of texts; each begins with its length, its value's
 * length and its name, and is aligned to four bytes from the start of the image.
 */

#include "common/pe_tables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define HEAD_SIZE  6U
#define FIXED_SIZE 52U
#define TEXT_MAX   65536U
/* What looking at one structure costs, beside its texts. */
#define COST 16U

struct block {
    struct pe *pe;
    uint32_t rva;
    struct bytes raw; /* the resource as far as the file has it */
    json_t *strings;
    unsigned *work;
};

/* A structure's head and its name. */
struct head {
    int64_t at; /* in the block */
    uint16_t length, value_length, type;
    struct bytes name; /* UTF-16 */
};

static int64_t
align(const struct block *b, int64_t offset)
{
    int64_t base = b->rva;
    return ((offset + base + 3) & 0xfffffffc) - (base & 0xfffffffc);
}

static bool
spend(struct block *b, size_t cost)
{
    bool enough = cost < *b->work;
    *b->work = enough ? *b->work - (unsigned)cost : 0;
    return enough;
}

static int64_t
after_name(const struct block *b, const struct head *h)
{
    return align(b, h->at + HEAD_SIZE + (int64_t)h->name.size + 2);
}

/* @return 1; 0 when there is no head at @at; -EBADMSG when its name is nowhere. */
static int
read_head(struct block *b, int64_t at, struct head *h)
{
    if (at < 0 || !bytes_has(b->raw, (uint64_t)at, HEAD_SIZE) || !spend(b, COST))
        return 0;
    h->at = at;
    h->length = bytes_le16(b->raw, (uint64_t)at);
    h->value_length = bytes_le16(b->raw, (uint64_t)at + 2);
    h->type = bytes_le16(b->raw, (uint64_t)at + 4);
    if (!pe_text16(b->pe, b->rva + (uint64_t)at + HEAD_SIZE, TEXT_MAX, &h->name))
        return -EBADMSG;
    return spend(b, h->name.size) ? 1 : 0;
}

static bool
starts_with(struct bytes name, const char *text)
{
    for (size_t i = 0; text[i]; i++) {
        if (2 * i + 2 > name.size || bytes_le16(name, 2 * i) != (unsigned char)text[i])
            return false;
    }
    return true;
}

static size_t
put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(lead[n] | c);
    return n;
}

/* UTF-8, NUL-terminated; half of a surrogate pair as the text "\udc00". */
static char *
utf8_of(struct bytes units)
{
    char *text = malloc(units.size / 2 * 6 + 1);
    size_t n = 0;
    if (!text)
        return NULL;
    for (size_t i = 0; i < units.size; i += 2) {
        uint32_t c = bytes_le16(units, i), next = bytes_le16(units, i + 2);
        if (c >= 0xd800 && c < 0xdc00 && next >= 0xdc00 && next < 0xe000) {
            n += put_utf8(text + n, 0x10000 + ((c - 0xd800) << 10) + (next - 0xdc00));
            i += 2;
        } else if (c >= 0xd800 && c < 0xe000) {
            n += (size_t)snprintf(text + n, 7, "\\u%04x", (unsigned)c);
        } else {
            n += put_utf8(text + n, c);
        }
    }
    text[n] = '\0';
    return text;
}

static int
add_string(struct block *b, struct bytes name, struct bytes value)
{
    char *key = utf8_of(name), *text = utf8_of(value);
    int r = key && text && json_object_set_new(b->strings, key, json_string(text)) == 0
                ? 0
                : -ENOMEM;
    free(key);
    free(text);
    return r;
}

/* The pairs of one table. @return 0, -ENOMEM. */
static int
read_pairs(struct block *b, const struct head *table)
{
    int64_t end = table->at + table->length;
    for (int64_t at = after_name(b, table); at < end;) {
        struct head pair;
        struct bytes value;
        uint64_t offset;
        if (read_head(b, at, &pair) <= 0)
            return 0;
        uint64_t rva = b->rva + (uint64_t)after_name(b, &pair);
        if (!pe_text16(b->pe, rva, pair.value_length, &value) ||
            !pe_offset(b->pe, rva, &offset) || !spend(b, value.size))
            return 0;
        int r = add_string(b, pair.name, value);
        if (r < 0 || pair.length == 0)
            return r;
        at = align(b, at + pair.length);
    }
    return 0;
}

/* The tables of a StringFileInfo. @return 0, -ENOMEM. */
static int
read_tables(struct block *b, const struct head *info)
{
    int64_t at = after_name(b, info);
    for (;;) {
        struct head table;
        if (read_head(b, at, &table) <= 0)
            return 0;
        int r = read_pairs(b, &table);
        if (r < 0)
            return r;
        int64_t next = align(b, at + table.length);
        if (next == at || next >= info->length)
            return 0;
        at = next;
    }
}

/* Where the first structure after the fixed part is; -1 when this is no version block.
 */
static int64_t
first_info(struct block *b)
{
    static const char name[] = "VS_VERSION_INFO";
    struct bytes found;
    if (!bytes_has(b->raw, 0, HEAD_SIZE) ||
        !pe_text16(b->pe, (uint64_t)b->rva + HEAD_SIZE, sizeof(name), &found) ||
        found.size != 2 * (sizeof(name) - 1) || !starts_with(found, name))
        return -1;
    int64_t fixed = align(b, HEAD_SIZE + 2 * (int64_t)sizeof(name));
    if (fixed < 0 || !bytes_has(b->raw, (uint64_t)fixed, FIXED_SIZE))
        return -1;
    return align(b, fixed + FIXED_SIZE);
}

/* @return 1 when the block is whole, 0 when its strings do not count, -ENOMEM. */
static int
read_block(struct block *b)
{
    int64_t at = first_info(b);
    uint16_t length = bytes_le16(b->raw, 0);
    if (at < 0)
        return 0;
    for (;;) {
        struct head info;
        int r = read_head(b, at, &info);
        if (r <= 0)
            return r < 0 || *b->work == 0;
        if (starts_with(info.name, "StringFileInfo") && info.type <= 1 &&
            info.value_length == 0)
            r = read_tables(b, &info);
        if (r < 0)
            return r;
        at = align(b, at + info.length);
        if (info.length == 0 || at >= length)
            return 1;
    }
}

int
pe_version_read(struct pe *pe, uint32_t rva, uint32_t size, json_t *strings,
                unsigned *work)
{
    uint64_t start;
    if (!pe_offset(pe, rva, &start))
        return 0;
    json_auto_t *found = json_object();
    struct block b = {pe, rva, bytes_from(pe->file, start), found, work};
    if (!found)
        return -ENOMEM;
    if (b.raw.size > size)
        b.raw.size = size;
    int r = read_block(&b);
    if (r > 0)
        r = json_object_update(strings, found) < 0 ? -ENOMEM : 0;
    return r;
}
