/* SPDX-License-Identifier: Apache-2.0 */

/* Operations on values, by the rules of Python. */

#include <math.h>

#include "ops.h"

#define BYTES_PER_STEP 64 /* of texts that are made */

int
jinja_defined(struct jinja_run *run, const struct jinja_value *v)
{
    return jinja_is_undefined(v) ? jinja_raise(run, JINJA_UNDEFINED_ERROR, "%s",
                                               json_string_value(v->json))
                                 : 0;
}

void
jinja_add(struct jinja_text *t, const struct jinja_value *v, bool escape)
{
    if (!escape || v->flavour == JINJA_MARKUP) {
        jinja_print(t, v);
        return;
    }
    struct jinja_text plain = {0};
    jinja_print(&plain, v);
    if (plain.code == 0)
        jinja_text_escape(t, plain.data ? plain.data : "", plain.size);
    else
        t->code = plain.code;
    jinja_text_fini(&plain);
}

int
jinja_finish(struct jinja_run *run, struct jinja_text *t, bool markup,
             struct jinja_value *out)
{
    size_t size = t->size;
    int r = jinja_set_text(out, t, markup);
    return r < 0 ? jinja_raise_code(run, r) : jinja_charge(run, size / BYTES_PER_STEP);
}

/* ------------------------------------------------------------------------ parts */

static int
characters(struct jinja_run *run, const json_t *text, json_t *list)
{
    const char *data = json_string_value(text);
    size_t size = json_string_length(text);
    int r = jinja_charge(run, size);
    if (r < 0)
        return r;
    for (size_t at = 0; at < size;) {
        size_t start = at;
        (void)jinja_rune(data, size, &at);
        if (json_array_size(list) >= JINJA_ITEMS_MAX)
            return jinja_raise_code(run, -E2BIG);
        if (json_array_append_new(list, json_stringn(data + start, at - start)) < 0)
            return jinja_raise_code(run, -ENOMEM);
    }
    return 0;
}

int
jinja_iterate(struct jinja_run *run, const struct jinja_value *v,
              struct jinja_value *out)
{
    if (json_is_array(v->json)) {
        jinja_copy(out, v);
        return jinja_charge(run, json_array_size(v->json));
    }
    if (jinja_set(out, json_array()) < 0)
        return jinja_raise_code(run, -ENOMEM);
    if (jinja_is_undefined(v))
        return 0;
    if (json_is_string(v->json))
        return characters(run, v->json, out->json);
    if (!json_is_object(v->json))
        return jinja_raise(run, "TypeError", "'%s' object is not iterable",
                           jinja_type(v));
    const char *key;
    json_t *value;
    json_object_foreach (v->json, key, value)
        if (json_array_append_new(out->json, json_string(key)) < 0)
            return jinja_raise_code(run, -ENOMEM);
    return 0;
}

/* Parts of the document that are objects of their own in stoQ, and print as JSON. */
static enum jinja_flavour
part_flavour(const struct jinja_value *v, const char *key)
{
    static const char *const parts[] = {"results", "request_meta", "errors",
                                        "payload_meta"};
    if (v->flavour != JINJA_DOCUMENT)
        return JINJA_PLAIN;
    for (size_t i = 0; key && i < sizeof parts / sizeof *parts; i++)
        if (strcmp(parts[i], key) == 0)
            return JINJA_DOCUMENT;
    return key ? JINJA_PLAIN : JINJA_DOCUMENT;
}

static int
set_part(const struct jinja_value *v, const char *key, json_t *part,
         struct jinja_value *out)
{
    enum jinja_flavour flavour = part_flavour(v, key);
    int r = jinja_set(out, json_incref(part));
    out->flavour = flavour;
    return r;
}

