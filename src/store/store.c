/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Opening and closing the store. A state directory that is full or read-only when it is
 * opened is no reason not to start: everything then is as while commits fail, until the
 * writer, which tries again, has opened it.
 */

#include "store/store_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/files.h"
#include "util/auto.h"
#include "util/log.h"

void
stoq_store_damaged(void *arg)
{
    struct stoq_store *store = arg;
    STOQ_AUTOCLOSE int fd = -1;

    if (atomic_exchange(&store->damaged, true))
        return;
    STOQ_ERROR("store: %s is damaged; it is checked when it is opened next",
               store->path);
    fd = openat(store->dir_fd, STOQ_DB_SUSPECT, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        STOQ_ERROR("store: %s: %s", STOQ_DB_SUSPECT, strerror(errno));
}

static bool
is_suspect(int dir_fd)
{
    return faccessat(dir_fd, STOQ_DB_SUSPECT, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Open what is there. @return -EUCLEAN when it has to be moved aside, -ENOENT. */
static int
open_existing(struct stoq_store *store, struct stoq_error *err)
{
    int r = stoq_files_inspect(store->dir_fd);

    if (r == -ENOENT || r == -EUCLEAN)
        return r;
    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "%s: %s", store->path,
                              strerror(-r));
    r = stoq_db_open(store->path, STOQ_DB_WRITER, &store->writer.db, err);
    if (r < 0 || !is_suspect(store->dir_fd))
        return r;
    STOQ_WARN("store: %s was damaged when it was last used; checking all of it",
              store->path);
    r = stoq_db_check(&store->writer.db);
    if (r == 0)
        (void)unlinkat(store->dir_fd, STOQ_DB_SUSPECT, 0);
    else
        stoq_db_close(&store->writer.db);
    return r;
}

static int
open_writer(struct stoq_store *store, const char *dir, struct stoq_store_report *report,
            struct stoq_error *err)
{
    struct stoq_error first = {0};
    int r = open_existing(store, &first);

    if (r == -EUCLEAN) {
        r = stoq_files_aside(store->dir_fd, report->moved_aside,
                             sizeof report->moved_aside, err);
        if (r < 0)
            return r;
        STOQ_ERROR("store: %s is damaged or not ours, moved to %s", store->path,
                   report->moved_aside);
    } else if (r != -ENOENT) {
        if (r < 0 && err && !err->code)
            *err = first;
        return r;
    }
    r = stoq_files_create(dir, store->dir_fd, err);
    if (r < 0)
        return r;
    report->created = true;
    return stoq_db_open(store->path, STOQ_DB_WRITER, &store->writer.db, err);
}

/* Remember which file it is. */
static int
note_file(struct stoq_store *store, struct stoq_error *err)
{
    struct stat st;

    if (stat(store->path, &st) < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno, "%s: %s", store->path,
                              strerror(errno));
    store->dev = st.st_dev;
    store->ino = st.st_ino;
    return 0;
}

static int
open_files(struct stoq_store *store, struct stoq_store_report *report,
           struct stoq_error *err)
{
    struct stoq_db reader = {0};
    int r = store->dir_fd = stoq_files_dir(store->dir, err);

    if (r >= 0)
        r = store->lock_fd = stoq_files_lock(store->dir_fd, store->dir, err);
    if (r >= 0)
        r = open_writer(store, store->dir, report, err);
    if (r >= 0)
        r = stoq_db_open(store->path, STOQ_DB_READER, &reader, err);
    if (r == 0)
        r = note_file(store, err);
    if (r < 0) {
        stoq_db_close(&reader);
        stoq_db_close(&store->writer.db);
        stoq_auto_close(&store->lock_fd);
        stoq_auto_close(&store->dir_fd);
        return r;
    }
    pthread_mutex_lock(&store->read_lock);
    store->reader = reader;
    pthread_mutex_unlock(&store->read_lock);
    return 0;
}

int
stoq_store_present(const struct stoq_store *store)
{
    struct stat st;

    if (atomic_load(&store->absent) < 0)
        return 0;
    if (stat(store->path, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR ? -ENOENT : 0;
    return st.st_dev == store->dev && st.st_ino == store->ino ? 0 : -ESTALE;
}

/* Before each commit: open what could not be opened so far; and what is written into a
 * file that has no name any more is as good as lost, so it is not written. */
static int
ready(void *arg)
{
    struct stoq_store *store = arg;
    struct stoq_store_report report = {0};
    struct stoq_error err = {0};
    int r;

    if (atomic_load(&store->absent) == 0)
        return stoq_store_present(store);
    r = open_files(store, &report, &err);
    if (r == 0)
        STOQ_WARN("store: %s is open at last", store->path);
    atomic_store(&store->absent, r);
    return r;
}

/* What passes, and what a mount can do without for a while. */
static bool
is_passing(int code)
{
    return code == -ENOSPC || code == -EDQUOT || code == -EROFS || code == -EIO;
}

static int
start(struct stoq_store *store, struct stoq_store_report *report,
      struct stoq_error *err)
{
    struct stoq_error why = {0};
    int r = open_files(store, report, &why);

    if (r < 0 && !is_passing(r)) {
        if (err && !err->code)
            *err = why;
        return r;
    }
    if (r < 0)
        STOQ_ERROR("store: results are kept in memory until the state directory can be "
                   "used: %s",
                   why.message);
    atomic_store(&store->absent, r);
    store->writer.ready = ready;
    store->writer.damaged = stoq_store_damaged;
    store->writer.arg = store;
    r = stoq_writer_start(&store->writer);
    if (r < 0) {
        stoq_db_close(&store->reader);
        stoq_db_close(&store->writer.db);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "store: %s", strerror(-r));
    }
    /* Something that changes nothing, to be tried until it can be committed. */
    return atomic_load(&store->absent) ? stoq_store_forget(store, 0, 0) : 0;
}

static void
close_all(struct stoq_store *store)
{
    stoq_auto_close(&store->lock_fd);
    stoq_auto_close(&store->dir_fd);
    (void)pthread_mutex_destroy(&store->read_lock);
    free(store->dir);
    free(store->path);
    free(store);
}

int
stoq_store_open(const char *dir, struct stoq_store **out,
                struct stoq_store_report *report, struct stoq_error *err)
{
    struct stoq_store_report unused = {0};
    struct stoq_store *store = calloc(1, sizeof *store);
    int r;

    if (!store)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    store->dir_fd = store->lock_fd = -1;
    (void)pthread_mutex_init(&store->read_lock, NULL);
    store->dir = strdup(dir);
    if (asprintf(&store->path, "%s/" STOQ_DB_NAME, dir) < 0)
        store->path = NULL;
    if (!store->dir || !store->path)
        r = stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    else
        r = start(store, report ? report : &unused, err);
    if (r < 0) {
        close_all(store);
        return r;
    }
    *out = store;
    return 0;
}

void
stoq_store_free(struct stoq_store *store)
{
    if (!store)
        return;
    /* The reader outlives the last callbacks, which may ask it. The writer goes last:
     * closing the last connection folds the log into the file. */
    stoq_writer_stop(&store->writer);
    stoq_db_close(&store->reader);
    stoq_db_close(&store->writer.db);
    close_all(store);
}

void
stoq_store_set_bounds(struct stoq_store *store, const struct stoq_bounds *bounds)
{
    /* The thread takes the lock before it looks at what is queued. */
    pthread_mutex_lock(&store->writer.lock);
    store->writer.apply.bounds = *bounds;
    pthread_mutex_unlock(&store->writer.lock);
}

const char *
stoq_store_path(const struct stoq_store *store)
{
    return store->path;
}

int
stoq_store_put(struct stoq_store *store, const struct stoq_record *record,
               const char *document, size_t size, const char *const *connectors,
               stoq_store_done done, void *arg)
{
    struct stoq_op *op = stoq_op_put(record, document, size, connectors);

    if (!op)
        return -ENOMEM;
    op->done = done;
    op->arg = arg;
    return stoq_writer_queue(&store->writer, op);
}

int
stoq_store_forget(struct stoq_store *store, uint64_t dev, uint64_t ino)
{
    return stoq_writer_queue(&store->writer, stoq_op_forget(dev, ino));
}

int
stoq_store_carry(struct stoq_store *store, const struct stoq_identity *from,
                 const struct stoq_identity *to)
{
    return stoq_writer_queue(&store->writer, stoq_op_carry(from, to));
}

int
stoq_store_sync(struct stoq_store *store)
{
    return stoq_writer_sync(&store->writer);
}

int
stoq_store_health(struct stoq_store *store, uint64_t *dropped)
{
    int r = stoq_writer_health(&store->writer, dropped);

    if (atomic_load(&store->damaged))
        return -EUCLEAN;
    return r < 0 ? r : atomic_load(&store->absent);
}
