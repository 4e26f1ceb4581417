/* SPDX-License-Identifier: Apache-2.0 */
/* g_error: a result and a soft error. */

#include "../golden.h"

GOLDEN_ON_PAYLOAD(scan)
{
    stoq_reply_results(reply, json_pack("{s:i}", "k", 1));
    stoq_reply_error(reply, "soft error");
    return 0;
}

GOLDEN_PLUGIN(g_error, .scan = scan);
