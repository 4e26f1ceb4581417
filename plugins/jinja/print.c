/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Values as text: as Python's str() and repr() write them, for that is what a template
 * prints, and as JSON. Nesting deeper than any document may be is cut short.
 */

#include <ctype.h>
#include <math.h>
#include <stdio.h>

#include "jinja.h"

/* The shortest digits that read back as the same number, in Python's notation. */
static void
print_real(struct jinja_text *t, double value)
{
    char digits[40] = "";
    if (!isfinite(value)) {
        jinja_text_puts(t, isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
        return;
    }
    for (int precision = 0; precision < 17; precision++) {
        (void)snprintf(digits, sizeof digits, "%.*e", precision, value);
        double back = strtod(digits, NULL);
        if (!(back < value) && !(back > value))
            break;
    }
    char *e = strchr(digits, 'e');
    long exponent = e ? strtol(e + 1, NULL, 10) : 0;
    int precision = e ? (int)(e - digits) - 2 - (digits[0] == '-') : 0;
    if (precision < 0)
        precision = 0;
    if (exponent < -4 || exponent >= 16) {
        jinja_text_add(t, digits, e ? (size_t)(e - digits) : strlen(digits));
        jinja_text_printf(t, "e%c%02ld", exponent < 0 ? '-' : '+', labs(exponent));
        return;
    }
    int places = precision > exponent ? precision - (int)exponent : 0;
    jinja_text_printf(t, "%.*f%s", places, value, places > 0 ? "" : ".0");
}

/* Characters that repr() writes as escapes; the rare ones by their blocks. */
static bool
is_printable(uint32_t c)
{
    if (c < 0x7f)
        return c >= 0x20;
    return !(c <= 0xa0 || c == 0xad || (c != 0x20 && jinja_is_space(c)) ||
             (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
             (c >= 0x2060 && c <= 0x206f) || (c >= 0xd800 && c <= 0xf8ff) ||
             c == 0xfeff || (c >= 0xfff0 && c <= 0xfffb) || (c & 0xfffe) == 0xfffe ||
             c >= 0xe0000);
}

static void
repr_text(struct jinja_text *t, const char *data, size_t size)
{
    bool apostrophe = memchr(data, '\'', size) != NULL;
    char quote = apostrophe && !memchr(data, '"', size) ? '"' : '\'';
    jinja_text_add(t, &quote, 1);
    for (size_t at = 0; at < size;) {
        size_t start = at;
        uint32_t c = jinja_rune(data, size, &at);
        if (c == '\\' || c == (unsigned char)quote)
            jinja_text_printf(t, "\\%c", (int)c);
        else if (c == '\n')
            jinja_text_puts(t, "\\n");
        else if (c == '\r')
            jinja_text_puts(t, "\\r");
        else if (c == '\t')
            jinja_text_puts(t, "\\t");
        else if (is_printable(c))
            jinja_text_add(t, data + start, at - start);
        else if (c < 0x100)
            jinja_text_printf(t, "\\x%02x", c);
        else
            jinja_text_printf(t, c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
    }
    jinja_text_add(t, &quote, 1);
}

/* What has no parts. @return false when @json has some. */
static bool
print_scalar(struct jinja_text *t, const json_t *json)
{
    if (json_is_integer(json))
        jinja_text_printf(t, "%lld", (long long)json_integer_value(json));
    else if (json_is_real(json))
        print_real(t, json_real_value(json));
    else if (json_is_boolean(json))
        jinja_text_puts(t, json_is_true(json) ? "True" : "False");
    else if (json_is_null(json))
        jinja_text_puts(t, "None");
    else
        return false;
    return true;
}

// NOLINTNEXTLINE(misc-no-recursion): depth is limited
static void
repr(struct jinja_text *t, const json_t *json, unsigned depth)
{
    if (print_scalar(t, json))
        return;
    if (json_is_string(json)) {
        repr_text(t, json_string_value(json), json_string_length(json));
        return;
    }
    bool list = json_is_array(json);
    jinja_text_puts(t, list ? "[" : "{");
    if (depth > JINJA_DEPTH_MAX) {
        jinja_text_puts(t, "...");
    } else if (list) {
        for (size_t i = 0; i < json_array_size(json) && t->code == 0; i++) {
            jinja_text_puts(t, i ? ", " : "");
            repr(t, json_array_get(json, i), depth + 1);
        }
    } else {
        const char *key;
        json_t *value;
        bool first = true;
        json_object_foreach ((json_t *)(uintptr_t)json, key, value) {
            if (t->code < 0)
                break;
            jinja_text_puts(t, first ? "" : ", ");
            repr_text(t, key, strlen(key));
            jinja_text_puts(t, ": ");
            repr(t, value, depth + 1);
            first = false;
        }
    }
    jinja_text_puts(t, list ? "]" : "}");
}

void
jinja_print(struct jinja_text *t, const struct jinja_value *v)
{
    if (jinja_is_undefined(v))
        return;
    if (json_is_string(v->json))
        jinja_text_add(t, json_string_value(v->json), json_string_length(v->json));
    else if (v->flavour == JINJA_DOCUMENT && json_is_object(v->json))
        jinja_print_json(t, v->json, (struct jinja_json){.indent = 4});
    else
        repr(t, v->json, 0);
}

/* --------------------------------------------------------------------------- JSON */

struct writer {
    struct jinja_text *t;
    struct jinja_json how;
};

static void
json_unit(struct jinja_text *t, uint32_t unit)
{
    jinja_text_printf(t, "\\u%04x", unit);
}

static void
json_text(const struct writer *w, const char *data, size_t size)
{
    struct jinja_text *t = w->t;
    static const char special[] = "\"\\\n\r\t\b\f", letters[] = "\"\\nrtbf";
    jinja_text_puts(t, "\"");
    for (size_t at = 0; at < size;) {
        size_t start = at;
        uint32_t c = jinja_rune(data, size, &at);
        const char *hit = c > 0 && c < 0x80 ? strchr(special, (int)c) : NULL;
        if (hit)
            jinja_text_printf(t, "\\%c", letters[hit - special]);
        else if (c < 0x20 || (w->how.html && c < 0x80 && strchr("<>&'", (int)c)))
            json_unit(t, c);
        else if (c < 0x80 || !w->how.html)
            jinja_text_add(t, data + start, at - start);
        else if (c < 0x10000)
            json_unit(t, c);
        else {
            json_unit(t, 0xd800 + ((c - 0x10000) >> 10));
            json_unit(t, 0xdc00 + (c & 0x3ff));
        }
    }
    jinja_text_puts(t, "\"");
}

/* What stands before a part, or before the end. */
static void
json_gap(const struct writer *w, bool first, bool end, unsigned depth)
{
    if (!first && !end)
        jinja_text_puts(w->t, w->how.indent < 0 ? ", " : ",");
    if (w->how.indent < 0 || (first && end))
        return;
    jinja_text_puts(w->t, "\n");
    for (unsigned i = 0; i < depth * (unsigned)w->how.indent; i++)
        jinja_text_puts(w->t, " ");
}

static int
by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The keys of @object in the order that is asked for; NULL without memory. */
static const char **
keys_of(const struct writer *w, const json_t *object)
{
    size_t n = 0;
    const char **keys = calloc(json_object_size(object) + 1, sizeof(char *));
    const char *key;
    json_t *value;
    if (!keys) {
        w->t->code = -ENOMEM;
        return NULL;
    }
    json_object_foreach ((json_t *)(uintptr_t)object, key, value)
        keys[n++] = key;
    if (w->how.sort)
        qsort(keys, n, sizeof(char *), by_text);
    return keys;
}

// NOLINTNEXTLINE(misc-no-recursion): depth is limited
static void
write_json(const struct writer *w, const json_t *json, unsigned depth)
{
    struct jinja_text *t = w->t;
    if (json_is_string(json)) {
        json_text(w, json_string_value(json), json_string_length(json));
    } else if (json_is_null(json)) {
        jinja_text_puts(t, "null");
    } else if (json_is_boolean(json)) {
        jinja_text_puts(t, json_is_true(json) ? "true" : "false");
    } else if (depth > JINJA_DEPTH_MAX) {
        jinja_text_puts(t, "null");
    } else if (json_is_array(json)) {
        size_t n = json_array_size(json);
        jinja_text_puts(t, "[");
        for (size_t i = 0; i < n && t->code == 0; i++) {
            json_gap(w, i == 0, false, depth + 1);
            write_json(w, json_array_get(json, i), depth + 1);
        }
        json_gap(w, n == 0, true, depth);
        jinja_text_puts(t, "]");
    } else if (json_is_object(json)) {
        PLUGIN_AUTOFREE const char **keys = keys_of(w, json);
        jinja_text_puts(t, "{");
        for (size_t i = 0; keys && keys[i] && t->code == 0; i++) {
            json_gap(w, i == 0, false, depth + 1);
            json_text(w, keys[i], strlen(keys[i]));
            jinja_text_puts(t, ": ");
            write_json(w, json_object_get(json, keys[i]), depth + 1);
        }
        json_gap(w, json_object_size(json) == 0, true, depth);
        jinja_text_puts(t, "}");
    } else {
        (void)print_scalar(t, json);
    }
}

void
jinja_print_json(struct jinja_text *t, const json_t *json, struct jinja_json how)
{
    const struct writer w = {.t = t, .how = how};
    write_json(&w, json, 0);
}
