/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stoq_ctx_* functions a plugin calls; see ctx.h and stoq/plugin.h.
 */

#include "plugin/ctx.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/io.h"
#include "util/json.h"
#include "util/log.h"

int
stoq_ctx_init(struct stoq_ctx *ctx, const char *name, const char *dir,
              const char *cache_parent, struct stoq_error *err)
{
    ctx->plugin = strdup(name);
    ctx->dir = strdup(dir);
    ctx->facts = json_object();
    if (cache_parent && cache_parent[0] &&
        asprintf(&ctx->cache_dir, "%s/%s", cache_parent, name) < 0)
        ctx->cache_dir = NULL;
    bool cached = ctx->cache_dir || !cache_parent || !cache_parent[0];
    if (!ctx->plugin || !ctx->dir || !ctx->facts || !cached ||
        stoq_sha256_new(&ctx->identity) < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    return 0;
}

void
stoq_ctx_fini(struct stoq_ctx *ctx)
{
    free(ctx->plugin);
    free(ctx->dir);
    free(ctx->cache_dir);
    stoq_options_fini(&ctx->options);
    stoq_sha256_free(ctx->identity);
    json_decref(ctx->facts);
    stoq_strv_fini(&ctx->required);
    stoq_strv_fini(&ctx->scratch);
    *ctx = (struct stoq_ctx){0};
}

/* ----------------------------------------------------------------------- options */

const char *
stoq_ctx_string(const struct stoq_ctx *ctx, const char *name)
{
    const struct stoq_option_value *v = stoq_options_find(&ctx->options, name);
    return v ? v->text : NULL;
}

int64_t
stoq_ctx_int(const struct stoq_ctx *ctx, const char *name)
{
    const struct stoq_option_value *v = stoq_options_find(&ctx->options, name);
    return v ? v->whole : 0;
}

double
stoq_ctx_float(const struct stoq_ctx *ctx, const char *name)
{
    const struct stoq_option_value *v = stoq_options_find(&ctx->options, name);
    return v ? v->real : 0.0;
}

bool
stoq_ctx_bool(const struct stoq_ctx *ctx, const char *name)
{
    const struct stoq_option_value *v = stoq_options_find(&ctx->options, name);
    return v && v->truth;
}

const char *const *
stoq_ctx_list(const struct stoq_ctx *ctx, const char *name)
{
    static const struct stoq_strv none;
    const struct stoq_option_value *v = stoq_options_find(&ctx->options, name);
    return stoq_strv_items(v ? &v->list : &none);
}

const json_t *
stoq_ctx_options(const struct stoq_ctx *ctx)
{
    return ctx->options.object;
}

/* ------------------------------------------------------------------ surroundings */

const char *
stoq_ctx_dir(const struct stoq_ctx *ctx)
{
    return ctx->dir;
}

/* Derived data is trusted like the source it was made from, so nobody else may be able
 * to write there. */
static bool
cache_usable(const char *path)
{
    struct stat st;
    int r = stoq_mkdir_p(path, 0700);
    if (r == 0 && lstat(path, &st) < 0)
        r = -errno;
    if (r < 0) {
        STOQ_WARN("%s: %s, doing without a cache", path, strerror(-r));
        return false;
    }
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022)) {
        STOQ_WARN("%s: not a private directory of this user, doing without a cache",
                  path);
        return false;
    }
    return true;
}

const char *
stoq_ctx_cache_dir(const struct stoq_ctx *ctx)
{
    /* Made on demand, and only inside open(): later there may be no file access. */
    if (!ctx->cache_dir || !ctx->opening)
        return ctx->cache_dir;
    return cache_usable(ctx->cache_dir) ? ctx->cache_dir : NULL;
}

void
stoq_ctx_log(const struct stoq_ctx *ctx, enum stoq_level level, const char *fmt, ...)
{
    int saved = errno;
    if (stoq_log_enabled(level)) {
        char text[1024];
        va_list args;
        va_start(args, fmt);
        int n = vsnprintf(text, sizeof(text), fmt, args);
        va_end(args);
        stoq_log_write(level, ctx->plugin, __FILE__, __func__, __LINE__, "%s",
                       n < 0 ? fmt : text);
    }
    errno = saved;
}

/* ------------------------------------------------------------------- only in open */

static bool
may_write(const struct stoq_ctx *ctx, const char *what)
{
    if (!ctx->opening)
        STOQ_WARN("plugin %s calls %s() outside of open, ignored", ctx->plugin, what);
    return ctx->opening;
}

void
stoq_ctx_identity(struct stoq_ctx *ctx, const void *data, size_t size)
{
    if (!may_write(ctx, __func__))
        return;
    uint64_t length = size;
    stoq_sha256_add(ctx->identity, &length, sizeof(length));
    stoq_sha256_add(ctx->identity, data, size);
}

void
stoq_ctx_fact(struct stoq_ctx *ctx, const char *key, json_t *value)
{
    if (!may_write(ctx, __func__)) {
        json_decref(value);
        return;
    }
    /* a value that is NULL is one that could not be allocated */
    if (json_object_set_new(ctx->facts, key, value) < 0)
        ctx->failed = true;
}

int
stoq_ctx_require(struct stoq_ctx *ctx, const char *worker)
{
    if (!may_write(ctx, __func__) || !worker || !worker[0] ||
        !stoq_utf8_valid(worker, strlen(worker)))
        return -EINVAL;
    int r = stoq_strv_add_unique(&ctx->required, worker);
    if (r < 0)
        ctx->failed = true;
    return r < 0 ? r : 0;
}

int
stoq_ctx_scratch(struct stoq_ctx *ctx, const char *dir)
{
    if (!may_write(ctx, __func__) || !dir || dir[0] != '/')
        return -EINVAL;
    int r = stoq_strv_add_unique(&ctx->scratch, dir);
    if (r < 0)
        ctx->failed = true;
    return r < 0 ? r : 0;
}

void
stoq_ctx_set_content_only(struct stoq_ctx *ctx, bool yes)
{
    if (may_write(ctx, __func__))
        ctx->content_only = yes;
}
