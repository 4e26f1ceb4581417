/* SPDX-License-Identifier: Apache-2.0 */
/* Root payloads of a job; see roots.h. No state, no lock. */
#include "pool/roots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <stoq/plugin.h>

#include "util/auto.h"
#include "util/json.h"

static const char *const text_keys[] = {"filename", "path", "owner"};

/* ------------------------------------------------------------------------ to
 * text */

static json_t *
describe(const struct stoq_job_root *root)
{
    const struct stoq_payload_meta *m = &root->meta;
    const char *const texts[] = {m->filename, m->path, m->owner};
    json_t *o = json_object();
    int r = o ? 0 : -1;

    if (root->size != STOQ_ROOT_ALL)
        r |= json_object_set_new(o, "size", json_integer((json_int_t)root->size));
    if (m->extra_data)
        r |= json_object_set(o, "extra_data", m->extra_data);
    if (m->no_scan)
        r |= json_object_set_new(o, "no_scan", json_true());
    if (m->no_archive)
        r |= json_object_set_new(o, "no_archive", json_true());
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(texts); i++)
        if (texts[i])
            r |= stoq_json_set_text(o, text_keys[i], texts[i], strlen(texts[i]));
    if (r != 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}

int
stoq_roots_text(const struct stoq_job_spec *spec, char **out)
{
    json_auto_t *list = json_array();
    char *text;

    for (size_t i = 0; i < spec->root_count; i++)
        if (json_array_append_new(list, describe(&spec->roots[i])) < 0)
            return -ENOMEM;
    text = list ? stoq_json_dump(list, false) : NULL;
    if (!text)
        return -ENOMEM;
    *out = text;
    return 0;
}

/* ---------------------------------------------------------------------- from
 * text */

/** The bytes that stoq_json_base64() wrote, NUL-terminated. NULL: that is none,
 * or there is no memory. */
static char *
unbase64(const char *text)
{
    size_t n = strlen(text);
    char *out = n % 4 == 0 && n < INT32_MAX ? malloc(n + 1) : NULL;
    int size =
        out ? EVP_DecodeBlock((unsigned char *)out, (const unsigned char *)text, (int)n)
            : -1;

    if (size < 0) {
        free(out);
        return NULL;
    }
    for (size_t i = n; i > 0 && text[i - 1] == '=' && size > 0; i--)
        size--;
    out[size] = '\0';
    return out;
}

static int
read_text(const json_t *object, const char *key, char **out)
{
    char raw[32];
    const char *text = stoq_json_string_of(object, key);
    const char *bytes;

    if (!text)
        return json_object_get(object, key) ? -EPROTO : 0;
    (void)snprintf(raw, sizeof(raw), "%s_b64", key);
    bytes = stoq_json_string_of(object, raw);
    *out = bytes ? unbase64(bytes) : strdup(text);
    if (*out)
        return 0;
    return bytes ? -EPROTO : -ENOMEM;
}

static int
read_root(const json_t *object, bool only, struct stoq_root *root)
{
    const struct stoq_payload_meta init = STOQ_PAYLOAD_META_INIT;
    const json_t *size = json_object_get(object, "size");
    json_int_t n = json_integer_value(size);

    if (!json_is_object(object) || (!size && !only) ||
        (size && (!json_is_integer(size) || n < 0)))
        return -EPROTO;
    root->meta = init;
    root->size = size ? (uint64_t)n : STOQ_ROOT_ALL;
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(text_keys); i++) {
        int r = read_text(object, text_keys[i], &root->texts[i]);

        if (r < 0)
            return r;
    }
    root->extra = json_incref(json_object_get(object, "extra_data"));
    if (root->extra && !json_is_object(root->extra))
        return -EPROTO;
    root->meta.extra_data = root->extra;
    root->meta.no_scan = json_is_true(json_object_get(object, "no_scan"));
    root->meta.no_archive = json_is_true(json_object_get(object, "no_archive"));
    root->meta.filename = root->texts[0];
    root->meta.path = root->texts[1];
    root->meta.owner = root->texts[2];
    return 0;
}

static int
read_list(const char *text, struct stoq_roots *out)
{
    json_auto_t *list = stoq_json_parse(text, strlen(text), NULL);
    size_t n = json_array_size(list);

    if (n == 0 || n > STOQ_ROOTS_MAX)
        return -EPROTO;
    out->items = calloc(n, sizeof(*out->items));
    if (!out->items)
        return -ENOMEM;
    out->count = n;
    for (size_t i = 0; i < n; i++) {
        int r = read_root(json_array_get(list, i), n == 1, &out->items[i]);

        if (r < 0)
            return r;
    }
    return 0;
}

/* --------------------------------------------------------------------- from
 * names */

static int
fill_extra(json_t *extra, const struct stoq_wire_names *names)
{
    const char *name = names->text[STOQ_WIRE_FILENAME];
    const char *dir = names->text[STOQ_WIRE_SOURCE_DIR];
    int r = name ? stoq_json_set_text(extra, "filename", name, strlen(name))
                 : json_object_set_new(extra, "filename", json_null());

    if (r == 0 && dir)
        r = stoq_json_set_text(extra, "source_dir", dir, strlen(dir));
    return r == 0 ? 0 : -ENOMEM;
}

static int
read_names(const struct stoq_wire_names *names, struct stoq_roots *out)
{
    const struct stoq_payload_meta init = STOQ_PAYLOAD_META_INIT;
    struct stoq_root *root = calloc(1, sizeof(*root));

    if (!root)
        return -ENOMEM;
    out->items = root;
    out->count = 1;
    root->size = STOQ_ROOT_ALL;
    root->meta = init;
    root->extra = json_object();
    if (!root->extra || fill_extra(root->extra, names) < 0)
        return -ENOMEM;
    root->meta.extra_data = root->extra;
    root->meta.filename = names->text[STOQ_WIRE_FILENAME];
    root->meta.path = names->text[STOQ_WIRE_PATH];
    root->meta.owner = names->text[STOQ_WIRE_OWNER];
    return 0;
}

int
stoq_roots_read(const struct stoq_wire_names *names, struct stoq_roots *out)
{
    const char *text = names->text[STOQ_WIRE_ROOTS];

    return text ? read_list(text, out) : read_names(names, out);
}

void
stoq_roots_fini(struct stoq_roots *roots)
{
    for (size_t i = 0; i < roots->count; i++) {
        json_decref(roots->items[i].extra);
        for (size_t k = 0; k < STOQ_ARRAY_SIZE(roots->items[i].texts); k++)
            free(roots->items[i].texts[k]);
    }
    free(roots->items);
    *roots = (struct stoq_roots){NULL, 0};
}
