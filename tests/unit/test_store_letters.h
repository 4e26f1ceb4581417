/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_STORE_LETTERS_H
#define TEST_STORE_LETTERS_H

/* What the tests of the outbox's edges share: a store and an outbox on it, and sums
 * that are compared with what they are sums of. */

#include <sqlite3.h>

#include "store/letters.h"
#include "test_store_common.h"

static const char *const both[] = {"a", "b", NULL};
static const char *const only_a[] = {"a", NULL};

static struct stoq_store *store;
static struct stoq_outbox *outbox;

static inline void
open_both(const struct stoq_bounds *bounds)
{
    struct stoq_error err = {0};

    store = open_store(NULL);
    if (bounds)
        stoq_store_set_bounds(store, bounds);
    ck_assert_msg(stoq_outbox_open(stoq_store_path(store), &outbox, &err) == 0, "%s",
                  err.message);
    if (bounds)
        stoq_outbox_set_bounds(outbox, bounds);
}

static inline void
close_both(void)
{
    stoq_outbox_free(outbox);
    stoq_store_free(store);
    outbox = NULL;
    store = NULL;
}

static inline void
put_for(uint64_t n, const char *const *connectors)
{
    struct stoq_record record = record_of(n);

    put(store, &record, n, connectors);
    ck_assert_int_eq(stoq_store_sync(store), 0);
}

/* One value of the database. */
static inline int64_t
ask(const char *text)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    int64_t value;

    ck_assert_int_eq(sqlite3_open(in_dir("stoq.db"), &db), SQLITE_OK);
    ck_assert_msg(sqlite3_prepare_v2(db, text, -1, &stmt, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(db));
    ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
    value = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    return value;
}

static inline void
sql(const char *text)
{
    sqlite3 *db = NULL;

    ck_assert_int_eq(sqlite3_open(in_dir("stoq.db"), &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(db));
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* The sums that are kept are those of the rows. */
static inline struct stoq_outbox_stats
sound_stats(const char *connector)
{
    struct stoq_outbox_stats stats;
    char text[256];

    ck_assert_int_eq(stoq_store_outbox_stats(store, connector, &stats), 0);
    (void)snprintf(text, sizeof text,
                   "SELECT count(*) FROM outbox WHERE connector='%s'", connector);
    ck_assert_uint_eq(stats.waiting, (uint64_t)ask(text));
    (void)snprintf(text, sizeof text,
                   "SELECT ifnull(sum(length(d.text)), 0) FROM outbox JOIN document d"
                   " USING (doc) WHERE connector = '%s'",
                   connector);
    ck_assert_uint_eq(stats.bytes, (uint64_t)ask(text));
    (void)snprintf(text, sizeof text,
                   "SELECT count(*) FROM dead WHERE connector = '%s'", connector);
    ck_assert_uint_eq(stats.dead, (uint64_t)ask(text));
    (void)snprintf(text, sizeof text,
                   "SELECT ifnull(sum(length(d.text)), 0) FROM dead JOIN document d"
                   " USING (doc) WHERE connector = '%s'",
                   connector);
    ck_assert_uint_eq(stats.dead_bytes, (uint64_t)ask(text));
    return stats;
}

/* The oldest row of @connector is number @n. Its document is freed. */
static inline struct stoq_outbox_item
next_item(const char *connector, uint64_t n)
{
    struct stoq_outbox_item item = {0};
    uint64_t wait = 0;
    char expected[64];

    ck_assert_int_eq(stoq_outbox_next(outbox, connector, &item, &wait), 0);
    (void)document_of(n, expected);
    ck_assert_str_eq(item.document, expected);
    free(item.document);
    item.document = NULL;
    return item;
}

static inline void
assert_none(const char *connector)
{
    struct stoq_outbox_item item = {0};
    uint64_t wait = 0;

    ck_assert_int_eq(stoq_outbox_next(outbox, connector, &item, &wait), -ENOENT);
}

static inline void
bury_next(const char *connector, uint64_t n)
{
    struct stoq_outbox_item item = next_item(connector, n);

    ck_assert_int_eq(stoq_outbox_bury(outbox, connector, &item, "refused"), 0);
    ck_assert_int_eq(stoq_outbox_bury(outbox, connector, &item, "again"), -ENOENT);
}

#endif
