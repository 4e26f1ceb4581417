/* SPDX-License-Identifier: Apache-2.0 */

/* Results, documents and the content cache: what is put is found, what is replaced or
 * forgotten is gone, and a document lives exactly as long as something refers to it. */

#include <sqlite3.h>

#include "store/outbox.h"
#include "test_store_common.h"

static void
assert_same_record(const struct stoq_record *a, const struct stoq_record *b)
{
    ck_assert_uint_eq(a->id.dev, b->id.dev);
    ck_assert_uint_eq(a->id.ino, b->id.ino);
    ck_assert_uint_eq(a->id.size, b->id.size);
    ck_assert_int_eq(a->id.mtime_ns, b->id.mtime_ns);
    ck_assert_int_eq(a->id.ctime_ns, b->id.ctime_ns);
    ck_assert_str_eq(a->engine_id, b->engine_id);
    ck_assert_str_eq(a->scan_id, b->scan_id);
    ck_assert_int_eq(a->verdict, b->verdict);
    ck_assert_int_eq(a->has_sha256, b->has_sha256);
    ck_assert_mem_eq(a->sha256, b->sha256, sizeof a->sha256);
    ck_assert_int_eq(a->reusable, b->reusable);
    ck_assert_int_eq(a->time_ns, b->time_ns);
}

START_TEST(test_put_find)
{
    struct stoq_store *store = open_store(NULL);
    struct stoq_record put1 = record_of(1), put2 = record_of(2), found;

    /* the edges of the numbers */
    put2.id.dev = UINT64_MAX;
    put2.id.ino = UINT64_MAX - 1;
    put2.id.size = UINT64_MAX - 2;
    put2.id.mtime_ns = INT64_MIN;
    put2.id.ctime_ns = INT64_MAX;
    put2.verdict = STOQ_VERDICT_FLAGGED;
    put2.has_sha256 = false;
    memset(put2.sha256, 0, sizeof put2.sha256);
    put(store, &put1, 1, NULL);
    put(store, &put2, 2, NULL);
    ck_assert_int_eq(stoq_store_sync(store), 0);

    ck_assert_int_eq(stoq_store_find(store, 7, 1, &found), 0);
    assert_same_record(&found, &put1);
    ck_assert_uint_eq(found.document_size, strlen("{\"scan\": 1}\n"));
    ck_assert_int_eq(stoq_store_find(store, UINT64_MAX, UINT64_MAX - 1, &found), 0);
    assert_same_record(&found, &put2);
    ck_assert_int_eq(stoq_store_find(store, 7, 2, &found), -ENOENT);
    assert_document(store, put1.scan_id, 1);
    assert_document(store, put2.scan_id, 2);
    assert_no_document(store, "00000000-0000-4000-8000-00000000ffff");
    stoq_store_free(store);
}
END_TEST

START_TEST(test_reopen)
{
    struct stoq_store_report report = {0};
    struct stoq_store *store = open_store(&report);
    struct stoq_record expected = record_of(5), found;

    ck_assert(report.created);
    ck_assert_str_eq(report.moved_aside, "");
    for (uint64_t n = 1; n <= 10; n++)
        put_number(store, n);
    stoq_store_free(store); /* commits */

    memset(&report, 0, sizeof report);
    store = open_store(&report);
    ck_assert(!report.created);
    ck_assert_str_eq(report.moved_aside, "");
    ck_assert_int_eq(stoq_store_find(store, 7, 5, &found), 0);
    assert_same_record(&found, &expected);
    for (uint64_t n = 1; n <= 10; n++)
        assert_document(store, record_of(n).scan_id, n);
    stoq_store_free(store);
}
END_TEST

START_TEST(test_replace)
{
    struct stoq_store *store = open_store(NULL);
    struct stoq_record first = record_of(1), second = record_of(2), found;

    first.reusable = false;
    second.reusable = false;
    second.id = first.id;
    second.id.size = 99;
    put(store, &first, 1, NULL);
    put(store, &second, 2, NULL);
    ck_assert_int_eq(stoq_store_sync(store), 0);
    ck_assert_int_eq(stoq_store_find(store, 7, 1, &found), 0);
    assert_same_record(&found, &second);
    assert_no_document(store, first.scan_id);
    assert_document(store, second.scan_id, 2);

    /* the same scan again, under the same id: its text is replaced */
    put(store, &second, 3, NULL);
    ck_assert_int_eq(stoq_store_sync(store), 0);
    assert_document(store, second.scan_id, 3);
    stoq_store_free(store);
}
END_TEST

