/* SPDX-License-Identifier: Apache-2.0 */
/* A worker that sleeps for ever on HANG. For the pool's tests. */
#include <unistd.h>

#include "trigger.h"

static int
hang_scan(void *instance, struct stoq_payload *payload,
          const struct stoq_request *request, struct stoq_reply *reply, unsigned flags,
          struct stoq_error *err)
{
    (void)instance;
    (void)request;
    (void)reply;
    (void)flags;
    (void)err;
    while (triggered(payload, "HANG"))
        (void)pause();
    return 0;
}

static const struct stoq_plugin hang_plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "hang",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .scan = hang_scan,
};
STOQ_PLUGIN(hang_plugin);
