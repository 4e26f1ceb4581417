/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two compressions of SWF files (SWF File Format Specification 19, "The SWF
 * header"): zlib, and LZMA as five bytes of properties and a raw stream. The buffer
 * grows with what comes out, never by a size that a header names.
 */

#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>

#include "parts.h"

#define BLOCK ((size_t)64 << 10)
/* What a try costs that comes to nothing: setting up a decoder. */
#define TRY_COST        ((uint64_t)4096)
#define LZMA_PROPERTIES ((size_t)5)
/* The dictionary is allocated as the header says, up to here. */
#define DICTIONARY_MAX ((uint32_t)64 << 20)

enum swf_outcome
swf_append(struct swf_output *out, const void *data, size_t size)
{
    if (size == 0)
        return SWF_OK;
    if (out->used > out->most || size > out->most - out->used)
        return SWF_NO_ROOM;
    size_t need = out->used + size;
    if (need > out->room) {
        size_t room = out->room ? out->room : BLOCK;
        while (room < need)
            room = room <= SIZE_MAX / 2 ? room * 2 : need;
        unsigned char *bigger = realloc(out->data, room);
        if (!bigger)
            return SWF_NO_MEMORY;
        out->data = bigger;
        out->room = room;
    }
    memcpy(out->data + out->used, data, size);
    out->used = need;
    return SWF_OK;
}

static bool
pay(struct swf_output *out, uint64_t cost)
{
    bool enough = cost <= out->work;
    out->work -= enough ? cost : out->work;
    return enough;
}

/* Bytes of a file that came out after @before others. More than are expected are not
 * kept: they are counted, for only the end tells whether the stream is sound. */
static enum swf_outcome
keep(struct swf_output *out, const unsigned char *block, size_t size, uint64_t before,
     uint64_t expected)
{
    if (!pay(out, size))
        return SWF_NO_WORK;
    uint64_t wanted = before < expected ? expected - before : 0;
    if (expected == SWF_NO_SIZE)
        return SWF_OK;
    return swf_append(out, block, size < wanted ? size : (size_t)wanted);
}

static enum swf_outcome
inflate_all(z_stream *z, uint64_t expected, struct swf_output *out)
{
    unsigned char block[BLOCK];
    uint64_t total = 0;
    for (;;) {
        z->next_out = block;
        z->avail_out = BLOCK;
        int r = inflate(z, Z_NO_FLUSH);
        if (r == Z_MEM_ERROR)
            return SWF_NO_MEMORY;
        size_t n = BLOCK - z->avail_out;
        enum swf_outcome kept = keep(out, block, n, total, expected);
        if (kept != SWF_OK)
            return kept;
        total += n;
        if (r == Z_STREAM_END)
            return total == expected ? SWF_OK : SWF_OTHER_SIZE;
        if (r != Z_OK)
            return SWF_BROKEN; /* Z_BUF_ERROR too: all input was there */
    }
}

enum swf_outcome
swf_inflate(struct bytes in, uint64_t expected, struct swf_output *out)
{
    unsigned head = bytes_be16(in, 0);
    /* deflate, a window it can have, no preset dictionary, and the check of the header:
     * most of what only looks like a file ends here, at no cost */
    if (in.size < 2 || (head >> 8 & 0xf) != Z_DEFLATED || head >> 12 > 7 ||
        (head & 0x20) != 0 || head % 31 != 0)
        return SWF_BROKEN;
    if (!pay(out, TRY_COST))
        return SWF_NO_WORK;
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)in.data,
                  .avail_in = in.size < UINT32_MAX ? (uInt)in.size : UINT32_MAX};
    int r = inflateInit(&z);
    if (r != Z_OK)
        return SWF_NO_MEMORY;
    enum swf_outcome outcome = inflate_all(&z, expected, out);
    (void)inflateEnd(&z);
    return outcome;
}

static enum swf_outcome
unlzma_all(lzma_stream *s, uint64_t expected, struct swf_output *out)
{
    unsigned char block[BLOCK];
    uint64_t total = 0;
    for (;;) {
        s->next_out = block;
        s->avail_out = BLOCK;
        lzma_ret r = lzma_code(s, LZMA_RUN);
        if (r == LZMA_MEM_ERROR)
            return SWF_NO_MEMORY;
        size_t n = BLOCK - s->avail_out;
        enum swf_outcome kept = keep(out, block, n, total, expected);
        if (kept != SWF_OK)
            return kept;
        total += n;
        if (r == LZMA_STREAM_END)
            return total == expected ? SWF_OK : SWF_OTHER_SIZE;
        /* without an end mark, what follows the file is decoded too until it fails */
        if (r != LZMA_OK || (n == 0 && s->avail_in == 0))
            return total >= expected ? SWF_OK : SWF_BROKEN;
    }
}

enum swf_outcome
swf_unlzma(struct bytes in, uint64_t expected, struct swf_output *out)
{
    lzma_filter filters[] = {{.id = LZMA_FILTER_LZMA1}, {.id = LZMA_VLI_UNKNOWN}};
    /* 225: the first that says no lc, lp and pb */
    if (in.size <= LZMA_PROPERTIES || in.data[0] >= 225)
        return SWF_BROKEN;
    if (!pay(out, TRY_COST))
        return SWF_NO_WORK;
    if (lzma_properties_decode(&filters[0], NULL, in.data, LZMA_PROPERTIES) != LZMA_OK)
        return SWF_BROKEN;
    lzma_options_lzma *options = filters[0].options;
    /* more than what comes out is never looked back at */
    if (options->dict_size > expected)
        options->dict_size = (uint32_t)expected;
    if (options->dict_size > DICTIONARY_MAX)
        options->dict_size = DICTIONARY_MAX;
    lzma_stream s = LZMA_STREAM_INIT;
    lzma_ret r = lzma_raw_decoder(&s, filters);
    enum swf_outcome outcome = r == LZMA_MEM_ERROR ? SWF_NO_MEMORY : SWF_BROKEN;
    if (r == LZMA_OK) {
        s.next_in = in.data + LZMA_PROPERTIES;
        s.avail_in = in.size - LZMA_PROPERTIES;
        outcome = unlzma_all(&s, expected, out);
    }
    lzma_end(&s);
    free(options);
    return outcome;
}
