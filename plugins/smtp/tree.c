/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the text of a mail to its parts, line by line, as Python's email.feedparser cuts
 * it: also where boundaries are missing, headers are broken or parts are not closed.
 * Nesting deeper than DEPTH_MAX, parts beyond PARTS_MAX and headers beyond HEADERS_MAX
 * stay unread, and are counted. Called by smtp.c.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parts.h"

/* A line at which a reader stops, as at the end of the text. */
struct stop {
    struct str separator; /* "--boundary"; size 0: an empty line */
};

struct reader {
    struct mail *mail;
    const char *at, *end;
    struct stop stops[DEPTH_MAX + 2];
    size_t stop_count;
    struct part *last; /* the part most recently begun */
};

/* ------------------------------------------------------------------------- lines */

static size_t
line_end_size(const char *at, const char *end)
{
    if (at >= end || (*at != '\r' && *at != '\n'))
        return 0;
    return *at == '\r' && end - at > 1 && at[1] == '\n' ? 2 : 1;
}

/* The line at @at with its end. */
static struct str
line_at(const char *at, const char *end)
{
    const char *p = at;
    while (p < end && *p != '\r' && *p != '\n')
        p++;
    return (struct str){at, (size_t)(p - at) + line_end_size(p, end)};
}

/* Whether the line is a boundary; @p closing, which may be NULL, says of which kind. */
static bool
is_boundary(struct str line, struct str separator, bool *closing)
{
    const char *end = line.at + line.size;
    if (line.size < separator.size ||
        memcmp(line.at, separator.at, separator.size) != 0)
        return false;
    const char *at = line.at + separator.size;
    const bool close = end - at >= 2 && at[0] == '-' && at[1] == '-';
    if (closing)
        *closing = close;
    at += close ? 2 : 0;
    while (at < end && one_of(*at, WSP_CHARS))
        at++;
    return at + line_end_size(at, end) == end;
}

static bool
is_stop(const struct reader *r, struct str line)
{
    /* most lines are neither empty nor like a boundary */
    if (line.size > 2 && (line.at[0] != '-' || line.at[1] != '-'))
        return false;
    for (size_t i = r->stop_count; i-- > 0;) {
        const struct str s = r->stops[i].separator;
        if (s.size ? is_boundary(line, s, NULL)
                   : line_end_size(line.at, line.at + line.size) > 0)
            return true;
    }
    return false;
}

/* The next line, which the reader then is behind. @return false at the end. */
static bool
next_line(struct reader *r, struct str *line)
{
    if (r->at >= r->end)
        return false;
    *line = line_at(r->at, r->end);
    if (is_stop(r, *line))
        return false;
    r->at += line->size;
    return true;
}

static void
back(struct reader *r, struct str line)
{
    r->at = line.at;
}

/* Everything up to the end. */
static struct str
take_all(struct reader *r)
{
    struct str line;
    const char *from = r->at;
    while (next_line(r, &line))
        ;
    return (struct str){from, (size_t)(r->at - from)};
}

static struct str
without_line_end(struct str s)
{
    if (s.size && s.at[s.size - 1] == '\n')
        s.size -= s.size > 1 && s.at[s.size - 2] == '\r' ? 2 : 1;
    else if (s.size && s.at[s.size - 1] == '\r')
        s.size--;
    return s;
}

/* ------------------------------------------------------------------------- parts */

static struct part *
new_part(struct reader *r, struct part *parent)
{
    struct mail *m = r->mail;
    if (m->part_count >= PARTS_MAX) {
        m->hit_parts++;
        return NULL;
    }
    struct part *p = calloc(1, sizeof *p);
    if (!p) {
        m->no_memory = true;
        return NULL;
    }
    m->part_count++;
    p->parent = parent;
    if (parent) {
        if (parent->last_child)
            parent->last_child->next = p;
        else
            parent->first = p;
        parent->last_child = p;
        parent->child_count++;
        parent->is_list = true;
        p->digest = parent->type && strcmp(parent->type, "multipart/digest") == 0;
    }
    r->last = p;
    return p;
}

static void
part_free(struct part *p)
{
    buf_free(&p->content_type);
    buf_free(&p->content_disposition);
    free(p->headers);
    free(p->type);
    free(p->disposition);
    free(p);
}

void
mail_fini(struct mail *m)
{
    for (struct part *p = m->root; p;) {
        if (p->first) { /* children first, without recursion */
            struct part *child = p->first;
            p->first = NULL;
            p = child;
            continue;
        }
        struct part *next = p->next ? p->next : p->parent;
        part_free(p);
        p = next;
    }
    m->root = NULL;
    buf_free(&m->text);
}

/* ----------------------------------------------------------------------- headers */

