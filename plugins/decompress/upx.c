/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows programs packed by UPX. What it unpacks to is laid out as the program was,
 * with the original headers, which UPX keeps behind the image; imports and relocations
 * are not put back, for they are not needed to look at it. After the UPX manual's and
 * public descriptions of the pack header. Called by forms.c; no state.
 */

#include <errno.h>
#include <stdlib.h>

#include "forms.h"

#define HEADER      32U
#define METHOD_LZMA 14U
#define SECTION     40U
#define SECTIONS    96U
#define PE_HEADERS  0x1000U /* where the pack header may be */

/* What the packed file says. */
struct upx {
    struct bytes file;
    uint64_t pe;     /* offset of its PE header */
    uint32_t base;   /* address of the first byte of the image */
    uint64_t packed; /* offset */
    uint32_t u_len, c_len;
    uint8_t method, filter, cto;
};

static bool
find_sections(struct upx *u)
{
    u->pe = bytes_le32(u->file, 0x3c);
    if (!bytes_are(u->file, u->pe, "PE\0\0", 4) || bytes_le16(u->file, u->pe + 6) < 2)
        return false;
    const uint64_t table = u->pe + 24 + bytes_le16(u->file, u->pe + 20);
    if (!bytes_has(u->file, table, 2 * SECTION))
        return false;
    u->base = bytes_le32(u->file, table + 12);
    u->packed = bytes_le32(u->file, table + SECTION + 20);
    return true;
}

static bool
find_header(struct upx *u)
{
    struct bytes head =
        bytes_at(u->file, 0, u->file.size < PE_HEADERS ? u->file.size : PE_HEADERS);
    for (size_t at = 0; (at = bytes_find(head, at, "UPX!", 4)) != SIZE_MAX; at += 4) {
        struct bytes h = bytes_at(u->file, at, HEADER);
        if (h.size == 0)
            return false;
        u->method = bytes_u8(h, 6);
        u->u_len = bytes_le32(h, 16);
        u->c_len = bytes_le32(h, 20);
        u->filter = bytes_u8(h, 28);
        u->cto = bytes_u8(h, 29);
        const bool known =
            (u->method >= 2 && u->method <= 10) || u->method == METHOD_LZMA;
        if (known && u->u_len > 0 && bytes_has(u->file, u->packed, u->c_len))
            return true;
    }
    return false;
}

/* UPX's LZMA: two bytes with the three parameters, then the stream. */
static const char *
decode_lzma(struct stoq_sink *s, struct bytes in, uint32_t size)
{
    const unsigned pb = bytes_u8(in, 0) & 7, lp = bytes_u8(in, 1) >> 4,
                   lc = bytes_u8(in, 1) & 0xf;
    if (in.size < 2 || pb > 4 || lp > 4 || lc > 8)
        return "damaged data";
    unsigned char properties[5] = {(unsigned char)((pb * 5 + lp) * 9 + lc)};
    for (unsigned i = 0; i < 4; i++)
        properties[1 + i] = (unsigned char)(size >> 8 * i);
    return stoq_unlzma(s, properties, bytes_from(in, 2), size);
}

/* Calls and jumps were made absolute: make them relative again. */
static void
unfilter(unsigned char *code, size_t size, uint32_t start, unsigned cto)
{
    for (size_t i = 0; i + 5 <= size; i++) {
        if ((code[i] != 0xe8 && code[i] != 0xe9) || code[i + 1] != cto)
            continue;
        uint32_t to =
            ((uint32_t)code[i + 2] << 16 | (uint32_t)code[i + 3] << 8 | code[i + 4]) -
            (uint32_t)i - 1 - start;
        for (unsigned k = 0; k < 4; k++, to >>= 8)
            code[i + 1 + k] = (unsigned char)to;
        i += 4;
    }
}

