/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The store's readers. What is read is what is committed: a result still queued is not
 * found (who queued it knows it anyway). A store that is not open yet is empty.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_impl.h"
#include "util/auto.h"

/* Results read per turn of stoq_store_foreach(): the lock is short, the callback free.
 */
#define PAGE_ROWS 256

/* Take the lock. @return false, without it, while there is nothing to read. */
static bool
begin_read(struct stoq_store *store)
{
    pthread_mutex_lock(&store->read_lock);
    if (store->reader.sql)
        return true;
    pthread_mutex_unlock(&store->read_lock);
    return false;
}

/* What a reader answers: @r of a step, 1 meaning that there was a row. */
static int
read_result(struct stoq_store *store, int r)
{
    if (r == -EUCLEAN)
        stoq_store_damaged(store);
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

    if (!begin_read(store))
        return -ENOENT;
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

    if (!begin_read(store))
        return -ENOENT;
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

    if (!begin_read(store))
        return -ENOENT;
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
    walk->more = false;
    if (!begin_read(store))
        return 0;
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
            stoq_store_damaged(store);
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
    if (!begin_read(store))
        return 0;
    q = stoq_query_start(&store->reader, STOQ_STMT_STATS_GET);
    stoq_query_text(&q, connector);
    r = stoq_query_step(&q);
    if (r == 1) {
        out->waiting = (uint64_t)sqlite3_column_int64(q.stmt, 0);
        out->bytes = (uint64_t)sqlite3_column_int64(q.stmt, 1);
        out->dead = (uint64_t)sqlite3_column_int64(q.stmt, 2);
        out->dead_bytes = (uint64_t)sqlite3_column_int64(q.stmt, 3);
        out->delivered = (uint64_t)sqlite3_column_int64(q.stmt, 4);
        out->failures = (uint64_t)sqlite3_column_int64(q.stmt, 5);
        out->dropped = (uint64_t)sqlite3_column_int64(q.stmt, 6);
        out->dropped_ms = sqlite3_column_int64(q.stmt, 7);
        copy_text(&q, 8, out->last_error, sizeof out->last_error);
    }
    stoq_query_end(&q);
    pthread_mutex_unlock(&store->read_lock);
    /* A connector that was never given anything has zeros. */
    return r == 0 ? 0 : read_result(store, r);
}
