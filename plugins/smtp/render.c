/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A part of a mail, written as a mail of its own: what Python's email package makes of
 * it with as_bytes(), so that attached mails become the same children as there. Lines
 * end with a newline; headers with lines that are too long are folded anew (fold.c).
 * Called by smtp.c; recursion is as deep as the tree.
 */

#include <string.h>

#include "parts.h"

/* Text with every line end made a newline. */
static void
add_lines(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.size; i++) {
        if (s.at[i] == '\r' && i + 1 < s.size && s.at[i + 1] == '\n')
            continue;
        buf_addc(out, s.at[i] == '\r' ? '\n' : s.at[i]);
    }
}

static void
add_headers(struct mail *m, const struct part *p, size_t width, struct buf *out)
{
    for (size_t i = 0; i < p->header_count; i++)
        fold_header(m, &p->headers[i], width, out);
    buf_addc(out, '\n');
}

static void render(struct mail *m, const struct part *p, size_t width, struct buf *out);

// NOLINTNEXTLINE(misc-no-recursion): DEPTH_MAX limits the tree
static void
render_multipart(struct mail *m, const struct part *p, size_t width, struct buf *out)
{
    BUF_AUTO boundary = {0}, plain = {0};
    if (!p->is_list) {
        buf_add(out, p->payload.at, p->payload.size);
        return;
    }
    (void)param_get(str_of(&p->content_type), "boundary", &boundary);
    param_unquote(str_of(&boundary), &plain);
    const struct str b = str_strip_end(str_of(&plain));
    /* what is signed stays as it is */
    const size_t inner = strcmp(p->type, "multipart/signed") == 0 ? SIZE_MAX : width;
    if (p->preamble.at) {
        add_lines(out, p->preamble);
        buf_addc(out, '\n');
    }
    for (const struct part *c = p->first; c; c = c->next) {
        buf_adds(out, c == p->first ? "--" : "\n--");
        buf_add(out, b.at, b.size);
        buf_addc(out, '\n');
        render(m, c, inner, out);
    }
    buf_adds(out, "\n--");
    buf_add(out, b.at, b.size);
    buf_adds(out, "--\n");
    if (p->epilogue.at)
        add_lines(out, p->epilogue);
}

/* Blocks of headers, with one empty line between. */
// NOLINTNEXTLINE(misc-no-recursion): DEPTH_MAX limits the tree
static void
render_status(struct mail *m, const struct part *p, size_t width, struct buf *out)
{
    for (const struct part *c = p->first; c; c = c->next) {
        if (c != p->first)
            buf_addc(out, '\n');
        const size_t before = out->size;
        render(m, c, width, out);
        if (out->size > before && out->data[out->size - 1] == '\n')
            out->size--;
    }
}

// NOLINTNEXTLINE(misc-no-recursion): DEPTH_MAX limits the tree
static void
render(struct mail *m, const struct part *p, size_t width, struct buf *out)
{
    add_headers(m, p, width, out);
    if (strncmp(p->type, "multipart/", 10) == 0)
        render_multipart(m, p, width, out);
    else if (strcmp(p->type, "message/delivery-status") == 0 && p->is_list)
        render_status(m, p, width, out);
    else if (p->is_list && p->first)
        render(m, p->first, width, out);
    else
        add_lines(out, p->payload);
}

void
render_part(struct mail *m, const struct part *p, struct buf *out)
{
    render(m, p, LINE_WIDTH, out);
    m->no_memory = m->no_memory || out->failed;
}
