/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The courier's view of the database: the oldest row of a connector, and what became of
 * it. Each answer is a transaction of its own, not synced: a power loss at the wrong
 * moment means that something is delivered again.
 */

#include "store/outbox.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/outbox_impl.h"
#include "util/auto.h"
#include "util/clock.h"
#include "util/log.h"

int
stoq_outbox_open(const char *db_path, struct stoq_outbox **out, struct stoq_error *err)
{
    STOQ_AUTO(stoq_outbox) o = calloc(1, sizeof *o);
    struct stat st;
    int r;

    if (!o || !(o->path = strdup(db_path)))
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    if (stat(db_path, &st) < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno, "%s: %s", db_path,
                              strerror(errno));
    r = stoq_db_open(db_path, STOQ_DB_OUTBOX, &o->db, err);
    if (r < 0)
        return r;
    o->dev = st.st_dev;
    o->ino = st.st_ino;
    *out = STOQ_STEAL(&o);
    return 0;
}

void
stoq_outbox_free(struct stoq_outbox *o)
{
    if (!o)
        return;
    stoq_db_close(&o->db);
    free(o->path);
    free(o);
}

bool
stoq_outbox_stale(const struct stoq_outbox *o)
{
    struct stat st;

    return stat(o->path, &st) == 0 && (st.st_dev != o->dev || st.st_ino != o->ino);
}

void
stoq_outbox_set_bounds(struct stoq_outbox *o, const struct stoq_bounds *bounds)
{
    o->bounds = *bounds;
}

int
stoq_outbox_settle(struct stoq_outbox *o, int r)
{
    if (r == 0)
        r = stoq_db_run(&o->db, STOQ_STMT_COMMIT);
    if (r < 0)
        stoq_db_rollback(&o->db);
    return r;
}

static int64_t
real_ms(void)
{
    return stoq_real_ns() / 1000000;
}

static int
read_item(struct stoq_query *q, struct stoq_outbox_item *item, uint64_t *wait_ms)
{
    int64_t wait = sqlite3_column_int64(q->stmt, 2) - real_ms();

    item->row = sqlite3_column_int64(q->stmt, 0);
    item->attempts = (unsigned)sqlite3_column_int(q->stmt, 1);
    item->queued_ms = sqlite3_column_int64(q->stmt, 3);
    item->document = NULL;
    item->size = 0;
    /* Later than any pause that is ever asked for: the clock was set back. */
    if (wait > 0 && wait <= STOQ_OUTBOX_MAX_DELAY_MS) {
        *wait_ms = (uint64_t)wait;
        return -EAGAIN;
    }
    if (sqlite3_column_type(q->stmt, 4) == SQLITE_NULL)
        return 0;
    return stoq_query_copy(q, 4, &item->document, &item->size);
}

/* @return 0 with the oldest row, -ENOENT, -EAGAIN. */
static int
next_row(struct stoq_outbox *o, const char *connector, struct stoq_outbox_item *item,
         uint64_t *wait_ms)
{
    struct stoq_query q = stoq_query_start(&o->db, STOQ_STMT_OUTBOX_OLDEST);
    int r;

    stoq_query_text(&q, connector);
    r = stoq_query_step(&q);
    if (r == 0)
        r = -ENOENT;
    else if (r == 1)
        r = read_item(&q, item, wait_ms);
    stoq_query_end(&q);
    return r;
}

static int
expire(struct stoq_outbox *o, const char *connector)
{
    int r = stoq_db_run(&o->db, STOQ_STMT_BEGIN);
    int dropped = 0;

    if (r == 0) {
        dropped = stoq_bounds_expire(&o->db, connector, &o->bounds, real_ms());
        r = dropped < 0 ? dropped : 0;
    }
    r = stoq_outbox_settle(o, r);
    if (r == 0 && dropped)
        stoq_burst_tell(&o->burst, connector, "they waited longer than they may");
    return r;
}

/* A row without its document cannot be delivered and must not block others. */
static int
give_up(struct stoq_outbox *o, const char *connector, int64_t row)
{
    int r = stoq_db_run(&o->db, STOQ_STMT_BEGIN);

    STOQ_ERROR("store: outbox row %lld has no document", (long long)row);
    if (r == 0)
        r = stoq_bounds_remove(&o->db, row, 0, false);
    if (r == 0)
        r = stoq_bounds_count(&o->db, connector, 0);
    return stoq_outbox_settle(o, r);
}

