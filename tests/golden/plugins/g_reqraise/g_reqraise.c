/* SPDX-License-Identifier: Apache-2.0 */
/* g_reqraise: requires g_raise, which fails. */

#include "../golden.h"

GOLDEN_ON_PAYLOAD(scan)
{
    json_t *seen = json_object_get(stoq_payload_workers(payload), "g_raise");
    json_t *shown = seen ? json_incref(seen) : json_string("absent");
    stoq_reply_results(reply,
                       json_pack("{s:b, s:o}", "ran_anyway", 1, "raise_result", shown));
    return 0;
}

GOLDEN_PLUGIN(g_reqraise, .scan = scan);
