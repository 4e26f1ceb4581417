/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a scanner's RESULT message to an outcome: every number is checked against the
 * limits and against what really arrived, since the scanner may be hostile by now.
 * Called by the pool's thread; no lock.
 */
#include <errno.h>
#include <string.h>

#include "pool/document.h"
#include "pool/job.h"
#include "util/auto.h"

/* A document may be this much longer than the limit its engine keeps to; and this long
 * when there is no limit. */
#define DOCUMENT_SLACK 65536U
#define DOCUMENT_MAX   (1ULL << 30)

static uint64_t
document_max(uint64_t response_bytes)
{
    if (response_bytes == 0 || response_bytes > DOCUMENT_MAX)
        return DOCUMENT_MAX;
    return response_bytes + DOCUMENT_SLACK;
}

/** Read and check @p count extents of a memfd of @p payloads bytes. */
static int
read_extents(const struct stoq_wire_msg *msg, size_t count, struct stoq_extent **out)
{
    uint64_t payloads = msg->u.result.payloads;
    STOQ_AUTOFREE struct stoq_extent *extents = calloc(count, sizeof(*extents));
    struct stoq_wire_extent wire;

    if (!extents)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        int r = stoq_wire_body(msg, i * sizeof(wire), &wire, sizeof(wire));

        if (r < 0)
            return r;
        if (wire.offset > payloads || wire.size > payloads - wire.offset ||
            (i > 0 && wire.index <= extents[i - 1].index) || wire.index == 0)
            return -EPROTO;
        extents[i].index = wire.index;
        extents[i].offset = wire.offset;
        extents[i].size = wire.size;
    }
    *out = STOQ_STEAL(&extents);
    return 0;
}

static int
read_document(const struct stoq_wire_msg *msg, uint64_t off, size_t size, char **out)
{
    STOQ_AUTOFREE char *text = malloc(size + 1);
    int r;

    if (!text)
        return -ENOMEM;
    r = stoq_wire_body(msg, off, text, size);
    if (r < 0)
        return r;
    text[size] = '\0';
    *out = STOQ_STEAL(&text);
    return 0;
}

/** The numbers of the message among themselves. @return bytes of extents or -EPROTO. */
static ssize_t
check_numbers(const struct stoq_job *job, const struct stoq_wire_msg *msg,
              uint64_t response_bytes)
{
    const struct stoq_wire_result *w = &msg->u.result;
    uint64_t extents = (uint64_t)w->extents * sizeof(struct stoq_wire_extent);
    bool wanted = (job->wire.flags & STOQ_WIRE_JOB_PAYLOADS) != 0;

    if (w->id != job->id || w->extents > STOQ_WIRE_EXTENTS_MAX ||
        (w->flags & ~(STOQ_WIRE_RESULT_REUSABLE | STOQ_WIRE_RESULT_SHA256 |
                      STOQ_WIRE_RESULT_LAST)) != 0)
        return -EPROTO;
    if ((!wanted && w->extents > 0) || (w->extents == 0 && w->payloads > 0))
        return -EPROTO;
    if (extents > w->head.body || w->head.body - extents > document_max(response_bytes))
        return -EPROTO;
    if (w->extents > 0 && !stoq_wire_sealed(msg->fds[0], w->payloads))
        return -EPROTO;
    return (ssize_t)extents;
}

int
stoq_job_result(struct stoq_job *job, struct stoq_wire_msg *msg,
                uint64_t response_bytes)
{
    const struct stoq_wire_result *w = &msg->u.result;
    STOQ_AUTOFREE struct stoq_extent *extents = NULL;
    STOQ_AUTOFREE char *document = NULL;
    struct stoq_document_facts facts = {.verdict = STOQ_VERDICT_ERROR};
    struct stoq_outcome *o = job->outcome;
    ssize_t off = check_numbers(job, msg, response_bytes);
    size_t size;
    int r;

    if (off < 0)
        return (int)off;
    size = (size_t)(w->head.body - (uint64_t)off);
    r = w->extents > 0 ? read_extents(msg, w->extents, &extents) : 0;
    if (r == 0)
        r = read_document(msg, (uint64_t)off, size, &document);
    if (r == 0)
        r = stoq_document_check(document, size, &facts);
    if (r < 0)
        return r;
    o->verdict = facts.verdict;
    memcpy(o->scan_id, facts.scan_id, sizeof(o->scan_id));
    o->has_sha256 = (w->flags & STOQ_WIRE_RESULT_SHA256) != 0;
    o->reusable = o->has_sha256 && (w->flags & STOQ_WIRE_RESULT_REUSABLE) != 0 &&
                  facts.verdict != STOQ_VERDICT_ERROR &&
                  facts.verdict != STOQ_VERDICT_TIMEOUT;
    memcpy(o->sha256, w->sha256, sizeof(o->sha256));
    o->document = STOQ_STEAL(&document);
    o->document_size = size;
    o->extents = STOQ_STEAL(&extents);
    o->extent_count = w->extents;
    o->payloads_fd = w->extents > 0 ? stoq_wire_take(msg, 0) : -1;
    return 0;
}
