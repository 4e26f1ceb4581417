/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The scanning half: rounds until nothing is due, then the document. Follows stoQ's
 * loop; what stoQ drops without a word (work that was due and never ran) is a warning
 * here and counts against the verdict. Callers: the public interface, the pool's
 * scanners. No lock: a scan belongs to one thread.
 */

#include "core/scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/document.h"
#include "core/engine.h"
#include "core/response.h"
#include "util/auto.h"

#define DEFAULT_ROUNDS 10
/* Small roots may hold more than their size allows: 4 KiB of zip can be honest. */
#define RATIO_FLOOR 4096

STOQ_DEFINE_AUTO(stoq_response)

void
stoq_scan_note(struct stoq_scan *scan, int rc)
{
    if (rc < 0)
        scan->no_memory = true;
}

void
stoq_scan_want(struct stoq_scan *scan, struct stoq_strv *names, const char *name)
{
    static const char blanks[] = " \t\r\n\v\f";
    size_t skip = strspn(name, blanks);
    size_t n = strlen(name + skip);
    size_t end = n;
    while (end > 0 && strchr(blanks, name[skip + end - 1]))
        end--;
    if (end == n) {
        stoq_scan_note(scan, stoq_strv_add_unique(names, name + skip));
        return;
    }
    STOQ_AUTOFREE char *copy = strndup(name + skip, end);
    stoq_scan_note(scan, copy ? stoq_strv_add_unique(names, copy) : -ENOMEM);
}

void
stoq_scan_limit(struct stoq_scan *scan, const char *name, uint64_t value,
                const struct stoq_payload *payload)
{
    scan->faults |= STOQ_FAULT_LIMIT;
    stoq_scan_note(
        scan, stoq_doc_limit(scan->hits, name, value, payload ? payload->id : NULL));
}

void
stoq_scan_fault(struct stoq_scan *scan, int rc, const struct stoq_error *err)
{
    bool timeout = rc == -ETIMEDOUT || err->kind == STOQ_ERROR_TIMEOUT;
    scan->faults |= timeout ? STOQ_FAULT_TIMEOUT : STOQ_FAULT_ERROR;
}

const char *
stoq_scan_text(int rc, const struct stoq_error *err)
{
    return err->message[0] ? err->message : strerror(-rc);
}

/* ---------------------------------------------------------------------- roots */

static void
prepare_root(struct stoq_scan *scan, size_t index, const char *const *start_dispatch)
{
    struct stoq_payload *root = scan->request->payloads[index];
    uint64_t limit = scan->config->limits.bytes;
    if (limit != 0 && root->content.size > limit) {
        root->scan = false;
        scan->faults |= STOQ_FAULT_SKIP;
        stoq_scan_note(scan, stoq_doc_limit(scan->hits, "bytes", limit, root->id));
        return;
    }
    if (!root->scan)
        scan->faults |= STOQ_FAULT_SKIP;
    (void)stoq_payload_sha256(root);
    stoq_scan_note(scan, root->has_sha256
                             ? stoq_seen_add(&scan->seen, scan->request, index)
                             : -ENOMEM);
    for (size_t i = 0; root->scan && start_dispatch && start_dispatch[i]; i++)
        stoq_scan_want(scan, &root->due, start_dispatch[i]);
}

static void
prepare(struct stoq_scan *scan, const char *const *start_dispatch)
{
    const struct stoq_limits *limits = &scan->config->limits;
    uint64_t bytes = 0;
    scan->started_ns = stoq_now_ns();
    uint64_t ms =
        scan->request->deadline_ms ? scan->request->deadline_ms : limits->deadline_ms;
    if (ms != 0 && (__builtin_mul_overflow(ms, UINT64_C(1000000), &scan->deadline_ns) ||
                    __builtin_add_overflow(scan->deadline_ns, scan->started_ns,
                                           &scan->deadline_ns)))
        scan->deadline_ns = UINT64_MAX;
    for (size_t i = 0; i < scan->request->count; i++) {
        bytes += scan->request->payloads[i]->content.size;
        prepare_root(scan, i, start_dispatch);
    }
    bytes = bytes < RATIO_FLOOR ? RATIO_FLOOR : bytes;
    if (limits->ratio == 0 ||
        __builtin_mul_overflow(bytes, limits->ratio, &scan->ratio_bytes))
        scan->ratio_bytes = UINT64_MAX;
    scan->rounds =
        scan->config->max_recursion ? scan->config->max_recursion : DEFAULT_ROUNDS;
}

