/* SPDX-License-Identifier: Apache-2.0 */
/* A worker that aborts on CRASH. For the pool's tests. */
#include "trigger.h"
#include <stdlib.h>

static int
crash_scan(void *instance, struct stoq_payload *payload,
           const struct stoq_request *request, struct stoq_reply *reply, unsigned flags,
           struct stoq_error *err)
{
    (void)instance;
    (void)request;
    (void)reply;
    (void)flags;
    (void)err;
    if (triggered(payload, "CRASH"))
        abort();
    return 0;
}

static const struct stoq_plugin crash_plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "crash",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .scan = crash_scan,
};
STOQ_PLUGIN(crash_plugin);
