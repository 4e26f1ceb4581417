/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Filters on lists and values, and the table of all. Names, parameters and results are
 * those of Jinja2.
 */

#include <math.h>

#include "filters.h"
#include "parser.h"

#define SORT_STEPS 16 /* of work for each item that is sorted */

struct jinja_filter {
    const char *name;
    int (*apply)(struct jinja_run *run, const struct jinja_value *v, jinja_args a,
                 struct jinja_value *out);
    const char *params[JINJA_ARGS_MAX];
    size_t required;
};

/* ------------------------------------------------------------------ texts and lists */

static int
filter_length(struct jinja_run *run, const struct jinja_value *v, jinja_args a,
              struct jinja_value *out)
{
    (void)a;
    size_t n = 0;
    if (jinja_is_undefined(v))
        n = 0;
    else if (json_is_string(v->json))
        n = jinja_runes(json_string_value(v->json), json_string_length(v->json));
    else if (json_is_array(v->json))
        n = json_array_size(v->json);
    else if (json_is_object(v->json))
        n = json_object_size(v->json);
    else
        return jinja_raise(run, "TypeError", "object of type '%s' has no len()",
                           jinja_type(v));
    return jinja_set(out, json_integer((json_int_t)n)) < 0
               ? jinja_raise_code(run, -ENOMEM)
               : 0;
}

static int
filter_join(struct jinja_run *run, const struct jinja_value *v, jinja_args a,
            struct jinja_value *out)
{
    JINJA_VALUE items = {0};
    struct jinja_text text = {0};
    bool markup = a[0] && a[0]->flavour == JINJA_MARKUP;
    int r = jinja_iterate(run, v, &items);
    if (r < 0)
        return r;
    for (size_t i = 0; i < json_array_size(items.json) && text.code == 0; i++) {
        const struct jinja_value item = {.json = json_array_get(items.json, i)};
        if (i > 0 && a[0])
            jinja_print(&text, a[0]);
        jinja_add(&text, &item, markup);
    }
    return jinja_finish(run, &text, markup, out);
}

/* The first item, or the last. */
static int
one_end(struct jinja_run *run, const struct jinja_value *v, bool last,
        struct jinja_value *out)
{
    JINJA_VALUE items = {0};
    int r = jinja_iterate(run, v, &items);
    if (r < 0)
        return r;
    size_t n = json_array_size(items.json);
    if (n == 0)
        r = jinja_set_undefined(out, "No %s item, sequence was empty.",
                                last ? "last" : "first");
    else
        r = jinja_set(out, json_incref(json_array_get(items.json, last ? n - 1 : 0)));
    /* a loop over markup gives plain texts, its last item is markup */
    if (r == 0 && n > 0 &&
        ((v->flavour == JINJA_DOCUMENT && json_is_array(v->json)) ||
         (v->flavour == JINJA_MARKUP && last)))
        out->flavour = v->flavour;
    return r < 0 ? jinja_raise_code(run, r) : 0;
}

static int
filter_first(struct jinja_run *run, const struct jinja_value *v, jinja_args a,
             struct jinja_value *out)
{
    (void)a;
    return one_end(run, v, false, out);
}

static int
filter_last(struct jinja_run *run, const struct jinja_value *v, jinja_args a,
            struct jinja_value *out)
{
    (void)a;
    return one_end(run, v, true, out);
}

static int
filter_list(struct jinja_run *run, const struct jinja_value *v, jinja_args a,
            struct jinja_value *out)
{
    (void)a;
    return jinja_iterate(run, v, out);
}

/* -------------------------------------------------------------------------- sort */

struct sorted {
    struct jinja_value key; /* what is compared */
    json_t *item;           /* borrowed */
    size_t index;           /* equal ones keep their order */
};

struct sorting {
    struct jinja_run *run;
    bool reverse;
};

