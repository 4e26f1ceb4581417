/* SPDX-License-Identifier: Apache-2.0 */
/* simple_worker: a result, and one child with the text of option `extract`. */

#include "../golden.h"

GOLDEN_ON_PAYLOAD(scan)
{
    const char *text = stoq_ctx_string(instance, "extract");
    const struct stoq_extract child = {
        STOQ_EXTRACT_HEAD,
        .data = text ? text : "",
        .size = text ? strlen(text) : 0,
    };
    stoq_reply_results(reply, json_pack("{s:s}", "valuable_insight", "wow"));
    return stoq_reply_extract(reply, &child);
}

GOLDEN_PLUGIN(simple_worker, .scan = scan);
