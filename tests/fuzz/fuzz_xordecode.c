/* SPDX-License-Identifier: Apache-2.0 */

/*
 * xordecode with what dispatchers left and a payload: the first line of the input is
 * the former, as JSON, the rest the latter. What comes out must be of the payload's
 * size.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoq/stoq.h>

#include "plugin/loader.h"
#include "target.h"
#include "util/json.h"
#include "util/strbuf.h"

static struct stoq_loaded *
load(void)
{
    const struct stoq_option_source none = {NULL, NULL, NULL, 0};
    struct stoq_catalogue *catalogue = NULL;
    struct stoq_loaded *p = NULL;
    struct stoq_strv dirs = {0};

    if (stoq_strv_add(&dirs, PLUGIN_DIR) < 0 ||
        stoq_catalogue_new(&dirs, &catalogue, NULL) < 0 ||
        stoq_loaded_new(stoq_catalogue_find(catalogue, "xordecode"), &none, NULL, &p,
                        NULL) < 0) {
        (void)fprintf(stderr, "fuzz_xordecode: cannot load the plugin\n");
        exit(EXIT_FAILURE);
    }
    stoq_catalogue_free(catalogue);
    stoq_strv_fini(&dirs);
    return p;
}

static void
scan(struct stoq_loaded *p, json_t *meta, const uint8_t *data, size_t size)
{
    struct stoq_payload *payload = NULL;
    struct stoq_reply reply;

    if (stoq_payload_new(data, size, NULL, &payload, NULL) < 0)
        return;
    json_t *to = (json_t *)(uintptr_t)stoq_payload_dispatch_meta(payload);
    stoq_reply_init(&reply, (uint64_t)1 << 20, 10);
    if (json_object_update(to, meta) == 0 &&
        stoq_call_scan(p, payload, NULL, &reply, NULL) == 0 && reply.child_count > 0 &&
        reply.children->size != size)
        abort();
    stoq_reply_fini(&reply);
    stoq_payload_free(payload);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct stoq_loaded *p;
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t line = end ? (size_t)(end - data) : 0;
    json_t *meta = end ? stoq_json_parse((const char *)data, line, NULL) : NULL;

    if (!p)
        p = load();
    if (json_is_object(meta))
        scan(p, meta, end + 1, size - line - 1);
    json_decref(meta);
    return 0;
}