static int
by_key(const void *pa, const void *pb, void *arg)
{
    const struct sorted *a = pa, *b = pb;
    const struct sorting *s = arg;
    int order = 0;
    if (s->run->code == 0)
        (void)jinja_order(s->run, a->key.json, b->key.json, &order);
    if (order != 0)
        return s->reverse ? -order : order;
    return a->index < b->index ? -1 : a->index > b->index;
}

static int
sort_items(struct jinja_run *run, const json_t *items, jinja_args a, json_t *to)
{
    size_t n = json_array_size(items);
    struct sorting s = {.run = run, .reverse = a[0] && jinja_is_true(a[0])};
    bool exact = a[1] && jinja_is_true(a[1]);
    int r = jinja_charge(run, n * SORT_STEPS);
    if (r < 0)
        return r;
    struct sorted *all = calloc(n + 1, sizeof *all);
    if (!all)
        return jinja_raise_code(run, -ENOMEM);
    for (size_t i = 0; i < n && run->code == 0; i++) {
        const struct jinja_value item = {.json = json_array_get(items, i)};
        all[i].item = item.json;
        all[i].index = i;
        if (json_is_string(item.json) && !exact)
            (void)jinja_lower(run, &item, &all[i].key);
        else
            jinja_copy(&all[i].key, &item);
    }
    if (run->code == 0)
        qsort_r(all, n, sizeof *all, by_key, &s);
    for (size_t i = 0; i < n; i++) {
        if (run->code == 0 && json_array_append(to, all[i].item) < 0)
            (void)jinja_raise_code(run, -ENOMEM);
        jinja_value_fini(&all[i].key);
    }
    free(all);
    return run->code;
}

static int
filter_sort(struct jinja_run *run, const struct jinja_value *v, jinja_args a,
            struct jinja_value *out)
{
    JINJA_VALUE items = {0};
    int r = jinja_iterate(run, v, &items);
    if (r == 0 && jinja_set(out, json_array()) < 0)
        r = jinja_raise_code(run, -ENOMEM);
    return r < 0 ? r : sort_items(run, items.json, a, out->json);
}

/* ------------------------------------------------------------------------- values */

static int
filter_default(struct jinja_run *run, const struct jinja_value *v, jinja_args a,
               struct jinja_value *out)
{
    bool also_false = a[1] && jinja_is_true(a[1]);
    if (!jinja_is_undefined(v) && (!also_false || jinja_is_true(v))) {
        jinja_copy(out, v);
        return 0;
    }
    if (a[0]) {
        jinja_copy(out, a[0]);
        return 0;
    }
    return jinja_set(out, json_string("")) < 0 ? jinja_raise_code(run, -ENOMEM) : 0;
}

/* A text as int() and then float() read it; false when it is neither. */
static bool
read_integer(const char *text, int base, long long *value, bool *over)
{
    char *end;
    while (jinja_is_space((unsigned char)*text) && (unsigned char)*text < 0x80)
        text++;
    errno = 0;
    *value = strtoll(text, &end, base);
    *over = errno == ERANGE;
    bool any = end != text;
    while (*end && (unsigned char)*end < 0x80 && jinja_is_space((unsigned char)*end))
        end++;
    if (any && !*end)
        return true;
    double real = strtod(text, &end);
    any = end != text && !strpbrk(text, "xX");
    while (*end && (unsigned char)*end < 0x80 && jinja_is_space((unsigned char)*end))
        end++;
    *over = fabs(real) >= 9.2e18;
    *value = *over || isnan(real) ? 0 : (long long)real;
    return any && !*end && !isnan(real);
}

