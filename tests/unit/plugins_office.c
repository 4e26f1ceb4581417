/* SPDX-License-Identifier: Apache-2.0 */

/* See plugins_office.h. */

#include "plugins_office.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/strbuf.h"

static void
add_bytes(struct stoq_strbuf *out, const unsigned char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (data[i] >= 0x20 && data[i] < 0x7f && data[i] != '\\')
            stoq_strbuf_addf(out, "%c", data[i]);
        else
            stoq_strbuf_addf(out, "\\x%02x", data[i]);
}

static void
add_json(struct stoq_strbuf *out, const json_t *json)
{
    char *text = json_dumps(json, JSON_ENCODE_ANY);
    stoq_strbuf_adds(out, text);
    free(text);
}

char *
reply_text(struct stoq_loaded *p, const void *data, size_t size, uint64_t bytes)
{
    struct stoq_strbuf out = {0};
    struct stoq_payload *target = payload(data, size, NULL);
    struct stoq_reply reply;
    struct stoq_error err = {0};
    stoq_reply_init(&reply, bytes, UINT64_MAX);
    int r = stoq_call_scan(p, target, NULL, &reply, &err);
    if (reply.results) {
        stoq_strbuf_adds(&out, "results:");
        add_json(&out, reply.results);
        stoq_strbuf_adds(&out, "\n");
    }
    for (const struct stoq_child *c = reply.children; c; c = c->next) {
        add_json(&out, c->extra_data);
        stoq_strbuf_adds(&out, c->no_archive ? " unarchived:" : ":");
        add_bytes(&out, c->data, c->size);
        stoq_strbuf_adds(&out, "\n");
    }
    for (size_t i = 0; i < reply.errors.count; i++)
        stoq_strbuf_addf(&out, "error:%s\n", reply.errors.items[i]);
    for (size_t i = 0; i < reply.hit_count; i++)
        stoq_strbuf_addf(&out, "limit:%s\n", reply.hits[i].name);
    if (r < 0)
        stoq_strbuf_addf(&out, "failed:%s\n", err.message);
    stoq_reply_fini(&reply);
    stoq_payload_free(target);
    stoq_strbuf_adds(&out, "");
    return stoq_strbuf_steal(&out);
}

void
scan_prefixes(struct stoq_loaded *p, const void *data, size_t size, size_t step)
{
    for (size_t n = 0; n <= size; n += step) {
        unsigned char *copy = malloc(n ? n : 1);
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, data, n);
        const time_t from = time(NULL);
        char *text = reply_text(p, copy, n, UINT64_MAX);
        ck_assert_ptr_nonnull(text);
        ck_assert_msg(time(NULL) - from < 5, "the first %zu bytes take long", n);
        free(text);
        free(copy);
    }
}
