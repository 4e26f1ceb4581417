/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Asking dispatchers which workers a payload is due. stoQ asks every dispatcher for
 * every payload in every round; one whose answers depend on content alone is asked once
 * here, and its answer holds for all rounds. What stoQ drops, a dispatcher's soft
 * errors, becomes a warning and counts as a fault. No lock.
 */

#include <errno.h>

#include "core/document.h"
#include "core/scan.h"
#include "util/auto.h"

static void
take_answer(struct stoq_scan *scan, struct stoq_payload *payload,
            const char *dispatcher, struct stoq_reply *reply, struct stoq_strv *names)
{
    for (size_t i = 0; i < reply->dispatch.count; i++)
        stoq_scan_want(scan, names, reply->dispatch.items[i]);
    for (size_t i = 0; i < reply->errors.count; i++) {
        scan->faults |= STOQ_FAULT_ERROR;
        stoq_scan_note(scan,
                       stoq_doc_warning(scan->warnings, "%s on %s: %s", dispatcher,
                                        payload->id, reply->errors.items[i]));
    }
    json_t *meta = reply->meta ? STOQ_STEAL(&reply->meta) : json_object();
    stoq_scan_note(scan, json_object_set_new(payload->dispatch_meta, dispatcher, meta));
}

static void
ask(struct stoq_scan *scan, struct stoq_payload *payload,
    struct stoq_loaded *dispatcher, struct stoq_strv *names)
{
    struct stoq_reply reply;
    struct stoq_error err = {0};
    const char *name = stoq_loaded_name(dispatcher);
    stoq_reply_init(&reply, 0, 0);
    int rc = stoq_call_dispatch(dispatcher, payload, scan->request, &reply, &err);
    scan->content_only &= stoq_loaded_content_only(dispatcher);
    stoq_absorb_hits(scan, payload, &reply);
    if (rc < 0) {
        stoq_scan_fault(scan, rc, &err);
        if (!scan->silent)
            stoq_scan_note(scan,
                           stoq_doc_error(scan->request->errors, name, payload->id,
                                          "dispatcher:failed to dispatch: %s",
                                          stoq_scan_text(rc, &err)));
    } else {
        take_answer(scan, payload, name, &reply, names);
    }
    stoq_reply_fini(&reply);
}

void
stoq_dispatch(struct stoq_scan *scan, struct stoq_payload *payload,
              struct stoq_strv *names)
{
    const struct stoq_roster *all = &scan->stoq->dispatchers;
    for (size_t i = 0; i < all->count; i++) {
        bool once = stoq_loaded_content_only(all->items[i]);
        if (once && payload->asked)
            continue;
        ask(scan, payload, all->items[i], once ? &payload->dispatched : names);
    }
    payload->asked = true;
    for (size_t i = 0; i < payload->dispatched.count; i++)
        stoq_scan_want(scan, names, payload->dispatched.items[i]);
}
