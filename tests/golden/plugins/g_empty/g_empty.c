/* SPDX-License-Identifier: Apache-2.0 */
/* g_empty: returns nothing, or an empty object when `mode` says so. */

#include "../golden.h"

GOLDEN_ON_PAYLOAD(scan)
{
    const char *mode = stoq_ctx_string(instance, "mode");
    if (mode && strcmp(mode, "none") != 0 && strcmp(mode, "nores") != 0)
        stoq_reply_results(reply, json_object());
    return 0;
}

GOLDEN_PLUGIN(g_empty, .scan = scan);
