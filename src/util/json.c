/* SPDX-License-Identifier: Apache-2.0 */

/*
 * JSON as text, in stoQ's forms. jansson's own writer is not used: it prints reals with
 * 17 digits where stoQ prints the shortest text that reads back, and it knows neither a
 * depth limit of ours nor what to do with infinities.
 */

#include "util/json.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/strbuf.h"
#include "util/utf8.h"

bool
stoq_utf8_valid(const void *data, size_t size)
{
    const unsigned char *s = data;
    size_t at = 0;
    while (at < size) {
        if (s[at] < 0x80) {
            at++;
            continue;
        }
        int n = stoq_utf8_step(s + at, size - at);
        if (n < 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

static void
add_string(struct stoq_strbuf *b, const char *text, size_t size)
{
    static const char shorts[] = "btn\0fr"; /* \b is 8, 11 has none */
    size_t from = 0;
    stoq_strbuf_add(b, "\"", 1);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        stoq_strbuf_add(b, text + from, i - from);
        from = i + 1;
        if (c >= 0x20)
            stoq_strbuf_addf(b, "\\%c", c);
        else if (c >= 8 && c <= 13 && shorts[c - 8] != '\0')
            stoq_strbuf_addf(b, "\\%c", shorts[c - 8]);
        else
            stoq_strbuf_addf(b, "\\u%04x", c);
    }
    stoq_strbuf_add(b, text + from, size - from);
    stoq_strbuf_add(b, "\"", 1);
}

#define REAL_DIGITS 17

/* Fewest digits that read back as @p value (> 0); returns the decimal exponent of the
 * first digit. The decimal point is skipped, whatever the locale makes of it. */
static int
shortest_digits(double value, char digits[REAL_DIGITS + 1])
{
    char text[64];
    /* 15 digits always survive, so fewer need no trial; not so below DBL_MIN */
    int precision = value < DBL_MIN ? 1 : 15;
    for (; precision <= REAL_DIGITS; precision++) {
        (void)snprintf(text, sizeof(text), "%.*e", precision - 1, value);
        if (!(strtod(text, NULL) < value) && !(strtod(text, NULL) > value))
            break;
    }
    size_t n = 0;
    const char *p = text;
    for (; *p && *p != 'e'; p++) {
        if (*p >= '0' && *p <= '9' && n < REAL_DIGITS)
            digits[n++] = *p;
    }
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';
    return *p == 'e' ? (int)strtol(p + 1, NULL, 10) : 0;
}

/* As Python's repr(): exponents only below -4 and from 16 on. */
static void
add_real(struct stoq_strbuf *b, double value)
{
    if (!isfinite(value)) {
        stoq_strbuf_adds(b, "null");
        return;
    }
    if (signbit(value))
        stoq_strbuf_adds(b, "-");
    value = fabs(value);
    if (fpclassify(value) == FP_ZERO) {
        stoq_strbuf_adds(b, "0.0");
        return;
    }
    char digits[REAL_DIGITS + 1];
    int exponent = shortest_digits(value, digits);
    int count = (int)strlen(digits);
    if (exponent < -4 || exponent >= 16) {
        stoq_strbuf_addf(b, "%c%s%se%c%02d", digits[0], count > 1 ? "." : "",
                         digits + 1, exponent < 0 ? '-' : '+', abs(exponent));
    } else if (exponent < 0) {
        stoq_strbuf_addf(b, "0.%.*s%s", -exponent - 1, "000", digits);
    } else if (count > exponent + 1) {
        stoq_strbuf_addf(b, "%.*s.%s", exponent + 1, digits, digits + exponent + 1);
    } else {
        stoq_strbuf_addf(b, "%s%.*s.0", digits, exponent + 1 - count,
                         "0000000000000000");
    }
}

struct dump {
    struct stoq_strbuf text;
    bool pretty;
    bool too_deep;
};

static void
add_break(struct dump *d, unsigned depth, bool first)
{
    if (!d->pretty) {
        if (!first)
            stoq_strbuf_adds(&d->text, ", ");
        return;
    }
    stoq_strbuf_adds(&d->text, first ? "\n" : ",\n");
    for (unsigned i = 0; i < depth; i++)
        stoq_strbuf_adds(&d->text, "    ");
}

/* jansson's iterators ask for a tree that they could change; ours do not change it. */
static json_t *
iterable(const json_t *json)
{
    union {
        const json_t *in;
        json_t *out;
    } view = {.in = json};
    return view.out;
}

static void add_value(struct dump *d, const json_t *json, unsigned depth);

static void
add_object(struct dump *d, const json_t *json, unsigned depth)
{
    bool first = true;
    json_t *object = iterable(json);
    stoq_strbuf_adds(&d->text, "{");
    for (void *it = json_object_iter(object); it;
         it = json_object_iter_next(object, it)) {
        const char *key = json_object_iter_key(it);
        add_break(d, depth + 1, first);
        add_string(&d->text, key, strlen(key));
        stoq_strbuf_adds(&d->text, ": ");
        add_value(d, json_object_iter_value(it), depth + 1);
        first = false;
    }
    if (!first && d->pretty)
        add_break(d, depth, true);
    stoq_strbuf_adds(&d->text, "}");
}

static void
add_array(struct dump *d, const json_t *json, unsigned depth)
{
    size_t count = json_array_size(json);
    stoq_strbuf_adds(&d->text, "[");
    for (size_t i = 0; i < count; i++) {
        add_break(d, depth + 1, i == 0);
        add_value(d, json_array_get(json, i), depth + 1);
    }
    if (count > 0 && d->pretty)
        add_break(d, depth, true);
    stoq_strbuf_adds(&d->text, "]");
}

static void
add_value(struct dump *d, const json_t *json, unsigned depth)
{
    if (d->too_deep)
        return;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        if (depth >= STOQ_JSON_MAX_DEPTH)
            d->too_deep = true;
        else if (json_is_object(json))
            add_object(d, json, depth);
        else
            add_array(d, json, depth);
        break;
    case JSON_STRING:
        add_string(&d->text, json_string_value(json), json_string_length(json));
        break;
    case JSON_INTEGER:
        stoq_strbuf_addf(&d->text, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
        break;
    case JSON_REAL:
        add_real(&d->text, json_real_value(json));
        break;
    case JSON_TRUE:
        stoq_strbuf_adds(&d->text, "true");
        break;
    case JSON_FALSE:
        stoq_strbuf_adds(&d->text, "false");
        break;
    case JSON_NULL:
        stoq_strbuf_adds(&d->text, "null");
        break;
    }
}

char *
stoq_json_dump(const json_t *json, bool pretty)
{
    struct dump d = {.pretty = pretty};
    if (!json)
        return NULL;
    add_value(&d, json, 0);
    if (d.too_deep) {
        stoq_strbuf_fini(&d.text);
        return NULL;
    }
    return stoq_strbuf_steal(&d.text);
}

/* Depth of @p json that itself lies @p level deep; stops once the limit is passed, so
 * the recursion is bounded whatever the tree is. */
static unsigned
depth_from(const json_t *json, unsigned level)
{
    if (!json_is_object(json) && !json_is_array(json))
        return level;
    unsigned deepest = level + 1;
    json_t *object = iterable(json);
    void *it = json_object_iter(object);
    size_t count = it ? json_object_size(json) : json_array_size(json);
    for (size_t i = 0; i < count && deepest <= STOQ_JSON_MAX_DEPTH; i++) {
        const json_t *child = it ? json_object_iter_value(it) : json_array_get(json, i);
        unsigned depth = depth_from(child, level + 1);
        deepest = depth > deepest ? depth : deepest;
        it = it ? json_object_iter_next(object, it) : NULL;
    }
    return deepest;
}

unsigned
stoq_json_depth(const json_t *json)
{
    return depth_from(json, 0);
}

/* Whether brackets outside strings nest too deep: jansson 2.14 recurses per level. */
static bool
text_too_deep(const char *text, size_t size)
{
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > STOQ_JSON_MAX_DEPTH)
                return true;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return false;
}

json_t *
stoq_json_parse(const char *text, size_t size, struct stoq_error *err)
{
    if (text_too_deep(text, size)) {
        (void)stoq_error_set(err, STOQ_ERROR_LIMIT, -E2BIG,
                             "JSON nested deeper than %d levels", STOQ_JSON_MAX_DEPTH);
        return NULL;
    }
    json_error_t error = {0};
    json_t *json = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!json) {
        bool memory = json_error_code(&error) == json_error_out_of_memory;
        (void)stoq_error_set(err, memory ? STOQ_ERROR_SYSTEM : STOQ_ERROR_FORMAT,
                             memory ? -ENOMEM : -EINVAL, "JSON line %d column %d: %s",
                             error.line, error.column, error.text);
    }
    return json;
}

const char *
stoq_json_string_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}
