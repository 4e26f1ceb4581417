/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash_ssdeep: the fuzzy hash of a payload, by libfuzzy. That library is under
 * GPL-2.0-or-later, and so is the object this file is linked to; it is built on
 * request. Limits: libfuzzy takes sizes below 4 GiB.
 */

#include <errno.h>
#include <fuzzy.h>
#include <string.h>

#include <stoq/plugin.h>

static int
hash_ssdeep_scan(void *instance, struct stoq_payload *payload,
                 const struct stoq_request *request, struct stoq_reply *reply,
                 unsigned flags, struct stoq_error *err)
{
    char hash[FUZZY_MAX_RESULT] = "";
    size_t size = 0;
    const unsigned char *data = stoq_payload_data(payload, &size);

    (void)instance;
    (void)request;
    (void)flags;
    if (size > UINT32_MAX) {
        stoq_reply_limit(reply, "ssdeep", size);
        return 0;
    }
    errno = 0;
    if (fuzzy_hash_buf(data, (uint32_t)size, hash) != 0)
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, errno ? -errno : -EIO,
                              "libfuzzy cannot hash the payload");
    json_t *results = json_object();
    if (json_object_set_new(results, "ssdeep", json_string(hash)) < 0) {
        json_decref(results);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    stoq_reply_results(reply, results);
    return 0;
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "hash_ssdeep",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .scan = hash_ssdeep_scan,
};
STOQ_PLUGIN(plugin);
