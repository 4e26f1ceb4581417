/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_STORE_OUTBOX_IMPL_H
#define STOQ_STORE_OUTBOX_IMPL_H

/* What outbox.c and letters.c share: the connection. Threads: one. */

#include <sys/types.h>

#include "store/db.h"
#include "store/outbox.h"

struct stoq_outbox {
    struct stoq_db db;
    char *path;
    dev_t dev;
    ino_t ino;
    struct stoq_bounds bounds;
    struct stoq_burst burst;
};

/** End the transaction: commit when @p r is 0, else roll back. @return 0 or -errno. */
int stoq_outbox_settle(struct stoq_outbox *o, int r);

#endif
