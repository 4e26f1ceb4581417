/* SPDX-License-Identifier: Apache-2.0 */
/* g_opts: returns its effective options. */

#include "../golden.h"

GOLDEN_ON_PAYLOAD(scan)
{
    stoq_reply_results(reply, json_deep_copy(stoq_ctx_options(instance)));
    return 0;
}

GOLDEN_PLUGIN(g_opts, .scan = scan);
