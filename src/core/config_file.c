/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A configuration from and to INI text. A file is read into a copy, which takes the
 * place of the original only when the whole file was good.
 */

#include "core/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/config_table.h"
#include "util/auto.h"
#include "util/ini.h"

struct reading {
    struct stoq_config *config;
    const char *path;
    stoq_config_remark remark;
    void *arg;
    char *odd_section; /* last one whose name was remarked on; owned */
};

static void
remark(const struct reading *r, unsigned line, const char *what, const char *name)
{
    if (!r->remark)
        return;
    char text[STOQ_ERROR_MESSAGE_MAX];
    (void)snprintf(text, sizeof(text), "%s:%u: %s: %s", r->path, line, name, what);
    r->remark(r->arg, text);
}

/* "[Core]" would silently be a plugin's section. */
static void
check_section(struct reading *r, const char *section, unsigned line)
{
    static const char *const known[] = {"core", "limits", "policy", "stoqfs"};
    if (r->odd_section && strcmp(r->odd_section, section) == 0)
        return;
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(known); i++) {
        if (strcasecmp(section, known[i]) != 0)
            continue;
        free(r->odd_section);
        r->odd_section = strdup(section);
        remark(r, line, "read as a plugin's section, since names are in lower case",
               section);
    }
}

static int
entry(void *arg, const char *section, const char *key, const char *value, unsigned line,
      struct stoq_error *err)
{
    struct reading *r = arg;
    struct stoq_config_place place = {.file = r->path, .line = line};
    const char *text = value ? value : "";
    if (!stoq_config_section_known(section)) {
        check_section(r, section, line);
        return stoq_config_plugin_set(r->config, section, key, text, &place, err);
    }
    int row = stoq_config_row_find(section, key);
    if (row < 0) {
        char name[128];
        (void)snprintf(name, sizeof(name), "[%s] %s", section, key);
        remark(r, line, "unknown key, ignored", name);
        return 0;
    }
    /* a value that the program outranks must be a good one all the same */
    struct stoq_config *to = r->config->settings[row].by_program ? NULL : r->config;
    return stoq_config_apply_text(to, (size_t)row, text, &place, err);
}

int
stoq_config_read(struct stoq_config *config, const char *path, stoq_config_remark tell,
                 void *arg, struct stoq_error *err)
{
    struct reading reading = {.path = path, .remark = tell, .arg = arg};
    int r = stoq_config_dup(config, &reading.config, err);
    if (r < 0)
        return r;
    r = stoq_ini_read(path, entry, &reading, err);
    if (r == 0) {
        struct stoq_config old = *config;
        *config = *reading.config;
        *reading.config = old;
    }
    stoq_config_free(reading.config);
    free(reading.odd_section);
    return r;
}

/* A value such that reading it back gives the same text. */
static void
add_value(struct stoq_strbuf *b, const char *key, const char *value)
{
    stoq_strbuf_addf(b, "%s =%s", key, *value && *value != '\n' ? " " : "");
    for (const char *p = value; *p; p++) {
        if (*p == '%')
            stoq_strbuf_adds(b, "%%");
        else if (*p == '\n')
            stoq_strbuf_adds(b, p[1] == '\n' ? "\n" : "\n    ");
        else
            stoq_strbuf_add(b, p, 1);
    }
    stoq_strbuf_adds(b, "\n");
}

char *
stoq_config_text(const struct stoq_config *config)
{
    struct stoq_strbuf b = {0};
    const char *section = "";
    for (size_t i = 0; i < stoq_config_row_count; i++) {
        const struct stoq_config_row *row = &stoq_config_rows[i];
        if (!config->settings[i].text)
            continue;
        if (strcmp(section, row->section) != 0) {
            stoq_strbuf_addf(&b, "%s[%s]\n", *section ? "\n" : "", row->section);
            section = row->section;
        }
        add_value(&b, row->key, config->settings[i].text);
    }
    for (size_t i = 0; i < config->plugin_count; i++) {
        const struct stoq_plugin_options *o = &config->plugins[i];
        stoq_strbuf_addf(&b, "\n[%s]\n", o->plugin);
        for (size_t k = 0; k < o->keys.count; k++)
            add_value(&b, o->keys.items[k], o->values.items[k]);
    }
    return stoq_strbuf_steal(&b);
}