static void
add_header(struct mail *m, struct part *p, struct str name, struct str raw)
{
    if (m->header_count >= HEADERS_MAX) {
        m->hit_headers++;
        return;
    }
    if (p->header_count == p->header_room) {
        size_t room = p->header_room ? 2 * p->header_room : 16;
        struct header *grown = realloc(p->headers, room * sizeof *grown);
        if (!grown) {
            m->no_memory = true;
            return;
        }
        p->headers = grown;
        p->header_room = room;
    }
    while (raw.size && one_of(raw.at[0], WSP_CHARS)) {
        raw.at++;
        raw.size--;
    }
    while (raw.size && one_of(raw.at[raw.size - 1], "\r\n"))
        raw.size--;
    p->headers[p->header_count++] = (struct header){name, raw};
    m->header_count++;
}

/* Whether the line may stand among headers. */
static bool
is_header_line(struct str line, size_t *colon)
{
    *colon = SIZE_MAX;
    if (line.size >= 5 && memcmp(line.at, "From ", 5) == 0)
        return true;
    if (one_of(line.at[0], WSP_CHARS))
        return true;
    for (size_t i = 0; i < line.size && line.at[i] > ' ' && line.at[i] < 0x7f; i++)
        if (line.at[i] == ':') {
            *colon = i;
            return true;
        }
    return false;
}

/* Headers up to the empty line, or to what cannot be one. */
static void
read_headers(struct reader *r, struct part *p)
{
    struct str line, name = {0}, raw = {0}, from = {0};
    bool first = true;
    size_t colon;
    while (next_line(r, &line)) {
        if (!is_header_line(line, &colon)) {
            if (!line_end_size(line.at, line.at + line.size))
                back(r, line);
            break;
        }
        from.at = NULL;
        if (one_of(line.at[0], WSP_CHARS)) {
            if (name.at)
                raw.size += line.size;
            first = false;
            continue;
        }
        if (name.at)
            add_header(r->mail, p, name, raw);
        name.at = NULL;
        if (colon == SIZE_MAX) {
            if (!first) /* the last line: it belongs to the body */
                from = line;
        } else if (colon > 0) {
            name = (struct str){line.at, colon};
            raw = (struct str){line.at + colon + 1, line.size - colon - 1};
        }
        first = false;
    }
    if (name.at)
        add_header(r->mail, p, name, raw);
    if (from.at)
        back(r, from);
}

const struct header *
part_header(const struct part *p, const char *name)
{
    for (size_t i = 0; i < p->header_count; i++)
        if (str_is(p->headers[i].name, name))
            return &p->headers[i];
    return NULL;
}

void
mail_header_value(struct mail *m, const struct header *h, struct buf *out)
{
    BUF_AUTO raw = {0};
    size_t size = h->raw.size;
    if (size > HEADER_SIZE_MAX) {
        m->hit_header_size = size > m->hit_header_size ? size : m->hit_header_size;
        size = HEADER_SIZE_MAX;
        while (size > 0 && (h->raw.at[size] & (char)0xc0) == (char)0x80)
            size--;
    }
    for (size_t i = 0; i < size; i++)
        if (h->raw.at[i] != '\r' && h->raw.at[i] != '\n')
            buf_addc(&raw, h->raw.at[i]);
    header_value(m->charsets, h->name, str_of(&raw), out);
    m->no_memory = m->no_memory || raw.failed || out->failed;
}

/* What stands before the first ';', in lower case; NULL when memory runs out. */
static char *
first_piece(struct str s)
{
    const char *semicolon = s.size ? memchr(s.at, ';', s.size) : NULL;
    struct buf lower = {0};
    if (semicolon)
        s.size = (size_t)(semicolon - s.at);
    buf_add_lower(&lower, str_strip(s));
    buf_add(&lower, "", 1);
    if (lower.failed)
        buf_free(&lower);
    return lower.data;
}

static void
classify(struct reader *r, struct part *p)
{
    struct mail *m = r->mail;
    const struct header *type = part_header(p, "content-type");
    const struct header *disposition = part_header(p, "content-disposition");
    if (disposition) {
        mail_header_value(m, disposition, &p->content_disposition);
        p->disposition = first_piece(str_of(&p->content_disposition));
        m->no_memory = m->no_memory || !p->disposition;
    }
    if (type) {
        mail_header_value(m, type, &p->content_type);
        p->type = first_piece(str_of(&p->content_type));
        const char *slash = p->type ? strchr(p->type, '/') : NULL;
        if (p->type && (!slash || strchr(slash + 1, '/'))) {
            free(p->type);
            p->type = strdup("text/plain");
        }
    } else {
        p->type = strdup(p->digest ? "message/rfc822" : "text/plain");
    }
    m->no_memory = m->no_memory || !p->type;
}

