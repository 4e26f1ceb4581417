/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Expressions, by recursive descent in the order of precedence that Jinja2's
 * documentation of templates describes. Depth is limited.
 */

#include "parser.h"

struct jinja_node *
jinja_node_new(struct jinja_parser *p, enum jinja_op op, size_t offset)
{
    if (p->code < 0)
        return NULL;
    struct jinja_node *n = calloc(1, sizeof *n);
    if (!n)
        return jinja_no_memory(p);
    n->op = op;
    n->offset = offset;
    n->older = p->t->nodes;
    p->t->nodes = n;
    return n;
}

bool
jinja_node_name(struct jinja_parser *p, struct jinja_node *node)
{
    if (p->token != TOKEN_NAME)
        return jinja_expected(p, "a name") != NULL;
    if (node->name_count == JINJA_NAMES_MAX)
        return jinja_fail(p, p->start, "more than %u names", JINJA_NAMES_MAX) != NULL;
    char *name = strndup(p->source + p->start, p->length);
    if (!name)
        return jinja_no_memory(p) != NULL;
    node->names[node->name_count++] = name;
    return jinja_next(p);
}

struct jinja_node *
jinja_join(struct jinja_parser *p, enum jinja_op op, struct jinja_node *a,
           struct jinja_node *b)
{
    if (!a || !b)
        return NULL;
    struct jinja_node *n = jinja_node_new(p, op, a->offset);
    if (n) {
        n->a = a;
        n->b = b;
    }
    return n;
}

bool
jinja_enter(struct jinja_parser *p)
{
    if (p->depth >= JINJA_DEPTH_MAX)
        return jinja_fail(p, p->start, "nested more than %u deep", JINJA_DEPTH_MAX) !=
               NULL;
    p->depth++;
    return true;
}

bool
jinja_chain(struct jinja_parser *p, unsigned *links)
{
    if (++*links < JINJA_DEPTH_MAX)
        return true;
    return jinja_fail(p, p->start, "more than %u operators in a row",
                      JINJA_DEPTH_MAX) != NULL;
}

/* ---------------------------------------------------------------------- operators */

// NOLINTNEXTLINE(misc-no-recursion): depth is limited
static struct jinja_node *
unary(struct jinja_parser *p, bool filters)
{
    struct jinja_node *n;
    bool minus = jinja_is_operator(p, "-");
    if (!minus && !jinja_is_operator(p, "+")) {
        n = jinja_primary(p);
        return n ? jinja_postfix(p, n, filters) : NULL;
    }
    n = jinja_node_new(p, JINJA_SIGN, p->start);
    if (!n || !jinja_next(p) || !jinja_enter(p))
        return NULL;
    n->what = minus ? '-' : '+';
    n->a = unary(p, false);
    p->depth--;
    return n->a && filters ? jinja_postfix(p, n, true) : n->a ? n : NULL;
}

static struct jinja_node *
product(struct jinja_parser *p)
{
    struct jinja_node *n = unary(p, true);
    for (unsigned links = 0; n;) {
        int what = jinja_is_operator(p, "*")    ? '*'
                   : jinja_is_operator(p, "//") ? 'f'
                   : jinja_is_operator(p, "/")  ? '/'
                   : jinja_is_operator(p, "%")  ? '%'
                                                : 0;
        if (jinja_is_operator(p, "**"))
            return jinja_fail(p, p->start, "the operator ** is not supported");
        if (what == 0)
            break;
        if (what == '%' && n->op == JINJA_CONST && json_is_string(n->literal))
            return jinja_fail(p, p->start, "formatting by %% is not supported");
        if (!jinja_chain(p, &links) || !jinja_next(p))
            return NULL;
        n = jinja_join(p, JINJA_MATH, n, unary(p, true));
        if (n)
            n->what = what;
    }
    return p->code == 0 ? n : NULL;
}

static struct jinja_node *
concatenation(struct jinja_parser *p)
{
    struct jinja_node *n = product(p);
    for (unsigned links = 0; n && jinja_is_operator(p, "~");) {
        if (!jinja_chain(p, &links) || !jinja_next(p))
            return NULL;
        n = jinja_join(p, JINJA_CONCAT, n, product(p));
    }
    return p->code == 0 ? n : NULL;
}

