/* SPDX-License-Identifier: Apache-2.0 */

/* Growing text that cannot outgrow its limit, and code points of valid UTF-8. */

#include <stdarg.h>
#include <stdio.h>

#include "jinja.h"

static bool
reserve(struct jinja_text *t, size_t more)
{
    if (t->code == 0 && more > JINJA_TEXT_MAX - t->size)
        t->code = -E2BIG;
    if (t->code < 0)
        return false;
    if (t->size + more < t->room)
        return true;
    size_t room = 2 * (t->size + more) + 32;
    char *data = realloc(t->data, room);
    if (!data) {
        t->code = -ENOMEM;
        return false;
    }
    t->data = data;
    t->room = room;
    return true;
}

void
jinja_text_add(struct jinja_text *t, const char *data, size_t size)
{
    if (!reserve(t, size))
        return;
    if (size > 0)
        memcpy(t->data + t->size, data, size);
    t->size += size;
    t->data[t->size] = '\0';
}

void
jinja_text_puts(struct jinja_text *t, const char *text)
{
    jinja_text_add(t, text, strlen(text));
}

void
jinja_text_printf(struct jinja_text *t, const char *fmt, ...)
{
    char buffer[256];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(buffer, sizeof buffer, fmt, args);
    va_end(args);
    jinja_text_puts(t, buffer);
}

void
jinja_text_rune(struct jinja_text *t, uint32_t c)
{
    char out[4];
    size_t n = 1;
    if (c < 0x80) {
        out[0] = (char)c;
    } else if (c < 0x800) {
        n = 2;
        out[0] = (char)(0xc0 | c >> 6);
    } else if (c < 0x10000) {
        n = 3;
        out[0] = (char)(0xe0 | c >> 12);
    } else {
        n = 4;
        out[0] = (char)(0xf0 | (c >> 18 & 7));
    }
    for (size_t i = 1; i < n; i++)
        out[i] = (char)(0x80 | (c >> 6 * (n - 1 - i) & 0x3f));
    jinja_text_add(t, out, n);
}

void
jinja_text_escape(struct jinja_text *t, const char *data, size_t size)
{
    for (size_t at = 0, start = 0; at <= size; at++) {
        const char *instead = NULL;
        switch (at < size ? data[at] : '\0') {
        case '&':
            instead = "&amp;";
            break;
        case '<':
            instead = "&lt;";
            break;
        case '>':
            instead = "&gt;";
            break;
        case '\'':
            instead = "&#39;";
            break;
        case '"':
            instead = "&#34;";
            break;
        default:
            break;
        }
        if (!instead && at < size)
            continue;
        jinja_text_add(t, data + start, at - start);
        if (instead)
            jinja_text_puts(t, instead);
        start = at + 1;
    }
}

void
jinja_text_fini(struct jinja_text *t)
{
    free(t->data);
    *t = (struct jinja_text){0};
}

uint32_t
jinja_rune(const char *data, size_t size, size_t *at)
{
    const unsigned char *p = (const unsigned char *)data + *at;
    size_t left = size - *at;
    size_t n = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
    if (n > left)
        n = 1;
    uint32_t c = n == 1 ? *p : *p & (0xffU >> (n + 1));
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (p[i] & 0x3fU);
    *at += n;
    return c;
}

size_t
jinja_runes(const char *data, size_t size)
{
    size_t count = 0;
    for (size_t at = 0; at < size; count++)
        (void)jinja_rune(data, size, &at);
    return count;
}

bool
jinja_is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}
