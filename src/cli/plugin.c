/* SPDX-License-Identifier: Apache-2.0 */

/*
 * `stoq plugin info NAME`: all there is to know of one plugin. It is loaded and opened
 * in a process of its own, with the options in force, to see what it publishes; one
 * that cannot be opened is described all the same.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/apart.h"
#include "cli/cli.h"
#include "core/config.h"
#include "core/engine.h"
#include "plugin/loaded.h"
#include "util/auto.h"
#include "util/json.h"

#define OPEN_MS 120000U /* rules are compiled meanwhile */

STOQ_DEFINE_AUTO(stoq_config)
STOQ_DEFINE_AUTO(stoq_catalogue)
STOQ_DEFINE_AUTO(stoq_loaded)

/* What the child process is told. */
struct subject {
    const struct stoq_config *config;
    const struct stoq_manifest *manifest;
};

/* ------------------------------------------------------- in a process of its own */

static int
set_text(json_t *object, const char *key, const char *text)
{
    json_t *value = text ? stoq_json_text(text, strlen(text), NULL) : json_null();
    return json_object_set_new(object, key, value);
}

/* Text of @key in a list of keys, or NULL; *at is its place. */
static const char *
find_text(const struct stoq_strv *keys, const struct stoq_strv *values, const char *key,
          size_t *at)
{
    for (*at = 0; *at < keys->count; (*at)++)
        if (strcasecmp(keys->items[*at], key) == 0)
            return values->items[*at];
    return NULL;
}

/* Add to @option, which has name and default, what is in force and who said so. */
static int
add_value(const struct subject *s, const struct stoq_loaded *plugin, json_t *option)
{
    const char *name = stoq_json_string_of(option, "name");
    const struct stoq_plugin_options *o =
        stoq_config_plugin(s->config, s->manifest->name);
    const char *value = NULL, *set_by = NULL;
    size_t at = 0;
    if (o)
        value = find_text(&o->keys, &o->values, name, &at);
    if (value) {
        set_by = *o->origins.items[at] ? o->origins.items[at] : "command line";
    } else {
        value = find_text(&s->manifest->keys, &s->manifest->values, name, &at);
        set_by = value ? s->manifest->origins.items[at] : NULL;
    }
    if (!value) {
        value = stoq_json_string_of(option, "default");
        set_by = value ? "default" : NULL;
    }
    /* as the plugin sees it: paths are absolute */
    if (plugin)
        value = stoq_ctx_string(&plugin->ctx, name);
    int r = set_text(option, "value", value);
    return r | set_text(option, "set_by", set_by);
}

/* Append options that no table declares, as some plugins allow. */
static void
add_undeclared(json_t *options, const struct stoq_strv *keys)
{
    for (size_t i = 0; keys && i < keys->count; i++) {
        size_t at;
        json_t *option;
        const char *key = keys->items[i];
        json_array_foreach (options, at, option)
            if (strcasecmp(stoq_json_string_of(option, "name"), key) == 0)
                break;
        if (at == json_array_size(options) && strcmp(key, "required_workers") != 0 &&
            strcmp(key, "min_stoq_version") != 0)
            (void)json_array_append_new(
                options, json_pack("{s:s, s:s, s:n, s:s}", "name", key, "type",
                                   "string", "default", "help", ""));
    }
}

static json_t *
text_list(const struct stoq_strv *v)
{
    json_t *list = json_array();
    for (size_t i = 0; i < v->count; i++)
        (void)json_array_append_new(
            list, stoq_json_text(v->items[i], strlen(v->items[i]), NULL));
    return list;
}

/* Load and open the plugin. */
static int
open_plugin(const struct subject *s, struct stoq_loaded **out, struct stoq_error *err)
{
    struct stoq_option_source source = {0};
    const struct stoq_plugin_options *o =
        stoq_config_plugin(s->config, s->manifest->name);
    if (o) {
        source.keys = stoq_strv_items(&o->keys);
        source.values = stoq_strv_items(&o->values);
        source.origins = stoq_strv_items(&o->origins);
        source.count = o->keys.count;
    }
    return stoq_loaded_new(s->manifest, &source, s->config->cache_dir, out, err);
}

static int
describe(void *arg, json_t **answer, struct stoq_error *err)
{
    const struct subject *s = arg;
    STOQ_AUTO(stoq_loaded) plugin = NULL;
    struct stoq_error why = {0};
    json_auto_t *all = NULL;
    size_t i;
    json_t *option;
    int r = stoq_manifest_describe(s->manifest, &all, err);
    if (r < 0)
        return r;
    bool open = open_plugin(s, &plugin, &why) == 0;
    const struct stoq_plugin_options *o =
        stoq_config_plugin(s->config, s->manifest->name);
    json_t *options = json_object_get(all, "options");
    add_undeclared(options, &s->manifest->keys);
    add_undeclared(options, o ? &o->keys : NULL);
    json_array_foreach (options, i, option)
        r |= add_value(s, plugin, option);
    if (open) {
        r |= json_object_set_new(all, "required_workers",
                                 text_list(stoq_loaded_required(plugin)));
        r |= json_object_set_new(all, "content_only",
                                 json_boolean(stoq_loaded_content_only(plugin)));
        r |= json_object_set(all, "facts",
                             (json_t *)(uintptr_t)stoq_loaded_facts(plugin));
    }
    r |= set_text(all, "error", open ? NULL : why.message);
    if (r < 0)
        return -ENOMEM;
    *answer = json_incref(all);
    return 0;
}

