/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The syntax of PDF as far as pdf.c needs it: dictionaries, references and strings.
 * Every walk goes forward only, and over DICTIONARY_MAX bytes at most.
 */

#include <stdio.h>

#include "parts.h"

#define DICTIONARY_MAX ((size_t)65536)
#define DEPTH_MAX      32U

static bool
is_blank(unsigned c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == '\0';
}

static bool
is_digit(unsigned c)
{
    return c >= '0' && c <= '9';
}

static size_t
skip_blanks(struct bytes file, size_t at)
{
    while (at < file.size && is_blank(file.data[at]))
        at++;
    return at;
}

/* A number at *@at, which is moved behind it. */
static bool
take_number(struct bytes file, size_t *at, uint64_t *out)
{
    size_t start = *at;
    *out = 0;
    while (*at < file.size && is_digit(file.data[*at]) && *at - start < 12)
        *out = *out * 10 + (file.data[(*at)++] - (unsigned)'0');
    return *at > start;
}

bool
pdf_number(struct bytes file, size_t at, uint64_t *out)
{
    return at != SIZE_MAX && take_number(file, &at, out);
}

bool
pdf_reference(struct bytes file, size_t at, uint64_t *number)
{
    uint64_t generation;
    if (at == SIZE_MAX || !take_number(file, &at, number))
        return false;
    at = skip_blanks(file, at);
    if (!take_number(file, &at, &generation))
        return false;
    return bytes_u8(file, skip_blanks(file, at)) == 'R';
}

size_t
pdf_object(struct bytes file, uint64_t number)
{
    char heading[32];
    size_t found = SIZE_MAX;
    int size = snprintf(heading, sizeof heading, "%llu ", (unsigned long long)number);
    size_t at = 0;
    while ((at = bytes_find(file, at, heading, (size_t)size)) != SIZE_MAX) {
        size_t rest = skip_blanks(file, at + (size_t)size);
        uint64_t generation;
        bool alone = at == 0 || !is_digit(file.data[at - 1]);
        at++;
        if (!alone || !take_number(file, &rest, &generation))
            continue;
        rest = skip_blanks(file, rest);
        if (bytes_are(file, rest, "obj", 3))
            found = skip_blanks(file, rest + 3);
    }
    return found;
}

size_t
pdf_follow(struct bytes file, size_t at)
{
    uint64_t number;
    return pdf_reference(file, at, &number) ? pdf_object(file, number) : at;
}

/* Behind the string in parentheses at @at. */
static size_t
skip_string(struct bytes file, size_t at)
{
    unsigned depth = 0;
    for (; at < file.size; at++) {
        unsigned c = file.data[at];
        if (c == '\\')
            at++;
        else if (c == '(')
            depth++;
        else if (c == ')' && --depth == 0)
            return at + 1;
    }
    return at;
}

size_t
pdf_key(struct bytes file, size_t at, const char *key)
{
    size_t size = strlen(key);
    unsigned depth = 0;
    if (at == SIZE_MAX || !bytes_are(file, at, "<<", 2))
        return SIZE_MAX;
    size_t end = file.size - at > DICTIONARY_MAX ? at + DICTIONARY_MAX : file.size;
    while (at < end) {
        unsigned c = file.data[at];
        if (c == '(') {
            at = skip_string(file, at);
            continue;
        }
        if (c == '[' || bytes_are(file, at, "<<", 2))
            depth++;
        else if (c == ']' || bytes_are(file, at, ">>", 2))
            depth--;
        if (depth == 0 || depth > DEPTH_MAX)
            return SIZE_MAX;
        if (depth == 1 && c == '/' && bytes_are(file, at + (uint64_t)1, key, size)) {
            size_t value = at + 1 + size;
            unsigned next = bytes_u8(file, value);
            if (is_blank(next) || (next != 0 && strchr("/([<", (int)next)))
                return skip_blanks(file, value);
        }
        at += bytes_are(file, at, "<<", 2) || bytes_are(file, at, ">>", 2) ? 2 : 1;
    }
    return SIZE_MAX;
}

