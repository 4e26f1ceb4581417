/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A member's bytes, unpacked under the rules of Python's zipfile: names in both headers
 * must agree, members must not overlap, and the checksum must be right. The buffer
 * grows with what arrives, up to maximum_size; the deadline is looked at between
 * blocks. Called by entry.c; no state.
 */

#include <errno.h>
#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>
#ifdef XYZ_HAVE_BZIP2
#include <bzlib.h>
#endif
#ifdef XYZ_HAVE_LZMA
#include <lzma.h>
#endif

#include "parts.h"

#define BLOCK ((size_t)64 * 1024)
/* A stream is read on beyond what the entry claims, for damage there counts. */
#define REST_SIZE   4096U
#define RESTS_MAX   64U
#define LZMA_MEMORY ((uint64_t)128 << 20)

enum state {
    READ_MORE,
    READ_END,   /* of the stream, of its input, or of what the entry claims */
    READ_BAD,   /* damaged */
    READ_LARGE, /* more than maximum_size, or takes too much memory */
    READ_NO_MEMORY
};

/* Where unpacked bytes go. */
struct sink {
    struct xyz_run *run;
    unsigned char *data;
    size_t size, room;
    uint64_t claimed; /* bytes after it are cut off */
    unsigned char rest[REST_SIZE];
    unsigned rests; /* how often something was put there */
};

/* Room for at least one byte more, or why there is not. */
static enum state
make_room(struct sink *s)
{
    const uint64_t maximum = s->run->in->maximum_size;
    if (s->size >= s->claimed)
        return s->rests++ < RESTS_MAX ? READ_MORE : READ_END;
    if (s->size >= maximum)
        return READ_LARGE;
    if (xyz_late(s->run))
        return READ_LARGE;
    if (s->size < s->room)
        return READ_MORE;
    uint64_t room = s->room ? 2 * (uint64_t)s->room : BLOCK;
    if (room > s->claimed)
        room = s->claimed;
    if (room > maximum)
        room = maximum;
    unsigned char *data = realloc(s->data, (size_t)room);
    if (!data)
        return READ_NO_MEMORY;
    s->data = data;
    s->room = (size_t)room;
    return READ_MORE;
}

static unsigned char *
next_out(struct sink *s)
{
    return s->size < s->claimed ? s->data + s->size : s->rest;
}

static unsigned
free_room(const struct sink *s)
{
    if (s->size >= s->claimed)
        return REST_SIZE;
    const size_t room = s->room - s->size;
    return (unsigned)(room < BLOCK ? room : BLOCK);
}

/* @p n bytes were put at next_out(). */
static void
advance(struct sink *s, size_t n)
{
    if (s->size < s->claimed)
        s->size += n;
}

/* zlib takes no more than 32 bits at a time; no payload here is that long. */
static unsigned
input_size(struct bytes b)
{
    return b.size < UINT32_MAX ? (unsigned)b.size : UINT32_MAX;
}

static enum state
read_stored(struct bytes packed, struct sink *s)
{
    while (s->size < packed.size && s->size < s->claimed) {
        const enum state state = make_room(s);
        if (state != READ_MORE)
            return state;
        const size_t left = packed.size - s->size;
        const size_t n = left < free_room(s) ? left : free_room(s);
        memcpy(next_out(s), packed.data + s->size, n);
        advance(s, n);
    }
    return READ_END;
}

static enum state
read_deflated(struct bytes packed, struct sink *s)
{
    z_stream z = {.next_in = packed.data, .avail_in = input_size(packed)};
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
        return READ_NO_MEMORY;
    enum state state;
    while ((state = make_room(s)) == READ_MORE) {
        z.next_out = next_out(s);
        z.avail_out = free_room(s);
        const unsigned before = z.avail_out;
        const int r = inflate(&z, Z_NO_FLUSH);
        advance(s, before - z.avail_out);
        if (r == Z_STREAM_END || r == Z_BUF_ERROR ||
            (r == Z_OK && z.avail_in == 0 && z.avail_out > 0)) {
            state = READ_END;
            break;
        }
        if (r != Z_OK) {
            state = r == Z_MEM_ERROR ? READ_NO_MEMORY : READ_BAD;
            break;
        }
    }
    (void)inflateEnd(&z);
    return state;
}

#ifdef XYZ_HAVE_BZIP2
static enum state
read_bzip2(struct bytes packed, struct sink *s)
{
    bz_stream z = {.next_in = (char *)(uintptr_t)packed.data,
                   .avail_in = input_size(packed)};
    if (BZ2_bzDecompressInit(&z, 0, 0) != BZ_OK)
        return READ_NO_MEMORY;
    enum state state;
    while ((state = make_room(s)) == READ_MORE) {
        z.next_out = (char *)next_out(s);
        z.avail_out = free_room(s);
        const unsigned before = z.avail_out;
        const int r = BZ2_bzDecompress(&z);
        advance(s, before - z.avail_out);
        if (r == BZ_STREAM_END || (r == BZ_OK && z.avail_in == 0 && z.avail_out > 0)) {
            state = READ_END;
            break;
        }
        if (r != BZ_OK) {
            state = r == BZ_MEM_ERROR ? READ_NO_MEMORY : READ_BAD;
            break;
        }
    }
    (void)BZ2_bzDecompressEnd(&z);
    return state;
}
#endif

#ifdef XYZ_HAVE_LZMA
static enum state
decode_lzma(lzma_stream *z, struct sink *s)
{
    enum state state;
    while ((state = make_room(s)) == READ_MORE) {
        z->next_out = next_out(s);
        z->avail_out = free_room(s);
        const size_t before = z->avail_out;
        const lzma_ret r = lzma_code(z, LZMA_RUN);
        advance(s, before - z->avail_out);
        if (r == LZMA_STREAM_END || r == LZMA_BUF_ERROR ||
            (r == LZMA_OK && z->avail_in == 0 && z->avail_out > 0))
            return READ_END;
        if (r != LZMA_OK)
            return r == LZMA_MEM_ERROR ? READ_NO_MEMORY : READ_BAD;
    }
    return state;
}

