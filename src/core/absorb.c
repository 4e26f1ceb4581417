/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Taking in what workers hand back: results, errors, limits, wishes for more workers,
 * and children, which are deduplicated by content over the whole request. No lock.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/document.h"
#include "core/scan.h"
#include "util/auto.h"

STOQ_DEFINE_AUTO(stoq_payload)

static uint64_t
left(uint64_t limit, uint64_t used)
{
    return limit > used ? limit - used : 0;
}

/* What all children together may have, and which limit says so. */
static uint64_t
byte_limit(const struct stoq_scan *scan, const char **name)
{
    uint64_t bytes = scan->config->limits.extracted_bytes;
    *name = "extracted_bytes";
    if (bytes != 0 && bytes <= scan->ratio_bytes)
        return bytes;
    if (scan->ratio_bytes != UINT64_MAX)
        *name = "ratio";
    return scan->ratio_bytes;
}

void
stoq_absorb_room(const struct stoq_scan *scan, uint64_t *bytes, uint64_t *children)
{
    const char *name;
    uint64_t limit = byte_limit(scan, &name);
    uint64_t count = scan->config->limits.children;
    *bytes = limit == UINT64_MAX ? limit : left(limit, scan->extracted);
    *children = count ? left(count, scan->children) : UINT64_MAX;
}

void
stoq_absorb_hits(struct stoq_scan *scan, const struct stoq_payload *payload,
                 const struct stoq_reply *reply)
{
    for (size_t i = 0; i < reply->hit_count; i++) {
        const char *name = reply->hits[i].name;
        uint64_t value = reply->hits[i].value;
        /* A refused child: the border knows the room it had, we know whose room. */
        if (strcmp(name, "extracted_bytes") == 0) {
            (void)byte_limit(scan, &name);
            value = strcmp(name, "ratio") == 0 ? scan->config->limits.ratio
                                               : scan->config->limits.extracted_bytes;
        } else if (strcmp(name, "children") == 0) {
            value = scan->config->limits.children;
        }
        stoq_scan_limit(scan, name, value, payload);
    }
}

static int
keep_found(struct stoq_scan *scan, struct stoq_payload *child)
{
    if (scan->found_count == scan->found_room) {
        size_t room = scan->found_room ? 2 * scan->found_room : 8;
        struct stoq_payload **found =
            reallocarray(scan->found, room, sizeof(struct stoq_payload *));
        if (!found) {
            stoq_payload_free(child);
            return -ENOMEM;
        }
        scan->found = found;
        scan->found_room = room;
    }
    scan->found[scan->found_count++] = child;
    return 0;
}

static void
take_errors(struct stoq_scan *scan, const struct stoq_payload *payload,
            const char *worker, const struct stoq_reply *reply)
{
    for (size_t i = 0; i < reply->errors.count; i++) {
        scan->faults |= STOQ_FAULT_ERROR;
        stoq_scan_note(scan, stoq_doc_error(scan->request->errors, worker, payload->id,
                                            "%s", reply->errors.items[i]));
    }
}

static void
take_success(struct stoq_scan *scan, struct stoq_payload *payload, const char *worker,
             struct stoq_reply *reply)
{
    if (reply->results && !json_is_null(reply->results))
        stoq_scan_note(scan, json_object_set_new(payload->workers, worker,
                                                 STOQ_STEAL(&reply->results)));
    for (size_t i = 0; i < reply->dispatch.count; i++)
        stoq_scan_want(scan, &payload->due, reply->dispatch.items[i]);
    for (struct stoq_child *c = reply->children; c; c = c->next) {
        struct stoq_payload *child = NULL;
        int rc = stoq_payload_child(c, payload, worker, &child);
        stoq_scan_note(scan, rc < 0 ? rc : keep_found(scan, child));
    }
    scan->children += reply->child_count;
    scan->extracted += reply->extracted;
}

void
stoq_absorb_reply(struct stoq_scan *scan, const struct stoq_task *task,
                  struct stoq_reply *reply, int rc, const struct stoq_error *err)
{
    struct stoq_payload *payload = task->payload;
    const char *worker = stoq_loaded_name(task->worker);
    stoq_scan_note(scan, json_array_append_new(payload->ran, json_string(worker)));
    stoq_scan_note(scan, json_object_set_new(payload->ms, worker,
                                             stoq_doc_ms(reply->duration_ns)));
    scan->content_only &= stoq_loaded_content_only(task->worker);
    stoq_absorb_hits(scan, payload, reply);
    take_errors(scan, payload, worker, reply);
    if (rc >= 0) {
        take_success(scan, payload, worker, reply);
        return;
    }
    /* A worker that passes on the refusal of a child ran into a limit, which is on
     * record, and did not fail otherwise. */
    bool refused = rc == -E2BIG && reply->hit_count > 0;
    if (!refused)
        stoq_scan_fault(scan, rc, err);
    stoq_scan_note(scan, stoq_doc_error(scan->request->errors, worker, payload->id,
                                        "worker:failed to scan: %s",
                                        refused ? "a limit of the scan was reached"
                                                : stoq_scan_text(rc, err)));
}

/* ------------------------------------------------------------------- children */

/* Whether a new child takes part in the rounds to come; if not, say why. */
static void
admit(struct stoq_scan *scan, struct stoq_payload *child)
{
    if (scan->level >= scan->rounds) {
        stoq_scan_note(scan, stoq_doc_error(scan->request->errors, NULL, child->id,
                                            "Final worker round (%" PRIu64 ") reached, "
                                            "unable to process payload",
                                            scan->level));
        stoq_scan_limit(scan, "max_recursion", scan->rounds, child);
        child->scan = false;
    } else if (child->scan && child->depth > scan->config->limits.depth) {
        stoq_scan_limit(scan, "depth", scan->config->limits.depth, child);
        child->scan = false;
    }
}

/* Join a duplicate to the payload that has its bytes. The first one's metadata stay;
 * wishes for workers are kept, where stoQ loses them, so that nothing due is missed. */
static void
join(struct stoq_scan *scan, struct stoq_payload *first, struct stoq_payload *child)
{
    stoq_scan_note(scan, json_array_extend(first->by, child->by));
    stoq_scan_note(scan, json_array_extend(first->from, child->from));
    if (!child->scan)
        return;
    if (first->depth > 0 &&
        !json_is_true(json_object_get(first->meta, "should_scan"))) {
        stoq_scan_note(scan,
                       json_object_set_new(first->meta, "should_scan", json_true()));
        first->scan = true;
        admit(scan, first);
    }
    for (size_t i = 0; first->scan && i < child->due.count; i++)
        stoq_scan_want(scan, &first->due, child->due.items[i]);
}

static void
absorb_child(struct stoq_scan *scan, struct stoq_payload *found)
{
    STOQ_AUTO(stoq_payload) child = found;
    struct stoq_request *request = scan->request;
    size_t same = stoq_seen_find(&scan->seen, request, stoq_payload_sha256(child));
    if (!child->has_sha256) {
        scan->no_memory = true;
        return;
    }
    if (same != 0) {
        for (; same != 0; same = request->payloads[same - 1]->next_same)
            join(scan, request->payloads[same - 1], child);
        return;
    }
    admit(scan, child);
    int rc = stoq_request_push(request, STOQ_STEAL(&child));
    if (rc == 0)
        rc = stoq_seen_add(&scan->seen, request, request->count - 1);
    stoq_scan_note(scan, rc);
}

void
stoq_absorb_children(struct stoq_scan *scan)
{
    for (size_t i = 0; i < scan->found_count; i++)
        absorb_child(scan, scan->found[i]);
    scan->found_count = 0;
}
