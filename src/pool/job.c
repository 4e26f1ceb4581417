/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs and the outcomes made without a scan; see job.h. Called by submitters (new) and
 * by the pool's thread (the rest). No lock: a job has one owner at a time.
 */
#include "pool/job.h"

#include <errno.h>
#include <string.h>

#include "core/engine.h"
#include "pool/roots.h"
#include "util/auto.h"
#include "util/json.h"

/* Said when there is no memory to say more. */
#define SPARE                                                            \
    "{\"results\": [], \"errors\": [{\"plugin_name\": null, \"error\": " \
    "\"out of memory\", \"payload_id\": null}], \"verdict\": \"error\"}"

void
stoq_outcome_free(struct stoq_outcome *o)
{
    if (!o)
        return;
    free(o->document);
    stoq_auto_close(&o->payloads_fd);
    free(o->extents);
    free(o);
}

/** What of a job travels as JSON; owned. */
struct json_texts {
    char *extra, *roots;
};

static void
json_texts_fini(struct json_texts *t)
{
    free(t->extra);
    free(t->roots);
}

static int
json_texts_make(const struct stoq_job_spec *spec, struct json_texts *t)
{
    if (spec->request_extra) {
        t->extra = stoq_json_dump(spec->request_extra, false);
        if (!t->extra)
            return -ENOMEM;
    }
    return spec->roots ? stoq_roots_text(spec, &t->roots) : 0;
}

/** Text @p i of @p spec, with those that are JSON in @p json. */
static const char *
spec_text(const struct stoq_job_spec *spec, size_t i, const struct json_texts *json)
{
    const char *const texts[STOQ_WIRE_TEXTS] = {
        [STOQ_WIRE_FILENAME] = spec->filename,
        [STOQ_WIRE_PATH] = spec->path,
        [STOQ_WIRE_SOURCE_DIR] = spec->source_dir,
        [STOQ_WIRE_OWNER] = spec->owner,
        [STOQ_WIRE_REQUEST_SOURCE] = spec->request_source,
        [STOQ_WIRE_REQUEST_EXTRA] = json->extra,
        [STOQ_WIRE_ROOTS] = json->roots,
    };
    return texts[i];
}

/** Measure the body and fill the lengths of @p wire. @return its size or -E2BIG. */
static ssize_t
measure(const struct stoq_job_spec *spec, const struct json_texts *json,
        struct stoq_wire_job *wire)
{
    size_t total = 0;

    for (size_t i = 0; i < STOQ_WIRE_TEXTS; i++) {
        const char *text = spec_text(spec, i, json);
        size_t n = text ? strlen(text) : 0;

        if (n >= STOQ_WIRE_JOB_MAX)
            return -E2BIG;
        wire->length[i] = text ? (uint32_t)n : STOQ_WIRE_NONE;
        total += text ? n + 1 : 0;
    }
    for (; spec->start_dispatch && spec->start_dispatch[wire->dispatch];
         wire->dispatch++) {
        if (wire->dispatch == STOQ_WIRE_DISPATCH_MAX)
            return -E2BIG;
        total += strlen(spec->start_dispatch[wire->dispatch]) + 1;
    }
    return total <= STOQ_WIRE_JOB_MAX ? (ssize_t)total : -E2BIG;
}

static void
fill_body(const struct stoq_job_spec *spec, const struct json_texts *json,
          struct stoq_job *job)
{
    char *at = job->body;

    for (size_t i = 0; i < STOQ_WIRE_TEXTS; i++) {
        if (job->wire.length[i] == STOQ_WIRE_NONE)
            continue;
        memcpy(at, spec_text(spec, i, json), job->wire.length[i] + 1U);
        at += job->wire.length[i] + 1U;
    }
    for (uint32_t i = 0; i < job->wire.dispatch; i++) {
        size_t n = strlen(spec->start_dispatch[i]) + 1;

        memcpy(at, spec->start_dispatch[i], n);
        at += n;
    }
}

