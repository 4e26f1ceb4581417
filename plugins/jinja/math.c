/* SPDX-License-Identifier: Apache-2.0 */

/* Arithmetic, by the rules of Python; integers have 64 bits and do not wrap. */

#include <math.h>

#include "ops.h"

int
jinja_concat(struct jinja_run *run, const struct jinja_value *a,
             const struct jinja_value *b, struct jinja_value *out)
{
    bool markup = a->flavour == JINJA_MARKUP || b->flavour == JINJA_MARKUP;
    struct jinja_text text = {0};
    jinja_add(&text, a, markup);
    jinja_add(&text, b, markup);
    return jinja_finish(run, &text, markup, out);
}

static int
set_real(struct jinja_run *run, double value, struct jinja_value *out)
{
    if (!isfinite(value))
        return jinja_raise(run, "OverflowError", "the result is too large");
    return jinja_set(out, json_real(value)) < 0 ? jinja_raise_code(run, -ENOMEM) : 0;
}

static int
real_math(struct jinja_run *run, int what, double a, double b, struct jinja_value *out)
{
    double value;
    bool divides = what == '/' || what == 'f' || what == '%';
    if (divides && !(b < 0) && !(b > 0))
        return jinja_raise(run, "ZeroDivisionError", "%s",
                           what == '/'   ? "float division by zero"
                           : what == 'f' ? "float floor division by zero"
                                         : "float modulo");
    switch (what) {
    case '+':
        value = a + b;
        break;
    case '-':
        value = a - b;
        break;
    case '*':
        value = a * b;
        break;
    case '/':
        value = a / b;
        break;
    case 'f':
        value = floor(a / b);
        break;
    default:
        value = fmod(a, b);
        if ((value < 0) != (b < 0) && (value < 0 || value > 0))
            value += b;
        break;
    }
    return set_real(run, value, out);
}

/* a // b, and what is left, for b != 0 and no overflow: rounded down. */
static int64_t
divide(int64_t a, int64_t b, int64_t *rest)
{
    int64_t q = a / b;
    *rest = a % b;
    if (*rest != 0 && (*rest < 0) != (b < 0)) {
        q--;
        *rest += b;
    }
    return q;
}

static int
int_math(struct jinja_run *run, int what, int64_t a, int64_t b, struct jinja_value *out)
{
    int64_t value = 0, rest = 0;
    bool over = false;
    if (what == '/' || what == 'f' || what == '%') {
        if (b == 0)
            return jinja_raise(run, "ZeroDivisionError", "%s",
                               what == '/'   ? "division by zero"
                               : what == '%' ? "integer modulo by zero"
                                             : "integer division or modulo by zero");
        if (what == '/')
            return set_real(run, (double)a / (double)b, out);
        over = a == INT64_MIN && b == -1;
        if (!over)
            value = divide(a, b, &rest);
        if (what == '%')
            value = rest;
    } else if (what == '+') {
        over = __builtin_add_overflow(a, b, &value);
    } else if (what == '-') {
        over = __builtin_sub_overflow(a, b, &value);
    } else {
        over = __builtin_mul_overflow(a, b, &value);
    }
    if (over)
        return jinja_raise(run, "OverflowError", "integers have 64 bits here");
    return jinja_set(out, json_integer(value)) < 0 ? jinja_raise_code(run, -ENOMEM) : 0;
}

static int64_t
integer(const json_t *json)
{
    return json_is_integer(json) ? json_integer_value(json)
                                 : (int64_t)json_is_true(json);
}

/* A text or a list, several times. */
static int
repeat(struct jinja_run *run, const struct jinja_value *what, int64_t times,
       struct jinja_value *out)
{
    if (json_is_string(what->json)) {
        struct jinja_text text = {0};
        size_t size = json_string_length(what->json);
        if (size > 0 && times > (int64_t)(JINJA_TEXT_MAX / size))
            return jinja_raise_code(run, -E2BIG);
        for (int64_t i = 0; i < times && size > 0 && text.code == 0; i++)
            jinja_text_add(&text, json_string_value(what->json), size);
        return jinja_finish(run, &text, what->flavour == JINJA_MARKUP, out);
    }
    json_t *list = json_array();
    size_t n = json_array_size(what->json);
    int r = list ? 0 : -ENOMEM;
    for (int64_t i = 0; i < times && n > 0 && r == 0; i++) {
        if (json_array_size(list) + n > JINJA_ITEMS_MAX)
            r = -E2BIG;
        else if (json_array_extend(list, what->json) < 0)
            r = -ENOMEM;
    }
    if (r < 0) {
        json_decref(list);
        return jinja_raise_code(run, r);
    }
    return jinja_set(out, list);
}

static int
add_lists(struct jinja_run *run, const json_t *a, const json_t *b,
          struct jinja_value *out)
{
    if (json_array_size(a) + json_array_size(b) > JINJA_ITEMS_MAX)
        return jinja_raise_code(run, -E2BIG);
    if (jinja_set(out, json_copy((json_t *)(uintptr_t)a)) < 0 ||
        json_array_extend(out->json, (json_t *)(uintptr_t)b) < 0)
        return jinja_raise_code(run, -ENOMEM);
    return 0;
}

static bool
is_sequence(const json_t *json)
{
    return json_is_string(json) || json_is_array(json);
}

static bool
is_whole(const json_t *json)
{
    return json_is_integer(json) || json_is_boolean(json);
}

int
jinja_math(struct jinja_run *run, int what, const struct jinja_value *a,
           const struct jinja_value *b, struct jinja_value *out)
{
    const json_t *x = a->json, *y = b->json;
    int r = jinja_defined(run, a);
    if (r == 0)
        r = jinja_defined(run, b);
    if (r < 0)
        return r;
    if (is_whole(x) && is_whole(y))
        return int_math(run, what, integer(x), integer(y), out);
    if (jinja_is_number(x) && jinja_is_number(y))
        return real_math(run, what, jinja_number(x), jinja_number(y), out);
    if (what == '+' && json_is_string(x) && json_is_string(y))
        return jinja_concat(run, a, b, out);
    if (what == '+' && json_is_array(x) && json_is_array(y))
        return add_lists(run, x, y, out);
    if (what == '*' && is_sequence(x) && is_whole(y))
        return repeat(run, a, integer(y), out);
    if (what == '*' && is_whole(x) && is_sequence(y))
        return repeat(run, b, integer(x), out);
    if (what == '%' && json_is_string(x))
        return jinja_raise(run, "TypeError", "formatting by %% is not supported");
    return jinja_raise(run, "TypeError",
                       "unsupported operand type(s) for %s: '%s' and '%s'",
                       what == 'f' ? "//" : (const char[]){(char)what, '\0'},
                       jinja_type(a), jinja_type(b));
}
