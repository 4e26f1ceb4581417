/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings of the smtp worker: growing buffers, UTF-8 of hostile bytes, and the two
 * escapes that the original applies to bodies. Every loop goes over its input once.
 */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "parts.h"

void
buf_add(struct buf *b, const void *data, size_t size)
{
    size_t need;
    if (b->failed || size == 0)
        return;
    if (__builtin_add_overflow(b->size, size, &need)) {
        b->failed = true;
        return;
    }
    if (need > b->room || !b->data) {
        size_t room = b->room ? b->room : 64;
        while (room < need)
            room = room <= SIZE_MAX / 2 ? 2 * room : need;
        char *grown = realloc(b->data, room);
        if (!grown) {
            b->failed = true;
            return;
        }
        b->data = grown;
        b->room = room;
    }
    memcpy(b->data + b->size, data, size);
    b->size = need;
}

void
buf_adds(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void
buf_addc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void
buf_add_code(struct buf *b, uint32_t code)
{
    char out[4];
    size_t n = 0;
    if (code < 0x80) {
        out[n++] = (char)code;
    } else if (code < 0x800) {
        out[n++] = (char)(0xc0 | code >> 6);
        out[n++] = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        out[n++] = (char)(0xe0 | code >> 12);
        out[n++] = (char)(0x80 | (code >> 6 & 0x3f));
        out[n++] = (char)(0x80 | (code & 0x3f));
    } else {
        out[n++] = (char)(0xf0 | code >> 18);
        out[n++] = (char)(0x80 | (code >> 12 & 0x3f));
        out[n++] = (char)(0x80 | (code >> 6 & 0x3f));
        out[n++] = (char)(0x80 | (code & 0x3f));
    }
    buf_add(b, out, n);
}

void
buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}

/* ------------------------------------------------------------------------- UTF-8 */

size_t
utf8_at(const char *at, const char *end, uint32_t *code, size_t *bad)
{
    const unsigned char *p = (const unsigned char *)at;
    const size_t left = (size_t)(end - at);
    *bad = 1;
    if (p[0] < 0x80) {
        *code = p[0];
        return 1;
    }
    /* the second byte's range says what the first alone does not */
    size_t n;
    unsigned char low = 0x80, high = 0xbf;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;
    } else if ((p[0] & 0xf0) == 0xe0) {
        n = 3;
        low = p[0] == 0xe0 ? 0xa0 : 0x80;
        high = p[0] == 0xed ? 0x9f : 0xbf;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        low = p[0] == 0xf0 ? 0x90 : 0x80;
        high = p[0] == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }
    uint32_t value = p[0] & (0xffU >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if (i >= left || p[i] < low || p[i] > high) {
            *bad = i;
            return 0;
        }
        value = value << 6 | (p[i] & 0x3fU);
        low = 0x80;
        high = 0xbf;
    }
    *code = value;
    return n;
}

void
buf_add_valid(struct buf *b, struct str s)
{
    const char *end = s.at + s.size, *from = s.at;
    for (const char *at = s.at; at < end;) {
        uint32_t code;
        size_t bad, n = utf8_at(at, end, &code, &bad);
        if (n) {
            at += n;
            continue;
        }
        buf_add(b, from, (size_t)(at - from));
        buf_add_code(b, 0xfffd);
        at += bad;
        from = at;
    }
    buf_add(b, from, (size_t)(end - from));
}

void
buf_add_escaped(struct buf *b, struct str s)
{
    static const char digits[] = "0123456789abcdef";
    const char *end = s.at + s.size;
    for (const char *at = s.at; at < end;) {
        uint32_t code = 0;
        size_t bad, n = utf8_at(at, end, &code, &bad);
        if (!n) { /* undecoded: the byte itself */
            buf_add(b, at, bad);
            at += bad;
            continue;
        }
        at += n;
        if (code < 0x100) {
            buf_addc(b, (char)code);
            continue;
        }
        const unsigned width = code < 0x10000 ? 4 : 8;
        buf_adds(b, width == 4 ? "\\u" : "\\U");
        for (unsigned i = width; i-- > 0;)
            buf_addc(b, digits[code >> (4 * i) & 0xf]);
    }
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Each run of ASCII is resolved and read as UTF-8 by itself. */
void
buf_add_unquoted(struct buf *b, struct str s)
{
    BUF_AUTO run = {0};
    const char *end = s.at + s.size;
    for (const char *at = s.at; at < end;) {
        if (*at & (char)0x80) {
            const char *from = at;
            while (at < end && (*at & (char)0x80))
                at++;
            buf_add(b, from, (size_t)(at - from));
            continue;
        }
        run.size = 0;
        while (at < end && !(*at & (char)0x80)) {
            if (*at == '%' && end - at > 2 && hex_value(at[1]) >= 0 &&
                hex_value(at[2]) >= 0) {
                buf_addc(&run, (char)(hex_value(at[1]) << 4 | hex_value(at[2])));
                at += 3;
            } else {
                buf_addc(&run, *at++);
            }
        }
        b->failed = b->failed || run.failed;
        buf_add_valid(b, str_of(&run));
    }
}

/* ----------------------------------------------------------------------- strings */

bool
str_is(struct str s, const char *text)
{
    return strlen(text) == s.size && strncasecmp(s.at, text, s.size) == 0;
}

size_t
space_at(const char *at, const char *end)
{
    uint32_t code;
    size_t bad;
    if (at >= end)
        return 0;
    size_t n = utf8_at(at, end, &code, &bad);
    if (!n)
        return 0;
    const bool space = (code >= 0x09 && code <= 0x0d) ||
                       (code >= 0x1c && code <= 0x20) || code == 0x85 || code == 0xa0 ||
                       code == 0x1680 || (code >= 0x2000 && code <= 0x200a) ||
                       code == 0x2028 || code == 0x2029 || code == 0x202f ||
                       code == 0x205f || code == 0x3000;
    return space ? n : 0;
}

struct str
str_strip_end(struct str s)
{
    for (;;) {
        size_t back = s.size ? 1 : 0;
        while (back < s.size && back < 4 && (s.at[s.size - back] & 0xc0) == 0x80)
            back++;
        if (!back || space_at(s.at + s.size - back, s.at + s.size) != back)
            return s;
        s.size -= back;
    }
}

struct str
str_strip(struct str s)
{
    size_t n;
    while ((n = space_at(s.at, s.at + s.size)) > 0) {
        s.at += n;
        s.size -= n;
    }
    return str_strip_end(s);
}

void
buf_add_lower(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.size; i++) {
        char c = s.at[i];
        buf_addc(b, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
    }
}
