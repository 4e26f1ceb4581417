/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header values as the original gives them: by the header's name one of the kinds that
 * Python's email package knows (policy "default"), everything else unstructured text
 * with encoded words. Broken values are read as far as possible and never an error.
 */

#include <string.h>

#include "parts.h"

/* Whether there is an encoded word somewhere in a run without white space. */
static bool
has_encoded_word(const char *at, const char *end)
{
    while (at < end) {
        const char *p = memmem(at, (size_t)(end - at), "=?", 2);
        if (!p)
            return false;
        const char *q = p + 2 < end ? memchr(p + 2, '?', (size_t)(end - p - 2)) : NULL;
        if (!q)
            return false;
        if (end - q > 2 && one_of(q[1], "qQbB") && q[2] == '?')
            return memmem(q + 3, (size_t)(end - q - 3), "?=", 2) != NULL;
        at = p + 2;
    }
    return false;
}

static const char *
run_end(const char *at, const char *end)
{
    while (at < end && !one_of(*at, WSP_CHARS))
        at++;
    return at;
}

void
take_unstructured(struct cursor *c, struct buf *out)
{
    enum { NOTHING, SPACE, WORD, TEXT } last = NOTHING, before = NOTHING;
    size_t space_from = 0;
    const char *run = NULL; /* end of the run without white space at the cursor */
    while (c->at < c->end) {
        if (one_of(*c->at, WSP_CHARS)) {
            struct str space = take_space(c);
            space_from = out->size;
            buf_add(out, space.at, space.size);
            before = last;
            last = SPACE;
            continue;
        }
        BUF_AUTO decoded = {0};
        const enum word word = decode_word(c, &decoded);
        if (word == WORD_OK) {
            if (last == SPACE && before == WORD)
                out->size = space_from;
            buf_add(out, decoded.data, decoded.size);
            before = last;
            last = WORD;
            continue;
        }
        if (!run || run <= c->at)
            run = run_end(c->at, c->end);
        const char *stop = run;
        if (word != WORD_INVALID && has_encoded_word(c->at, run))
            stop = memmem(c->at, (size_t)(run - c->at), "=?", 2);
        if (stop == c->at)
            stop = run;
        buf_add(out, c->at, (size_t)(stop - c->at));
        c->at = stop;
        before = last;
        last = TEXT;
    }
}

/* digits . digits, with comments between; what else there is stays. */
static void
header_mime_version(struct cursor *c, struct buf *out)
{
    struct str run;
    take_cfws(c, out);
    if (take_run(c, ".(" WSP_CHARS, &run))
        buf_add(out, run.at, run.size);
    take_cfws(c, out);
    if (at_one_of(c, ".")) {
        buf_addc(out, *c->at++);
        take_cfws(c, out);
        if (take_run(c, "(" WSP_CHARS, &run))
            buf_add(out, run.at, run.size);
        take_cfws(c, out);
    }
    buf_add(out, c->at, (size_t)(c->end - c->at));
}

/* The left side when it is no row of atoms: words and dots as they come. */
static bool
take_obsolete_left(struct cursor *c, struct buf *out)
{
    const char *from = c->at;
    while (c->at < c->end && (*c->at == '\\' || !at_phrase_end(c))) {
        if (one_of(*c->at, ".\\"))
            buf_addc(out, *c->at++);
        else if (!take_word(c, FORM_TEXT, out)) {
            if (!at_cfws(c))
                return false;
            take_cfws(c, out);
        }
    }
    return c->at > from;
}

static bool
take_literal(struct cursor *c, struct buf *out)
{
    const char *from = c->at;
    const size_t before = out->size;
    if (!at_one_of(c, "["))
        return false;
    buf_addc(out, *c->at++);
    take_ptext(c, "[]", out);
    if (at_one_of(c, "]")) {
        buf_addc(out, *c->at++);
        return true;
    }
    c->at = from;
    out->size = before;
    return false;
}

static bool
take_message_id(struct cursor *c, struct buf *out)
{
    take_cfws(c, out);
    if (!at_one_of(c, "<"))
        return false;
    buf_addc(out, *c->at++);
    if (!take_dot_atom_text(c, out) && !take_obsolete_left(c, out))
        return false;
    if (!at_one_of(c, "@")) {
        if (at_one_of(c, ">"))
            buf_addc(out, '>');
        return true;
    }
    buf_addc(out, *c->at++);
    if (!take_dot_atom_text(c, out) && !take_literal(c, out) &&
        !take_domain(c, FORM_TEXT, out))
        return false;
    if (at_one_of(c, ">"))
        c->at++;
    buf_addc(out, '>');
    take_cfws(c, out);
    return true;
}

static void
header_message_id(struct cursor *c, struct buf *out)
{
    const char *from = c->at;
    if (take_message_id(c, out))
        return;
    c->at = from;
    out->size = 0;
    take_unstructured(c, out);
}

static bool
is_date(struct str name)
{
    return str_is(name, "date") || str_is(name, "resent-date") ||
           str_is(name, "orig-date");
}

bool
is_address_header(struct str name)
{
    static const char *const names[] = {"from", "to",     "cc",
                                        "bcc",  "sender", "reply-to"};
    static const char resent[] = "resent-";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_is(name, names[i]))
            return true;
    const size_t n = sizeof resent - 1;
    if (name.size <= n || !str_is((struct str){name.at, n}, resent))
        return false;
    const struct str rest = {name.at + n, name.size - n};
    for (size_t i = 0; i < 5; i++)
        if (str_is(rest, names[i]))
            return true;
    return false;
}

void
header_value(const struct charsets *cs, struct str name, struct str raw,
             struct buf *out)
{
    BUF_AUTO value = {0};
    struct cursor c = {.charsets = cs, .at = raw.at, .end = raw.at + raw.size};
    if (is_date(name))
        header_date(raw, &value);
    else if (is_address_header(name))
        header_addresses(&c, &value);
    else if (str_is(name, "content-type"))
        header_content_type(&c, &value);
    else if (str_is(name, "content-disposition"))
        header_disposition(&c, &value);
    else if (str_is(name, "content-transfer-encoding"))
        header_encoding(&c, &value);
    else if (str_is(name, "mime-version"))
        header_mime_version(&c, &value);
    else if (str_is(name, "message-id"))
        header_message_id(&c, &value);
    else
        take_unstructured(&c, &value);
    out->failed = out->failed || value.failed;
    buf_add_valid(out, str_of(&value));
}
