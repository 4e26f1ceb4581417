/* SPDX-License-Identifier: Apache-2.0 */
/* A worker that burns CPU for ever on SPIN. For the pool's tests. */

#include "trigger.h"

static int
spin_scan(void *instance, struct stoq_payload *payload,
          const struct stoq_request *request, struct stoq_reply *reply, unsigned flags,
          struct stoq_error *err)
{
    (void)instance;
    (void)request;
    (void)reply;
    (void)flags;
    (void)err;
    if (triggered(payload, "SPIN")) {
        for (volatile unsigned n = 0;; n++)
            ;
    }
    return 0;
}

static const struct stoq_plugin spin_plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "spin",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .scan = spin_scan,
};
STOQ_PLUGIN(spin_plugin);
