/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict, non-allocating JSON checker for scanners' documents; see document.h. It may
 * refuse what a lenient parser takes (very long numbers), never the other way round.
 * Called by the pool's thread; no state, no lock.
 */
#include "pool/document.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "util/json.h"

/* jansson keeps integers in 64 bits and reals in a double; longer ones are refused */
#define INTEGER_DIGITS 18
#define REAL_DIGITS    64
#define EXPONENT_MAX   200

/** What the next value must be. */
enum wanted { WANTED_NONE, WANTED_SCAN_ID, WANTED_VERDICT };

struct cursor {
    const char *at, *end;
    struct stoq_document_facts *facts;
    enum wanted wanted;
    bool in_key;
    unsigned verdicts, scan_ids;
};

struct span {
    const char *text;
    size_t size;
};

static void
blanks(struct cursor *c)
{
    while (c->at < c->end &&
           (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t'))
        c->at++;
}

static bool
literal(struct cursor *c, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0)
        return false;
    c->at += n;
    return true;
}

static size_t
digits(struct cursor *c)
{
    const char *from = c->at;

    while (c->at < c->end && *c->at >= '0' && *c->at <= '9')
        c->at++;
    return (size_t)(c->at - from);
}

static bool
exponent(struct cursor *c)
{
    unsigned value = 0;
    const char *from;
    size_t n;

    if (c->at < c->end && (*c->at == '+' || *c->at == '-'))
        c->at++;
    from = c->at;
    n = digits(c);
    for (size_t i = 0; i < n && value <= EXPONENT_MAX; i++)
        value = value * 10 + (unsigned)(from[i] - '0');
    return n > 0 && value <= EXPONENT_MAX;
}

static bool
number(struct cursor *c)
{
    const char *from;
    bool real = false;
    size_t n;

    if (*c->at == '-')
        c->at++;
    from = c->at;
    n = digits(c);
    if (n == 0 || (n > 1 && *from == '0'))
        return false;
    if (c->at < c->end && *c->at == '.') {
        c->at++;
        real = true;
        if (digits(c) == 0)
            return false;
    }
    if (c->at < c->end && (*c->at == 'e' || *c->at == 'E')) {
        c->at++;
        real = true;
        if (!exponent(c))
            return false;
    }
    return n <= (real ? REAL_DIGITS : INTEGER_DIGITS);
}

/** The four digits of a \u escape; -1 when they are not four. */
static int
hex4(struct cursor *c)
{
    int value = 0;

    if (c->end - c->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char ch = *c->at++;

        value *= 16;
        if (ch >= '0' && ch <= '9')
            value += ch - '0';
        else if ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f')
            value += (ch | 0x20) - 'a' + 10;
        else
            return -1;
    }
    return value;
}

static bool
escape(struct cursor *c)
{
    char ch;
    int unit;

    if (c->at == c->end)
        return false;
    ch = *c->at++;
    if (ch != 'u')
        return ch != '\0' && strchr("\"\\/bfnrt", ch) != NULL;
    unit = hex4(c);
    /* A NUL is text like any other in a value; a parser refuses it in a key. */
    if (unit < 0 || (unit == 0 && c->in_key) || (unit >= 0xdc00 && unit <= 0xdfff))
        return false;
    if (unit < 0xd800 || unit > 0xdbff)
        return true;
    if (!literal(c, "\\u"))
        return false;
    unit = hex4(c);
    return unit >= 0xdc00 && unit <= 0xdfff;
}

/** A string; the cursor is at its first quote. Escapes stay as they are in @p out. */
static bool
string(struct cursor *c, struct span *out)
{
    if (c->at == c->end || *c->at != '"')
        return false;
    out->text = ++c->at;
    while (c->at < c->end && *c->at != '"') {
        unsigned char ch = (unsigned char)*c->at++;

        if (ch < 0x20 || (ch == '\\' && !escape(c)))
            return false;
    }
    if (c->at == c->end)
        return false;
    out->size = (size_t)(c->at - out->text);
    c->at++;
    return true;
}

static bool
uuid_shaped(const struct span *s)
{
    if (s->size != STOQ_UUID_SIZE - 1)
        return false;
    for (size_t i = 0; i < s->size; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = strchr("0123456789abcdef", s->text[i]) != NULL && s->text[i] != '\0';

        if (dash ? s->text[i] != '-' : !hex)
            return false;
    }
    return true;
}

static bool
same(const struct span *s, const char *text)
{
    return s->size == strlen(text) && memcmp(s->text, text, s->size) == 0;
}

/** A member of the document itself. One written with escapes could be a second verdict
 *  in disguise, of which a parser would see the last. */
static bool
note_key(struct cursor *c, const struct span *key)
{
    if (memchr(key->text, '\\', key->size))
        return false;
    c->wanted = WANTED_NONE;
    if (same(key, "scan_id")) {
        c->wanted = WANTED_SCAN_ID;
        return c->scan_ids++ == 0;
    }
    if (same(key, "verdict")) {
        c->wanted = WANTED_VERDICT;
        return c->verdicts++ == 0;
    }
    return true;
}

static bool
note_value(struct cursor *c, const struct span *value)
{
    char name[16];

    if (c->wanted == WANTED_SCAN_ID) {
        if (!uuid_shaped(value))
            return false;
        memcpy(c->facts->scan_id, value->text, value->size);
        c->facts->scan_id[value->size] = '\0';
        return true;
    }
    if (value->size >= sizeof(name))
        return false;
    memcpy(name, value->text, value->size);
    name[value->size] = '\0';
    return stoq_verdict_parse(name, &c->facts->verdict) == 0;
}

static bool
scalar(struct cursor *c)
{
    struct span value;

    if (c->wanted != WANTED_NONE) {
        if (!string(c, &value) || !note_value(c, &value))
            return false;
        c->wanted = WANTED_NONE;
        return true;
    }
    switch (*c->at) {
    case '"':
        return string(c, &value);
    case 't':
        return literal(c, "true");
    case 'f':
        return literal(c, "false");
    case 'n':
        return literal(c, "null");
    default:
        return number(c);
    }
}

/** Containers open around the cursor. */
struct nest {
    bool object[STOQ_JSON_MAX_DEPTH];
    unsigned depth;
};

/** Up to the value of an object's next member. */
static bool
member(struct cursor *c, const struct nest *n)
{
    struct span key;

    blanks(c);
    c->in_key = true;
    bool sound = string(c, &key);
    c->in_key = false;
    if (!sound || (n->depth == 1 && !note_key(c, &key)))
        return false;
    blanks(c);
    return literal(c, ":");
}

/** After a value: commas and closing brackets, up to where the next value begins. */
static bool
after(struct cursor *c, struct nest *n)
{
    while (n->depth > 0) {
        bool object = n->object[n->depth - 1];

        blanks(c);
        if (literal(c, ","))
            return !object || member(c, n);
        if (!literal(c, object ? "}" : "]"))
            return false;
        n->depth--;
    }
    return true;
}

/** A bracket was seen: enter the container. @p empty tells that it closed at once. */
static bool
enter(struct cursor *c, struct nest *n, bool *empty)
{
    bool object = *c->at == '{';

    if (n->depth == STOQ_JSON_MAX_DEPTH)
        return false;
    c->at++;
    blanks(c);
    *empty = literal(c, object ? "}" : "]");
    if (*empty)
        return true;
    n->object[n->depth++] = object;
    return !object || member(c, n);
}

static bool
walk(struct cursor *c)
{
    struct nest nest = {.depth = 0};
    bool empty = false;

    do {
        blanks(c);
        if (c->at == c->end)
            return false;
        if (c->wanted == WANTED_NONE && (*c->at == '{' || *c->at == '[')) {
            if (!enter(c, &nest, &empty))
                return false;
            if (!empty)
                continue;
        } else if (!scalar(c)) {
            return false;
        }
        if (!after(c, &nest))
            return false;
    } while (nest.depth > 0);
    blanks(c);
    return c->at == c->end;
}

int
stoq_document_check(const char *text, size_t size, struct stoq_document_facts *out)
{
    struct cursor c = {.at = text, .end = text + size, .facts = out};

    if (size == 0 || *text != '{' || memchr(text, '\0', size) ||
        !stoq_utf8_valid(text, size))
        return -EPROTO;
    return walk(&c) && c.verdicts == 1 && c.scan_ids == 1 ? 0 : -EPROTO;
}
