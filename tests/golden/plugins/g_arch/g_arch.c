/* SPDX-License-Identifier: Apache-2.0 */
/* g_arch: archiver: results with a soft error, or raises; fetches what a task carries.
 */

#include "../golden.h"

GOLDEN_ON_PAYLOAD(archive)
{
    size_t size = 0;
    (void)stoq_payload_data(payload, &size);
    if (stoq_ctx_bool(instance, "raise"))
        return GOLDEN_RAISE("OSError: archive boom");
    stoq_reply_results(reply, json_pack("{s:I}", "size", (json_int_t)size));
    stoq_reply_error(reply, "arch soft");
    return 0;
}

static int
get(void *instance, const json_t *task, struct stoq_reply *reply, unsigned flags,
    struct stoq_error *err)
{
    (void)instance;
    (void)flags;
    if (json_object_get(task, "bad"))
        return GOLDEN_RAISE("OSError: get boom");
    if (json_object_get(task, "none"))
        return 0;
    const char *data = json_string_value(json_object_get(task, "data"));
    if (!data)
        return GOLDEN_RAISE("KeyError: 'data'");
    const struct stoq_extract child = {
        STOQ_EXTRACT_HEAD,
        .data = data,
        .size = strlen(data),
        .extra_data = json_deep_copy(task),
    };
    return stoq_reply_extract(reply, &child);
}

GOLDEN_PLUGIN(g_arch, .archive = archive, .get = get);
