/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Address lists (RFC 5322 section 3.4 with its obsolete forms), rewritten as the
 * original prints them: names without their quoting, addresses without comments. What
 * is no address is passed over up to the next comma and stands there as "<>". Each
 * address is tried as group, as name and address, as bare address: a constant number
 * of times. Called by header.c.
 */

#include <string.h>

#include "parts.h"

struct mailbox {
    struct buf name, local, domain;
};

static void
mailbox_clear(struct mailbox *m)
{
    m->name.size = m->local.size = m->domain.size = 0;
}

static void
mailbox_free(struct mailbox *m)
{
    buf_free(&m->name);
    buf_free(&m->local);
    buf_free(&m->domain);
}

static bool
has_one_of(const struct buf *b, const char *set)
{
    for (size_t i = 0; i < b->size; i++)
        if (one_of(b->data[i], set))
            return true;
    return false;
}

static void
add_quoted(struct buf *out, const struct buf *text, const char *set)
{
    if (has_one_of(text, set))
        quote_string(out, str_of(text));
    else
        buf_add(out, text->data, text->size);
    out->failed = out->failed || text->failed;
}

static void
add_address(struct buf *out, const struct mailbox *m)
{
    add_quoted(out, &m->local, "()<>@,:;\\\"[]" WSP_CHARS);
    if (m->domain.size) {
        buf_addc(out, '@');
        buf_add(out, m->domain.data, m->domain.size);
    }
}

static void
add_mailbox(struct buf *out, const struct mailbox *m)
{
    const bool empty = m->local.size == 0 && m->domain.size == 0;
    if (m->name.size == 0) {
        add_address(out, m);
        if (empty)
            buf_adds(out, "<>");
        return;
    }
    add_quoted(out, &m->name, SPECIALS);
    buf_adds(out, " <");
    add_address(out, m);
    buf_addc(out, '>');
}

/* ------------------------------------------------------------------ local @ domain */

/* Words, dots and backslashes as they come; white space stays where no dot is near. */
static void
take_obsolete_local(struct cursor *c, struct buf *out)
{
    bool dot = true, space = false;
    while (c->at < c->end && (*c->at == '\\' || !at_phrase_end(c))) {
        const char *from = c->at;
        if (*c->at == '.') {
            buf_addc(out, *c->at++);
            dot = true;
            space = false;
            continue;
        }
        if (at_cfws(c)) {
            take_cfws(c, NULL);
            space = !dot;
            continue;
        }
        if (space)
            buf_addc(out, ' ');
        space = dot = false;
        if (*c->at == '\\') {
            buf_addc(out, *c->at++);
            continue;
        }
        BUF_AUTO word = {0};
        if (at_one_of(c, "\""))
            take_quoted(c, &word);
        else
            (void)take_word(c, FORM_VALUE, &word);
        space = c->at > from && one_of(c->at[-1], ")" WSP_CHARS);
        if (space && word.size && word.data[word.size - 1] == ' ')
            word.size--;
        buf_add(out, word.data, word.size);
        if (c->at == from)
            return;
    }
}

bool
take_local_part(struct cursor *c, struct buf *out)
{
    const char *from = c->at;
    const size_t before = out->size;
    take_cfws(c, NULL);
    bool ok = c->at < c->end;
    if (ok && decode_word(c, out) != WORD_OK && !take_dot_atom_text(c, out)) {
        struct str run;
        if (at_one_of(c, "\""))
            take_quoted(c, out);
        else if (take_run(c, SPECIALS WSP_CHARS, &run))
            buf_add(out, run.at, run.size);
        else
            ok = *c->at == '\\' || !at_phrase_end(c);
    }
    if (!ok) {
        c->at = from;
        out->size = before;
        return false;
    }
    take_cfws(c, NULL);
    if (c->at < c->end && (*c->at == '\\' || !at_phrase_end(c))) {
        c->at = from;
        out->size = before;
        take_obsolete_local(c, out);
    }
    return true;
}

static bool
take_domain_literal(struct cursor *c, struct buf *out)
{
    buf_addc(out, *c->at++);
    (void)take_space(c);
    take_ptext(c, "[]", out);
    (void)take_space(c);
    if (c->at < c->end && *c->at != ']')
        return false;
    if (c->at < c->end)
        c->at++;
    buf_addc(out, ']');
    return true;
}

/* As a value it has neither white space nor comments. */
static void
domain_cfws(struct cursor *c, enum form form, struct buf *out)
{
    take_cfws(c, form == FORM_TEXT ? out : NULL);
}

static bool
take_domain_text(struct cursor *c, enum form form, struct buf *out)
{
    struct str run;
    domain_cfws(c, form, out);
    if (c->at >= c->end)
        return false;
    if (*c->at == '[') {
        if (!take_domain_literal(c, out))
            return false;
        domain_cfws(c, form, out);
        return true;
    }
    if (decode_word(c, out) != WORD_OK && !take_dot_atom_text(c, out)) {
        if (!take_run(c, SPECIALS WSP_CHARS, &run))
            return false;
        buf_add(out, run.at, run.size);
    }
    domain_cfws(c, form, out);
    if (at_one_of(c, "@"))
        return false;
    while (at_one_of(c, ".")) {
        buf_addc(out, *c->at++);
        domain_cfws(c, form, out);
        if (decode_word(c, out) == WORD_OK)
            continue;
        if (!take_run(c, SPECIALS WSP_CHARS, &run))
            return false;
        buf_add(out, run.at, run.size);
        domain_cfws(c, form, out);
    }
    return true;
}

