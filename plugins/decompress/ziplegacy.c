/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zip members that libarchive finds but cannot unpack, for their method is an old one.
 * They are looked up by name in the central directory, from where the last one was
 * found: both go through it in one order as a rule. Called by extract.c; no state.
 */

#include <errno.h>
#include <zlib.h>

#include "forms.h"

#define RECORD 46U
#define LOCAL  30U

struct record {
    uint32_t c_size, u_size, offset, crc;
    uint16_t method, flags, name_len;
};

/* Where the directory starts, by its end; SIZE_MAX when there is none. */
static uint64_t
find_directory(struct bytes data)
{
    size_t at = data.size < 22 ? SIZE_MAX : data.size - 22;
    const size_t lowest = data.size > 65557 ? data.size - 65557 : 0;
    while (at != SIZE_MAX && at > lowest && !bytes_are(data, at, "PK\5\6", 4))
        at--;
    if (!bytes_are(data, at, "PK\5\6", 4))
        return SIZE_MAX;
    const uint32_t size = bytes_le32(data, at + 12);
    return size <= at ? at - size : SIZE_MAX;
}

/* The record at @p at. @return its size, 0 when there is none. */
static uint64_t
read_record(struct bytes data, uint64_t at, struct record *r)
{
    if (!bytes_are(data, at, "PK\1\2", 4) || !bytes_has(data, at, RECORD))
        return 0;
    *r = (struct record){.flags = bytes_le16(data, at + 8),
                         .method = bytes_le16(data, at + 10),
                         .crc = bytes_le32(data, at + 16),
                         .c_size = bytes_le32(data, at + 20),
                         .u_size = bytes_le32(data, at + 24),
                         .name_len = bytes_le16(data, at + 28),
                         .offset = bytes_le32(data, at + 42)};
    return RECORD + (uint64_t)r->name_len + bytes_le16(data, at + 30) +
           bytes_le16(data, at + 32);
}

static bool
is_legacy(unsigned method)
{
    return method == 1 || method == 6 || method == 9;
}

/* The record named @p name, from @p cursor on and then from the start. */
static bool
find(struct stoq_sink *s, struct bytes data, const char *name, uint64_t *cursor,
     struct record *r)
{
    const uint64_t start = find_directory(data);
    const size_t length = strlen(name);
    if (start == SIZE_MAX)
        return false;
    const uint64_t from = *cursor > start ? *cursor : start;
    for (int round = 0; round < 2; round++) {
        uint64_t at = round == 0 ? from : start;
        for (uint64_t n; (n = read_record(data, at, r)) > 0; at += n) {
            if (!stoq_sink_time(s) || (round == 1 && at >= from))
                return false;
            if (r->name_len == length && is_legacy(r->method) &&
                bytes_are(data, at + RECORD, name, length)) {
                *cursor = at + n;
                return true;
            }
        }
    }
    return false;
}

static const char *
decode(struct stoq_sink *s, const struct record *r, struct bytes packed)
{
    const char *why;
    if (r->method == 1)
        why = stoq_shrink_decode(s, packed, r->u_size);
    else if (r->method == 6)
        why = stoq_implode_decode(s, packed, r->u_size, r->flags);
    else
        why = stoq_inflate64(s, packed, r->u_size);
    if (!why && s->error == 0 && s->size <= UINT32_MAX &&
        crc32(0, s->data, (unsigned)s->size) != r->crc)
        why = "wrong checksum";
    return why;
}

int
stoq_zip_legacy(struct stoq_sink *s, const char *name, uint64_t *cursor)
{
    const struct bytes data = {s->x->data, s->x->size};
    struct record r;
    stoq_sink_begin(s);
    if (!find(s, data, name, cursor, &r) || r.flags & 1 ||
        !bytes_are(data, r.offset, "PK\3\4", 4))
        return s->error == -ENOMEM ? -ENOMEM : 0;
    const uint64_t at = r.offset + (uint64_t)LOCAL + bytes_le16(data, r.offset + 26U) +
                        bytes_le16(data, r.offset + 28U);
    struct bytes rest = bytes_from(data, at);
    const char *why =
        decode(s, &r, bytes_at(rest, 0, r.c_size < rest.size ? r.c_size : rest.size));
    const int done = stoq_sink_end(s, name, strlen(name), why);
    return done < 0 ? done : 1;
}
