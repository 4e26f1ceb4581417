/* SPDX-License-Identifier: Apache-2.0 */

/*
 * filedir: directories as provider, connector and archiver. An instance is its options,
 * read once; calls may run at the same time.
 */

#include <stdio.h>
#include <string.h>

#include "filedir.h"

static void
plugin_close(void *instance)
{
    struct stoq_filedir *fd = instance;
    if (!fd)
        return;
    free(fd->source_dir);
    free(fd->results_dir);
    free(fd->archive_dir);
    free(fd->date_format);
    free(fd);
}

/* A directory option. Not set, it is @p fallback in the current directory: that is
 * where stoQ puts results, not beside the plugin. */
static char *
directory(const struct stoq_ctx *ctx, const char *name, const char *fallback)
{
    const char *path = stoq_ctx_string(ctx, name);
    if (path || !fallback)
        return strdup(path ? path : "");
    PLUGIN_AUTOFREE char *cwd = getcwd(NULL, 0);
    char *result = NULL;
    if (!cwd || asprintf(&result, "%s/%s", strcmp(cwd, "/") ? cwd : "", fallback) < 0)
        return NULL;
    return result;
}

static int
plugin_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    struct stoq_filedir *fd = calloc(1, sizeof *fd);
    if (!fd)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    const char *format = stoq_ctx_string(ctx, "date_format");
    fd->ctx = ctx;
    fd->source_dir = directory(ctx, "source_dir", NULL);
    fd->results_dir = directory(ctx, "results_dir", "results");
    fd->archive_dir = directory(ctx, "archive_dir", "archive");
    fd->date_format = strdup(format ? format : "%Y/%m/%d");
    fd->recursive = stoq_ctx_bool(ctx, "recursive");
    fd->date_mode = stoq_ctx_bool(ctx, "date_mode");
    fd->compactly = stoq_ctx_bool(ctx, "compactly");
    fd->use_sha = stoq_ctx_bool(ctx, "use_sha");
    if (!fd->source_dir || !fd->results_dir || !fd->archive_dir || !fd->date_format) {
        plugin_close(fd);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    *instance = fd;
    return 0;
}

static const struct stoq_option options[] = {
    {"source_dir", STOQ_OPTION_PATH, NULL, 0, 0,
     "Provider: directory or file to read."},
    {"recursive", STOQ_OPTION_BOOL, "False", 0, 0,
     "Provider: read directories below source_dir, too."},
    {"results_dir", STOQ_OPTION_PATH, NULL, 0, 0,
     "Connector: where results go; not set = results in the current directory."},
    {"date_mode", STOQ_OPTION_BOOL, "False", 0, 0,
     "Put results into directories by date, payloads too unless use_sha is set."},
    {"date_format", STOQ_OPTION_STRING, "%Y/%m/%d", 0, 0,
     "The date directories, as strftime(3)."},
    {"compactly", STOQ_OPTION_BOOL, "True", 0, 0,
     "Connector: one line per result instead of indented text."},
    {"archive_dir", STOQ_OPTION_PATH, NULL, 0, 0,
     "Archiver: where payloads go; not set = archive in the current directory."},
    {"use_sha", STOQ_OPTION_BOOL, "True", 0, 0,
     "Archiver: name payloads by SHA-1, in directories by its first five digits."},
    {NULL, STOQ_OPTION_STRING, NULL, 0, 0, NULL}};

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "filedir",
    .thread_model = STOQ_THREAD_PARALLEL,
    .options = options,
    .open = plugin_open,
    .close = plugin_close,
    .ingest = stoq_filedir_ingest,
    .save = stoq_filedir_save,
    .archive = stoq_filedir_archive,
    .get = stoq_filedir_get,
};
STOQ_PLUGIN(plugin);
