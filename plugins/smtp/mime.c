/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MIME headers (RFC 2045, 2183, parameters by RFC 2231), printed as the original
 * prints them: what it makes of a broken header decides where it sees attachments.
 * Parameters are few: more than PARAMS_MAX are left out. Called by header.c.
 */

#include <string.h>

#include "parts.h"

#define PARAMS_MAX     ((size_t)1000)
#define ATTRIBUTE_ENDS TSPECIALS "*'%" WSP_CHARS
#define EXTENDED_ENDS  TSPECIALS "*'" WSP_CHARS

/* One parameter, or a piece of one. */
struct param {
    struct str name;
    uint64_t section;
    bool sectioned, extended;
    struct str charset; /* size 0: not named */
    struct buf value;
    bool done;
};

struct params {
    struct param at[PARAMS_MAX];
    size_t count;
};

/* -------------------------------------------------------------- one parameter */

/* A quoted string or a run, with what surrounds it left out. */
static bool
take_value(struct cursor *c, struct buf *out)
{
    struct str run;
    take_cfws(c, NULL);
    if (c->at >= c->end)
        return false;
    if (*c->at == '"') {
        take_quoted(c, out);
    } else {
        if (!take_run(c, EXTENDED_ENDS, &run))
            return false;
        buf_add(out, run.at, run.size);
    }
    take_cfws(c, NULL);
    return true;
}

/* "*N", "*", "*N*" behind the name. @return false: there is no '=' after it. */
static bool
take_section(struct cursor *c, struct param *p)
{
    if (at_one_of(c, "*") && c->end - c->at > 1 && c->at[1] >= '0' && c->at[1] <= '9') {
        p->sectioned = true;
        for (c->at++; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++)
            if (p->section < UINT64_MAX / 20)
                p->section = p->section * 10 + (uint64_t)(*c->at - '0');
    }
    if (at_one_of(c, "*")) {
        p->extended = true;
        c->at++;
    }
    if (!at_one_of(c, "="))
        return false;
    c->at++;
    take_cfws(c, NULL);
    return true;
}

/* charset'language' without the charset, which is read already. */
static bool
take_language(struct cursor *c)
{
    struct str run;
    if (!at_one_of(c, "'"))
        return false;
    c->at++;
    if (c->at < c->end && *c->at != '\'' &&
        (!take_run(c, ATTRIBUTE_ENDS, &run) || !at_one_of(c, "'")))
        return false;
    if (c->at < c->end)
        c->at++;
    return true;
}

/* An extended value that someone put in quotes: its content is read as the value.
 * @return false: it is taken as an ordinary quoted string instead. */
static bool
take_quoted_extended(struct cursor *c, struct param *p)
{
    BUF_AUTO inner = {0};
    const char *from = c->at;
    struct str run;
    take_quoted(c, &inner);
    struct cursor in = {.charsets = c->charsets, .at = str_of(&inner).at};
    in.end = in.at + inner.size;
    if (p->section == 0) {
        const char *start = in.at;
        const bool mark = at_one_of(&in, "'") ||
                          (take_run(&in, ATTRIBUTE_ENDS, &run) && at_one_of(&in, "'"));
        const char *first = mark ? in.at + 1 : in.end;
        const char *second =
            first < in.end ? memchr(first, '\'', (size_t)(in.end - first)) : NULL;
        if (!mark || !second) {
            c->at = from;
            return false;
        }
        BUF_AUTO charset = {0};
        buf_add(&charset, start, (size_t)(in.at - start));
        buf_add(&p->value, second + 1, (size_t)(in.end - second - 1));
        /* the name lies in the header too */
        const char *name = charset.size ? memmem(from, (size_t)(c->at - from),
                                                 charset.data, charset.size)
                                        : NULL;
        if (name)
            p->charset = (struct str){name, charset.size};
    } else {
        if (!take_run(&in, EXTENDED_ENDS, &run) || in.at < in.end) {
            c->at = from;
            return false;
        }
        buf_add(&p->value, inner.data, inner.size);
    }
    take_cfws(c, NULL);
    return true;
}

static bool
take_param_value(struct cursor *c, struct param *p)
{
    if (p->extended && at_one_of(c, "\"") && take_quoted_extended(c, p))
        return true;
    const bool bare = at_one_of(c, "'");
    const char *from = c->at;
    if (!bare && !take_value(c, &p->value))
        return false;
    if ((!p->extended || p->section > 0) && !at_one_of(c, "'"))
        return true;
    if (c->at >= c->end)
        return true;
    /* the charset is a slice of the header, because the value is read over it */
    struct cursor name = {.at = from, .end = c->at};
    take_cfws(&name, NULL);
    if (bare || !take_run(&name, EXTENDED_ENDS, &p->charset))
        p->charset = (struct str){from, 0};
    if (!take_language(c))
        return false;
    p->value.size = 0;
    return take_value(c, &p->value);
}

static bool
take_param(struct cursor *c, struct param *p)
{
    take_cfws(c, NULL);
    if (!take_run(c, ATTRIBUTE_ENDS, &p->name))
        return false;
    take_cfws(c, NULL);
    if (c->at >= c->end || *c->at == ';')
        return true;
    return take_section(c, p) && take_param_value(c, p);
}

