/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The finishing half: archivers over the payloads, then decorators over the document,
 * and connectors one by one. What fails here is told in errors and does not change the
 * verdict: it says nothing of the bytes. Callers: the public interface, the courier.
 * No lock is held during the calls.
 */

#include <errno.h>
#include <string.h>

#include "core/document.h"
#include "core/engine.h"
#include "core/response.h"
#include "core/scan.h"
#include "util/auto.h"
#include "util/log.h"

static int
take_archived(struct stoq_payload *p, const char *name, struct stoq_reply *reply,
              json_t *errors)
{
    int rc = 0;
    if (reply->results && !json_is_null(reply->results))
        rc |= json_object_set_new(p->archivers, name, STOQ_STEAL(&reply->results));
    for (size_t i = 0; i < reply->errors.count; i++)
        rc |= stoq_doc_error(errors, name, p->id, "%s", reply->errors.items[i]);
    return rc;
}

static bool
was_archived(const struct stoq_payload *p, const char *name)
{
    size_t i;
    json_t *run;
    json_array_foreach (p->archived, i, run) {
        if (strcmp(json_string_value(run), name) == 0)
            return true;
    }
    return false;
}

static int
archive_one(struct stoq_loaded *archiver, struct stoq_payload *p,
            struct stoq_request *request, json_t *errors)
{
    const char *name = stoq_loaded_name(archiver);
    struct stoq_reply reply;
    struct stoq_error err = {0};
    stoq_reply_init(&reply, 0, 0);
    int rc = p->content.missing
                 ? stoq_error_set(&err, STOQ_ERROR_SYSTEM, -ENODATA,
                                  "the payload's content is not available")
                 : stoq_call_archive(archiver, p, request, &reply, &err);
    int failed = json_array_append_new(p->archived, json_string(name));
    failed |=
        rc < 0 ? stoq_doc_error(errors, name, p->id, "archiver:failed to archive: %s",
                                stoq_scan_text(rc, &err))
               : take_archived(p, name, &reply, errors);
    stoq_reply_fini(&reply);
    return failed ? -ENOMEM : 0;
}

static int
archive_all(struct stoq *stoq, struct stoq_request *request,
            const struct stoq_response *response)
{
    json_t *errors = json_object_get(response->doc, "errors");
    bool reused = json_object_get(response->doc, "reused_from");
    if (!json_is_true(json_object_get(request->meta, "archive_payloads")))
        return 0;
    for (size_t i = 0; i < request->count; i++) {
        struct stoq_payload *p = request->payloads[i];
        if (!stoq_payload_should_archive(request, i))
            continue;
        /* Equal content was archived when it was scanned; its bytes need not be here.
         */
        if (reused && p->content.missing)
            continue;
        for (size_t k = 0; k < stoq->archivers.count; k++) {
            struct stoq_loaded *archiver = stoq->archivers.items[k];
            if (!was_archived(p, stoq_loaded_name(archiver)) &&
                archive_one(archiver, p, request, errors) < 0)
                return -ENOMEM;
        }
    }
    return 0;
}

static int
decorate_one(struct stoq_loaded *decorator, struct stoq_response *response)
{
    const char *name = stoq_loaded_name(decorator);
    json_t *errors = json_object_get(response->doc, "errors");
    struct stoq_reply reply;
    struct stoq_error err = {0};
    int failed = 0;
    stoq_reply_init(&reply, 0, 0);
    int rc = stoq_call_decorate(decorator, response, &reply, &err);
    if (rc < 0)
        failed = stoq_doc_error(errors, name, NULL, "decorator: %s",
                                stoq_scan_text(rc, &err));
    if (rc >= 0 && reply.results && !json_is_null(reply.results))
        failed |= json_object_set_new(json_object_get(response->doc, "decorators"),
                                      name, STOQ_STEAL(&reply.results));
    for (size_t i = 0; rc >= 0 && i < reply.errors.count; i++)
        failed |= stoq_doc_error(errors, name, NULL, "%s", reply.errors.items[i]);
    stoq_reply_fini(&reply);
    return failed ? -ENOMEM : 0;
}

int
stoq_response_decorate(struct stoq *stoq, struct stoq_response *response)
{
    for (size_t i = 0; i < stoq->decorators.count; i++)
        if (decorate_one(stoq->decorators.items[i], response) < 0)
            return -ENOMEM;
    return 0;
}

/* Archivers and decorators added to the document: it has the same limit. */
static int
keep_size(const struct stoq *stoq, struct stoq_response *response)
{
    int rc = stoq_trim(response->doc, stoq->config->limits.response_bytes);
    if (rc > 0 && response->verdict < STOQ_VERDICT_PARTIAL)
        rc = stoq_response_set_verdict(response, STOQ_VERDICT_PARTIAL);
    return rc < 0 ? rc : 0;
}

