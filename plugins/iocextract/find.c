/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the indicators of a text in one pass. Each kind is looked for where a character
 * stands that it cannot be without - a dot, an at sign, a colon, the start of a word -
 * and from there as the original's expression matches: leftmost first, then with as
 * many labels as possible, each match beginning after the one before it.
 */

#include <arpa/inet.h>
#include <string.h>

#include "parts.h"

/* Of a host name: labels before the last but one, and the last one's size. */
#define LABELS_MAX 4
#define LABEL_MIN  2
#define LABEL_MAX  50
/* Longest text that may be an IPv6 address, with a NUL. */
#define IPV6_TEXT 64

/* Ends of the names whose first label ends at one dot: with no other label before the
 * top-level domain, and with as many as there can be. 0 = none. */
struct ends {
    size_t one, more;
};

static struct ends
name_ends(const struct known *k, const struct text *t, size_t dot)
{
    size_t at = dot + text_dot(t, dot);
    struct ends ends = {known_tld(k, t, at), 0};

    for (int i = 0; i < LABELS_MAX; i++) {
        size_t end = text_run(t, at, LABEL), token = text_dot(t, end);

        if (end == at || token == 0)
            break;
        size_t last = end - at >= LABEL_MIN && end - at <= LABEL_MAX
                          ? known_tld(k, t, end + token)
                          : 0;
        ends.more = last ? last : ends.more;
        at = end + token;
    }
    return ends;
}

size_t
find_name_here(const struct known *k, const struct text *t, size_t at)
{
    size_t dot = text_run(t, at, LABEL);

    if (dot == at || !text_edge(t, at) || text_dot(t, dot) == 0)
        return 0;
    struct ends ends = name_ends(k, t, dot);
    bool fits = dot - at >= LABEL_MIN && dot - at <= LABEL_MAX;
    return ends.more ? ends.more : fits ? ends.one : 0;
}

/* First place from @from on and before @to where a word begins or ends, or @to. */
static size_t
first_edge(const struct text *t, size_t from, size_t to)
{
    while (from < to && !text_edge(t, from))
        from++;
    return from;
}

/* Start of the characters of a class before @end, not before @past. */
static size_t
run_start(const struct text *t, size_t past, size_t end, unsigned char_class)
{
    while (end > past && text_is(t, end - 1, char_class))
        end--;
    return end;
}

bool
find_name(const struct known *k, const struct text *t, size_t past, size_t dot,
          size_t span[2])
{
    if (dot <= past || !text_is(t, dot - 1, LABEL))
        return false;
    struct ends ends = name_ends(k, t, dot);
    size_t to = dot, from = past;
    if (!ends.more && !ends.one)
        return false;
    if (!ends.more) { /* then the first label is the last one, and bounded */
        if (dot < LABEL_MIN)
            return false;
        to = dot - LABEL_MIN + 1;
        from = dot > LABEL_MAX && dot - LABEL_MAX > past ? dot - LABEL_MAX : past;
    }
    span[0] = first_edge(t, run_start(t, from, dot, LABEL), to);
    span[1] = ends.more ? ends.more : ends.one;
    return span[0] < to;
}

static int
report(struct finder *f, enum ioc type, size_t from, size_t end)
{
    f->past[type] = end;
    return f->found(f->user, type, f->text->at + from, end - from);
}

static int
at_dot(struct finder *f, size_t dot)
{
    size_t span[2];

    return find_name(f->known, f->text, f->past[IOC_DOMAIN], dot, span)
               ? report(f, IOC_DOMAIN, span[0], span[1])
               : 0;
}

static int
at_sign(struct finder *f, size_t sign, size_t size)
{
    const struct text *t = f->text;
    size_t past = f->past[IOC_EMAIL];

    if (sign <= past || !text_is(t, sign - 1, LOCAL))
        return 0;
    size_t end = find_name_here(f->known, t, sign + size);
    if (!end)
        return 0;
    size_t from = first_edge(t, run_start(t, past, sign, LOCAL), sign);
    return from < sign ? report(f, IOC_EMAIL, from, end) : 0;
}

static int
at_scheme(struct finder *f, size_t colon)
{
    const struct text *t = f->text;
    size_t scheme = text_scheme(t, colon), host = colon + 3;

    if (scheme == 0 || colon - scheme < f->past[IOC_URL])
        return 0;
    size_t end = find_name_here(f->known, t, host);
    end = end ? end : find_ipv4(t, host);
    end = end ? end : find_ipv6(t, host);
    if (!end)
        return 0;
    if (end < t->size && (t->at[end] == ':' || t->at[end] == '/'))
        end = text_run(t, end + 1, TAIL);
    return report(f, IOC_URL, colon - scheme, end);
}

static bool
is_ipv6(const unsigned char *data, size_t size)
{
    char copy[IPV6_TEXT];
    struct in6_addr address;

    if (size >= sizeof copy)
        return false;
    memcpy(copy, data, size);
    copy[size] = '\0';
    return inet_pton(AF_INET6, copy, &address) == 1;
}

/* An IPv6 address begins at its first colon or at most four digits before. */
static int
at_colon(struct finder *f, size_t colon)
{
    const struct text *t = f->text;
    size_t past = f->past[IOC_IPV6];

    if (colon < past)
        return 0;
    if (colon > 4 && colon - 4 > past)
        past = colon - 4;
    for (size_t from = run_start(t, past, colon, HEX); from <= colon; from++) {
        size_t end = find_ipv6(t, from);

        if (!end)
            continue;
        f->past[IOC_IPV6] = end;
        return is_ipv6(t->at + from, end - from) ? report(f, IOC_IPV6, from, end) : 0;
    }
    return 0;
}

static int
at_anchor(struct finder *f, size_t at)
{
    if (f->text->at[at] == ':') {
        int r = at_scheme(f, at);
        return r ? r : at_colon(f, at);
    }
    size_t sign = text_at_sign(f->text, at);
    if (sign)
        return at_sign(f, at, sign);
    return text_dot(f->text, at) ? at_dot(f, at) : 0;
}

/* What is one word, or begins where a word does. */
static int
at_word(struct finder *f, size_t from, size_t end)
{
    static const struct {
        size_t size;
        enum ioc type;
    } digests[] = {{32, IOC_MD5}, {40, IOC_SHA1}, {64, IOC_SHA256}, {128, IOC_SHA512}};
    const struct text *t = f->text;

    for (size_t i = 0; end - from >= 32 && i < sizeof digests / sizeof *digests; i++)
        if (end - from == digests[i].size && text_run(t, from, HEX) == end)
            return report(f, digests[i].type, from, end);
    size_t stop = end - from <= 3 && from >= f->past[IOC_IPV4] ? find_ipv4(t, from) : 0;
    if (stop) {
        int r = report(f, IOC_IPV4, from, stop);
        if (r < 0)
            return r;
    }
    stop = end - from == 2 && from >= f->past[IOC_MAC] ? find_mac(t, from) : 0;
    return stop ? report(f, IOC_MAC, from, stop) : 0;
}

int
find_all(struct finder *f)
{
    const struct text *t = f->text;
    int r = 0;

    for (size_t at = 0; r >= 0 && at < t->size;) {
        unsigned char class = text_classes[t->at[at]];

        if (class & WORD) {
            size_t end = text_run(t, at, WORD);

            if (class & HEX)
                r = at_word(f, at, end);
            at = end;
            continue;
        }
        if (class & ANCHOR)
            r = at_anchor(f, at);
        at++;
    }
    return r;
}
