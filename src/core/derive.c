/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Documents made from a document: split() gives one per worker's result, reconstruct()
 * one per payload with everything below it. Copies throughout: a tree has one owner.
 * Two differences from stoQ 3: reconstruct keeps the errors, and it works without the
 * payloads' bytes. No lock.
 */

#include <errno.h>
#include <string.h>

#include "core/core.h"
#include "core/response.h"
#include "util/auto.h"

STOQ_DEFINE_AUTO(stoq_response)

/* A copy of doc with other results (taken, also on failure). */
static json_t *
with_results(const json_t *doc, json_t *results)
{
    json_t *shallow = json_copy((json_t *)(uintptr_t)doc);
    if (!shallow || json_object_set_new(shallow, "results", results) < 0) {
        json_decref(shallow);
        return NULL;
    }
    json_t *copy = json_deep_copy(shallow);
    json_decref(shallow);
    return copy;
}

/* An array of entry alone, its workers reduced to one; not a deep copy. */
static json_t *
piece(json_t *entry, const char *worker, json_t *result)
{
    json_t *only = json_object();
    json_t *reduced = json_copy(entry);
    json_t *results = json_array();
    int rc = json_object_set(only, worker, result);
    rc |= json_object_set_new(reduced, "workers", only);
    rc |= json_array_append_new(results, reduced);
    if (rc != 0) {
        json_decref(results);
        return NULL;
    }
    return results;
}

json_t *
stoq_response_split(const struct stoq_response *response)
{
    json_t *out = json_array();
    size_t i;
    json_t *entry;
    json_array_foreach (json_object_get(response->doc, "results"), i, entry) {
        const char *worker;
        json_t *result;
        json_object_foreach (json_object_get(entry, "workers"), worker, result) {
            json_t *doc = with_results(response->doc, piece(entry, worker, result));
            if (json_array_append_new(out, doc) < 0) {
                json_decref(out);
                return NULL;
            }
        }
    }
    return out;
}

/* Entry start of results and what came out of it. An entry with two parents in the
 * tree is there twice, as in stoQ. Ids of the tree are the keys of `seen`. */
static json_t *
subtree(const json_t *results, size_t start)
{
    json_auto_t *seen = json_object();
    json_t *list = json_array();
    json_t *root = json_array_get(results, start);
    int rc = json_object_set_new(
        seen, json_string_value(json_object_get(root, "payload_id")), json_true());
    rc |= json_array_append(list, root);
    for (size_t i = start; i < json_array_size(results); i++) {
        json_t *entry = json_array_get(results, i);
        const char *id = json_string_value(json_object_get(entry, "payload_id"));
        size_t k;
        json_t *parent;
        json_array_foreach (json_object_get(entry, "extracted_from"), k, parent) {
            if (!json_object_get(seen, json_string_value(parent)))
                continue;
            rc |= json_object_set_new(seen, id, json_true());
            rc |= json_array_append(list, entry);
        }
    }
    if (rc != 0) {
        json_decref(list);
        return NULL;
    }
    return list;
}

int
stoq_response_reconstruct(struct stoq *stoq, const struct stoq_response *response,
                          json_t **out, struct stoq_error *err)
{
    const json_t *results = json_object_get(response->doc, "results");
    json_auto_t *list = json_array();
    for (size_t i = 0; i < json_array_size(results); i++) {
        json_t *doc = with_results(response->doc, subtree(results, i));
        if (doc && json_object_set_new(doc, "decorators", json_object()) < 0) {
            json_decref(doc);
            doc = NULL;
        }
        STOQ_AUTO(stoq_response) r = NULL;
        int rc = stoq_response_make(doc, &r, err);
        if (rc == 0)
            rc = stoq_response_decorate(stoq, r);
        if (rc == 0 && json_array_append(list, r->doc) < 0)
            rc = -ENOMEM;
        if (rc < 0)
            return stoq_error_set(err, STOQ_ERROR_SYSTEM, rc, "out of memory");
    }
    *out = json_incref(list);
    return 0;
}
