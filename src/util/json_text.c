/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Bytes as JSON strings (stoq/plugin.h): UTF-8 as it is, else windows-1252, else with
 * replacement characters, and base64 beside it where that loses something.
 */

#include <stoq/plugin.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/auto.h"
#include "util/json.h"
#include "util/strbuf.h"
#include "util/utf8.h"

/* windows-1252 0x80 to 0x9f; 0 = undefined. Above, it is latin-1. */
static const uint16_t cp1252[32] = {
    0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
    0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017d, 0,
    0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
    0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178};

static bool
cp1252_valid(const unsigned char *s, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (s[i] >= 0x80 && s[i] < 0xa0 && cp1252[s[i] - 0x80] == 0)
            return false;
    }
    return true;
}

static void
add_code_point(struct stoq_strbuf *b, unsigned c)
{
    char out[3];
    if (c < 0x80) {
        out[0] = (char)c;
        stoq_strbuf_add(b, out, 1);
    } else if (c < 0x800) {
        out[0] = (char)(0xc0 | (c >> 6));
        out[1] = (char)(0x80 | (c & 0x3f));
        stoq_strbuf_add(b, out, 2);
    } else {
        out[0] = (char)(0xe0 | (c >> 12));
        out[1] = (char)(0x80 | ((c >> 6) & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        stoq_strbuf_add(b, out, 3);
    }
}

static void
add_cp1252(struct stoq_strbuf *b, const unsigned char *s, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned c = s[i];
        add_code_point(b, c >= 0x80 && c < 0xa0 ? cp1252[c - 0x80] : c);
    }
}

static void
add_replaced(struct stoq_strbuf *b, const unsigned char *s, size_t size)
{
    size_t at = 0;
    while (at < size) {
        int n = stoq_utf8_step(s + at, size - at);
        if (n > 0)
            stoq_strbuf_add(b, s + at, (size_t)n);
        else
            add_code_point(b, 0xfffd);
        at += (size_t)(n > 0 ? n : -n);
    }
}

json_t *
stoq_json_text(const void *data, size_t size, bool *lossless)
{
    bool valid = size == 0 || stoq_utf8_valid(data, size);
    if (lossless)
        *lossless = valid;
    if (valid)
        return json_stringn_nocheck(size ? data : "", size);

    struct stoq_strbuf b = {0};
    if (cp1252_valid(data, size))
        add_cp1252(&b, data, size);
    else
        add_replaced(&b, data, size);
    size_t length = b.size;
    STOQ_AUTOFREE char *text = stoq_strbuf_steal(&b);
    return text ? json_stringn_nocheck(text, length) : NULL;
}

#define PADDING 64

json_t *
stoq_json_base64(const void *data, size_t size)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    const unsigned char *s = data;
    size_t room;
    if (__builtin_mul_overflow(size / 3 + 1, (size_t)4, &room))
        return NULL;
    STOQ_AUTOFREE char *text = malloc(room);
    if (!text)
        return NULL;
    char *p = text;
    for (size_t i = 0; i < size; i += 3) {
        size_t n = size - i < 3 ? size - i : 3;
        unsigned bits = (unsigned)s[i] << 16;
        if (n > 1)
            bits |= (unsigned)s[i + 1] << 8;
        if (n > 2)
            bits |= s[i + 2];
        *p++ = digits[bits >> 18];
        *p++ = digits[(bits >> 12) & 63];
        *p++ = digits[n > 1 ? (bits >> 6) & 63 : PADDING];
        *p++ = digits[n > 2 ? bits & 63 : PADDING];
    }
    return json_stringn_nocheck(text, (size_t)(p - text));
}

int
stoq_json_set_text(json_t *object, const char *key, const void *data, size_t size)
{
    bool lossless;
    json_t *text = stoq_json_text(data, size, &lossless);
    if (!text || json_object_set_new(object, key, text) < 0)
        return -ENOMEM;
    if (lossless)
        return 0;
    struct stoq_strbuf name = {0};
    stoq_strbuf_adds(&name, key);
    stoq_strbuf_adds(&name, "_b64");
    STOQ_AUTOFREE char *b64_key = stoq_strbuf_steal(&name);
    json_t *b64 = b64_key ? stoq_json_base64(data, size) : NULL;
    if (!b64 || json_object_set_new(object, b64_key, b64) < 0)
        return -ENOMEM;
    return 0;
}
