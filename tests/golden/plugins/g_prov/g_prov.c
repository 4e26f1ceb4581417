/* SPDX-License-Identifier: Apache-2.0 */
/* g_prov: provider: a payload, requests with and without metadata, and tasks for
 * archivers: one that is served, one that fails, one without a find, one for nobody. */

#include "../golden.h"

#include <stoq/stoq.h>

static int
put_request(struct stoq_queue *queue, const char *source, const char *const *texts,
            struct stoq_error *err)
{
    struct stoq_request *request = NULL;
    int r = stoq_request_new(source, NULL, true, &request, err);
    for (; r == 0 && *texts; texts++) {
        struct stoq_payload *payload = NULL;
        r = stoq_payload_new(*texts, strlen(*texts), NULL, &payload, err);
        if (r == 0)
            r = stoq_request_add(request, payload, err);
    }
    if (r == 0)
        return stoq_queue_put_request(queue, request);
    stoq_request_free(request);
    return r;
}

static int
ingest(void *instance, struct stoq_queue *queue, unsigned flags, struct stoq_error *err)
{
    (void)instance;
    (void)flags;
    static const char first[] = "from provider payload";
    static const char *const two[] = {"r1", "r2", NULL}, *const one[] = {"r3", NULL};
    int r = stoq_queue_put_bytes(queue, first, strlen(first), NULL);
    if (r == 0)
        r = put_request(queue, "req-meta", two, err);
    if (r == 0)
        r = put_request(queue, NULL, one, err);
    if (r == 0)
        r = stoq_queue_put_task(queue, "g_arch",
                                json_pack("{s:s}", "data", "from archiver"));
    if (r == 0)
        r = stoq_queue_put_task(queue, "g_arch", json_pack("{s:i}", "bad", 1));
    if (r == 0)
        r = stoq_queue_put_task(queue, "g_arch", json_pack("{s:i}", "none", 1));
    if (r == 0)
        r = stoq_queue_put_task(queue, "nosucharch", json_pack("{s:i}", "x", 1));
    return r;
}

GOLDEN_PLUGIN(g_prov, .ingest = ingest);
