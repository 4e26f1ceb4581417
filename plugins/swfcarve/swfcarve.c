/* SPDX-License-Identifier: Apache-2.0 */
/*
 * swfcarve: each Flash file (SWF) in a payload becomes a child, decompressed, with the
 * header of a file that is not compressed. A header is found by a regular expression;
 * the size it names must be what comes out. Bounded are what is decompressed in one
 * call, kept or not, and error entries.
 */

#define PCRE2_CODE_UNIT_WIDTH 8
#include <errno.h>
#include <lzma.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <stoq/plugin.h>

#include "common/auto.h"
#include "parts.h"

/* Bytes of one file: far more than a Flash file has. */
#define SWF_MAX ((uint64_t)64 << 20)
/* Bytes decompressed in one call. */
#define WORK_MAX   ((uint64_t)256 << 20)
#define ERRORS_MAX 1000U
/* Where an LZMA stream's properties are. */
#define LZMA_OFFSET 12U

struct swfcarve {
    pcre2_code *headers;
    pcre2_match_context *limits;
};

static void
swfcarve_close(void *instance)
{
    struct swfcarve *in = instance;
    pcre2_match_context_free(in->limits);
    pcre2_code_free(in->headers);
    free(in);
}

static int
compile(struct swfcarve *in, const char *pattern, struct stoq_error *err)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    in->limits = pcre2_match_context_create(NULL);
    if (!in->limits)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    (void)pcre2_set_match_limit(in->limits, 100000);
    (void)pcre2_set_heap_limit(in->limits, 16384); /* KiB */
    in->headers = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                PCRE2_MULTILINE | PCRE2_DOTALL | PCRE2_NEVER_UTF, &code,
                                &at, NULL);
    if (in->headers)
        return 0;
    PCRE2_UCHAR text[128] = "";
    (void)pcre2_get_error_message(code, text, sizeof text);
    return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                          "the option swf_headers is no regular expression: %s at %zu",
                          (const char *)text, (size_t)at);
}

static int
swfcarve_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    struct swfcarve *in = calloc(1, sizeof *in);
    if (!in)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    int r = compile(in, stoq_ctx_string(ctx, "swf_headers"), err);
    if (r < 0) {
        swfcarve_close(in);
        return r;
    }
    char pcre[64] = "";
    (void)pcre2_config(PCRE2_CONFIG_VERSION, pcre);
    const char *const versions[] = {pcre, zlibVersion(), lzma_version_string()};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
        stoq_ctx_identity(ctx, versions[i], strlen(versions[i]) + 1);
    *instance = in;
    return 0;
}

/* ------------------------------------------------------------------------- one call */

struct carve {
    const struct swfcarve *in;
    struct bytes payload;
    struct stoq_reply *reply;
    struct swf_output out;
    unsigned errors;
    bool stop; /* a limit is on record */
};

static void
stop_at_limit(struct carve *c, const char *name, uint64_t value)
{
    stoq_reply_limit(c->reply, name, value);
    c->stop = true;
}

/* Whether one more error entry may be made. */
static bool
may_complain(struct carve *c)
{
    if (c->errors == ERRORS_MAX)
        stoq_reply_limit(c->reply, "errors", ERRORS_MAX);
    if (c->errors <= ERRORS_MAX)
        c->errors++;
    return c->errors <= ERRORS_MAX;
}

/* What follows the header, appended to it. */
static enum swf_outcome
decompress(struct carve *c, size_t at, int64_t expected)
{
    struct bytes body = bytes_from(c->payload, (uint64_t)at + SWF_HEADER);
    uint64_t size = expected < 0 ? SWF_NO_SIZE : (uint64_t)expected;
    switch (c->payload.data[at]) {
    case 'C':
        return swf_inflate(body, size, &c->out);
    case 'Z':
        return swf_unlzma(bytes_from(c->payload, (uint64_t)at + LZMA_OFFSET), size,
                          &c->out);
    default:
        return size > body.size ? SWF_OTHER_SIZE
                                : swf_append(&c->out, body.data, (size_t)size);
    }
}