static void
take_params(struct cursor *c, struct params *all)
{
    BUF_AUTO junk = {0};
    while (c->at < c->end) {
        struct param one = {0};
        const char *from = c->at;
        if (!take_param(c, &one)) {
            buf_free(&one.value);
            c->at = from;
            take_cfws(c, NULL);
        } else if (all->count < PARAMS_MAX) {
            all->at[all->count++] = one;
        } else {
            buf_free(&one.value);
        }
        take_invalid(c, ";", &junk);
        junk.size = 0;
        if (c->at < c->end)
            c->at++;
    }
}

/* ------------------------------------------------------------ all of one name */

static bool
same_name(const struct param *a, const struct param *b)
{
    return a->name.size == b->name.size &&
           memcmp(a->name.at, b->name.at, a->name.size) == 0;
}

static void
percent_decode(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.size; i++) {
        unsigned value = 0, digits = 0;
        for (; s.at[i] == '%' && digits < 2 && i + 1 + digits < s.size; digits++) {
            const char c = s.at[i + 1 + digits];
            const char *hex = "0123456789abcdef";
            const char *hit = one_of(c, "ABCDEF") ? hex + 10 + (c - 'A')
                              : c                 ? strchr(hex, c)
                                                  : NULL;
            if (!hit)
                break;
            value = value << 4 | (unsigned)(hit - hex);
        }
        buf_addc(out, digits == 2 ? (char)value : s.at[i]);
        i += digits == 2 ? 2 : 0;
    }
}

static void
add_value(const struct charsets *cs, const struct param *p, struct str charset,
          struct buf *out)
{
    if (!p->extended) {
        buf_add(out, p->value.data, p->value.size);
        return;
    }
    BUF_AUTO bytes = {0};
    percent_decode(&bytes, str_of(&p->value));
    out->failed = out->failed || bytes.failed;
    const struct str s = str_of(&bytes);
    if (!charset.size || charset_decode(cs, charset, s, BAD_KEEP, out) < 0)
        buf_add(out, s.at, s.size);
}

/* The piece of @first's name with the least section that is not done; the one that came
 * first among equals. */
static struct param *
next_piece(struct params *all, size_t first)
{
    struct param *best = NULL;
    for (size_t i = first; i < all->count; i++) {
        struct param *p = &all->at[i];
        if (!p->done && same_name(p, &all->at[first]) &&
            (!best || p->section < best->section))
            best = p;
    }
    return best;
}

/* The value of all pieces with the name of @first. */
static void
join_pieces(const struct charsets *cs, struct params *all, size_t first,
            struct buf *out)
{
    struct param *lead = next_piece(all, first);
    uint64_t expected = 0;
    bool alone = false;
    for (struct param *p = lead; p; p = next_piece(all, first)) {
        p->done = true;
        if (alone)
            continue;
        if (p->section != expected && !p->extended)
            continue;
        if (p != lead && p->section == 0 && !lead->extended) {
            alone = true; /* given twice: the first counts */
            continue;
        }
        expected++;
        add_value(cs, p, lead->charset, out);
    }
}

static void
add_params(const struct charsets *cs, struct params *all, struct buf *out)
{
    const char *separator = " ";
    for (size_t i = 0; i < all->count; i++) {
        if (all->at[i].done)
            continue;
        BUF_AUTO value = {0};
        join_pieces(cs, all, i, &value);
        buf_adds(out, separator);
        buf_add(out, all->at[i].name.at, all->at[i].name.size);
        if (value.size) {
            buf_addc(out, '=');
            quote_string(out, str_of(&value));
        }
        out->failed = out->failed || value.failed;
        separator = "; ";
    }
}

static void
parse_params(struct cursor *c, struct buf *out)
{
    struct params all;
    all.count = 0;
    take_params(c, &all);
    add_params(c->charsets, &all, out);
    for (size_t i = 0; i < all.count; i++)
        buf_free(&all.at[i].value);
}

/* ---------------------------------------------------------------------- headers */

static bool
take_token(struct cursor *c, struct buf *out)
{
    const char *from = c->at;
    const size_t before = out->size;
    struct str run;
    take_cfws(c, out);
    if (!take_run(c, TSPECIALS WSP_CHARS, &run)) {
        c->at = from;
        out->size = before;
        return false;
    }
    buf_add(out, run.at, run.size);
    take_cfws(c, out);
    return true;
}

/* The rest: what is in the way of the parameters stays, as text. */
static void
take_rest(struct cursor *c, struct buf *out)
{
    take_invalid(c, ";", out);
    if (c->at < c->end) {
        buf_addc(out, *c->at++);
        parse_params(c, out);
    }
}

void
header_content_type(struct cursor *c, struct buf *out)
{
    if (take_token(c, out) && at_one_of(c, "/")) {
        buf_addc(out, *c->at++);
        (void)take_token(c, out);
    }
    take_rest(c, out);
}

void
header_disposition(struct cursor *c, struct buf *out)
{
    (void)take_token(c, out);
    take_rest(c, out);
}

void
header_encoding(struct cursor *c, struct buf *out)
{
    (void)take_token(c, out);
    take_invalid(c, "", out);
}
