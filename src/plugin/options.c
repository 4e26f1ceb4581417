/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merging and reading plugin options; see options.h.
 */

#include "plugin/options.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "util/auto.h"

/* Where one value comes from. */
struct found {
    const char *text;   /* NULL = nothing sets it */
    const char *origin; /* "FILE:LINE", "" when a program set it */
    bool from_settings; /* relative paths start at the current directory */
};

static int
no_memory(struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
}

static int
option_bad(const struct stoq_plugin *plugin, const char *name, const struct found *at,
           const char *why, struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "%s%s[%s] %s: %s",
                          at->origin ? at->origin : "",
                          at->origin && at->origin[0] ? ": " : "", plugin->name, name,
                          why);
}

/* ------------------------------------------------------------------ reading text */

static int
read_bool(const char *text, bool *out)
{
    static const char *const yes[] = {"1", "yes", "true", "on"};
    static const char *const no[] = {"0", "no", "false", "off"};
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(yes); i++) {
        if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
            *out = strcasecmp(text, yes[i]) == 0;
            return 0;
        }
    }
    return -EINVAL;
}

static int
read_int(const char *text, int64_t *out)
{
    const char *p = *text == '-' || *text == '+' ? text + 1 : text;
    if (!isdigit((unsigned char)*p))
        return -EINVAL;
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (*end)
        return -EINVAL;
    if (errno)
        return -ERANGE;
    *out = v;
    return 0;
}

/* As in the "C" locale, whatever the embedding program chose. @return -EINVAL, -ENOMEM.
 */
static int
read_float(const char *text, double *out)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c == (locale_t)0)
        return -ENOMEM;
    char *end;
    double v = strtod_l(text, &end, c);
    freelocale(c);
    if (end == text || *end || isspace((unsigned char)*text) || !isfinite(v))
        return -EINVAL;
    *out = v;
    return 0;
}

static int
check_range(const struct stoq_option *row, const struct stoq_option_value *v, char *why,
            size_t room)
{
    if (row->min == 0 && row->max == 0)
        return 0;
    bool out = row->type == STOQ_OPTION_INT
                   ? v->whole < row->min || v->whole > row->max
                   : v->real < (double)row->min || v->real > (double)row->max;
    if (!out)
        return 0;
    (void)snprintf(why, room, "'%s' is not within %" PRId64 " to %" PRId64, v->text,
                   row->min, row->max);
    return -EINVAL;
}

static int
absolute_path(const char *text, const char *base, char **out)
{
    STOQ_AUTOFREE char *cwd = NULL;
    if (text[0] == '/' || text[0] == '\0') {
        *out = strdup(text);
        return *out ? 0 : -ENOMEM;
    }
    if (!base) {
        cwd = getcwd(NULL, 0);
        if (!cwd)
            return -errno;
        base = cwd;
    }
    if (asprintf(out, "%s/%s", base, text) < 0) {
        *out = NULL;
        return -ENOMEM;
    }
    return 0;
}

/* Read v->text as its type asks; @why gets a text for -EINVAL. */
static int
read_typed(const struct stoq_option *row, struct stoq_option_value *v, char *why,
           size_t room)
{
    const char *expected = NULL;
    int r = 0;
    switch (row->type) {
    case STOQ_OPTION_BOOL:
        if (read_bool(v->text, &v->truth) < 0)
            expected = "yes or no";
        break;
    case STOQ_OPTION_INT:
        if (read_int(v->text, &v->whole) < 0)
            expected = "a whole number";
        v->real = (double)v->whole;
        break;
    case STOQ_OPTION_FLOAT:
        r = read_float(v->text, &v->real);
        if (r == -ENOMEM)
            return r;
        if (r < 0)
            expected = "a number";
        break;
    case STOQ_OPTION_LIST:
        return stoq_strv_add_list(&v->list, v->text);
    case STOQ_OPTION_STRING:
    case STOQ_OPTION_PATH:
        return 0;
    }
    if (expected) {
        (void)snprintf(why, room, "'%s' is not %s", v->text, expected);
        return -EINVAL;
    }
    return row->type == STOQ_OPTION_BOOL ? 0 : check_range(row, v, why, room);
}

/* An undeclared option can be asked for as any type; zero where it does not fit. */
static int
read_lenient(struct stoq_option_value *v)
{
    (void)read_bool(v->text, &v->truth);
    (void)read_int(v->text, &v->whole);
    (void)read_float(v->text, &v->real);
    return stoq_strv_add_list(&v->list, v->text);
}

/* ----------------------------------------------------------------------- merging */

static struct found
find_in(const char *const *keys, const char *const *values, const char *const *origins,
        size_t count, const char *key)
{
    struct found f = {0};
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(keys[i], key) != 0)
            continue;
        f.text = values[i] ? values[i] : "";
        f.origin = origins && origins[i] ? origins[i] : "";
        return f;
    }
    return f;
}

const char *
stoq_option_source_get(const struct stoq_option_source *source, const char *key)
{
    return source ? find_in(source->keys, source->values, source->origins,
                            source->count, key)
                        .text
                  : NULL;
}

