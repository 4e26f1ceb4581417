/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8 out of the encodings of macros. Code pages are iconv(3)'s, whose tables are
 * files: all that a project may name are opened with the plugin, and stay open.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parts.h"

#define NO_CONVERTER ((iconv_t)-1)
static const char replacement[] = "\xef\xbf\xbd";

static const struct {
    unsigned page;
    const char *name;
} pages[] = {
    {1252, "CP1252"},      {1250, "CP1250"},      {1251, "CP1251"},
    {1253, "CP1253"},      {1254, "CP1254"},      {1255, "CP1255"},
    {1256, "CP1256"},      {1257, "CP1257"},      {1258, "CP1258"},
    {874, "CP874"},        {932, "CP932"},        {936, "CP936"},
    {949, "CP949"},        {950, "CP950"},        {1361, "JOHAB"},
    {437, "CP437"},        {850, "CP850"},        {852, "CP852"},
    {866, "CP866"},        {10000, "MACINTOSH"},  {10007, "MAC-CYRILLIC"},
    {28591, "ISO-8859-1"}, {28592, "ISO-8859-2"}, {28595, "ISO-8859-5"},
    {20866, "KOI8-R"},     {21866, "KOI8-U"},
};
#define PAGE_COUNT (sizeof pages / sizeof *pages)
#define PAGE_UTF8  65001U

struct text_pages {
    iconv_t converters[PAGE_COUNT];
};

struct text_pages *
text_pages_new(void)
{
    struct text_pages *p = malloc(sizeof *p);
    for (size_t i = 0; p && i < PAGE_COUNT; i++)
        p->converters[i] = iconv_open("UTF-8", pages[i].name);
    return p;
}

void
text_pages_free(struct text_pages *p)
{
    for (size_t i = 0; p && i < PAGE_COUNT; i++)
        if (p->converters[i] != NO_CONVERTER)
            (void)iconv_close(p->converters[i]);
    free(p);
}

static int
make_room(struct text *t, size_t n)
{
    if (t->size + n <= t->room)
        return 0;
    size_t room = t->room * 2 > t->size + n ? t->room * 2 : t->size + n + 256;
    char *bigger = realloc(t->data, room);
    if (!bigger)
        return -ENOMEM;
    t->data = bigger;
    t->room = room;
    return 0;
}

int
text_append(struct text *t, const void *data, size_t size)
{
    int r = make_room(t, size);
    if (r == 0 && size > 0) {
        memcpy(t->data + t->size, data, size);
        t->size += size;
    }
    return r;
}

static int
convert(struct text *t, iconv_t converter, struct bytes from)
{
    char *in = (char *)(uintptr_t)from.data;
    size_t left = from.size;
    (void)iconv(converter, NULL, NULL, NULL, NULL);
    while (left > 0) {
        int r = make_room(t, left + 16);
        if (r < 0)
            return r;
        char *out = t->data + t->size;
        size_t room = t->room - t->size;
        size_t n = iconv(converter, &in, &left, &out, &room);
        t->size = (size_t)(out - t->data);
        if (n != (size_t)-1 || errno == E2BIG)
            continue;
        r = text_append(t, replacement, 3);
        if (r < 0)
            return r;
        in++;
        left--;
    }
    int r = make_room(t, 16);
    if (r == 0) { /* what the converter held back, waiting for a mark to combine */
        char *out = t->data + t->size;
        size_t room = t->room - t->size;
        (void)iconv(converter, NULL, NULL, &out, &room);
        t->size = (size_t)(out - t->data);
    }
    return r;
}

int
text_append_page(struct text *t, const struct text_pages *p, unsigned page,
                 struct bytes from)
{
    size_t i = 0;
    if (page == PAGE_UTF8)
        return text_append_utf8(t, from);
    while (i < PAGE_COUNT && pages[i].page != page)
        i++;
    if (i == PAGE_COUNT || p->converters[i] == NO_CONVERTER)
        i = 0;
    if (p->converters[i] == NO_CONVERTER)
        return text_append_utf8(t, from);
    return convert(t, p->converters[i], from);
}

/* Bytes of the valid sequence at @at, or 0; @bad is then how many are to be replaced.
 */
static size_t
sequence(struct bytes from, size_t at, size_t *bad)
{
    const unsigned char c = from.data[at];
    unsigned char low = 0x80, high = 0xbf;
    size_t size = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (c > 0xf4)
        size = 0;
    low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : low;
    high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : high;
    *bad = 1;
    for (size_t i = 1; i < size; i++) {
        unsigned char next = bytes_u8(from, at + i);
        if (next < low || next > high) {
            *bad = i;
            return 0;
        }
        low = 0x80;
        high = 0xbf;
    }
    return size;
}

int
text_append_utf8(struct text *t, struct bytes from)
{
    int r = make_room(t, from.size);
    for (size_t at = 0; r == 0 && at < from.size;) {
        size_t ascii = at;
        while (ascii < from.size && from.data[ascii] < 0x80)
            ascii++;
        if (ascii > at) {
            r = text_append(t, from.data + at, ascii - at);
            at = ascii;
            continue;
        }
        size_t bad = 1, n = sequence(from, at, &bad);
        r = n ? text_append(t, from.data + at, n) : text_append(t, replacement, 3);
        at += n ? n : bad;
    }
    return r;
}

int
text_append_utf16(struct text *t, struct bytes from)
{
    int r = 0;
    for (size_t at = 0; r == 0 && at + 2 <= from.size; at += 2) {
        uint32_t c = bytes_le16(from, at), low = bytes_le16(from, at + 2);
        unsigned char out[4];
        if (c >= 0xd800 && c < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
            c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
            at += 2;
        } else if (c >= 0xd800 && c < 0xe000) {
            c = 0xfffd;
        }
        size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        for (size_t i = n - 1; i > 0; i--, c >>= 6)
            out[i] = (unsigned char)(0x80 | (c & 0x3f));
        out[0] = (unsigned char)(n == 1 ? c : (0xf00U >> n & 0xffU) | c);
        r = text_append(t, out, n);
    }
    return r;
}
