/* SPDX-License-Identifier: Apache-2.0 */

/* See plugins_queues.h. */

#include "plugins_queues.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"
#include "util/auto.h"

#define LONG_MS 60000

#define HEAD(id, extra)                                                        \
    "{\"size\": 1, \"payload_id\": \"" id "\", \"payload_meta\": "             \
    "{\"should_archive\": true, \"should_scan\": true, \"extra_data\": " extra \
    ", \"dispatch_to\": []}, \"plugins_run\": {\"workers\": [], "              \
    "\"archivers\": []}, \"extracted_from\": [], \"extracted_by\": [], "       \
    "\"duration_ms\": {}, \"workers\": {}, \"archivers\": "

#define FIRST HEAD("p1", "{\"filename\": \"f\"}")
#define SAID_1                                                         \
    "{\"filedir\": {\"path\": \"/x\"}, \"redis-queue\": {\"msg_id\": " \
    "\"p1\"}, \"kafka-queue\": {\"offset\": 1}}"
#define SECOND HEAD("p2", "{}")
#define SAID_2 "{\"s3\": {\"path\": \"/y\"}}"
#define REST                                                                  \
    "\"request_meta\": {\"archive_payloads\": true, \"source\": null, "       \
    "\"extra_data\": {}}, \"errors\": [], \"time\": "                         \
    "\"2026-11-24T04:06:36.143944+00:00\", \"decorators\": {}, \"scan_id\": " \
    "\"" QUEUES_SCAN_ID "\", \"schema_version\": 1, \"verdict\": \"clean\", " \
    "\"limits_hit\": [], \"flagged_by\": [], \"warnings\": []"

const char queues_document[] =
    "{\"results\": [" FIRST SAID_1 "}, " SECOND SAID_2 "}], " REST "}";

int
queues_save(struct stoq_loaded *p, struct stoq_error *err)
{
    struct stoq_response *r = NULL;
    struct stoq_error why = {0};
    ck_assert_msg(
        stoq_response_parse(queues_document, strlen(queues_document), &r, &why) == 0,
        "%s", why.message);
    int code = stoq_call_save(p, r, err);
    stoq_response_free(r);
    return code;
}

void
queues_saved(struct stoq_loaded *p)
{
    struct stoq_error err = {0};
    int code = queues_save(p, &err);
    ck_assert_msg(code == 0, "%s", err.message);
}

void
queues_not_saved(struct stoq_loaded *p, int code, const char *words)
{
    struct stoq_error err = {0};
    int got = queues_save(p, &err);
    ck_assert_msg(strstr(err.message, words), "'%s' lacks '%s'", err.message, words);
    ck_assert_int_eq(got, code);
}

/* ------------------------------------------------------------------------ provider */

static void *
ingest(void *arg)
{
    struct queues_run *r = arg;
    r->code = stoq_call_ingest(r->plugin, r->queue, &r->err);
    stoq_queue_close(r->queue);
    return NULL;
}

void
queues_start(struct queues_run *r, struct stoq_loaded *plugin)
{
    *r = (struct queues_run){.plugin = plugin};
    ck_assert_int_eq(stoq_queue_new(100, &r->queue, NULL), 0);
    ck_assert_int_eq(pthread_create(&r->thread, NULL, ingest, r), 0);
}

void
queues_stop(struct queues_run *r)
{
    stoq_queue_cancel(r->queue);
    ck_assert_int_eq(pthread_join(r->thread, NULL), 0);
    ck_assert_msg(r->code == 0, "%s", r->err.message);
    stoq_queue_free(r->queue);
    stoq_loaded_free(r->plugin);
}

void
queues_fails(struct stoq_loaded *plugin, int code, const char *words)
{
    struct queues_run r;
    queues_start(&r, plugin);
    ck_assert_int_eq(pthread_join(r.thread, NULL), 0);
    ck_assert_msg(strstr(r.err.message, words), "'%s' lacks '%s'", r.err.message,
                  words);
    ck_assert_int_eq(r.code, code);
    stoq_queue_free(r.queue);
    stoq_loaded_free(r.plugin);
}

struct stoq_receipt
queues_next(struct queues_run *r, const char *expected)
{
    char text[512] = "";
    struct stoq_queue_item item = {.fd = -1};
    int code = stoq_queue_take(r->queue, &item, LONG_MS);
    ck_assert_msg(code == 0, "%d instead of %s: %s", code, expected, r->err.message);
    if (item.kind == STOQ_ITEM_TASK) {
        STOQ_AUTOFREE char *task = json_dumps(item.task, JSON_COMPACT);
        (void)snprintf(text, sizeof text, "%s:%s", item.archiver, task);
    } else {
        STOQ_AUTOFREE char *extra =
            json_dumps(item.extra_data, JSON_COMPACT | JSON_SORT_KEYS);
        (void)snprintf(text, sizeof text, "%.*s|%s", (int)item.size,
                       (const char *)item.data, extra);
    }
    ck_assert_str_eq(text, expected);
    struct stoq_receipt receipt = stoq_receipt_steal(&item.receipt);
    ck_assert(receipt.done);
    stoq_queue_item_fini(&item);
    return receipt;
}

void
queues_settled(struct queues_run *r, const char *expected, int code)
{
    struct stoq_receipt receipt = queues_next(r, expected);
    stoq_receipt_settle(&receipt, code);
}
