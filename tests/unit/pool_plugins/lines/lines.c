/* SPDX-License-Identifier: Apache-2.0 */
/* A worker that makes each line but the first a child, after LINES. For the pool's
 * tests. */

#include "trigger.h"

static int
lines_scan(void *instance, struct stoq_payload *payload,
           const struct stoq_request *request, struct stoq_reply *reply, unsigned flags,
           struct stoq_error *err)
{
    (void)instance;
    (void)request;
    (void)reply;
    (void)flags;
    (void)err;
    size_t size;
    const char *data = (const char *)stoq_payload_data(payload, &size),
               *end = data + size;

    if (size < 6 || memcmp(data, "LINES\n", 6) != 0)
        return 0;
    for (const char *at = data + 6; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        struct stoq_extract child = {STOQ_EXTRACT_HEAD, .data = at};

        child.size = (size_t)((stop ? stop : end) - at);
        child.no_archive = child.size > 0 && *at == '-';
        int r = stoq_reply_extract(reply, &child);

        if (r < 0)
            return stoq_error_set(err, STOQ_ERROR_LIMIT, r, "no room");
        at = stop ? stop + 1 : end;
    }
    stoq_reply_results(reply, json_true());
    return 0;
}

static const struct stoq_plugin lines_plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "lines",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .scan = lines_scan,
};
STOQ_PLUGIN(lines_plugin);
