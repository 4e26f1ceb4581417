/* SPDX-License-Identifier: Apache-2.0 */
/* g_more: asks for the workers of option `to` on its own payload. */

#include "../golden.h"

GOLDEN_ON_PAYLOAD(scan)
{
    for (const char *const *to = stoq_ctx_list(instance, "to"); *to; to++) {
        int r = stoq_reply_dispatch(reply, *to);
        if (r < 0)
            return r;
    }
    stoq_reply_results(reply,
                       json_pack("{s:s?}", "asked", stoq_ctx_string(instance, "to")));
    return 0;
}

GOLDEN_PLUGIN(g_more, .scan = scan);
