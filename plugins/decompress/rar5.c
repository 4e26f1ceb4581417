/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files of a rar 5 archive are encrypted: libarchive does not tell, and hands
 * over what it cannot decrypt as if it were the file. After RARLAB's technical note on
 * rar 5. Each header moves on. Called by extract.c; no state.
 */

#include "forms.h"

#define TYPE_FILE      2U
#define TYPE_ENCRYPTED 4U /* all that follows */
#define TYPE_END       5U
#define HAS_EXTRA      1U
#define HAS_DATA       2U
#define EXTRA_CRYPT    1U
#define START_WITHIN   ((size_t)1 << 20) /* a program may come before */

/* A number of seven bits a byte. @return false when it is not all there. */
static bool
number(struct bytes b, uint64_t *at, uint64_t *n)
{
    *n = 0;
    for (unsigned shift = 0; shift < 63 && bytes_has(b, *at, 1); shift += 7) {
        const uint8_t byte = bytes_u8(b, (*at)++);
        *n |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static bool
has_crypt(struct bytes extra)
{
    uint64_t at = 0, size, type;
    while (number(extra, &at, &size)) {
        const uint64_t start = at;
        if (!number(extra, &at, &type))
            return false;
        if (type == EXTRA_CRYPT)
            return true;
        if (size > extra.size)
            return false;
        at = start + size;
    }
    return false;
}

size_t
stoq_rar5_encrypted(struct bytes data)
{
    static const char mark[] = "Rar!\x1a\x07\x01";
    struct bytes head =
        bytes_at(data, 0, data.size < START_WITHIN ? data.size : START_WITHIN);
    size_t count = 0;
    const size_t start = bytes_find(head, 0, mark, sizeof mark);
    if (start == SIZE_MAX)
        return 0;
    for (uint64_t at = start + sizeof mark;;) {
        uint64_t size, type, flags, extra = 0, packed = 0;
        at += 4;
        if (!number(data, &at, &size) || size == 0 || size > data.size)
            return count;
        struct bytes h = bytes_at(data, at, size);
        uint64_t in = 0;
        if (!number(h, &in, &type) || !number(h, &in, &flags) ||
            (flags & HAS_EXTRA && !number(h, &in, &extra)) ||
            (flags & HAS_DATA && !number(h, &in, &packed)))
            return count;
        if (type == TYPE_ENCRYPTED)
            return count + 1;
        if (type == TYPE_FILE && extra <= size)
            count += has_crypt(bytes_at(h, size - extra, extra));
        if (type == TYPE_END || packed > data.size)
            return count;
        at += size + packed;
    }
}
