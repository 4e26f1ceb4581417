/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a package of definitions, triddefs.trd: a RIFF file of the form TRID. After the
 * header of 12 bytes come a chunk with the number of definitions and one with all of
 * them, chunks "DEF ". Each holds DATA, with the chunks PATT and STRN, and INFO, whose
 * entries have sizes of two bytes. Numbers are little endian. The format is that which
 * the program TrID for Python, by TrID's author, reads.
 */

#include <errno.h>

#include "parts.h"

#define HEADER 12
#define CHUNK  8

/* The next chunk of a block; false at its end or where one is cut. */
static bool
next_chunk(struct bytes *block, uint32_t *id, struct bytes *content)
{
    uint64_t size = bytes_le32(*block, 4);

    if (!bytes_has(*block, CHUNK, size))
        return false;
    *id = bytes_be32(*block, 0);
    *content = bytes_at(*block, CHUNK, size);
    *block = bytes_from(*block, CHUNK + size);
    return true;
}

static uint32_t
id_of(const char *text)
{
    return bytes_be32((struct bytes){(const unsigned char *)text, 4}, 0);
}

/* A number of patterns, and for each its place, its size and its bytes. */
static int
read_patterns(struct defs *d, struct definition *def, struct bytes chunk)
{
    unsigned n = bytes_le16(chunk, 0);
    uint64_t at = 2;
    int r = 0;

    for (; r == 0 && n > 0; n--) {
        uint64_t size = bytes_le16(chunk, at + 2);

        if (!bytes_has(chunk, at, 4 + size))
            return -EBADMSG;
        r = defs_pattern(d, def, bytes_le16(chunk, at), bytes_at(chunk, at + 4, size));
        at += 4 + size;
    }
    return r;
}

static int
read_strings(struct defs *d, struct definition *def, struct bytes chunk)
{
    unsigned n = bytes_le16(chunk, 0);
    uint64_t at = 2;
    int r = 0;

    for (; r == 0 && n > 0; n--) {
        uint64_t size = bytes_le32(chunk, at);

        if (!bytes_has(chunk, at, 4 + size))
            return -EBADMSG;
        r = defs_string(d, def, bytes_at(chunk, at + 4, size));
        at += 4 + size;
    }
    return r;
}

static void
read_info(struct definition *def, struct bytes chunk)
{
    for (uint64_t at = 0; bytes_has(chunk, at, 6);) {
        uint32_t id = bytes_be32(chunk, at);
        uint64_t size = bytes_le16(chunk, at + 4);

        if (id == id_of("TYPE"))
            def->type = bytes_at(chunk, at + 6, size);
        else if (id == id_of("EXT "))
            def->ext = bytes_at(chunk, at + 6, size);
        at += 6 + size;
    }
}

static int
read_data(struct defs *d, struct definition *def, struct bytes block)
{
    uint32_t id = 0;
    struct bytes chunk;
    int r = 0;

    while (r == 0 && next_chunk(&block, &id, &chunk)) {
        if (id == id_of("PATT"))
            r = read_patterns(d, def, chunk);
        else if (id == id_of("STRN"))
            r = read_strings(d, def, chunk);
    }
    return r;
}

static int
read_definition(struct defs *d, struct bytes block)
{
    struct definition def;
    uint32_t id = 0;
    struct bytes chunk;
    int r = defs_begin(d, &def);

    while (r == 0 && next_chunk(&block, &id, &chunk)) {
        if (id == id_of("DATA"))
            r = read_data(d, &def, chunk);
        else if (id == id_of("INFO"))
            read_info(&def, chunk);
    }
    return r < 0 ? r : defs_end(d, &def);
}

int
package_read(struct defs *d, struct bytes file)
{
    struct bytes block = bytes_from(file, HEADER), definitions = {0}, chunk;
    uint64_t size = bytes_le32(file, 4);
    uint32_t id = 0, number = 0;

    if (!bytes_are(file, 0, "RIFF", 4) || !bytes_are(file, 8, "TRID", 4) ||
        size + CHUNK != file.size || !next_chunk(&block, &id, &chunk) ||
        chunk.size != 4)
        return -EBADMSG;
    number = bytes_le32(chunk, 0);
    if (!next_chunk(&block, &id, &definitions))
        return -EBADMSG;
    for (int r; number > 0 && definitions.size > 0; number--) {
        if (!next_chunk(&definitions, &id, &chunk))
            return -EBADMSG;
        if (id == id_of("DEF ") && (r = read_definition(d, chunk)) < 0)
            return r;
    }
    return 0;
}
