/* SPDX-License-Identifier: Apache-2.0 */

/* See finds.h. Bytes travel to the pool in memory files. */

#include "cli/finds.h"

#include <string.h>
#include <sys/stat.h>

#include "core/engine.h"
#include "util/auto.h"
#include "util/io.h"
#include "util/json.h"

STOQ_DEFINE_AUTO(stoq_request)

static int
no_memory(struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
}

/* Copy @text, which may be NULL. */
static int
copy(char **out, const char *text)
{
    *out = text ? strdup(text) : NULL;
    return text && !*out ? -ENOMEM : 0;
}

static void
hand_on(const struct cli_finds *f, struct cli_work *work)
{
    f->found(f->arg, work);
    cli_work_fini(work);
}

static int
fill_bytes(struct cli_input *in, const void *data, size_t size, struct stoq_error *err)
{
    in->fd = stoq_memfd("payload", data, size);
    in->size = size;
    return in->fd < 0 ? stoq_error_set(err, STOQ_ERROR_SYSTEM, in->fd, "memfd: %s",
                                       strerror(-in->fd))
                      : 0;
}

/* A file or bytes; descriptor and extra data of @item are taken. */
static int
find_plain(const struct cli_finds *f, struct stoq_queue_item *item,
           struct stoq_error *err)
{
    struct cli_work work = {.in.fd = -1};
    struct cli_input *in = &work.in;
    const char *slash = item->path ? strrchr(item->path, '/') : NULL;
    struct stat st;
    int r = 0;
    work.extra = item->extra_data ? STOQ_STEAL(&item->extra_data) : json_object();
    const char *name = slash        ? slash + 1
                       : item->path ? item->path
                                    : stoq_json_string_of(work.extra, "filename");
    if (!json_is_object(work.extra))
        r = stoq_error_set(err, STOQ_ERROR_PLUGIN, -EINVAL,
                           "extra data that is no object");
    else if (copy(&in->path, item->path) < 0 || copy(&in->name, name) < 0)
        r = no_memory(err);
    else if (item->kind == STOQ_ITEM_BYTES)
        r = fill_bytes(in, item->data, item->size, err);
    else if (fstat(item->fd, &st) < 0 || !S_ISREG(st.st_mode))
        r = stoq_error_set(err, STOQ_ERROR_PLUGIN, -EINVAL, "%s: not a regular file",
                           item->path ? item->path : "a descriptor");
    if (r == 0 && item->kind == STOQ_ITEM_FILE) {
        in->size = (uint64_t)st.st_size;
        in->owner = cli_owner_of(st.st_uid);
        in->fd = STOQ_STEAL_FD(&item->fd);
    }
    if (r == 0)
        hand_on(f, &work);
    cli_work_fini(&work);
    return r;
}

/* Hand on @request (taken). */
static void
hand_on_request(const struct cli_finds *f, struct stoq_request *request)
{
    struct cli_work work = {.in.fd = -1, .request = request};
    hand_on(f, &work);
}

/* The payload that the archiver has, in a request of the run's. */
static int
get_payload(const struct cli_finds *f, const struct stoq_queue_item *item,
            struct stoq_request **out, struct stoq_error *err)
{
    struct stoq_payload *payload = NULL;
    STOQ_AUTO(stoq_request) request = NULL;
    int r =
        stoq_engine_get(f->scanner->outputs, item->archiver, item->task, &payload, err);
    if (r < 0 || !payload)
        return r;
    r = stoq_request_new(f->scanner->args->request_source, f->scanner->request_extra,
                         true, &request, err);
    if (r < 0) {
        stoq_payload_free(payload);
        return r;
    }
    r = stoq_request_add(request, payload, err);
    if (r == 0)
        *out = STOQ_STEAL(&request);
    return r;
}

static int
find_task(const struct cli_finds *f, const struct stoq_queue_item *item,
          struct stoq_error *err)
{
    struct stoq_error why = {0};
    struct stoq_request *request = NULL;
    int r = get_payload(f, item, &request, &why);
    if (r == 0 && request)
        hand_on_request(f, request);
    if (r == 0)
        return 0;
    STOQ_AUTOFREE char *task = stoq_json_dump(item->task, false);
    return stoq_error_set(err, why.kind, r, "%.200s failed with archiver %s: %s",
                          task ? task : "a task", item->archiver, why.message);
}

/* Whether request_meta says nothing. */
static bool
is_default(const json_t *meta)
{
    return json_is_true(json_object_get(meta, "archive_payloads")) &&
           json_is_null(json_object_get(meta, "source")) &&
           json_object_size(json_object_get(meta, "extra_data")) == 0;
}

/* Give a request without metadata those of the run. */
static int
give_metadata(const struct cli_finds *f, struct stoq_request *request)
{
    json_t *meta = (json_t *)(uintptr_t)stoq_request_meta(request);
    const char *source = f->scanner->args->request_source;
    int r = source ? stoq_json_set_text(meta, "source", source, strlen(source)) : 0;
    if (r == 0)
        r = json_object_set_new(meta, "extra_data",
                                json_deep_copy(f->scanner->request_extra));
    return r;
}

static int
find_request(const struct cli_finds *f, struct stoq_queue_item *item,
             struct stoq_error *err)
{
    if (is_default(stoq_request_meta(item->request)) &&
        give_metadata(f, item->request) < 0)
        return no_memory(err);
    hand_on_request(f, STOQ_STEAL(&item->request));
    return 0;
}

int
cli_finds_of(const struct cli_finds *f, struct stoq_queue_item *item,
             struct stoq_error *err)
{
    switch (item->kind) {
    case STOQ_ITEM_FILE:
    case STOQ_ITEM_BYTES:
        return find_plain(f, item, err);
    case STOQ_ITEM_TASK:
        return find_task(f, item, err);
    case STOQ_ITEM_REQUEST:
    default:
        return find_request(f, item, err);
    }
}
