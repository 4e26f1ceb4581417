/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xorsearch: terms under one-byte XOR keys. The results are {"0xKEY": [{pos, match}]},
 * in the order of keys, then terms, then positions, as the original reads them from the
 * program XORSearch, whose output its author describes. Limits: so many matches as
 * below.
 */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoq/plugin.h>

#include "common/auto.h"
#include "parts.h"

#define MATCHES_MAX ((size_t)20000)
/* Characters of a match that are shown. */
#define SHOWN 50
/* Longest line of the file of terms, as XORSearch has it. */
#define LINE_MAX_SIZE 1023

static const struct stoq_option options[] = {
    {"terms", STOQ_OPTION_PATH, "data/terms.txt", 0, 0,
     "File with the terms to search for, one a line"},
    {"bin_path", STOQ_OPTION_STRING, "", 0, 0, "Not used: no program is run"},
    {"bin", STOQ_OPTION_STRING, "", 0, 0, "Not used: no program is run"},
    {0},
};

struct hit {
    size_t at;
    uint32_t term;
    unsigned char key;
};

struct hits {
    struct hit *list;
    size_t count, room;
    bool full, no_memory;
};

static void
xorsearch_close(void *instance)
{
    automaton_fini(instance);
    free(instance);
}

static int
add_term(struct automaton *a, const char *line, size_t size)
{
    struct term *terms = realloc(a->terms, (a->count + 1) * sizeof *terms);

    if (!terms)
        return -ENOMEM;
    a->terms = terms;
    unsigned char *data = malloc(size);
    if (!data)
        return -ENOMEM;
    memcpy(data, line, size);
    a->terms[a->count++] = (struct term){.data = data, .size = size};
    return 0;
}

/* Each line is a term, up to its end or a NUL; empty ones are none. */
static int
read_terms(struct automaton *a, struct stoq_ctx *ctx, FILE *f)
{
    char line[LINE_MAX_SIZE + 1];
    size_t bytes = 0;

    while (fgets(line, sizeof line, f)) {
        size_t size = strcspn(line, "\r\n");
        int r = size ? add_term(a, line, size) : 0;

        if (r < 0)
            return r;
        bytes += size;
        if (bytes > TERM_BYTES_MAX)
            return -E2BIG;
        stoq_ctx_identity(ctx, line, size + 1);
    }
    return ferror(f) ? -EIO : 0;
}

static int
load_terms(struct automaton *a, struct stoq_ctx *ctx, struct stoq_error *err)
{
    const char *path = stoq_ctx_string(ctx, "terms");
    FILE *f = path && *path ? fopen(path, "re") : NULL;

    if (!f)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, path && *path ? -errno : -EINVAL,
                              "cannot open the terms %s: %s", path ? path : "",
                              path && *path ? strerror(errno) : "no file is named");
    int r = read_terms(a, ctx, f);
    (void)fclose(f);
    r = r < 0 ? r : automaton_build(a);
    if (r == -E2BIG)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, r,
                              "%s has more than %u bytes of terms", path,
                              TERM_BYTES_MAX);
    return r < 0 ? stoq_error_set(err, STOQ_ERROR_CONFIG, r,
                                  "cannot read the terms %s: %s", path, strerror(-r))
                 : 0;
}

static int
xorsearch_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    struct automaton *a = calloc(1, sizeof *a);

    if (!a)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    int r = load_terms(a, ctx, err);
    if (r < 0) {
        xorsearch_close(a);
        return r;
    }
    stoq_ctx_fact(ctx, "terms", json_integer(a->count));
    *instance = a;
    return 0;
}

static bool
keep(void *user, unsigned char key, uint32_t term, size_t at)
{
    struct hits *hits = user;

    hits->full = hits->count == MATCHES_MAX;
    if (!hits->full && hits->count == hits->room) {
        size_t room = hits->room ? hits->room * 2 : 64;
        struct hit *list = realloc(hits->list, room * sizeof *list);

        hits->no_memory = !list;
        if (list) {
            hits->list = list;
            hits->room = room;
        }
    }
    if (hits->full || hits->no_memory)
        return false;
    hits->list[hits->count++] = (struct hit){at, term, key};
    return true;
}

static int
compare(const void *left, const void *right)
{
    const struct hit *a = left, *b = right;

    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    if (a->term != b->term)
        return a->term < b->term ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

/* The text from the match on, up to a NUL; blanks before it are not shown. */
static json_t *
shown(struct bytes p, const struct hit *hit)
{
    char text[SHOWN];
    size_t n = 0, blanks = 0;

    for (; n < SHOWN && hit->at + n < p.size; n++) {
        unsigned char c = p.data[hit->at + n] ^ hit->key;

        if (c == '\0')
            break;
        text[n] = c >= ' ' && c <= '~' ? (char)c : '.';
    }
    while (blanks < n && text[blanks] == ' ')
        blanks++;
    return json_stringn(text + blanks, n - blanks);
}

static json_t *
make_results(struct bytes p, const struct hits *hits)
{
    json_t *results = json_object();
    json_t *list = NULL; /* of the key of the hit before; borrowed */
    bool ok = results != NULL;

    for (size_t i = 0; ok && i < hits->count; i++) {
        const struct hit *hit = &hits->list[i];
        char key[8], at[32];

        (void)snprintf(key, sizeof key, "0x%02X", hit->key);
        (void)snprintf(at, sizeof at, "0x%04zX", hit->at);
        if (i == 0 || hits->list[i - 1].key != hit->key) {
            list = json_array();
            ok = json_object_set_new(results, key, list) == 0;
        }
        json_t *one = json_object();
        ok = ok && json_object_set_new(one, "pos", json_string(at)) == 0 &&
             json_object_set_new(one, "match", shown(p, hit)) == 0 &&
             json_array_append(list, one) == 0;
        json_decref(one);
    }
    if (ok)
        return results;
    json_decref(results);
    return NULL;
}

static int
xorsearch_scan(void *instance, struct stoq_payload *payload,
               const struct stoq_request *request, struct stoq_reply *reply,
               unsigned flags, struct stoq_error *err)
{
    struct hits hits = {0};
    struct bytes p;

    (void)request;
    (void)flags;
    p.data = stoq_payload_data(payload, &p.size);
    automaton_search(instance, p, keep, &hits);
    PLUGIN_AUTOFREE struct hit *list = hits.list;
    if (list)
        qsort(list, hits.count, sizeof *list, compare);
    json_t *results = hits.no_memory ? NULL : make_results(p, &hits);
    if (!results)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    if (hits.full)
        stoq_reply_limit(reply, "matches", hits.count);
    stoq_reply_results(reply, results);
    return 0;
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "xorsearch",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .options = options,
    .open = xorsearch_open,
    .close = xorsearch_close,
    .scan = xorsearch_scan,
};
STOQ_PLUGIN(plugin);
