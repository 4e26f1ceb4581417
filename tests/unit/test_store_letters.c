/* SPDX-License-Identifier: Apache-2.0 */

/* Dead letters, what an operator may do with them, and a database that is taken away or
 * cannot be had. */

#include <fcntl.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "test_store_letters.h"

/* ------------------------------------------------------------------ dead letters */

/* What listed() found. */
static struct stoq_letter seen[512];
static char seen_ids[512][STOQ_UUID_SIZE];
static size_t seen_count;

static bool
collect(void *arg, const struct stoq_letter *letter)
{
    ck_assert_ptr_null(arg);
    ck_assert_uint_lt(seen_count, STOQ_ARRAY_SIZE(seen));
    (void)snprintf(seen_ids[seen_count], STOQ_UUID_SIZE, "%s", letter->scan_id);
    if (letter->dead) {
        ck_assert_str_eq(letter->last_error, "refused");
        ck_assert_uint_eq(letter->attempts, 1);
        ck_assert_int_ge(letter->at_ms, letter->queued_ms);
    }
    ck_assert_int_gt(letter->queued_ms, 0);
    seen[seen_count++] = *letter;
    return true;
}

static size_t
listed(const char *connector, bool dead)
{
    const struct stoq_letter_filter filter = {connector, dead};

    seen_count = 0;
    ck_assert_int_eq(stoq_letters_foreach(outbox, &filter, collect, NULL), 0);
    return seen_count;
}

/* It keeps its document though the result is forgotten, blocks nothing, survives a
 * close, and comes back in its old place. */
START_TEST(test_dead_and_revived)
{
    const struct stoq_letter_filter all = {NULL, false};
    struct stoq_record first = record_of(1);
    struct stoq_outbox_stats stats;
    uint64_t count = 0;

    first.reusable = false;
    open_both(NULL);
    put(store, &first, 1, only_a);
    for (uint64_t n = 2; n <= 4; n++)
        put_for(n, both);
    bury_next("a", 1);
    (void)next_item("a", 2);
    ck_assert_int_eq(stoq_store_forget(store, 7, 1), 0);
    ck_assert_int_eq(stoq_store_sync(store), 0);
    stats = sound_stats("a");
    ck_assert_uint_eq(stats.dead, 1);
    ck_assert_uint_eq(stats.waiting, 3);
    ck_assert_uint_eq(stats.failures, 1);
    ck_assert_uint_eq(stats.delivered, 0);
    ck_assert_str_eq(stats.last_error, "refused");
    close_both();

    open_both(NULL);
    assert_document(store, first.scan_id, 1);
    ck_assert_uint_eq(listed(NULL, true), 1);
    ck_assert_str_eq(seen_ids[0], first.scan_id);
    ck_assert_uint_eq(listed("b", true), 0);
    ck_assert_uint_eq(listed("a", false), 4);
    ck_assert_uint_eq(listed(NULL, false), 7);
    ck_assert_int_eq(stoq_letters_act(outbox, &all, STOQ_LETTER_RETRY, seen[0].row), 0);
    (void)sound_stats("a");
    ck_assert_uint_eq(listed(NULL, true), 0);
    for (uint64_t n = 1; n <= 4; n++)
        ck_assert_int_eq(stoq_outbox_done(outbox, "a", next_item("a", n).row), 0);
    assert_none("a");
    assert_no_document(store, first.scan_id);
    stats = sound_stats("a");
    ck_assert_uint_eq(stats.delivered, 4);
    ck_assert_str_eq(stats.last_error, "");
    ck_assert_int_eq(stoq_letters_act_all(outbox, &all, STOQ_LETTER_RETRY, &count), 0);
    ck_assert_uint_eq(count, 3); /* those of b, due now as they were */
    close_both();
}
END_TEST

START_TEST(test_drop)
{
    const struct stoq_letter_filter all = {NULL, false}, of_b = {"b", false};
    const struct stoq_letter_filter dead = {NULL, true};
    struct stoq_outbox_stats stats;
    uint64_t count = 0;

    open_both(NULL);
    for (uint64_t n = 1; n <= 300; n++)
        put_for(n, both);
    bury_next("b", 1);
    ck_assert_uint_eq(listed("a", false), 300);
    for (size_t i = 1; i < seen_count; i++)
        ck_assert_int_gt(seen[i].row, seen[i - 1].row);
    ck_assert_int_eq(stoq_letters_act(outbox, &of_b, STOQ_LETTER_DROP, seen[0].row),
                     -ENOENT); /* one of a */
    ck_assert_int_eq(stoq_letters_act(outbox, &dead, STOQ_LETTER_DROP, seen[0].row),
                     -ENOENT);
    ck_assert_int_eq(stoq_letters_act(outbox, &all, STOQ_LETTER_DROP, seen[0].row), 0);
    ck_assert_int_eq(stoq_letters_act(outbox, &all, STOQ_LETTER_DROP, seen[0].row),
                     -ENOENT);
    (void)next_item("a", 2);
    ck_assert_int_eq(stoq_letters_act_all(outbox, &dead, STOQ_LETTER_DROP, &count), 0);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(stoq_letters_act_all(outbox, &of_b, STOQ_LETTER_DROP, &count), 0);
    ck_assert_uint_eq(count, 299);
    stats = sound_stats("b");
    ck_assert_uint_eq(stats.dropped, 300);
    ck_assert_int_eq(stats.dropped_ms,
                     0); /* nobody has to be warned of his own doing */
    ck_assert_uint_eq(stats.waiting + stats.dead, 0);
    ck_assert_uint_eq(sound_stats("a").waiting, 299);
    close_both();
}
END_TEST

