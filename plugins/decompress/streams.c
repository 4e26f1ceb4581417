/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zlib and LZMA streams within other formats, into the sink. The output buffer is a
 * block on the stack; LZMA's dictionary is bounded. Called by the readers; no state.
 */

#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>

#include "forms.h"

#define BLOCK          16384U
#define LZMA_MEMORY    ((uint64_t)128 << 20)
#define DICTIONARY_MAX ((uint64_t)100 << 20)
#define LZMA_HEADER    13U

const char *
stoq_inflate(struct stoq_sink *s, struct bytes in, int window, size_t *used)
{
    unsigned char block[BLOCK];
    z_stream z = {.next_in = in.data,
                  .avail_in = in.size < UINT32_MAX ? (unsigned)in.size : UINT32_MAX};
    if (inflateInit2(&z, window) != Z_OK) {
        s->error = -ENOMEM;
        return NULL;
    }
    int r = Z_OK;
    while (r == Z_OK && s->error == 0) {
        z.next_out = block;
        z.avail_out = BLOCK;
        r = inflate(&z, Z_NO_FLUSH);
        (void)stoq_sink_put(s, block, BLOCK - z.avail_out);
    }
    if (used)
        *used = in.size - z.avail_in;
    (void)inflateEnd(&z);
    if (r == Z_MEM_ERROR)
        s->error = -ENOMEM;
    if (r == Z_STREAM_END)
        return NULL;
    return r == Z_BUF_ERROR ? "truncated" : "damaged data";
}

/* @p size bytes, or when it is UINT64_MAX, what comes. */
static const char *
decode(struct stoq_sink *s, lzma_stream *z, uint64_t size)
{
    unsigned char block[BLOCK];
    while (s->size < size && s->error == 0) {
        const uint64_t left = size - s->size;
        z->next_out = block;
        z->avail_out = left < BLOCK ? (size_t)left : BLOCK;
        const size_t room = z->avail_out;
        const lzma_ret r = lzma_code(z, LZMA_RUN);
        (void)stoq_sink_put(s, block, room - z->avail_out);
        if (r == LZMA_STREAM_END)
            return size == UINT64_MAX || s->size == size ? NULL : "sizes differ";
        if (r == LZMA_BUF_ERROR)
            return "truncated";
        if (r != LZMA_OK) {
            if (r == LZMA_MEM_ERROR)
                s->error = -ENOMEM;
            return "damaged data";
        }
    }
    return NULL;
}

const char *
stoq_unlzma(struct stoq_sink *s, const unsigned char properties[5], struct bytes in,
            uint64_t size)
{
    lzma_filter filters[2] = {{.id = LZMA_FILTER_LZMA1}, {.id = LZMA_VLI_UNKNOWN}};
    if (lzma_properties_decode(&filters[0], NULL, properties, 5) != LZMA_OK)
        return "damaged data";
    const char *why = "its dictionary is too large";
    if (lzma_raw_decoder_memusage(filters) <= LZMA_MEMORY) {
        lzma_stream z = LZMA_STREAM_INIT;
        z.next_in = in.data;
        z.avail_in = in.size;
        why = lzma_raw_decoder(&z, filters) == LZMA_OK ? decode(s, &z, size)
                                                       : "damaged data";
        lzma_end(&z);
    }
    free(filters[0].options);
    return why;
}

int
stoq_lzma_read(struct stoq_sink *s)
{
    const struct bytes data = {s->x->data, s->x->size};
    unsigned char properties[5] = {bytes_u8(data, 0)};
    const char *why = "truncated";
    /* No distance is larger than what was made before: nor need the dictionary be,
     * whatever the header asks for. */
    uint64_t dictionary = bytes_le32(data, 1);
    if (dictionary > s->x->in->maximum_size)
        dictionary = s->x->in->maximum_size;
    if (dictionary > DICTIONARY_MAX)
        dictionary = DICTIONARY_MAX;
    for (unsigned i = 0; i < 4; i++)
        properties[1 + i] = (unsigned char)(dictionary >> 8 * i);
    stoq_sink_begin(s);
    if (data.size > LZMA_HEADER)
        why = stoq_unlzma(s, properties, bytes_from(data, LZMA_HEADER),
                          bytes_le64(data, 5));
    return stoq_sink_end(s, NULL, 0, why);
}
