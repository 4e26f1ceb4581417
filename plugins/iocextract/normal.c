/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Normalises an indicator: brackets and words for dots and at signs become these, the
 * scheme of a URL becomes http or https, and what looks like a host name, wherever it
 * stands, becomes lower case. Nothing gets longer, so it is done in place.
 */

#include <string.h>

#include "parts.h"

typedef size_t mark_fn(const struct text *t, size_t at);

static size_t
replace(unsigned char *data, size_t size, mark_fn *length, unsigned char plain)
{
    const struct text t = {data, size, NULL};
    size_t out = 0;

    for (size_t at = 0; at < size;) {
        size_t mark = text_is(&t, at, ANCHOR) ? length(&t, at) : 0;

        data[out++] = mark ? plain : data[at];
        at += mark ? mark : 1;
    }
    return out;
}

static void
set_schemes(unsigned char *data, size_t size)
{
    const struct text t = {data, size, NULL};

    for (size_t at = 0; at < size; at++) {
        size_t scheme = data[at] == ':' ? text_scheme(&t, at) : 0;

        if (scheme)
            memcpy(data + at - scheme, "https", scheme);
    }
}

static void
lower(unsigned char *data, size_t from, size_t to)
{
    for (; from < to; from++)
        if (data[from] >= 'A' && data[from] <= 'Z')
            data[from] = (unsigned char)(data[from] - 'A' + 'a');
}

/* One of the expressions that lower what they match. */
typedef bool span_fn(const struct known *k, const struct text *t, size_t past,
                     size_t dot, size_t span[2]);

static bool
tld_span(const struct known *k, const struct text *t, size_t past, size_t dot,
         size_t span[2])
{
    (void)past;
    span[0] = dot;
    span[1] = known_tld(k, t, dot + text_dot(t, dot));
    return span[1] > 0;
}

/* Up to fifty characters of one label, wherever they begin, and the domain. */
static bool
label_span(const struct known *k, const struct text *t, size_t past, size_t dot,
           size_t span[2])
{
    size_t from = dot;

    while (from > past && dot - from < 50 && text_is(t, from - 1, LABEL))
        from--;
    bool found = dot - from >= 2 && tld_span(k, t, past, dot, span);
    span[0] = from;
    return found;
}

size_t
normalise(const struct known *k, unsigned char *data, size_t size)
{
    static span_fn *const lowered[] = {tld_span, label_span, find_name};

    size = replace(data, size, text_dot, '.');
    size = replace(data, size, text_at_sign, '@');
    set_schemes(data, size);
    const struct text t = {data, size, NULL};
    for (size_t i = 0; i < sizeof lowered / sizeof *lowered; i++) {
        size_t past = 0;

        for (size_t at = 0; at < size; at++) {
            size_t span[2];

            if (at < past || !text_is(&t, at, ANCHOR) || text_dot(&t, at) == 0 ||
                !lowered[i](k, &t, past, at, span))
                continue;
            lower(data, span[0], span[1]);
            past = span[1];
        }
    }
    return size;
}
