/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Include statements of rule files. libyara's own reader leaves no trace of what it
 * read, but what was included decides what matches: so the reading is done here, and
 * every file is noted for the digest and the cache. Called by compile.c; no lock.
 */

#include <stdio.h>
#include <string.h>

#include "parts.h"

/* libyara hands over names as written, also the name of the file that includes. So the
 * chain of files being read is kept here: the name as written and where it was found.
 */
struct frame {
    char *written; /* owned; the first frame's is the path itself */
    char *found;   /* owned */
};

struct stoq_yara_include_state {
    struct frame chain[YR_MAX_INCLUDE_DEPTH + 1];
    size_t depth;
    struct stoq_yara_includes *noted; /* borrowed */
};

int
stoq_yara_include_new(struct stoq_yara_includes *noted,
                      struct stoq_yara_include_state **out)
{
    struct stoq_yara_include_state *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->noted = noted;
    *out = s;
    return 0;
}

static void
chain_cut(struct stoq_yara_include_state *s, size_t depth)
{
    while (s->depth > depth) {
        struct frame *f = &s->chain[--s->depth];
        free(f->written);
        free(f->found);
        *f = (struct frame){0};
    }
}

static int
chain_push(struct stoq_yara_include_state *s, const char *written, const char *found)
{
    if (s->depth == sizeof s->chain / sizeof s->chain[0])
        return -ELOOP;
    struct frame f = {strdup(written), strdup(found)};
    if (!f.written || !f.found) {
        free(f.written);
        free(f.found);
        return -ENOMEM;
    }
    s->chain[s->depth++] = f;
    return 0;
}

void
stoq_yara_include_free(struct stoq_yara_include_state *s)
{
    if (!s)
        return;
    chain_cut(s, 0);
    free(s);
}

void
stoq_yara_includes_fini(struct stoq_yara_includes *includes)
{
    for (size_t i = 0; i < includes->count; i++)
        free(includes->items[i].path);
    free(includes->items);
    *includes = (struct stoq_yara_includes){0};
}

/* Note a file once (text NULL: it cannot be read). Its first content counts; a change
 * shows on the next start. */
static int
note(struct stoq_yara_includes *list, const char *path, const char *text, size_t size)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].path, path) == 0)
            return 0;
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 8;
        struct stoq_yara_include *items =
            reallocarray(list->items, room, sizeof *items);
        if (!items)
            return -ENOMEM;
        list->items = items;
        list->room = room;
    }
    struct stoq_yara_include item = {.path = strdup(path)};
    if (!item.path || (text && stoq_yara_sha256(text, size, item.sha256) < 0)) {
        free(item.path);
        return -ENOMEM;
    }
    list->items[list->count++] = item;
    return 0;
}

/* Where @p written lies when the file @p from names it. */
static char *
resolve(const char *written, const char *from)
{
    const char *slash = from ? strrchr(from, '/') : NULL;
    if (written[0] == '/' || !slash)
        return strdup(written);
    char *path = NULL;
    if (asprintf(&path, "%.*s/%s", (int)(slash - from), from, written) < 0)
        return NULL;
    return path;
}

static const char *
include_open(const char *written, const char *calling, const char *ns, void *arg)
{
    (void)ns;
    struct stoq_yara_include_state *s = arg;
    /* Files that were left since the last call are still on the chain. */
    while (calling && s->depth > 1 &&
           strcmp(s->chain[s->depth - 1].written, calling) != 0)
        chain_cut(s, s->depth - 1);
    const char *from = s->depth > 0 ? s->chain[s->depth - 1].found : NULL;

    PLUGIN_AUTOFREE char *path = resolve(written, from);
    PLUGIN_AUTOFREE char *text = NULL;
    size_t size = 0;
    if (!path)
        return NULL;
    /* One that is missing is noted too: when it appears, a cached set is out of date.
     */
    int r = stoq_yara_read_path(path, YARA_FILE_MAX, &text, &size);
    if (note(s->noted, path, text, size) < 0 || r < 0 ||
        chain_push(s, written, path) < 0)
        return NULL;
    char *result = text;
    text = NULL;
    return result;
}

static void
include_close(const char *text, void *arg)
{
    (void)arg;
    union {
        const char *in;
        char *out;
    } u = {text};
    free(u.out);
}

void
stoq_yara_include_start(struct stoq_yara_include_state *s, YR_COMPILER *compiler,
                        const char *path)
{
    chain_cut(s, 0);
    /* Without this frame relative names are taken from the current directory. */
    (void)chain_push(s, path, path);
    yr_compiler_set_include_callback(compiler, include_open, include_close, s);
}
