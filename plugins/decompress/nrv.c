/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NRV2B, NRV2D and NRV2E, the compressions of UPX besides LZMA: bytes and matches told
 * apart by single bits, numbers in an interleaved Elias code. After the public
 * description of the UCL formats. Called by upx.c; no state.
 */

#include "forms.h"

enum { NRV2B, NRV2D, NRV2E };

struct nrv {
    struct bytes in;
    uint64_t at;
    uint32_t hold;
    unsigned count, width; /* of the words that bits come in, in bits */
    bool over;
};

static uint32_t
bit(struct nrv *z)
{
    if (z->count == 0) {
        if (!bytes_has(z->in, z->at, z->width / 8))
            z->over = true;
        z->hold = (uint32_t)bytes_number(z->in, z->at, z->width / 8, false);
        z->at += z->width / 8;
        z->count = z->width;
    }
    return z->hold >> --z->count & 1;
}

static uint32_t
byte(struct nrv *z)
{
    if (!bytes_has(z->in, z->at, 1))
        z->over = true;
    return bytes_u8(z->in, z->at++);
}

/* A number of one bit and another that says whether it goes on. */
static uint32_t
number(struct nrv *z, uint32_t from)
{
    do {
        from = from * 2 + bit(z);
    } while (bit(z) == 0 && !z->over);
    return from;
}

static uint32_t
offset_number(struct nrv *z, unsigned kind)
{
    if (kind == NRV2B)
        return number(z, 1);
    uint32_t n = 1;
    for (;;) {
        n = n * 2 + bit(z);
        if (bit(z) == 1 || z->over)
            return n;
        n = (n - 1) * 2 + bit(z);
    }
}

/* The rest of a length whose first bit is @p n (B: none yet). */
static uint32_t
length_number(struct nrv *z, unsigned kind, uint32_t n)
{
    if (kind == NRV2E) {
        if (n != 0)
            return 1 + bit(z);
        return bit(z) == 1 ? 3 + bit(z) : number(z, 1) + 3;
    }
    if (kind == NRV2B)
        n = bit(z);
    n = n * 2 + bit(z);
    return n != 0 ? n : number(z, 1) + 2;
}

/* One match. @return 1, 0 at the end of the stream, -1 when it is damaged. */
static int
match(struct stoq_sink *s, struct nrv *z, unsigned kind, uint32_t *last)
{
    uint32_t offset = offset_number(z, kind), length = 0;
    if (offset == 2) {
        offset = *last;
        if (kind != NRV2B)
            length = bit(z);
    } else {
        offset = (offset - 3) * 256 + byte(z);
        if (offset == UINT32_MAX)
            return 0;
        if (kind != NRV2B) {
            length = ~offset & 1;
            offset >>= 1;
        }
        *last = ++offset;
    }
    length = length_number(z, kind, length);
    length += offset > (kind == NRV2B ? 0xd00U : 0x500U);
    if (z->over || offset == 0 || offset > s->size)
        return -1;
    (void)stoq_sink_copy(s, offset, (size_t)length + 1);
    return 1;
}

const char *
stoq_nrv_decode(struct stoq_sink *s, struct bytes in, uint64_t size, unsigned method)
{
    static const unsigned widths[] = {32, 8, 16};
    const unsigned kind = (method - 2) / 3;
    struct nrv z = {.in = in, .width = widths[(method - 2) % 3]};
    uint32_t last = 1;
    while (s->error == 0 && s->size <= size) {
        while (bit(&z) == 1 && !z.over && stoq_sink_byte(s, byte(&z))) {
        }
        const int r = z.over ? -1 : match(s, &z, kind, &last);
        if (r == 0 && s->size == size)
            return NULL;
        if (r <= 0)
            break;
    }
    return "damaged data";
}
