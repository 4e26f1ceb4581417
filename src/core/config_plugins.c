/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sections of plugins: text by key, checked only when the plugin is loaded. Where a
 * value came from is kept, for messages and since the program outranks the file.
 */

#include "core/config_table.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/auto.h"

static void
options_fini(struct stoq_plugin_options *o)
{
    free(o->plugin);
    stoq_strv_fini(&o->keys);
    stoq_strv_fini(&o->values);
    stoq_strv_fini(&o->origins);
}

static struct stoq_plugin_options *
find(const struct stoq_config *config, const char *plugin)
{
    for (size_t i = 0; i < config->plugin_count; i++) {
        if (strcmp(config->plugins[i].plugin, plugin) == 0)
            return &config->plugins[i];
    }
    return NULL;
}

const struct stoq_plugin_options *
stoq_config_plugin(const struct stoq_config *config, const char *plugin)
{
    return find(config, plugin);
}

const char *
stoq_config_plugin_get(const struct stoq_config *config, const char *plugin,
                       const char *key)
{
    const struct stoq_plugin_options *o = find(config, plugin);
    for (size_t i = 0; o && i < o->keys.count; i++) {
        if (strcasecmp(o->keys.items[i], key) == 0)
            return o->values.items[i];
    }
    return NULL;
}

/* An empty section at the end of the array. */
static struct stoq_plugin_options *
append(struct stoq_config *config, const char *plugin)
{
    size_t n = config->plugin_count;
    struct stoq_plugin_options *grown =
        realloc(config->plugins, (n + 1) * sizeof(*config->plugins));
    if (!grown)
        return NULL;
    config->plugins = grown;
    char *name = strdup(plugin);
    if (!name)
        return NULL;
    grown[n] = (struct stoq_plugin_options){.plugin = name};
    config->plugin_count++;
    return &grown[n];
}

/* Whether an INI file can hold these names; a file's own always can. */
static bool
names_valid(const char *plugin, const char *key)
{
    if (!*plugin || !*key || strchr("#;[", *key) || strpbrk(key, "=:") ||
        isspace((unsigned char)*key) || isspace((unsigned char)key[strlen(key) - 1]))
        return false;
    for (const char *p = plugin; *p; p++) {
        if ((unsigned char)*p < 0x20)
            return false;
    }
    for (const char *p = key; *p; p++) {
        if ((unsigned char)*p < 0x20)
            return false;
    }
    return true;
}

static int
replace(struct stoq_plugin_options *o, size_t i, const char *value, const char *origin)
{
    char *new_value = strdup(value);
    char *new_origin = strdup(origin);
    if (!new_value || !new_origin) {
        free(new_value);
        free(new_origin);
        return -ENOMEM;
    }
    free(o->values.items[i]);
    free(o->origins.items[i]);
    o->values.items[i] = new_value;
    o->origins.items[i] = new_origin;
    return 0;
}

static void
drop_last(struct stoq_strv *v, size_t count)
{
    if (v->count > count) {
        free(v->items[--v->count]);
        v->items[v->count] = NULL;
    }
}

static int
set(struct stoq_plugin_options *o, const char *key, const char *value,
    const char *origin)
{
    size_t n = o->keys.count;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(o->keys.items[i], key) != 0)
            continue;
        bool outranked = *origin && !*o->origins.items[i];
        return outranked ? 0 : replace(o, i, value, origin);
    }
    if (stoq_strv_add(&o->keys, key) < 0 || stoq_strv_add(&o->values, value) < 0 ||
        stoq_strv_add(&o->origins, origin) < 0) {
        drop_last(&o->keys, n); /* the three stay of one length */
        drop_last(&o->values, n);
        drop_last(&o->origins, n);
        return -ENOMEM;
    }
    return 0;
}

int
stoq_config_plugin_set(struct stoq_config *config, const char *plugin, const char *key,
                       const char *value, const struct stoq_config_place *place,
                       struct stoq_error *err)
{
    STOQ_AUTOFREE char *origin = NULL;
    STOQ_AUTOFREE char *lower = NULL;
    if (!names_valid(plugin, key))
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "[%s] %s: not a section and a key that stoq.cfg can hold",
                              plugin, key);
    struct stoq_plugin_options *o = find(config, plugin);
    if (!o)
        o = append(config, plugin);
    int n = place->file ? asprintf(&origin, "%s:%u", place->file, place->line)
                        : asprintf(&origin, "%s", "");
    if (n < 0)
        origin = NULL;
    lower = strdup(key);
    for (char *c = lower; c && *c; c++)
        *c = (char)tolower((unsigned char)*c);
    if (!o || !origin || !lower || set(o, lower, value, origin) < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    return 0;
}

int
stoq_config_plugins_copy(struct stoq_config *to, const struct stoq_config *from)
{
    for (size_t i = 0; i < from->plugin_count; i++) {
        const struct stoq_plugin_options *o = &from->plugins[i];
        struct stoq_plugin_options *copy = append(to, o->plugin);
        if (!copy || stoq_strv_copy(&copy->keys, &o->keys) < 0 ||
            stoq_strv_copy(&copy->values, &o->values) < 0 ||
            stoq_strv_copy(&copy->origins, &o->origins) < 0)
            return -ENOMEM;
    }
    return 0;
}

void
stoq_config_plugins_free(struct stoq_config *config)
{
    for (size_t i = 0; i < config->plugin_count; i++)
        options_fini(&config->plugins[i]);
    free(config->plugins);
    config->plugins = NULL;
    config->plugin_count = 0;
}