static int
add_child(struct carve *c, size_t at)
{
    json_t *extra = json_pack("{s:I, s:i}", "offset", (json_int_t)at, "swf_version",
                              (int)(signed char)c->payload.data[at + 3]);
    if (!extra)
        return -ENOMEM;
    const struct stoq_extract child = {STOQ_EXTRACT_HEAD, .data = c->out.data,
                                       .size = c->out.used, .extra_data = extra};
    int r = stoq_reply_extract(c->reply, &child);
    c->stop = c->stop || r == -E2BIG;
    return r == -E2BIG ? 0 : r;
}

static int
carve_one(struct carve *c, size_t at)
{
    struct bytes head = bytes_at(c->payload, at, SWF_HEADER);
    if (head.size == 0) {
        if (may_complain(c))
            stoq_reply_error(c->reply, "Unable to decompress SWF payload at offset %zu",
                             at);
        return 0;
    }
    if (!bytes_are(head, 1, "WS", 2) || !strchr("CFZ", head.data[0]) || !head.data[0])
        return 0;
    int64_t expected = (int64_t)(int32_t)bytes_le32(head, 4) - (int64_t)SWF_HEADER;
    uint64_t room = stoq_reply_room(c->reply);
    c->out.used = 0;
    c->out.most = room < SWF_MAX ? room : SWF_MAX;
    enum swf_outcome outcome = swf_append(&c->out, "FWS", 3);
    if (outcome == SWF_OK)
        outcome = swf_append(&c->out, head.data + 3, SWF_HEADER - 3);
    if (outcome == SWF_OK)
        outcome = decompress(c, at, expected);
    switch (outcome) {
    case SWF_OK:
        return add_child(c, at);
    case SWF_OTHER_SIZE:
        /* the braces are the original's, which does not fill them in */
        if (may_complain(c))
            stoq_reply_error(c->reply, "Invalid size of carved SWF content: "
                                       "{len(content)} != {decompressed_size}");
        return 0;
    case SWF_NO_ROOM:
        stop_at_limit(c, room < SWF_MAX ? "extracted_bytes" : "swf_size", c->out.most);
        return 0;
    case SWF_NO_WORK:
        stop_at_limit(c, "swf_decompressed", WORK_MAX);
        return 0;
    case SWF_NO_MEMORY:
        return -ENOMEM;
    case SWF_BROKEN:
    default:
        return 0;
    }
}

static int
carve_all(struct carve *c, pcre2_match_data *match, struct stoq_error *err)
{
    const PCRE2_SIZE *span = pcre2_get_ovector_pointer(match);
    size_t from = 0;
    while (!c->stop && from <= c->payload.size) {
        int n = pcre2_match(c->in->headers, c->payload.data, c->payload.size, from,
                            PCRE2_NO_UTF_CHECK, match, c->in->limits);
        if (n == PCRE2_ERROR_NOMATCH)
            return 0;
        if (n == PCRE2_ERROR_MATCHLIMIT || n == PCRE2_ERROR_HEAPLIMIT) {
            stop_at_limit(c, "swf_headers", from);
            return 0;
        }
        if (n < 0 && n != PCRE2_ERROR_NOMEMORY)
            return stoq_error_set(err, STOQ_ERROR_PLUGIN, -EINVAL,
                                  "the option swf_headers cannot be searched for (%d)",
                                  n);
        int r = n < 0 ? -ENOMEM : carve_one(c, span[0]);
        if (r < 0)
            return r;
        from = span[1] > span[0] ? span[1] : span[0] + 1;
    }
    return 0;
}

static int
swfcarve_scan(void *instance, struct stoq_payload *payload,
              const struct stoq_request *request, struct stoq_reply *reply,
              unsigned flags, struct stoq_error *err)
{
    (void)request;
    (void)flags;
    struct carve c = {.in = instance, .reply = reply, .out = {.work = WORK_MAX}};
    c.payload.data = stoq_payload_data(payload, &c.payload.size);
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    int r = match ? carve_all(&c, match, err) : -ENOMEM;
    pcre2_match_data_free(match);
    free(c.out.data);
    return r == -ENOMEM ? stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "out of memory")
                        : r;
}

static const struct stoq_option options[] = {
    {.name = "swf_headers",
     .type = STOQ_OPTION_STRING,
     .fallback = "SWF|CWS|FWS",
     .help = "Regular expression that finds the first bytes of a file."},
    {.name = NULL},
};

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "swfcarve",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .options = options,
    .open = swfcarve_open,
    .close = swfcarve_close,
    .scan = swfcarve_scan,
};
STOQ_PLUGIN(plugin);
