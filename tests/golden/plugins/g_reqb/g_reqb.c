/* SPDX-License-Identifier: Apache-2.0 */
/* g_reqb: requires hash and g_error and shows what it saw. */

#include "../golden.h"

GOLDEN_ON_PAYLOAD(scan)
{
    const json_t *workers = stoq_payload_workers(payload);
    json_t *md5 = json_object_get(json_object_get(workers, "hash"), "md5");
    if (!md5)
        return GOLDEN_RAISE("KeyError: 'hash'");
    stoq_reply_results(reply,
                       json_pack("{s:I, s:O}", "n",
                                 (json_int_t)json_object_size(workers), "md5", md5));
    return 0;
}

GOLDEN_PLUGIN(g_reqb, .scan = scan);
