/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Filters that make texts. Results are those of Jinja2, with automatic escaping on;
 * upper and lower case are those of the C library.
 */

#include <locale.h>
#include <wctype.h>

#include "filters.h"

/* ---------------------------------------------------------------------- arguments */

const char *
jinja_text_of(const struct jinja_value *v, size_t *size)
{
    *size = json_string_length(v->json);
    return json_string_value(v->json);
}

/* str(v), or markup as it is; undefined is an empty text. */
static int
as_text(struct jinja_run *run, const struct jinja_value *v, struct jinja_value *out)
{
    if (json_is_string(v->json) && !jinja_is_undefined(v)) {
        jinja_copy(out, v);
        return 0;
    }
    struct jinja_text text = {0};
    jinja_print(&text, v);
    return jinja_finish(run, &text, false, out);
}

int
jinja_integer_argument(struct jinja_run *run, const struct jinja_value *v,
                       int64_t fallback, int64_t *out)
{
    *out = fallback;
    if (!v || json_is_null(v->json))
        return 0;
    if (!json_is_integer(v->json))
        return jinja_raise(run, "TypeError", "expected an integer, not '%s'",
                           jinja_type(v));
    *out = json_integer_value(v->json);
    return 0;
}

/* ------------------------------------------------------------------------- texts */

/* One code point after the other through towupper() or towlower(). */
static int
change_case(struct jinja_run *run, const struct jinja_value *v,
            wint_t (*change)(wint_t, locale_t), struct jinja_value *out)
{
    static const char *const names[] = {"C.UTF-8", "C"};
    JINJA_VALUE s = {0};
    struct jinja_text text = {0};
    size_t size;
    int r = as_text(run, v, &s);
    if (r < 0)
        return r;
    locale_t locale = newlocale(LC_CTYPE_MASK, names[0], (locale_t)0);
    if (!locale)
        locale = newlocale(LC_CTYPE_MASK, names[1], (locale_t)0);
    if (!locale)
        return jinja_raise_code(run, -ENOMEM);
    const char *data = jinja_text_of(&s, &size);
    for (size_t at = 0; at < size && text.code == 0;)
        jinja_text_rune(&text, change(jinja_rune(data, size, &at), locale));
    freelocale(locale);
    return jinja_finish(run, &text, s.flavour == JINJA_MARKUP, out);
}

int
jinja_lower(struct jinja_run *run, const struct jinja_value *v, struct jinja_value *out)
{
    return change_case(run, v, towlower_l, out);
}

int
jinja_filter_upper(struct jinja_run *run, const struct jinja_value *v, jinja_args a,
                   struct jinja_value *out)
{
    (void)a;
    return change_case(run, v, towupper_l, out);
}

int
jinja_filter_lower(struct jinja_run *run, const struct jinja_value *v, jinja_args a,
                   struct jinja_value *out)
{
    (void)a;
    return jinja_lower(run, v, out);
}

int
jinja_filter_string(struct jinja_run *run, const struct jinja_value *v, jinja_args a,
                    struct jinja_value *out)
{
    (void)a;
    return as_text(run, v, out);
}

int
jinja_filter_safe(struct jinja_run *run, const struct jinja_value *v, jinja_args a,
                  struct jinja_value *out)
{
    (void)a;
    struct jinja_text text = {0};
    jinja_print(&text, v);
    return jinja_finish(run, &text, true, out);
}

int
jinja_filter_escape(struct jinja_run *run, const struct jinja_value *v, jinja_args a,
                    struct jinja_value *out)
{
    (void)a;
    struct jinja_text text = {0};
    jinja_add(&text, v, true);
    return jinja_finish(run, &text, true, out);
}

/* Escaped when that is called for and it is not markup already. */
static int
as_markup(struct jinja_run *run, const struct jinja_value *v, bool escape,
          struct jinja_value *out)
{
    struct jinja_text text = {0};
    jinja_add(&text, v, escape);
    return jinja_finish(run, &text, escape, out);
}

/* Whether strip() with @set, or without one, takes @c away. */
static bool
is_stripped(uint32_t c, const struct jinja_value *set)
{
    size_t size;
    if (!set)
        return jinja_is_space(c);
    const char *data = jinja_text_of(set, &size);
    for (size_t at = 0; at < size;)
        if (jinja_rune(data, size, &at) == c)
            return true;
    return false;
}

