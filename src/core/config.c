/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Configurations: made, copied, set by the program, asked. What the program sets
 * outranks what files say, whichever comes first. One thread at a time per object.
 */

#include "core/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/config_table.h"
#include "util/auto.h"

static const struct stoq_config_place by_program = {.file = NULL};

static int
no_memory(struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
}

/* One without any value. */
static struct stoq_config *
blank(void)
{
    struct stoq_config *config = calloc(1, sizeof(*config));
    if (!config)
        return NULL;
    config->settings = calloc(stoq_config_row_count, sizeof(*config->settings));
    if (!config->settings) {
        free(config);
        return NULL;
    }
    return config;
}

int
stoq_config_new(struct stoq_config **out, struct stoq_error *err)
{
    struct stoq_config *config = blank();
    if (!config)
        return no_memory(err);
    for (size_t i = 0; i < stoq_config_row_count; i++) {
        const char *text = stoq_config_rows[i].fallback;
        int r = text ? stoq_config_apply_text(config, i, text, &by_program, err) : 0;
        if (r < 0) {
            stoq_config_free(config);
            return r;
        }
    }
    *out = config;
    return 0;
}

int
stoq_config_dup(const struct stoq_config *config, struct stoq_config **out,
                struct stoq_error *err)
{
    struct stoq_config *copy = blank();
    if (!copy)
        return no_memory(err);
    int r = 0;
    for (size_t i = 0; r == 0 && i < stoq_config_row_count; i++) {
        const struct stoq_setting *s = &config->settings[i];
        copy->settings[i].by_program = s->by_program;
        if (s->text)
            r = stoq_config_apply(copy, i, &s->items, &by_program, err);
    }
    if (r == 0 && stoq_config_plugins_copy(copy, config) < 0)
        r = no_memory(err);
    if (r < 0) {
        stoq_config_free(copy);
        return r;
    }
    *out = copy;
    return 0;
}

void
stoq_config_free(struct stoq_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < stoq_config_row_count; i++) {
        const struct stoq_config_row *row = &stoq_config_rows[i];
        void *field = (char *)config + row->offset;
        free(config->settings[i].text);
        stoq_strv_fini(&config->settings[i].items);
        if (row->text_only)
            continue;
        if (row->type == STOQ_CONFIG_LIST)
            stoq_strv_fini(field);
        else if (row->type == STOQ_CONFIG_TEXT || row->type == STOQ_CONFIG_LEVEL ||
                 row->type == STOQ_CONFIG_CHOICE)
            free(*(char **)field);
    }
    stoq_config_flags_free(&config->policy);
    stoq_config_plugins_free(config);
    free(config->settings);
    free(config);
}

static int
unknown_key(const char *section, const char *key, struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                          "[%s] %s: there is no such key", section, key);
}

int
stoq_config_set(struct stoq_config *config, const char *section, const char *key,
                const char *value, struct stoq_error *err)
{
    if (!value)
        value = "";
    if (!stoq_config_section_known(section))
        return stoq_config_plugin_set(config, section, key, value, &by_program, err);
    int row = stoq_config_row_find(section, key);
    if (row < 0)
        return unknown_key(section, key, err);
    int r = stoq_config_apply_text(config, (size_t)row, value, &by_program, err);
    if (r == 0)
        config->settings[row].by_program = true;
    return r;
}

/* Options of plugins are text, where only commas part the pieces. */
static int
set_plugin_list(struct stoq_config *config, const char *section, const char *key,
                const struct stoq_strv *items, struct stoq_error *err)
{
    struct stoq_strbuf b = {0};
    for (size_t i = 0; i < items->count; i++) {
        if (strchr(items->items[i], ',')) {
            stoq_strbuf_fini(&b);
            return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                                  "[%s] %s: %s: a plugin's list cannot hold commas",
                                  section, key, items->items[i]);
        }
        stoq_strbuf_addf(&b, "%s%s", i ? "," : "", items->items[i]);
    }
    STOQ_AUTOFREE char *text = stoq_strbuf_steal(&b);
    return text ? stoq_config_set(config, section, key, text, err) : no_memory(err);
}

int
stoq_config_set_list(struct stoq_config *config, const char *section, const char *key,
                     const char *const *values, size_t n, struct stoq_error *err)
{
    struct stoq_strv items = {0};
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = stoq_strv_add(&items, values[i]) < 0 ? no_memory(err) : 0;
    int row = stoq_config_row_find(section, key);
    if (r == 0 && !stoq_config_section_known(section))
        r = set_plugin_list(config, section, key, &items, err);
    else if (r == 0 && row < 0)
        r = unknown_key(section, key, err);
    else if (r == 0)
        r = stoq_config_apply(config, (size_t)row, &items, &by_program, err);
    if (r == 0 && row >= 0)
        config->settings[row].by_program = true;
    stoq_strv_fini(&items);
    return r;
}

const char *
stoq_config_get(const struct stoq_config *config, const char *section, const char *key)
{
    if (!stoq_config_section_known(section))
        return stoq_config_plugin_get(config, section, key);
    int row = stoq_config_row_find(section, key);
    return row < 0 ? NULL : config->settings[row].text;
}
