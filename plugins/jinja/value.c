/* SPDX-License-Identifier: Apache-2.0 */

/* The values of a rendering. They are JSON values that are shared and never changed. */

#include <stdarg.h>
#include <stdio.h>

#include "jinja.h"

void
jinja_value_fini(struct jinja_value *v)
{
    json_decref(v->json);
    *v = (struct jinja_value){0};
}

int
jinja_set(struct jinja_value *out, json_t *json)
{
    jinja_value_fini(out);
    out->json = json;
    return json ? 0 : -ENOMEM;
}

int
jinja_set_text(struct jinja_value *out, struct jinja_text *t, bool markup)
{
    int r = t->code;
    if (r == 0)
        r = jinja_set(out, json_stringn_nocheck(t->data ? t->data : "", t->size));
    if (r == 0 && markup)
        out->flavour = JINJA_MARKUP;
    jinja_text_fini(t);
    return r;
}

int
jinja_set_undefined(struct jinja_value *out, const char *fmt, ...)
{
    char text[200];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    int r = jinja_set(out, stoq_json_text(text, strlen(text), NULL));
    if (r == 0)
        out->flavour = JINJA_UNDEFINED;
    return r;
}

void
jinja_copy(struct jinja_value *out, const struct jinja_value *from)
{
    json_t *json = json_incref(from->json);
    enum jinja_flavour flavour = from->flavour;
    jinja_value_fini(out);
    out->json = json;
    out->flavour = flavour;
}

bool
jinja_is_undefined(const struct jinja_value *v)
{
    return v->flavour == JINJA_UNDEFINED;
}

bool
jinja_is_true(const struct jinja_value *v)
{
    if (jinja_is_undefined(v))
        return false;
    switch (json_typeof(v->json)) {
    case JSON_OBJECT:
        return json_object_size(v->json) > 0;
    case JSON_ARRAY:
        return json_array_size(v->json) > 0;
    case JSON_STRING:
        return json_string_length(v->json) > 0;
    case JSON_INTEGER:
        return json_integer_value(v->json) != 0;
    case JSON_REAL:
        return json_real_value(v->json) < 0 || json_real_value(v->json) > 0;
    case JSON_TRUE:
        return true;
    case JSON_FALSE:
    case JSON_NULL:
    default:
        return false;
    }
}

const char *
jinja_type(const struct jinja_value *v)
{
    if (jinja_is_undefined(v))
        return "Undefined";
    switch (json_typeof(v->json)) {
    case JSON_OBJECT:
        return "dict";
    case JSON_ARRAY:
        return "list";
    case JSON_STRING:
        return v->flavour == JINJA_MARKUP ? "Markup" : "str";
    case JSON_INTEGER:
        return "int";
    case JSON_REAL:
        return "float";
    case JSON_TRUE:
    case JSON_FALSE:
        return "bool";
    case JSON_NULL:
    default:
        return "NoneType";
    }
}

bool
jinja_is_number(const json_t *json)
{
    return json_is_number(json) || json_is_boolean(json);
}

double
jinja_number(const json_t *json)
{
    return json_is_boolean(json) ? (double)json_is_true(json) : json_number_value(json);
}
