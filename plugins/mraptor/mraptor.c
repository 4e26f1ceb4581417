/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mraptor: whether the macros of an Office document run by themselves, and write or
 * execute something. Which kind of file a payload is follows olevba, whose names are in
 * the results: compound files, zip archives, documents of XML or MIME, or, for want of
 * anything else, text that is taken for code.
 */

#include <archive.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/auto.h"
#include "common/cfb.h"
#include "parts.h"

/* Of a match that is reported; a statement's line may be any length. */
#define MATCH_MAX ((size_t)64 << 10)

int
search_limit(struct search *s, const char *name, uint64_t value)
{
    stoq_reply_limit(s->reply, name, value);
    return -E2BIG;
}

int
search_pay(struct search *s, uint64_t cost)
{
    if (cost > s->work)
        return search_limit(s, "macro_search", MRAPTOR_WORK);
    s->work -= cost;
    return 0;
}

/* ------------------------------------------------------------------------- instance */

static void
mraptor_close(void *instance)
{
    struct mraptor *in = instance;
    text_pages_free(in->pages);
    if (in->utf8)
        freelocale(in->utf8);
    free(in);
}

static int
mraptor_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    struct mraptor *in = calloc(1, sizeof *in);
    struct text_pages *pages = text_pages_new();
    if (!in || !pages) {
        free(in);
        text_pages_free(pages);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    in->pages = pages;
    /* for the letters of words, and so that libarchive converts no names */
    in->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (!in->utf8)
        stoq_ctx_log(ctx, STOQ_LEVEL_WARNING,
                     "no locale C.UTF-8: all that is not ASCII counts as letters");
    const char *const versions[] = {archive_version_string(), zlibVersion()};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
        stoq_ctx_identity(ctx, versions[i], strlen(versions[i]) + 1);
    *instance = in;
    return 0;
}

/* --------------------------------------------------------------------- kind of file */

static bool
has(struct bytes file, const char *text)
{
    return bytes_find(file, 0, text, strlen(text)) != SIZE_MAX;
}

/* Where @text, in lower case, is in the file in any case. */
static size_t
find_any_case(struct bytes file, const char *text)
{
    const size_t n = strlen(text);
    for (size_t at = 0; at + n <= file.size; at++) {
        size_t i = 0;
        while (i < n && (file.data[at + i] == (unsigned char)text[i] ||
                         (text[i] >= 'a' && text[i] <= 'z' &&
                          file.data[at + i] == (unsigned char)(text[i] - 0x20))))
            i++;
        if (i == n)
            return at;
    }
    return SIZE_MAX;
}

/* "MIME-Version" with anything in between, and parts. */
static bool
is_mime(struct bytes file)
{
    size_t mime = find_any_case(file, "mime"), version = find_any_case(file, "version");
    if (mime == SIZE_MAX || version == SIZE_MAX)
        return false;
    size_t apart = mime < version ? version - mime : mime - version;
    return apart < 20 && find_any_case(file, "multipart") != SIZE_MAX;
}

static int
search_text(struct search *s, struct bytes file)
{
    s->found = true;
    if (file.size > MRAPTOR_CODE) {
        file.size = MRAPTOR_CODE;
        (void)search_limit(s, "macros", MRAPTOR_CODE);
    }
    return text_append_utf8(&s->code, file);
}

/* Kinds that are known by what is anywhere in them. */
static int
search_markup(struct search *s, struct bytes file, const char **type)
{
    if (has(file, "http://schemas.microsoft.com/office/word/2003/wordml"))
        *type = "Word2003_XML";
    if (has(file, "http://schemas.microsoft.com/office/2006/xmlPackage"))
        *type = "FlatOPC_XML";
    if (!*type && is_mime(file))
        *type = "MHTML";
    if (bytes_are(file, 0, "{\\rt", 4)) {
        *type = NULL;
        return 0;
    }
    int r = *type ? wrapped_base64(s, file) : 0;
    if (bytes_are(file, 0, "ID", 2))
        *type = "SLK"; /* cells with formulas, which are no such macros */
    if (*type || bytes_find(file, 0, "", 1) != SIZE_MAX)
        return r;
    *type = "Text";
    return r < 0 ? r : search_text(s, file);
}

