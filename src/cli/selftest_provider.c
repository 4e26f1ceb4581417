/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How a provider is tried; see selftest.h. It puts its finds into a queue from a thread
 * of its own. One that would go on for ever is stopped when it has put what is
 * expected.
 */

#include "cli/selftest.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/differ.h"
#include "core/queue.h"
#include "util/auto.h"
#include "util/io.h"
#include "util/json.h"

#define FILE_MAX ((uint64_t)64 << 20)
/* How long a provider gets for one find, and for another one after the last expected.
 */
#define FIND_MS  30000U
#define EXTRA_MS 300U

struct ingestion {
    struct stoq_loaded *plugin;
    struct stoq_queue *queue;
    struct stoq_error err;
    int code;
};

static void *
ingest(void *arg)
{
    struct ingestion *in = arg;
    in->code = stoq_call_ingest(in->plugin, in->queue, &in->err);
    stoq_queue_close(in->queue);
    return NULL;
}

static json_t *
with_extra(json_t *facts, const json_t *extra)
{
    json_t *copy = extra ? json_deep_copy(extra) : json_object();
    (void)json_object_set_new(facts, "extra_data", copy);
    return facts;
}

static json_t *
file_facts(const struct stoq_queue_item *item)
{
    struct stat st;
    if (fstat(item->fd, &st) < 0 || (uint64_t)st.st_size > FILE_MAX)
        return NULL;
    size_t size = (size_t)st.st_size;
    STOQ_AUTOFREE void *data = malloc(size + 1);
    ssize_t n = data ? stoq_pread_full(item->fd, data, size, 0) : -ENOMEM;
    return n < 0 ? NULL
                 : with_extra(cli_case_digest(data, (size_t)n), item->extra_data);
}

/* Append what there is to say of @item to @list. */
static void
note_find(json_t *list, const struct stoq_queue_item *item)
{
    switch (item->kind) {
    case STOQ_ITEM_FILE:
        (void)json_array_append_new(list, file_facts(item));
        break;
    case STOQ_ITEM_BYTES:
        (void)json_array_append_new(
            list,
            with_extra(cli_case_digest(item->data, item->size), item->extra_data));
        break;
    case STOQ_ITEM_TASK:
        (void)json_array_append_new(
            list,
            json_pack("{s:s, s:O}", "archiver", item->archiver, "task", item->task));
        break;
    case STOQ_ITEM_REQUEST:
    default:
        for (size_t i = 0; i < stoq_request_count(item->request); i++) {
            struct stoq_payload *p = stoq_request_payload(item->request, i);
            size_t size;
            const void *data = stoq_payload_data(p, &size);
            (void)json_array_append_new(list, with_extra(cli_case_digest(data, size),
                                                         stoq_payload_extra_data(p)));
        }
        break;
    }
}

/* Take finds until there are no more, or more than @wanted. A provider that is expected
 * to fail ends by itself. */
static json_t *
take_finds(struct cli_case *c, struct stoq_queue *queue, size_t wanted)
{
    json_t *finds = json_array();
    bool fails = json_integer_value(json_object_get(c->spec, "errors")) > 0;
    for (;;) {
        size_t count = json_array_size(finds);
        struct stoq_queue_item item = {.fd = -1};
        if (count > wanted)
            break;
        int r = stoq_queue_take(queue, &item,
                                count == wanted && !fails ? EXTRA_MS : FIND_MS);
        if (r == -ETIMEDOUT && count < wanted)
            cli_differ_say(c->lines, "provided: nothing for %u seconds",
                           FIND_MS / 1000);
        if (r < 0)
            break;
        note_find(finds, &item);
        stoq_queue_item_fini(&item);
    }
    return finds;
}

/* Whether @find is what @expected says, by the keys that it has. */
static bool
fits(const json_t *expected, const json_t *find)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)expected, key, value)
        if (!json_equal(value, json_object_get(find, key)))
            return false;
    return true;
}

/* Strike out pairs; what is left of either differs. */
static void
compare(struct cli_case *c, json_t *finds)
{
    const json_t *expected = json_object_get(c->spec, "provided");
    size_t i, at;
    json_t *wanted, *find;
    json_array_foreach ((json_t *)(uintptr_t)expected, i, wanted) {
        json_array_foreach (finds, at, find)
            if (fits(wanted, find))
                break;
        if (at < json_array_size(finds)) {
            (void)json_array_remove(finds, at);
        } else {
            char what[48];
            (void)snprintf(what, sizeof(what), "provided/%zu", i);
            cli_differ(c->lines, what, wanted, NULL);
        }
    }
    json_array_foreach (finds, at, find)
        cli_differ(c->lines, "provided", NULL, find);
}

/* A sample lies in @TMP@, for the provider to find it. */
static int
place_sample(struct cli_case *c)
{
    const char *name = stoq_json_string_of(c->spec, "sample");
    STOQ_AUTOFREE char *path = NULL;
    if (!name && !json_object_get(c->spec, "text"))
        return 0;
    if (asprintf(&path, "%s/%s", c->test->tmp, name ? name : "text") < 0) {
        path = NULL;
        return -ENOMEM;
    }
    return stoq_write_file_atomic(path, c->data, c->size, 0600, true);
}

void
cli_case_provider(struct cli_case *c)
{
    struct stoq_error err = {0};
    struct ingestion in = {.plugin = c->plugin};
    pthread_t thread = 0;
    size_t wanted = json_array_size(json_object_get(c->spec, "provided"));
    int r = place_sample(c);
    if (r == 0)
        r = stoq_queue_new(16, &in.queue, &err);
    if (r == 0)
        r = -pthread_create(&thread, NULL, ingest, &in);
    if (r < 0) {
        cli_differ_say(c->lines, "the provider cannot be run: %s", strerror(-r));
        stoq_queue_free(in.queue);
        return;
    }
    json_auto_t *finds = take_finds(c, in.queue, wanted);
    stoq_queue_cancel(in.queue);
    (void)pthread_join(thread, NULL);
    json_auto_t *errors = json_array();
    if (in.code < 0 && in.code != -ECANCELED)
        (void)json_array_append_new(errors, json_string(in.err.message));
    compare(c, finds);
    cli_case_errors(c, errors);
    stoq_queue_free(in.queue);
}
