/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What can never be delivered, and what others do to the outbox while a courier is at
 * it. The sink writes what it was given to DIR/sink.log, one scan id a line.
 */

#include "store/letters.h"
#include "test_courier_common.h"

static const char *const connectors[] = {"sink", NULL};

static struct stoq_store *
open_store(void)
{
    struct stoq_store *store = NULL;
    struct stoq_error err = {0};

    ck_assert_msg(stoq_store_open(dir, &store, NULL, &err) == 0, "%s", err.message);
    return store;
}

/* Closed again before a courier is started: SQLite does not survive a fork. */
static void
put_closed(uint64_t from, uint64_t to)
{
    struct stoq_store *store = open_store();

    for (uint64_t n = from; n <= to; n++) {
        STOQ_AUTOFREE char *text = document_of(n, 5);
        struct stoq_record record = {.id = {.dev = 1, .ino = n}};

        scan_id_of(n, record.scan_id);
        ck_assert_int_eq(
            stoq_store_put(store, &record, text, strlen(text), connectors, NULL, NULL),
            0);
    }
    stoq_store_free(store);
}

/* Whether the log has exactly these numbers, in this order. */
static bool
log_is(const uint64_t *numbers, size_t count)
{
    STOQ_AUTOFREE char *text = NULL;
    size_t size = 0, at = 0;

    if (stoq_read_file(in_dir("sink.log"), 100000, &text, &size, NULL) < 0)
        return count == 0;
    for (size_t i = 0; i < count; i++, at += STOQ_UUID_SIZE) {
        char id[STOQ_UUID_SIZE];

        scan_id_of(numbers[i], id);
        if (at + STOQ_UUID_SIZE > size ||
            strncmp(text + at, id, STOQ_UUID_SIZE - 1) != 0)
            return false;
    }
    return at == size;
}

static struct stoq_outbox_stats
stats_of(struct stoq_store *store)
{
    struct stoq_outbox_stats stats;

    ck_assert_int_eq(stoq_store_outbox_stats(store, "sink", &stats), 0);
    return stats;
}

/* Try again what matches, as the command does: while it is in this process, too, no
 * store may be, since SQLite then keeps the file open. @return the store, opened again.
 */
static struct stoq_store *
retry(struct stoq_store *store, bool dead)
{
    const struct stoq_letter_filter filter = {"sink", dead};
    struct stoq_outbox *outbox = NULL;
    uint64_t count = 0;

    stoq_store_free(store);
    ck_assert_int_eq(stoq_letters_open(dir, &outbox, NULL), 0);
    ck_assert_int_eq(stoq_letters_act_all(outbox, &filter, STOQ_LETTER_RETRY, &count),
                     0);
    ck_assert_uint_eq(count, 2);
    stoq_outbox_free(outbox);
    return open_store();
}

/* Refused for good: kept, and passed over; tried again when somebody says so, without
 * a wake. */
START_TEST(test_refused)
{
    static const uint64_t first[] = {1, 2, 4, 5, 7}, then[] = {1, 2, 4, 5, 7, 3, 6};
    struct stoq_outbox_stats stats;
    struct stoq_store *store;
    struct stoq_courier c;

    set("core", "connectors", "sink");
    touch("sink.refuse");
    put_closed(1, 7);
    c = start_courier();
    store = open_store();
    EVENTUALLY(stats_of(store).waiting == 0);
    ck_assert(log_is(first, STOQ_ARRAY_SIZE(first)));
    stats = stats_of(store);
    ck_assert_uint_eq(stats.dead, 2);
    ck_assert_uint_eq(stats.delivered, 5);
    ck_assert_uint_eq(stats.failures, 2);
    ck_assert_int_eq(unlink(in_dir("sink.refuse")), 0);
    store = retry(store, true);
    EVENTUALLY(stats_of(store).delivered == 7);
    ck_assert(log_is(then, STOQ_ARRAY_SIZE(then)));
    ck_assert_uint_eq(stats_of(store).dead, 0);
    stoq_courier_end(&c, 5000);
    stoq_store_free(store);
}
END_TEST

/* A pause ends when somebody says so. */
START_TEST(test_not_waited_for)
{
    static const uint64_t all[] = {1, 2};
    struct stoq_store *store;
    struct stoq_courier c;
    uint64_t begun;

    set("core", "connectors", "sink");
    touch("sink.fail");
    put_closed(1, 2);
    c = start_courier();
    store = open_store();
    EVENTUALLY(stats_of(store).failures >= 6); /* the pause is 6 s at least now */
    begun = stoq_now_ms();
    ck_assert_int_eq(unlink(in_dir("sink.fail")), 0);
    store = retry(store, false);
    EVENTUALLY(stats_of(store).delivered == 2);
    ck_assert_uint_lt(stoq_now_ms() - begun, 5000);
    ck_assert(log_is(all, STOQ_ARRAY_SIZE(all)));
    stoq_courier_end(&c, 5000);
    stoq_store_free(store);
}
END_TEST

/* Failing often enough for long enough: dead, when that is configured. */
START_TEST(test_given_up)
{
    static const uint64_t rest[] = {2};
    struct stoq_store *store;
    struct stoq_courier c;

    set("core", "connectors", "sink");
    set("outbox", "dead_after", "0.2");
    set("outbox", "dead_attempts", "3");
    touch("sink.fail");
    put_closed(1, 2);
    c = start_courier();
    store = open_store();
    EVENTUALLY(stats_of(store).dead == 1);
    ck_assert_uint_ge(stats_of(store).failures, 3);
    ck_assert_int_eq(unlink(in_dir("sink.fail")), 0);
    EVENTUALLY(stats_of(store).delivered == 1);
    ck_assert(log_is(rest, STOQ_ARRAY_SIZE(rest)));
    ck_assert_str_eq(stats_of(store).last_error, "");
    stoq_courier_end(&c, 5000);
    stoq_store_free(store);
}
END_TEST

/* What waited for too long is dropped by the courier, though nothing is added. */
START_TEST(test_too_old)
{
    struct stoq_store *store;
    struct stoq_courier c;

    set("core", "connectors", "sink");
    set("outbox", "max_age", "0.3");
    touch("sink.fail");
    put_closed(1, 3);
    c = start_courier();
    store = open_store();
    EVENTUALLY(stats_of(store).dropped == 3);
    ck_assert_uint_eq(stats_of(store).waiting, 0);
    ck_assert(log_is(NULL, 0));
    stoq_courier_end(&c, 0);
    stoq_store_free(store);
}
END_TEST

/* The database is taken away under it: what is in it is delivered all the same. */
START_TEST(test_taken_away)
{
    static const uint64_t all[] = {1, 2, 3};
    struct stoq_store *store;
    struct stoq_courier c;

    set("core", "connectors", "sink");
    touch("sink.fail");
    put_closed(1, 3);
    c = start_courier();
    store = open_store();
    EVENTUALLY(stats_of(store).failures >= 1);
    ck_assert_int_eq(unlink(in_dir("stoq.db")), 0);
    ck_assert_int_eq(unlink(in_dir("sink.fail")), 0);
    EVENTUALLY(log_is(all, STOQ_ARRAY_SIZE(all)));
    stoq_courier_end(&c, 5000);
    stoq_store_free(store);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        test_refused, test_not_waited_for, test_given_up, test_too_old, test_taken_away,
    };

    return run_case("courier_dead", tests, STOQ_ARRAY_SIZE(tests));
}
