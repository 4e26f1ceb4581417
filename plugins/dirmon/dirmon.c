/* SPDX-License-Identifier: Apache-2.0 */

/*
 * dirmon: a provider of the files that arrive in a directory and those below it. It
 * uses inotify(7), so a file is handed out when its writer closes it, at once and
 * complete. It runs until the run ends.
 */

#include "dirmon.h"

static void
plugin_close(void *instance)
{
    struct dirmon *d = instance;
    if (!d)
        return;
    free(d->source_dir);
    free(d);
}

static int
plugin_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    const char *dir = stoq_ctx_string(ctx, "source_dir");
    struct stat st;
    PLUGIN_AUTOFREE char *path = dir && dir[0] ? realpath(dir, NULL) : NULL;
    if (!path || stat(path, &st) < 0)
        return stoq_error_set(
            err, STOQ_ERROR_CONFIG, dir && dir[0] && errno ? -errno : -EINVAL,
            "Source directory not defined or doesn't exist: '%s'", dir ? dir : "None");
    if (!S_ISDIR(st.st_mode))
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -ENOTDIR,
                              "source_dir %s is not a directory", dir);
    struct dirmon *d = calloc(1, sizeof *d);
    if (!d)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    d->ctx = ctx;
    d->source_dir = PLUGIN_STEAL(&path);
    d->existing = stoq_ctx_bool(ctx, "existing");
    *instance = d;
    return 0;
}

static int
plugin_ingest(void *instance, struct stoq_queue *queue, unsigned flags,
              struct stoq_error *err)
{
    (void)flags;
    struct dirmon_monitor m = {.conf = instance, .queue = queue};
    return dirmon_monitor_run(&m, err);
}

static const struct stoq_option options[] = {
    {"source_dir", STOQ_OPTION_PATH, NULL, 0, 0,
     "Directory to monitor, with those below it; it must exist."},
    {"existing", STOQ_OPTION_BOOL, "False", 0, 0,
     "Hand out the files that are there at the start, too."},
    {NULL, STOQ_OPTION_STRING, NULL, 0, 0, NULL}};

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,        .name = "dirmon",    .thread_model = STOQ_THREAD_PARALLEL,
    .options = options,      .open = plugin_open, .close = plugin_close,
    .ingest = plugin_ingest,
};
STOQ_PLUGIN(plugin);
