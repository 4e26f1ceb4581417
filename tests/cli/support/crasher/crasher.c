/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A worker, decorator and provider for the tests of `stoq test`: "crash" makes it die,
 * "fail" makes it fail, other bytes are counted. Its provider never ends by itself.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include <stoq/plugin.h>

static int
crasher_scan(void *instance, struct stoq_payload *payload,
             const struct stoq_request *request, struct stoq_reply *reply,
             unsigned flags, struct stoq_error *err)
{
    size_t size;
    const unsigned char *data = stoq_payload_data(payload, &size);
    (void)instance;
    (void)request;
    (void)flags;
    if (size == 5 && memcmp(data, "crash", 5) == 0)
        (void)raise(SIGKILL);
    if (size == 4 && memcmp(data, "fail", 4) == 0)
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, -EIO, "as it was told");
    stoq_reply_results(reply, json_pack("{s:I}", "size", (json_int_t)size));
    return 0;
}

static int
crasher_decorate(void *instance, struct stoq_response *response,
                 struct stoq_reply *reply, unsigned flags, struct stoq_error *err)
{
    const json_t *doc = stoq_response_document(response);
    (void)instance;
    (void)flags;
    (void)err;
    stoq_reply_results(reply, json_integer((json_int_t)json_array_size(
                                  json_object_get(doc, "results"))));
    return 0;
}

static int
crasher_ingest(void *instance, struct stoq_queue *queue, unsigned flags,
               struct stoq_error *err)
{
    struct pollfd end = {.fd = stoq_queue_cancel_fd(queue), .events = POLLIN};
    (void)instance;
    (void)flags;
    (void)err;
    for (int i = 0; i < 2; i++) {
        int r = stoq_queue_put_bytes(queue, "ab", (size_t)i + 1, NULL);
        if (r < 0)
            return r;
    }
    while (poll(&end, 1, -1) < 0 && errno == EINTR)
        ;
    return -ECANCELED;
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,         .name = "crasher",
    .scan = crasher_scan,     .decorate = crasher_decorate,
    .ingest = crasher_ingest,
};
STOQ_PLUGIN(plugin);