/** Everything that ending will need. */
static int
reserve(struct stoq_job *job)
{
    job->outcome = calloc(1, sizeof(*job->outcome));
    if (!job->outcome)
        return -ENOMEM;
    job->outcome->payloads_fd = -1;
    job->spare = strdup(SPARE);
    return job->spare ? 0 : -ENOMEM;
}

/** What is wrong with @p spec, or 0. */
static int
check_spec(const struct stoq_job_spec *spec)
{
    uint64_t total = 0;

    if (spec->priority >= STOQ_PRIORITY_COUNT || spec->fd < 0)
        return -EINVAL;
    if (!spec->roots)
        return 0;
    if (spec->root_count == 0 || spec->root_count > STOQ_ROOTS_MAX)
        return spec->root_count ? -E2BIG : -EINVAL;
    if (spec->root_count == 1 && spec->roots[0].size == STOQ_ROOT_ALL)
        return 0;
    for (size_t i = 0; i < spec->root_count; i++)
        if (__builtin_add_overflow(total, spec->roots[i].size, &total))
            return -EINVAL;
    /* it is mapped */
    return stoq_wire_sealed(spec->fd, total) ? 0 : -EINVAL;
}

/** A job around @p body bytes that fill_body() is to fill. */
static struct stoq_job *
make_job(const struct stoq_job_spec *spec, size_t body,
         const struct stoq_wire_job *wire)
{
    struct stoq_job *job = calloc(1, sizeof(*job) + body);
    bool reuse = spec->reuse && spec->root_count <= 1;

    if (!job)
        return NULL;
    job->fd = -1;
    job->id = wire->id;
    job->priority = spec->priority;
    job->same = spec->same;
    job->done = spec->done;
    job->arg = spec->arg;
    job->wire = *wire;
    job->wire.flags = (reuse ? STOQ_WIRE_JOB_REUSE : 0U) |
                      (spec->want_payloads ? STOQ_WIRE_JOB_PAYLOADS : 0U) |
                      (spec->no_archive ? STOQ_WIRE_JOB_NO_ARCHIVE : 0U);
    job->body_size = body;
    return job;
}

int
stoq_job_new(const struct stoq_job_spec *spec, uint64_t id, uint64_t deadline_ms,
             struct stoq_job **out)
{
    STOQ_AUTOCLOSE int fd = spec->fd;
    STOQ_AUTO(stoq_job) job = NULL;
    struct json_texts json = {NULL, NULL};
    struct stoq_wire_job wire = {
        .head.type = STOQ_WIRE_JOB,
        .id = id,
        .deadline_ms = spec->deadline_ms ? spec->deadline_ms : deadline_ms,
    };
    ssize_t size = 0;
    int r = check_spec(spec);

    if (r == 0)
        r = json_texts_make(spec, &json);
    if (r == 0)
        size = measure(spec, &json, &wire);
    if (r == 0)
        r = size < 0 ? (int)size : 0;
    if (r == 0)
        job = make_job(spec, (size_t)size, &wire);
    if (r == 0 && !job)
        r = -ENOMEM;
    if (r == 0) {
        job->fd = STOQ_STEAL_FD(&fd);
        fill_body(spec, &json, job);
        r = stoq_wire_names(&job->wire, job->body, job->body_size, &job->names);
    }
    json_texts_fini(&json);
    if (r == 0)
        r = reserve(job);
    if (r == 0)
        *out = STOQ_STEAL(&job);
    return r;
}

void
stoq_job_free(struct stoq_job *job)
{
    if (!job)
        return;
    stoq_auto_close(&job->fd);
    stoq_outcome_free(job->outcome);
    free(job->spare);
    free(job);
}

void
stoq_job_end(struct stoq_job *job)
{
    struct stoq_outcome *outcome = STOQ_STEAL(&job->outcome);

    if (job->done)
        job->done(job->arg, outcome, job->fd);
    else
        stoq_outcome_free(outcome);
    stoq_job_free(job);
}

