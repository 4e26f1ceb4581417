/* SPDX-License-Identifier: Apache-2.0 */
/* g_reqmissing: requires a worker that does not exist. */

#include "../golden.h"

GOLDEN_ON_PAYLOAD(scan)
{
    stoq_reply_results(reply, json_pack("{s:b}", "ran", 1));
    return 0;
}

GOLDEN_PLUGIN(g_reqmissing, .scan = scan);
