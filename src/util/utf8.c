/* SPDX-License-Identifier: Apache-2.0 */

/*
 * UTF-8, sequence by sequence. Overlong forms, surrogates and code points above
 * U+10FFFF are not valid.
 */

#include "util/utf8.h"

#include <string.h>

/* Bounds of the second byte, which is where overlong forms and surrogates show. */
static int
lead_byte(unsigned char c, unsigned char *low, unsigned char *high)
{
    *low = 0x80;
    *high = 0xbf;
    if (c >= 0xc2 && c <= 0xdf)
        return 2;
    if (c >= 0xe0 && c <= 0xef) {
        if (c == 0xe0)
            *low = 0xa0;
        if (c == 0xed)
            *high = 0x9f;
        return 3;
    }
    if (c >= 0xf0 && c <= 0xf4) {
        if (c == 0xf0)
            *low = 0x90;
        if (c == 0xf4)
            *high = 0x8f;
        return 4;
    }
    return 0;
}

int
stoq_utf8_step(const unsigned char *s, size_t size)
{
    if (s[0] < 0x80)
        return 1;
    unsigned char low;
    unsigned char high;
    int need = lead_byte(s[0], &low, &high);
    if (need == 0)
        return -1;
    for (int i = 1; i < need; i++) {
        if ((size_t)i >= size || s[i] < low || s[i] > high)
            return -i;
        low = 0x80;
        high = 0xbf;
    }
    return need;
}

/* C0, DEL and, since terminals obey them too, C1. */
static int
is_control(const unsigned char *s, int len)
{
    if (len == 1)
        return s[0] < 0x20 || s[0] == 0x7f;
    return len == 2 && s[0] == 0xc2 && s[1] < 0xa0;
}

size_t
stoq_text_clean(char *out, size_t room, const char *text, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *s = (const unsigned char *)text;
    size_t used = 0;
    size_t at = 0;
    while (at < size) {
        int len = stoq_utf8_step(s + at, size - at);
        size_t n = (size_t)(len < 0 ? -len : len);
        int escape = len < 0 || is_control(s + at, len);
        if (used + (escape ? 4 * n : n) >= room)
            break;
        for (size_t i = at; i < at + n; i++) {
            if (escape) {
                out[used++] = '\\';
                out[used++] = 'x';
                out[used++] = digits[s[i] >> 4];
                out[used++] = digits[s[i] & 15];
            } else {
                out[used++] = text[i];
            }
        }
        at += n;
    }
    out[used] = '\0';
    return used;
}