/* The original headers, behind the image: their offset in it, or 0. */
static uint64_t
original_headers(struct bytes image)
{
    if (image.size < 4)
        return 0;
    const uint64_t at = bytes_le32(image, image.size - 4);
    if (!bytes_are(image, at, "PE\0\0", 4))
        return 0;
    const uint64_t table = at + 24 + bytes_le16(image, at + 20);
    const unsigned n = bytes_le16(image, at + 6);
    return n > 0 && n <= SECTIONS && bytes_has(image, table, (uint64_t)n * SECTION) ? at
                                                                                    : 0;
}

/* Zeros up to @p size. */
static bool
pad(struct stoq_sink *s, uint64_t size)
{
    static const unsigned char zeros[4096];
    while (s->size < size) {
        const uint64_t n = size - s->size;
        if (!stoq_sink_put(s, zeros, n < sizeof zeros ? (size_t)n : sizeof zeros))
            return false;
    }
    return true;
}

/* Put the image's sections where the original headers at @p at want them. */
static void
lay_out(struct stoq_sink *s, const struct upx *u, struct bytes image, uint64_t at)
{
    const unsigned n = bytes_le16(image, at + 6);
    const uint64_t table = at + 24 + bytes_le16(image, at + 20);
    const uint64_t headers = table + (uint64_t)n * SECTION - at;
    struct bytes stub = bytes_at(u->file, 0, u->pe);
    (void)stoq_sink_put(s, stub.data, stub.size);
    struct bytes kept = bytes_at(image, at, headers);
    (void)stoq_sink_put(s, kept.data, kept.size);
    for (unsigned i = 0; i < n && s->error == 0; i++) {
        const uint64_t row = table + (uint64_t)i * SECTION;
        const uint32_t address = bytes_le32(image, row + 12);
        const uint32_t size = bytes_le32(image, row + 16);
        const uint32_t place = bytes_le32(image, row + 20);
        if (size == 0 || address < u->base || place < s->size || place > UINT32_MAX / 2)
            continue;
        struct bytes rest = bytes_from(image, address - u->base);
        struct bytes part = bytes_at(rest, 0, size < rest.size ? size : rest.size);
        /* a place far behind all there is, is not believed */
        if (part.size > 0 && place <= s->size + image.size && pad(s, place))
            (void)stoq_sink_put(s, part.data, part.size);
    }
}

static int
emit(struct stoq_sink *s, const struct upx *u, struct stoq_sink *decoded,
     const char *why)
{
    struct bytes image = {decoded->data, decoded->size};
    stoq_sink_begin(s);
    const uint64_t headers = why ? 0 : original_headers(image);
    if (headers > 0) {
        const uint32_t code = bytes_le32(image, headers + 28);
        const uint32_t start = bytes_le32(image, headers + 44) - u->base;
        if (u->filter == 0x26 && bytes_has(image, start, code))
            unfilter(decoded->data + start, code, start, u->cto);
        lay_out(s, u, image, headers);
    } else {
        (void)stoq_sink_put(s, image.data, image.size);
    }
    return stoq_sink_end(s, "unpacked_exe", 12, why);
}

int
stoq_upx_read(struct stoq_sink *s)
{
    struct upx u = {.file = {s->x->data, s->x->size}};
    if (!find_sections(&u) || !find_header(&u))
        return 0;
    struct bytes in = bytes_at(u.file, u.packed, u.c_len);
    struct stoq_sink decoded;
    stoq_sink_init(&decoded, s->x);
    const char *why = u.method == METHOD_LZMA
                          ? decode_lzma(&decoded, in, u.u_len)
                          : stoq_nrv_decode(&decoded, in, u.u_len, u.method);
    int r = 0;
    if (decoded.error != 0)
        r = stoq_sink_end(&decoded, "unpacked_exe", 12, why);
    else
        r = emit(s, &u, &decoded, why);
    s->stop = s->stop || decoded.stop;
    stoq_sink_fini(&decoded);
    return r;
}