/** Move what @p response says into the outcome. */
static int
adopt(struct stoq_job *job, const struct stoq_response *response)
{
    struct stoq_outcome *o = job->outcome;
    char *text = stoq_response_text(response, false);
    const char *scan_id = stoq_response_scan_id(response);

    if (!text)
        return -ENOMEM;
    o->document = text;
    o->document_size = strlen(text);
    o->verdict = stoq_response_verdict(response);
    memset(o->scan_id, 0, sizeof(o->scan_id));
    if (scan_id)
        memcpy(o->scan_id, scan_id, strnlen(scan_id, sizeof(o->scan_id) - 1));
    return 0;
}

/** The document's results, to be changed: nobody else has the response. */
static json_t *
results_of(const struct stoq_response *response)
{
    return json_object_get(stoq_response_document(response), "results");
}

/** As the request of the job would have had it. */
static int
forbid_archiving(const struct stoq_response *response)
{
    json_t *meta = json_object_get(stoq_response_document(response), "request_meta");

    return json_object_set_new(meta, "archive_payloads", json_false()) < 0 ? -ENOMEM
                                                                           : 0;
}

/** A document about @p roots that were not looked at, each by its entry. */
static int
fail_roots(const struct stoq_roots *roots, const struct stoq_outcome *o,
           enum stoq_verdict verdict, const char *engine_id, const char *text,
           struct stoq_response **out)
{
    struct stoq_response *all = NULL;
    int r = 0;

    for (size_t i = 0; i < roots->count && r == 0; i++) {
        const struct stoq_root *root = &roots->items[i];
        uint64_t size = root->size;
        struct stoq_response *one = NULL;

        if (size == STOQ_ROOT_ALL)
            size = o->st.st_size > 0 ? (uint64_t)o->st.st_size : 0;
        r = stoq_response_failed(&root->meta, size, verdict, engine_id, text, &one,
                                 NULL);
        if (r == 0 && all)
            r = json_array_extend(results_of(all), results_of(one)) < 0 ? -ENOMEM : 0;
        if (all)
            stoq_response_free(one);
        else
            all = one;
    }
    if (r == 0)
        *out = STOQ_STEAL(&all);
    stoq_response_free(all);
    return r;
}

void
stoq_job_fail(struct stoq_job *job, enum stoq_verdict verdict, const char *engine_id,
              const char *text)
{
    struct stoq_roots roots = {NULL, 0};
    struct stoq_response *response = NULL;
    struct stoq_outcome *o = job->outcome;
    int r = stoq_roots_read(&job->names, &roots);

    /* what a scanner was given; a file that changed since is another question */
    if (job->sent)
        o->st = job->before;
    else
        (void)fstat(job->fd, &o->st);
    if (r == 0)
        r = fail_roots(&roots, o, verdict, engine_id, text, &response);
    if (r == 0 && (job->wire.flags & STOQ_WIRE_JOB_NO_ARCHIVE))
        r = forbid_archiving(response);
    if (r == 0)
        r = adopt(job, response);
    if (r < 0) {
        o->document = STOQ_STEAL(&job->spare);
        o->document_size = strlen(o->document);
        o->verdict = STOQ_VERDICT_ERROR;
        stoq_uuid(o->scan_id);
    }
    stoq_response_free(response);
    stoq_roots_fini(&roots);
}

int
stoq_job_reuse(struct stoq_job *job, const uint8_t sha256[STOQ_SHA256_SIZE],
               const char *text, size_t size)
{
    struct stoq_roots roots = {NULL, 0};
    struct stoq_response *response = NULL;
    int r = stoq_roots_read(&job->names, &roots);

    if (r == 0)
        r = stoq_response_reuse(text, size, &roots.items[0].meta, &response, NULL);
    if (r == 0)
        r = adopt(job, response);
    if (r == 0) {
        memcpy(job->outcome->sha256, sha256, STOQ_SHA256_SIZE);
        job->outcome->has_sha256 = true;
        job->outcome->reused = true;
        job->outcome->reusable = true;
    }
    stoq_response_free(response);
    stoq_roots_fini(&roots);
    return r;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
           a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

bool
stoq_job_unchanged(struct stoq_job *job)
{
    struct stat *after = &job->outcome->st;

    if (fstat(job->fd, after) < 0)
        return false;
    return job->same ? job->same(job->arg, &job->before, after)
                     : same_file(&job->before, after);
}
