/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_POOL_POOL_H
#define STOQ_POOL_POOL_H

/*
 * The scanner pool: a queue of jobs on one side, sandboxed scanner processes forked
 * from a zygote on the other, and one thread between them. Used by stoqfs's mirror and
 * by the stoq command. Parses nothing but the pool's own wire format.
 *
 * A job is an open file descriptor and its names. Its outcome is always one document:
 * of a scan, of a crash (after one retry), of a deadline, of a file that would not keep
 * still. Callbacks run on the pool's thread, must not block, and may submit jobs.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include <stoq/stoq.h>

#include "core/config.h"
#include "pool/zygote.h"
#include "util/clock.h"
#include "util/digest.h"

struct stoq_pool;

/** Most urgent first. */
enum stoq_priority {
    STOQ_PRIORITY_READER = 0,     /**< somebody waits in open() */
    STOQ_PRIORITY_SIDECAR = 1,    /**< somebody waits for a result */
    STOQ_PRIORITY_WRITTEN = 2,    /**< just written */
    STOQ_PRIORITY_DISCOVERED = 3, /**< nobody waits */
    STOQ_PRIORITY_STALE = 4,      /**< known under older rules */
    STOQ_PRIORITY_COUNT = 5
};

/** Bytes of one payload for the archivers. */
struct stoq_extent {
    uint32_t index; /**< entry of the document's results; 0 with fd of the job itself */
    uint64_t offset; /**< in payloads_fd */
    uint64_t size;
};

/** What became of a job. Owned by whoever the callback hands it to. */
struct stoq_outcome {
    enum stoq_verdict verdict;
    char scan_id[STOQ_UUID_SIZE];
    uint8_t sha256[STOQ_SHA256_SIZE];
    bool has_sha256;
    bool reusable; /**< for equal content under the same engine id */
    bool reused;   /**< answered from the content cache, nothing was scanned */
    char
        engine_id[STOQ_SHA256_HEX]; /**< of the zygote whose scanner had the job last */
    char *document;                 /**< compact JSON, NUL-terminated */
    size_t document_size;           /**< without the NUL */
    struct stat st;  /**< of the descriptor, when its bytes had been read */
    int payloads_fd; /**< memfd with children to archive, or -1 */
    struct stoq_extent *extents;
    size_t extent_count;
};
void stoq_outcome_free(struct stoq_outcome *o);

/** @p outcome is taken. @p fd is the job's descriptor, borrowed for the call. */
typedef void (*stoq_job_done)(void *arg, struct stoq_outcome *outcome, int fd);

/** Whether the bytes read between @p before and @p after are of one state of the file;
 *  NULL in a job = dev, ino, size, mtime and ctime are equal. */
typedef bool (*stoq_job_same)(void *arg, const struct stat *before,
                              const struct stat *after);

/** The whole of a job's file, whatever its size is when it is scanned. */
#define STOQ_ROOT_ALL UINT64_MAX

/** One root payload of a job that says more of it than names. */
struct stoq_job_root {
    uint64_t size;                 /**< bytes, or STOQ_ROOT_ALL for an only root */
    struct stoq_payload_meta meta; /**< borrowed, copied */
};

struct stoq_job_spec {
    int fd; /**< readable regular file, or memfd; taken, even on failure */
    const struct stoq_job_root *roots; /**< copied; NULL = one root, all of fd,
                                          under the names below. Several: fd is a
                                          sealed memfd with their bytes in a row,
                                          and documents are never reused */
    size_t root_count;
    bool no_archive;        /**< request_meta.archive_payloads is false */
    const char *filename;   /**< raw bytes, copied; NULL = none (standard input) */
    const char *path;       /**< raw bytes, copied; NULL = none */
    const char *source_dir; /**< becomes extra_data.source_dir; copied; NULL = none */
    const char *owner;      /**< copied; NULL = none */
    const char *request_source;        /**< copied; NULL = none */
    const json_t *request_extra;       /**< copied; NULL = {} */
    const char *const *start_dispatch; /**< copied; NULL = none */
    enum stoq_priority priority;
    uint64_t deadline_ms; /**< from when a scanner takes it; 0 = the configuration's */
    bool want_payloads;   /**< hand back what archivers want */
    bool reuse;           /**< ask the pool's reuse function before scanning */
    stoq_job_same same;
    stoq_job_done done;
    void *arg;
};

struct stoq_pool_config {
    const struct stoq_config *config; /**< borrowed; must outlive the pool */
    int zygote_fd;                    /**< control socket of a ready zygote; taken */
    const char *engine_id;            /**< of that zygote; copied */
    unsigned scanners;                /**< 0 = online cores */
    /** The zygote is gone. Give the pool a new one with stoq_pool_set_zygote(); until
     *  then jobs wait. NULL: jobs fail with an error document. */
    void (*zygote_lost)(void *arg);
    /** Look up a document for content that was seen before. @return true with *text
     *  (malloc'ed, taken by the pool) and *size set. Must be quick. NULL = never. */
    bool (*reuse)(void *arg, const uint8_t sha256[STOQ_SHA256_SIZE], char **text,
                  size_t *size);
    void *arg;
};

struct stoq_pool_stats {
    unsigned scanners; /**< at most, at a time */
    uint64_t queued, running, scans, reused, restarts, crashes, timeouts;
};

/** Start the pool's thread and ask for scanners. @return 0 or -errno. */
int stoq_pool_new(const struct stoq_pool_config *config, struct stoq_pool **out,
                  struct stoq_error *err);
/** End scanners; jobs that have not ended get an error outcome. Joins the thread. */
void stoq_pool_free(struct stoq_pool *pool);
/** Wait until no job is queued or running, at most @p timeout_ms (0 = for ever).
 *  @return 0 or -ETIMEDOUT. */
int stoq_pool_drain(struct stoq_pool *pool, uint64_t timeout_ms);
/** A zygote to fork from now on; @p fd taken. Scans under way in scanners of the one
 *  before are finished there, and it is let go with the last of them. Threads: any. */
void stoq_pool_set_zygote(struct stoq_pool *pool, int fd, const char *engine_id);
/** Queue a job. @return its id (> 0) through @p id when not NULL. Threads: any.
 *  On failure (-ENOMEM, -ECANCELED) done is not called. */
int stoq_pool_submit(struct stoq_pool *pool, struct stoq_job_spec *spec, uint64_t *id);
/** Make a queued job more urgent; no effect on running or finished ones. */
void stoq_pool_raise(struct stoq_pool *pool, uint64_t id, enum stoq_priority priority);
void stoq_pool_stats(const struct stoq_pool *pool, struct stoq_pool_stats *out);

#endif
