/* SPDX-License-Identifier: Apache-2.0 */

/* See submit.h. The roots' bytes travel in one memory file, in a row. */

#include "cli/submit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <stoq/plugin.h>

#include "pool/wire.h"
#include "util/auto.h"
#include "util/io.h"
#include "util/json.h"

/* What the workers are told of payload @p; texts and extra data stay its own.
 */
static void
fill_root(struct stoq_payload *p, struct stoq_job_root *root)
{
    const struct stoq_payload_meta init = STOQ_PAYLOAD_META_INIT;
    const json_t *meta = json_object_get(stoq_payload_results(p), "payload_meta");
    size_t size;
    (void)stoq_payload_data(p, &size);
    root->size = size;
    root->meta = init;
    root->meta.extra_data = stoq_payload_extra_data(p);
    root->meta.filename = stoq_payload_filename(p);
    root->meta.path = stoq_payload_path(p);
    root->meta.owner = stoq_payload_owner(p);
    root->meta.no_scan = json_is_false(json_object_get(meta, "should_scan"));
    root->meta.no_archive = json_is_false(json_object_get(meta, "should_archive"));
}

/* The bytes of all payloads. @return a sealed descriptor or -errno. */
static int
pack_bytes(const struct stoq_request *request)
{
    STOQ_AUTOCLOSE int fd = memfd_create("payloads", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int r = fd < 0 ? -errno : 0;
    for (size_t i = 0; r == 0 && i < stoq_request_count(request); i++) {
        size_t size;
        const void *data = stoq_payload_data(stoq_request_payload(request, i), &size);
        r = stoq_write_full(fd, data, size);
    }
    if (r == 0)
        r = stoq_wire_seal(fd);
    return r < 0 ? r : STOQ_STEAL_FD(&fd);
}

int
cli_request_submit(struct stoq_pool *pool, const struct stoq_request *request,
                   struct stoq_job_spec *spec)
{
    const json_t *meta = stoq_request_meta(request);
    size_t count = stoq_request_count(request);
    STOQ_AUTOFREE struct stoq_job_root *roots = calloc(count + 1, sizeof(*roots));
    if (!roots)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        fill_root(stoq_request_payload(request, i), &roots[i]);
    spec->roots = roots;
    spec->root_count = count;
    spec->request_source = stoq_json_string_of(meta, "source");
    spec->request_extra = json_object_get(meta, "extra_data");
    spec->no_archive = json_is_false(json_object_get(meta, "archive_payloads"));
    spec->want_payloads = spec->want_payloads && !spec->no_archive;
    spec->fd = pack_bytes(request);
    return spec->fd < 0 ? spec->fd : stoq_pool_submit(pool, spec, NULL);
}
