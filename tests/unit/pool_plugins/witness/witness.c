/* SPDX-License-Identifier: Apache-2.0 */
/* A worker that tells all it is told of a payload and of its request, and a provider of
 * payloads and requests with all there is to say of them. For the tests of the pool and
 * of stoq run. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <stoq/plugin.h>
#include <stoq/stoq.h>

static json_t *
text_or_null(const char *text)
{
    return text ? stoq_json_text(text, strlen(text), NULL) : json_null();
}

/** What a worker sees of the other payloads: their sizes and file names. */
static json_t *
others(const struct stoq_request *request)
{
    json_t *list = json_array();

    for (size_t i = 0; i < stoq_request_count(request); i++) {
        struct stoq_payload *p = stoq_request_payload(request, i);
        const json_t *meta = json_object_get(stoq_payload_results(p), "payload_meta");
        size_t size;

        (void)stoq_payload_data(p, &size);
        (void)json_array_append_new(
            list, json_pack("{s:I, s:o, s:O, s:O}", "size", (json_int_t)size,
                            "filename", text_or_null(stoq_payload_filename(p)),
                            "should_scan", json_object_get(meta, "should_scan"),
                            "should_archive", json_object_get(meta, "should_archive")));
    }
    return list;
}

static int
witness_scan(void *instance, struct stoq_payload *payload,
             const struct stoq_request *request, struct stoq_reply *reply,
             unsigned flags, struct stoq_error *err)
{
    size_t size;
    const void *data = stoq_payload_data(payload, &size);

    (void)instance;
    (void)flags;
    (void)err;
    stoq_reply_results(
        reply, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "data",
                         stoq_json_base64(data, size), "extra_data",
                         json_deep_copy(stoq_payload_extra_data(payload)), "filename",
                         text_or_null(stoq_payload_filename(payload)), "path",
                         text_or_null(stoq_payload_path(payload)), "owner",
                         text_or_null(stoq_payload_owner(payload)), "request",
                         json_deep_copy(stoq_request_meta(request)), "payloads",
                         others(request)));
    return 0;
}

/** One payload more for @p request. @return 0 or -errno. */
static int
add(struct stoq_request *request, const char *text, const char *filename, int flags,
    json_t *extra)
{
    struct stoq_payload_meta meta = STOQ_PAYLOAD_META_INIT;
    struct stoq_payload *payload = NULL;
    int r;

    meta.filename = filename;
    meta.path = filename ? "/there/with \xff" : NULL;
    meta.owner = filename ? "somebody" : NULL;
    meta.extra_data = extra;
    meta.no_scan = (flags & 1) != 0;
    meta.no_archive = (flags & 2) != 0;
    r = stoq_payload_new(text, strlen(text), &meta, &payload, NULL);
    json_decref(extra);
    return r < 0 ? r : stoq_request_add(request, payload, NULL);
}

static int
put_requests(struct stoq_queue *queue, struct stoq_error *err)
{
    struct stoq_request *request = NULL;
    json_t *extra =
        json_pack("{s:s, s:[i, n, {s:f}]}", "case", "one", "deep", 1, "x", 0.5);
    int r = stoq_request_new("witness", extra, true, &request, err);

    json_decref(extra);
    if (r == 0)
        r = add(request, "first", "name", 0, json_pack("{s:[s, s]}", "tags", "a", "b"));
    if (r == 0)
        r = add(request, "not scanned", NULL, 1, json_pack("{s:i}", "n", 1));
    if (r == 0)
        r = add(request, "not archived", "raw \xfe name", 2, NULL);
    if (r == 0)
        r = add(request, "first", "the same again", 0, NULL);
    if (r == 0)
        r = add(request, "", NULL, 0, NULL);
    if (r == 0)
        r = stoq_queue_put_request(queue, request);
    if (r == 0)
        r = stoq_request_new(NULL, NULL, false, &request, err);
    if (r == 0)
        r = add(request, "no archiving at all", NULL, 0, NULL);
    if (r == 0)
        r = stoq_queue_put_request(queue, request);
    if (r == 0)
        r = stoq_request_new(NULL, NULL, true, &request, err);
    if (r == 0)
        r = add(request, "as the run says", NULL, 0, NULL);
    return r == 0 ? stoq_queue_put_request(queue, request) : r;
}

static int
witness_ingest(void *instance, struct stoq_queue *queue, unsigned flags,
               struct stoq_error *err)
{
    const char *file = getenv("WITNESS_FILE");
    int r = stoq_queue_put_bytes(queue, "bytes", 5, NULL);

    (void)instance;
    (void)flags;
    if (r == 0)
        r = stoq_queue_put_bytes(
            queue, "more bytes", 10,
            json_pack("{s:s, s:{s:b}}", "filename", "called so", "more", "yes", 1));
    if (r == 0 && file)
        r = stoq_queue_put_fd(queue, open(file, O_RDONLY | O_CLOEXEC), file,
                              json_pack("{s:s, s:[]}", "origin", "a file", "list"));
    return r == 0 ? put_requests(queue, err) : r;
}

static const struct stoq_plugin witness_plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "witness",
    .thread_model = STOQ_THREAD_PARALLEL,
    .scan = witness_scan,
    .ingest = witness_ingest,
};
STOQ_PLUGIN(witness_plugin);
