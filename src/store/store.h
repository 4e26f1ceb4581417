/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_STORE_STORE_H
#define STOQ_STORE_STORE_H

/*
 * Results, content cache and outbox in one SQLite file (WAL), STATE/stoq.db. A writer
 * thread commits in groups; readers have a connection of their own under a lock.
 * A scan's result and its outbox rows are one transaction.
 * Threads: any, except where said.
 */

#include <stdbool.h>
#include <stdint.h>

#include <stoq/stoq.h>

#include "store/bounds.h"
#include "util/clock.h"
#include "util/digest.h"

struct stoq_store;

/** Which state of which file. Times in ns since the epoch. */
struct stoq_identity {
    uint64_t dev, ino, size;
    int64_t mtime_ns, ctime_ns;
};

/** One result, without its document. */
struct stoq_record {
    struct stoq_identity id;
    char engine_id[STOQ_SHA256_HEX];
    char scan_id[STOQ_UUID_SIZE];
    enum stoq_verdict verdict;
    uint8_t sha256[STOQ_SHA256_SIZE];
    bool has_sha256, reusable;
    int64_t time_ns;        /**< when the scan ended */
    uint64_t document_size; /**< bytes of the stored document, newline included */
};

/** What opening found. Zero-initialise. */
struct stoq_store_report {
    bool created;          /**< there was none */
    char moved_aside[256]; /**< name a damaged or foreign file was given, or "" */
};

/**
 * Open or create @p dir/stoq.db (directory made with 0700; takes a lock file so that
 * two processes cannot own one store). Where the directory is full, read-only or fails,
 * the store is open all the same, health says so, and what is put waits in memory.
 * @return 0; -EBUSY another process owns it; -EACCES, -ENOTDIR...
 */
int stoq_store_open(const char *dir, struct stoq_store **out,
                    struct stoq_store_report *report, struct stoq_error *err);
/** Commit what is queued and close. */
void stoq_store_free(struct stoq_store *store);
/** Path of the database file. Borrowed. */
const char *stoq_store_path(const struct stoq_store *store);

/** Called on the writer thread once committed (status 0) or given up (-errno: -ENOSPC
 * for want of memory while commits fail). Must not call stoq_store_sync() or _free().
 */
typedef void (*stoq_store_done)(void *arg, int status);

/**
 * Queue a result: @p document (copied, pretty text) for record->id, replacing an older
 * result of that file, plus one outbox row per connector (NULL-terminated; NULL =
 * none). The content cache row is added when record->reusable and has_sha256. The
 * stored document_size is @p size.
 * @return 0 or -ENOMEM, in which case @p done is not called.
 */
int stoq_store_put(struct stoq_store *store, const struct stoq_record *record,
                   const char *document, size_t size, const char *const *connectors,
                   stoq_store_done done, void *arg);
/** The file's latest committed result; one that is still queued is not found. @return
 * 0; -ENOENT; -errno (-EUCLEAN: damaged). The same holds for every reader. */
int stoq_store_find(struct stoq_store *store, uint64_t dev, uint64_t ino,
                    struct stoq_record *out);
/** A document for this content under this engine. *text malloc'ed. 0 or -ENOENT. */
int stoq_store_find_content(struct stoq_store *store,
                            const uint8_t sha256[STOQ_SHA256_SIZE],
                            const char *engine_id, char **text, size_t *size);
/** The document of a scan. *text malloc'ed, caller frees. 0 or -ENOENT. */
int stoq_store_document(struct stoq_store *store, const char *scan_id, char **text,
                        size_t *size);
/** Queue: the file's result no longer exists. The outbox is not touched. */
int stoq_store_forget(struct stoq_store *store, uint64_t dev, uint64_t ino);
/** Queue: the same bytes have a new identity (after rename, chmod, link). */
int stoq_store_carry(struct stoq_store *store, const struct stoq_identity *from,
                     const struct stoq_identity *to);
/** Call @p fn, without a lock, for every result; stop when it returns false. What is
 *  committed meanwhile is seen or not. */
int stoq_store_foreach(struct stoq_store *store,
                       bool (*fn)(void *arg, const struct stoq_record *record),
                       void *arg);
/** Try now, and wait until everything queued before this call is committed or a commit
 *  failed. 0 or the -errno of that commit. */
int stoq_store_sync(struct stoq_store *store);
/** 0, or the -errno of the last commit while commits fail (they are retried; results
 *  stay in memory, bounded, oldest ones dropped first, before others those whose `done`
 *  is NULL, with a count). -EUCLEAN from when damage was met until the next open, which
 *  then reads the whole file. */
int stoq_store_health(struct stoq_store *store, uint64_t *dropped);

/** Bounds of each connector's outbox from now on. Call before the first put. */
void stoq_store_set_bounds(struct stoq_store *store, const struct stoq_bounds *bounds);
/** Whether the database still is where it was opened. @return 0; -ENOENT it was removed
 *  (or its directory); -ESTALE something else is there. Until it is back commits fail
 *  with that. Blocks: for one stat(2). */
int stoq_store_present(const struct stoq_store *store);

/** Outbox counts of one connector. The counters are since the database was made. */
struct stoq_outbox_stats {
    uint64_t waiting;    /**< rows not delivered yet */
    uint64_t bytes;      /**< of their documents */
    uint64_t dead;       /**< dead letters */
    uint64_t dead_bytes; /**< of their documents */
    uint64_t delivered;
    uint64_t failures;    /**< failed attempts */
    uint64_t dropped;     /**< rows given up: for the bounds, or by hand */
    int64_t dropped_ms;   /**< when one was last given up for the bounds; 0 = never */
    char last_error[256]; /**< of the last attempt, "" when it went well */
};
int stoq_store_outbox_stats(struct stoq_store *store, const char *connector,
                            struct stoq_outbox_stats *out);

#endif
