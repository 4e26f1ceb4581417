/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Opening and closing the store, and its readers. What is read is what is committed: a
 * result still queued is not found (who queued it knows it anyway).
 *
 * Lock: `read_lock` around the reading connection, never across a callback.
 */

#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/files.h"
#include "store/writer.h"
#include "util/auto.h"
#include "util/log.h"

/* Results read per turn of stoq_store_foreach(): the lock is short, the callback free.
 */
#define PAGE_ROWS 256

struct stoq_store {
    char *path;
    int dir_fd, lock_fd;
    atomic_bool damaged; /* found by any connection, until the next open */
    struct stoq_writer writer;
    pthread_mutex_t read_lock;
    struct stoq_db reader; /* guarded by read_lock */
};

/* The file is damaged where it was in use: say so once, have the next open look. */
static void
damaged(void *arg)
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

static int
open_all(struct stoq_store *store, const char *dir, struct stoq_store_report *report,
         struct stoq_error *err)
{
    int r = store->dir_fd = stoq_files_dir(dir, err);

    if (r >= 0)
        r = store->lock_fd = stoq_files_lock(store->dir_fd, dir, err);
    if (r >= 0)
        r = open_writer(store, dir, report, err);
    if (r >= 0)
        r = stoq_db_open(store->path, STOQ_DB_READER, &store->reader, err);
    if (r < 0)
        return r;
    store->writer.damaged = damaged;
    store->writer.damaged_arg = store;
    r = stoq_writer_start(&store->writer);
    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "store: %s", strerror(-r));
    return 0;
}

