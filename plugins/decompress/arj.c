/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ARJ archives. Every header is a marker, a size, that many bytes, a checksum, and
 * extended headers; the first is the archive's own. After ARJ's public technical notes.
 * Memory is the sink's; each header moves on, so the walk ends. Called by forms.c.
 */

#include <errno.h>

#include "forms.h"

#define HEADER_MAX  2600U
#define HEADER_MIN  30U
#define GARBLED     0x01U
#define CONTINUED   0x04U
#define TYPE_DIR    3U
#define TYPE_VOLUME 4U
#define TYPE_MAIN   2U

struct header {
    struct bytes basic;
    uint64_t end;
};

/* The header at @p at. @return 1, 0 at the end of the archive, -EBADMSG. */
static int
read_header(struct bytes data, uint64_t at, struct header *h)
{
    if (!bytes_are(data, at, "\x60\xea", 2))
        return -EBADMSG;
    const uint16_t size = bytes_le16(data, at + 2);
    if (size == 0)
        return bytes_has(data, at, 4) ? 0 : -EBADMSG;
    h->basic = bytes_at(data, at + 4, size);
    if (size < HEADER_MIN || size > HEADER_MAX || h->basic.size == 0 ||
        h->basic.data[0] < HEADER_MIN || h->basic.data[0] > size)
        return -EBADMSG;
    at += 4U + size + 4;
    for (;;) {
        if (!bytes_has(data, at, 2))
            return -EBADMSG;
        const uint16_t extended = bytes_le16(data, at);
        at += 2;
        if (extended == 0)
            break;
        at += extended + 4U;
    }
    h->end = at;
    return 1;
}

static const char *
decode(struct stoq_sink *s, unsigned method, struct bytes packed, uint64_t size)
{
    switch (method) {
    case 0:
        (void)stoq_sink_put(s, packed.data, packed.size);
        return packed.size == size ? NULL : "sizes differ";
    case 1:
    case 2:
    case 3:
        return stoq_lzh_decode(s, packed, size);
    case 4:
        return stoq_fastest_decode(s, packed, size);
    default:
        return "unknown method";
    }
}

static int
read_member(struct stoq_sink *s, struct bytes data, const struct header *h)
{
    const unsigned flags = bytes_u8(h->basic, 4), type = bytes_u8(h->basic, 6);
    if (type == TYPE_DIR || type == TYPE_VOLUME)
        return 0;
    if (flags & GARBLED) {
        stoq_sink_encrypted(s);
        return 0;
    }
    const uint32_t packed_size = bytes_le32(h->basic, 12);
    struct bytes rest = bytes_from(data, h->end);
    struct bytes packed =
        bytes_at(rest, 0, packed_size < rest.size ? packed_size : rest.size);
    const uint8_t name_at = h->basic.data[0];
    struct bytes name = bytes_from(h->basic, name_at);
    stoq_sink_begin(s);
    const char *why =
        decode(s, bytes_u8(h->basic, 5), packed, bytes_le32(h->basic, 16));
    if (packed.size < packed_size)
        why = "truncated";
    else if (!why && flags & CONTINUED)
        why = "continued in another volume";
    return stoq_sink_end(s, (const char *)name.data, name.size, why);
}

int
stoq_arj_read(struct stoq_sink *s)
{
    const struct bytes data = {s->x->data, s->x->size};
    struct header h = {.end = 0};
    int r = read_header(data, 0, &h);
    while (r > 0 && !s->stop) {
        r = read_header(data, h.end, &h);
        if (r <= 0)
            break;
        const int done = read_member(s, data, &h);
        if (done < 0)
            return done;
        h.end += bytes_le32(h.basic, 12);
    }
    if (r < 0)
        stoq_sink_broken(s, "damaged ARJ header");
    return 0;
}
