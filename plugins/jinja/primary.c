/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What expressions are made of: constants, names, lists, and behind them attributes,
 * subscripts, filters and tests. What is not supported is refused by name.
 */

#include "ops.h"
#include "parser.h"

/* ------------------------------------------------------------------------ primary */

static struct jinja_node *
constant(struct jinja_parser *p, json_t *value)
{
    struct jinja_node *n = jinja_node_new(p, JINJA_CONST, p->start);
    if (!n || !value) {
        json_decref(value);
        return jinja_no_memory(p);
    }
    n->literal = value;
    return jinja_next(p) ? n : NULL;
}

static struct jinja_node *
list(struct jinja_parser *p)
{
    struct jinja_node *n = jinja_node_new(p, JINJA_LIST, p->start);
    struct jinja_node **last = n ? &n->a : NULL;
    if (!n || !jinja_next(p))
        return NULL;
    while (!jinja_is_operator(p, "]")) {
        struct jinja_node *item = jinja_expression(p);
        if (!item)
            return NULL;
        *last = item;
        last = &item->next;
        if (!jinja_take_operator(p, ",") && !jinja_is_operator(p, "]"))
            return jinja_expected(p, "',' or ']'");
    }
    return jinja_next(p) ? n : NULL;
}

static struct jinja_node *
parenthesis(struct jinja_parser *p)
{
    if (!jinja_next(p))
        return NULL;
    struct jinja_node *n = jinja_expression(p);
    if (n && jinja_is_operator(p, ","))
        return jinja_fail(p, p->start, "tuples are not supported; write a [list]");
    if (n && !jinja_take_operator(p, ")"))
        return jinja_expected(p, "')'");
    return n;
}

/* loop.NAME in a for. */
static struct jinja_node *
loop_attribute(struct jinja_parser *p, size_t offset)
{
    struct jinja_node *n = jinja_node_new(p, JINJA_LOOP, offset);
    if (!n)
        return NULL;
    if (!jinja_take_operator(p, ".") || p->token != TOKEN_NAME)
        return jinja_expected(p, "an attribute of loop");
    n->what = jinja_loop_find(p->source + p->start, p->length);
    if (n->what < 0)
        return jinja_fail(p, p->start, "loop.%.*s is not supported", (int)p->length,
                          p->source + p->start);
    return jinja_next(p) ? n : NULL;
}

static struct jinja_node *
name(struct jinja_parser *p)
{
    static const struct {
        const char *name;
        int value;
    } words[] = {{"true", 1},  {"True", 1},  {"false", 0},
                 {"False", 0}, {"none", -1}, {"None", -1}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (jinja_is_name(p, words[i].name))
            return constant(p, words[i].value < 0 ? json_null()
                                                  : json_boolean(words[i].value));
    static const char *const reserved[] = {"and", "or", "not", "in",
                                           "is",  "if", "else"};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (jinja_is_name(p, reserved[i]))
            return jinja_expected(p, "an expression");
    size_t offset = p->start;
    if (p->loops > 0 && jinja_take_name(p, "loop"))
        return loop_attribute(p, offset);
    struct jinja_node *n = jinja_node_new(p, JINJA_NAME, offset);
    return n && jinja_node_name(p, n) ? n : NULL;
}

struct jinja_node *
jinja_primary(struct jinja_parser *p)
{
    struct jinja_node *n;
    if (!jinja_enter(p))
        return NULL;
    if (p->token == TOKEN_NAME)
        n = name(p);
    else if (p->token == TOKEN_TEXT || p->token == TOKEN_NUMBER)
        n = constant(p, json_incref(p->literal));
    else if (jinja_is_operator(p, "["))
        n = list(p);
    else if (jinja_is_operator(p, "("))
        n = parenthesis(p);
    else if (jinja_is_operator(p, "{"))
        n = jinja_fail(p, p->start, "dictionaries are not supported here");
    else
        n = jinja_expected(p, "an expression");
    p->depth--;
    return n;
}

/* ------------------------------------------------------------------------ postfix */

/* .NAME, and the few methods that can be called. */
static struct jinja_node *
attribute(struct jinja_parser *p, struct jinja_node *of)
{
    static const char *const methods[] = {"items", "keys", "values"};
    struct jinja_node *n = jinja_node_new(p, JINJA_ATTR, p->start);
    if (!n || !jinja_next(p))
        return NULL;
    n->a = of;
    if (p->token == TOKEN_NUMBER && json_is_integer(p->literal)) {
        n->op = JINJA_ITEM;
        n->b = constant(p, json_incref(p->literal));
        return n->b ? n : NULL;
    }
    size_t start = p->start;
    if (!jinja_node_name(p, n))
        return NULL;
    if (!jinja_is_operator(p, "("))
        return n;
    n->op = JINJA_METHOD;
    n->what = -1;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(n->names[0], methods[i]) == 0)
            n->what = (int)i;
    if (n->what < 0)
        return jinja_fail(p, start,
                          "%s() is not supported; items(), keys() and "
                          "values() are",
                          n->names[0]);
    if (!jinja_next(p))
        return NULL;
    return jinja_take_operator(p, ")") ? n : jinja_expected(p, "')'");
}

