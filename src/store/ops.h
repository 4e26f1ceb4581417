/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_STORE_OPS_H
#define STOQ_STORE_OPS_H

/*
 * What can be asked of the writer, and how each is written inside a transaction that
 * somebody else (writer.c) begins and commits. One thread: the writer's.
 */

#include "store/bounds.h"
#include "store/db.h"
#include "store/store.h"

enum stoq_op_kind { STOQ_OP_PUT, STOQ_OP_FORGET, STOQ_OP_CARRY };

/** One queued change, one allocation: strings and document follow the struct. */
struct stoq_op {
    struct stoq_op *next;
    enum stoq_op_kind kind;
    uint64_t seq;
    size_t bytes;              /**< of this allocation */
    struct stoq_record record; /**< FORGET and CARRY use its id alone */
    struct stoq_identity to;   /**< of CARRY */
    char *document;            /**< of PUT; points into this allocation */
    size_t size;
    char **connectors;    /**< of PUT; NULL-terminated, in this allocation */
    stoq_store_done done; /**< NULL = nobody waits */
    void *arg;
};

/** @return NULL when out of memory. Freed with free(). */
struct stoq_op *stoq_op_put(const struct stoq_record *record, const char *document,
                            size_t size, const char *const *connectors);
struct stoq_op *stoq_op_forget(uint64_t dev, uint64_t ino);
struct stoq_op *stoq_op_carry(const struct stoq_identity *from,
                              const struct stoq_identity *to);

/** What the writer remembers between transactions. Zero-initialise. */
struct stoq_apply {
    struct stoq_db *db;
    char engine[STOQ_SHA256_HEX]; /**< last engine id written, "" = none */
    int64_t engine_row;
    uint8_t sweep_sha[STOQ_SHA256_SIZE]; /**< how far the sweep is */
    int64_t sweep_engine;
    struct stoq_bounds bounds; /**< of each connector's outbox */
    struct stoq_burst burst;
};

/** Write @p op. @return 0; -EINVAL when this change itself can never be written; other
 *  -errno when the transaction has to be rolled back. */
int stoq_apply(struct stoq_apply *a, const struct stoq_op *op);
/** Look at the next few content rows and drop those that are of no more use. */
int stoq_apply_sweep(struct stoq_apply *a, int64_t now_ns);
/** The transaction was rolled back: forget what was remembered of it. */
void stoq_apply_reset(struct stoq_apply *a);

#endif