static void
close_all(struct stoq_store *store)
{
    stoq_auto_close(&store->lock_fd);
    stoq_auto_close(&store->dir_fd);
    (void)pthread_mutex_destroy(&store->read_lock);
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
    if (asprintf(&store->path, "%s/" STOQ_DB_NAME, dir) < 0) {
        store->path = NULL;
        r = stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    } else {
        r = open_all(store, dir, report ? report : &unused, err);
    }
    if (r < 0) {
        stoq_db_close(&store->reader);
        stoq_db_close(&store->writer.db);
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

    return atomic_load(&store->damaged) ? -EUCLEAN : r;
}

/* What a reader answers: @r of a step, 1 meaning that there was a row. */
static int
read_result(struct stoq_store *store, int r)
{
    if (r == -EUCLEAN)
        damaged(store);
    if (r < 0)
        return r;
    return r == 1 ? 0 : -ENOENT;
}

static void
copy_text(struct stoq_query *q, int column, char *to, size_t size)
{
    const unsigned char *text = sqlite3_column_text(q->stmt, column);

    (void)snprintf(to, size, "%s", text ? (const char *)text : "");
}

/* @return false for a row that nothing of ours has written. */
static bool
read_record(struct stoq_query *q, struct stoq_record *out)
{
    int64_t verdict = sqlite3_column_int64(q->stmt, 7);
    const void *sha = sqlite3_column_blob(q->stmt, 8);

    memset(out, 0, sizeof *out);
    out->id.dev = (uint64_t)sqlite3_column_int64(q->stmt, 0);
    out->id.ino = (uint64_t)sqlite3_column_int64(q->stmt, 1);
    out->id.size = (uint64_t)sqlite3_column_int64(q->stmt, 2);
    out->id.mtime_ns = sqlite3_column_int64(q->stmt, 3);
    out->id.ctime_ns = sqlite3_column_int64(q->stmt, 4);
    copy_text(q, 5, out->engine_id, sizeof out->engine_id);
    copy_text(q, 6, out->scan_id, sizeof out->scan_id);
    out->verdict = (enum stoq_verdict)verdict;
    if (sha && sqlite3_column_bytes(q->stmt, 8) == STOQ_SHA256_SIZE) {
        memcpy(out->sha256, sha, STOQ_SHA256_SIZE);
        out->has_sha256 = true;
    }
    out->reusable = sqlite3_column_int(q->stmt, 9) != 0;
    out->time_ns = sqlite3_column_int64(q->stmt, 10);
    out->document_size = (uint64_t)sqlite3_column_int64(q->stmt, 11);
    return verdict >= 0 && verdict < STOQ_VERDICT_COUNT;
}

int
stoq_store_find(struct stoq_store *store, uint64_t dev, uint64_t ino,
                struct stoq_record *out)
{
    struct stoq_record record = {0};
    struct stoq_query q;
    int r;

    pthread_mutex_lock(&store->read_lock);
    q = stoq_query_start(&store->reader, STOQ_STMT_RESULT_FIND);
    stoq_query_u64(&q, dev);
    stoq_query_u64(&q, ino);
    r = stoq_query_step(&q);
    if (r == 1 && !read_record(&q, &record))
        r = 0;
    stoq_query_end(&q);
    pthread_mutex_unlock(&store->read_lock);
    if (r == 1)
        *out = record;
    return read_result(store, r);
}

/* Step @q, whose first column is a document, and give it back. */
static int
read_text(struct stoq_query *q, char **text, size_t *size)
{
    int r = stoq_query_step(q);

    if (r == 1) {
        int copied = stoq_query_copy(q, 0, text, size);

        r = copied < 0 ? copied : 1;
    }
    stoq_query_end(q);
    return r;
}

int
stoq_store_find_content(struct stoq_store *store,
                        const uint8_t sha256[STOQ_SHA256_SIZE], const char *engine_id,
                        char **text, size_t *size)
{
    struct stoq_query q;
    int r;

    pthread_mutex_lock(&store->read_lock);
    q = stoq_query_start(&store->reader, STOQ_STMT_CONTENT_TEXT);
    stoq_query_blob(&q, sha256, STOQ_SHA256_SIZE);
    stoq_query_text(&q, engine_id);
    r = read_text(&q, text, size);
    pthread_mutex_unlock(&store->read_lock);
    return read_result(store, r);
}

int
stoq_store_document(struct stoq_store *store, const char *scan_id, char **text,
                    size_t *size)
{
    struct stoq_query q;
    int r;

    pthread_mutex_lock(&store->read_lock);
    q = stoq_query_start(&store->reader, STOQ_STMT_DOC_TEXT);
    stoq_query_text(&q, scan_id);
    r = read_text(&q, text, size);
    pthread_mutex_unlock(&store->read_lock);
    return read_result(store, r);
}

/* Where a walk over all results is. */
struct walk {
    uint64_t dev, ino;
    bool begun;
    bool more;
    size_t count;
    struct stoq_record records[PAGE_ROWS];
};

static int
read_page(struct stoq_store *store, struct walk *walk)
{
    struct stoq_query q;
    int rows = 0, r = 0;

    walk->count = 0;
    pthread_mutex_lock(&store->read_lock);
    q = stoq_query_start(&store->reader,
                         walk->begun ? STOQ_STMT_RESULT_AFTER : STOQ_STMT_RESULT_FIRST);
    if (walk->begun) {
        stoq_query_u64(&q, walk->dev);
        stoq_query_u64(&q, walk->ino);
    }
    stoq_query_int(&q, PAGE_ROWS);
    while (rows < PAGE_ROWS && (r = stoq_query_step(&q)) == 1) {
        struct stoq_record *record = &walk->records[walk->count];

        if (read_record(&q, record))
            walk->count++;
        walk->dev = record->id.dev;
        walk->ino = record->id.ino;
        rows++;
    }
    if (rows == PAGE_ROWS)
        r = 0;
    stoq_query_end(&q);
    pthread_mutex_unlock(&store->read_lock);
    walk->begun = true;
    walk->more = rows == PAGE_ROWS;
    return r;
}

int
stoq_store_foreach(struct stoq_store *store,
                   bool (*fn)(void *arg, const struct stoq_record *record), void *arg)
{
    STOQ_AUTOFREE struct walk *walk = calloc(1, sizeof *walk);

    if (!walk)
        return -ENOMEM;
    do {
        int r = read_page(store, walk);

        if (r == -EUCLEAN)
            damaged(store);
        if (r < 0)
            return r;
        for (size_t i = 0; i < walk->count; i++) {
            if (!fn(arg, &walk->records[i]))
                return 0;
        }
    } while (walk->more);
    return 0;
}

int
stoq_store_outbox_stats(struct stoq_store *store, const char *connector,
                        struct stoq_outbox_stats *out)
{
    struct stoq_query q;
    int r;

    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&store->read_lock);
    q = stoq_query_start(&store->reader, STOQ_STMT_STATS_GET);
    stoq_query_text(&q, connector);
    r = stoq_query_step(&q);
    if (r == 1) {
        uint64_t queued = (uint64_t)sqlite3_column_int64(q.stmt, 0);

        out->delivered = (uint64_t)sqlite3_column_int64(q.stmt, 1);
        out->failures = (uint64_t)sqlite3_column_int64(q.stmt, 2);
        out->waiting = queued - out->delivered;
        copy_text(&q, 3, out->last_error, sizeof out->last_error);
    }
    stoq_query_end(&q);
    pthread_mutex_unlock(&store->read_lock);
    /* A connector that was never given anything has zeros. */
    return r == 0 ? 0 : read_result(store, r);
}
