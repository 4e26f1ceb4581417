/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Connector: the result, or what archivers said of its payloads, which is what another
 * stoQ needs to fetch them. It is delivered when the server has answered.
 */

#include "redis.h"

/* More than one list push, or than one transaction of a stream, takes at a time. */
#define BATCH 48U

static int
no_memory(struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
}

/* The messages {archiver: results}, as texts; those of this plugin are queued by its
 * archiver. NULL on -ENOMEM. */
static json_t *
tasks_of(const struct stoq_response *response)
{
    const json_t *results =
        json_object_get(stoq_response_document(response), "results");
    json_t *list = json_array();
    size_t i;
    json_t *entry, *said;
    const char *archiver;
    json_array_foreach ((json_t *)(uintptr_t)results, i, entry)
        json_object_foreach (json_object_get(entry, "archivers"), archiver, said) {
            if (strcmp(archiver, REDIS_NAME) == 0)
                continue;
            json_auto_t *task = json_pack("{s:O}", archiver, said);
            PLUGIN_AUTOFREE char *text =
                task ? json_dumps(task, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
            if (!text || json_array_append_new(list, json_string(text)) < 0) {
                json_decref(list);
                return NULL;
            }
        }
    return list;
}

/* Tasks @from to @to of @tasks. */
static int
send_tasks(struct redis *r, const struct stoq_response *response, const json_t *tasks,
           size_t from, size_t to, struct stoq_error *err)
{
    PLUGIN_AUTOFREE struct redis_args *list = calloc(BATCH, sizeof(*list));
    if (!list)
        return no_memory(err);
    if (!r->stream)
        redis_args_words(list, (const char *const[]){"RPUSH", r->queue, NULL});
    for (size_t i = from; i < to; i++) {
        struct redis_args *a = r->stream ? &list[i - from] : list;
        const char *task = json_string_value(json_array_get(tasks, i));
        if (r->stream) {
            redis_xadd(r, a);
            redis_args_words(a, (const char *const[]){"scan_id",
                                                      stoq_response_scan_id(response),
                                                      "task", NULL});
        }
        redis_arg(a, task ? task : "");
    }
    return redis_do(r, list, r->stream ? to - from : 1, NULL, err);
}

static int
publish_tasks(struct redis *r, const struct stoq_response *response,
              struct stoq_error *err)
{
    json_auto_t *tasks = tasks_of(response);
    if (!tasks)
        return no_memory(err);
    size_t count = json_array_size(tasks);
    if (count == 0 && !atomic_flag_test_and_set(&r->told_empty))
        stoq_ctx_log(r->ctx, STOQ_LEVEL_WARNING,
                     "publish_archive is set: of results that no archiver has anything "
                     "of, nothing is published");
    int code = 0;
    for (size_t i = 0; code == 0 && i < count; i += BATCH)
        code = send_tasks(r, response, tasks, i, i + BATCH < count ? i + BATCH : count,
                          err);
    return code;
}

int
redis_save(void *instance, const struct stoq_response *response, unsigned flags,
           struct stoq_error *err)
{
    (void)flags;
    struct redis *r = instance;
    const char *id = stoq_response_scan_id(response);
    if (r->publish_archive)
        return publish_tasks(r, response, err);
    PLUGIN_AUTOFREE char *text = stoq_response_text(response, false);
    if (!text)
        return no_memory(err);
    if (strlen(text) > REDIS_VALUE_MAX)
        return stoq_error_set(err, STOQ_ERROR_LIMIT, -EBADMSG,
                              "the result has %zu bytes, a value of Redis at most %zu",
                              strlen(text), REDIS_VALUE_MAX);
    struct redis_args a = {0};
    if (r->stream) {
        redis_xadd(r, &a);
        redis_args_words(&a, (const char *const[]){
                                 "scan_id", id, "verdict",
                                 stoq_verdict_name(stoq_response_verdict(response)),
                                 "result", text, NULL});
    } else {
        redis_args_words(&a, (const char *const[]){"SET", id, text, NULL});
    }
    return redis_do(r, &a, 1, NULL, err);
}
