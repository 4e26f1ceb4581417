/* SPDX-License-Identifier: Apache-2.0 */

/* Expressions: what a node is worth. */

#include <stdarg.h>
#include <stdio.h>

#include "ops.h"

#define NESTED_MAX 1000U /* nodes that are being evaluated at the same time */

int
jinja_raise(struct jinja_run *run, const char *type, const char *fmt, ...)
{
    char text[300];
    size_t line, column;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    jinja_position(run->t, run->offset, &line, &column);
    if (run->code == 0)
        run->code = stoq_error_set(run->err, STOQ_ERROR_PLUGIN, -EINVAL,
                                   "%s: %s (%.120s:%zu:%zu)", type, text, run->t->path,
                                   line, column);
    return run->code;
}

int
jinja_raise_code(struct jinja_run *run, int code)
{
    size_t line, column;
    jinja_position(run->t, run->offset, &line, &column);
    if (run->code == 0)
        run->code = stoq_error_set(
            run->err, code == -E2BIG ? STOQ_ERROR_LIMIT : STOQ_ERROR_SYSTEM, code,
            "%s (%.120s:%zu:%zu)",
            code == -E2BIG ? "the template makes too much" : "out of memory",
            run->t->path, line, column);
    return run->code;
}

int
jinja_charge(struct jinja_run *run, size_t steps)
{
    run->steps += steps;
    return run->steps > JINJA_STEPS_MAX ? jinja_raise_code(run, -E2BIG) : 0;
}

/* ------------------------------------------------------------------ loops and tests */

static const char *const loop_names[] = {"index",  "index0", "revindex", "revindex0",
                                         "first",  "last",   "length",   "depth",
                                         "depth0", NULL};

static int
find(const char *const *names, const char *name, size_t size)
{
    for (int i = 0; names[i]; i++)
        if (strlen(names[i]) == size && memcmp(names[i], name, size) == 0)
            return i;
    return -1;
}

int
jinja_loop_find(const char *name, size_t size)
{
    return find(loop_names, name, size);
}

static json_t *
loop_attribute(const struct jinja_loop *l, int what)
{
    size_t rest = l->length - l->index;
    const size_t numbers[] = {l->index + 1, l->index, rest, rest - 1, 0, 0,
                              l->length,    1,        0};
    if (strcmp(loop_names[what], "first") == 0)
        return json_boolean(l->index == 0);
    if (strcmp(loop_names[what], "last") == 0)
        return json_boolean(rest == 1);
    return json_integer((json_int_t)numbers[what]);
}

enum {
    TEST_DEFINED,
    TEST_UNDEFINED,
    TEST_NONE,
    TEST_STRING,
    TEST_NUMBER,
    TEST_INTEGER,
    TEST_FLOAT,
    TEST_BOOLEAN,
    TEST_TRUE,
    TEST_FALSE,
    TEST_MAPPING,
    TEST_SEQUENCE,
    TEST_ITERABLE,
    TEST_ODD,
    TEST_EVEN
};

int
jinja_test_find(const char *name, size_t size)
{
    static const char *const names[] = {"defined",  "undefined", "none",    "string",
                                        "number",   "integer",   "float",   "boolean",
                                        "true",     "false",     "mapping", "sequence",
                                        "iterable", "odd",       "even",    NULL};
    return find(names, name, size);
}

static int
is_odd(struct jinja_run *run, const struct jinja_value *v, bool *yes)
{
    int r = jinja_defined(run, v);
    if (r < 0)
        return r;
    if (!json_is_integer(v->json) && !json_is_boolean(v->json))
        return jinja_raise(run, "TypeError", "'%s' is not an integer", jinja_type(v));
    *yes = json_is_integer(v->json) ? json_integer_value(v->json) % 2 != 0
                                    : json_is_true(v->json);
    return 0;
}

