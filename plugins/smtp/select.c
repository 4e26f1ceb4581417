/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which parts of a mail are its bodies and which its attachments, by the rules of
 * Python's email package, and what they contain. Parameters are read from headers that
 * are already in the original's form. Called by smtp.c, render.c and tree.c.
 */

#include <string.h>

#include "parts.h"

/* -------------------------------------------------------------------- parameters */

static void
replace(struct str s, const char from[2], char to, struct buf *out)
{
    for (size_t i = 0; i < s.size; i++) {
        const bool hit = i + 1 < s.size && s.at[i] == from[0] && s.at[i + 1] == from[1];
        buf_addc(out, hit ? to : s.at[i]);
        i += hit;
    }
}

void
param_unquote(struct str s, struct buf *out)
{
    if (s.size > 1 && s.at[0] == '"' && s.at[s.size - 1] == '"') {
        BUF_AUTO half = {0};
        replace((struct str){s.at + 1, s.size - 2}, "\\\\", '\\', &half);
        replace(str_of(&half), "\\\"", '"', out);
    } else if (s.size > 1 && s.at[0] == '<' && s.at[s.size - 1] == '>') {
        buf_add(out, s.at + 1, s.size - 2);
    } else {
        buf_add(out, s.at, s.size);
    }
}

struct str
next_param(struct str *rest)
{
    size_t i = 0;
    bool quoted = false;
    for (; i < rest->size && (rest->at[i] != ';' || quoted); i++)
        if (rest->at[i] == '"' && (i == 0 || rest->at[i - 1] != '\\'))
            quoted = !quoted;
    const struct str piece = {rest->at, i};
    const size_t skip = i < rest->size ? i + 1 : i;
    *rest = (struct str){rest->at + skip, rest->size - skip};
    return piece;
}

bool
param_get(struct str header, const char *name, struct buf *out)
{
    for (bool first = true; header.size > 0; first = false) {
        const struct str piece = next_param(&header);
        const char *equal = piece.size ? memchr(piece.at, '=', piece.size) : NULL;
        const size_t size = equal ? (size_t)(equal - piece.at) : piece.size;
        if (!str_is(str_strip((struct str){piece.at, size}), name))
            continue;
        struct str value = {piece.at + piece.size, 0};
        if (equal)
            value = str_strip((struct str){equal + 1, piece.size - size - 1});
        if (first) {
            param_unquote(value, out);
            return true;
        }
        BUF_AUTO plain = {0}, again = {0};
        param_unquote(value, &plain);
        quote_string(&again, str_of(&plain));
        param_unquote(str_of(&again), out);
        return true;
    }
    return false;
}

/* ------------------------------------------------------------------------ bodies */

static bool
is_attachment(const struct part *p)
{
    const struct str s = str_of(&p->content_disposition);
    struct cursor c = {.at = s.at, .end = s.at + s.size};
    struct str token;
    take_cfws(&c, NULL);
    return take_run(&c, TSPECIALS WSP_CHARS, &token) && str_is(token, "attachment");
}

static bool
has_type(const struct part *p, const char *prefix)
{
    return p->type && strncmp(p->type, prefix, strlen(prefix)) == 0;
}

/* The part of a multipart/related that the others go with. */
static struct part *
related_root(struct mail *m, struct part *p, bool *named)
{
    BUF_AUTO start = {0};
    *named = false;
    if (!p->is_list)
        return NULL;
    if (!param_get(str_of(&p->content_type), "start", &start) || start.size == 0)
        return p->first;
    for (struct part *c = p->first; c; c = c->next) {
        BUF_AUTO id = {0};
        const struct header *h = part_header(c, "content-id");
        if (!h)
            continue;
        mail_header_value(m, h, &id);
        *named = id.size == start.size && memcmp(id.data, start.data, id.size) == 0;
        if (*named)
            return c;
    }
    return p->first;
}

