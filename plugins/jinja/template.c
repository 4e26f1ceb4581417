/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A template's statements, and the text between them. White space is handled as stoQ
 * sets Jinja2 up: the first line end behind a block is taken away (trim_blocks), and so
 * are blanks before a block that begins a line (lstrip_blocks), and the last line end.
 */

#include "parser.h"

void
jinja_position(const struct jinja_template *t, size_t offset, size_t *line,
               size_t *column)
{
    *line = 1;
    size_t begin = 0;
    for (size_t i = 0; i < offset && i < t->size; i++) {
        if (t->source[i] != '\n')
            continue;
        ++*line;
        begin = i + 1;
    }
    *column = 1 + jinja_runes(t->source + begin, offset - begin);
}

void
jinja_template_free(struct jinja_template *t)
{
    if (!t)
        return;
    while (t->nodes) {
        struct jinja_node *n = t->nodes;
        t->nodes = n->older;
        for (size_t i = 0; i < n->name_count; i++)
            free(n->names[i]);
        json_decref(n->literal);
        free(n);
    }
    free(t->path);
    free(t->source);
    free(t);
}

/* --------------------------------------------------------------------------- text */

/* Where the next tag begins, or the end of the source. */
static size_t
find_tag(const struct jinja_parser *p)
{
    for (size_t i = p->at; i + 1 < p->size; i++)
        if (p->source[i] == '{' && strchr("{%#", p->source[i + 1]))
            return i;
    return p->size;
}

/* The end of the text before the tag at @tag, without white space it takes along. */
static size_t
text_end(const struct jinja_parser *p, size_t tag)
{
    char sign = tag + 2 < p->size ? p->source[tag + 2] : '\0';
    size_t end = tag;
    if (tag >= p->size || sign == '+')
        return tag;
    if (sign != '-' && p->source[tag + 1] == '{')
        return tag;
    while (end > p->at && (p->source[end - 1] == ' ' ||
                           (p->source[end - 1] >= '\t' && p->source[end - 1] <= '\r' &&
                            (sign == '-' || p->source[end - 1] != '\n'))))
        end--;
    if (sign == '-')
        return end;
    bool begins = end > p->at ? p->source[end - 1] == '\n' : p->line_starting;
    return begins ? end : tag;
}

static struct jinja_node *
text(struct jinja_parser *p, size_t end)
{
    struct jinja_node *n = jinja_node_new(p, JINJA_TEXT, p->at);
    if (!n)
        return NULL;
    n->literal = json_stringn(p->source + p->at, end - p->at);
    return n->literal ? n : jinja_no_memory(p);
}

static void
comment(struct jinja_parser *p, size_t tag)
{
    const char *end = memmem(p->source + tag + 2, p->size - tag - 2, "#}", 2);
    if (!end) {
        (void)jinja_fail(p, tag, "a comment that does not end");
        return;
    }
    size_t at = (size_t)(end - p->source);
    char sign = at > tag + 2 ? p->source[at - 1] : '\0';
    p->at = at + 2;
    jinja_after_tag(p, sign == '-', sign != '+');
}

/* --------------------------------------------------------------------- statements */

static struct jinja_node *body(struct jinja_parser *p, const char *const *enders);

static bool
end_of_tag(struct jinja_parser *p)
{
    if (p->code == 0 && p->token != TOKEN_END)
        (void)jinja_expected(p, "the end of the tag");
    return p->code == 0;
}

/* After a body: the name that ended it is current. Pass over it and its tag's end. */
static bool
close_block(struct jinja_parser *p)
{
    return jinja_next(p) && end_of_tag(p);
}

