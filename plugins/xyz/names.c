/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes as text: names in code page 437 or UTF-8, data in hexadecimal. Names come out
 * no larger than three times what goes in. Called by directory.c and entry.c; no state.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "parts.h"

#define REPLACEMENT 0xfffdU

static const uint16_t cp437[128] = {
    0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7, 0x00ea, 0x00eb,
    0x00e8, 0x00ef, 0x00ee, 0x00ec, 0x00c4, 0x00c5, 0x00c9, 0x00e6, 0x00c6, 0x00f4,
    0x00f6, 0x00f2, 0x00fb, 0x00f9, 0x00ff, 0x00d6, 0x00dc, 0x00a2, 0x00a3, 0x00a5,
    0x20a7, 0x0192, 0x00e1, 0x00ed, 0x00f3, 0x00fa, 0x00f1, 0x00d1, 0x00aa, 0x00ba,
    0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab, 0x00bb, 0x2591, 0x2592,
    0x2593, 0x2502, 0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557,
    0x255d, 0x255c, 0x255b, 0x2510, 0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c,
    0x255e, 0x255f, 0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x2567,
    0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256b, 0x256a, 0x2518,
    0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580, 0x03b1, 0x00df, 0x0393, 0x03c0,
    0x03a3, 0x03c3, 0x00b5, 0x03c4, 0x03a6, 0x0398, 0x03a9, 0x03b4, 0x221e, 0x03c6,
    0x03b5, 0x2229, 0x2261, 0x00b1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00f7, 0x2248,
    0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0, 0x00a0,
};

static size_t
put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    to[0] = (char)(0xe0 | c >> 12);
    to[1] = (char)(0x80 | (c >> 6 & 0x3f));
    to[2] = (char)(0x80 | (c & 0x3f));
    return 3;
}

/* Length of the well-formed sequence at @p p, or minus the length of what begins like
 * one and is to be replaced as a whole. */
static int
sequence(const unsigned char *p, size_t left)
{
    const unsigned char first = p[0];
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return -1;
    const int length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    /* against overlong forms, surrogates, and what lies above U+10FFFF */
    unsigned char low = 0x80, high = 0xbf;
    if (first == 0xe0)
        low = 0xa0;
    else if (first == 0xed)
        high = 0x9f;
    else if (first == 0xf0)
        low = 0x90;
    else if (first == 0xf4)
        high = 0x8f;
    for (int i = 1; i < length; i++) {
        if ((size_t)i >= left || p[i] < low || p[i] > high)
            return -i;
        low = 0x80;
        high = 0xbf;
    }
    return length;
}

static size_t
decode_utf8(struct bytes raw, char *to, bool *lossless)
{
    size_t used = 0;
    for (size_t i = 0; i < raw.size;) {
        const int n = sequence(raw.data + i, raw.size - i);
        if (n > 0) {
            memcpy(to + used, raw.data + i, (size_t)n);
            used += (size_t)n;
            i += (size_t)n;
        } else {
            used += put_utf8(to + used, REPLACEMENT);
            *lossless = false;
            i += (size_t)-n;
        }
    }
    return used;
}

int
xyz_text_decode(struct bytes raw, bool utf8, struct xyz_text *out, bool *lossless)
{
    bool clean = true;
    char *text = malloc(3 * raw.size + 1);
    if (!text)
        return -ENOMEM;
    size_t used = 0;
    if (utf8)
        used = decode_utf8(raw, text, &clean);
    else
        for (size_t i = 0; i < raw.size; i++)
            used +=
                put_utf8(text + used,
                         raw.data[i] < 0x80 ? raw.data[i] : cp437[raw.data[i] - 0x80]);
    text[used] = '\0';
    *out = (struct xyz_text){text, used};
    if (lossless)
        *lossless = clean;
    return 0;
}

int
xyz_text_refuse(struct bytes raw, struct stoq_error *err)
{
    size_t at = 0;
    int n = 1;
    while (at < raw.size && (n = sequence(raw.data + at, raw.size - at)) > 0)
        at += (size_t)n;
    const size_t bad = (size_t)-n;
    const char *why = "invalid continuation byte";
    if (bad == raw.size - at)
        why = "unexpected end of data";
    const unsigned char first = at < raw.size ? raw.data[at] : 0;
    if (first < 0xc2 || first > 0xf4)
        why = "invalid start byte";
    if (bad == 1)
        return stoq_error_set(err, STOQ_ERROR_FORMAT, -EBADMSG,
                              "UnicodeDecodeError: 'utf-8' codec can't decode byte "
                              "0x%02x in position %zu: %s",
                              first, at, why);
    return stoq_error_set(err, STOQ_ERROR_FORMAT, -EBADMSG,
                          "UnicodeDecodeError: 'utf-8' codec can't decode bytes in "
                          "position %zu-%zu: %s",
                          at, at + bad - 1, why);
}

json_t *
xyz_text_name(const struct xyz_text *text)
{
    return json_stringn(text->data, strnlen(text->data, text->size));
}

json_t *
xyz_hex(struct bytes b)
{
    static const char digits[] = "0123456789abcdef";
    if (b.size == 0)
        return json_null();
    char *text = malloc(2 * b.size);
    if (!text)
        return NULL;
    for (size_t i = 0; i < b.size; i++) {
        text[2 * i] = digits[b.data[i] >> 4];
        text[2 * i + 1] = digits[b.data[i] & 0xf];
    }
    json_t *value = json_stringn(text, 2 * b.size);
    free(text);
    return value;
}

json_t *
xyz_number(uint64_t n)
{
    if (n <= INT64_MAX)
        return json_integer((json_int_t)n);
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    return json_string(text);
}
