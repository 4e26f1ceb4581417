/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lief: header, sections, symbols, functions and relocations of ELF, PE and Mach-O
 * files, under the names that LIEF 0.10 has for them in JSON. The files are read where
 * they lie; what a result may hold is bounded by ENTRIES_MAX and NAMES_MAX.
 */

#include <errno.h>
#include <stdlib.h>

#include <stoq/plugin.h>

#include "parts.h"

#define PLUGIN_EXCEPTION "stoq.exceptions.StoqPluginException: "

struct lief {
    bool abstract;
};

typedef int view_fn(struct build *b, struct bytes file, json_t **out);

/* The reader for a file, by its first bytes; NULL for other files. */
static view_fn *
reader_of(const struct lief *lief, struct bytes file)
{
    if (bytes_are(file, 0,
                  "\x7f"
                  "ELF",
                  4))
        return lief->abstract ? elf_abstract : elf_full;
    if (bytes_are(file, 0, "MZ", 2) &&
        bytes_are(file, bytes_le32(file, 60), "PE\0\0", 4))
        return lief->abstract ? pe_abstract : pe_full;
    if (macho_kind(file) != MACHO_NONE)
        return lief->abstract ? macho_abstract : macho_full;
    return NULL;
}

/* The payload's file name as text, or its id. */
static const char *
name_of_payload(struct stoq_payload *payload)
{
    const char *name = json_string_value(
        json_object_get(stoq_payload_extra_data(payload), "filename"));
    return name ? name : stoq_payload_id(payload);
}

static int
lief_scan(void *instance, struct stoq_payload *payload,
          const struct stoq_request *request, struct stoq_reply *reply, unsigned flags,
          struct stoq_error *err)
{
    (void)request;
    (void)flags;
    struct bytes file;
    file.data = stoq_payload_data(payload, &file.size);
    view_fn *read = reader_of(instance, file);
    if (!read)
        return stoq_error_set(err, STOQ_ERROR_FORMAT, -EBADMSG,
                              PLUGIN_EXCEPTION "The file type isn't supported by LIEF");
    struct build b = {
        .name = name_of_payload(payload), .entries = ENTRIES_MAX, .names = NAMES_MAX};
    json_t *document = NULL;
    int r = read(&b, file, &document);
    if (r == -EBADMSG)
        return stoq_error_set(err, STOQ_ERROR_FORMAT, r,
                              PLUGIN_EXCEPTION
                              "Unable to parse payload: the headers are damaged");
    if (r < 0 || b.failed || !document) {
        json_decref(document);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    if (b.cut)
        stoq_reply_limit(reply, "entries", ENTRIES_MAX - b.entries);
    stoq_reply_results(reply, document);
    return 0;
}

static int
lief_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    struct lief *lief = calloc(1, sizeof(*lief));
    if (!lief)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    lief->abstract = stoq_ctx_bool(ctx, "abstract");
    *instance = lief;
    return 0;
}

static const struct stoq_option options[] = {
    {.name = "abstract",
     .type = STOQ_OPTION_BOOL,
     .fallback = "True",
     .help =
         "Show what all formats have in common, rather than each in its own terms."},
    {.name = NULL},
};

/* The results hold the payload's name, so they do not depend on its bytes alone. */
static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,   .name = "lief",    .thread_model = STOQ_THREAD_PARALLEL,
    .options = options, .open = lief_open, .close = free,
    .scan = lief_scan,
};
STOQ_PLUGIN(plugin);
