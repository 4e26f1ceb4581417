/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Requests: the payloads of one scan and what the caller says of them; also requests
 * rebuilt from a document, for the finishing half. No lock.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include <stoq/plugin.h>
#include <stoq/stoq.h>

#include "core/core.h"
#include "core/document.h"
#include "core/engine.h"
#include "util/auto.h"
#include "util/json.h"

STOQ_DEFINE_AUTO(stoq_request)

static int
no_memory(struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
}

int
stoq_request_new(const char *source, const json_t *extra_data, bool archive_payloads,
                 struct stoq_request **out, struct stoq_error *err)
{
    if (extra_data && !json_is_object(extra_data))
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "extra_data must be a JSON object");
    STOQ_AUTO(stoq_request) r = calloc(1, sizeof(*r));
    if (!r)
        return no_memory(err);
    r->meta = stoq_doc_request_meta(archive_payloads, source, extra_data);
    r->errors = json_array();
    if (!r->meta || !r->errors)
        return no_memory(err);
    *out = STOQ_STEAL(&r);
    return 0;
}

int
stoq_request_push(struct stoq_request *request, struct stoq_payload *payload)
{
    if (request->count == request->room) {
        size_t room = request->room ? 2 * request->room : 8;
        struct stoq_payload **items =
            reallocarray(request->payloads, room, sizeof(struct stoq_payload *));
        if (!items) {
            stoq_payload_free(payload);
            return -ENOMEM;
        }
        request->payloads = items;
        request->room = room;
    }
    request->payloads[request->count++] = payload;
    return 0;
}

int
stoq_request_add(struct stoq_request *request, struct stoq_payload *payload,
                 struct stoq_error *err)
{
    if (request->used) {
        stoq_payload_free(payload);
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "request is used up");
    }
    return stoq_request_push(request, payload) < 0 ? no_memory(err) : 0;
}

void
stoq_request_free(struct stoq_request *request)
{
    if (!request)
        return;
    for (size_t i = 0; i < request->count; i++)
        stoq_payload_free(request->payloads[i]);
    free(request->payloads);
    json_decref(request->meta);
    json_decref(request->errors);
    free(request);
}

size_t
stoq_request_count(const struct stoq_request *r)
{
    return r->count;
}

struct stoq_payload *
stoq_request_payload(const struct stoq_request *r, size_t i)
{
    return i < r->count ? r->payloads[i] : NULL;
}

const json_t *
stoq_request_meta(const struct stoq_request *r)
{
    return r->meta;
}

void
stoq_request_set_deadline(struct stoq_request *request, uint64_t deadline_ms)
{
    request->deadline_ms = deadline_ms;
}

/* Bytes of base64 text with correct padding; the caller frees. NULL when it is none. */
static char *
unbase64(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length % 4 != 0 || length > 65536)
        return NULL;
    STOQ_AUTOFREE char *bytes = malloc(length / 4 * 3 + 1);
    if (!bytes)
        return NULL;
    int n = EVP_DecodeBlock((unsigned char *)bytes, (const unsigned char *)text,
                            (int)length);
    if (n < 0)
        return NULL;
    n -= (text[length - 1] == '=') + (text[length - 2] == '=');
    bytes[n] = '\0';
    return STOQ_STEAL(&bytes);
}

/* The name as it was, from the text or, where that lost something, from the bytes. */
static char *
raw_filename(const json_t *extra)
{
    const char *bytes = stoq_json_string_of(extra, "filename_b64");
    const char *text = stoq_json_string_of(extra, "filename");
    if (bytes)
        return unbase64(bytes);
    return text ? strdup(text) : NULL;
}

static int
restore_payload(struct stoq_request *r, json_t *entry, struct stoq_error *err)
{
    json_int_t size = json_integer_value(json_object_get(entry, "size"));
    struct stoq_content content = {.size = (size_t)size, .missing = size > 0};
    struct stoq_payload *p = NULL;
    int rc = stoq_payload_make(&content, json_incref(entry), &p, err);
    if (rc < 0)
        return rc;
    p->filename = raw_filename(p->extra);
    return stoq_request_push(r, p) < 0 ? no_memory(err) : 0;
}

int
stoq_request_restore(const struct stoq_response *response, struct stoq_request **out,
                     struct stoq_error *err)
{
    STOQ_AUTO(stoq_request) r = calloc(1, sizeof(*r));
    if (!r)
        return no_memory(err);
    r->meta = json_incref(json_object_get(response->doc, "request_meta"));
    r->errors = json_incref(json_object_get(response->doc, "errors"));
    r->used = true;
    size_t i;
    json_t *entry;
    json_array_foreach (json_object_get(response->doc, "results"), i, entry) {
        int rc = restore_payload(r, entry, err);
        if (rc < 0)
            return rc;
    }
    *out = STOQ_STEAL(&r);
    return 0;
}

int
stoq_payload_set_content(struct stoq_request *request, size_t index, int fd,
                         uint64_t offset, uint64_t size, struct stoq_error *err)
{
    if (index >= request->count)
        return stoq_error_set(err, STOQ_ERROR_FORMAT, -ERANGE, "no payload %zu", index);
    struct stoq_payload *p = request->payloads[index];
    json_int_t expected = json_integer_value(json_object_get(p->entry, "size"));
    if ((uint64_t)expected != size)
        return stoq_error_set(err, STOQ_ERROR_FORMAT, -EINVAL,
                              "payload %zu has %lld bytes, not %llu", index,
                              (long long)expected, (unsigned long long)size);
    struct stoq_content content = {0};
    int rc = stoq_content_load(&content, fd, offset, size, err);
    if (rc < 0)
        return rc;
    stoq_content_fini(&p->content);
    p->content = content;
    p->has_sha256 = false;
    return 0;
}

bool
stoq_payload_should_archive(const struct stoq_request *request, size_t index)
{
    return index < request->count &&
           json_is_true(
               json_object_get(request->payloads[index]->meta, "should_archive"));
}