/* Behind "if" or "elif". The tag that ends the whole is passed over. */
// NOLINTNEXTLINE(misc-no-recursion): depth is limited
static struct jinja_node *
if_statement(struct jinja_parser *p)
{
    static const char *const branches[] = {"elif", "else", "endif", NULL};
    static const char *const ends[] = {"endif", NULL};
    struct jinja_node *first = NULL, *last = NULL;
    do {
        struct jinja_node *n = jinja_node_new(p, JINJA_IF, p->start);
        if (!n || !jinja_next(p))
            return NULL;
        n->a = jinja_expression(p);
        if (!n->a || !end_of_tag(p))
            return NULL;
        n->b = body(p, branches);
        if (last)
            last->c = n;
        first = first ? first : n;
        last = n;
    } while (jinja_is_name(p, "elif"));
    if (jinja_is_name(p, "else")) {
        if (!close_block(p))
            return NULL;
        last->c = body(p, ends);
    }
    return p->code == 0 && close_block(p) ? first : NULL;
}

static bool
targets(struct jinja_parser *p, struct jinja_node *n)
{
    static const char *const fixed[] = {"loop",  "true", "True", "false",
                                        "False", "none", "None"};
    do {
        for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
            if (jinja_is_name(p, fixed[i]))
                return jinja_fail(p, p->start, "the name %s cannot be set", fixed[i]) !=
                       NULL;
        if (!jinja_node_name(p, n))
            return false;
    } while (jinja_take_operator(p, ","));
    return p->code == 0;
}

// NOLINTNEXTLINE(misc-no-recursion): depth is limited
static struct jinja_node *
for_statement(struct jinja_parser *p)
{
    static const char *const branches[] = {"else", "endfor", NULL};
    static const char *const ends[] = {"endfor", NULL};
    struct jinja_node *n = jinja_node_new(p, JINJA_FOR, p->start);
    if (!n || !jinja_next(p) || !targets(p, n))
        return NULL;
    if (!jinja_take_name(p, "in"))
        return jinja_expected(p, "'in'");
    n->a = jinja_expression_plain(p);
    if (n->a && (jinja_is_name(p, "if") || jinja_is_name(p, "recursive")))
        return jinja_fail(p, p->start, "'%.*s' in a for is not supported",
                          (int)p->length, p->source + p->start);
    if (!n->a || !end_of_tag(p))
        return NULL;
    p->loops++;
    n->b = body(p, branches);
    p->loops--;
    if (jinja_is_name(p, "else")) {
        if (!close_block(p))
            return NULL;
        n->c = body(p, ends);
    }
    return p->code == 0 && close_block(p) ? n : NULL;
}

static struct jinja_node *
set_statement(struct jinja_parser *p)
{
    struct jinja_node *n = jinja_node_new(p, JINJA_SET, p->start);
    if (!n || !jinja_next(p) || !targets(p, n))
        return NULL;
    if (n->name_count > 1)
        return jinja_fail(p, n->offset,
                          "setting several names at once is not supported");
    if (p->token == TOKEN_END)
        return jinja_fail(p, n->offset, "a block of set is not supported");
    if (!jinja_take_operator(p, "="))
        return jinja_expected(p, "'='");
    n->a = jinja_expression(p);
    return n->a && end_of_tag(p) ? n : NULL;
}

static const char *
last_of(const char *const *enders)
{
    while (enders[1])
        enders++;
    return enders[0];
}

/* A block tag; *ended is set when it is one of @enders, which stays current. */
// NOLINTNEXTLINE(misc-no-recursion): depth is limited
static struct jinja_node *
block(struct jinja_parser *p, size_t tag, const char *const *enders, bool *ended)
{
    if (!jinja_next(p))
        return NULL;
    if (p->token != TOKEN_NAME)
        return jinja_expected(p, "a statement");
    for (size_t i = 0; enders && enders[i]; i++) {
        if (jinja_is_name(p, enders[i])) {
            *ended = true;
            return NULL;
        }
    }
    if (p->depth >= JINJA_DEPTH_MAX)
        return jinja_fail(p, tag, "nested more than %u deep", JINJA_DEPTH_MAX);
    p->depth++;
    struct jinja_node *n = NULL;
    if (jinja_is_name(p, "if"))
        n = if_statement(p);
    else if (jinja_is_name(p, "for"))
        n = for_statement(p);
    else if (jinja_is_name(p, "set"))
        n = set_statement(p);
    else if (enders)
        n = jinja_fail(p, tag, "'%.*s' is not supported here, where '%s' is missing",
                       p->length > 40 ? 40 : (int)p->length, p->source + p->start,
                       last_of(enders));
    else
        n = jinja_fail(p, tag, "the statement '%.*s' is not supported",
                       p->length > 40 ? 40 : (int)p->length, p->source + p->start);
    p->depth--;
    return n;
}

