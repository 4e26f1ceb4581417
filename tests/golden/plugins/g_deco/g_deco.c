/* SPDX-License-Identifier: Apache-2.0 */
/* g_deco: decorator: counts payloads, with a soft error, or raises. */

#include "../golden.h"

GOLDEN_DECORATE(decorate)
{
    if (stoq_ctx_bool(instance, "raise"))
        return GOLDEN_RAISE("RuntimeError: deco boom");
    const json_t *results =
        json_object_get(stoq_response_document(response), "results");
    stoq_reply_results(
        reply, json_pack("{s:I}", "payloads", (json_int_t)json_array_size(results)));
    stoq_reply_error(reply, "deco soft");
    return 0;
}

GOLDEN_PLUGIN(g_deco, .decorate = decorate);