static int
test(struct jinja_run *run, int what, const struct jinja_value *v, bool *yes)
{
    bool undefined = jinja_is_undefined(v);
    const json_t *json = undefined ? NULL : v->json;
    int r = 0;
    switch (what) {
    case TEST_DEFINED:
        *yes = !undefined;
        return 0;
    case TEST_UNDEFINED:
        *yes = undefined;
        return 0;
    case TEST_SEQUENCE:
    case TEST_ITERABLE: /* undefined is both, and empty */
        *yes = undefined || json_is_string(json) || json_is_array(json) ||
               json_is_object(json);
        return 0;
    case TEST_ODD:
    case TEST_EVEN:
        r = is_odd(run, v, yes);
        *yes ^= what == TEST_EVEN;
        return r;
    default:
        break;
    }
    *yes = (what == TEST_NONE && json_is_null(json)) ||
           (what == TEST_STRING && json_is_string(json)) ||
           (what == TEST_NUMBER && jinja_is_number(json)) ||
           (what == TEST_INTEGER && json_is_integer(json)) ||
           (what == TEST_FLOAT && json_is_real(json)) ||
           (what == TEST_BOOLEAN && json_is_boolean(json)) ||
           (what == TEST_TRUE && json_is_true(json)) ||
           (what == TEST_FALSE && json_is_false(json)) ||
           (what == TEST_MAPPING && json_is_object(json));
    return 0;
}

/* -------------------------------------------------------------------------- nodes */

static int
set_bool(struct jinja_run *run, bool yes, struct jinja_value *out)
{
    return jinja_set(out, json_boolean(yes)) < 0 ? jinja_raise_code(run, -ENOMEM) : 0;
}

static int
eval_name(struct jinja_run *run, const struct jinja_node *n, struct jinja_value *out)
{
    for (size_t i = run->count; i > 0; i--) {
        if (strcmp(run->variables[i - 1].name, n->names[0]) != 0)
            continue;
        jinja_copy(out, &run->variables[i - 1].value);
        return 0;
    }
    int r = jinja_set_undefined(out, "'%.100s' is undefined", n->names[0]);
    return r < 0 ? jinja_raise_code(run, r) : 0;
}

static int
eval_list(struct jinja_run *run, const struct jinja_node *n, struct jinja_value *out)
{
    json_auto_t *list = json_array();
    for (const struct jinja_node *i = n->a; list && i; i = i->next) {
        JINJA_VALUE v = {0};
        int r = jinja_eval(run, i, &v);
        if (r == 0)
            r = jinja_defined(run, &v);
        if (r < 0)
            return r;
        if (json_array_append(list, v.json) < 0)
            return jinja_raise_code(run, -ENOMEM);
    }
    return jinja_set(out, json_incref(list)) < 0 ? jinja_raise_code(run, -ENOMEM) : 0;
}

/* items(), keys(), values() of an object. */
static int
eval_method(struct jinja_run *run, const struct jinja_node *n, struct jinja_value *out)
{
    JINJA_VALUE of = {0};
    int r = jinja_eval(run, n->a, &of);
    run->offset = n->offset;
    if (r == 0)
        r = jinja_defined(run, &of);
    if (r < 0)
        return r;
    if (json_is_null(of.json))
        return jinja_raise(run, JINJA_UNDEFINED_ERROR, "'None' has no attribute '%s'",
                           n->names[0]);
    if (!json_is_object(of.json))
        return jinja_raise(run, JINJA_UNDEFINED_ERROR,
                           "'%s object' has no attribute '%s'", jinja_type(&of),
                           n->names[0]);
    json_auto_t *list = json_array();
    const char *key;
    json_t *value;
    json_object_foreach (of.json, key, value) {
        json_t *item = n->what == JINJA_ITEMS  ? json_pack("[sO]", key, value)
                       : n->what == JINJA_KEYS ? json_string(key)
                                               : json_incref(value);
        if (json_array_append_new(list, item) < 0)
            return jinja_raise_code(run, -ENOMEM);
    }
    return jinja_set(out, json_incref(list)) < 0 ? jinja_raise_code(run, -ENOMEM) : 0;
}

static int
eval_filter(struct jinja_run *run, const struct jinja_node *n, struct jinja_value *out)
{
    struct jinja_value values[JINJA_ARGS_MAX] = {0};
    const struct jinja_value *args[JINJA_ARGS_MAX] = {0};
    JINJA_VALUE of = {0};
    int r = jinja_eval(run, n->a, &of);
    for (size_t i = 0; i < JINJA_ARGS_MAX && r == 0; i++) {
        if (!n->args[i])
            continue;
        r = jinja_eval(run, n->args[i], &values[i]);
        args[i] = &values[i];
    }
    run->offset = n->offset;
    if (r == 0)
        r = jinja_filter_apply(run, n->filter, &of, args, out);
    for (size_t i = 0; i < JINJA_ARGS_MAX; i++)
        jinja_value_fini(&values[i]);
    return r;
}