int
jinja_filter_trim(struct jinja_run *run, const struct jinja_value *v, jinja_args a,
                  struct jinja_value *out)
{
    JINJA_VALUE s = {0}, escaped = {0};
    struct jinja_text text = {0};
    size_t size, begin = 0, end = 0;
    const struct jinja_value *set = a[0] && !json_is_null(a[0]->json) ? a[0] : NULL;
    int r = as_text(run, v, &s);
    if (r < 0)
        return r;
    if (set && (!json_is_string(set->json) || jinja_is_undefined(set)))
        return jinja_raise(run, "TypeError", "strip arg must be None or str");
    if (set && s.flavour == JINJA_MARKUP) {
        r = as_markup(run, set, true, &escaped);
        set = &escaped;
    }
    if (r < 0)
        return r;
    const char *data = jinja_text_of(&s, &size);
    bool leading = true;
    for (size_t at = 0; at < size;) {
        bool stripped = is_stripped(jinja_rune(data, size, &at), set);
        leading = leading && stripped;
        if (leading)
            begin = at;
        if (!stripped)
            end = at;
    }
    if (end > begin)
        jinja_text_add(&text, data + begin, end - begin);
    return jinja_finish(run, &text, s.flavour == JINJA_MARKUP, out);
}

/* Put @to in place of @from, at most @count times; < 0 = all. */
static void
replace(struct jinja_text *t, const struct jinja_value *s,
        const struct jinja_value *from, const struct jinja_value *to, int64_t count)
{
    size_t size, n, m;
    const char *data = jinja_text_of(s, &size), *what = jinja_text_of(from, &n);
    const char *with = jinja_text_of(to, &m);
    size_t at = 0;
    while (count != 0 && t->code == 0) {
        if (n == 0) { /* before each character, and at the end */
            size_t start = at;
            jinja_text_add(t, with, m);
            count--;
            if (at >= size)
                return;
            (void)jinja_rune(data, size, &at);
            jinja_text_add(t, data + start, at - start);
            continue;
        }
        const char *hit = memmem(data + at, size - at, what, n);
        if (!hit)
            break;
        jinja_text_add(t, data + at, (size_t)(hit - data) - at);
        jinja_text_add(t, with, m);
        at = (size_t)(hit - data) + n;
        count--;
    }
    jinja_text_add(t, data + at, size - at);
}

int
jinja_filter_replace(struct jinja_run *run, const struct jinja_value *v, jinja_args a,
                     struct jinja_value *out)
{
    JINJA_VALUE s = {0}, from = {0}, to = {0};
    int64_t count;
    bool markup = v->flavour == JINJA_MARKUP || a[0]->flavour == JINJA_MARKUP ||
                  a[1]->flavour == JINJA_MARKUP;
    int r = jinja_integer_argument(run, a[2], -1, &count);
    if (r == 0)
        r = as_markup(run, v, markup, &s);
    if (r == 0)
        r = as_markup(run, a[0], markup, &from);
    if (r == 0)
        r = as_markup(run, a[1], markup, &to);
    if (r < 0)
        return r;
    struct jinja_text text = {0};
    replace(&text, &s, &from, &to, count);
    return jinja_finish(run, &text, markup, out);
}

/* What each line but the first begins with: so many blanks, or a text. */
static int
indentation(struct jinja_run *run, const struct jinja_value *width,
            struct jinja_text *out)
{
    int64_t n;
    if (width && json_is_string(width->json) && !jinja_is_undefined(width)) {
        jinja_print(out, width);
        return 0;
    }
    int r = jinja_integer_argument(run, width, 4, &n);
    for (int64_t i = 0; r == 0 && i < n && out->code == 0; i++)
        jinja_text_puts(out, " ");
    return r;
}

int
jinja_filter_indent(struct jinja_run *run, const struct jinja_value *v, jinja_args a,
                    struct jinja_value *out)
{
    struct jinja_text by = {0}, text = {0};
    size_t size;
    bool first = a[1] && jinja_is_true(a[1]), blank = a[2] && jinja_is_true(a[2]);
    int r = jinja_defined(run, v);
    if (r == 0 && !json_is_string(v->json))
        r = jinja_raise(run, "TypeError",
                        "unsupported operand type(s) for +=: '%s' and 'str'",
                        jinja_type(v));
    if (r == 0)
        r = indentation(run, a[0], &by);
    if (r < 0) {
        jinja_text_fini(&by);
        return r;
    }
    const char *data = jinja_text_of(v, &size);
    for (size_t at = 0; text.code == 0; at++) {
        const char *end = memchr(data + at, '\n', size - at);
        size_t length = end ? (size_t)(end - data) - at : size - at;
        bool wanted = at == 0 ? first : blank || length > 0;
        if (wanted)
            jinja_text_add(&text, by.data ? by.data : "", by.size);
        jinja_text_add(&text, data + at, length);
        if (!end)
            break;
        jinja_text_puts(&text, "\n");
        at += length;
    }
    jinja_text_fini(&by);
    return jinja_finish(run, &text, v->flavour == JINJA_MARKUP, out);
}
