/* SPDX-License-Identifier: Apache-2.0 */
/* g_reqa: requires g_reqb and shows what it saw. */

#include "../golden.h"

GOLDEN_ON_PAYLOAD(scan)
{
    const json_t *b = json_object_get(stoq_payload_workers(payload), "g_reqb");
    json_t *n = json_object_get(b, "n");
    if (!n)
        return GOLDEN_RAISE("KeyError: 'g_reqb'");
    stoq_reply_results(reply, json_pack("{s:O}", "saw_b", n));
    return 0;
}

GOLDEN_PLUGIN(g_reqa, .scan = scan);