static struct found
find_value(const struct stoq_manifest *m, const struct stoq_option_source *s,
           const char *key)
{
    struct found f = {0};
    if (s)
        f = find_in(s->keys, s->values, s->origins, s->count, key);
    f.from_settings = f.text != NULL;
    if (!f.text)
        f = find_in(stoq_strv_items(&m->keys), stoq_strv_items(&m->values),
                    stoq_strv_items(&m->origins), m->keys.count, key);
    return f;
}

static struct stoq_option_value *
add_item(struct stoq_options *o, const char *name, enum stoq_option_type type)
{
    struct stoq_option_value *items =
        realloc(o->items, (o->count + 1) * sizeof(*o->items));
    if (!items)
        return NULL;
    o->items = items;
    struct stoq_option_value *v = &items[o->count];
    *v = (struct stoq_option_value){.type = type, .name = strdup(name)};
    if (!v->name)
        return NULL;
    for (char *p = v->name; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    o->count++;
    return v;
}

static int
add_declared(const struct stoq_plugin *plugin, const struct stoq_option *row,
             const struct stoq_manifest *m, const struct stoq_option_source *s,
             struct stoq_options *o, struct stoq_error *err)
{
    struct stoq_option_value *v = add_item(o, row->name, row->type);
    if (!v)
        return no_memory(err);
    struct found f = find_value(m, s, row->name);
    if (!f.text) {
        f.text = row->fallback;
        f.origin = "built-in default";
    }
    if (!f.text)
        return 0;
    int r = 0;
    if (row->type == STOQ_OPTION_PATH)
        r = absolute_path(f.text, f.from_settings ? NULL : m->dir, &v->text);
    else
        v->text = strdup(f.text);
    if (!v->text)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r < 0 ? r : -ENOMEM,
                              "[%s] %s: %s", plugin->name, row->name,
                              strerror(r < 0 ? -r : ENOMEM));
    char why[256] = "";
    r = read_typed(row, v, why, sizeof(why));
    if (r == -ENOMEM)
        return no_memory(err);
    return r < 0 ? option_bad(plugin, row->name, &f, why, err) : 0;
}

static bool
is_reserved(const char *key)
{
    return strcasecmp(key, "required_workers") == 0 ||
           strcasecmp(key, "min_stoq_version") == 0;
}

/* Take @key, which may be declared or taken already. */
static int
add_undeclared(const struct stoq_plugin *plugin, const char *key,
               const struct stoq_manifest *m, const struct stoq_option_source *s,
               struct stoq_options *o, struct stoq_error *err)
{
    if (is_reserved(key) || stoq_options_find(o, key))
        return 0;
    struct found f = find_value(m, s, key);
    if (!(plugin->traits & STOQ_TRAIT_ANY_OPTION))
        return option_bad(plugin, key, &f, "there is no such option", err);
    if (o->count >= STOQ_OPTIONS_MAX)
        return option_bad(plugin, key, &f, "too many options", err);
    struct stoq_option_value *v = add_item(o, key, STOQ_OPTION_STRING);
    if (!v)
        return no_memory(err);
    v->text = strdup(f.text ? f.text : "");
    if (!v->text || read_lenient(v) < 0)
        return no_memory(err);
    return 0;
}

static int
add_object(struct stoq_options *o, struct stoq_error *err)
{
    o->object = json_object();
    if (!o->object)
        return no_memory(err);
    for (size_t i = 0; i < o->count; i++) {
        const struct stoq_option_value *v = &o->items[i];
        if (!v->text)
            continue;
        json_t *text = stoq_json_text(v->text, strlen(v->text), NULL);
        if (!text || json_object_set_new(o->object, v->name, text) < 0)
            return no_memory(err);
    }
    return 0;
}

int
stoq_options_merge(const struct stoq_plugin *plugin,
                   const struct stoq_manifest *manifest,
                   const struct stoq_option_source *settings, struct stoq_options *out,
                   struct stoq_error *err)
{
    int r = 0;
    for (const struct stoq_option *row = plugin->options;
         r == 0 && row && row->name && out->count < STOQ_OPTIONS_MAX; row++)
        r = add_declared(plugin, row, manifest, settings, out, err);
    for (size_t i = 0; r == 0 && i < manifest->keys.count; i++)
        r = add_undeclared(plugin, manifest->keys.items[i], manifest, settings, out,
                           err);
    for (size_t i = 0; r == 0 && settings && i < settings->count; i++)
        r = add_undeclared(plugin, settings->keys[i], manifest, settings, out, err);
    return r < 0 ? r : add_object(out, err);
}

void
stoq_options_fini(struct stoq_options *o)
{
    for (size_t i = 0; i < o->count; i++) {
        free(o->items[i].name);
        free(o->items[i].text);
        stoq_strv_fini(&o->items[i].list);
    }
    free(o->items);
    json_decref(o->object);
    *o = (struct stoq_options){0};
}

const struct stoq_option_value *
stoq_options_find(const struct stoq_options *o, const char *name)
{
    for (size_t i = 0; i < o->count; i++) {
        if (strcasecmp(o->items[i].name, name) == 0)
            return &o->items[i];
    }
    return NULL;
}

const char *
stoq_option_type_name(enum stoq_option_type type)
{
    static const char *const names[] = {"string", "bool", "int",
                                        "float",  "list", "path"};
    return (size_t)type < STOQ_ARRAY_SIZE(names) ? names[type] : "string";
}
