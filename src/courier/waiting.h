/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_COURIER_WAITING_H
#define STOQ_COURIER_WAITING_H

/*
 * Scans that wait to be finished by the courier, in order. Any thread adds; the
 * client's thread alone sends, ends and removes them, so what it holds of one stays
 * valid. Lock: `lock`, inside these functions, never across a callback.
 */

#include <pthread.h>
#include <stdbool.h>

#include "pool/pool.h"

struct stoq_waiting_job {
    struct stoq_waiting_job *next;
    uint64_t id;
    struct stoq_outcome *outcome;
    int fd; /**< the scanned file, or -1; owned */
    stoq_job_done done;
    void *arg;
    unsigned deaths; /**< couriers that died over it; guarded by lock */
    bool sent;       /**< to the present courier; guarded by lock */
    bool refused;    /**< one too many: it is to be failed */
};

struct stoq_waiting {
    pthread_mutex_t lock;
    /* guarded by lock */
    struct stoq_waiting_job *head, **tail;
    size_t count;
    uint64_t next_id;
};

/** Numbers of jobs start at @p first_id. */
void stoq_waiting_init(struct stoq_waiting *w, uint64_t first_id);
/** @p w must be empty. */
void stoq_waiting_fini(struct stoq_waiting *w);
/** Append. @p outcome is taken, @p fd borrowed (duplicated). Beyond @p max the job is
 *  refused. @return 0; -ENOMEM, -EMFILE: then nothing is taken. */
int stoq_waiting_add(struct stoq_waiting *w, const struct stoq_waiting_job *like,
                     int fd, size_t max);
/** The first job that is not sent yet while fewer than @p window are, else NULL. */
struct stoq_waiting_job *stoq_waiting_next(struct stoq_waiting *w, size_t window);
void stoq_waiting_sent(struct stoq_waiting *w, struct stoq_waiting_job *job);
/** The courier died: nothing is sent any more, and it was at the first that was. */
void stoq_waiting_lost(struct stoq_waiting *w);

typedef bool (*stoq_waiting_match)(const struct stoq_waiting_job *job, uint64_t arg);
bool stoq_waiting_any(const struct stoq_waiting_job *job, uint64_t unused);
bool stoq_waiting_has_id(const struct stoq_waiting_job *job, uint64_t id);
bool stoq_waiting_is_refused(const struct stoq_waiting_job *job, uint64_t unused);
bool stoq_waiting_is_deadly(const struct stoq_waiting_job *job, uint64_t deaths);

/** Remove the first job that matches; NULL when none does. */
struct stoq_waiting_job *stoq_waiting_take(struct stoq_waiting *w,
                                           stoq_waiting_match match, uint64_t arg);
/** Remove and end every job that matches. */
void stoq_waiting_fail(struct stoq_waiting *w, stoq_waiting_match match, uint64_t arg,
                       const char *why);
/** Call back and free @p job. @p why NULL = its document is finished; else an error
 *  entry in the document says that it is not. */
void stoq_waiting_end(struct stoq_waiting_job *job, const char *why);

#endif
