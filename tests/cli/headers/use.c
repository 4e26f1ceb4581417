/* SPDX-License-Identifier: Apache-2.0 */

/* Everything that the public headers define as macros, used once, in C. */

#include <stoq/plugin.h>
#include <stoq/stoq.h>

static const struct stoq_option options[] = {
    {"word", STOQ_OPTION_STRING, "a", 0, 0, "A word."},
    {.name = NULL},
};

static int
scan(void *instance, struct stoq_payload *payload, const struct stoq_request *request,
     struct stoq_reply *reply, unsigned flags, struct stoq_error *err)
{
    struct stoq_extract child = {STOQ_EXTRACT_HEAD, .data = "x", .size = 1};
    (void)instance;
    (void)payload;
    (void)request;
    (void)flags;
    int r = stoq_reply_extract(reply, &child);
    return r < 0 ? stoq_error_set(err, STOQ_ERROR_PLUGIN, r, "no %s", "room") : 0;
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,   .name = "use", .traits = STOQ_TRAIT_CONTENT_ONLY,
    .options = options, .scan = scan,
};
STOQ_PLUGIN(plugin);

struct stoq_payload_meta use_meta(void);

struct stoq_payload_meta
use_meta(void)
{
    struct stoq_payload_meta meta = STOQ_PAYLOAD_META_INIT;
    return meta;
}
