/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decompress: the files in an archive become children. What counts as an archive is
 * what the mimetype worker says, and what has the marker of one. libarchive reads the
 * payload in memory; no file is opened and no program run.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "forms.h"

/* Passwords that come with a payload. */
#define OWN_PASSWORDS_MAX 256

static void
plugin_close(void *instance)
{
    struct stoq_decompress *in = instance;
    if (in->utf8)
        freelocale(in->utf8);
    free(in->nested_dispatch);
    free(in);
}

/* always_dispatch and this plugin itself. */
static int
make_nested_dispatch(struct stoq_decompress *in)
{
    size_t n = 0;
    while (in->always_dispatch[n])
        n++;
    in->nested_dispatch = calloc(n + 2, sizeof *in->nested_dispatch);
    if (!in->nested_dispatch)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        in->nested_dispatch[i] = in->always_dispatch[i];
    in->nested_dispatch[n] = "decompress";
    return 0;
}

/* Another libarchive may read more. Not archive_version_details(): its text is static,
 * and made anew, without a lock, by each call. */
static void
mix_versions(struct stoq_ctx *ctx)
{
    const char *const versions[] = {archive_version_string(), archive_zlib_version(),
                                    archive_liblzma_version(), archive_bzlib_version(),
                                    archive_libzstd_version()};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
        if (versions[i])
            stoq_ctx_identity(ctx, versions[i], strlen(versions[i]) + 1);
#ifdef DECOMPRESS_HAVE_MSPACK
    stoq_ctx_identity(ctx, "mspack", sizeof "mspack");
#endif
}

static int
plugin_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    struct stoq_decompress *in = calloc(1, sizeof *in);
    if (!in)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    in->passwords = stoq_ctx_list(ctx, "passwords");
    in->always_dispatch = stoq_ctx_list(ctx, "always_dispatch");
    in->maximum_size = (uint64_t)stoq_ctx_int(ctx, "maximum_size");
    in->timeout = (uint64_t)stoq_ctx_int(ctx, "timeout");
    in->archive_extracted = stoq_ctx_bool(ctx, "archive_extracted");
    in->nested = stoq_ctx_bool(ctx, "nested");
    in->filters = stoq_reader_filters();
    /* Without it names that are not ASCII become question marks: a process that embeds
     * the library may never have set a locale. */
    in->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (!in->utf8)
        stoq_ctx_log(ctx, STOQ_LEVEL_WARNING,
                     "no locale C.UTF-8: names in archives may come out wrong");
    if (make_nested_dispatch(in) < 0) {
        plugin_close(in);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    mix_versions(ctx);
    stoq_ctx_fact(ctx, "libarchive", json_string(archive_version_string()));
    *instance = in;
    return 0;
}

/* ----------------------------------------------------------------------- a payload */

struct passwords {
    const char *items[OWN_PASSWORDS_MAX];
    size_t count;
    char *text; /* owned: the pieces of a text */
};

static void
add_password(struct passwords *p, const char *password)
{
    if (password && password[0] && p->count < OWN_PASSWORDS_MAX)
        p->items[p->count++] = password;
}

/* Those that came with the payload, which are likeliest, then the option's. */
static int
collect_passwords(const struct stoq_decompress *in, const json_t *own,
                  struct passwords *p)
{
    for (size_t i = 0; i < json_array_size(own); i++)
        add_password(p, json_string_value(json_array_get(own, i)));
    if (json_is_string(own)) {
        p->text = strdup(json_string_value(own));
        if (!p->text)
            return -ENOMEM;
        char *rest = NULL;
        for (char *t = strtok_r(p->text, ",", &rest); t;
             t = strtok_r(NULL, ",", &rest)) {
            t += strspn(t, " \t");
            size_t n = strlen(t);
            while (n > 0 && (t[n - 1] == ' ' || t[n - 1] == '\t'))
                t[--n] = '\0';
            add_password(p, t);
        }
    }
    for (const char *const *t = in->passwords; *t; t++)
        add_password(p, *t);
    return 0;
}