START_TEST(test_forget)
{
    struct stoq_store *store = open_store(NULL);
    struct stoq_record a = record_of(1), b = record_of(2), found;

    a.reusable = false;
    put(store, &a, 1, NULL);
    put(store, &b, 2, NULL);
    ck_assert_int_eq(stoq_store_forget(store, 7, 1), 0);
    ck_assert_int_eq(stoq_store_forget(store, 7, 2), 0);
    ck_assert_int_eq(stoq_store_forget(store, 7, 3), 0);
    ck_assert_int_eq(stoq_store_sync(store), 0);
    ck_assert_int_eq(stoq_store_find(store, 7, 1, &found), -ENOENT);
    ck_assert_int_eq(stoq_store_find(store, 7, 2, &found), -ENOENT);
    assert_no_document(store, a.scan_id);
    assert_document(store, b.scan_id, 2); /* the content cache still refers to it */
    stoq_store_free(store);
}
END_TEST

START_TEST(test_content)
{
    struct stoq_store *store = open_store(NULL);
    struct stoq_record a = record_of(1), b = record_of(2), c = record_of(3);
    char *text = NULL;
    size_t size = 0;

    memcpy(b.sha256, a.sha256, sizeof b.sha256);
    c.reusable = false;
    put(store, &a, 1, NULL);
    put(store, &c, 3, NULL);
    ck_assert_int_eq(stoq_store_sync(store), 0);
    ck_assert_int_eq(
        stoq_store_find_content(store, a.sha256, a.engine_id, &text, &size), 0);
    ck_assert_str_eq(text, "{\"scan\": 1}\n");
    ck_assert_uint_eq(size, strlen(text));
    free(text);
    text = NULL;
    ck_assert_int_eq(stoq_store_find_content(store, a.sha256, "other", &text, &size),
                     -ENOENT);
    ck_assert_int_eq(
        stoq_store_find_content(store, c.sha256, c.engine_id, &text, &size), -ENOENT);

    /* the newest of equal content wins, also when its file is forgotten */
    put(store, &b, 2, NULL);
    ck_assert_int_eq(stoq_store_forget(store, 7, 2), 0);
    ck_assert_int_eq(stoq_store_forget(store, 7, 1), 0);
    ck_assert_int_eq(stoq_store_sync(store), 0);
    ck_assert_int_eq(
        stoq_store_find_content(store, a.sha256, a.engine_id, &text, &size), 0);
    ck_assert_str_eq(text, "{\"scan\": 2}\n");
    free(text);
    assert_no_document(store, a.scan_id);
    stoq_store_free(store);
}
END_TEST

START_TEST(test_carry)
{
    struct stoq_store *store = open_store(NULL);
    struct stoq_record a = record_of(1), b = record_of(2), found;
    struct stoq_identity to = a.id, other = a.id;

    a.reusable = b.reusable = false;
    put(store, &a, 1, NULL);
    put(store, &b, 2, NULL);
    other.mtime_ns++; /* not the state that was scanned: nothing is carried */
    to.ctime_ns = 777;
    ck_assert_int_eq(stoq_store_carry(store, &other, &to), 0);
    ck_assert_int_eq(stoq_store_sync(store), 0);
    ck_assert_int_eq(stoq_store_find(store, 7, 1, &found), 0);
    assert_same_record(&found, &a);

    ck_assert_int_eq(stoq_store_carry(store, &a.id, &to), 0);
    ck_assert_int_eq(stoq_store_sync(store), 0);
    ck_assert_int_eq(stoq_store_find(store, 7, 1, &found), 0);
    a.id = to;
    assert_same_record(&found, &a);

    /* onto another file's result, which goes with its document */
    ck_assert_int_eq(stoq_store_carry(store, &to, &b.id), 0);
    ck_assert_int_eq(stoq_store_sync(store), 0);
    ck_assert_int_eq(stoq_store_find(store, 7, 1, &found), -ENOENT);
    ck_assert_int_eq(stoq_store_find(store, 7, 2, &found), 0);
    ck_assert_str_eq(found.scan_id, a.scan_id);
    assert_document(store, a.scan_id, 1);
    assert_no_document(store, b.scan_id);
    stoq_store_free(store);
}
END_TEST

struct walked {
    struct stoq_store *store;
    uint64_t count, limit, sum;
};

