/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files written as text: BinHex 4.0 (RFC 1741), uuencode (POSIX), and data: addresses
 * (RFC 2397) in pages. Only forward, in one pass. Called by forms.c; no state.
 */

#include <errno.h>

#include "forms.h"

/* ------------------------------------------------------------------------ BinHex */

static const char binhex_digits[] =
    "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";

#define RUN_MARK 0x90U

/* The six-bit digits between the colons, as bytes with runs undone. */
static void
binhex_bytes(struct stoq_sink *s, struct bytes text)
{
    unsigned hold = 0, bits = 0;
    bool mark = false;
    for (size_t i = 0; i < text.size && s->error == 0; i++) {
        const char c = (char)text.data[i];
        const char *digit = c ? strchr(binhex_digits, c) : NULL;
        if (c == ':')
            return;
        if (!digit)
            continue;
        hold = (hold << 6 | (unsigned)(digit - binhex_digits)) & 0xffff;
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        const unsigned byte = hold >> bits & 0xff;
        if (!mark && byte == RUN_MARK) {
            mark = true;
        } else if (!mark) {
            (void)stoq_sink_byte(s, byte);
        } else {
            mark = false;
            if (byte == 0)
                (void)stoq_sink_byte(s, RUN_MARK);
            else if (byte > 1 && s->size > 0)
                (void)stoq_sink_copy(s, 1, byte - 1);
        }
    }
}

/* Move the fork at @p at of the decoded bytes to their front, and emit it. */
static int
binhex_fork(struct stoq_sink *s, const struct bytes all, uint64_t at, uint32_t size,
            struct bytes name)
{
    struct bytes rest = bytes_from(all, at);
    struct bytes fork = bytes_at(rest, 0, size < rest.size ? size : rest.size);
    stoq_sink_begin(s);
    (void)stoq_sink_put(s, fork.data, fork.size);
    return stoq_sink_end(s, (const char *)name.data, name.size,
                         fork.size < size ? "truncated" : NULL);
}

int
stoq_binhex_read(struct stoq_sink *s)
{
    const struct bytes data = {s->x->data, s->x->size};
    const size_t start = bytes_find(data, 0, "\n:", 2);
    if (start == SIZE_MAX) {
        stoq_sink_broken(s, "no BinHex data");
        return 0;
    }
    struct stoq_sink decoded;
    stoq_sink_init(&decoded, s->x);
    binhex_bytes(&decoded, bytes_from(data, start + 2));
    const struct bytes all = {decoded.data, decoded.size};
    const uint64_t head = bytes_u8(all, 0) + 2U;
    const uint32_t fork = bytes_be32(all, head + 10),
                   other = bytes_be32(all, head + 14);
    struct bytes name = bytes_at(all, 1, bytes_u8(all, 0));
    int r = 0;
    s->error = decoded.error;
    if (s->error != 0 || !bytes_has(all, head, 20))
        stoq_sink_broken(s, "truncated BinHex data");
    else
        r = binhex_fork(s, all, head + 20, fork, name);
    if (r == 0 && !s->stop && s->error == 0 && other > 0)
        r = binhex_fork(s, all, head + 20 + fork + 2, other, name);
    stoq_sink_fini(&decoded);
    return r;
}

/* ---------------------------------------------------------------------- uuencode */

static struct bytes
next_line(struct bytes data, size_t *at)
{
    struct bytes rest = bytes_from(data, *at);
    const unsigned char *end =
        rest.data ? (const unsigned char *)memchr(rest.data, '\n', rest.size) : NULL;
    size_t n = end ? (size_t)(end - rest.data) : rest.size;
    *at += n + (end != NULL);
    if (n > 0 && rest.data[n - 1] == '\r')
        n--;
    return bytes_at(rest, 0, n);
}

/* One line. @return false when it is none. */
static bool
uu_line(struct stoq_sink *s, struct bytes line)
{
    if (line.size == 0)
        return false;
    const unsigned n = (line.data[0] - 0x20U) & 0x3f;
    for (unsigned i = 0; i < n; i++) {
        const uint64_t group = 1 + (uint64_t)i / 3 * 4;
        uint32_t value = 0;
        for (unsigned k = 0; k < 4; k++)
            value = value << 6 | ((bytes_u8(line, group + k) - 0x20U) & 0x3f);
        if (!stoq_sink_byte(s, value >> (16 - 8 * (i % 3)) & 0xff))
            return false;
    }
    return n > 0;
}

bool
stoq_uu_decode(struct stoq_sink *s, struct bytes text, size_t *used)
{
    size_t at = 0;
    bool more = true;
    while (more && at < text.size)
        more = uu_line(s, next_line(text, &at));
    if (used)
        *used = at;
    return !more;
}

int
stoq_uu_read(struct stoq_sink *s)
{
    const struct bytes data = {s->x->data, s->x->size};
    size_t at = 0;
    while (at < data.size && !s->stop && stoq_sink_time(s)) {
        struct bytes line = next_line(data, &at);
        if (!bytes_are(line, 0, "begin ", 6) || line.size < 11)
            continue;
        struct bytes name = bytes_from(line, 10);
        size_t used = 0;
        stoq_sink_begin(s);
        const bool whole = stoq_uu_decode(s, bytes_from(data, at), &used);
        at += used;
        const int r = stoq_sink_end(s, (const char *)name.data, name.size,
                                    whole ? NULL : "truncated");
        if (r < 0)
            return r;
    }
    return 0;
}

/* ------------------------------------------------------------------------- data: */

static int
base64_value(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

size_t
stoq_base64_decode(struct stoq_sink *s, struct bytes text, bool lines)
{
    uint32_t hold = 0;
    unsigned bits = 0;
    size_t at = 0;
    for (; at < text.size && s->error == 0; at++) {
        const unsigned char c = text.data[at];
        const int value = base64_value(c);
        if (value < 0 && lines && (c == '\r' || c == '\n' || c == ' '))
            continue;
        if (value < 0)
            break;
        hold = hold << 6 | (uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            (void)stoq_sink_byte(s, hold >> bits & 0xff);
        }
    }
    return at;
}

int
stoq_data_uri_read(struct stoq_sink *s)
{
    static const char mark[] = ";base64,";
    const struct bytes data = {s->x->data, s->x->size};
    size_t at = 0;
    while (!s->stop && stoq_sink_time(s) &&
           (at = bytes_find(data, at, mark, sizeof mark - 1)) != SIZE_MAX) {
        at += sizeof mark - 1;
        stoq_sink_begin(s);
        at += stoq_base64_decode(s, bytes_from(data, at), false);
        if (s->size == 0 && s->error == 0)
            continue;
        const int r = stoq_sink_end(s, NULL, 0, NULL);
        if (r < 0)
            return r;
    }
    return 0;
}
