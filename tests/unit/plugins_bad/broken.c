/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin with one thing wrong: which one, the build says by a definition. Everything
 * that is not defined is right.
 */

#include <errno.h>
#include <stddef.h>

#include <stoq/plugin.h>

#ifndef BROKEN_SIZE
#define BROKEN_SIZE sizeof(struct stoq_plugin)
#endif
#ifndef BROKEN_ABI
#define BROKEN_ABI STOQ_ABI_VERSION
#endif
#ifndef BROKEN_NAME
#define BROKEN_NAME "broken"
#endif
#ifndef BROKEN_SCAN
#define BROKEN_SCAN scan
#endif
#ifndef BROKEN_OPEN
#define BROKEN_OPEN 0
#endif

static int
open_it(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    (void)ctx;
    (void)instance;
    return BROKEN_OPEN ? stoq_error_set(err, STOQ_ERROR_PLUGIN, BROKEN_OPEN, "no key")
                       : 0;
}

__attribute__((unused)) static int
scan(void *instance, struct stoq_payload *payload, const struct stoq_request *request,
     struct stoq_reply *reply, unsigned flags, struct stoq_error *err)
{
    (void)instance;
    (void)payload;
    (void)request;
    (void)reply;
    (void)flags;
    (void)err;
    return 0;
}

static const struct stoq_plugin plugin = {
    .struct_size = (uint32_t)(BROKEN_SIZE),
    .abi_version = BROKEN_ABI,
    .name = BROKEN_NAME,
    .open = open_it,
    .scan = BROKEN_SCAN,
};

#ifdef BROKEN_ENTRY
/* the symbol is there and says nothing */
extern const struct stoq_plugin *const stoq_plugin_entry;
STOQ_API const struct stoq_plugin *const stoq_plugin_entry = NULL;
extern const struct stoq_plugin *const broken_unused;
STOQ_API const struct stoq_plugin *const broken_unused = &plugin;
#else
STOQ_PLUGIN(plugin);
#endif
