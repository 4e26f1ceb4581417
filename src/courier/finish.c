/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The second half of a scan: the document comes as text, the bytes archivers want as
 * descriptors, and the finished document goes back. See finish.h.
 */

#include "courier/finish.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/engine.h"
#include "courier/deliver.h"
#include "util/auto.h"
#include "util/log.h"

STOQ_DEFINE_AUTO(stoq_response)
STOQ_DEFINE_AUTO(stoq_request)

/* Whether the file still is what was scanned. Not by ctime: a rename changes no byte.
 */
static bool
unchanged(int fd, const struct stoq_courier_msg *msg)
{
    struct stat st;

    return fstat(fd, &st) == 0 && (uint64_t)st.st_size == msg->file_size &&
           stoq_courier_mtime(&st) == msg->file_mtime_ns;
}

/* Give the request the bytes that came along. What is missing (the file has changed
 * since it was scanned) becomes an archiver's error in the document, never other bytes.
 */
static int
give_contents(const struct stoq_courier_in *in, struct stoq_request *request,
              struct stoq_error *err)
{
    const struct stoq_courier_msg *msg = &in->msg;
    STOQ_AUTOFREE char *list = NULL;
    struct stoq_extent extent;
    int payloads = in->fds[in->nfds - 1];
    int r = 0;

    if (msg->has_file && stoq_payload_should_archive(request, 0) &&
        unchanged(in->fds[1], msg))
        r = stoq_payload_set_content(request, 0, in->fds[1], 0, msg->file_size, err);
    if (r == 0 && msg->extent_count)
        r = stoq_courier_read(in->fds[0], 0, msg->extent_count * sizeof extent, &list);
    for (size_t i = 0; r == 0 && list && i < msg->extent_count; i++) {
        memcpy(&extent, list + i * sizeof extent, sizeof extent);
        r = stoq_payload_set_content(request, extent.index, payloads, extent.offset,
                                     extent.size, err);
    }
    return r;
}

/* A memfd with the document's text. */
static int
answer(const struct stoq_response *response, uint64_t *size)
{
    STOQ_AUTOFREE char *text = stoq_response_text(response, false);

    if (!text)
        return -ENOMEM;
    *size = strlen(text);
    return stoq_memfd("stoq-finished", text, (size_t)*size);
}

int
stoq_courier_finish(struct stoq *stoq, const struct stoq_courier_in *in, uint64_t *size,
                    struct stoq_error *err)
{
    const struct stoq_courier_msg *msg = &in->msg;
    uint64_t off = msg->extent_count * sizeof(struct stoq_extent);
    STOQ_AUTO(stoq_request) request = NULL; /* outlives the response */
    STOQ_AUTO(stoq_response) response = NULL;
    STOQ_AUTOFREE char *text = NULL;
    int r = stoq_courier_read(in->fds[0], off, msg->size, &text);

    if (r == 0)
        r = stoq_response_parse(text, (size_t)msg->size, &response, err);
    if (r == 0)
        r = stoq_request_restore(response, &request, err);
    if (r == 0 && stoq_engine_config(stoq)->dest_archivers.count)
        r = give_contents(in, request, err);
    if (r == 0) {
        (void)alarm(STOQ_COURIER_CALL_S);
        r = stoq_engine_finish(stoq, request, response, err);
        (void)alarm(0);
    }
    if (r == 0)
        r = answer(response, size);
    if (r < 0)
        (void)stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "%s", strerror(-r));
    return r;
}