/* ------------------------------------------------------- what never came to run */

/* A comma list of what name still needs on payload; the caller frees. */
static char *
unmet(struct stoq_scan *scan, const struct stoq_payload *payload, const char *name)
{
    struct stoq_loaded *p = stoq_engine_find(scan->stoq, name);
    const struct stoq_strv *required = p ? stoq_loaded_required(p) : NULL;
    struct stoq_strbuf text = {0};
    for (size_t i = 0; required && i < required->count; i++) {
        if (stoq_payload_has_run(payload, required->items[i]))
            continue;
        stoq_strbuf_adds(&text, text.size ? ", " : "");
        stoq_strbuf_adds(&text, required->items[i]);
    }
    return stoq_strbuf_steal(&text);
}

/* Nothing can run any more, but this was due. */
static void
tell_dropped(struct stoq_scan *scan)
{
    for (size_t i = 0; i < scan->request->count; i++) {
        const struct stoq_payload *p = scan->request->payloads[i];
        for (size_t k = 0; p->scan && k < p->due.count; k++) {
            STOQ_AUTOFREE char *missing = unmet(scan, p, p->due.items[k]);
            scan->faults |= STOQ_FAULT_ERROR;
            stoq_scan_note(scan, stoq_doc_warning(
                                     scan->warnings, "%s on %s never ran: it needs %s",
                                     p->due.items[k], p->id, missing ? missing : "?"));
        }
    }
}

static void
tell_late(struct stoq_scan *scan, const struct stoq_payload *payload,
          const char *worker)
{
    stoq_scan_limit(scan, "max_recursion", scan->rounds, payload);
    stoq_scan_note(
        scan, stoq_doc_warning(scan->warnings,
                               "%s on %s was due after the last round (%" PRIu64 ")",
                               worker, payload->id, scan->rounds));
}

/* All rounds were used. Plan one more without running it: is anything left? */
static void
look_ahead(struct stoq_scan *scan)
{
    scan->silent = true;
    stoq_round_plan(scan);
    for (size_t i = 0; i < scan->task_count; i++)
        tell_late(scan, scan->tasks[i].payload,
                  stoq_loaded_name(scan->tasks[i].worker));
    for (size_t i = 0; i < scan->request->count; i++) {
        const struct stoq_payload *p = scan->request->payloads[i];
        for (size_t k = 0; p->scan && k < p->due.count; k++)
            tell_late(scan, p, p->due.items[k]);
    }
}

static void
run_rounds(struct stoq_scan *scan)
{
    for (scan->level = 1; scan->level <= scan->rounds; scan->level++) {
        stoq_round_plan(scan);
        if (scan->no_memory)
            return;
        if (scan->task_count == 0) {
            tell_dropped(scan);
            return;
        }
        if (!stoq_round_run(scan))
            return;
    }
    look_ahead(scan);
}

/* ------------------------------------------------------------------- response */

/* A file that lost bytes while it was mapped was read as zeros from there on. */
static void
tell_torn(struct stoq_scan *scan)
{
    for (size_t i = 0; i < scan->request->count; i++) {
        struct stoq_payload *p = scan->request->payloads[i];
        if (!stoq_content_torn(&p->content))
            continue;
        p->has_sha256 = false;
        scan->faults |= STOQ_FAULT_ERROR;
        stoq_scan_note(scan, stoq_doc_error(scan->request->errors, NULL, p->id,
                                            "file changed during the scan"));
    }
}

