/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mimetype: what libmagic makes of a payload. The database is read in open(), because a
 * scanner has no file access later; a magic_t serves one call at a time, hence the
 * thread model.
 */

#include <errno.h>
#include <magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <stoq/plugin.h>

/* libmagic's own limit for files; markers lie further in than stoQ's 1000 bytes (a
 * tar's at 257, an ISO image's at 32769), but none beyond this. */
#define LOOK_AT ((size_t)1024 * 1024)

static void
mix_file(struct stoq_ctx *ctx, const char *path, const char *suffix)
{
    char name[4096];
    struct stat st;
    int n = snprintf(name, sizeof(name), "%s%s", path, suffix);
    if (n < 0 || (size_t)n >= sizeof(name) || stat(name, &st) < 0 ||
        !S_ISREG(st.st_mode))
        return;
    const long long facts[] = {(long long)st.st_size, (long long)st.st_mtim.tv_sec,
                               (long long)st.st_mtim.tv_nsec};
    stoq_ctx_identity(ctx, name, strlen(name));
    stoq_ctx_identity(ctx, facts, sizeof(facts));
}

/* Another libmagic or another database may answer differently. */
static void
mix_identity(struct stoq_ctx *ctx)
{
    int version = magic_version();
    stoq_ctx_identity(ctx, &version, sizeof(version));
    stoq_ctx_fact(ctx, "libmagic", json_integer(version));
    const char *list = magic_getpath(NULL, 0);
    char *paths = list ? strdup(list) : NULL;
    char *rest = NULL;
    for (char *p = paths ? strtok_r(paths, ":", &rest) : NULL; p;
         p = strtok_r(NULL, ":", &rest)) {
        mix_file(ctx, p, "");
        mix_file(ctx, p, ".mgc");
    }
    free(paths);
}

static void
mimetype_close(void *instance)
{
    magic_close(instance);
}

static int
mimetype_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    magic_t magic = magic_open(MAGIC_MIME_TYPE);
    if (!magic)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno, "libmagic: %s",
                              strerror(errno));
    if (magic_load(magic, NULL) != 0) {
        const char *why = magic_error(magic);
        int r = stoq_error_set(err, STOQ_ERROR_PLUGIN, -EIO, "libmagic: %s",
                               why ? why : "no database");
        magic_close(magic);
        return r;
    }
    mix_identity(ctx);
    *instance = magic;
    return 0;
}

static int
mimetype_scan(void *instance, struct stoq_payload *payload,
              const struct stoq_request *request, struct stoq_reply *reply,
              unsigned flags, struct stoq_error *err)
{
    (void)request;
    (void)flags;
    size_t size = 0;
    const unsigned char *data = stoq_payload_data(payload, &size);
    const char *type = magic_buffer(instance, data, size < LOOK_AT ? size : LOOK_AT);
    if (!type) {
        const char *why = magic_error(instance);
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, -EIO, "libmagic: %s",
                              why ? why : "no answer");
    }
    json_t *results = json_object();
    json_t *text = stoq_json_text(type, strlen(type), NULL);
    if (json_object_set_new(results, "mimetype", text) < 0) {
        json_decref(results);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    stoq_reply_results(reply, results);
    return 0;
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "mimetype",
    .thread_model = STOQ_THREAD_PER_INSTANCE,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .open = mimetype_open,
    .close = mimetype_close,
    .scan = mimetype_scan,
};
STOQ_PLUGIN(plugin);
