/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of a fixed shape: IPv4, IPv6 and hardware addresses, matched at one place,
 * each in a bounded number of steps. What they match is what the original's expressions
 * do, so also parts of longer texts and, for IPv6, texts that are no address.
 */

#include "parts.h"

#define GROUPS_MAX 7

/* Digits of a number up to 255 from @at on that are followed by a dot, or 0. */
static size_t
whole_octet(const struct text *t, size_t at)
{
    size_t n = 0;

    while (n < 4 && text_is(t, at + n, DIGIT))
        n++;
    if (n == 0 || n > 3)
        return 0;
    const unsigned char *d = t->at + at;
    if (n == 3 &&
        (d[0] > '2' || (d[0] == '2' && (d[1] > '5' || (d[1] == '5' && d[2] > '5')))))
        return 0;
    return n;
}

/* The same for the last one: as many digits as can be, whatever follows. */
static size_t
last_octet(const struct text *t, size_t at)
{
    size_t n = 0;

    while (n < 3 && text_is(t, at + n, DIGIT))
        n++;
    if (n < 3 || t->at[at] < '2')
        return n;
    const unsigned char *d = t->at + at;
    bool three = d[0] == '2' && (d[1] < '5' || (d[1] == '5' && d[2] <= '5'));
    return three ? 3 : 2;
}

size_t
find_ipv4(const struct text *t, size_t at)
{
    if (!text_is(t, at, DIGIT) || !text_edge(t, at))
        return 0;
    for (int i = 0; i < 3; i++) {
        size_t digits = whole_octet(t, at), dot = digits ? text_dot(t, at + digits) : 0;

        if (dot == 0)
            return 0;
        at += digits + dot;
    }
    size_t digits = last_octet(t, at);
    return digits ? at + digits : 0;
}

size_t
find_mac(const struct text *t, size_t at)
{
    for (int i = 0; i < 6; i++, at += 3) {
        bool last = i == 5;

        if (!text_is(t, at, HEX) || !text_is(t, at + 1, HEX))
            return 0;
        if (!last &&
            (at + 2 >= t->size || (t->at[at + 2] != ':' && t->at[at + 2] != '-')))
            return 0;
        if (last && !text_edge(t, at + 2))
            return 0;
    }
    return at - 1;
}

/* How many hexadecimal digits there are from @at on, counted up to five. */
static size_t
hex_digits(const struct text *t, size_t at)
{
    size_t n = 0;

    while (n < 5 && text_is(t, at + n, HEX))
        n++;
    return n;
}

static bool
two_colons(const struct text *t, size_t at)
{
    return at + 1 < t->size && t->at[at] == ':' && t->at[at + 1] == ':';
}

/* Where an address may end: after two colons, or with a word. 0 = not here. */
static size_t
address_end(const struct text *t, size_t at)
{
    return two_colons(t, at) ? at + 2 : text_edge(t, at) ? at : 0;
}

/* Up to @left times a dot and one to three digits, as many as possible, such that the
 * address may end after them, if @ends asks for that. */
// NOLINTNEXTLINE(misc-no-recursion): at most three deep
static size_t
dotted_end(const struct text *t, size_t at, int left, bool ends)
{
    if (left == 0)
        return ends ? address_end(t, at) : at;
    size_t digits = 0;
    if (at < t->size && t->at[at] == '.')
        while (digits < 3 && text_is(t, at + 1 + digits, DIGIT))
            digits++;
    for (; digits > 0; digits--) {
        size_t end = dotted_end(t, at + 1 + digits, left - 1, ends);

        if (end)
            return end;
    }
    return dotted_end(t, at, left - 1, ends);
}

/* Up to seven groups with colons between them, then a last one and what follows it. */
static size_t
groups_end(const struct text *t, size_t at)
{
    size_t starts[GROUPS_MAX];
    int n = 0;

    while (n < GROUPS_MAX) {
        size_t digits = hex_digits(t, at), colon = at + digits;

        if (digits == 0 || digits > 4 || colon >= t->size || t->at[colon] != ':')
            break;
        at = colon + (two_colons(t, colon) ? 2 : 1);
        starts[n++] = at;
    }
    while (n-- > 0) {
        size_t digits = hex_digits(t, starts[n]);

        for (digits = digits > 4 ? 4 : digits; digits > 0; digits--) {
            size_t end = dotted_end(t, starts[n] + digits, 3, true);

            if (end)
                return end;
        }
    }
    return 0;
}

size_t
find_ipv6(const struct text *t, size_t at)
{
    bool colons = two_colons(t, at);
    size_t digits = hex_digits(t, colons ? at + 2 : at);
    size_t end = colons || text_edge(t, at) ? groups_end(t, colons ? at + 2 : at) : 0;

    if (end || digits == 0)
        return end;
    if (!colons)
        return digits <= 4 && two_colons(t, at + digits) ? at + digits + 2 : 0;
    return dotted_end(t, at + 2 + (digits > 4 ? 4 : digits), 3, false);
}
