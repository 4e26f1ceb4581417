/* SPDX-License-Identifier: Apache-2.0 */
/* A worker that takes 128 MiB in pieces on MEMORY, and aborts when refused. For the
 * pool's tests. */
#include <stdlib.h>

#include "trigger.h"

static int
memory_scan(void *instance, struct stoq_payload *payload,
            const struct stoq_request *request, struct stoq_reply *reply,
            unsigned flags, struct stoq_error *err)
{
    (void)instance;
    (void)request;
    (void)reply;
    (void)flags;
    (void)err;
    if (!triggered(payload, "MEMORY"))
        return 0;
    for (int i = 0; i < 128; i++) {
        /* one page of each is written, lest the compiler leave the call out: the limit
         * is under test, not the machine */
        volatile char *piece = malloc(1 << 20);

        if (!piece)
            abort();
        *piece = 1;
    }
    stoq_reply_results(reply, json_string("taken"));
    return 0;
}

static const struct stoq_plugin memory_plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "memory",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .scan = memory_scan,
};
STOQ_PLUGIN(memory_plugin);