struct search {
    struct mail *mail;
    const char *subtype;
    struct part *best;
    size_t rank; /* of the best; less is better */
};

/* The original looks for the part's subtype within the name of the one wanted; so "htm"
 * or "" will do as well. */
// NOLINTNEXTLINE(misc-no-recursion): as deep as the tree, which DEPTH_MAX limits
static void
find_body(struct search *s, struct part *p)
{
    if (s->rank == 0 || is_attachment(p))
        return;
    if (has_type(p, "text/")) {
        const char *hit = strstr(s->subtype, p->type + 5);
        const size_t rank = hit ? (size_t)(hit - s->subtype) : SIZE_MAX;
        if (hit && rank < s->rank) {
            s->best = p;
            s->rank = rank;
        }
        return;
    }
    if (!has_type(p, "multipart/") || !s->mail->root->is_list)
        return;
    if (strcmp(p->type, "multipart/related") == 0) {
        bool named;
        struct part *root = related_root(s->mail, p, &named);
        if (root)
            find_body(s, root);
        return;
    }
    for (struct part *c = p->first; c; c = c->next)
        find_body(s, c);
}

struct part *
select_body(struct mail *m, const char *subtype)
{
    struct search s = {m, subtype, NULL, strlen(subtype)};
    find_body(&s, m->root);
    return s.best;
}

/* ------------------------------------------------------------------- attachments */

/* Parts that are bodies rather than attachments, the first one of each kind. */
static const char *const body_types[] = {"text/plain", "text/html", "multipart/related",
                                         "multipart/alternative"};

static bool
is_first_body(const struct part *p, bool seen[4])
{
    for (size_t i = 0; i < 4; i++) {
        if (!p->type || strcmp(p->type, body_types[i]) != 0 || seen[i] ||
            is_attachment(p))
            continue;
        seen[i] = true;
        return true;
    }
    return false;
}

int
select_attachments(struct mail *m, int (*each)(void *self, struct part *p), void *self)
{
    struct part *root = m->root;
    bool seen[4] = {false}, named = false;
    if (!has_type(root, "multipart/") ||
        strcmp(root->type, "multipart/alternative") == 0)
        return 0;
    const bool related = strcmp(root->type, "multipart/related") == 0;
    const struct part *main = related ? related_root(m, root, &named) : NULL;
    const struct header *main_id = named ? part_header(main, "content-id") : NULL;
    for (struct part *p = root->first; p; p = p->next) {
        if (related ? p == main : is_first_body(p, seen))
            continue;
        /* others of the same name count as the main one as well */
        const struct header *id = main_id ? part_header(p, "content-id") : NULL;
        if (id && id->raw.size == main_id->raw.size &&
            memcmp(id->raw.at, main_id->raw.at, id->raw.size) == 0)
            continue;
        int r = each(self, p);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ----------------------------------------------------------------------- content */

void
part_content(struct mail *m, const struct part *p, struct buf *out)
{
    BUF_AUTO bytes = {0}, encoding = {0};
    const struct header *h = part_header(p, "content-transfer-encoding");
    struct str token = {"", 0};
    if (h) {
        mail_header_value(m, h, &encoding);
        const struct str s = str_of(&encoding);
        struct cursor c = {.at = s.at, .end = s.at + s.size};
        take_cfws(&c, NULL);
        (void)take_run(&c, TSPECIALS WSP_CHARS, &token);
    }
    buf_add_escaped(&bytes, p->payload);
    const struct str raw = str_of(&bytes);
    if (str_is(token, "quoted-printable"))
        decode_q_body(out, raw);
    else if (str_is(token, "base64"))
        decode_base64(out, raw);
    else if (!((str_is(token, "x-uuencode") || str_is(token, "uuencode") ||
                str_is(token, "uue") || str_is(token, "x-uue")) &&
               decode_uu(out, raw)))
        buf_add(out, raw.at, raw.size);
    m->no_memory = m->no_memory || bytes.failed || out->failed;
}
