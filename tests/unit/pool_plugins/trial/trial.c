/* SPDX-License-Identifier: Apache-2.0 */
/* A worker that fails on the payload of trials. For the pool's tests. */
#include <errno.h>
#include <string.h>

#include "trigger.h"

static int
trial_scan(void *instance, struct stoq_payload *payload,
           const struct stoq_request *request, struct stoq_reply *reply, unsigned flags,
           struct stoq_error *err)
{
    const char *name = stoq_payload_filename(payload);

    (void)instance;
    (void)request;
    (void)reply;
    (void)flags;
    if (name && strcmp(name, "trial") == 0)
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, -EIO, "no trials");
    return 0;
}

static const struct stoq_plugin trial_plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "trial",
    .thread_model = STOQ_THREAD_PARALLEL,
    .scan = trial_scan,
};
STOQ_PLUGIN(trial_plugin);