/* A row that waits for its time is due when somebody says so. */
START_TEST(test_retry_now)
{
    const struct stoq_letter_filter all = {NULL, false};
    struct stoq_outbox_item item = {0};
    uint64_t wait = 0;

    open_both(NULL);
    put_for(1, only_a);
    item = next_item("a", 1);
    ck_assert_int_eq(stoq_outbox_failed(outbox, "a", &item, 600000, "down"), 0);
    ck_assert_int_eq(stoq_outbox_next(outbox, "a", &item, &wait), -EAGAIN);
    ck_assert_int_eq(stoq_letters_act(outbox, &all, STOQ_LETTER_RETRY, item.row), 0);
    (void)next_item("a", 1);
    close_both();
}
END_TEST

/* ------------------------------------------------------- a file that is taken away */

static void
done(void *arg, int status)
{
    *(int *)arg = status;
}

/* Nothing is written into a file that has no name any more; when it is back, it is. */
START_TEST(test_removed)
{
    struct stoq_record record = record_of(2);
    char away[128], text[64];
    size_t size = document_of(2, text);
    int status = 1;

    open_both(NULL);
    put_for(1, only_a);
    ck_assert_int_eq(stoq_store_present(store), 0);
    (void)snprintf(away, sizeof away, "%s/away", dir);
    ck_assert_int_eq(rename(in_dir("stoq.db"), away), 0);
    ck_assert_int_eq(stoq_store_present(store), -ENOENT);
    ck_assert_int_eq(stoq_store_put(store, &record, text, size, only_a, done, &status),
                     0);
    ck_assert_int_eq(stoq_store_sync(store), -ENOENT);
    ck_assert_int_eq(stoq_store_health(store, NULL), -ENOENT);
    ck_assert_int_eq(status, 1); /* nobody was told that it is stored */
    ck_assert_int_eq(close(creat(in_dir("stoq.db"), 0600)), 0);
    ck_assert_int_eq(stoq_store_present(store), -ESTALE);
    ck_assert_int_eq(stoq_store_sync(store), -ESTALE);
    ck_assert_int_eq(rename(away, in_dir("stoq.db")), 0);
    ck_assert_int_eq(stoq_store_sync(store), 0);
    ck_assert_int_eq(status, 0);
    assert_document(store, record.scan_id, 2);
    close_both();
}
END_TEST

/* ----------------------------------------------------------- one that cannot be had */

/* No file can grow: what a full disk is. */
static void
fill_disk(bool full)
{
    struct rlimit limit;

    ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = full ? 0 : limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* What is put is kept until there is room for a database. */
static void
assert_opens_later(void)
{
    struct stoq_record record = record_of(2), found;
    struct stoq_outbox_stats stats;
    char text[64], *nothing = NULL;
    size_t size = document_of(2, text);
    int status = 1;

    fill_disk(true);
    store = open_store(NULL);
    ck_assert_int_lt(stoq_store_health(store, NULL), 0);
    ck_assert_int_eq(stoq_store_present(store), 0);
    ck_assert_int_eq(stoq_store_put(store, &record, text, size, only_a, done, &status),
                     0);
    ck_assert_int_lt(stoq_store_sync(store), 0);
    ck_assert_int_eq(status, 1);
    ck_assert_int_eq(stoq_store_find(store, 7, 2, &found), -ENOENT);
    ck_assert_int_eq(stoq_store_document(store, record.scan_id, &nothing, &size),
                     -ENOENT);
    ck_assert_int_eq(stoq_store_outbox_stats(store, "a", &stats), 0);
    ck_assert_uint_eq(stats.waiting, 0);
    fill_disk(false);
    ck_assert_int_eq(stoq_store_sync(store), 0);
    ck_assert_int_eq(stoq_store_health(store, NULL), 0);
    ck_assert_int_eq(status, 0);
    assert_document(store, record.scan_id, 2);
    ck_assert_uint_eq(sound_stats("a").waiting, 1);
    stoq_store_free(store);
}

START_TEST(test_full_at_start)
{
    assert_opens_later();
}
END_TEST

START_TEST(test_full_with_database)
{
    struct stoq_record first = record_of(1);

    open_both(NULL);
    put_for(1, NULL);
    close_both();
    assert_opens_later();
    store = open_store(NULL);
    assert_document(store, first.scan_id, 1);
    stoq_store_free(store);
}
END_TEST

/* And is lost, which is told, when there never is. */
START_TEST(test_full_to_the_end)
{
    struct stoq_record record = record_of(2);
    char text[64];
    size_t size = document_of(2, text);
    int status = 1;

    fill_disk(true);
    store = open_store(NULL);
    ck_assert_int_eq(stoq_store_put(store, &record, text, size, only_a, done, &status),
                     0);
    stoq_store_free(store);
    ck_assert_int_lt(status, 0);
    fill_disk(false);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        test_dead_and_revived, test_drop,          test_retry_now,
        test_removed,          test_full_at_start, test_full_with_database,
        test_full_to_the_end,
    };

    return run_case("store_letters", tests, STOQ_ARRAY_SIZE(tests));
}
