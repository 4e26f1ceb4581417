/* SPDX-License-Identifier: Apache-2.0 */
/* g_circa: requires g_circb, which requires this one. */

#include "../golden.h"

GOLDEN_ON_PAYLOAD(scan)
{
    stoq_reply_results(reply, json_pack("{s:i}", "a", 1));
    return 0;
}

GOLDEN_PLUGIN(g_circa, .scan = scan);