int
stoq_engine_finish(struct stoq *stoq, struct stoq_request *request,
                   struct stoq_response *response, struct stoq_error *err)
{
    int rc = archive_all(stoq, request, response);
    if (rc == 0)
        rc = stoq_response_decorate(stoq, response);
    if (rc == 0)
        rc = keep_size(stoq, response);
    return rc < 0 ? stoq_error_set(err, STOQ_ERROR_SYSTEM, rc, "out of memory") : 0;
}

/* ----------------------------------------------------------------- connectors */

int
stoq_engine_save(struct stoq *stoq, const char *connector,
                 const struct stoq_response *response, struct stoq_error *err)
{
    struct stoq_loaded *p = stoq_engine_find(stoq, connector);
    if (!p)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -ENOENT,
                              "connector %s is not loaded", connector);
    return stoq_call_save(p, response, err);
}

int
stoq_save(struct stoq *stoq, struct stoq_response *response, struct stoq_error *err)
{
    json_t *errors = json_object_get(response->doc, "errors");
    int first = 0;
    for (size_t i = 0; i < stoq->connectors.count; i++) {
        struct stoq_loaded *p = stoq->connectors.items[i];
        struct stoq_error mine = {0};
        int rc = stoq_call_save(p, response, &mine);
        if (rc >= 0)
            continue;
        const char *text = stoq_scan_text(rc, &mine);
        if (stoq_doc_error(errors, stoq_loaded_name(p), NULL,
                           "connector:failed to save: %s", text) < 0)
            STOQ_ERROR("Failed to save results using %s: %s", stoq_loaded_name(p),
                       text);
        (void)stoq_error_set(err, mine.kind ? mine.kind : STOQ_ERROR_PLUGIN, rc,
                             "%s: %s", stoq_loaded_name(p), text);
        first = first ? first : rc;
    }
    return first;
}

/* ------------------------------------------------------------ source archivers */

static int
payload_of(struct stoq_child *child, struct stoq_payload **out, struct stoq_error *err)
{
    struct stoq_payload_meta meta = STOQ_PAYLOAD_META_INIT;
    meta.no_scan = child->no_scan;
    meta.no_archive = child->no_archive;
    meta.extra_data = child->extra_data;
    meta.filename = child->filename;
    return stoq_payload_new(child->data ? child->data : (const void *)"", child->size,
                            &meta, out, err);
}

int
stoq_engine_get(struct stoq *stoq, const char *name, const json_t *task,
                struct stoq_payload **out, struct stoq_error *err)
{
    struct stoq_loaded *p = stoq_engine_find(stoq, name);
    if (!p || !(stoq_loaded_roles(p) & STOQ_ROLE_SOURCE_ARCHIVER))
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -ENOENT,
                              "%s is not a loaded source archiver", name);
    uint64_t most = stoq->config->limits.bytes;
    struct stoq_reply reply;
    stoq_reply_init(&reply, most ? most : UINT64_MAX, 1);
    int rc = stoq_call_get(p, task, &reply, err);
    if (rc >= 0 && reply.children)
        rc = payload_of(reply.children, out, err);
    else if (rc >= 0)
        *out = NULL;
    stoq_reply_fini(&reply);
    return rc < 0 ? rc : 0;
}

/* ------------------------------------------------------- the whole, in one call */

STOQ_DEFINE_AUTO(stoq_response)
STOQ_DEFINE_AUTO(stoq_request)

int
stoq_scan_request(struct stoq *stoq, struct stoq_request *request,
                  const char *const *start_dispatch, struct stoq_response **out,
                  struct stoq_error *err)
{
    STOQ_AUTO(stoq_response) response = NULL;
    int rc = stoq_engine_scan(stoq, request, start_dispatch, &response, err);
    if (rc == 0)
        rc = stoq_engine_finish(stoq, request, response, err);
    if (rc < 0)
        return rc;
    *out = STOQ_STEAL(&response);
    return 0;
}

int
stoq_scan_payload(struct stoq *stoq, struct stoq_payload *payload,
                  const char *const *start_dispatch, struct stoq_response **out,
                  struct stoq_error *err)
{
    STOQ_AUTO(stoq_request) request = NULL;
    int rc = stoq_request_new(NULL, NULL, true, &request, err);
    if (rc < 0) {
        stoq_payload_free(payload);
        return rc;
    }
    rc = stoq_request_add(request, payload, err);
    return rc < 0 ? rc : stoq_scan_request(stoq, request, start_dispatch, out, err);
}

int
stoq_scan(struct stoq *stoq, const void *data, size_t size,
          const struct stoq_payload_meta *meta, const char *const *start_dispatch,
          struct stoq_response **out, struct stoq_error *err)
{
    struct stoq_payload *payload = NULL;
    int rc = stoq_payload_new(data, size, meta, &payload, err);
    return rc < 0 ? rc : stoq_scan_payload(stoq, payload, start_dispatch, out, err);
}
