/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading one .stoq file into a struct stoq_manifest; see manifest.h.
 */

#include "plugin/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/auto.h"
#include "util/ini.h"

STOQ_DEFINE_AUTO(stoq_manifest)

void
stoq_manifest_free(struct stoq_manifest *m)
{
    if (!m)
        return;
    free(m->name);
    free(m->module);
    free(m->author);
    free(m->version);
    free(m->website);
    free(m->description);
    free(m->dir);
    free(m->path);
    free(m->object);
    free(m->min_version);
    stoq_strv_fini(&m->required_workers);
    stoq_strv_fini(&m->keys);
    stoq_strv_fini(&m->values);
    stoq_strv_fini(&m->origins);
    free(m);
}

static int
no_memory(struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
}

static int
set_text(char **field, const char *value)
{
    free(*field);
    *field = strdup(value);
    return *field ? 0 : -ENOMEM;
}

/* The field that @key of @section fills, or NULL. */
static char **
field_of(struct stoq_manifest *m, const char *section, const char *key)
{
    const struct {
        const char *section, *key;
        char **field;
    } fields[] = {
        {"Core", "name", &m->name},
        {"Core", "module", &m->module},
        {"Documentation", "author", &m->author},
        {"Documentation", "version", &m->version},
        {"Documentation", "website", &m->website},
        {"Documentation", "description", &m->description},
        {"options", "min_stoq_version", &m->min_version},
    };
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(fields); i++) {
        if (strcmp(section, fields[i].section) == 0 && strcmp(key, fields[i].key) == 0)
            return fields[i].field;
    }
    return NULL;
}

static int
add_option(struct stoq_manifest *m, const char *key, const char *value, unsigned line)
{
    STOQ_AUTOFREE char *origin = NULL;
    if (asprintf(&origin, "%s:%u", m->path, line) < 0) {
        origin = NULL;
        return -ENOMEM;
    }
    int r = stoq_strv_add(&m->keys, key);
    if (r == 0)
        r = stoq_strv_add(&m->values, value);
    if (r == 0)
        r = stoq_strv_add(&m->origins, origin);
    return r;
}

static int
take_entry(void *arg, const char *section, const char *key, const char *value,
           unsigned line, struct stoq_error *err)
{
    struct stoq_manifest *m = arg;
    if (!value)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "%s:%u: %s has no value",
                              m->path, line, key);
    int r = 0;
    char **field = field_of(m, section, key);
    if (field)
        r = set_text(field, value);
    else if (strcmp(section, "options") == 0 && strcmp(key, "required_workers") == 0)
        r = stoq_strv_add_list(&m->required_workers, value);
    else if (strcmp(section, "options") == 0)
        r = add_option(m, key, value, line);
    return r < 0 ? no_memory(err) : 0;
}

static int
check_name(const struct stoq_manifest *m, struct stoq_error *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    if (!m->name || !m->name[0])
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "%s: no [Core] Name",
                              m->path);
    size_t size = strlen(m->name);
    if (strspn(m->name, allowed) != size || size >= STOQ_ERROR_PLUGIN_MAX)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "%s: bad plugin name '%s', wanted is [a-z0-9_-]+",
                              m->path, m->name);
    if (!m->module || !m->module[0])
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "%s: no [Core] Module",
                              m->path);
    /* the object lies beside the manifest, in the directory that is checked */
    if (strchr(m->module, '/'))
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "%s: Module '%s' is not a file name", m->path, m->module);
    return 0;
}

static int
fill_blanks(struct stoq_manifest *m)
{
    char **const texts[] = {&m->author, &m->version, &m->website, &m->description};
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(texts); i++) {
        if (!*texts[i] && set_text(texts[i], "") < 0)
            return -ENOMEM;
    }
    if (asprintf(&m->object, "%s/%s.so", m->dir, m->module) < 0) {
        m->object = NULL;
        return -ENOMEM;
    }
    return 0;
}

int
stoq_manifest_read(const char *dir, const char *file, struct stoq_manifest **out,
                   struct stoq_error *err)
{
    STOQ_AUTO(stoq_manifest) m = calloc(1, sizeof(*m));
    if (!m || set_text(&m->dir, dir) < 0)
        return no_memory(err);
    if (asprintf(&m->path, "%s/%s", dir, file) < 0) {
        m->path = NULL;
        return no_memory(err);
    }
    int r = stoq_ini_read(m->path, take_entry, m, err);
    if (r == 0)
        r = check_name(m, err);
    if (r < 0)
        return r;
    if (fill_blanks(m) < 0)
        return no_memory(err);
    *out = STOQ_STEAL(&m);
    return 0;
}
