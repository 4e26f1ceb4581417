/* SPDX-License-Identifier: Apache-2.0 */

/* What gives way when the outbox is full or old, and the change from the schema that
 * had no bounds. */

#include <sys/stat.h>

#include "test_store_letters.h"

/* ------------------------------------------------------------------------- bounds */

/* A document of number < 10 has this many bytes. */
#define DOC (sizeof("{\"scan\": 1}\n") - 1)

START_TEST(test_oldest_give_way)
{
    const struct stoq_bounds bounds = {.max_bytes = 3 * DOC + 1};
    struct stoq_outbox_stats stats;

    open_both(&bounds);
    for (uint64_t n = 1; n <= 5; n++)
        put_for(n, n == 5 ? only_a : both);
    (void)next_item("a", 3);
    (void)next_item("b", 2);
    stats = sound_stats("a");
    ck_assert_uint_eq(stats.waiting, 3);
    ck_assert_uint_eq(stats.bytes, 3 * DOC);
    ck_assert_uint_eq(stats.dropped, 2);
    ck_assert_int_gt(stats.dropped_ms, 0);
    ck_assert_uint_eq(sound_stats("b").dropped, 1);
    /* results are there all the same */
    assert_document(store, record_of(1).scan_id, 1);
    close_both();
}
END_TEST

START_TEST(test_newest_give_way)
{
    const struct stoq_bounds bounds = {.max_bytes = 3 * DOC + 1, .keep_oldest = true};
    struct stoq_outbox_stats stats;

    open_both(&bounds);
    for (uint64_t n = 1; n <= 5; n++)
        put_for(n, only_a);
    ck_assert_int_eq(stoq_outbox_done(outbox, "a", next_item("a", 1).row), 0);
    put_for(6, only_a);
    for (uint64_t n = 2; n <= 6; n = n == 3 ? 6 : n + 1)
        ck_assert_int_eq(stoq_outbox_done(outbox, "a", next_item("a", n).row), 0);
    assert_none("a");
    stats = sound_stats("a");
    ck_assert_uint_eq(stats.dropped, 2);
    ck_assert_uint_eq(stats.delivered, 4);
    close_both();
}
END_TEST

/* Dead letters take room, too, and go in their turn; one that is larger than all the
 * room goes alone. */
START_TEST(test_dead_give_way)
{
    const struct stoq_bounds bounds = {.max_bytes = 3 * DOC};
    struct stoq_outbox_stats stats;
    struct stoq_record large = record_of(9);
    char text[4 * DOC];

    open_both(&bounds);
    put_for(1, only_a);
    put_for(2, only_a);
    bury_next("a", 1);
    put_for(3, only_a);
    ck_assert_uint_eq(sound_stats("a").dead, 1);
    put_for(4, only_a);
    stats = sound_stats("a");
    ck_assert_uint_eq(stats.dead, 0);
    ck_assert_uint_eq(stats.waiting, 3);
    ck_assert_uint_eq(stats.dropped, 1);

    memset(text, ' ', sizeof text);
    ck_assert_int_eq(
        stoq_store_put(store, &large, text, sizeof text, only_a, NULL, NULL), 0);
    ck_assert_int_eq(stoq_store_sync(store), 0);
    stats = sound_stats("a");
    ck_assert_uint_eq(stats.waiting, 3);
    ck_assert_uint_eq(stats.dropped, 2);
    (void)next_item("a", 2);
    close_both();
}
END_TEST

/* Too old is dropped by whoever comes across it: the courier that looks for work, and
 * the writer that adds. */
START_TEST(test_age)
{
    const struct stoq_bounds bounds = {.max_age_ms = 3600000};

    open_both(&bounds);
    for (uint64_t n = 1; n <= 3; n++)
        put_for(n, both);
    bury_next("b", 1);
    sql("UPDATE outbox SET queued_ms = queued_ms - 3700000 WHERE doc <= 2");
    sql("UPDATE dead SET queued_ms = queued_ms - 3700000");
    (void)next_item("a", 3);
    ck_assert_uint_eq(sound_stats("a").dropped, 2);
    put_for(4, both);
    ck_assert_uint_eq(sound_stats("b").dropped, 2);
    ck_assert_uint_eq(sound_stats("b").dead, 0);
    (void)next_item("b", 3);
    bury_next("b", 3);
    bury_next("b", 4);
    assert_none("b");
    ck_assert_uint_eq(sound_stats("b").dead, 2);
    sql("UPDATE dead SET queued_ms = queued_ms - 3700000");
    assert_none("b"); /* also when nothing waits */
    ck_assert_uint_eq(sound_stats("b").dead, 0);
    close_both();
}
END_TEST

/* --------------------------------------------------------------- the old schema */