/* Whether the payload is to be read. @return 0, or why it is not. */
static int
judge(struct stoq_extraction *x, const json_t *extra, struct stoq_error *err)
{
    uint64_t maximum = x->in->maximum_size;
    if (x->size > maximum)
        return stoq_error_set(
            err, STOQ_ERROR_LIMIT, -EFBIG,
            "stoq.exceptions.StoqPluginException: Compressed file too "
            "large: %zu > %llu",
            x->size, (unsigned long long)maximum);
    const json_t *mime = json_object_get(
        json_object_get(stoq_payload_workers(x->payload), "mimetype"), "mimetype");
    x->mime = json_is_string(mime) ? json_string_value(mime) : NULL;
    const enum stoq_archive_mime says = stoq_archive_mime(x->mime);
    if (x->kind.form == STOQ_FORM_NONE)
        x->reader = stoq_form_find(x, &x->also);
    const bool sure = json_object_get(extra, "archiver") || says == STOQ_MIME_ARCHIVE ||
                      x->kind.form != STOQ_FORM_NONE || (x->reader && !x->also);
    x->quiet = !sure;
    if (!sure && says == STOQ_MIME_OTHER)
        return stoq_error_set(
            err, STOQ_ERROR_FORMAT, -EBADMSG,
            "stoq.exceptions.StoqPluginException: Unable to determine "
            "archive type, mimetype: %s",
            x->mime);
    /* lzma has no marker worth the name */
    if (x->mime && strcmp(x->mime, "application/x-lzma") == 0)
        x->kind = (struct stoq_archive_kind){STOQ_FORM_STREAM, ARCHIVE_FILTER_LZMA};
    if (x->kind.form == STOQ_FORM_STREAM && x->kind.filter == ARCHIVE_FILTER_LZMA)
        x->reader = stoq_lzma_read; /* libarchive takes any dictionary */
    if (!x->mime)
        x->mime = "None";
    return 0;
}

static int
plugin_scan(void *instance, struct stoq_payload *payload,
            const struct stoq_request *request, struct stoq_reply *reply,
            unsigned flags, struct stoq_error *err)
{
    (void)request;
    (void)flags;
    const struct stoq_decompress *in = instance;
    const json_t *extra = stoq_payload_extra_data(payload);
    struct stoq_extraction x = {.in = in, .payload = payload, .reply = reply};
    x.data = stoq_payload_data(payload, &x.size);
    x.kind = stoq_archive_kind(x.data, x.size);
    int r = judge(&x, extra, err);
    if (r < 0)
        return r;

    struct passwords passwords = {.count = 0};
    if (collect_passwords(in, json_object_get(extra, "passwords"), &passwords) < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    x.passwords = passwords.items;
    x.password_count = passwords.count;
    const locale_t before = in->utf8 ? uselocale(in->utf8) : (locale_t)0;
    r = stoq_extract_all(&x, err);
    if (before)
        (void)uselocale(before);
    free(passwords.text);
    if (r == 0)
        stoq_reply_results(reply, json_object());
    return r;
}

static const struct stoq_option options[] = {
    {"timeout", STOQ_OPTION_INT, "45", 1, 86400, "Seconds one archive may take."},
    {"passwords", STOQ_OPTION_LIST, "-,infected,password", 0, 0,
     "Passwords tried on encrypted members."},
    {"maximum_size", STOQ_OPTION_INT, "50000000", 1, INT64_MAX / 2,
     "Bytes that neither an archive nor a file in it may exceed."},
    {"always_dispatch", STOQ_OPTION_LIST, "", 0, 0, "Workers for each extracted file."},
    {"archive_extracted", STOQ_OPTION_BOOL, "True", 0, 0,
     "Whether archivers get the extracted files."},
    {"nested", STOQ_OPTION_BOOL, "False", 0, 0,
     "Decompress extracted files that are archives, without a dispatch rule."},
    {NULL, STOQ_OPTION_STRING, NULL, 0, 0, NULL}};

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "decompress",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .options = options,
    .open = plugin_open,
    .close = plugin_close,
    .scan = plugin_scan,
};
STOQ_PLUGIN(plugin);
