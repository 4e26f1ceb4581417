/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RTF as Word reads it, as far as it takes to find \objdata: groups, control words and
 * symbols, \bin, \'xx. What malware puts between the hex digits does not hide them.
 * One pass without recursion; a file without its closing braces is closed at the end.
 * Format: RTF specification 1.9.1; which of its words are obeyed follows the original.
 */

#include <common/auto.h>

#include "parts.h"

/* As far as a control word with its number is looked at. */
#define WORD_WINDOW ((size_t)254)
#define WORD_MAX    ((size_t)250)

/* Hex digits, two in a byte. */
struct digits {
    unsigned char *data;
    size_t count, room; /* digits, bytes */
};

struct destination {
    int64_t level; /* of the group it lies in */
    bool object;
    struct digits digits;
};

struct parser {
    struct bytes rtf;
    size_t at;
    int64_t level;
    struct destination *stack; /* the document itself is not in it */
    size_t count, room;
    size_t deepest;
    rtf_object_fn *each;
    void *self;
    int error;
};

/* ------------------------------------------------------------------------- digits */

static void
add_digit(struct parser *p, struct digits *d, unsigned value)
{
    if (d->count / 2 >= d->room) {
        const size_t room = d->room ? 2 * d->room : 256;
        unsigned char *grown = realloc(d->data, room);
        if (!grown) {
            p->error = -ENOMEM;
            return;
        }
        d->data = grown;
        d->room = room;
    }
    unsigned char *byte = &d->data[d->count / 2];
    *byte = (unsigned char)(d->count % 2 ? *byte | value : value << 4);
    d->count++;
}

static int
digit_value(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* -------------------------------------------------------------------- destinations */

/* The object whose data the text at hand is, or NULL. */
static struct digits *
object_digits(struct parser *p)
{
    if (p->count == 0 || !p->stack[p->count - 1].object)
        return NULL;
    return &p->stack[p->count - 1].digits;
}

static void
close_destination(struct parser *p)
{
    if (p->count == 0)
        return;
    struct destination *d = &p->stack[--p->count];
    if (d->object && p->error == 0)
        p->error =
            p->each(p->self, (struct bytes){d->digits.data ? d->digits.data
                                                           : (unsigned char[]){0},
                                            d->digits.count / 2});
    free(d->digits.data);
}

static void
open_destination(struct parser *p, bool object)
{
    if (p->count > 0 && p->stack[p->count - 1].level == p->level)
        close_destination(p);
    if (p->count >= RTF_DESTINATIONS_MAX) {
        p->deepest = p->count;
        return;
    }
    if (p->count == p->room) {
        const size_t room = p->room ? 2 * p->room : 64;
        struct destination *grown = realloc(p->stack, room * sizeof *grown);
        if (!grown) {
            p->error = -ENOMEM;
            return;
        }
        p->stack = grown;
        p->room = room;
    }
    p->stack[p->count++] = (struct destination){.level = p->level, .object = object};
}

static void
close_group(struct parser *p)
{
    if (p->count > 0 && p->stack[p->count - 1].level == p->level)
        close_destination(p);
    p->level--;
}

/* --------------------------------------------------------------------------- words */

static bool
is_letter(unsigned char c)
{
    c |= 0x20;
    return c >= 'a' && c <= 'z';
}

static bool
is_number(unsigned char c)
{
    return c >= '0' && c <= '9';
}

/* The bytes that \bin announces are data, whatever they look like. */
static void
take_binary(struct parser *p, uint64_t size)
{
    if (bytes_u8(p->rtf, p->at) == ' ')
        p->at++;
    const size_t left = p->at < p->rtf.size ? p->rtf.size - p->at : 0;
    if (size > left)
        size = left;
    struct digits *d = object_digits(p);
    for (size_t i = 0; d && i < size && p->error == 0; i++) {
        add_digit(p, d, p->rtf.data[p->at + i] >> 4);
        add_digit(p, d, p->rtf.data[p->at + i] & 15U);
    }
    p->at += (size_t)size;
}

/* The cursor is at a backslash with a letter behind it. */
static void
take_word(struct parser *p)
{
    char word[WORD_MAX + 1];
    const struct bytes in = bytes_from(p->rtf, p->at);
    const size_t end = in.size < WORD_WINDOW ? in.size : WORD_WINDOW;
    size_t i = 1, n = 0;
    for (; i < end && is_letter(in.data[i]); i++)
        if (n < WORD_MAX)
            word[n++] = (char)in.data[i];
    word[n] = '\0';
    const bool negative = i + 1 < end && in.data[i] == '-' && is_number(in.data[i + 1]);
    uint64_t number = 0;
    for (i += negative; i < end && is_number(in.data[i]); i++)
        if (number < UINT64_MAX / 20)
            number = number * 10 + (uint64_t)(in.data[i] - '0');
    p->at += i;
    if (rtf_is_destination(word))
        open_destination(p, strcmp(word, "objdata") == 0);
    if (strcmp(word, "bin") == 0)
        take_binary(p, negative ? 0 : number);
}

/* The cursor is at a backslash with something else behind it. */
static void
take_symbol(struct parser *p)
{
    struct digits *d = object_digits(p);
    const bool hex = bytes_u8(p->rtf, p->at + 1) == '\'';
    p->at += hex ? 4 : 2;
    if (hex && d && d->count % 2) /* Word then forgets the digit before */
        d->count--;
}

static void
take_text(struct parser *p)
{
    struct digits *d = object_digits(p);
    for (; p->at < p->rtf.size; p->at++) {
        const unsigned char c = p->rtf.data[p->at];
        if (c == '{' || c == '}' || c == '\\')
            return;
        const int value = d ? digit_value(c) : -1;
        if (value >= 0)
            add_digit(p, d, (unsigned)value);
    }
}

static void
step(struct parser *p)
{
    switch (p->rtf.data[p->at]) {
    case '{':
        p->level++;
        p->at++;
        return;
    case '}':
        close_group(p);
        p->at++;
        return;
    case '\\':
        if (is_letter(bytes_u8(p->rtf, p->at + 1)))
            take_word(p);
        else
            take_symbol(p);
        return;
    default:
        take_text(p);
    }
}

int
rtf_parse(struct bytes rtf, rtf_object_fn *each, void *self, size_t *deepest)
{
    struct parser p = {.rtf = rtf, .each = each, .self = self};
    while (p.at < rtf.size && p.error == 0)
        step(&p);
    while (p.count > 0)
        close_destination(&p);
    free(p.stack);
    *deepest = p.deepest;
    return p.error;
}