/* Nodes whose first part alone may decide. */
static int
eval_lazy(struct jinja_run *run, const struct jinja_node *n, struct jinja_value *out)
{
    JINJA_VALUE a = {0};
    int r = jinja_eval(run, n->a, &a);
    if (r < 0)
        return r;
    bool yes = jinja_is_true(&a);
    if (n->op == JINJA_NOT)
        return set_bool(run, !yes, out);
    if (n->op == JINJA_COND) {
        if (yes || n->c)
            return jinja_eval(run, yes ? n->b : n->c, out);
        r = jinja_set_undefined(out,
                                "the inline if-expression evaluated to false and no "
                                "else section was defined.");
        return r < 0 ? jinja_raise_code(run, r) : 0;
    }
    if (yes == (n->op == JINJA_OR)) {
        jinja_copy(out, &a);
        return 0;
    }
    return jinja_eval(run, n->b, out);
}

static int
eval_sign(struct jinja_run *run, const struct jinja_node *n,
          const struct jinja_value *a, struct jinja_value *out)
{
    int r = jinja_defined(run, a);
    if (r < 0)
        return r;
    if (!jinja_is_number(a->json))
        return jinja_raise(run, "TypeError", "bad operand type for unary %c: '%s'",
                           n->what, jinja_type(a));
    const struct jinja_value zero = {.json = json_integer(0)};
    r = zero.json ? jinja_math(run, n->what, &zero, a, out)
                  : jinja_raise_code(run, -ENOMEM);
    json_decref(zero.json);
    return r;
}

static int
eval_binary(struct jinja_run *run, const struct jinja_node *n, struct jinja_value *out)
{
    JINJA_VALUE a = {0}, b = {0};
    bool yes = false;
    int r = jinja_eval(run, n->a, &a);
    if (r == 0 && n->b)
        r = jinja_eval(run, n->b, &b);
    run->offset = n->offset;
    if (r < 0)
        return r;
    switch ((int)n->op) {
    case JINJA_ITEM:
        return jinja_item(run, &a, &b, out);
    case JINJA_ATTR:
        return jinja_attribute(run, &a, n->names[0], out);
    case JINJA_MATH:
        return jinja_math(run, n->what, &a, &b, out);
    case JINJA_CONCAT:
        return jinja_concat(run, &a, &b, out);
    case JINJA_SIGN:
        return eval_sign(run, n, &a, out);
    case JINJA_COMPARE:
        r = jinja_compare(run, (enum jinja_compare)n->what, &a, &b, &yes);
        break;
    default:
        r = test(run, n->what, &a, &yes);
        break;
    }
    return r < 0 ? r : set_bool(run, yes, out);
}

static int
eval_node(struct jinja_run *run, const struct jinja_node *n, struct jinja_value *out)
{
    switch ((int)n->op) {
    case JINJA_CONST:
        return jinja_set(out, json_incref(n->literal));
    case JINJA_NAME:
        return eval_name(run, n, out);
    case JINJA_LIST:
        return eval_list(run, n, out);
    case JINJA_METHOD:
        return eval_method(run, n, out);
    case JINJA_LOOP:
        return jinja_set(out, loop_attribute(run->loop, n->what)) < 0
                   ? jinja_raise_code(run, -ENOMEM)
                   : 0;
    case JINJA_FILTER:
        return eval_filter(run, n, out);
    case JINJA_NOT:
    case JINJA_AND:
    case JINJA_OR:
    case JINJA_COND:
        return eval_lazy(run, n, out);
    default:
        return eval_binary(run, n, out);
    }
}

// NOLINTNEXTLINE(misc-no-recursion): depth is limited by NESTED_MAX
int
jinja_eval(struct jinja_run *run, const struct jinja_node *n, struct jinja_value *out)
{
    run->offset = n->offset;
    if (run->depth >= NESTED_MAX)
        return jinja_raise_code(run, -E2BIG);
    run->depth++;
    int r = jinja_charge(run, 1);
    if (r == 0)
        r = eval_node(run, n, out);
    run->depth--;
    return r;
}
