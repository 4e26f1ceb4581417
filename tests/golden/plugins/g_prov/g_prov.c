/* SPDX-License-Identifier: Apache-2.0 */
/* g_prov: provider: payloads and tasks for archivers. The original also queues whole
 * requests, which this interface does not have: their payloads come one by one. */

#include "../golden.h"

static int
put_task(struct stoq_queue *queue, const char *archiver, json_t *task)
{
    int r = stoq_queue_put_task(queue, archiver, task);
    return r == -ECANCELED ? r
                           : 0; /* a task that cannot be served is not our failure */
}

static int
ingest(void *instance, struct stoq_queue *queue, unsigned flags, struct stoq_error *err)
{
    (void)instance;
    (void)flags;
    (void)err;
    static const char *const payloads[] = {"from provider payload", "r1", "r2", "r3"};
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof(payloads) / sizeof(payloads[0]); i++)
        r = stoq_queue_put_bytes(queue, payloads[i], strlen(payloads[i]), NULL);
    if (r == 0)
        r = put_task(queue, "g_arch", json_pack("{s:s}", "data", "from archiver"));
    if (r == 0)
        r = put_task(queue, "g_arch", json_pack("{s:i}", "bad", 1));
    if (r == 0)
        r = put_task(queue, "g_arch", json_pack("{s:i}", "none", 1));
    if (r == 0)
        r = put_task(queue, "nosucharch", json_pack("{s:i}", "x", 1));
    return r;
}

GOLDEN_PLUGIN(g_prov, .ingest = ingest);