static int
filter_int(struct jinja_run *run, const struct jinja_value *v, jinja_args a,
           struct jinja_value *out)
{
    long long value = 0;
    int64_t base = 10;
    bool ok = true, over = false;
    int r = jinja_defined(run, v);
    if (r == 0)
        r = jinja_integer_argument(run, a[1], 10, &base);
    if (r < 0)
        return r;
    if (base != 0 && (base < 2 || base > 36))
        return jinja_raise(run, "ValueError",
                           "int() base must be >= 2 and <= 36, or 0");
    if (json_is_integer(v->json)) {
        value = json_integer_value(v->json);
    } else if (jinja_is_number(v->json)) {
        double real = jinja_number(v->json);
        over = fabs(real) >= 9.2e18;
        value = over ? 0 : (long long)real;
    } else {
        ok = json_is_string(v->json) &&
             read_integer(json_string_value(v->json), (int)base, &value, &over);
    }
    if (ok && over)
        return jinja_raise(run, "OverflowError", "integers have 64 bits here");
    if (!ok && a[0]) {
        jinja_copy(out, a[0]);
        return 0;
    }
    return jinja_set(out, json_integer(ok ? value : 0)) < 0
               ? jinja_raise_code(run, -ENOMEM)
               : 0;
}

static int
filter_tojson(struct jinja_run *run, const struct jinja_value *v, jinja_args a,
              struct jinja_value *out)
{
    struct jinja_text text = {0};
    int64_t indent;
    if (jinja_is_undefined(v))
        return jinja_raise(run, "TypeError",
                           "Object of type Undefined is not JSON serializable");
    int r = jinja_integer_argument(run, a[0], -1, &indent);
    if (r < 0)
        return r;
    if (indent > 64)
        return jinja_raise(run, "ValueError", "indent is more than 64");
    jinja_print_json(&text, v->json,
                     (struct jinja_json){.indent = indent < 0 ? -1 : (int)indent,
                                         .sort = true,
                                         .html = true});
    return jinja_finish(run, &text, true, out);
}

/* -------------------------------------------------------------------------- table */

static const struct jinja_filter filters[] = {
    {"count", filter_length, {NULL}, 0},
    {"d", filter_default, {"default_value", "boolean"}, 0},
    {"default", filter_default, {"default_value", "boolean"}, 0},
    {"e", jinja_filter_escape, {NULL}, 0},
    {"escape", jinja_filter_escape, {NULL}, 0},
    {"first", filter_first, {NULL}, 0},
    {"indent", jinja_filter_indent, {"width", "first", "blank"}, 0},
    {"int", filter_int, {"default", "base"}, 0},
    {"join", filter_join, {"d"}, 0},
    {"last", filter_last, {NULL}, 0},
    {"length", filter_length, {NULL}, 0},
    {"list", filter_list, {NULL}, 0},
    {"lower", jinja_filter_lower, {NULL}, 0},
    {"replace", jinja_filter_replace, {"old", "new", "count"}, 2},
    {"safe", jinja_filter_safe, {NULL}, 0},
    {"sort", filter_sort, {"reverse", "case_sensitive"}, 0},
    {"string", jinja_filter_string, {NULL}, 0},
    {"tojson", filter_tojson, {"indent"}, 0},
    {"trim", jinja_filter_trim, {"chars"}, 0},
    {"upper", jinja_filter_upper, {NULL}, 0},
};

const struct jinja_filter *
jinja_filter_find(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        if (strlen(filters[i].name) == size && memcmp(filters[i].name, name, size) == 0)
            return &filters[i];
    return NULL;
}

int
jinja_filter_param(const struct jinja_filter *f, const char *name, size_t size,
                   size_t i)
{
    for (size_t k = 0; k < JINJA_ARGS_MAX && f->params[k]; k++)
        if (name ? strlen(f->params[k]) == size && memcmp(f->params[k], name, size) == 0
                 : k == i)
            return (int)k;
    return -1;
}

size_t
jinja_filter_required(const struct jinja_filter *f)
{
    return f->required;
}

int
jinja_filter_apply(struct jinja_run *run, const struct jinja_filter *f,
                   const struct jinja_value *v,
                   const struct jinja_value *const a[JINJA_ARGS_MAX],
                   struct jinja_value *out)
{
    return f->apply(run, v, a, out);
}
