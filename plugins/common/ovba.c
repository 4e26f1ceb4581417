/* SPDX-License-Identifier: Apache-2.0 */
/*
 * [MS-OVBA] 2.4.1: a container is a mark and chunks; a chunk is a header and either
 * 4096 bytes or tokens in groups of eight, each a byte or a copy of what came before
 * within the chunk. How a copy token divides into length and offset depends on how far
 * the chunk has come.
 */

#include "common/ovba.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MARK     1U
#define RAW_SIZE 4096U
/* Where a copy token has no bits left for the length. Chunks should end at 4096. */
#define CHUNK_MAX 65536U

struct output {
    unsigned char *data;
    size_t size, room, most;
};

/* Room for @n more bytes. @return 0, -ENOMEM, or -E2BIG at the limit. */
static int
make_room(struct output *out, size_t n)
{
    if (n > out->most - out->size)
        return -E2BIG;
    if (out->size + n <= out->room)
        return 0;
    size_t room = out->room * 2 > out->size + n ? out->room * 2 : out->size + n;
    unsigned char *bigger = realloc(out->data, room);
    if (!bigger)
        return -ENOMEM;
    out->data = bigger;
    out->room = room;
    return 0;
}

static int
copy(struct output *out, size_t chunk, unsigned token)
{
    const size_t done = out->size - chunk;
    unsigned bits = 4;
    while (bits < 16 && ((size_t)1 << bits) < done)
        bits++;
    const size_t length = (token & (0xffffU >> bits)) + 3;
    const size_t offset = (token >> (16 - bits)) + 1;
    if (offset > done || done + length > CHUNK_MAX)
        return -EBADMSG;
    int r = make_room(out, length);
    for (size_t i = 0; r == 0 && i < length; i++, out->size++)
        out->data[out->size] = out->data[out->size - offset];
    return r;
}

/* The tokens from @at to @end. */
static int
read_tokens(struct bytes in, size_t at, size_t end, struct output *out)
{
    const size_t chunk = out->size;
    while (at < end) {
        unsigned flags = bytes_u8(in, at++);
        for (unsigned i = 0; i < 8 && at < end; i++, flags >>= 1) {
            int r;
            if (flags & 1) {
                if (!bytes_has(in, at, 2))
                    return -EBADMSG;
                r = copy(out, chunk, bytes_le16(in, at));
                at += 2;
            } else {
                r = make_room(out, 1);
                if (r == 0)
                    out->data[out->size++] = bytes_u8(in, at++);
            }
            if (r < 0)
                return r;
        }
    }
    return 0;
}

/* One chunk; @at is moved behind it. */
static int
read_chunk(struct bytes in, size_t *at, struct output *out)
{
    if (!bytes_has(in, *at, 2))
        return -EBADMSG;
    const unsigned head = bytes_le16(in, *at);
    const size_t size = (head & 0xfff) + 3;
    if ((head >> 12 & 7) != 3)
        return -EBADMSG;
    struct bytes rest = bytes_from(in, *at + 2);
    if (head & 0x8000) {
        size_t end = in.size - *at < size ? in.size : *at + size;
        size_t from = *at + 2;
        *at = end;
        return read_tokens(in, from, end, out);
    }
    if (size != RAW_SIZE + 2)
        return -EBADMSG;
    size_t n = rest.size < RAW_SIZE ? rest.size : RAW_SIZE;
    int r = make_room(out, n);
    if (r == 0 && n > 0) {
        memcpy(out->data + out->size, rest.data, n);
        out->size += n;
    }
    *at += 2 + n;
    return r;
}

int
ovba_decompress(struct bytes in, size_t most, unsigned char **data, size_t *size,
                bool *whole)
{
    struct output out = {.room = 4096, .most = most};
    size_t at = 1;
    int r = bytes_u8(in, 0) == MARK ? 0 : -EBADMSG;
    out.data = malloc(out.room);
    if (!out.data)
        return -ENOMEM;
    while (r == 0 && at < in.size)
        r = read_chunk(in, &at, &out);
    if (r == -ENOMEM) {
        free(out.data);
        return r;
    }
    *data = out.data;
    *size = out.size;
    if (whole)
        *whole = r == 0;
    return 0;
}
