/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exif: metadata of images and PDF files under ExifTool's names, with the values that
 * it prints with -n. No program is run: the worker reads the formats itself, and those
 * alone.
 */

#include <errno.h>

#include <stoq/plugin.h>

#include "parts.h"

static bool
read_plain_tiff(struct bytes file, struct result *out)
{
    if (!bytes_are(file, 0, "II*\0", 4) && !bytes_are(file, 0, "MM\0*", 4))
        return false;
    put_type(out, "TIFF", "TIF", "image/tiff");
    return read_tiff(file, 0, out);
}

static int
exif_scan(void *instance, struct stoq_payload *payload,
          const struct stoq_request *request, struct stoq_reply *reply, unsigned flags,
          struct stoq_error *err)
{
    static bool (*const readers[])(struct bytes, struct result *) = {
        read_jpeg, read_plain_tiff, read_png, read_pdf, read_gif, read_webp, read_bmp};
    (void)instance;
    (void)request;
    (void)flags;
    struct bytes file;
    struct result out = {.object = json_object(), .work = WORK_MAX};
    file.data = stoq_payload_data(payload, &file.size);
    put(&out, "SourceFile", json_string("-"));
    bool known = false;
    for (size_t i = 0; !known && i < sizeof readers / sizeof *readers; i++)
        known = readers[i](file, &out);
    if (known)
        put_composite(&out);
    else
        put(&out, "Error",
            json_string(file.size ? "Unknown file type" : "File is empty"));
    if (out.failed) {
        json_decref(out.object);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    if (out.cut)
        stoq_reply_limit(reply, "metadata", json_object_size(out.object));
    stoq_reply_results(reply, out.object);
    return 0;
}

static const struct stoq_option options[] = {
    {.name = "bin",
     .type = STOQ_OPTION_STRING,
     .fallback = "exiftool",
     .help = "Accepted and not used: no program is run."},
    {.name = NULL},
};

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "exif",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .options = options,
    .scan = exif_scan,
};
STOQ_PLUGIN(plugin);
