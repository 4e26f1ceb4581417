/* SPDX-License-Identifier: Apache-2.0 */
/* g_split: splits the payload on option `sep`, one child per piece. */

#include "../golden.h"

static int
add_piece(const struct stoq_ctx *ctx, const void *data, size_t size, int piece,
          struct stoq_reply *reply)
{
    const struct stoq_extract child = {
        STOQ_EXTRACT_HEAD,
        .no_scan = !stoq_ctx_bool(ctx, "should_scan"),
        .no_archive = !stoq_ctx_bool(ctx, "should_archive"),
        .data = data,
        .size = size,
        .extra_data = json_pack("{s:i}", "piece", piece),
        .dispatch_to = stoq_ctx_list(ctx, "dispatch_to"),
    };
    return child.extra_data ? stoq_reply_extract(reply, &child) : -ENOMEM;
}

GOLDEN_ON_PAYLOAD(scan)
{
    size_t size = 0;
    const unsigned char *at = stoq_payload_data(payload, &size);
    const unsigned char *end = at + size;
    const char *sep = stoq_ctx_string(instance, "sep");
    size_t sep_size = sep ? strlen(sep) : 0;
    if (sep_size == 0)
        return GOLDEN_RAISE("ValueError: empty separator");
    int pieces = 0;
    for (const unsigned char *next = at; next; pieces++) {
        next = memmem(at, (size_t)(end - at), sep, sep_size);
        if (!next && pieces == 0)
            break; /* no separator, no children */
        int r =
            add_piece(instance, at, (size_t)((next ? next : end) - at), pieces, reply);
        if (r < 0)
            return r;
        at = next ? next + sep_size : end;
    }
    stoq_reply_results(reply, json_pack("{s:i}", "pieces", pieces));
    return 0;
}

GOLDEN_PLUGIN(g_split, .scan = scan);
