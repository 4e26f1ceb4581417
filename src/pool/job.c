/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs and the outcomes made without a scan; see job.h. Called by submitters (new) and
 * by the pool's thread (the rest). No lock: a job has one owner at a time.
 */
#include "pool/job.h"

#include <errno.h>
#include <string.h>

#include "core/engine.h"
#include "pool/meta.h"
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

/** Text @p i of @p spec, with extra data as JSON in @p extra. */
static const char *
spec_text(const struct stoq_job_spec *spec, size_t i, const char *extra)
{
    const char *const texts[STOQ_WIRE_TEXTS] = {
        [STOQ_WIRE_FILENAME] = spec->filename,
        [STOQ_WIRE_PATH] = spec->path,
        [STOQ_WIRE_SOURCE_DIR] = spec->source_dir,
        [STOQ_WIRE_OWNER] = spec->owner,
        [STOQ_WIRE_REQUEST_SOURCE] = spec->request_source,
        [STOQ_WIRE_REQUEST_EXTRA] = extra,
    };
    return texts[i];
}

/** Measure the body and fill the lengths of @p wire. @return its size or -E2BIG. */
static ssize_t
measure(const struct stoq_job_spec *spec, const char *extra, struct stoq_wire_job *wire)
{
    size_t total = 0;

    for (size_t i = 0; i < STOQ_WIRE_TEXTS; i++) {
        const char *text = spec_text(spec, i, extra);
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
fill_body(const struct stoq_job_spec *spec, const char *extra, struct stoq_job *job)
{
    char *at = job->body;

    for (size_t i = 0; i < STOQ_WIRE_TEXTS; i++) {
        if (job->wire.length[i] == STOQ_WIRE_NONE)
            continue;
        memcpy(at, spec_text(spec, i, extra), job->wire.length[i] + 1U);
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

int
stoq_job_new(const struct stoq_job_spec *spec, uint64_t id, uint64_t deadline_ms,
             struct stoq_job **out)
{
    STOQ_AUTOCLOSE int fd = spec->fd;
    STOQ_AUTOFREE char *extra = NULL;
    STOQ_AUTO(stoq_job) job = NULL;
    struct stoq_wire_job wire = {.head.type = STOQ_WIRE_JOB, .id = id};
    ssize_t size;
    int r;

    if (spec->priority >= STOQ_PRIORITY_COUNT || fd < 0)
        return -EINVAL;
    if (spec->request_extra) {
        extra = stoq_json_dump(spec->request_extra, false);
        if (!extra)
            return -ENOMEM;
    }
    size = measure(spec, extra, &wire);
    if (size < 0)
        return (int)size;
    job = calloc(1, sizeof(*job) + (size_t)size);
    if (!job)
        return -ENOMEM;
    job->fd = STOQ_STEAL_FD(&fd);
    job->id = id;
    job->priority = spec->priority;
    job->same = spec->same;
    job->done = spec->done;
    job->arg = spec->arg;
    wire.deadline_ms = spec->deadline_ms ? spec->deadline_ms : deadline_ms;
    wire.flags = (spec->reuse ? STOQ_WIRE_JOB_REUSE : 0U) |
                 (spec->want_payloads ? STOQ_WIRE_JOB_PAYLOADS : 0U);
    job->wire = wire;
    job->body_size = (size_t)size;
    fill_body(spec, extra, job);
    r = stoq_wire_names(&job->wire, job->body, job->body_size, &job->names);
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

void
stoq_job_fail(struct stoq_job *job, enum stoq_verdict verdict, const char *engine_id,
              const char *text)
{
    struct stoq_payload_meta meta = STOQ_PAYLOAD_META_INIT;
    struct stoq_response *response = NULL;
    struct stoq_outcome *o = job->outcome;
    uint64_t size;
    int r = stoq_names_meta(&job->names, &meta);

    /* what a scanner was given; a file that changed since is another question */
    if (job->sent)
        o->st = job->before;
    else
        (void)fstat(job->fd, &o->st);
    size = o->st.st_size > 0 ? (uint64_t)o->st.st_size : 0;
    if (r == 0)
        r = stoq_response_failed(&meta, size, verdict, engine_id, text, &response,
                                 NULL);
    if (r == 0)
        r = adopt(job, response);
    if (r < 0) {
        o->document = STOQ_STEAL(&job->spare);
        o->document_size = strlen(o->document);
        o->verdict = STOQ_VERDICT_ERROR;
        stoq_uuid(o->scan_id);
    }
    stoq_response_free(response);
    json_decref(meta.extra_data);
}

int
stoq_job_reuse(struct stoq_job *job, const uint8_t sha256[STOQ_SHA256_SIZE],
               const char *text, size_t size)
{
    struct stoq_payload_meta meta = STOQ_PAYLOAD_META_INIT;
    struct stoq_response *response = NULL;
    int r = stoq_names_meta(&job->names, &meta);

    if (r == 0)
        r = stoq_response_reuse(text, size, &meta, &response, NULL);
    if (r == 0)
        r = adopt(job, response);
    if (r == 0) {
        memcpy(job->outcome->sha256, sha256, STOQ_SHA256_SIZE);
        job->outcome->has_sha256 = true;
        job->outcome->reused = true;
        job->outcome->reusable = true;
    }
    stoq_response_free(response);
    json_decref(meta.extra_data);
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
