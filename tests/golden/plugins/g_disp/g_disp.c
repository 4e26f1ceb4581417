/* SPDX-License-Identifier: Apache-2.0 */
/* g_disp: dispatcher: names the option `to`, leaves meta and a soft error, or raises.
 */

#include "../golden.h"

static int calls; /* the plugin's thread model is the serial one */

GOLDEN_ON_PAYLOAD(dispatch)
{
    calls++;
    if (stoq_ctx_bool(instance, "raise"))
        return GOLDEN_RAISE("RuntimeError: dispatch boom");
    for (const char *const *to = stoq_ctx_list(instance, "to"); *to; to++) {
        int r = stoq_reply_dispatch(reply, *to);
        if (r < 0)
            return r;
    }
    stoq_reply_meta(reply, json_pack("{s:i}", "calls", calls));
    stoq_reply_error(reply, "dispatcher soft error");
    return 0;
}

GOLDEN_PLUGIN(g_disp, .dispatch = dispatch);