static json_t *
results_of(const struct stoq_request *request)
{
    json_t *results = json_array();
    for (size_t i = 0; i < request->count; i++)
        if (json_array_append(results, request->payloads[i]->entry) < 0) {
            json_decref(results);
            return NULL;
        }
    return results;
}

static bool
is_reusable(const struct stoq_scan *scan, enum stoq_verdict verdict, size_t roots,
            bool start_dispatch)
{
    const struct stoq_payload *root = roots == 1 ? scan->request->payloads[0] : NULL;
    return root && root->has_sha256 && scan->content_only && !start_dispatch &&
           json_is_true(json_object_get(root->meta, "should_scan")) &&
           verdict != STOQ_VERDICT_ERROR && verdict != STOQ_VERDICT_TIMEOUT;
}

static int
respond(struct stoq_scan *scan, struct stoq_response **out, struct stoq_error *err)
{
    char scan_id[STOQ_UUID_SIZE];
    stoq_uuid(scan_id);
    json_t *results = results_of(scan->request);
    json_t *flags = stoq_verdict_flags(&scan->config->policy, results);
    bool flagged = json_array_size(flags) > 0;
    struct stoq_doc d = {.results = results,
                         .request_meta = json_incref(scan->request->meta),
                         .errors = json_incref(scan->request->errors),
                         .hits = json_incref(scan->hits),
                         .flagged = flags,
                         .warnings = json_incref(scan->warnings),
                         .scan_id = scan_id,
                         .engine_id = scan->stoq->id,
                         .verdict = stoq_verdict_of(scan->faults, flagged),
                         .duration_ns = stoq_now_ns() - scan->started_ns};
    json_t *doc = stoq_doc_new(&d);
    if (!flags) { /* it would look as if nothing flagged */
        json_decref(doc);
        doc = NULL;
    }
    STOQ_AUTO(stoq_response) r = NULL;
    int rc = stoq_response_make(doc, &r, err);
    if (rc < 0)
        return rc;
    rc = stoq_trim(r->doc, scan->config->limits.response_bytes);
    if (rc > 0)
        rc = stoq_response_set_verdict(
            r, stoq_verdict_of(scan->faults | STOQ_FAULT_LIMIT, flagged));
    if (rc < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, rc, "out of memory");
    *out = STOQ_STEAL(&r);
    return 0;
}

static int
scan_and_respond(struct stoq_scan *scan, const char *const *start_dispatch,
                 struct stoq_response **out, struct stoq_error *err)
{
    size_t roots = scan->request->count;
    prepare(scan, start_dispatch);
    run_rounds(scan);
    tell_torn(scan);
    if (scan->no_memory)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    int rc = respond(scan, out, err);
    if (rc < 0)
        return rc;
    struct stoq_response *r = *out;
    r->reusable =
        is_reusable(scan, r->verdict, roots, start_dispatch && start_dispatch[0]);
    r->has_sha256 = roots > 0 && scan->request->payloads[0]->has_sha256;
    if (r->has_sha256)
        memcpy(r->sha256, scan->request->payloads[0]->sha256, sizeof(r->sha256));
    return 0;
}

int
stoq_engine_scan(struct stoq *stoq, struct stoq_request *request,
                 const char *const *start_dispatch, struct stoq_response **out,
                 struct stoq_error *err)
{
    if (request->used)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "request is used up");
    request->used = true;
    struct stoq_scan scan = {.stoq = stoq,
                             .request = request,
                             .config = stoq->config,
                             .hits = json_array(),
                             .warnings = json_array(),
                             .content_only = true};
    int rc = scan.hits && scan.warnings
                 ? scan_and_respond(&scan, start_dispatch, out, err)
                 : stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    stoq_round_fini(&scan);
    stoq_seen_fini(&scan.seen);
    json_decref(scan.hits);
    json_decref(scan.warnings);
    return rc;
}
