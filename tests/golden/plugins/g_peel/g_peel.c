/* SPDX-License-Identifier: Apache-2.0 */
/* g_peel: drops the first byte and hands the rest on as a child. */

#include "../golden.h"

GOLDEN_ON_PAYLOAD(scan)
{
    size_t size = 0;
    const unsigned char *data = stoq_payload_data(payload, &size);
    if (size < 2)
        return 0;
    const struct stoq_extract child = {
        STOQ_EXTRACT_HEAD,
        .data = data + 1,
        .size = size - 1,
    };
    stoq_reply_results(reply, json_pack("{s:I}", "len", (json_int_t)size));
    return stoq_reply_extract(reply, &child);
}

GOLDEN_PLUGIN(g_peel, .scan = scan);
