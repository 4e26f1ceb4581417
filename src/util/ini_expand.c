/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Replacement of %(name)s in the values of an INI file. Depth, number and size are
 * bounded, since a name may lead to values that hold names again.
 */

#include "util/ini_expand.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/auto.h"

#define DEPTH_MAX    10
#define COUNT_MAX    1000
#define SIZE_MAX_OUT ((size_t)1 << 20)

uint32_t
stoq_ini_hash(const char *key)
{
    uint32_t hash = 2166136261U;
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 16777619U;
    return hash;
}

const struct stoq_ini_raw *
stoq_ini_find(const struct stoq_ini_file *file, size_t section, const char *key,
              bool inherit)
{
    const struct stoq_ini_raw *fallback = NULL;
    uint32_t hash = stoq_ini_hash(key);
    for (size_t i = 0; i < file->count; i++) {
        const struct stoq_ini_raw *e = &file->entries[i];
        if (e->hash != hash || strcmp(e->key, key) != 0)
            continue;
        if (e->section == section)
            return e;
        if (inherit && strcmp(file->sections.items[e->section], STOQ_INI_DEFAULT) == 0)
            fallback = e;
    }
    return fallback;
}

struct expansion {
    const struct stoq_ini_file *file;
    size_t section;
    struct stoq_strbuf out;
    unsigned count;
};

/* The entry that "%(name)s" at @p text names, or NULL; *size is the reference's. */
static const struct stoq_ini_raw *
referred(const struct expansion *x, const char *text, size_t *size)
{
    const char *end = text[1] == '(' ? strchr(text, ')') : NULL;
    if (!end || end[1] != 's')
        return NULL;
    STOQ_AUTOFREE char *key = strndup(text + 2, (size_t)(end - text - 2));
    if (!key)
        return NULL;
    for (char *c = key; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    *size = (size_t)(end - text) + 2;
    const struct stoq_ini_raw *e = stoq_ini_find(x->file, x->section, key, true);
    return e && e->value ? e : NULL;
}

static int
expand(struct expansion *x, const char *text, unsigned depth)
{
    if (depth > DEPTH_MAX)
        return -EINVAL;
    while (*text) {
        const char *percent = strchrnul(text, '%');
        stoq_strbuf_add(&x->out, text, (size_t)(percent - text));
        if (x->out.size > SIZE_MAX_OUT)
            return -EINVAL;
        if (*percent == '\0')
            break;
        size_t size = 1;
        const struct stoq_ini_raw *e = referred(x, percent, &size);
        if (e) {
            if (++x->count > COUNT_MAX)
                return -EINVAL;
            int r = expand(x, e->value, depth + 1);
            if (r < 0)
                return r;
        } else {
            size = percent[1] == '%' ? 2 : 1;
            stoq_strbuf_add(&x->out, "%", 1);
        }
        text = percent + size;
    }
    return 0;
}

int
stoq_ini_expand(const struct stoq_ini_file *file, size_t section,
                const struct stoq_ini_raw *entry, char **out)
{
    struct expansion x = {.file = file, .section = section};
    int r = expand(&x, entry->value, 0);
    if (r < 0) {
        stoq_strbuf_fini(&x.out);
        return r;
    }
    char *text = stoq_strbuf_steal(&x.out);
    if (!text)
        return -ENOMEM;
    *out = text;
    return 0;
}

void
stoq_ini_file_fini(struct stoq_ini_file *file)
{
    for (size_t i = 0; i < file->count; i++) {
        free(file->entries[i].key);
        free(file->entries[i].value);
    }
    free(file->entries);
    stoq_strv_fini(&file->sections);
    *file = (struct stoq_ini_file){0};
}