int
jinja_attribute(struct jinja_run *run, const struct jinja_value *v, const char *name,
                struct jinja_value *out)
{
    int r = jinja_defined(run, v);
    if (r < 0)
        return r;
    json_t *part = json_is_object(v->json) ? json_object_get(v->json, name) : NULL;
    if (part)
        return set_part(v, name, part, out);
    r = json_is_null(v->json)
            ? jinja_set_undefined(out, "'None' has no attribute '%.100s'", name)
            : jinja_set_undefined(out, "'%s object' has no attribute '%.100s'",
                                  jinja_type(v), name);
    return r < 0 ? jinja_raise_code(run, r) : 0;
}

/* Item number @index of a list or a text, from its end when negative; NULL = none. */
static json_t *
numbered(const struct jinja_value *v, json_int_t index)
{
    const char *data = json_string_value(v->json);
    size_t size = json_string_length(v->json), at = 0;
    json_int_t count = data ? (json_int_t)jinja_runes(data, size)
                            : (json_int_t)json_array_size(v->json);
    if (index < 0)
        index += count;
    if (index < 0 || index >= count)
        return NULL;
    if (!data)
        return json_incref(json_array_get(v->json, (size_t)index));
    for (json_int_t i = 0; i < index; i++)
        (void)jinja_rune(data, size, &at);
    size_t start = at;
    (void)jinja_rune(data, size, &at);
    return json_stringn(data + start, at - start);
}

int
jinja_item(struct jinja_run *run, const struct jinja_value *v,
           const struct jinja_value *key, struct jinja_value *out)
{
    int r = jinja_defined(run, v);
    if (r == 0)
        r = jinja_defined(run, key);
    if (r < 0)
        return r;
    if (json_is_string(key->json))
        return jinja_attribute(run, v, json_string_value(key->json), out);
    bool number = json_is_integer(key->json) || json_is_boolean(key->json);
    if (number && (json_is_array(v->json) || json_is_string(v->json))) {
        json_t *part = numbered(v, json_is_integer(key->json)
                                       ? json_integer_value(key->json)
                                       : (json_int_t)json_is_true(key->json));
        if (part) {
            enum jinja_flavour flavour = v->flavour;
            r = jinja_set(out, part);
            out->flavour = flavour;
            return r;
        }
    }
    struct jinja_text text = {0};
    jinja_print(&text, key);
    r = text.code == 0
            ? jinja_set_undefined(out, "%s%s has no element %.40s",
                                  json_is_null(v->json) ? "None" : jinja_type(v),
                                  json_is_null(v->json) ? "" : " object", text.data)
            : text.code;
    jinja_text_fini(&text);
    return r < 0 ? jinja_raise_code(run, r) : 0;
}

/* -------------------------------------------------------------------- comparison */

static int
sign(double difference)
{
    return difference < 0 ? -1 : difference > 0;
}

/* The order of two numbers, exact for integers. */
static int
number_order(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b)) {
        json_int_t x = json_integer_value(a), y = json_integer_value(b);
        return x < y ? -1 : x > y;
    }
    return sign(jinja_number(a) - jinja_number(b));
}

static int
text_order(const json_t *a, const json_t *b)
{
    size_t n = json_string_length(a), m = json_string_length(b);
    int order = memcmp(json_string_value(a), json_string_value(b), n < m ? n : m);
    return order ? order : n < m ? -1 : n > m;
}

// NOLINTNEXTLINE(misc-no-recursion): depth is limited
bool
jinja_equal(const json_t *a, const json_t *b, unsigned depth)
{
    if (a == b)
        return true;
    if (depth > JINJA_DEPTH_MAX)
        return false;
    if (jinja_is_number(a) && jinja_is_number(b))
        return number_order(a, b) == 0;
    if (json_typeof(a) != json_typeof(b))
        return false;
    if (json_is_string(a))
        return text_order(a, b) == 0;
    if (json_is_array(a)) {
        size_t n = json_array_size(a), i = 0;
        while (i < n && n == json_array_size(b) &&
               jinja_equal(json_array_get(a, i), json_array_get(b, i), depth + 1))
            i++;
        return i == n && n == json_array_size(b);
    }
    if (json_object_size(a) != json_object_size(b))
        return false;
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)a, key, value) {
        const json_t *other = json_object_get(b, key);
        if (!other || !jinja_equal(value, other, depth + 1))
            return false;
    }
    return true;
}

