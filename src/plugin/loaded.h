/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_PLUGIN_LOADED_H
#define STOQ_PLUGIN_LOADED_H

/*
 * A loaded plugin from inside; shared by loader.c, which makes it, and call.c, the only
 * caller of its operations. Read-only after loading, except for the locks.
 */

#include <pthread.h>

#include "plugin/ctx.h"
#include "plugin/object.h"

struct stoq_loaded {
    struct stoq_plugin
        plugin; /**< our copy; name, table and operations in the object */
    struct stoq_object *object;
    struct stoq_ctx ctx;
    char *version; /**< owned */
    void *instance;
    bool opened;
    bool locked_up;        /**< `lock` is initialised */
    pthread_mutex_t lock;  /**< one call at a time on this instance */
    pthread_mutex_t *gate; /**< what a call holds: object's, ours, or NULL */
    unsigned roles;
    uint8_t identity[STOQ_SHA256_SIZE];
};

/** Map the object of @p m and check that it is the plugin the manifest speaks of.
 *  Callers: loader.c, describe.c. @return as stoq_object_open(). */
int stoq_manifest_open(const struct stoq_manifest *m, struct stoq_object **out,
                       struct stoq_plugin *plugin, struct stoq_error *err);

/** Make an error that a plugin reported fit for documents: one line of UTF-8, a code
 *  that is an errno, a text in any case, the plugin's name.
 *  @return the code, always < 0. */
int stoq_plugin_failure(const char *plugin, int code, struct stoq_error *err);

#endif
