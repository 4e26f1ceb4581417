/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_STORE_BOUNDS_H
#define STOQ_STORE_BOUNDS_H

/*
 * How much may wait for a connector, and what gives way. Called inside the transaction
 * that adds a row (the writer) or looks at the oldest one (the outbox); what is dropped
 * is counted in that transaction. No lock.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/db.h"

/** Of each connector. Zero = no bound. */
struct stoq_bounds {
    uint64_t max_bytes;  /**< of documents, waiting and dead ones together */
    uint64_t max_age_ms; /**< since they were queued */
    bool keep_oldest;    /**< when full, what is new is dropped; else what is oldest */
};

/** Which connectors lost something lately: a burst is one line of the log. */
struct stoq_burst {
    struct {
        char connector[48];
        uint64_t last_ms;
    } slots[16];
};

/** Whether there is something for stoq_bounds_expire(). @return 1, 0 or -errno. */
int stoq_bounds_expired(struct stoq_db *db, const char *connector,
                        const struct stoq_bounds *bounds, int64_t now_ms);
/** Drop the letters of @p connector that are older than bounds->max_age_ms.
 *  @return how many, or -errno. */
int stoq_bounds_expire(struct stoq_db *db, const char *connector,
                       const struct stoq_bounds *bounds, int64_t now_ms);
/** Make room for @p size bytes of @p connector. @p dropped is added to.
 *  @return 1 they may be added, 0 they are what is dropped, -errno. */
int stoq_bounds_admit(struct stoq_db *db, const char *connector,
                      const struct stoq_bounds *bounds, uint64_t size, int64_t now_ms,
                      unsigned *dropped);
/** Remove letter @p row, waiting or @p dead, and its document with the last reference.
 */
int stoq_bounds_remove(struct stoq_db *db, int64_t row, int64_t doc, bool dead);
/** Count one dropped letter. @p now_ms 0 when somebody asked for it. */
int stoq_bounds_count(struct stoq_db *db, const char *connector, int64_t now_ms);
/** Whether @p connector begins a burst of what is told of it: it did nothing of the
 * kind for a minute. */
bool stoq_burst_begins(struct stoq_burst *burst, const char *connector);
/** Tell the log that @p connector loses results, unless it was told of this burst. */
void stoq_burst_tell(struct stoq_burst *burst, const char *connector, const char *why);

#endif