static int
search_file(struct search *s, struct bytes file, const char **type)
{
    struct cfb *c = NULL;
    bool readable = false;
    int r = cfb_is(file) ? cfb_open(file, &c, NULL) : -EBADMSG;
    if (r == 0) {
        bool ppt = wrapped_is_ppt(c);
        *type = ppt ? "PPT" : "OLE";
        r = ppt ? wrapped_ppt(s, c) : project_search(s, c);
        cfb_free(c);
        return r;
    }
    if (r == -ENOMEM)
        return r;
    if (wrapped_is_zip(file)) {
        r = wrapped_zip(s, file, &readable);
        if (readable || r < 0) {
            *type = "OpenXML";
            return r;
        }
    }
    return search_markup(s, file, type);
}

/* -------------------------------------------------------------------------- results */

static int
add_match(json_t *matches, struct bytes match)
{
    size_t size = match.size < MATCH_MAX ? match.size : MATCH_MAX;
    while (size < match.size && size > 0 && (match.data[size] & 0xc0) == 0x80)
        size--;
    return match.size == 0
               ? 0
               : json_array_append_new(matches, stoq_json_text(match.data, size, NULL));
}

static int
add_flag(json_t *flags, const char *name, struct bytes match)
{
    return match.size == 0 ? 0 : json_array_append_new(flags, json_string(name));
}

static int
add_results(struct search *s, const char *type)
{
    judge_join_lines(&s->code);
    const struct judgement j = judge(
        (struct bytes){(const unsigned char *)s->code.data, s->code.size}, s->in->utf8);
    json_auto_t *flags = json_array(), *matches = json_array();
    if (add_flag(flags, "AutoExec", j.autoexec) < 0 ||
        add_flag(flags, "Write", j.write) < 0 ||
        add_flag(flags, "Execute", j.execute) < 0 ||
        add_match(matches, j.autoexec) < 0 || add_match(matches, j.write) < 0 ||
        add_match(matches, j.execute) < 0)
        return -ENOMEM;
    bool suspicious = j.autoexec.size > 0 && (j.write.size > 0 || j.execute.size > 0);
    /* the key is the original's */
    json_t *results = json_pack("{s:b, s:O, s:s, s:O}", "suspicous", suspicious,
                                "flags", flags, "filetype", type, "matches", matches);
    if (!results)
        return -ENOMEM;
    stoq_reply_results(s->reply, results);
    return 0;
}

static int
mraptor_scan(void *instance, struct stoq_payload *payload,
             const struct stoq_request *request, struct stoq_reply *reply,
             unsigned flags, struct stoq_error *err)
{
    (void)request;
    (void)flags;
    struct search s = {.in = instance, .reply = reply, .work = MRAPTOR_WORK};
    PLUGIN_AUTOFREE char *freed = NULL;
    const char *type = NULL;
    struct bytes file = {0};
    file.data = stoq_payload_data(payload, &file.size);

    const locale_t before = s.in->utf8 ? uselocale(s.in->utf8) : (locale_t)0;
    int r = search_file(&s, file, &type);
    if (r == -E2BIG)
        r = 0; /* on record as a limit: judged is what was found */
    if (r == 0 && type && s.found)
        r = add_results(&s, type);
    else if (r == 0 && type)
        stoq_reply_results(reply, json_object());
    if (before)
        (void)uselocale(before);
    freed = s.code.data;
    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "out of memory");
    return type ? 0
                : stoq_error_set(err, STOQ_ERROR_FORMAT, -EBADMSG,
                                 "oletools.olevba.FileOpenError: Failed to open file: "
                                 "the payload is not a supported file type, cannot "
                                 "extract VBA Macros.");
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "mraptor", /* serial: converters of code pages have states */
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .open = mraptor_open,
    .close = mraptor_close,
    .scan = mraptor_scan,
};
STOQ_PLUGIN(plugin);
