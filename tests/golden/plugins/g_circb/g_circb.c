/* SPDX-License-Identifier: Apache-2.0 */
/* g_circb: requires g_circa, which requires this one. */

#include "../golden.h"

GOLDEN_ON_PAYLOAD(scan)
{
    stoq_reply_results(reply, json_pack("{s:i}", "b", 1));
    return 0;
}

GOLDEN_PLUGIN(g_circb, .scan = scan);