static int
no_order(struct jinja_run *run, const json_t *a, const json_t *b)
{
    const struct jinja_value va = {.json = (json_t *)(uintptr_t)a};
    const struct jinja_value vb = {.json = (json_t *)(uintptr_t)b};
    return jinja_raise(run, "TypeError",
                       "'<' not supported between instances of '%s' and '%s'",
                       jinja_type(&va), jinja_type(&vb));
}

int
jinja_order(struct jinja_run *run, const json_t *a, const json_t *b, int *order)
{
    if (jinja_is_number(a) && jinja_is_number(b)) {
        *order = number_order(a, b);
        return 0;
    }
    if (json_is_string(a) && json_is_string(b)) {
        *order = text_order(a, b);
        return 0;
    }
    if (!json_is_array(a) || !json_is_array(b))
        return no_order(run, a, b);
    /* the first items that differ decide; lists in lists have no order here */
    size_t n = json_array_size(a), m = json_array_size(b);
    for (size_t i = 0; i < n && i < m; i++) {
        const json_t *x = json_array_get(a, i), *y = json_array_get(b, i);
        if (jinja_equal(x, y, 0))
            continue;
        if (json_is_array(x) || json_is_array(y))
            return no_order(run, x, y);
        return jinja_order(run, x, y, order);
    }
    *order = n < m ? -1 : n > m;
    return 0;
}

static int
contains(struct jinja_run *run, const struct jinja_value *what,
         const struct jinja_value *in, bool *yes)
{
    *yes = false;
    if (jinja_is_undefined(in))
        return 0;
    if (json_is_string(in->json)) {
        if (!json_is_string(what->json) || jinja_is_undefined(what))
            return jinja_raise(run, "TypeError",
                               "'in <string>' requires string as left operand, not %s",
                               jinja_type(what));
        *yes = memmem(json_string_value(in->json), json_string_length(in->json),
                      json_string_value(what->json),
                      json_string_length(what->json)) != NULL;
        return 0;
    }
    if (json_is_array(in->json)) {
        for (size_t i = 0; i < json_array_size(in->json) && !*yes; i++)
            *yes = !jinja_is_undefined(what) &&
                   jinja_equal(what->json, json_array_get(in->json, i), 0);
        return 0;
    }
    if (!json_is_object(in->json))
        return jinja_raise(run, "TypeError", "argument of type '%s' is not iterable",
                           jinja_type(in));
    *yes = json_is_string(what->json) && !jinja_is_undefined(what) &&
           json_object_get(in->json, json_string_value(what->json)) != NULL;
    return 0;
}

int
jinja_compare(struct jinja_run *run, enum jinja_compare what,
              const struct jinja_value *a, const struct jinja_value *b, bool *yes)
{
    int order = 0;
    bool undefined = jinja_is_undefined(a) || jinja_is_undefined(b);
    if (what == JINJA_IN || what == JINJA_NOT_IN) {
        int r = contains(run, a, b, yes);
        *yes ^= what == JINJA_NOT_IN;
        return r;
    }
    if (what == JINJA_EQ || what == JINJA_NE) {
        *yes = undefined ? jinja_is_undefined(a) && jinja_is_undefined(b)
                         : jinja_equal(a->json, b->json, 0);
        *yes ^= what == JINJA_NE;
        return 0;
    }
    int r = undefined ? jinja_defined(run, jinja_is_undefined(a) ? a : b) : 0;
    if (r == 0)
        r = jinja_order(run, a->json, b->json, &order);
    *yes = what == JINJA_LT   ? order < 0
           : what == JINJA_LE ? order <= 0
           : what == JINJA_GT ? order > 0
                              : order >= 0;
    return r;
}
