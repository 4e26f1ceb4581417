/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_STORE_STORE_IMPL_H
#define STOQ_STORE_STORE_IMPL_H

/*
 * What store.c (opening, writing) and read.c share.
 *
 * Lock: `read_lock` around the reading connection, never across a callback.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "store/store.h"
#include "store/writer.h"

struct stoq_store {
    char *dir, *path;
    int dir_fd, lock_fd;
    dev_t dev; /* of the file that was opened */
    ino_t ino;
    atomic_bool damaged; /* found by any connection, until the next open */
    atomic_int absent;   /* -errno while it could not be opened yet */
    struct stoq_writer writer;
    pthread_mutex_t read_lock;
    struct stoq_db reader; /* guarded by read_lock; zeros while absent */
};

/** The file is damaged where it was in use: say so once, have the next open look.
 *  @param store  a struct stoq_store. */
void stoq_store_damaged(void *store);

#endif
