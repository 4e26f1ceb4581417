/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of structured headers (RFC 5322 section 3.2, and what mail in the wild has
 * instead), cut as the original cuts them. Nothing recurses: nested comments are
 * counted. A cursor only moves forward, but for a word that turns out to be none.
 */

#include <string.h>

#include "parts.h"

bool
one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

bool
at_one_of(const struct cursor *c, const char *set)
{
    return c->at < c->end && one_of(*c->at, set);
}

bool
at_phrase_end(const struct cursor *c)
{
    return at_one_of(c, ")<>@,:;\\[]");
}

bool
at_cfws(const struct cursor *c)
{
    return at_one_of(c, "(" WSP_CHARS);
}

struct str
take_space(struct cursor *c)
{
    const char *from = c->at;
    size_t n;
    while ((n = space_at(c->at, c->end)) > 0)
        c->at += n;
    return (struct str){from, (size_t)(c->at - from)};
}

void
take_ptext(struct cursor *c, const char *ends, struct buf *out)
{
    bool escape = false;
    for (; c->at < c->end && !one_of(*c->at, WSP_CHARS); c->at++) {
        if (*c->at == '\\' && !escape) {
            escape = true;
            continue;
        }
        if (!escape && one_of(*c->at, ends))
            return;
        escape = false;
        if (out)
            buf_addc(out, *c->at);
    }
}

static void
take_comment_text(struct cursor *c, struct buf *out)
{
    BUF_AUTO text = {0};
    take_ptext(c, "()", out ? &text : NULL);
    for (size_t i = 0; out && i < text.size; i++) {
        if (one_of(text.data[i], "\\()"))
            buf_addc(out, '\\');
        buf_addc(out, text.data[i]);
    }
}

/* From its "(" on; what is not closed ends with the value. */
static void
take_comment(struct cursor *c, struct buf *out)
{
    size_t depth = 0;
    do {
        if (at_one_of(c, WSP_CHARS)) {
            struct str space = take_space(c);
            if (out)
                buf_add(out, space.at, space.size);
        } else if (at_one_of(c, "()")) {
            depth += *c->at == '(' ? 1 : SIZE_MAX;
            if (out)
                buf_addc(out, *c->at);
            c->at++;
        } else {
            take_comment_text(c, out);
        }
    } while (depth > 0 && c->at < c->end);
    while (out && depth-- > 0)
        buf_addc(out, ')');
}

void
take_cfws(struct cursor *c, struct buf *out)
{
    while (at_cfws(c)) {
        if (*c->at == '(') {
            take_comment(c, out);
            continue;
        }
        struct str space = take_space(c);
        if (out)
            buf_add(out, space.at, space.size);
    }
}

bool
take_run(struct cursor *c, const char *ends, struct str *run)
{
    const char *from = c->at;
    while (c->at < c->end && !one_of(*c->at, ends))
        c->at++;
    *run = (struct str){from, (size_t)(c->at - from)};
    return run->size > 0;
}

void
take_quoted(struct cursor *c, struct buf *content)
{
    bool word = false, space_after_word = false;
    size_t space_from = 0;
    c->at++;
    while (c->at < c->end && *c->at != '"') {
        if (one_of(*c->at, WSP_CHARS)) {
            struct str space = take_space(c);
            space_after_word = word;
            space_from = content->size;
            buf_add(content, space.at, space.size);
            word = false;
            continue;
        }
        BUF_AUTO decoded = {0};
        word = decode_word(c, &decoded) == WORD_OK;
        if (word && space_after_word) /* between two encoded words it is none */
            content->size = space_from;
        if (word)
            buf_add(content, decoded.data, decoded.size);
        else
            take_ptext(c, "\"", content);
        space_after_word = false;
    }
    if (c->at < c->end)
        c->at++;
}

void
quote_string(struct buf *out, struct str s)
{
    buf_addc(out, '"');
    for (size_t i = 0; i < s.size; i++) {
        if (one_of(s.at[i], "\\\""))
            buf_addc(out, '\\');
        buf_addc(out, s.at[i]);
    }
    buf_addc(out, '"');
}

/* ------------------------------------------------------------------------- words */

static void
add_cfws(struct cursor *c, enum form form, struct buf *out)
{
    if (!at_cfws(c))
        return;
    take_cfws(c, form == FORM_TEXT ? out : NULL);
    if (form == FORM_VALUE)
        buf_addc(out, ' ');
}

/* A decoded word: as a value, each white space in it is one blank. */
static void
add_decoded(struct buf *out, enum form form, struct str s)
{
    if (form == FORM_TEXT) {
        buf_add(out, s.at, s.size);
        return;
    }
    struct cursor c = {.at = s.at, .end = s.at + s.size};
    while (c.at < c.end) {
        struct str run;
        if (one_of(*c.at, WSP_CHARS)) {
            (void)take_space(&c);
            buf_addc(out, ' ');
        } else if (take_run(&c, WSP_CHARS, &run)) {
            buf_add(out, run.at, run.size);
        }
    }
}

/* An encoded word or a run of what atoms consist of. */
static bool
take_atom_text(struct cursor *c, enum form form, struct buf *out)
{
    BUF_AUTO decoded = {0};
    struct str run;
    if (decode_word(c, &decoded) == WORD_OK) {
        add_decoded(out, form, str_of(&decoded));
        return true;
    }
    if (!take_run(c, SPECIALS WSP_CHARS, &run))
        return false;
    buf_add(out, run.at, run.size);
    return true;
}

bool
take_word(struct cursor *c, enum form form, struct buf *out)
{
    const char *from = c->at;
    const size_t before = out->size;
    bool ok = true;
    add_cfws(c, form, out);
    if (at_one_of(c, "\"")) {
        BUF_AUTO content = {0};
        take_quoted(c, &content);
        if (form == FORM_TEXT)
            quote_string(out, str_of(&content));
        else
            buf_add(out, content.data, content.size);
    } else {
        ok = c->at < c->end && take_atom_text(c, form, out);
    }
    if (!ok) {
        c->at = from;
        out->size = before;
        return false;
    }
    add_cfws(c, form, out);
    return true;
}

bool
take_phrase(struct cursor *c, enum form form, struct buf *out)
{
    bool space = false;
    bool first = true;
    while (c->at < c->end && (first || !at_phrase_end(c))) {
        const char *from = c->at;
        if (take_word(c, form, out)) {
            space = one_of(c->at[-1], ")" WSP_CHARS) || space_at(c->at - 1, c->at);
        } else if (*c->at == '.') {
            buf_addc(out, *c->at++);
            space = false;
        } else if (at_cfws(c) && !first) {
            add_cfws(c, form, out);
            space = true;
        }
        if (!first && c->at == from)
            break;
        first = false;
    }
    return space;
}

bool
take_dot_atom_text(struct cursor *c, struct buf *out)
{
    const char *from = c->at;
    const size_t before = out->size;
    struct str run;
    bool dot = true;
    while (take_run(c, SPECIALS WSP_CHARS, &run)) {
        buf_add(out, run.at, run.size);
        dot = at_one_of(c, ".");
        if (dot)
            buf_addc(out, *c->at++);
    }
    if (dot) {
        c->at = from;
        out->size = before;
    }
    return !dot;
}

void
take_invalid(struct cursor *c, const char *ends, struct buf *out)
{
    while (c->at < c->end && !one_of(*c->at, ends)) {
        const char *from = c->at;
        if (at_phrase_end(c))
            buf_addc(out, *c->at++);
        else
            (void)take_phrase(c, FORM_TEXT, out);
        if (c->at == from)
            buf_addc(out, *c->at++);
    }
}