struct string {
    unsigned char data[4096];
    size_t size;
};

static void
add(struct string *s, unsigned c)
{
    if (s->size < sizeof s->data)
        s->data[s->size++] = (unsigned char)c;
}

/* What a backslash at @at stands for. @return the offset behind it. */
static size_t
take_escape(struct bytes file, size_t at, struct string *s)
{
    static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
    unsigned c = bytes_u8(file, at + (uint64_t)1), value = 0;
    const char *hit = c ? strchr(from, (int)c) : NULL;
    if (c < '0' || c > '7') {
        if (c != '\n' && c != '\r')
            add(s, hit ? (unsigned char)to[hit - from] : c);
        return at + 2;
    }
    size_t end = at + 1;
    while (end < at + 4 && bytes_u8(file, end) >= '0' && bytes_u8(file, end) <= '7')
        value = value * 8 + (file.data[end++] - (unsigned)'0');
    add(s, value & 0xff);
    return end;
}

static void
take_literal(struct bytes file, size_t at, struct string *s)
{
    unsigned depth = 1;
    for (at++; at < file.size && s->size < sizeof s->data;) {
        unsigned c = file.data[at];
        if (c == '\\') {
            at = take_escape(file, at, s);
            continue;
        }
        depth += c == '(';
        depth -= c == ')';
        if (depth == 0)
            return;
        add(s, c);
        at++;
    }
}

static void
take_hex(struct bytes file, size_t at, struct string *s)
{
    static const char digits[] = "0123456789abcdef";
    unsigned value = 0, count = 0;
    for (at++; at < file.size && file.data[at] != '>' && s->size < sizeof s->data;
         at++) {
        const char *hit = file.data[at] ? strchr(digits, file.data[at] | 0x20) : NULL;
        if (!hit || *hit == '\0')
            continue;
        value = value << 4 | (unsigned)(hit - digits);
        if (++count % 2 == 0)
            add(s, value & 0xff);
    }
    if (count % 2 == 1)
        add(s, (value << 4) & 0xff);
}

/* "D:20190108005834+01'00'" as "2019:01:08 00:58:34+01:00". */
static void
put_date(struct result *out, const char *key, const struct string *s)
{
    char text[48];
    const char *d = (const char *)s->data;
    size_t skip = s->size > 2 && memcmp(d, "D:", 2) == 0 ? 2 : 0;
    struct bytes b = bytes_from((struct bytes){s->data, s->size}, skip);
    size_t digits = 0;
    while (digits < b.size && is_digit(b.data[digits]))
        digits++;
    d += skip;
    if (digits != 14) {
        put_text(out, key, b);
        return;
    }
    (void)snprintf(text, sizeof text, "%.4s:%.2s:%.2s %.2s:%.2s:%.2s", d, d + 4, d + 6,
                   d + 8, d + 10, d + 12);
    unsigned zone = bytes_u8(b, 14);
    if (zone == 'Z') {
        strcat(text, "Z");
    } else if ((zone == '+' || zone == '-') && bytes_has(b, 15, 5)) {
        char offset[8];
        (void)snprintf(offset, sizeof offset, "%c%.2s:%.2s", (char)zone, d + 15,
                       d + 18);
        strcat(text, offset);
    }
    put_string(out, key, text);
}

void
pdf_put_string(struct bytes file, size_t at, const char *key, bool date,
               struct result *out)
{
    struct string s = {.size = 0};
    unsigned c = bytes_u8(file, at);
    if (c == '(')
        take_literal(file, at, &s);
    else if (c == '<' && bytes_u8(file, at + (uint64_t)1) != '<')
        take_hex(file, at, &s);
    else
        return;
    struct bytes text = {s.data, s.size};
    if (s.size == 0 && strcmp(key, "Keywords") == 0)
        return; /* an empty list */
    if (s.size == sizeof s.data)
        out->cut = true;
    if (bytes_are(text, 0, "\xfe\xff", 2))
        put_utf16(out, key, bytes_from(text, 2), true);
    else if (date)
        put_date(out, key, &s);
    else
        put_text(out, key, text);
}
