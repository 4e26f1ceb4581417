/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trid: file types by TrID's definitions, which the user supplies. The results are what
 * the original reads from the lines the program TrID prints: {ext: [{likely, type}]} of
 * the five best matches. Limits: see load.c and match.c.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoq/plugin.h>

#include "common/auto.h"
#include "parts.h"

static const struct stoq_option options[] = {
    {"trid_defs", STOQ_OPTION_PATH, "triddefs.trd", 0, 0,
     "Definitions: a package, an XML file or a directory of XML files"},
    {"bin", STOQ_OPTION_STRING, "", 0, 0, "Not used: no program is run"},
    {"skip_warnings", STOQ_OPTION_LIST, "file seems to be plain text/ASCII", 0, 0,
     "Not used: there are no warnings"},
    {0},
};

static void
trid_close(void *instance)
{
    defs_fini(instance);
    free(instance);
}

static int
trid_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    struct defs *d = calloc(1, sizeof *d);
    const char *path = stoq_ctx_string(ctx, "trid_defs");

    if (!d)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    int r = defs_load(d, ctx, path ? path : "", err);
    if (r < 0) {
        trid_close(d);
        return r;
    }
    stoq_ctx_fact(ctx, "definitions", json_integer((json_int_t)d->count));
    *instance = d;
    return 0;
}

/* A text being put together; it has room for all. */
struct line {
    char *text;
    size_t size;
};

static void
put(struct line *line, const void *data, size_t size)
{
    if (size > 0)
        memcpy(line->text + line->size, data, size);
    line->size += size;
}

static bool
is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Cut the next word off a text. */
static struct bytes
next_word(struct bytes *text)
{
    size_t n = 0;

    while (text->size > 0 && is_blank((char)text->data[0]))
        *text = bytes_from(*text, 1);
    while (n < text->size && !is_blank((char)text->data[n]))
        n++;
    struct bytes word = bytes_at(*text, 0, n);
    *text = bytes_from(*text, n);
    return word;
}

/* Without brackets and dots at its ends. */
static struct bytes
bare(struct bytes word)
{
    while (word.size > 0 && strchr("(.)", word.data[0]) && word.data[0])
        word = bytes_from(word, 1);
    while (word.size > 0 && word.data[word.size - 1] &&
           strchr("(.)", word.data[word.size - 1]))
        word.size--;
    return word;
}

/* {likely, type} of what TrID prints after the percentage, and the extension. */
static json_t *
make_entry(struct bytes line, const char *likely, struct bytes *ext)
{
    PLUGIN_AUTOFREE char *text = malloc(line.size + 1);
    struct line type = {.text = text};
    json_t *entry = json_object();

    *ext = bare(next_word(&line));
    for (struct bytes word; text && (word = next_word(&line)).size > 0;) {
        put(&type, " ", type.size > 0);
        put(&type, word.data, word.size);
    }
    if (text && entry &&
        json_object_set_new(entry, "likely", json_string(likely)) == 0 &&
        json_object_set_new(entry, "type", stoq_json_text(text, type.size, NULL)) == 0)
        return entry;
    json_decref(entry);
    return NULL;
}

/* Add an entry (taken) to the list of its extension. */
static int
add_entry(json_t *results, struct bytes ext, unsigned *unknown, json_t *entry)
{
    char name[16];
    json_t *key = NULL;

    if (ext.size == 0) {
        ext.size = (size_t)snprintf(name, sizeof name, "UNK%u", (*unknown)++);
        ext.data = (const unsigned char *)name;
    }
    key = stoq_json_text(ext.data, ext.size, NULL);
    /* a key ends at a NUL, which no extension has */
    json_t *list = json_object_get(results, key ? json_string_value(key) : "");
    int r = key && entry ? 0 : -ENOMEM;
    if (r == 0 && !list) {
        list = json_array();
        if (json_object_set_new(results, json_string_value(key), list) < 0)
            r = -ENOMEM;
    }
    if (r == 0 && json_array_append(list, entry) < 0)
        r = -ENOMEM;
    json_decref(key);
    json_decref(entry);
    return r;
}

static int
add_match(json_t *results, const struct match *m, uint64_t all, unsigned *unknown)
{
    char likely[32], counts[96];
    double percent = (double)(m->points * 100) / (double)all;
    PLUGIN_AUTOFREE char *text =
        malloc(m->def->ext.size + m->def->type.size + sizeof counts + 8);
    struct line line = {.text = text};
    struct bytes ext;

    if (!text)
        return -ENOMEM;
    (void)snprintf(likely, sizeof likely, "%.1f%%", percent);
    int n = snprintf(counts, sizeof counts, " (%llu/%zu/%zu)",
                     (unsigned long long)m->points, m->def->patterns, m->def->strings);
    put(&line, "(.", 2);
    put(&line, m->def->ext.data, m->def->ext.size);
    put(&line, ") ", 2);
    put(&line, m->def->type.data, m->def->type.size);
    put(&line, counts, (size_t)n);
    json_t *entry = make_entry((struct bytes){(const unsigned char *)text, line.size},
                               likely, &ext);
    return add_entry(results, ext, unknown, entry);
}

static int
trid_scan(void *instance, struct stoq_payload *payload,
          const struct stoq_request *request, struct stoq_reply *reply, unsigned flags,
          struct stoq_error *err)
{
    struct match best[MATCHES_SHOWN];
    struct bytes bytes;
    uint64_t all = 0;
    size_t left = 0;
    unsigned unknown = 0;

    (void)request;
    (void)flags;
    bytes.data = stoq_payload_data(payload, &bytes.size);
    int count = match_all(instance, bytes, best, &all, &left);
    json_t *results = count < 0 ? NULL : json_object();
    int r = results ? 0 : -ENOMEM;
    for (int i = 0; r == 0 && i < count; i++)
        r = add_match(results, &best[i], all, &unknown);
    if (r < 0) {
        json_decref(results);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "out of memory");
    }
    if (left > 0)
        stoq_reply_limit(reply, "strings", left);
    stoq_reply_results(reply, results);
    return 0;
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "trid",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .options = options,
    .open = trid_open,
    .close = trid_close,
    .scan = trid_scan,
};
STOQ_PLUGIN(plugin);