static struct jinja_node *
subscript(struct jinja_parser *p, struct jinja_node *of)
{
    if (!jinja_next(p))
        return NULL;
    if (jinja_is_operator(p, ":"))
        return jinja_fail(p, p->start, "slices are not supported");
    struct jinja_node *n = jinja_join(p, JINJA_ITEM, of, jinja_expression(p));
    if (n && jinja_is_operator(p, ":"))
        return jinja_fail(p, p->start, "slices are not supported");
    if (n && !jinja_take_operator(p, "]"))
        return jinja_expected(p, "']'");
    return n;
}

/* ------------------------------------------------------------- filters and tests */

/* One argument, by place or by name. */
static bool
argument(struct jinja_parser *p, struct jinja_node *n, size_t i, bool *named)
{
    size_t start = p->start, length = p->length;
    struct jinja_parser before = *p;
    const char *keyword = NULL;
    /* NAME = is told from an expression by its second token */
    if (p->token == TOKEN_NAME && jinja_next(p) && jinja_take_operator(p, "=")) {
        keyword = p->source + start;
        *named = true;
    } else if (p->code == 0 && before.token == TOKEN_NAME) {
        json_decref(p->literal);
        *p = before;
    }
    if (p->code == 0 && !keyword && *named)
        return jinja_fail(p, start, "an argument without a name after one with it") !=
               NULL;
    int place = jinja_filter_param(n->filter, keyword, length, i);
    if (p->code == 0 && (place < 0 || n->args[place]))
        return jinja_fail(p, start, "an argument that this filter does not take") !=
               NULL;
    struct jinja_node *value = jinja_expression(p);
    if (value)
        n->args[place] = value;
    return value != NULL;
}

static struct jinja_node *
filter(struct jinja_parser *p, struct jinja_node *of)
{
    struct jinja_node *n = jinja_node_new(p, JINJA_FILTER, p->start);
    if (!n || !jinja_next(p))
        return NULL;
    n->a = of;
    if (p->token != TOKEN_NAME)
        return jinja_expected(p, "the name of a filter");
    n->offset = p->start;
    n->filter = jinja_filter_find(p->source + p->start, p->length);
    if (!n->filter)
        return jinja_fail(p, p->start, "the filter '%.*s' is not supported",
                          (int)p->length, p->source + p->start);
    if (!jinja_next(p))
        return NULL;
    if (jinja_take_operator(p, "(")) {
        bool named = false;
        for (size_t i = 0; !jinja_is_operator(p, ")"); i++) {
            if (!argument(p, n, i, &named))
                return NULL;
            if (!jinja_take_operator(p, ",") && !jinja_is_operator(p, ")"))
                return jinja_expected(p, "',' or ')'");
        }
        if (!jinja_next(p))
            return NULL;
    }
    for (size_t i = 0; i < jinja_filter_required(n->filter); i++)
        if (!n->args[i])
            return jinja_fail(p, n->offset, "an argument of this filter is missing");
    return p->code == 0 ? n : NULL;
}

static struct jinja_node *
test(struct jinja_parser *p, struct jinja_node *of)
{
    struct jinja_node *n = jinja_node_new(p, JINJA_TEST, p->start);
    if (!n || !jinja_next(p))
        return NULL;
    bool negate = jinja_take_name(p, "not");
    n->a = of;
    if (p->code < 0)
        return NULL;
    if (p->token != TOKEN_NAME)
        return jinja_expected(p, "the name of a test");
    n->what = jinja_test_find(p->source + p->start, p->length);
    if (n->what < 0)
        return jinja_fail(p, p->start, "the test '%.*s' is not supported",
                          (int)p->length, p->source + p->start);
    if (!jinja_next(p))
        return NULL;
    if (jinja_is_operator(p, "("))
        return jinja_fail(p, p->start, "this test takes no arguments");
    return negate ? jinja_join(p, JINJA_NOT, n, n) : n;
}

struct jinja_node *
jinja_postfix(struct jinja_parser *p, struct jinja_node *n, bool filters)
{
    for (unsigned links = 0; n && p->code == 0;) {
        if (jinja_is_operator(p, "."))
            n = jinja_chain(p, &links) ? attribute(p, n) : NULL;
        else if (jinja_is_operator(p, "["))
            n = jinja_chain(p, &links) ? subscript(p, n) : NULL;
        else if (jinja_is_operator(p, "("))
            n = jinja_fail(p, p->start, "calls are not supported here");
        else
            break;
    }
    for (unsigned links = 0; filters && n && p->code == 0;) {
        if (jinja_is_operator(p, "|"))
            n = jinja_chain(p, &links) ? filter(p, n) : NULL;
        else if (jinja_is_name(p, "is"))
            n = jinja_chain(p, &links) ? test(p, n) : NULL;
        else
            break;
    }
    return p->code == 0 ? n : NULL;
}
