/* SPDX-License-Identifier: Apache-2.0 */
/* g_badinit: cannot be opened. */

#include "../golden.h"

GOLDEN_ON_PAYLOAD(scan)
{
    return 0;
}

static int
fail_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    (void)ctx;
    (void)instance;
    return GOLDEN_RAISE("stoq.exceptions.StoqPluginException: init failed");
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "g_badinit",
    .open = fail_open,
    .scan = scan,
};
STOQ_PLUGIN(plugin);
