/* SPDX-License-Identifier: Apache-2.0 */

/* Everything that the public headers define as macros, used once, in C++. Designated
 * initialisers are C++20's. */

#include <stoq/plugin.h>
#include <stoq/stoq.h>

static int
scan(void *, stoq_payload *, const stoq_request *, stoq_reply *reply, unsigned,
     stoq_error *err)
{
    stoq_extract child = {STOQ_EXTRACT_HEAD,   .no_scan = false,
                          .no_archive = false, .data = "x",
                          .size = 1,           .extra_data = nullptr,
                          .filename = nullptr, .dispatch_to = nullptr};
    int r = stoq_reply_extract(reply, &child);
    return r < 0 ? stoq_error_set(err, STOQ_ERROR_PLUGIN, r, "no %s", "room") : 0;
}

static const stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,   .name = "use",      .thread_model = STOQ_THREAD_SERIAL,
    .traits = 0,        .options = nullptr, .open = nullptr,
    .close = nullptr,   .scan = scan,       .dispatch = nullptr,
    .archive = nullptr, .get = nullptr,     .decorate = nullptr,
    .save = nullptr,    .ingest = nullptr};
extern "C" {
STOQ_PLUGIN(plugin);
}

stoq_verdict
use_verdict(const stoq_response *response)
{
    return stoq_response_verdict(response);
}
