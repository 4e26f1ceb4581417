/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pecarve: portable executables inside other data become children. Wherever the
 * expression matches, the headers are read (plugins/common/pe.h); what they describe is
 * the child, without what follows it. Work is bounded per payload: matches cost next to
 * nothing, the section tables behind them count.
 */

#define PCRE2_CODE_UNIT_WIDTH 8

#include <errno.h>
#include <pcre2.h>
#include <stdlib.h>

#include <stoq/plugin.h>

#include "common/pe.h"

/* Rows of section tables per payload: a second's work. */
#define ROWS_MAX ((uint64_t)4 << 20)
/* What one search may cost in PCRE2's measure, so that an expression that backtracks
 * ends. */
#define MATCH_LIMIT 1000000U

struct carve {
    pcre2_code *code;
    pcre2_match_context *limits;
    pcre2_match_data *match;
};

static const struct stoq_option options[] = {
    {"pe_headers", STOQ_OPTION_STRING, "\\x4d\\x5a|\\x5a\\x4d", 0, 0,
     "Where to look for an executable: a regular expression over bytes"},
    {NULL, STOQ_OPTION_STRING, NULL, 0, 0, NULL},
};

static void
carve_close(void *instance)
{
    struct carve *c = instance;
    pcre2_match_data_free(c->match);
    pcre2_match_context_free(c->limits);
    pcre2_code_free(c->code);
    free(c);
}

static int
compile(struct carve *c, const char *expression, struct stoq_error *err)
{
    int code = 0;
    size_t at = 0;
    c->code = pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED,
                            PCRE2_DOTALL | PCRE2_MULTILINE, &code, &at, NULL);
    if (!c->code) {
        PCRE2_UCHAR text[128] = "";
        (void)pcre2_get_error_message(code, text, sizeof(text));
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "pe_headers: %s at offset %zu", (const char *)text, at);
    }
    c->limits = pcre2_match_context_create(NULL);
    c->match = pcre2_match_data_create_from_pattern(c->code, NULL);
    if (!c->limits || !c->match)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    (void)pcre2_set_match_limit(c->limits, MATCH_LIMIT);
    return 0;
}

static int
carve_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    struct carve *c = calloc(1, sizeof(*c));
    if (!c)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    int r = compile(c, stoq_ctx_string(ctx, "pe_headers"), err);
    if (r < 0) {
        carve_close(c);
        return r;
    }
    *instance = c;
    return 0;
}

/* Next place at or after @from. @return 1 with @at, 0 when there is none, -errno. */
static int
find(const struct carve *c, struct bytes data, size_t from, size_t *at)
{
    int n = pcre2_match(c->code, data.data, data.size, from, PCRE2_NO_UTF_CHECK,
                        c->match, c->limits);
    if (n == PCRE2_ERROR_NOMATCH)
        return 0;
    if (n == PCRE2_ERROR_MATCHLIMIT || n == PCRE2_ERROR_DEPTHLIMIT ||
        n == PCRE2_ERROR_HEAPLIMIT)
        return -ELOOP;
    if (n < 0)
        return n == PCRE2_ERROR_NOMEMORY ? -ENOMEM : -EINVAL;
    *at = pcre2_get_ovector_pointer(c->match)[0];
    return 1;
}

static int
add_child(struct stoq_reply *reply, struct bytes image, size_t offset)
{
    json_t *extra = json_object();
    if (json_object_set_new(extra, "offset", json_integer((json_int_t)offset)) < 0) {
        json_decref(extra);
        return -ENOMEM;
    }
    const struct stoq_extract child = {STOQ_EXTRACT_HEAD, .data = image.data,
                                       .size = image.size, .extra_data = extra};
    return stoq_reply_extract(reply, &child);
}

/* What is at @offset, when that is an executable. @return 0, -E2BIG, -ENOMEM. */
static int
carve_at(struct bytes data, size_t offset, struct stoq_reply *reply, uint64_t *rows)
{
    struct pe pe;
    int r = pe_open(&pe, bytes_from(data, offset), NULL);
    *rows += pe.work;
    if (r < 0)
        return r == -EBADMSG ? 0 : r;
    uint64_t end = pe_end(&pe);
    r = add_child(reply, bytes_at(pe.file, 0, end), offset);
    pe_close(&pe);
    return r;
}

/* Matches may overlap: the original goes on behind a match, and so misses the MZ in
 * "ZMZ". */
static int
carve_all(const struct carve *c, struct bytes data, struct stoq_reply *reply)
{
    uint64_t rows = 0;
    size_t at = 0;
    int r = find(c, data, 0, &at);
    while (r > 0) {
        r = carve_at(data, at, reply, &rows);
        if (r < 0)
            return r == -E2BIG ? 0 : r; /* on record as a limit */
        if (rows > ROWS_MAX) {
            stoq_reply_limit(reply, "section_rows", ROWS_MAX);
            return 0;
        }
        r = at < data.size ? find(c, data, at + 1, &at) : 0;
    }
    if (r == -ELOOP) {
        stoq_reply_limit(reply, "pe_headers", at);
        return 0;
    }
    return r;
}

static int
carve_scan(void *instance, struct stoq_payload *payload,
           const struct stoq_request *request, struct stoq_reply *reply, unsigned flags,
           struct stoq_error *err)
{
    (void)request;
    (void)flags;
    struct bytes data = {0};
    data.data = stoq_payload_data(payload, &data.size);
    int r = carve_all(instance, data, reply);
    if (r == -ENOMEM)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "out of memory");
    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, r,
                              "pe_headers cannot be matched");
    return 0;
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,   .name = "pecarve",  .traits = STOQ_TRAIT_CONTENT_ONLY,
    .options = options, .open = carve_open, .close = carve_close,
    .scan = carve_scan,
};
STOQ_PLUGIN(plugin);
