/* SPDX-License-Identifier: Apache-2.0 */

/* The outbox: order per connector, pauses, counts, and what happens at its edges. */

#include <sqlite3.h>

#include "store/outbox.h"
#include "test_store_common.h"

static const char *const both[] = {"a", "b", NULL};
static const char *const only_a[] = {"a", NULL};

static struct stoq_store *store;
static struct stoq_outbox *outbox;

static void
open_both(void)
{
    struct stoq_error err = {0};

    store = open_store(NULL);
    ck_assert_msg(stoq_outbox_open(stoq_store_path(store), &outbox, &err) == 0, "%s",
                  err.message);
}

static void
close_both(void)
{
    stoq_outbox_free(outbox);
    stoq_store_free(store);
}

static void
put_for(uint64_t n, const char *const *connectors)
{
    struct stoq_record record = record_of(n);

    put(store, &record, n, connectors);
    ck_assert_int_eq(stoq_store_sync(store), 0);
}

/* The oldest row of @connector is number @n, tried @attempts times. Its document is
 * freed. */
static struct stoq_outbox_item
next_item(const char *connector, uint64_t n, unsigned attempts)
{
    struct stoq_outbox_item item = {0};
    uint64_t wait = 0;
    char expected[64];

    ck_assert_int_eq(stoq_outbox_next(outbox, connector, &item, &wait), 0);
    (void)document_of(n, expected);
    ck_assert_str_eq(item.document, expected);
    ck_assert_uint_eq(item.size, strlen(expected));
    ck_assert_uint_eq(item.attempts, attempts);
    free(item.document);
    item.document = NULL;
    return item;
}

static int64_t
assert_next(const char *connector, uint64_t n, unsigned attempts)
{
    return next_item(connector, n, attempts).row;
}

static void
assert_no_next(const char *connector, int code)
{
    struct stoq_outbox_item item = {0};
    uint64_t wait = 0;

    ck_assert_int_eq(stoq_outbox_next(outbox, connector, &item, &wait), code);
}

static void
assert_stats(const char *connector, uint64_t waiting, uint64_t delivered,
             uint64_t failures, const char *text)
{
    struct stoq_outbox_stats stats;

    ck_assert_int_eq(stoq_store_outbox_stats(store, connector, &stats), 0);
    ck_assert_uint_eq(stats.waiting, waiting);
    ck_assert_uint_eq(stats.delivered, delivered);
    ck_assert_uint_eq(stats.failures, failures);
    ck_assert_str_eq(stats.last_error, text);
}

START_TEST(test_order)
{
    open_both();
    assert_no_next("a", -ENOENT);
    assert_stats("a", 0, 0, 0, "");
    for (uint64_t n = 1; n <= 5; n++)
        put_for(n, n % 2 ? both : only_a);
    assert_stats("a", 5, 0, 0, "");
    assert_stats("b", 3, 0, 0, "");
    for (uint64_t n = 1; n <= 5; n++) {
        int64_t row = assert_next("a", n, 0);

        ck_assert_int_eq(stoq_outbox_done(outbox, "a", row), 0);
        ck_assert_int_eq(stoq_outbox_done(outbox, "a", row), -ENOENT);
    }
    assert_no_next("a", -ENOENT);
    assert_stats("a", 0, 5, 0, "");
    (void)assert_next("b", 1, 0);
    close_both();
}
END_TEST

START_TEST(test_wrong_connector)
{
    int64_t row;

    open_both();
    put_for(1, only_a);
    row = assert_next("a", 1, 0);
    ck_assert_int_eq(stoq_outbox_done(outbox, "b", row), -ENOENT);
    (void)assert_next("a", 1, 0);
    close_both();
}
END_TEST

