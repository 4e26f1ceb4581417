/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes of InstallShield's cabinets (ISc), versions 5 and later. The list of files is
 * in another file, so they are told apart here by how the data is cut: into chunks,
 * each a size and a deflate stream of its own, of 32 KiB but the last of a file. Files
 * that are multiples of that come joined. Every chunk moves on. Called by forms.c; no
 * state.
 */

#include <errno.h>

#include "forms.h"

#define CHUNK ((size_t)32768)

int
stoq_iscab_read(struct stoq_sink *s)
{
    const struct bytes data = {s->x->data, s->x->size};
    uint64_t at = bytes_le32(data, 0x14);
    bool begun = false;
    if (bytes_le32(data, 0x10) != 0)
        return 0; /* the list, without data */
    while (bytes_has(data, at, 3) && !s->stop) {
        const uint16_t size = bytes_le16(data, at);
        struct bytes rest = bytes_from(data, at + 2);
        struct bytes chunk = bytes_at(rest, 0, size < rest.size ? size : rest.size);
        if (!begun)
            stoq_sink_begin(s);
        begun = true;
        const size_t before = s->size;
        const char *why = stoq_inflate(s, chunk, -15, NULL);
        at += 2 + (uint64_t)size;
        if (!why && s->error == 0 && s->size - before == CHUNK &&
            bytes_has(data, at, 3))
            continue;
        begun = false;
        const int r = stoq_sink_end(s, NULL, 0, why);
        /* a file that is not packed hides where the next one is */
        if (r < 0 || why || s->error != 0)
            return r;
    }
    return 0;
}
