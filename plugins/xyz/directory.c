/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The central directory of a zip file: found from its end, as Python's zipfile finds
 * it, since results are compared with those of programs that use it. Entries take
 * memory in proportion to the directory's own bytes, each of at least 46. Called by
 * xyz.c; no state.
 */

#include <errno.h>
#include <stdlib.h>

#include "parts.h"

#define COMMENT_MAX ((size_t)1 << 16)

#define BAD(err, ...)                                  \
    stoq_error_set((err), STOQ_ERROR_FORMAT, -EBADMSG, \
                   "zipfile.BadZipFile: " __VA_ARGS__)

/* The end of a directory. */
struct end {
    uint64_t at; /* of the record */
    uint64_t size, offset;
    bool is64;
    struct bytes comment;
};

/* The 64-bit record before the one found, if there. */
static int
find_end64(struct bytes data, struct end *end, struct stoq_error *err)
{
    const uint64_t loc = end->at < XYZ_LOC64_SIZE ? 0 : end->at - XYZ_LOC64_SIZE;
    if (!bytes_has(data, loc, XYZ_LOC64_SIZE) || !bytes_are(data, loc, "PK\x06\x07", 4))
        return 0;
    if (bytes_le32(data, loc + 4) != 0 || bytes_le32(data, loc + 16) > 1)
        return BAD(err, "zipfiles that span multiple disks are not supported");
    const uint64_t both = XYZ_LOC64_SIZE + XYZ_END64_SIZE;
    const uint64_t at = end->at < both ? 0 : end->at - both;
    if (!bytes_has(data, at, XYZ_END64_SIZE) || !bytes_are(data, at, "PK\x06\x06", 4))
        return 0;
    end->is64 = true;
    end->size = bytes_le64(data, at + 40);
    end->offset = bytes_le64(data, at + 48);
    return 0;
}

static bool
find_end(struct bytes data, struct end *end)
{
    static const char magic[] = "PK\x05\x06";
    if (data.size < XYZ_END_SIZE)
        return false;
    size_t at = data.size - XYZ_END_SIZE;
    if (!bytes_are(data, at, magic, 4) || bytes_le16(data, at + 20) != 0) {
        const size_t lowest = at > COMMENT_MAX ? at - COMMENT_MAX : 0;
        /* the last one, also where it is cut short: then there is none */
        at = data.size - 4;
        while (at > lowest && !bytes_are(data, at, magic, 4))
            at--;
        if (!bytes_are(data, at, magic, 4) || !bytes_has(data, at, XYZ_END_SIZE))
            return false;
    }
    end->at = at;
    end->size = bytes_le32(data, at + 12);
    end->offset = bytes_le32(data, at + 16);
    struct bytes rest = bytes_from(data, at + XYZ_END_SIZE);
    const size_t claimed = bytes_le16(data, at + 20);
    end->comment = bytes_at(rest, 0, claimed < rest.size ? claimed : rest.size);
    return true;
}

/* Sizes and offset that do not fit 32 bits stand in an extra field. */
static int
widen(struct xyz_entry *e, uint64_t *offset, struct stoq_error *err)
{
    struct bytes extra = e->extra;
    while (extra.size >= 4) {
        const uint16_t type = bytes_le16(extra, 0);
        const uint16_t size = bytes_le16(extra, 2);
        if (size + 4U > extra.size)
            return BAD(err, "Corrupt extra field %04x (size=%d)", type, size);
        if (type == 1) {
            struct bytes field = bytes_at(extra, 4, size);
            const struct {
                uint64_t *value;
                bool wide;
                const char *name;
            } places[] = {{&e->u_size,
                           e->u_size == UINT32_MAX || e->u_size == UINT64_MAX,
                           "File size"},
                          {&e->c_size, e->c_size == UINT32_MAX, "Compress size"},
                          {offset, *offset == UINT32_MAX, "Header offset"}};
            for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
                if (!places[i].wide)
                    continue;
                if (field.size < 8)
                    return BAD(err, "Corrupt zip64 extra field. %s not found.",
                               places[i].name);
                *places[i].value = bytes_le64(field, 0);
                field = bytes_from(field, 8);
            }
        }
        extra = bytes_from(extra, size + 4U);
    }
    return 0;
}

/* a - b + c without wrapping */
static int64_t
place(uint64_t a, uint64_t b, uint64_t c)
{
    int64_t value;
    if (__builtin_sub_overflow(a, b, &value))
        value = a > b ? INT64_MAX : INT64_MIN;
    if (__builtin_add_overflow(value, c, &value))
        value = INT64_MAX;
    return value;
}

/* The part of @p size bytes at @p at that is there. */
static struct bytes
piece(struct bytes b, uint64_t at, size_t size)
{
    struct bytes rest = bytes_from(b, at);
    return bytes_at(rest, 0, size < rest.size ? size : rest.size);
}