int
stoq_outbox_next(struct stoq_outbox *o, const char *connector,
                 struct stoq_outbox_item *item, uint64_t *wait_ms)
{
    int r = stoq_bounds_expired(&o->db, connector, &o->bounds, real_ms());

    if (r > 0)
        r = expire(o, connector);
    while (r == 0) {
        r = next_row(o, connector, item, wait_ms);
        if (r < 0 || item->document)
            return r;
        r = give_up(o, connector, item->row);
    }
    return r;
}

/* The document of @row, which @connector must still have to deliver. */
static int
find_row(struct stoq_outbox *o, const char *connector, int64_t row, int64_t *doc)
{
    struct stoq_query q = stoq_query_start(&o->db, STOQ_STMT_OUTBOX_DOC);
    int r;

    stoq_query_int(&q, row);
    stoq_query_text(&q, connector);
    r = stoq_query_one(&q, doc);
    return r == 1 ? 0 : (r == 0 ? -ENOENT : r);
}

int
stoq_outbox_done(struct stoq_outbox *o, const char *connector, int64_t row)
{
    int64_t doc = 0;
    int r = stoq_db_run(&o->db, STOQ_STMT_BEGIN);

    if (r == 0)
        r = find_row(o, connector, row, &doc);
    if (r == 0)
        r = stoq_bounds_remove(&o->db, row, doc, false);
    if (r == 0) {
        struct stoq_query q = stoq_query_start(&o->db, STOQ_STMT_STATS_DELIVERED);

        stoq_query_text(&q, connector);
        r = stoq_query_run(&q);
    }
    return stoq_outbox_settle(o, r);
}

static int
retry(struct stoq_outbox *o, const char *connector, const struct stoq_outbox_item *item,
      uint64_t delay_ms, const char *text)
{
    struct stoq_query q = stoq_query_start(&o->db, STOQ_STMT_OUTBOX_RETRY);

    if (delay_ms > STOQ_OUTBOX_MAX_DELAY_MS)
        delay_ms = STOQ_OUTBOX_MAX_DELAY_MS;
    stoq_query_int(&q, item->row);
    stoq_query_text(&q, connector);
    stoq_query_int(&q, (int64_t)item->attempts + 1);
    stoq_query_int(&q, real_ms() + (int64_t)delay_ms);
    stoq_query_text(&q, text);
    return stoq_query_run(&q);
}

int
stoq_outbox_begin(struct stoq_outbox *o, const char *connector,
                  const struct stoq_outbox_item *item, uint64_t delay_ms)
{
    return retry(o, connector, item, delay_ms,
                 "the courier died while delivering this");
}

static int
count_failure(struct stoq_outbox *o, const char *connector, const char *text)
{
    struct stoq_query q = stoq_query_start(&o->db, STOQ_STMT_STATS_FAILED);

    stoq_query_text(&q, connector);
    stoq_query_text(&q, text);
    return stoq_query_run(&q);
}

int
stoq_outbox_failed(struct stoq_outbox *o, const char *connector,
                   const struct stoq_outbox_item *item, uint64_t delay_ms,
                   const char *text)
{
    int r = stoq_db_run(&o->db, STOQ_STMT_BEGIN);

    if (r == 0)
        r = retry(o, connector, item, delay_ms, text);
    if (r == 0)
        r = count_failure(o, connector, text);
    return stoq_outbox_settle(o, r);
}

static int
bury(struct stoq_outbox *o, const struct stoq_outbox_item *item, const char *text)
{
    struct stoq_query q = stoq_query_start(&o->db, STOQ_STMT_OUTBOX_BURY);
    int r;

    stoq_query_int(&q, item->row);
    stoq_query_int(&q, real_ms());
    stoq_query_int(&q, (int64_t)item->attempts + 1);
    stoq_query_text(&q, text);
    r = stoq_query_run(&q);
    if (r < 0)
        return r;
    q = stoq_query_start(&o->db, STOQ_STMT_OUTBOX_DELETE);
    stoq_query_int(&q, item->row);
    return stoq_query_run(&q);
}

int
stoq_outbox_bury(struct stoq_outbox *o, const char *connector,
                 const struct stoq_outbox_item *item, const char *text)
{
    int64_t doc;
    int r = stoq_db_run(&o->db, STOQ_STMT_BEGIN);

    if (r == 0)
        r = find_row(o, connector, item->row, &doc);
    if (r == 0)
        r = bury(o, item, text);
    if (r == 0)
        r = count_failure(o, connector, text);
    return stoq_outbox_settle(o, r);
}