bool
take_domain(struct cursor *c, enum form form, struct buf *out)
{
    const char *from = c->at;
    const size_t before = out->size;
    if (take_domain_text(c, form, out))
        return true;
    c->at = from;
    out->size = before;
    return false;
}

static bool
take_addr_spec(struct cursor *c, struct mailbox *m)
{
    const char *from = c->at;
    m->local.size = m->domain.size = 0;
    if (!take_local_part(c, &m->local))
        return false;
    if (!at_one_of(c, "@"))
        return true;
    c->at++;
    if (take_domain(c, FORM_VALUE, &m->domain))
        return true;
    c->at = from;
    m->local.size = m->domain.size = 0;
    return false;
}

/* The obsolete "@a,@b:" before an address. */
static bool
take_route(struct cursor *c)
{
    BUF_AUTO domain = {0};
    bool any = false;
    for (;;) {
        while (at_cfws(c) || at_one_of(c, ",")) {
            take_cfws(c, NULL);
            if (at_one_of(c, ","))
                c->at++;
        }
        if (!at_one_of(c, "@"))
            break;
        c->at++;
        any = true;
        if (!take_domain(c, FORM_VALUE, &domain))
            return false;
        if (!at_one_of(c, ","))
            break;
    }
    if (!any || !at_one_of(c, ":"))
        return false;
    c->at++;
    return true;
}

static bool
take_angle(struct cursor *c, struct mailbox *m)
{
    take_cfws(c, NULL);
    if (!at_one_of(c, "<"))
        return false;
    c->at++;
    if (c->at >= c->end)
        return false;
    if (*c->at == '>') {
        c->at++;
        return true;
    }
    if (!take_addr_spec(c, m) && (!take_route(c) || !take_addr_spec(c, m)))
        return false;
    if (at_one_of(c, ">"))
        c->at++;
    take_cfws(c, NULL);
    return true;
}

static void
take_name(struct cursor *c, struct buf *out)
{
    take_cfws(c, NULL);
    if (take_phrase(c, FORM_VALUE, out) && out->size && out->data[out->size - 1] == ' ')
        out->size--;
}

static bool
take_name_addr(struct cursor *c, struct mailbox *m)
{
    take_cfws(c, NULL);
    if (c->at >= c->end)
        return false;
    if (*c->at != '<') {
        if (at_phrase_end(c))
            return false;
        take_name(c, &m->name);
        if (c->at >= c->end)
            return false;
    }
    return take_angle(c, m);
}

static bool
take_mailbox(struct cursor *c, struct mailbox *m)
{
    const char *from = c->at;
    mailbox_clear(m);
    if (take_name_addr(c, m))
        return true;
    c->at = from;
    mailbox_clear(m);
    return take_addr_spec(c, m);
}

/* -------------------------------------------------------------------------- lists */

/* One element of a list that ends at one of @ends: a mailbox, or what is none.
 * @return whether there is anything. */
static bool
take_element(struct cursor *c, const char *ends, struct mailbox *m)
{
    BUF_AUTO rest = {0};
    const char *from = c->at;
    bool any = take_mailbox(c, m);
    if (!any) {
        c->at = from;
        mailbox_clear(m);
        take_cfws(c, NULL);
        any = c->at < c->end && !one_of(*c->at, ends);
    }
    take_invalid(c, ends, &rest);
    return any;
}

static bool
take_group(struct cursor *c, struct buf *out)
{
    BUF_AUTO name = {0};
    struct mailbox m = {0};
    const char *from = c->at, *separator = " ";
    take_name(c, &name);
    if (!at_one_of(c, ":")) {
        c->at = from;
        return false;
    }
    c->at++;
    add_quoted(out, &name, SPECIALS);
    buf_addc(out, ':');
    while (c->at < c->end && *c->at != ';') {
        if (take_element(c, ",;", &m)) {
            buf_adds(out, separator);
            add_mailbox(out, &m);
            separator = ", ";
        }
        if (at_one_of(c, ","))
            c->at++;
    }
    if (c->at < c->end)
        c->at++;
    take_cfws(c, NULL);
    buf_addc(out, ';');
    mailbox_free(&m);
    return true;
}

void
header_addresses(struct cursor *c, struct buf *out)
{
    BUF_AUTO rest = {0};
    struct mailbox m = {0};
    bool any = false;
    while (c->at < c->end) {
        const size_t before = out->size;
        if (any)
            buf_adds(out, ", ");
        if (take_group(c, out)) {
            any = true;
            take_invalid(c, ",", &rest);
            rest.size = 0;
        } else if (take_element(c, ",", &m)) {
            any = true;
            add_mailbox(out, &m);
        } else {
            out->size = before;
        }
        if (c->at < c->end)
            c->at++;
    }
    mailbox_free(&m);
}
