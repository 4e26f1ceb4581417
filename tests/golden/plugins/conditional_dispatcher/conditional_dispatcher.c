/* SPDX-License-Identifier: Apache-2.0 */
/* conditional_dispatcher: names simple_worker once dummy_worker has run on any payload
 * of the request. */

#include "../golden.h"

static bool
has_run(const struct stoq_payload *payload, const char *worker)
{
    const json_t *run = json_object_get(stoq_payload_results(payload), "plugins_run");
    const json_t *workers = json_object_get(run, "workers");
    for (size_t i = 0; i < json_array_size(workers); i++) {
        const char *name = json_string_value(json_array_get(workers, i));
        if (name && strcmp(name, worker) == 0)
            return true;
    }
    return false;
}

GOLDEN_ON_PAYLOAD(dispatch)
{
    for (size_t i = 0; i < stoq_request_count(request); i++) {
        if (has_run(stoq_request_payload(request, i), "dummy_worker"))
            return stoq_reply_dispatch(reply, "simple_worker");
    }
    return 0;
}

GOLDEN_PLUGIN(conditional_dispatcher, .dispatch = dispatch);
