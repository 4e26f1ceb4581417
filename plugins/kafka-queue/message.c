/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a message says: a payload, as the archiver wrote it, or a task for source
 * archivers.
 */

#include "provider.h"

static int
digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int
kafka_base64(const char *text, size_t size, unsigned char **out, size_t *out_size)
{
    PLUGIN_AUTOFREE unsigned char *data = malloc(size / 4 * 3 + 4);
    size_t used = 0, digits = 0, ends = 0;
    uint32_t bits = 0;
    if (!data)
        return -ENOMEM;
    for (size_t i = 0; i < size; i++) {
        int d = digit(text[i]);
        if (text[i] == '\n' || text[i] == '\r' || text[i] == ' ')
            continue;
        if (text[i] == '=' && ++ends <= 2)
            continue;
        if (d < 0 || ends > 0)
            return -EBADMSG;
        bits = bits << 6 | (uint32_t)d;
        if (++digits % 4 == 0) {
            data[used++] = (unsigned char)(bits >> 16);
            data[used++] = (unsigned char)(bits >> 8);
            data[used++] = (unsigned char)bits;
        }
    }
    if ((digits + ends) % 4 != 0 || digits % 4 == 1)
        return -EBADMSG;
    if (digits % 4 == 2)
        data[used++] = (unsigned char)(bits >> 4);
    if (digits % 4 == 3) {
        data[used++] = (unsigned char)(bits >> 10);
        data[used++] = (unsigned char)(bits >> 2);
    }
    *out = PLUGIN_STEAL(&data);
    *out_size = used;
    return 0;
}

static int
put_payload(struct ledger_entry *e, const json_t *message)
{
    const json_t *content = json_object_get(message, "_content");
    json_t *meta = json_object_get(message, "_payload_meta");
    json_t *request_meta = json_object_get(message, "_request_meta");
    PLUGIN_AUTOFREE unsigned char *data = NULL;
    size_t size = 0;
    /* the original writes null for no bytes at all */
    const char *text = json_is_null(content) ? "" : json_string_value(content);
    if (!text)
        return -EBADMSG;
    int r = kafka_base64(text, json_string_length(content), &data, &size);
    if (r < 0)
        return r;
    json_t *extra = json_is_object(meta) ? json_deep_copy(meta) : json_object();
    if (!extra ||
        (request_meta && json_object_set_new(extra, "request_meta",
                                             json_deep_copy(request_meta)) < 0)) {
        json_decref(extra);
        return -ENOMEM;
    }
    const struct stoq_find find = {STOQ_FIND_HEAD, .data = data, .size = size,
                                   .extra_data = extra};
    ledger_put(e, &find);
    return 0;
}

int
kafka_put(struct ledger_entry *e, const void *data, size_t size)
{
    json_auto_t *message = data ? json_loadb(data, size, 0, NULL) : NULL;
    if (!json_is_object(message))
        return -EBADMSG;
    return json_is_true(json_object_get(message, "_is_payload"))
               ? put_payload(e, message)
               : ledger_put_tasks(e, message);
}