/* A row that is not due holds back those behind it, and nobody else's. */
START_TEST(test_backoff)
{
    struct stoq_outbox_item item = {0}, first;
    uint64_t wait = 0, end;
    int r;

    open_both();
    put_for(1, both);
    put_for(2, both);
    first = next_item("a", 1, 0);
    ck_assert_int_eq(stoq_outbox_failed(outbox, "a", &first, 20, "sink is down"), 0);
    assert_stats("a", 2, 0, 1, "sink is down");
    (void)assert_next("b", 1, 0);
    end = stoq_now_ms() + 5000;
    while ((r = stoq_outbox_next(outbox, "a", &item, &wait)) == -EAGAIN &&
           stoq_now_ms() < end)
        ck_assert_uint_le(wait, 20);
    ck_assert_int_eq(r, 0);
    free(item.document);
    ck_assert_int_eq(item.row, first.row);
    ck_assert_uint_eq(item.attempts, 1);

    ck_assert_int_eq(stoq_outbox_failed(outbox, "a", &item, 60000, "still down"), 0);
    ck_assert_int_eq(stoq_outbox_next(outbox, "a", &item, &wait), -EAGAIN);
    ck_assert_uint_le(wait, 60000);
    ck_assert_uint_ge(wait, 50000);
    assert_stats("a", 2, 0, 2, "still down");
    assert_stats("b", 2, 0, 0, "");
    close_both();
}
END_TEST

/* begin puts a row off as a failure does, without counting one. */
START_TEST(test_begin)
{
    struct stoq_outbox_item item;

    open_both();
    put_for(1, only_a);
    item = next_item("a", 1, 0);
    ck_assert_int_eq(stoq_outbox_begin(outbox, "a", &item, 60000), 0);
    assert_no_next("a", -EAGAIN);
    assert_stats("a", 1, 0, 0, "");
    ck_assert_int_eq(stoq_outbox_failed(outbox, "a", &item, 0, "no"), 0);
    (void)assert_next("a", 1, 1); /* one attempt, noted twice */
    ck_assert_int_eq(stoq_outbox_done(outbox, "a", item.row), 0);
    assert_stats("a", 0, 1, 1, "");
    close_both();
}
END_TEST

static void
sql(const char *text)
{
    sqlite3 *db = NULL;

    ck_assert_int_eq(sqlite3_open(in_dir("stoq.db"), &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(db));
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* Due in the far future means that the clock was set back: due now. */
START_TEST(test_clock_set_back)
{
    open_both();
    put_for(1, only_a);
    sql("UPDATE outbox SET due_ms = 9000000000000000");
    (void)assert_next("a", 1, 0);
    close_both();
}
END_TEST

/* A row without its document is passed over, not waited for, nor called delivered. */
START_TEST(test_missing_document)
{
    struct stoq_outbox_stats stats;

    open_both();
    put_for(1, only_a);
    put_for(2, only_a);
    sql("DELETE FROM document WHERE scan_id = '00000000-0000-4000-8000-000000000001'");
    (void)assert_next("a", 2, 0);
    assert_stats("a", 1, 0, 0, "");
    ck_assert_int_eq(stoq_store_outbox_stats(store, "a", &stats), 0);
    ck_assert_uint_eq(stats.dropped, 1);
    ck_assert_int_eq(stats.dropped_ms, 0);
    close_both();
}
END_TEST

START_TEST(test_open_errors)
{
    struct stoq_error err = {0};
    struct stoq_outbox *o = NULL;
    FILE *f;

    ck_assert_int_eq(stoq_outbox_open(in_dir("stoq.db"), &o, &err), -ENOENT);
    ck_assert_ptr_null(o);
    f = fopen(in_dir("stoq.db"), "w");
    ck_assert_ptr_nonnull(f);
    for (int i = 0; i < 1000; i++)
        (void)fputs("not a database", f);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(stoq_outbox_open(in_dir("stoq.db"), &o, &err), -EUCLEAN);
}
END_TEST

START_TEST(test_stale)
{
    char other[512];

    open_both();
    put_for(1, only_a);
    ck_assert(!stoq_outbox_stale(outbox));
    stoq_store_free(store);
    ck_assert(!stoq_outbox_stale(outbox));
    (void)snprintf(other, sizeof other, "%s/other", dir);
    ck_assert_int_eq(rename(in_dir("stoq.db"), other), 0);
    ck_assert(!stoq_outbox_stale(outbox)); /* there is nothing better */
    store = open_store(NULL);
    ck_assert(stoq_outbox_stale(outbox));
    close_both();
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        test_order,          test_wrong_connector,  test_backoff,     test_begin,
        test_clock_set_back, test_missing_document, test_open_errors, test_stale,
    };

    return run_case("store_outbox", tests, STOQ_ARRAY_SIZE(tests));
}
