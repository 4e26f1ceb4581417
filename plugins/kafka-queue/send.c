/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Connector and archiver: what is sent. The messages are the original's.
 */

#include "kafka.h"

#define FORM (JSON_COMPACT | JSON_REAL_PRECISION(17))

static int
no_memory(struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
}

/* Append the text of @value (taken, may be NULL) to @texts. */
static int
add_text(json_t *texts, json_t *value)
{
    PLUGIN_AUTOFREE char *text = value ? json_dumps(value, FORM) : NULL;
    json_decref(value);
    return text ? json_array_append_new(texts, json_string(text)) : -1;
}

/* {archiver: what it said, over the payload's extra_data, over the request's metadata};
 * new reference. */
static json_t *
task_of(const char *archiver, json_t *said, const json_t *entry, json_t *request_meta)
{
    json_t *extra =
        json_object_get(json_object_get(entry, "payload_meta"), "extra_data");
    json_auto_t *task = json_pack("{s:O}", "request_meta", request_meta);
    if (!task || (json_is_object(extra) && json_object_update(task, extra) < 0) ||
        (json_is_object(said) && json_object_update(task, said) < 0))
        return NULL;
    return json_pack("{s:O}", archiver, task);
}

/* A message for each payload and archiver; those of this plugin are in the topic. */
static int
add_tasks(const struct stoq_response *response, json_t *texts)
{
    const json_t *doc = stoq_response_document(response);
    json_t *meta = json_object_get(doc, "request_meta"), *entry, *said;
    size_t i;
    const char *archiver;
    json_array_foreach (json_object_get(doc, "results"), i, entry)
        json_object_foreach (json_object_get(entry, "archivers"), archiver, said) {
            if (strcmp(archiver, KAFKA_NAME) == 0)
                continue;
            if (add_text(texts, task_of(archiver, said, entry, meta)) < 0)
                return -ENOMEM;
        }
    return 0;
}

int
kafka_save(void *instance, const struct stoq_response *response, unsigned flags,
           struct stoq_error *err)
{
    (void)flags;
    struct kafka *k = instance;
    json_auto_t *texts = json_array();
    if (!texts)
        return no_memory(err);
    if (!k->publish_archive) {
        PLUGIN_AUTOFREE char *text = stoq_response_text(response, false);
        if (!text || json_array_append_new(texts, json_string(text)) < 0)
            return no_memory(err);
        return kafka_send(k, texts, NULL, err);
    }
    if (add_tasks(response, texts) < 0)
        return no_memory(err);
    if (json_array_size(texts) == 0 && !atomic_flag_test_and_set(&k->told_empty))
        stoq_ctx_log(k->ctx, STOQ_LEVEL_WARNING,
                     "publish_archive is set: of results that no archiver has anything "
                     "of, nothing is published");
    return kafka_send(k, texts, NULL, err);
}

int
kafka_archive(void *instance, struct stoq_payload *payload,
              const struct stoq_request *request, struct stoq_reply *reply,
              unsigned flags, struct stoq_error *err)
{
    (void)flags;
    struct kafka *k = instance;
    struct kafka_place place = {0};
    size_t size = 0;
    const void *data = stoq_payload_data(payload, &size);
    json_t *request_meta = (json_t *)(uintptr_t)stoq_request_meta(request);
    json_auto_t *texts = json_array();
    json_t *message =
        json_pack("{s:b, s:o, s:O, s:O}", "_is_payload", 1, "_content",
                  stoq_json_base64(data, size), "_payload_meta",
                  stoq_payload_extra_data(payload), "_request_meta", request_meta);
    if (add_text(texts, message) < 0)
        return no_memory(err);
    int r = kafka_send(k, texts, &place, err);
    if (r < 0)
        return r;
    json_t *results =
        json_pack("{s:s, s:i, s:I}", "topic", k->topic, "partition",
                  (int)place.partition, "offset", (json_int_t)place.offset);
    if (!results)
        return no_memory(err);
    stoq_reply_results(reply, results);
    return 0;
}