static struct jinja_node *
output(struct jinja_parser *p, size_t tag)
{
    struct jinja_node *n = jinja_node_new(p, JINJA_PRINT, tag);
    if (!n || !jinja_next(p))
        return NULL;
    n->a = jinja_expression(p);
    if (n->a && jinja_is_operator(p, ","))
        return jinja_fail(p, p->start, "tuples are not supported; write a [list]");
    return n->a && end_of_tag(p) ? n : NULL;
}

/* Statements up to one of @enders, or to the end when that is NULL. */
// NOLINTNEXTLINE(misc-no-recursion): depth is limited
static struct jinja_node *
body(struct jinja_parser *p, const char *const *enders)
{
    struct jinja_node *first = NULL, **last = &first;
    size_t begin = p->at;
    for (bool ended = false; p->code == 0 && !ended;) {
        size_t tag = find_tag(p), end = text_end(p, tag);
        struct jinja_node *n = end > p->at ? text(p, end) : NULL;
        if (n) {
            *last = n;
            last = &n->next;
        }
        if (p->code < 0)
            break;
        if (tag == p->size) {
            if (enders)
                (void)jinja_fail(p, begin, "no '%s' follows", last_of(enders));
            p->at = p->size;
            break;
        }
        char kind = p->source[tag + 1];
        if (kind == '#') {
            comment(p, tag);
            continue;
        }
        p->at = tag + 2;
        p->at += p->at < p->size && strchr("+-", p->source[p->at]) ? 1 : 0;
        p->in_block = kind == '%';
        n = kind == '%' ? block(p, tag, enders, &ended) : output(p, tag);
        if (n) {
            *last = n;
            last = &n->next;
        }
    }
    return p->code == 0 ? first : NULL;
}

/* -------------------------------------------------------------------------- whole */

/* Line ends become \n, the last one goes. */
static size_t
normalise(char *s, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        if (s[i] == '\r' && i + 1 < size && s[i + 1] == '\n')
            continue;
        s[n++] = s[i] == '\r' ? '\n' : s[i];
    }
    if (n > 0 && s[n - 1] == '\n')
        n--;
    s[n] = '\0';
    return n;
}

int
jinja_template_new(const char *path, const char *source, size_t size,
                   struct jinja_template **out, struct stoq_error *err)
{
    struct jinja_template *t = calloc(1, sizeof *t);
    if (t) {
        t->path = strdup(path);
        t->source = malloc(size + 1);
    }
    if (!t || !t->path || !t->source) {
        jinja_template_free(t);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    if (size > 0)
        memcpy(t->source, source, size);
    t->size = normalise(t->source, size);
    struct jinja_parser p = {.t = t,
                             .err = err,
                             .source = t->source,
                             .size = t->size,
                             .line_starting = true};
    if (memchr(t->source, '\0', t->size))
        (void)jinja_fail(&p,
                         (size_t)((char *)memchr(t->source, 0, t->size) - t->source),
                         "a NUL byte");
    if (p.code == 0)
        t->body = body(&p, NULL);
    json_decref(p.literal);
    if (p.code < 0) {
        jinja_template_free(t);
        return p.code;
    }
    *out = t;
    return 0;
}
