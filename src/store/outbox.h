/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_STORE_OUTBOX_H
#define STOQ_STORE_OUTBOX_H

/*
 * The courier's end of the store: its own connection to the same database, from another
 * process. Threads: one.
 */

#include <stdbool.h>
#include <stdint.h>

#include <stoq/stoq.h>

#include "store/bounds.h"
#include "util/auto.h"

/** Longest pause of a row; one that is due later than that is due now, since the
 *  computer's clock was set back. */
#define STOQ_OUTBOX_MAX_DELAY_MS 3600000

struct stoq_outbox;

/** Open an existing database. -ENOENT; -EAGAIN its store has not brought it up to date
 *  yet; -EUCLEAN not a sound one; other -errno. */
int stoq_outbox_open(const char *db_path, struct stoq_outbox **out,
                     struct stoq_error *err);
void stoq_outbox_free(struct stoq_outbox *o);
STOQ_DEFINE_AUTO(stoq_outbox)
/** Whether the path now names another file: the store moved this one aside. One that
 *  was removed is not stale: what it holds can still be delivered. */
bool stoq_outbox_stale(const struct stoq_outbox *o);
/** Bounds that stoq_outbox_next() keeps. */
void stoq_outbox_set_bounds(struct stoq_outbox *o, const struct stoq_bounds *bounds);

struct stoq_outbox_item {
    int64_t row;
    unsigned attempts; /**< so far */
    int64_t queued_ms; /**< since the epoch */
    char *document;    /**< malloc'ed, caller frees */
    size_t size;
};

/** Oldest row of @p connector that is due. @return 0; -ENOENT none; -EAGAIN the oldest
 *  is not due yet, with *wait_ms until then. */
int stoq_outbox_next(struct stoq_outbox *o, const char *connector,
                     struct stoq_outbox_item *item, uint64_t *wait_ms);
/** It is about to be tried: put it off by @p delay_ms first, so that one which kills
 * the courier does not do so again at once, at the head of every other connector. */
int stoq_outbox_begin(struct stoq_outbox *o, const char *connector,
                      const struct stoq_outbox_item *item, uint64_t delay_ms);
/** It is delivered. -ENOENT when there is no such row (any more). */
int stoq_outbox_done(struct stoq_outbox *o, const char *connector, int64_t row);
/** It is not; try again in @p delay_ms. @p text: why. */
int stoq_outbox_failed(struct stoq_outbox *o, const char *connector,
                       const struct stoq_outbox_item *item, uint64_t delay_ms,
                       const char *text);
/** It failed and is not to be tried again: keep it among the dead letters. */
int stoq_outbox_bury(struct stoq_outbox *o, const char *connector,
                     const struct stoq_outbox_item *item, const char *text);

#endif
