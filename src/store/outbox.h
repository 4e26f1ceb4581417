/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_STORE_OUTBOX_H
#define STOQ_STORE_OUTBOX_H

/*
 * The courier's end of the store: its own connection to the same database, from another
 * process. Threads: one.
 */

#include <stdint.h>

#include <stoq/stoq.h>

struct stoq_outbox;

/** Open an existing database. */
int stoq_outbox_open(const char *db_path, struct stoq_outbox **out,
                     struct stoq_error *err);
void stoq_outbox_free(struct stoq_outbox *o);

struct stoq_outbox_item {
    int64_t row;
    unsigned attempts;
    char *document; /**< malloc'ed, caller frees */
    size_t size;
};

/** Oldest row of @p connector that is due. @return 0; -ENOENT none; -EAGAIN the oldest
 *  is not due yet, with *wait_ms until then. */
int stoq_outbox_next(struct stoq_outbox *o, const char *connector,
                     struct stoq_outbox_item *item, uint64_t *wait_ms);
/** It is delivered. */
int stoq_outbox_done(struct stoq_outbox *o, const char *connector, int64_t row);
/** It is not; try again in @p delay_ms. @p text: why. */
int stoq_outbox_failed(struct stoq_outbox *o, const char *connector, int64_t row,
                       uint64_t delay_ms, const char *text);

#endif
