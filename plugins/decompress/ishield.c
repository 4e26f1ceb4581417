/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Setup programs of InstallShield: files behind the program, either after a table whose
 * entries name, size and obscure them, or each after four texts. Found by trial on such
 * programs. Every entry moves on. Called by forms.c; no state.
 */

#include <errno.h>

#include "forms.h"

#define MARK        "InstallShield"
#define TABLE_START 46U
#define ENTRY       312U
#define NAME        260U
#define TEXT_MAX    512U
#define OBSCURED    0x2U
#define PACKED      0x4U
/* How far behind the program the table may be: debugging data comes before. */
#define TABLE_WITHIN ((size_t)64 * 1024)

/* ----------------------------------------------------------------- obscured files */

/* The key is the file's name under a fixed mask. */
static size_t
make_key(struct bytes entry, unsigned char key[NAME])
{
    static const unsigned char mask[4] = {0xec, 0xca, 0x79, 0xf8};
    const size_t n = bytes_strnlen(entry, 0, NAME);
    for (size_t i = 0; i < n; i++)
        key[i] = entry.data[i] ^ mask[i % 4];
    return n;
}

static int
read_obscured(struct stoq_sink *s, struct bytes entry, struct bytes packed, bool whole)
{
    unsigned char key[NAME];
    const size_t n = make_key(entry, key);
    struct stoq_sink clear;
    if (n == 0)
        return 0;
    stoq_sink_init(&clear, s->x);
    const uint32_t how = bytes_le32(entry, NAME);
    for (size_t i = 0; i < packed.size && clear.error == 0; i++) {
        const unsigned c = packed.data[i];
        (void)stoq_sink_byte(&clear, how & OBSCURED ? ((c << 4 | c >> 4) & 0xff) ^
                                                          key[i % 1024 % n]
                                                    : c);
    }
    stoq_sink_begin(s);
    s->error = clear.error;
    const char *why = NULL;
    if (s->error == 0 && how & PACKED)
        why = stoq_inflate(s, (struct bytes){clear.data, clear.size}, 15, NULL);
    else if (s->error == 0)
        (void)stoq_sink_put(s, clear.data, clear.size);
    stoq_sink_fini(&clear);
    return stoq_sink_end(s, (const char *)entry.data, n, whole ? why : "truncated");
}

static int
read_table(struct stoq_sink *s, struct bytes data, uint64_t at)
{
    const unsigned count = bytes_le16(data, at + 14);
    at += TABLE_START;
    for (unsigned i = 0; i < count && !s->stop; i++) {
        struct bytes entry = bytes_at(data, at, ENTRY);
        if (entry.size == 0)
            break;
        at += ENTRY;
        const uint32_t size = bytes_le32(entry, NAME + 8);
        struct bytes rest = bytes_from(data, at);
        struct bytes packed = bytes_at(rest, 0, size < rest.size ? size : rest.size);
        const int r = read_obscured(s, entry, packed, packed.size == size);
        if (r < 0)
            return r;
        at += size;
    }
    return 0;
}

/* --------------------------------------------------------------------- plain files */

/* A text of letters up to a NUL, of at most TEXT_MAX. @return its size with the NUL, or
 * 0. */
static size_t
text_at(struct bytes data, uint64_t at)
{
    const size_t n = bytes_strnlen(data, at, TEXT_MAX);
    if (n == 0 || n == TEXT_MAX || !bytes_has(data, at, n + 1))
        return 0;
    for (size_t i = 0; i < n; i++)
        if (data.data[at + i] < 0x20)
            return 0;
    return n + 1;
}

/* Name, path, version and size; the data follows. @return 1, 0 when there is none. */
static int
read_plain(struct stoq_sink *s, struct bytes data, uint64_t *at)
{
    uint64_t size = 0, place = *at, last = 0;
    for (unsigned i = 0; i < 4; i++) {
        const size_t n = text_at(data, place);
        if (n == 0)
            return 0;
        last = place;
        place += n;
    }
    for (; last + 1 < place; last++) {
        const unsigned digit = data.data[last] - (unsigned)'0';
        if (digit > 9 || size > UINT32_MAX)
            return 0;
        size = size * 10 + digit;
    }
    struct bytes file = bytes_at(data, place, size);
    if (file.size != size)
        return 0;
    stoq_sink_begin(s);
    (void)stoq_sink_put(s, file.data, file.size);
    const int r = stoq_sink_end(s, (const char *)data.data + *at,
                                bytes_strnlen(data, *at, TEXT_MAX), NULL);
    *at = place + size;
    return r < 0 ? r : 1;
}

/* Where the last section's data ends; 0 when the headers make no sense. */
static uint64_t
program_end(struct bytes data)
{
    const uint64_t pe = bytes_le32(data, 0x3c);
    if (!bytes_are(data, pe, "PE\0\0", 4))
        return 0;
    const uint64_t table = pe + 24 + bytes_le16(data, pe + 20);
    const unsigned n = bytes_le16(data, pe + 6);
    uint64_t end = 0;
    for (unsigned i = 0; i < n; i++) {
        const uint64_t row = table + (uint64_t)i * 40;
        const uint64_t stop =
            (uint64_t)bytes_le32(data, row + 16) + bytes_le32(data, row + 20);
        end = stop > end ? stop : end;
    }
    return end;
}

int
stoq_ishield_read(struct stoq_sink *s)
{
    const struct bytes data = {s->x->data, s->x->size};
    uint64_t at = program_end(data);
    if (at == 0 || at >= data.size)
        return 0;
    struct bytes behind = bytes_from(data, at);
    const size_t table = bytes_find(
        bytes_at(behind, 0, behind.size < TABLE_WITHIN ? behind.size : TABLE_WITHIN), 0,
        MARK, sizeof MARK);
    if (table != SIZE_MAX)
        return read_table(s, data, at + table);
    if (bytes_find(data, 0, MARK, sizeof MARK - 1) == SIZE_MAX)
        return 0;
    int r = 1;
    while (r > 0 && !s->stop)
        r = read_plain(s, data, &at);
    return r;
}
