/* SPDX-License-Identifier: Apache-2.0 */

/*
 * INI files, read as Python's ConfigParser reads them, with the two differences that
 * the header names. The file is split into entries first and reported afterwards, so a
 * handler sees nothing of a file with bad syntax. No state, any thread.
 */

#include "util/ini.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/auto.h"
#include "util/ini_expand.h"
#include "util/io.h"

#define FILE_MAX    ((size_t)4 << 20)
#define ENTRIES_MAX 10000

struct parser {
    const char *name;
    struct stoq_ini_file *file;
    struct stoq_error *err;
    size_t section;            /* index of the current one */
    bool in_section;           /* a header was seen */
    struct stoq_ini_raw *open; /* entry that continuation lines belong to */
    struct stoq_strbuf value;  /* its value so far */
    bool valueless;            /* it has none */
    size_t indent;             /* of the line that opened it */
    unsigned line;
};

static int
complain(struct parser *p, unsigned line, const char *what, const char *detail)
{
    return stoq_error_set(p->err, STOQ_ERROR_CONFIG, -EINVAL, "%s:%u: %s%s%s", p->name,
                          line, what, detail ? ": " : "", detail ? detail : "");
}

static int
no_memory(struct parser *p)
{
    return stoq_error_set(p->err, STOQ_ERROR_SYSTEM, -ENOMEM, "%s: out of memory",
                          p->name);
}

static void
strip(const char **from, const char **to)
{
    while (*from < *to && isspace((unsigned char)**from))
        ++*from;
    while (*to > *from && isspace((unsigned char)(*to)[-1]))
        --*to;
}

/* End the open entry: its value is what was gathered, without trailing blanks. */
static int
close_entry(struct parser *p)
{
    struct stoq_ini_raw *e = p->open;
    p->open = NULL;
    if (!e || p->valueless)
        return 0;
    while (p->value.size > 0 &&
           isspace((unsigned char)p->value.data[p->value.size - 1]))
        p->value.data[--p->value.size] = '\0';
    e->value = stoq_strbuf_steal(&p->value);
    return e->value ? 0 : no_memory(p);
}

static int
open_section(struct parser *p, const char *from, const char *to)
{
    strip(&from, &to);
    STOQ_AUTOFREE char *name = strndup(from, (size_t)(to - from));
    if (!name)
        return no_memory(p);
    if (*name == '\0')
        return complain(p, p->line, "section without a name", NULL);
    struct stoq_strv *sections = &p->file->sections;
    p->in_section = true;
    for (size_t i = 0; i < sections->count; i++) {
        if (strcmp(sections->items[i], name) != 0)
            continue;
        if (strcmp(name, STOQ_INI_DEFAULT) != 0)
            return complain(p, p->line, "section is there twice", name);
        p->section = i;
        return 0;
    }
    if (sections->count >= ENTRIES_MAX)
        return complain(p, p->line, "too many sections", NULL);
    p->section = sections->count;
    return stoq_strv_add(sections, name) < 0 ? no_memory(p) : 0;
}

static int
append_entry(struct parser *p, const char *key)
{
    struct stoq_ini_file *f = p->file;
    uint32_t hash = stoq_ini_hash(key);
    for (size_t i = 0; i < f->count; i++) {
        if (f->entries[i].hash == hash && f->entries[i].section == p->section &&
            strcmp(f->entries[i].key, key) == 0)
            return complain(p, p->line, "key is there twice in its section", key);
    }
    if (f->count >= ENTRIES_MAX)
        return complain(p, p->line, "too many keys", NULL);
    if (f->count == f->room) {
        size_t room = f->room ? f->room * 2 : 32;
        struct stoq_ini_raw *grown = realloc(f->entries, room * sizeof(*grown));
        if (!grown)
            return no_memory(p);
        f->entries = grown;
        f->room = room;
    }
    char *copy = strdup(key);
    if (!copy)
        return no_memory(p);
    f->entries[f->count] = (struct stoq_ini_raw){
        .section = p->section, .hash = hash, .line = p->line, .key = copy};
    p->open = &f->entries[f->count++];
    return 0;
}

