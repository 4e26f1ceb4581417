/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Installers of Nullsoft (NSIS 2 and 3) that use zlib or LZMA: a header with the
 * script, then the files, all in one stream or each in its own. Names come from the
 * script's instructions that extract files. After the public description of the format
 * by 7-Zip's and NSIS's documentation. Called by forms.c; no state.
 */

#include <errno.h>

#include "forms.h"

#define FIRST_HEADER  28U
#define PACKED        0x80000000U
#define ENTRY         28U
#define EXTRACT_FILE  20U
#define BLOCK_ENTRIES 2U
#define BLOCK_STRINGS 3U
#define NAME_ROOM     256U

struct nsis {
    struct bytes header; /* unpacked */
    struct bytes files;  /* what follows it; unpacked when solid */
    bool solid;
};

/* ------------------------------------------------------------------------- names */

/* The string at @p at of the header's table, of 8- or 16-bit letters; codes for
 * variables are left out. */
static size_t
read_string(const struct nsis *n, uint32_t at, char name[NAME_ROOM])
{
    const uint64_t strings = bytes_le32(n->header, 4 + 8 * BLOCK_STRINGS);
    const bool wide = bytes_le16(n->header, strings) == 0; /* the table starts empty */
    size_t used = 0;
    for (uint64_t i = 0; used < NAME_ROOM; i++) {
        const uint64_t place = strings + (at + i) * (wide ? 2U : 1U);
        const unsigned c =
            wide ? bytes_le16(n->header, place) : bytes_u8(n->header, place);
        if (c == 0)
            break;
        if (c >= 0x20 && c < 0x7f)
            name[used++] = (char)c;
    }
    return used;
}

/* The name of the file whose data is at @p offset. */
static size_t
find_name(struct stoq_sink *s, const struct nsis *n, uint64_t offset,
          char name[NAME_ROOM])
{
    const uint64_t at = bytes_le32(n->header, 4 + 8 * BLOCK_ENTRIES);
    const uint32_t count = bytes_le32(n->header, 8 + 8 * BLOCK_ENTRIES);
    for (uint64_t i = 0; i < count && stoq_sink_time(s); i++) {
        const uint64_t entry = at + i * ENTRY;
        if (!bytes_has(n->header, entry, ENTRY))
            break;
        if (bytes_le32(n->header, entry) == EXTRACT_FILE &&
            bytes_le32(n->header, entry + 12) == offset)
            return read_string(n, bytes_le32(n->header, entry + 8), name);
    }
    return 0;
}

/* ----------------------------------------------------------------------- streams */

/* Unpack one stream, of which kind it looks. */
static const char *
unpack(struct stoq_sink *s, struct bytes in, uint64_t size)
{
    if (bytes_u8(in, 0) <= 1 && bytes_are(in, 1, "\x5d\0\0", 3))
        in = bytes_from(in, 1); /* a byte that says whether there is a filter */
    if (bytes_are(in, 0, "\x5d\0\0", 3) && in.size > 5)
        return stoq_unlzma(s, in.data, bytes_from(in, 5), size);
    if (bytes_u8(in, 0) == '1' && bytes_u8(in, 1) < 14)
        return "packed by bzip2, which is not read here";
    return stoq_inflate(s, in, -15, NULL);
}

static int
read_file(struct stoq_sink *s, const struct nsis *n, uint64_t at, uint32_t size)
{
    char name[NAME_ROOM];
    struct bytes rest = bytes_from(n->files, at + 4);
    const uint32_t length = size & ~PACKED;
    struct bytes data = bytes_at(rest, 0, length < rest.size ? length : rest.size);
    const char *why = NULL;
    stoq_sink_begin(s);
    const size_t named = find_name(s, n, at, name);
    if (size & PACKED && !n->solid)
        why = unpack(s, data, UINT64_MAX);
    else
        (void)stoq_sink_put(s, data.data, data.size);
    if (data.size < length)
        why = "truncated";
    return stoq_sink_end(s, name, named, why);
}

static int
read_files(struct stoq_sink *s, const struct nsis *n)
{
    /* the last four bytes are a checksum, unless there is none */
    for (uint64_t at = 0; bytes_has(n->files, at, 5) && !s->stop;) {
        const uint32_t size = bytes_le32(n->files, at);
        const int r = read_file(s, n, at, size);
        if (r < 0)
            return r;
        at += 4 + (uint64_t)(size & ~PACKED);
    }
    return 0;
}

/* @p data is all that follows the first header; the script has @p size bytes. */
static int
read_installer(struct stoq_sink *s, struct bytes data, uint32_t size)
{
    struct stoq_sink script;
    struct nsis n = {.solid = false};
    const uint32_t first = bytes_le32(data, 0);
    const char *why = NULL;
    stoq_sink_init(&script, s->x);
    if (first == size) { /* nothing is packed */
        n.header = bytes_at(data, 4, size);
        n.files = bytes_from(data, 4 + (uint64_t)size);
    } else if (first & PACKED && bytes_has(data, 4, first & ~PACKED)) {
        why = unpack(&script, bytes_at(data, 4, first & ~PACKED), size);
        n.header = (struct bytes){script.data, script.size};
        n.files = bytes_from(data, 4 + (uint64_t)(first & ~PACKED));
    } else {
        n.solid = true;
        why = unpack(&script, data, UINT64_MAX);
        const struct bytes all = {script.data, script.size};
        if (bytes_le32(all, 0) == size) {
            why = NULL; /* a checksum may follow */
            n.header = bytes_at(all, 4, size);
            n.files = bytes_from(all, 4 + (uint64_t)size);
        }
    }
    int r = 0;
    s->error = script.error;
    if (why || s->error != 0)
        stoq_sink_broken(s, why ? why : "damaged installer");
    else
        r = read_files(s, &n);
    stoq_sink_fini(&script);
    return r;
}

int
stoq_nsis_read(struct stoq_sink *s)
{
    static const char mark[] = "\xef\xbe\xad\xdeNullsoftInst";
    const struct bytes data = {s->x->data, s->x->size};
    for (size_t at = 0; (at = bytes_find(data, at, mark, sizeof mark - 1)) != SIZE_MAX;
         at++) {
        if (at < 4 || (at - 4) % 512 != 0)
            continue;
        const uint64_t first = at - 4;
        const uint32_t size = bytes_le32(data, first + 20);
        const uint32_t all = bytes_le32(data, first + 24);
        struct bytes rest = bytes_from(data, first + FIRST_HEADER);
        const uint64_t length = all > FIRST_HEADER ? all - FIRST_HEADER : 0;
        return read_installer(
            s, bytes_at(rest, 0, length < rest.size ? length : rest.size), size);
    }
    return 0;
}