/* Record @p at of @p directory into @p e; @p size is what it takes there. */
static int
read_record(struct bytes directory, uint64_t at, const struct end *end,
            struct xyz_entry *e, struct stoq_error *err)
{
    struct bytes r = bytes_at(directory, at, XYZ_RECORD_SIZE);
    if (r.size < XYZ_RECORD_SIZE)
        return BAD(err, "Truncated central directory");
    if (!bytes_are(r, 0, "PK\x01\x02", 4))
        return BAD(err, "Bad magic number for central directory");
    const uint16_t extra_len = bytes_le16(r, 30), comment_len = bytes_le16(r, 32);
    *e = (struct xyz_entry){.create_version = bytes_u8(r, 4),
                            .create_system = bytes_u8(r, 5),
                            .extract_version = bytes_u8(r, 6),
                            .flags = bytes_le16(r, 8),
                            .method = bytes_le16(r, 10),
                            .time = bytes_le16(r, 12),
                            .date = bytes_le16(r, 14),
                            .crc = bytes_le32(r, 16),
                            .c_size = bytes_le32(r, 20),
                            .u_size = bytes_le32(r, 24),
                            .name_len = bytes_le16(r, 28),
                            .volume = bytes_le16(r, 34),
                            .int_attr = bytes_le16(r, 36),
                            .ext_attr = bytes_le32(r, 38)};
    const uint64_t name_at = at + XYZ_RECORD_SIZE;
    struct bytes name = piece(directory, name_at, e->name_len);
    e->extra = piece(directory, name_at + e->name_len, extra_len);
    e->comment = piece(directory, name_at + e->name_len + extra_len, comment_len);
    bool lossless;
    if (xyz_text_decode(name, e->flags & XYZ_UTF8, &e->name, &lossless) < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    if (!lossless)
        return xyz_text_refuse(name, err);
    if (e->extract_version > 63)
        return stoq_error_set(err, STOQ_ERROR_FORMAT, -EBADMSG,
                              "NotImplementedError: zip file version %.1f",
                              e->extract_version / 10.0);
    uint64_t offset = bytes_le32(r, 42);
    const int bad = widen(e, &offset, err);
    /* counted from where the directory is, not from where it claims to be */
    e->offset =
        place(offset, end->offset,
              end->at - end->size - (end->is64 ? XYZ_END64_SIZE + XYZ_LOC64_SIZE : 0));
    return bad;
}

static int
add_entry(struct xyz_zip *zip, size_t *room, struct xyz_entry **out)
{
    if (zip->count == *room) {
        const size_t more = *room ? 2 * *room : 16;
        struct xyz_entry *entries = reallocarray(zip->entries, more, sizeof *entries);
        if (!entries)
            return -ENOMEM;
        zip->entries = entries;
        *room = more;
    }
    zip->entries[zip->count] = (struct xyz_entry){.crc = 0};
    *out = &zip->entries[zip->count++];
    return 0;
}

/* From the highest offset down; among equals the first in the directory first. */
static int
by_offset(const void *a, const void *b)
{
    const struct xyz_entry *const *x = a, *const *y = b;
    if ((*x)->offset != (*y)->offset)
        return (*x)->offset < (*y)->offset ? 1 : -1;
    return *x > *y ? 1 : -1;
}

/* A member's data must end before the next one starts. */
static int
bound_entries(struct xyz_zip *zip)
{
    if (zip->count == 0)
        return 0;
    struct xyz_entry **sorted = reallocarray(NULL, zip->count, sizeof *sorted);
    if (!sorted)
        return -ENOMEM;
    for (size_t i = 0; i < zip->count; i++)
        sorted[i] = &zip->entries[i];
    qsort(sorted, zip->count, sizeof *sorted, by_offset);
    int64_t next = (int64_t)zip->start;
    for (size_t i = 0; i < zip->count; i++) {
        sorted[i]->next = next;
        next = sorted[i]->offset;
    }
    free(sorted);
    return 0;
}

int
xyz_directory_read(struct xyz_zip *zip, struct stoq_error *err)
{
    struct end end = {.at = 0};
    if (!find_end(zip->data, &end))
        return BAD(err, "File is not a zip file");
    int r = find_end64(zip->data, &end, err);
    if (r < 0)
        return r;
    const uint64_t after = end.is64 ? XYZ_END64_SIZE + XYZ_LOC64_SIZE : 0;
    if (end.at < after || end.size > end.at - after)
        return BAD(err, "Bad offset for central directory");
    zip->start = end.at - after - end.size;
    zip->comment = end.comment;
    struct bytes directory = bytes_at(zip->data, zip->start, end.size);
    size_t room = 0;
    for (uint64_t at = 0; r == 0 && at < end.size;) {
        struct xyz_entry *e;
        r = add_entry(zip, &room, &e);
        if (r == 0)
            r = read_record(directory, at, &end, e, err);
        else
            (void)stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "out of memory");
        if (r == 0) {
            e->record = zip->start + at;
            at += XYZ_RECORD_SIZE + (uint64_t)e->name_len +
                  bytes_le16(directory, at + 30) + bytes_le16(directory, at + 32);
        }
    }
    if (r == 0 && bound_entries(zip) < 0)
        r = stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    return r;
}

void
xyz_directory_free(struct xyz_zip *zip)
{
    for (size_t i = 0; i < zip->count; i++)
        free(zip->entries[i].name.data);
    free(zip->entries);
    zip->entries = NULL;
    zip->count = 0;
}