/* "key = value", "key: value" or "key"; the first separator counts. */
static int
open_entry(struct parser *p, const char *from, const char *to)
{
    const char *sep = from;
    while (sep < to && *sep != '=' && *sep != ':')
        sep++;
    const char *key_end = sep;
    const char *key_start = from;
    strip(&key_start, &key_end);
    if (key_start == key_end)
        return complain(p, p->line, "value without a key", NULL);
    STOQ_AUTOFREE char *key = strndup(key_start, (size_t)(key_end - key_start));
    if (!key)
        return no_memory(p);
    for (char *c = key; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    int r = append_entry(p, key);
    if (r < 0)
        return r;
    p->valueless = sep == to;
    if (!p->valueless) {
        sep++;
        strip(&sep, &to);
        stoq_strbuf_add(&p->value, sep, (size_t)(to - sep));
    }
    return 0;
}

static int
continue_entry(struct parser *p, const char *from, const char *to)
{
    if (p->valueless)
        return complain(p, p->line, "continues a key that has no value", p->open->key);
    stoq_strbuf_adds(&p->value, "\n");
    stoq_strbuf_add(&p->value, from, (size_t)(to - from));
    return 0;
}

static int
parse_line(struct parser *p, const char *line, const char *end)
{
    const char *from = line;
    const char *to = end;
    if (memchr(line, '\0', (size_t)(end - line)))
        return complain(p, p->line, "NUL byte", NULL);
    strip(&from, &to);
    if (from == to) {
        if (p->open && !p->valueless)
            stoq_strbuf_adds(&p->value, "\n");
        return 0;
    }
    if (*from == '#' || *from == ';')
        return 0;
    size_t indent = (size_t)(from - line);
    if (p->open && indent > p->indent)
        return continue_entry(p, from, to);
    p->indent = indent;
    int r = close_entry(p);
    if (r < 0)
        return r;
    if (*from == '[') {
        const char *close = memrchr(from, ']', (size_t)(to - from));
        if (!close)
            return complain(p, p->line, "section header without \"]\"", NULL);
        return open_section(p, from + 1, close);
    }
    if (!p->in_section)
        return complain(p, p->line, "a section must come first", NULL);
    return open_entry(p, from, to);
}

static int
split(struct parser *p, const char *text, size_t size)
{
    const char *at = text;
    const char *end = text + size;
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        at += 3;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        p->line++;
        int r = parse_line(p, at, stop);
        if (r < 0)
            return r;
        at = newline ? newline + 1 : end;
    }
    return close_entry(p);
}

/* Report one entry as part of @p section. */
static int
report(const struct parser *p, size_t section, const struct stoq_ini_raw *e,
       stoq_ini_entry entry, void *arg)
{
    STOQ_AUTOFREE char *value = NULL;
    if (e->value) {
        int r = stoq_ini_expand(p->file, section, e, &value);
        if (r == -EINVAL)
            return stoq_error_set(p->err, STOQ_ERROR_CONFIG, r,
                                  "%s:%u: %%(name)s leads too far: %s", p->name,
                                  e->line, e->key);
        if (r < 0)
            return stoq_error_set(p->err, STOQ_ERROR_SYSTEM, r, "%s: out of memory",
                                  p->name);
    }
    return entry(arg, p->file->sections.items[section], e->key, value, e->line, p->err);
}

/* Entries of @p section, then those of [DEFAULT] that it does not set. */
static int
report_section(const struct parser *p, size_t section, stoq_ini_entry entry, void *arg)
{
    const struct stoq_ini_file *f = p->file;
    for (unsigned pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < f->count; i++) {
            const struct stoq_ini_raw *e = &f->entries[i];
            bool own = e->section == section;
            bool inherited =
                strcmp(f->sections.items[e->section], STOQ_INI_DEFAULT) == 0 &&
                stoq_ini_find(f, section, e->key, true) == e;
            if (pass == 0 ? !own : own || !inherited)
                continue;
            int r = report(p, section, e, entry, arg);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

int
stoq_ini_parse(const char *name, const char *text, size_t size, stoq_ini_entry entry,
               void *arg, struct stoq_error *err)
{
    struct stoq_ini_file file = {0};
    struct parser p = {.name = name, .file = &file, .err = err};
    int r = split(&p, text, size);
    for (size_t i = 0; r >= 0 && i < file.sections.count; i++) {
        if (strcmp(file.sections.items[i], STOQ_INI_DEFAULT) != 0)
            r = report_section(&p, i, entry, arg);
    }
    stoq_strbuf_fini(&p.value);
    stoq_ini_file_fini(&file);
    return r < 0 ? r : 0;
}

int
stoq_ini_read(const char *path, stoq_ini_entry entry, void *arg, struct stoq_error *err)
{
    STOQ_AUTOFREE char *text = NULL;
    size_t size = 0;
    int r = stoq_read_file(path, FILE_MAX, &text, &size, err);
    return r < 0 ? r : stoq_ini_parse(path, text, size, entry, arg, err);
}
