/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing text, and Java's modified UTF-8: U+0000 in two bytes, characters beyond
 * U+FFFF as a pair of surrogates in three bytes each. Plain UTF-8 is taken too.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "parts.h"

#define BAD UINT32_MAX

int
text_add(struct text *t, const char *data, size_t size)
{
    if (size > *t->budget)
        return -E2BIG;
    if (t->room - t->size <= size) {
        size_t room = t->room ? t->room : 256;
        while (room - t->size <= size)
            room *= 2;
        char *grown = realloc(t->data, room);
        if (!grown)
            return -ENOMEM;
        t->data = grown;
        t->room = room;
    }
    *t->budget -= size;
    memcpy(t->data + t->size, data, size);
    t->size += size;
    t->data[t->size] = '\0';
    return 0;
}

int
text_adds(struct text *t, const char *text)
{
    return text_add(t, text, strlen(text));
}

void
text_clear(struct text *t)
{
    t->size = t->chars = 0;
}

static int
add_utf8(struct text *t, uint32_t c)
{
    char out[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(first[n - 1] | c);
    return text_add(t, out, n);
}

/* One sequence of at most four bytes, surrogates included. @return its length or 0. */
static size_t
sequence(struct bytes b, size_t at, uint32_t *out)
{
    unsigned lead = bytes_u8(b, at);
    size_t n = lead < 0x80           ? 1
               : (lead >> 5) == 0x6  ? 2
               : (lead >> 4) == 0xe  ? 3
               : (lead >> 3) == 0x1e ? 4
                                     : 0;
    if (n < 2) {
        *out = lead;
        return n;
    }
    uint32_t c = lead & (0x7fU >> n);
    for (size_t i = 1; i < n; i++) {
        if (!bytes_has(b, at + i, 1) || (b.data[at + i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (b.data[at + i] & 0x3fU);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    *out = c;
    return (c >= least[n] || (c == 0 && n == 2)) && c <= 0x10ffff ? n : 0;
}

/* The next character, BAD for bytes that are none, which are stepped over. */
static uint32_t
next(struct bytes b, size_t *at)
{
    uint32_t c = 0, low = 0;
    size_t n = sequence(b, *at, &c);
    if (n == 0 || (c & 0xfffffc00) == 0xdc00) {
        *at += n ? n : 1;
        return BAD;
    }
    *at += n;
    if ((c & 0xfffffc00) != 0xd800)
        return c;
    n = bytes_has(b, *at, 1) ? sequence(b, *at, &low) : 0;
    if (n == 0 || (low & 0xfffffc00) != 0xdc00)
        return BAD;
    *at += n;
    return 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
}

int
text_add_java(struct text *t, struct bytes java, bool dots)
{
    int r = 0;
    for (size_t at = 0; r == 0 && at < java.size;) {
        uint32_t c = next(java, &at);
        if (c != BAD)
            r = add_utf8(t, dots && c == '/' ? '.' : c);
    }
    return r;
}

/* Characters that Python shows as an escape: controls, blanks but the space, formats,
 * private use, and of the unassigned ones those whose planes are empty. */
static bool
is_printable(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } escaped[] = {
        {0x0, 0x1f},         {0x7f, 0xa0},       {0xad, 0xad},       {0x600, 0x605},
        {0x61c, 0x61c},      {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x890, 0x891},
        {0x8e2, 0x8e2},      {0x1680, 0x1680},   {0x180e, 0x180e},   {0x2000, 0x200f},
        {0x2028, 0x202f},    {0x205f, 0x206f},   {0x3000, 0x3000},   {0xd800, 0xf8ff},
        {0xfdd0, 0xfdef},    {0xfeff, 0xfeff},   {0xfff0, 0xfffb},   {0xfffe, 0xffff},
        {0x110bd, 0x110bd},  {0x110cd, 0x110cd}, {0x13430, 0x13438}, {0x1bca0, 0x1bca3},
        {0x1d173, 0x1d17a},  {0x1fffe, 0x1ffff}, {0x2fffe, 0x2ffff}, {0x3fffe, 0xe00ff},
        {0xe01f0, 0x10ffff},
    };
    for (size_t i = 0; i < sizeof escaped / sizeof *escaped; i++)
        if (c >= escaped[i].first && c <= escaped[i].last)
            return false;
    return true;
}

static int
add_escape(struct text *t, uint32_t c)
{
    char out[16];
    if (c == '\t' || c == '\n' || c == '\r')
        (void)snprintf(out, sizeof out, "\\%c",
                       c == '\t'   ? 't'
                       : c == '\n' ? 'n'
                                   : 'r');
    else if (c < 0x100)
        (void)snprintf(out, sizeof out, "\\x%02x", c);
    else if (c < 0x10000)
        (void)snprintf(out, sizeof out, "\\u%04x", c);
    else
        (void)snprintf(out, sizeof out, "\\U%08x", c);
    t->chars += strlen(out);
    return text_adds(t, out);
}

int
text_add_quoted(struct text *t, struct bytes java)
{
    /* the quote that Python would take: ' unless that needs escapes that " does not */
    bool other = bytes_find(java, 0, "'", 1) != SIZE_MAX &&
                 bytes_find(java, 0, "\"", 1) == SIZE_MAX;
    int r = 0;
    for (size_t at = 0; r == 0 && at < java.size;) {
        uint32_t c = next(java, &at);
        if (c == BAD)
            continue;
        if (!is_printable(c)) {
            r = add_escape(t, c);
            continue;
        }
        if (c == '\\' || (c == '\'' && !other)) {
            r = text_adds(t, "\\");
            t->chars++;
        }
        if (r == 0)
            r = add_utf8(t, c);
        t->chars++;
    }
    return r;
}
