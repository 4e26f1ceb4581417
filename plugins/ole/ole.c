/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ole: each stream of a compound file, the format of Office documents before 2007
 * ([MS-CFB]), becomes a child. Also read is what the original takes for an embedded
 * file, a stream that ends with that stream's usual name (OLENativeStream, [MS-OLEDS]
 * 2.3.6). Bounded by the budgets for children alone: no stream is larger than the file.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoq/plugin.h>

#include "common/auto.h"
#include "common/cfb.h"

/* Names are made of those of all storages around; more than these are left out. */
#define NAME_ROOM         ((size_t)(CFB_DEPTH_MAX + 1) * CFB_NAME_MAX)
#define NATIVE_STRING_MAX 1024U
/* A path in an embedded file, its bytes read as ISO 8859-1. */
#define NATIVE_ROOM ((size_t)2 * NATIVE_STRING_MAX + 1)

/* An embedded file. */
struct native {
    char filename[NATIVE_ROOM];
    struct bytes data;
};

/* -------------------------------------------------------------------- embedded file */

/* Text up to a NUL, which must come soon; UTF-8 in @out unless that is NULL.
 * @return where it ends, or 0. */
static size_t
native_string(struct bytes stream, size_t at, char *out)
{
    size_t size = bytes_strnlen(stream, at, NATIVE_STRING_MAX);
    if (size == NATIVE_STRING_MAX || !bytes_has(stream, at + size, 1))
        return 0;
    for (size_t i = 0; out && i < size; i++) {
        unsigned char c = stream.data[at + i];
        if (c >= 0x80)
            *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(c < 0x80 ? c : 0x80 | (c & 0x3f));
    }
    if (out)
        *out = '\0';
    return at + size + 1;
}

/* A size, a number, file name, source path, two numbers, path, size, data. */
static bool
read_native(struct bytes stream, struct native *n)
{
    size_t at = native_string(stream, 6, n->filename);
    at = at ? native_string(stream, at, NULL) : 0;
    at = at ? native_string(stream, at + 8, NULL) : 0;
    if (!at || !bytes_has(stream, at, 4))
        return false;
    struct bytes rest = bytes_from(stream, at + 4);
    uint32_t size = bytes_le32(stream, at);
    n->data = bytes_at(rest, 0, rest.size < size ? rest.size : size);
    return true;
}

/* ---------------------------------------------------------------------------- child */

/* What Python's string.printable has. */
static bool
is_printable(char c)
{
    return (c >= ' ' && c <= '~') || (c >= '\t' && c <= '\r');
}

/* The names of the storages and the stream, joined, of printable ASCII alone. */
static void
child_name(const struct cfb *c, size_t i, char name[NAME_ROOM])
{
    uint32_t path[CFB_DEPTH_MAX + 1];
    size_t depth = 0, used = 0;
    for (uint32_t at = (uint32_t)i; at != CFB_ROOT && depth <= CFB_DEPTH_MAX;
         at = cfb_at(c, at)->parent)
        path[depth++] = at;
    while (depth-- > 0) {
        for (const char *s = cfb_at(c, path[depth])->name; *s; s++)
            if (is_printable(*s))
                name[used++] = *s;
        if (depth > 0)
            name[used++] = '_';
    }
    name[used] = '\0';
}

static int
add_child(struct stoq_reply *reply, size_t index, const char *name, const char *suffix,
          struct bytes data)
{
    PLUGIN_AUTOFREE char *whole = NULL;
    if (asprintf(&whole, "%s%s", name, suffix) < 0) {
        whole = NULL;
        return -ENOMEM;
    }
    json_t *extra = json_pack("{s:I, s:o}", "index", (json_int_t)index, "name",
                              stoq_json_text(whole, strlen(whole), NULL));
    if (!extra)
        return -ENOMEM;
    const struct stoq_extract child = {STOQ_EXTRACT_HEAD, .no_archive = true,
                                       .data = data.data ? data.data
                                                         : (const unsigned char *)"",
                                       .size = data.size, .extra_data = extra};
    return stoq_reply_extract(reply, &child);
}

static int
add_native(struct stoq_reply *reply, size_t index, const char *name, struct bytes data)
{
    struct native n = {.data = {NULL, 0}};
    char suffix[NATIVE_ROOM + 1];
    if (!read_native(data, &n)) {
        stoq_reply_error(reply, "Unable to read the embedded file in stream %zu",
                         index);
        return 0;
    }
    (void)snprintf(suffix, sizeof suffix, "_%s",
                   n.filename[0] ? n.filename : "olenative");
    return add_child(reply, index, name, suffix, n.data);
}

static int
add_stream(const struct cfb *c, size_t i, size_t index, struct stoq_reply *reply)
{
    static const char mark[] = "\001Ole10Native";
    const size_t mark_size = sizeof mark - 1;
    char name[NAME_ROOM];
    PLUGIN_AUTOFREE unsigned char *data = NULL;
    size_t size = 0;
    int r = cfb_read(c, i, &data, &size);
    if (r < 0)
        return r;
    child_name(c, i, name);
    const struct bytes stream = {data, size};
    if (size >= mark_size && bytes_are(stream, size - mark_size, mark, mark_size))
        return add_native(reply, index, name, stream);
    return add_child(reply, index, name, "", stream);
}

static int
add_streams(const struct cfb *c, struct stoq_reply *reply)
{
    size_t index = 0;
    for (size_t i = 0; i < cfb_count(c); i++) {
        if (cfb_at(c, i)->type != CFB_STREAM)
            continue;
        int r = add_stream(c, i, index++, reply);
        if (r < 0)
            return r == -E2BIG ? 0 : r; /* on record as a limit */
    }
    if (cfb_is_cut(c))
        stoq_reply_limit(reply, "ole_entries", cfb_count(c));
    return 0;
}

static int
ole_scan(void *instance, struct stoq_payload *payload,
         const struct stoq_request *request, struct stoq_reply *reply, unsigned flags,
         struct stoq_error *err)
{
    (void)instance;
    (void)request;
    (void)flags;
    struct bytes file = {0};
    struct cfb *c = NULL;
    file.data = stoq_payload_data(payload, &file.size);
    int r = cfb_open(file, &c, err);
    if (r < 0)
        return r;
    r = add_streams(c, reply);
    cfb_free(c);
    return r < 0 ? stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "out of memory") : 0;
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "ole",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .scan = ole_scan,
};
STOQ_PLUGIN(plugin);
