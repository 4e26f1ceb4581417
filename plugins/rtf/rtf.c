/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtf: the objects embedded in an RTF document become children. An OLE 1.0 object gives
 * what it embeds, anything else its bytes; the file in an OLE package can be had as a
 * child of its own. Format: RTF specification 1.9.1, MS-OLEDS.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <common/auto.h>
#include <stoq/plugin.h>

#include "parts.h"

struct rtf {
    bool packages;
};

struct call {
    const struct rtf *in;
    struct stoq_reply *reply;
    json_int_t index;
};

static void
plugin_close(void *instance)
{
    free(instance);
}

static int
plugin_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    struct rtf *in = calloc(1, sizeof *in);
    if (!in)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    in->packages = stoq_ctx_bool(ctx, "packages");
    *instance = in;
    return 0;
}

static int
extract(struct call *call, struct bytes data, json_t *extra)
{
    const struct stoq_extract child = {STOQ_EXTRACT_HEAD,
                                       .data = data.data ? (const void *)data.data : "",
                                       .size = data.size, .extra_data = extra};
    return extra ? stoq_reply_extract(call->reply, &child) : -ENOMEM;
}

/* The name is Latin-1, as whoever made the package had it. */
static json_t *
name_text(struct bytes name)
{
    PLUGIN_AUTOFREE char *text = malloc(2 * name.size + 1);
    size_t n = 0;
    if (!text)
        return NULL;
    for (size_t i = 0; i < name.size; i++) {
        const unsigned char c = name.data[i];
        if (c >= 0x80)
            text[n++] = (char)(0xc0 | c >> 6);
        text[n++] = (char)(c < 0x80 ? c : 0x80 | (c & 0x3f));
    }
    return stoq_json_text(text, n, NULL);
}

static int
on_object(void *self, struct bytes raw)
{
    struct call *call = self;
    struct ole1 ole = {0};
    struct ole1_package package = {0};
    const bool embedded = ole1_parse(raw, &ole);
    const json_int_t index = call->index++;
    int r =
        extract(call, embedded ? ole.data : raw, json_pack("{s:I}", "index", index));
    if (r < 0 || !call->in->packages || !embedded || !ole1_package(&ole, &package))
        return r;
    return extract(call, package.data,
                   json_pack("{s:I, s:o}", "index", index, "filename",
                             name_text(package.filename)));
}

static int
plugin_scan(void *instance, struct stoq_payload *payload,
            const struct stoq_request *request, struct stoq_reply *reply,
            unsigned flags, struct stoq_error *err)
{
    (void)request;
    (void)flags;
    struct call call = {instance, reply, 0};
    struct bytes rtf = {0};
    size_t deepest = 0;
    rtf.data = stoq_payload_data(payload, &rtf.size);
    int r = rtf_parse(rtf, on_object, &call, &deepest);
    if (deepest)
        stoq_reply_limit(reply, "destinations", deepest);
    if (r == -ENOMEM)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "out of memory");
    return r == -E2BIG ? 0 : r; /* on record as a limit */
}

static const struct stoq_option options[] = {
    {"packages", STOQ_OPTION_BOOL, "False", 0, 0,
     "Also extract the file inside an OLE package, under its name."},
    {NULL, STOQ_OPTION_STRING, NULL, 0, 0, NULL}};

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "rtf",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .options = options,
    .open = plugin_open,
    .close = plugin_close,
    .scan = plugin_scan,
};
STOQ_PLUGIN(plugin);
