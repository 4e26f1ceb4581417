/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_PLUGIN_CTX_H
#define STOQ_PLUGIN_CTX_H

/*
 * A plugin's surroundings, behind the stoq_ctx_* functions of stoq/plugin.h.
 * Written by loader.c while it loads, and by the plugin inside its open(); afterwards
 * only read, so any number of threads may ask. No lock.
 */

#include "plugin/loader.h"
#include "plugin/options.h"

struct stoq_ctx {
    char *plugin;    /**< name; owned */
    char *dir;       /**< directory of the manifest; owned */
    char *cache_dir; /**< private directory, NULL = none; owned */
    struct stoq_options options;
    bool opening;      /**< inside open(): the writing calls are allowed */
    bool failed;       /**< an allocation failed inside open() */
    bool content_only; /**< effective */
    struct stoq_sha256_ctx *identity;
    json_t *facts;
    struct stoq_strv required;
    struct stoq_strv scratch; /**< directories for temporary files */
};

/** Fill the zero-initialised @p ctx for a plugin called @p name.
 *  @param cache_parent  parent of the plugin's cache directory, or NULL. */
int stoq_ctx_init(struct stoq_ctx *ctx, const char *name, const char *dir,
                  const char *cache_parent, struct stoq_error *err);
void stoq_ctx_fini(struct stoq_ctx *ctx);

#endif
