/* SPDX-License-Identifier: Apache-2.0 */
/* g_self: requires itself. */

#include "../golden.h"

GOLDEN_ON_PAYLOAD(scan)
{
    stoq_reply_results(reply, json_pack("{s:i}", "s", 1));
    return 0;
}

GOLDEN_PLUGIN(g_self, .scan = scan);