static bool
walk_one(void *arg, const struct stoq_record *record)
{
    struct walked *w = arg;
    struct stoq_record found;

    /* no lock is held: the store can be asked from within */
    ck_assert_int_eq(stoq_store_find(w->store, record->id.dev, record->id.ino, &found),
                     0);
    assert_same_record(record, &found);
    w->sum += record->id.ino;
    return ++w->count < w->limit;
}

START_TEST(test_foreach)
{
    static const uint64_t counts[] = {0, 1, 255, 256, 257, 700};
    uint64_t n = 0;

    for (size_t i = 0; i < STOQ_ARRAY_SIZE(counts); i++) {
        struct stoq_store *store = open_store(NULL);
        struct walked all = {.store = store, .limit = UINT64_MAX};
        struct walked some = {.store = store, .limit = 3};

        while (n < counts[i])
            put_number(store, ++n);
        ck_assert_int_eq(stoq_store_sync(store), 0);
        ck_assert_int_eq(stoq_store_foreach(store, walk_one, &all), 0);
        ck_assert_uint_eq(all.count, n);
        ck_assert_uint_eq(all.sum, n * (n + 1) / 2);
        ck_assert_int_eq(stoq_store_foreach(store, walk_one, &some), 0);
        ck_assert_uint_eq(some.count, n < 3 ? n : 3);
        stoq_store_free(store);
    }
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

/* Content nobody has any more, or of other rules, goes after a month; the rest stays.
 */
START_TEST(test_sweep)
{
    struct stoq_store *store = open_store(NULL);
    struct stoq_record old_rules = record_of(3);
    char *text = NULL;
    size_t size = 0;

    (void)snprintf(old_rules.engine_id, sizeof old_rules.engine_id, "old");
    put(store, &old_rules, 3, NULL);
    put_number(store, 1);
    put_number(store, 2);
    put_number(store, 4);
    ck_assert_int_eq(stoq_store_forget(store, 7, 1), 0);
    ck_assert_int_eq(stoq_store_forget(store, 7, 4), 0);
    stoq_store_free(store);
    sql("UPDATE content SET time = 0 WHERE doc IN"
        " (SELECT doc FROM document WHERE scan_id NOT LIKE '%4')");

    store = open_store(NULL);
    for (uint64_t n = 100; n < 103; n++) { /* each commit sweeps a little */
        put_number(store, n);
        ck_assert_int_eq(stoq_store_sync(store), 0);
    }
    assert_no_document(store, record_of(1).scan_id);
    assert_document(store, record_of(2).scan_id, 2); /* has its file */
    assert_document(store, record_of(3).scan_id, 3); /* the result still does */
    assert_document(store, record_of(4).scan_id, 4); /* not a month old */
    ck_assert_int_eq(stoq_store_find_content(store, record_of(2).sha256,
                                             record_of(2).engine_id, &text, &size),
                     0);
    free(text);
    ck_assert_int_eq(
        stoq_store_find_content(store, old_rules.sha256, "old", &text, &size), -ENOENT);
    stoq_store_free(store);
}
END_TEST

/* The document of a result that is forgotten stays until it is delivered. */
START_TEST(test_outbox_keeps_document)
{
    static const char *const connectors[] = {"a", "b", NULL};
    struct stoq_store *store = open_store(NULL);
    struct stoq_record record = record_of(1);
    struct stoq_outbox_item item = {0};
    struct stoq_outbox *outbox = NULL;
    uint64_t wait = 0;

    record.reusable = false;
    put(store, &record, 1, connectors);
    ck_assert_int_eq(stoq_store_forget(store, 7, 1), 0);
    ck_assert_int_eq(stoq_store_sync(store), 0);
    assert_document(store, record.scan_id, 1);
    ck_assert_int_eq(stoq_outbox_open(stoq_store_path(store), &outbox, NULL), 0);
    for (size_t i = 0; connectors[i]; i++) {
        assert_document(store, record.scan_id, 1);
        ck_assert_int_eq(stoq_outbox_next(outbox, connectors[i], &item, &wait), 0);
        ck_assert_str_eq(item.document, "{\"scan\": 1}\n");
        free(item.document);
        ck_assert_int_eq(stoq_outbox_done(outbox, connectors[i], item.row), 0);
    }
    assert_no_document(store, record.scan_id);
    stoq_outbox_free(outbox);
    stoq_store_free(store);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        test_put_find, test_reopen,  test_replace,
        test_forget,   test_content, test_carry,
        test_foreach,  test_sweep,   test_outbox_keeps_document,
    };

    return run_case("store_results", tests, STOQ_ARRAY_SIZE(tests));
}
