/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Installation files of Symbian up to release 8 (SIS): a table of files, each for every
 * language, stored or as a zlib stream. After the public description of the EPOC
 * release 6 format. Counts are of 16 bits; every record moves on. Called by forms.c; no
 * state.
 */

#include <errno.h>

#include "forms.h"

#define HEADER    0x44U
#define STORED    0x0008U
#define NAME_SIZE 512U

/* A name in UTF-16 as far as it is Latin-1; other letters become '_'. */
static size_t
plain_name(struct bytes name, char text[NAME_SIZE])
{
    size_t n = 0;
    for (size_t i = 0; i + 1 < name.size && n < NAME_SIZE; i += 2) {
        const uint16_t c = bytes_le16(name, i);
        text[n++] = c >= 0x20 && c < 0x7f ? (char)c : '_';
    }
    return n;
}

static int
read_file(struct stoq_sink *s, struct bytes data, uint64_t length_at,
          uint64_t offset_at, struct bytes name)
{
    char text[NAME_SIZE];
    const size_t n = plain_name(name, text);
    const uint32_t length = bytes_le32(data, length_at);
    struct bytes rest = bytes_from(data, bytes_le32(data, offset_at));
    struct bytes packed = bytes_at(rest, 0, length < rest.size ? length : rest.size);
    const char *why = NULL;
    stoq_sink_begin(s);
    if (bytes_le16(data, 0x24) & STORED)
        (void)stoq_sink_put(s, packed.data, packed.size);
    else
        why = stoq_inflate(s, packed, 15, NULL);
    if (packed.size < length)
        why = "truncated";
    return stoq_sink_end(s, text, n, why);
}

int
stoq_sis_read(struct stoq_sink *s)
{
    const struct bytes data = {s->x->data, s->x->size};
    const unsigned languages = bytes_le16(data, 0x12), files = bytes_le16(data, 0x14);
    uint64_t at = bytes_le32(data, 0x34);
    if (!bytes_has(data, 0, HEADER) || languages == 0 || languages > 256) {
        stoq_sink_broken(s, "damaged SIS header");
        return 0;
    }
    for (unsigned i = 0; i < files && !s->stop; i++) {
        const uint32_t type = bytes_le32(data, at);
        if (!bytes_has(data, at, 28) || type > 6 || type == 2) {
            stoq_sink_broken(s, "damaged SIS record");
            return 0;
        }
        if (type > 1) { /* conditions */
            at += type <= 4 ? 8 + (uint64_t)bytes_le32(data, at + 4) : 4;
            continue;
        }
        const unsigned versions = type == 1 ? languages : 1;
        struct bytes name =
            bytes_at(data, bytes_le32(data, at + 16), bytes_le32(data, at + 12));
        for (unsigned v = 0; v < versions && !s->stop; v++) {
            const uint64_t length_at = at + 28 + 4 * (uint64_t)v;
            const int r =
                read_file(s, data, length_at, length_at + 4 * (uint64_t)versions, name);
            if (r < 0)
                return r;
        }
        at += 28 + 12 * (uint64_t)versions + 8;
    }
    return 0;
}