/* ------------------------------------------------------------------------ bodies */

static void parse_part(struct reader *r, struct part *p, unsigned depth);

/* One part inside @p, up to the stop @separator. @return false: no more of them. */
// NOLINTNEXTLINE(misc-no-recursion): parse_part() limits the depth
static bool
parse_child(struct reader *r, struct part *p, const struct str *separator,
            unsigned depth)
{
    struct part *child = new_part(r, p);
    if (!child)
        return false;
    if (separator)
        r->stops[r->stop_count++] = (struct stop){*separator};
    parse_part(r, child, depth + 1);
    if (separator)
        r->stop_count--;
    return true;
}

/* Blocks of headers with empty lines between. */
// NOLINTNEXTLINE(misc-no-recursion): parse_part() limits the depth
static void
parse_status(struct reader *r, struct part *p, unsigned depth)
{
    const struct str empty = {0};
    struct str line;
    do {
        if (!parse_child(r, p, &empty, depth))
            break;
        (void)next_line(r, &line);
        if (!next_line(r, &line))
            return;
        back(r, line);
    } while (true);
    (void)take_all(r);
}

/* The line end before a boundary belongs to the boundary. */
static void
trim_last(struct part *last)
{
    if (strncmp(last->type ? last->type : "", "multipart/", 10) == 0) {
        if (last->epilogue.at && last->epilogue.size == 0)
            last->epilogue.at = NULL;
        else if (last->epilogue.at)
            last->epilogue = without_line_end(last->epilogue);
    } else if (!last->is_list) {
        last->payload = without_line_end(last->payload);
    }
}

/* Parts between boundaries. @return whether the closing one was there. */
// NOLINTNEXTLINE(misc-no-recursion): parse_part() limits the depth
static bool
parse_parts(struct reader *r, struct part *p, struct str separator, unsigned depth)
{
    struct str line;
    const char *from = r->at;
    bool closing = false, begun = false;
    while (next_line(r, &line)) {
        if (!is_boundary(line, separator, &closing))
            continue; /* preamble */
        if (!begun && !closing && line.at > from)
            p->preamble =
                without_line_end((struct str){from, (size_t)(line.at - from)});
        if (closing) {
            if (!begun) {
                p->payload = (struct str){from, (size_t)(line.at - from)};
                p->epilogue = (struct str){r->at, 0};
                (void)take_all(r);
                return false;
            }
            p->epilogue = take_all(r);
            return true;
        }
        begun = true;
        while (next_line(r, &line))
            if (!is_boundary(line, separator, NULL)) {
                back(r, line);
                break;
            }
        if (!parse_child(r, p, &separator, depth)) {
            (void)take_all(r);
            return false;
        }
        trim_last(r->last);
        r->last = p;
    }
    if (!begun) {
        p->payload = (struct str){from, (size_t)(r->at - from)};
        p->epilogue = (struct str){r->at, 0};
    }
    return false;
}

// NOLINTNEXTLINE(misc-no-recursion): DEPTH_MAX limits it
static void
parse_part(struct reader *r, struct part *p, unsigned depth)
{
    struct mail *m = r->mail;
    read_headers(r, p);
    classify(r, p);
    const char *type = p->type ? p->type : "text/plain";
    p->payload = (struct str){r->at, 0};
    const bool parts = strncmp(type, "multipart/", 10) == 0;
    const bool message = strncmp(type, "message/", 8) == 0;
    if ((parts || message) && depth >= DEPTH_MAX) {
        m->hit_depth++;
        p->cut = true;
    } else if (strcmp(type, "message/delivery-status") == 0) {
        parse_status(r, p, depth);
        return;
    } else if (message) {
        if (!parse_child(r, p, NULL, depth))
            (void)take_all(r);
        return;
    } else if (parts) {
        BUF_AUTO boundary = {0}, separator = {0};
        if (param_get(str_of(&p->content_type), "boundary", &boundary)) {
            BUF_AUTO plain = {0};
            param_unquote(str_of(&boundary), &plain);
            const struct str s = str_strip_end(str_of(&plain));
            buf_adds(&separator, "--");
            buf_add(&separator, s.at, s.size);
            m->no_memory = m->no_memory || separator.failed;
            if (!separator.failed)
                (void)parse_parts(r, p, str_of(&separator), depth);
            return;
        }
    }
    p->payload = take_all(r);
}

int
mail_parse(struct mail *m)
{
    const struct str text = str_of(&m->text);
    struct reader r = {.mail = m, .at = text.at, .end = text.at + text.size};
    m->root = new_part(&r, NULL);
    if (m->root)
        parse_part(&r, m->root, 0);
    return m->no_memory ? -ENOMEM : 0;
}