/* As version 1 made it, with two results, three rows in the outbox and a past. */
static const char old_schema[] =
    "PRAGMA application_id = 0x73746f71; BEGIN;"
    "CREATE TABLE engine (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE document (doc INTEGER PRIMARY KEY, scan_id TEXT NOT NULL UNIQUE,"
    " text BLOB NOT NULL);"
    "CREATE TABLE result (dev INTEGER NOT NULL, ino INTEGER NOT NULL,"
    " size INTEGER NOT NULL, mtime INTEGER NOT NULL, ctime INTEGER NOT NULL,"
    " engine INTEGER NOT NULL, doc INTEGER NOT NULL, scan_id TEXT NOT NULL,"
    " verdict INTEGER NOT NULL, sha BLOB, reusable INTEGER NOT NULL,"
    " time INTEGER NOT NULL, document_size INTEGER NOT NULL,"
    " PRIMARY KEY (dev, ino)) WITHOUT ROWID;"
    "CREATE INDEX result_doc ON result (doc);"
    "CREATE TABLE content (sha BLOB NOT NULL, engine INTEGER NOT NULL,"
    " doc INTEGER NOT NULL, time INTEGER NOT NULL,"
    " PRIMARY KEY (sha, engine)) WITHOUT ROWID;"
    "CREATE INDEX content_doc ON content (doc);"
    "CREATE TABLE outbox (row INTEGER PRIMARY KEY AUTOINCREMENT,"
    " connector TEXT NOT NULL, doc INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL DEFAULT 0, due_ms INTEGER NOT NULL DEFAULT 0,"
    " last_error TEXT);"
    "CREATE INDEX outbox_connector ON outbox (connector);"
    "CREATE INDEX outbox_doc ON outbox (doc);"
    "CREATE TABLE outbox_stats (connector TEXT PRIMARY KEY,"
    " queued INTEGER NOT NULL DEFAULT 0, delivered INTEGER NOT NULL DEFAULT 0,"
    " failures INTEGER NOT NULL DEFAULT 0, last_error TEXT) WITHOUT ROWID;"
    "INSERT INTO engine VALUES (1, 'e');"
    "INSERT INTO document VALUES (1, '00000000-0000-4000-8000-000000000001',"
    " CAST('{\"scan\": 1}' || char(10) AS BLOB)),"
    " (2, '00000000-0000-4000-8000-000000000002',"
    " CAST('{\"scan\": 2}' || char(10) AS BLOB));"
    "INSERT INTO result VALUES (7, 1, 3, 12, 13, 1, 1,"
    " '00000000-0000-4000-8000-000000000001', 0, NULL, 0, 14, 12);"
    "INSERT INTO outbox VALUES (5, 'a', 1, 2, 0, 'down'), (6, 'a', 2, 0, 0, NULL),"
    " (7, 'b', 2, 0, 0, NULL);"
    "INSERT INTO outbox_stats VALUES ('a', 6, 4, 3, 'down'), ('b', 1, 0, 0, NULL),"
    " ('gone', 9, 9, 1, NULL);"
    "PRAGMA user_version = 1; COMMIT; PRAGMA journal_mode = WAL;";

static void
assert_upgraded(void)
{
    struct stoq_outbox_stats stats;

    assert_document(store, record_of(1).scan_id, 1);
    stats = sound_stats("a");
    ck_assert_uint_eq(stats.waiting, 2);
    ck_assert_uint_eq(stats.bytes, 2 * DOC);
    ck_assert_uint_eq(stats.delivered, 4);
    ck_assert_uint_eq(stats.failures, 3);
    ck_assert_uint_eq(sound_stats("b").waiting, 1);
    ck_assert_uint_eq(sound_stats("gone").waiting, 0);
    ck_assert_uint_eq(sound_stats("gone").delivered, 9);
    ck_assert_int_eq(ask("PRAGMA user_version"), 2);
    ck_assert_int_eq(ask("SELECT count(*) FROM pragma_integrity_check"
                         " WHERE integrity_check <> 'ok'"),
                     0);
    ck_assert_int_eq(next_item("a", 1).row, 5);
    put_for(3, only_a);
    ck_assert_uint_eq(sound_stats("a").waiting, 3);
    bury_next("a", 1);
    (void)sound_stats("a");
}

/* The store brings it up to date and loses nothing; until then the courier waits. */
START_TEST(test_upgrade_by_store)
{
    struct stoq_store_report report = {0};
    struct stoq_error err = {0};

    sql(old_schema);
    ck_assert_int_eq(stoq_outbox_open(in_dir("stoq.db"), &outbox, &err), -EAGAIN);
    store = open_store(&report);
    ck_assert_str_eq(report.moved_aside, "");
    ck_assert(!report.created);
    stoq_store_free(store);
    open_both(NULL);
    assert_upgraded();
    close_both();
}
END_TEST

/* So does the command, where no mount has it; and not where one has. */
START_TEST(test_upgrade_by_command)
{
    struct stoq_error err = {0};
    struct stat st;

    ck_assert_int_eq(stoq_letters_open(dir, &outbox, &err), -ENOENT);
    ck_assert_int_lt(stat(in_dir("stoq.db"), &st), 0); /* and makes none */
    sql(old_schema);
    ck_assert_int_eq(stoq_letters_open(dir, &outbox, &err), 0);
    stoq_outbox_free(outbox);
    open_both(NULL);
    assert_upgraded();
    close_both();
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        test_oldest_give_way,  test_newest_give_way,    test_dead_give_way, test_age,
        test_upgrade_by_store, test_upgrade_by_command,
    };

    return run_case("store_bounds", tests, STOQ_ARRAY_SIZE(tests));
}