static struct jinja_node *
sum(struct jinja_parser *p)
{
    struct jinja_node *n = concatenation(p);
    for (unsigned links = 0;
         n && (jinja_is_operator(p, "+") || jinja_is_operator(p, "-"));) {
        int what = jinja_is_operator(p, "+") ? '+' : '-';
        if (!jinja_chain(p, &links) || !jinja_next(p))
            return NULL;
        n = jinja_join(p, JINJA_MATH, n, concatenation(p));
        if (n)
            n->what = what;
    }
    return p->code == 0 ? n : NULL;
}

/* Pass over a comparison. @return enum jinja_compare, or -1 when there is none. */
static int
take_comparison(struct jinja_parser *p)
{
    static const char *const texts[] = {"==", "!=", "<", "<=", ">", ">="};
    for (int i = 0; i < (int)(sizeof texts / sizeof *texts); i++)
        if (jinja_take_operator(p, texts[i]))
            return i;
    if (jinja_take_name(p, "in"))
        return JINJA_IN;
    if (!jinja_take_name(p, "not"))
        return -1;
    if (!jinja_take_name(p, "in"))
        (void)jinja_expected(p, "'in'");
    return JINJA_NOT_IN;
}

/* a < b < c is (a < b) and (b < c). */
static struct jinja_node *
comparison(struct jinja_parser *p)
{
    struct jinja_node *left = sum(p), *all = NULL;
    int what;
    for (unsigned links = 0; left && (what = take_comparison(p)) >= 0;) {
        struct jinja_node *right = jinja_chain(p, &links) ? sum(p) : NULL;
        struct jinja_node *n = jinja_join(p, JINJA_COMPARE, left, right);
        if (!n)
            return NULL;
        n->what = what;
        all = all ? jinja_join(p, JINJA_AND, all, n) : n;
        left = right;
    }
    return p->code < 0 ? NULL : all ? all : left;
}

// NOLINTNEXTLINE(misc-no-recursion): depth is limited
static struct jinja_node *
negation(struct jinja_parser *p)
{
    size_t offset = p->start;
    if (!jinja_is_name(p, "not"))
        return comparison(p);
    struct jinja_node *n = jinja_node_new(p, JINJA_NOT, offset);
    if (!n || !jinja_next(p) || !jinja_enter(p))
        return NULL;
    n->a = negation(p);
    p->depth--;
    return n->a ? n : NULL;
}

static struct jinja_node *
conjunction(struct jinja_parser *p)
{
    struct jinja_node *n = negation(p);
    for (unsigned links = 0; n && jinja_take_name(p, "and");)
        n = jinja_chain(p, &links) ? jinja_join(p, JINJA_AND, n, negation(p)) : NULL;
    return p->code == 0 ? n : NULL;
}

struct jinja_node *
jinja_expression_plain(struct jinja_parser *p)
{
    struct jinja_node *n = conjunction(p);
    for (unsigned links = 0; n && jinja_take_name(p, "or");)
        n = jinja_chain(p, &links) ? jinja_join(p, JINJA_OR, n, conjunction(p)) : NULL;
    return p->code == 0 ? n : NULL;
}

// NOLINTNEXTLINE(misc-no-recursion): depth is limited
struct jinja_node *
jinja_expression(struct jinja_parser *p)
{
    if (!jinja_enter(p))
        return NULL;
    struct jinja_node *n = jinja_expression_plain(p);
    for (unsigned links = 0; n && jinja_take_name(p, "if");) {
        struct jinja_node *cond =
            jinja_chain(p, &links) ? jinja_expression_plain(p) : NULL;
        n = jinja_join(p, JINJA_COND, cond, n);
        if (n && jinja_take_name(p, "else")) {
            n->c = jinja_expression(p);
            if (!n->c)
                n = NULL;
        }
    }
    p->depth--;
    return p->code == 0 ? n : NULL;
}