/* ---------------------------------------------------------------------- printing */

static void
print_line(const char *label, const char *text)
{
    if (text && *text)
        (void)printf("  %-18s%s\n", label, text);
}

static void
print_list(const char *label, const json_t *list)
{
    struct stoq_strbuf b = {0};
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)(uintptr_t)list, i, item)
        stoq_strbuf_addf(&b, "%s%s", i ? ", " : "", json_string_value(item));
    print_line(label, b.data);
    stoq_strbuf_fini(&b);
}

static void
print_option(const json_t *option)
{
    const char *value = stoq_json_string_of(option, "value");
    const char *fallback = stoq_json_string_of(option, "default");
    const char *set_by = stoq_json_string_of(option, "set_by");
    const char *help = stoq_json_string_of(option, "help");
    const json_t *max = json_object_get(option, "max");
    (void)printf("  %s%s%s\n", stoq_json_string_of(option, "name"), value ? " = " : "",
                 value ? value : ", not set");
    (void)printf("      %s", stoq_json_string_of(option, "type"));
    if (max)
        (void)printf(", %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT,
                     json_integer_value(json_object_get(option, "min")),
                     json_integer_value(max));
    if (fallback)
        (void)printf("; default \"%s\"", fallback);
    if (set_by && strcmp(set_by, "default") != 0)
        (void)printf("; set by %s", set_by);
    (void)printf("\n");
    if (help && *help)
        (void)printf("      %s\n", help);
}

static void
print_info(const json_t *all)
{
    size_t i;
    json_t *option;
    const json_t *facts = json_object_get(all, "facts");
    (void)printf("%s %s: %s\n", stoq_json_string_of(all, "name"),
                 stoq_json_string_of(all, "version"),
                 stoq_json_string_of(all, "description"));
    print_line("manifest", stoq_json_string_of(all, "manifest"));
    print_line("object", stoq_json_string_of(all, "path"));
    print_line("author", stoq_json_string_of(all, "author"));
    print_line("website", stoq_json_string_of(all, "website"));
    print_list("roles", json_object_get(all, "roles"));
    print_list("operations", json_object_get(all, "operations"));
    (void)printf("  %-18s%" JSON_INTEGER_FORMAT ", struct of %" JSON_INTEGER_FORMAT
                 " bytes\n",
                 "ABI", json_integer_value(json_object_get(all, "abi")),
                 json_integer_value(json_object_get(all, "struct_size")));
    print_line("threads", stoq_json_string_of(all, "thread_model"));
    print_line("results", json_is_true(json_object_get(all, "content_only"))
                              ? "depend on content alone"
                              : "depend on more than content");
    print_list("required workers", json_object_get(all, "required_workers"));
    print_line("wants stoq", stoq_json_string_of(all, "min_stoq_version"));
    print_line("cannot be opened", stoq_json_string_of(all, "error"));
    if (json_array_size(json_object_get(all, "options")))
        (void)printf("Options:\n");
    json_array_foreach (json_object_get(all, "options"), i, option)
        print_option(option);
    if (json_is_true(json_object_get(all, "any_option")))
        (void)printf("  Any other option is accepted.\n");
    if (json_object_size(facts)) {
        STOQ_AUTOFREE char *text = stoq_json_dump(facts, true);
        (void)printf("Facts:\n%s\n", text ? text : "");
    }
}

/* ------------------------------------------------------------------------- verb */

static int
find_manifest(const struct cli_args *a, const struct stoq_config *config,
              struct stoq_catalogue **catalogue, const struct stoq_manifest **out,
              struct stoq_error *err)
{
    struct stoq_strv dirs = {0};
    int r = cli_plugin_dirs(a, config, &dirs);
    if (r < 0)
        (void)stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "out of memory");
    if (r == 0)
        r = stoq_catalogue_new(&dirs, catalogue, err);
    stoq_strv_fini(&dirs);
    if (r < 0)
        return r;
    *out = stoq_catalogue_find(*catalogue, a->files.items[1]);
    return *out ? 0
                : stoq_error_set(err, STOQ_ERROR_CONFIG, -ENOENT,
                                 "there is no plugin %s; see stoq list",
                                 a->files.items[1]);
}

int
cli_plugin(const struct cli_args *a)
{
    struct stoq_error err = {0};
    STOQ_AUTO(stoq_config) config = NULL;
    STOQ_AUTO(stoq_catalogue) catalogue = NULL;
    struct subject s = {0};
    json_auto_t *all = NULL;
    if (a->files.count != 2 || strcmp(a->files.items[0], "info") != 0)
        return cli_fail(
            CLI_USAGE, &(struct stoq_error){.message = "usage: stoq plugin info NAME"});
    if (cli_config(a, &config, NULL, &err) < 0 ||
        find_manifest(a, config, &catalogue, &s.manifest, &err) < 0)
        return cli_fail(CLI_USAGE, &err);
    s.config = config;
    if (cli_apart(describe, &s, OPEN_MS, &all, &err) < 0) {
        (void)fprintf(stderr, "stoq: plugin %s: %s\n", s.manifest->name, err.message);
        return CLI_USAGE;
    }
    if (!a->json) {
        print_info(all);
        return CLI_CLEAN;
    }
    STOQ_AUTOFREE char *text = stoq_json_dump(all, true);
    if (!text)
        return cli_fail(CLI_USAGE, &(struct stoq_error){.message = "out of memory"});
    (void)puts(text);
    return CLI_CLEAN;
}