/* Two bytes of version, the size of the properties, those, and a raw stream. */
static enum state
read_lzma(struct bytes packed, struct sink *s)
{
    const uint16_t size = bytes_le16(packed, 2);
    struct bytes properties = bytes_at(packed, 4, size);
    if (properties.size == 0)
        return packed.size < 4U + size ? READ_END : READ_BAD;
    lzma_filter filters[2] = {{.id = LZMA_FILTER_LZMA1}, {.id = LZMA_VLI_UNKNOWN}};
    if (lzma_properties_decode(&filters[0], NULL, properties.data, properties.size) !=
        LZMA_OK)
        return READ_BAD;
    enum state state = READ_LARGE;
    if (lzma_raw_decoder_memusage(filters) <= LZMA_MEMORY) {
        lzma_stream z = LZMA_STREAM_INIT;
        struct bytes rest = bytes_from(packed, 4U + size);
        z.next_in = rest.data;
        z.avail_in = rest.size;
        state = lzma_raw_decoder(&z, filters) == LZMA_OK ? decode_lzma(&z, s)
                                                         : READ_NO_MEMORY;
        lzma_end(&z);
    }
    free(filters[0].options);
    return state;
}
#endif

static enum state
read_packed(unsigned method, struct bytes packed, struct sink *s)
{
    switch (method) {
    case XYZ_STORED:
        return read_stored(packed, s);
    case XYZ_DEFLATED:
        return read_deflated(packed, s);
#ifdef XYZ_HAVE_BZIP2
    case XYZ_BZIP2:
        return read_bzip2(packed, s);
#endif
#ifdef XYZ_HAVE_LZMA
    case XYZ_LZMA:
        return read_lzma(packed, s);
#endif
    default:
        return READ_BAD;
    }
}

static bool
method_known(unsigned method)
{
    switch (method) {
    case XYZ_STORED:
    case XYZ_DEFLATED:
#ifdef XYZ_HAVE_BZIP2
    case XYZ_BZIP2:
#endif
#ifdef XYZ_HAVE_LZMA
    case XYZ_LZMA:
#endif
        return true;
    default:
        return false;
    }
}

/* Whether both headers give one name. @return 1, 0 or -ENOMEM. */
static int
same_name(struct bytes raw, unsigned flags, const struct xyz_text *name)
{
    struct xyz_text text;
    bool lossless;
    if (xyz_text_decode(raw, flags & XYZ_UTF8, &text, &lossless) < 0)
        return -ENOMEM;
    const bool same = lossless && text.size == name->size &&
                      memcmp(text.data, name->data, text.size) == 0;
    free(text.data);
    return same;
}

/* The member's packed bytes; else what is wrong in @p error. @return 0 or -ENOMEM. */
static int
locate(const struct xyz_zip *zip, const struct xyz_entry *e, struct bytes *packed,
       const char **error)
{
    struct bytes header = {0};
    if (e->offset >= 0)
        header = bytes_at(zip->data, (uint64_t)e->offset, XYZ_LOCAL_SIZE);
    *error = "truncated local header";
    if (header.size == 0)
        return 0;
    *error = "no local header where the directory says";
    if (!bytes_are(header, 0, "PK\x03\x04", 4))
        return 0;
    *error = "patched data or strong encryption";
    if (e->flags & (XYZ_PATCHED | XYZ_STRONG))
        return 0;
    const uint64_t name_at = (uint64_t)e->offset + XYZ_LOCAL_SIZE;
    const uint16_t name_len = bytes_le16(header, 26);
    const int same = same_name(bytes_at(zip->data, name_at, name_len),
                               bytes_le16(header, 6), &e->name);
    if (same < 0)
        return same;
    *error = "the directory and the local header differ in the name";
    if (!same)
        return 0;
    const uint64_t at = name_at + name_len + bytes_le16(header, 28);
    *error = "overlaps another entry";
    if (e->next < 0 || at > (uint64_t)e->next || e->c_size > (uint64_t)e->next - at)
        return 0;
    *error = "compression method not supported";
    if (!method_known(e->method))
        return 0;
    *packed = bytes_at(zip->data, at, e->c_size);
    *error = "";
    return 0;
}

int
xyz_member_read(struct xyz_run *run, const struct xyz_entry *e, struct xyz_member *out)
{
    struct bytes packed = {0};
    *out = (struct xyz_member){.error = ""};
    if (locate(&run->zip, e, &packed, &out->error) < 0)
        return -ENOMEM;
    if (out->error[0])
        return 0;
    struct sink sink = {.run = run, .claimed = e->u_size};
    enum state state = read_packed(e->method, packed, &sink);
    if (state == READ_END) {
        out->crc = (uint32_t)crc32(0, sink.data,
                                   input_size((struct bytes){sink.data, sink.size}));
        if (out->crc != e->crc)
            state = READ_BAD;
    }
    if (state != READ_END)
        free(sink.data);
    switch (state) {
    case READ_END:
        out->done = true;
        out->data = sink.data;
        out->size = sink.size;
        return 0;
    case READ_LARGE:
        if (!run->late)
            stoq_reply_limit(run->reply, "maximum_size", sink.size);
        return 0;
    case READ_NO_MEMORY:
        return -ENOMEM;
    case READ_BAD:
    case READ_MORE:
    default:
        out->crc = 0;
        out->error = "damaged data or a wrong checksum";
        return 0;
    }
}
