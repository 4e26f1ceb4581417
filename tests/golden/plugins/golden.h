/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GOLDEN_H
#define GOLDEN_H

/*
 * What the golden plugins share. Each mirrors one Python plugin of the golden cases:
 * same name, same results, same error text. The instance is the plugin's surroundings,
 * whose options each operation reads.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <stoq/plugin.h>

#define GOLDEN_UNUSED __attribute__((unused))

/* Head of a worker's or dispatcher's or archiver's function called @name. */
#define GOLDEN_ON_PAYLOAD(name)                                                   \
    static int name(                                                              \
        void *instance GOLDEN_UNUSED, struct stoq_payload *payload GOLDEN_UNUSED, \
        const struct stoq_request *request GOLDEN_UNUSED,                         \
        struct stoq_reply *reply GOLDEN_UNUSED, unsigned flags GOLDEN_UNUSED,     \
        struct stoq_error *err GOLDEN_UNUSED)

#define GOLDEN_DECORATE(name)                                                       \
    static int name(                                                                \
        void *instance GOLDEN_UNUSED, struct stoq_response *response GOLDEN_UNUSED, \
        struct stoq_reply *reply GOLDEN_UNUSED, unsigned flags GOLDEN_UNUSED,       \
        struct stoq_error *err GOLDEN_UNUSED)

/* "Raise" as the Python plugin does. */
#define GOLDEN_RAISE(...) stoq_error_set(err, STOQ_ERROR_PLUGIN, -EIO, __VA_ARGS__)

static inline int
golden_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    (void)err;
    *instance = ctx;
    return 0;
}

/* The plugin called @id with the operations that follow. */
#define GOLDEN_PLUGIN(id, ...)                                             \
    static const struct stoq_plugin plugin = {                             \
        STOQ_PLUGIN_HEAD,    .name = #id, .traits = STOQ_TRAIT_ANY_OPTION, \
        .open = golden_open, __VA_ARGS__,                                  \
    };                                                                     \
    STOQ_PLUGIN(plugin)

#endif
