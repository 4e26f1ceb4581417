/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_POOL_JOB_H
#define STOQ_POOL_JOB_H

/*
 * A job from submission to outcome, and the outcomes that no scan made. A job has one
 * owner at a time: the queue (under the pool's lock), then the pool's thread.
 * All memory an ending needs is taken at submission, so that a job cannot fail to end.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "pool/pool.h"
#include "pool/wire.h"
#include "util/auto.h"

struct stoq_job {
    struct stoq_job *prev, *next, *chain; /**< the queue's */
    uint64_t id;
    enum stoq_priority priority;
    int fd;
    stoq_job_same same;
    stoq_job_done done;
    void *arg;
    struct stat before;        /**< of fd when a scanner was given it */
    bool sent;                 /**< before is valid */
    unsigned crashes, changes; /**< times it took a scanner down; was found changed */
    unsigned kills;            /**< times its scanner was killed from outside */
    unsigned wants;            /**< plugins it was found to need */
    struct stoq_outcome *outcome; /**< empty until the end */
    char *spare;                  /**< document for when there is no memory for one */
    struct stoq_wire_names names; /**< point into body */
    struct stoq_wire_job wire;
    size_t body_size;
    char body[];
};

/** Copy @p spec; spec->fd is taken, even on failure. @p deadline_ms is for a spec
 * without one. @return 0; -EINVAL; -E2BIG names too long; -ENOMEM. */
int stoq_job_new(const struct stoq_job_spec *spec, uint64_t id, uint64_t deadline_ms,
                 struct stoq_job **out);
void stoq_job_free(struct stoq_job *job);
STOQ_DEFINE_AUTO(stoq_job)

/** Call the job's done function with its outcome and free the job. */
void stoq_job_end(struct stoq_job *job);
/** Fill the outcome with a document that says @p text. @p engine_id may be NULL. */
void stoq_job_fail(struct stoq_job *job, enum stoq_verdict verdict,
                   const char *engine_id, const char *text);
/** Fill the outcome from a stored document for the same content.
 *  @return 0 or -errno, the outcome unchanged. */
int stoq_job_reuse(struct stoq_job *job, const uint8_t sha256[STOQ_SHA256_SIZE],
                   const char *text, size_t size);
/** fstat the file and say whether it is as it was. Fills outcome->st. */
bool stoq_job_unchanged(struct stoq_job *job);

/** Fill the outcome from a scanner's RESULT, checking all of it. Takes descriptors.
 *  @param response_bytes  the configured limit, 0 = unlimited.
 *  @return 0; -EPROTO; -errno. On failure the outcome is unchanged. */
int stoq_job_result(struct stoq_job *job, struct stoq_wire_msg *msg,
                    uint64_t response_bytes);

#endif
