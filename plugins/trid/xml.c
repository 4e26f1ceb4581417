/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a definition as TrIDScan writes it: an XML document <TrID> with Info (FileType,
 * Ext), General (CheckStrings), FrontBlock (Pattern: Bytes in hexadecimal, Pos) and
 * GlobalStrings (String, with an apostrophe for NUL). All these names are of elements
 * that hold text alone, so that it is enough to know which one ended last. Bytes are
 * decoded where they stand.
 */

#include <errno.h>
#include <stdlib.h>

#include "parts.h"

#define NAME_MAX_SIZE 32

struct reader {
    unsigned char *data;
    size_t size, at;
    char name[NAME_MAX_SIZE]; /* of the tag before `at` */
    bool end;                 /* that is an end tag */
    size_t text, text_size;   /* what stands before that tag, after the one before */
};

/* What has been read of the definition. */
struct state {
    struct defs *defs;
    struct definition def;
    struct bytes bytes; /* of the pattern */
    uint32_t at;
    bool root, check; /* strings count only where General says so */
};

static size_t
find(const struct reader *r, size_t from, const char *what)
{
    return bytes_find((struct bytes){r->data, r->size}, from, what, strlen(what));
}

static bool
is_blank(unsigned char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Go behind the next tag, comments and the like left out. @return false at the end. */
static bool
next_tag(struct reader *r)
{
    r->text = r->at;
    for (;;) {
        size_t open = find(r, r->at, "<");
        struct bytes rest = bytes_from((struct bytes){r->data, r->size}, open);
        bool comment = bytes_are(rest, 0, "<!--", 4);
        size_t close = open == SIZE_MAX ? open : find(r, open, comment ? "-->" : ">");

        if (close == SIZE_MAX)
            return false;
        r->text_size = open - r->text;
        r->at = close + (comment ? 3 : 1);
        if (comment || bytes_u8(rest, 1) == '!' || bytes_u8(rest, 1) == '?') {
            r->text = r->at;
            continue;
        }
        size_t n = 0, from = open + 1;
        r->end = r->data[from] == '/';
        for (from += r->end; from < close && n + 1 < NAME_MAX_SIZE; from++) {
            if (is_blank(r->data[from]) || r->data[from] == '/')
                break;
            r->name[n++] = (char)r->data[from];
        }
        r->name[n] = '\0';
        return true;
    }
}

/* The character an entity stands for, or -1. A number is that of a byte. */
static int
entity(const char *name, size_t size)
{
    static const struct {
        const char *name;
        char c;
    } names[] = {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"apos", '\''}, {"quot", '"'}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i].name) == size && memcmp(names[i].name, name, size) == 0)
            return names[i].c;
    if (size < 2 || size > 6 || name[0] != '#')
        return -1;
    char digits[8] = "", *end = NULL;
    bool hex = name[1] == 'x';
    memcpy(digits, name + 1 + hex, size - 1 - hex);
    unsigned long value = strtoul(digits, &end, hex ? 16 : 10);
    return *end || end == digits || value > 255 ? -1 : (int)value;
}

/* The text before the tag without entities, with @apostrophe for an apostrophe. */
static struct bytes
text_of(const struct reader *r, unsigned char apostrophe)
{
    unsigned char *text = r->data + r->text;
    size_t out = 0;

    for (size_t at = 0; at < r->text_size; at++) {
        const unsigned char *end =
            text[at] == '&' ? memchr(text + at, ';', r->text_size - at) : NULL;
        size_t size = end ? (size_t)(end - text) - at - 1 : 0;
        int c = end ? entity((const char *)text + at + 1, size) : -1;

        text[out] = c >= 0 ? (unsigned char)c : text[at];
        if (text[out] == '\'')
            text[out] = apostrophe;
        at += c >= 0 ? size + 1 : 0;
        out++;
    }
    return (struct bytes){text, out};
}

static struct bytes
strip(struct bytes b)
{
    while (b.size > 0 && is_blank(b.data[0]))
        b = (struct bytes){b.data + 1, b.size - 1};
    while (b.size > 0 && is_blank(b.data[b.size - 1]))
        b.size--;
    return b;
}

static int
nibble(unsigned char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

static int
read_hex(const struct reader *r, struct bytes *out)
{
    struct bytes digits = strip(text_of(r, '\''));
    unsigned char *bytes = r->data + r->text;

    if (digits.size % 2)
        return -EBADMSG;
    for (size_t i = 0; i < digits.size; i += 2) {
        int high = nibble(digits.data[i]), low = nibble(digits.data[i + 1]);

        if (high < 0 || low < 0)
            return -EBADMSG;
        bytes[i / 2] = (unsigned char)(high << 4 | low);
    }
    *out = (struct bytes){bytes, digits.size / 2};
    return 0;
}

static int
read_number(const struct reader *r, uint32_t *out)
{
    struct bytes digits = strip(text_of(r, '\''));
    uint32_t value = 0;

    if (digits.size == 0 || digits.size > 9)
        return -EBADMSG;
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return -EBADMSG;
        value = value * 10 + digits.data[i] - '0';
    }
    *out = value;
    return 0;
}

/* An element of this name ended. */
static int
element(struct state *s, const struct reader *r)
{
    if (strcmp(r->name, "FileType") == 0)
        s->def.type = strip(text_of(r, '\''));
    else if (strcmp(r->name, "Ext") == 0)
        s->def.ext = strip(text_of(r, '\''));
    else if (strcmp(r->name, "CheckStrings") == 0)
        s->check = bytes_are(strip(text_of(r, '\'')), 0, "True", 4);
    else if (strcmp(r->name, "Bytes") == 0)
        return read_hex(r, &s->bytes);
    else if (strcmp(r->name, "Pos") == 0)
        return read_number(r, &s->at);
    else if (strcmp(r->name, "String") == 0 && s->check)
        return defs_string(s->defs, &s->def, text_of(r, '\0'));
    else if (strcmp(r->name, "Pattern") == 0) {
        int result = defs_pattern(s->defs, &s->def, s->at, s->bytes);
        s->bytes = (struct bytes){0};
        s->at = 0;
        return result;
    } else if (strcmp(r->name, "TrID") == 0)
        s->root = true;
    return 0;
}

int
xml_read(struct defs *d, unsigned char *data, size_t size)
{
    struct reader r = {.data = data, .size = size};
    struct state s = {.defs = d};
    int result = defs_begin(d, &s.def);

    while (result == 0 && !s.root && next_tag(&r))
        if (r.end)
            result = element(&s, &r);
    if (result == 0 && (!s.root || s.def.patterns == 0))
        result = -EBADMSG;
    if (result < 0)
        s.def.patterns = 0; /* drop what was added */
    int ended = defs_end(d, &s.def);
    return result < 0 ? result : ended;
}
