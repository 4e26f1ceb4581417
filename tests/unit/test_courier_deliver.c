/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Delivery: in order per connector, at least once, whatever dies or fails meanwhile.
 * Connectors write what they were given to DIR/NAME.log, one scan id a line.
 */

#include "courier/backoff.h"
#include "test_courier_common.h"

#define BOTH "sink,other"

static struct stoq_store *
open_store(void)
{
    struct stoq_store_report report = {0};
    struct stoq_store *store = NULL;
    struct stoq_error err = {0};

    ck_assert_msg(stoq_store_open(dir, &store, &report, &err) == 0, "%s", err.message);
    return store;
}

/* Numbers @from to @to, each for both connectors, committed. */
static void
put(struct stoq_store *store, uint64_t from, uint64_t to)
{
    static const char *const connectors[] = {"sink", "other", NULL};

    for (uint64_t n = from; n <= to; n++) {
        STOQ_AUTOFREE char *text = document_of(n, 5);
        struct stoq_record record = {.id = {.dev = 1, .ino = n}};

        scan_id_of(n, record.scan_id);
        ck_assert_int_eq(
            stoq_store_put(store, &record, text, strlen(text), connectors, NULL, NULL),
            0);
    }
    ck_assert_int_eq(stoq_store_sync(store), 0);
}

static void
put_closed(uint64_t from, uint64_t to)
{
    struct stoq_store *store = open_store();

    put(store, from, to);
    stoq_store_free(store);
}

/* How many lines NAME's log has that are 1, 2, 3... in order. A line that is there
 * again is allowed @again times, if it is the one before. */
static uint64_t
read_log(const char *name, unsigned again)
{
    char file[32], id[STOQ_UUID_SIZE], line[64];
    uint64_t n = 0;
    unsigned repeated = 0;
    FILE *f;

    (void)snprintf(file, sizeof file, "%s.log", name);
    f = fopen(in_dir(file), "re");
    if (!f)
        return 0;
    while (fgets(line, sizeof line, f)) {
        char *end = strchr(line, '\n');

        if (!end) /* being written: a write is seen a page at a time */
            break;
        *end = '\0';
        scan_id_of(n + 1, id);
        if (strcmp(line, id) == 0) {
            n++;
            continue;
        }
        scan_id_of(n, id);
        ck_assert_str_eq(line, id);
        repeated++;
    }
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_uint_le(repeated, again);
    return n;
}

static void
assert_stats(struct stoq_store *store, const char *connector, uint64_t waiting,
             uint64_t delivered)
{
    struct stoq_outbox_stats stats;

    ck_assert_int_eq(stoq_store_outbox_stats(store, connector, &stats), 0);
    ck_assert_uint_eq(stats.waiting, waiting);
    ck_assert_uint_eq(stats.delivered, delivered);
}

START_TEST(test_backoff)
{
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t first = stoq_backoff_ms(0), later = stoq_backoff_ms(4);
        uint64_t most = stoq_backoff_ms(i);

        ck_assert(first >= 187 && first <= 313);
        ck_assert(later >= 3000 && later <= 5000);
        ck_assert(most >= 187 && most <= STOQ_BACKOFF_MAX_MS);
    }
    ck_assert_uint_ge(stoq_backoff_ms(UINT32_MAX), STOQ_BACKOFF_MAX_MS * 3 / 4);
}
END_TEST

/* The database is made after the courier was started; a wake is enough. */
START_TEST(test_wake)
{
    struct stoq_courier_client *client = NULL;
    struct stoq_store *store;
    struct stoq_courier c;

    set("core", "connectors", BOTH);
    c = start_courier();
    store = open_store();
    ck_assert_int_eq(stoq_courier_client_new(STOQ_STEAL_FD(&c.control), &client, NULL),
                     0);
    for (uint64_t n = 1; n <= 40; n += 10) {
        put(store, n, n + 9);
        stoq_courier_client_wake(client);
        EVENTUALLY(read_log("sink", 0) == n + 9 && read_log("other", 0) == n + 9);
    }
    stoq_courier_client_free(client);
    stoq_courier_end(&c, 5000);
    assert_stats(store, "sink", 0, 40);
    assert_stats(store, "other", 0, 40);
    stoq_store_free(store);
}
END_TEST

/* What is left from last time is delivered without a wake. */
START_TEST(test_left_over)
{
    struct stoq_courier c;

    set("core", "connectors", BOTH);
    put_closed(1, 20);
    c = start_courier();
    EVENTUALLY(read_log("sink", 0) == 20 && read_log("other", 0) == 20);
    stoq_courier_end(&c, 5000);
    ck_assert_int_eq(c.pid, 0);
}
END_TEST

/* One that fails stops no other, and then delivers everything in order. */
START_TEST(test_failing)
{
    struct stoq_outbox_stats stats;
    struct stoq_store *store;
    struct stoq_courier c;

    set("core", "connectors", BOTH);
    put_closed(1, 10);
    touch("sink.fail");
    c = start_courier();
    store = open_store();
    EVENTUALLY(read_log("other", 0) == 10);
    EVENTUALLY(stoq_store_outbox_stats(store, "sink", &stats) == 0 &&
               stats.failures >= 2);
    ck_assert_uint_eq(read_log("sink", 0), 0);
    ck_assert_uint_eq(stats.waiting, 10);
    ck_assert_str_eq(stats.last_error, "told to fail");
    ck_assert_int_eq(unlink(in_dir("sink.fail")), 0);
    EVENTUALLY(read_log("sink", 0) == 10);
    EVENTUALLY(stoq_store_outbox_stats(store, "sink", &stats) == 0 &&
               stats.waiting == 0);
    ck_assert_uint_eq(stats.delivered, 10);
    stoq_courier_end(&c, 5000);
    stoq_store_free(store);
}
END_TEST

/* Before it ends, what is due is tried: also what was put after the last wake. */
START_TEST(test_last_pass)
{
    struct stoq_store *store;
    struct stoq_courier c;

    set("core", "connectors", BOTH);
    c = start_courier();
    put_closed(1, 50);
    stoq_courier_end(&c, 20000);
    ck_assert_uint_eq(read_log("sink", 0), 50);
    ck_assert_uint_eq(read_log("other", 0), 50);
    store = open_store();
    assert_stats(store, "sink", 0, 50);
    stoq_store_free(store);
}
END_TEST

/* A sink that is down does not hold up the end. */
START_TEST(test_end_while_failing)
{
    struct stoq_courier c;
    uint64_t begun;

    set("core", "connectors", BOTH);
    put_closed(1, 5);
    touch("sink.fail");
    c = start_courier();
    EVENTUALLY(read_log("other", 0) == 5);
    begun = stoq_now_ms();
    stoq_courier_end(&c, 20000);
    ck_assert_uint_lt(stoq_now_ms() - begun, 10000);
    ck_assert_uint_eq(read_log("sink", 0), 0);
}
END_TEST

/* Killed again and again: everything arrives, in order; only what was being delivered
 * at a kill may arrive twice. */
START_TEST(test_killed)
{
    enum { ROWS = 600, KILLS = 15 };
    struct stoq_store *store;
    struct stoq_courier c;

    set("core", "connectors", BOTH);
    put_closed(1, ROWS);
    for (unsigned i = 1; i <= KILLS; i++) {
        c = start_courier();
        EVENTUALLY(read_log("sink", KILLS) >= i * 25);
        kill_courier(&c);
    }
    c = start_courier();
    EVENTUALLY(read_log("sink", KILLS) == ROWS && read_log("other", KILLS) == ROWS);
    stoq_courier_end(&c, 5000);
    store = open_store();
    assert_stats(store, "sink", 0, ROWS);
    assert_stats(store, "other", 0, ROWS);
    stoq_store_free(store);
}
END_TEST

/* A connector that kills the courier: the others are served across restarts. */
START_TEST(test_deadly_connector)
{
    struct stoq_courier c = {.control = -1};
    int status;

    set("core", "connectors", BOTH);
    put_closed(1, 10);
    touch("sink.kill");
    for (int i = 0; i < 20 && read_log("other", 20) < 10; i++) {
        c = start_courier();
        EVENTUALLY(read_log("other", 20) == 10 ||
                   waitpid(c.pid, &status, WNOHANG) != 0);
        if (read_log("other", 20) == 10)
            break;
        stoq_auto_close(&c.control);
    }
    ck_assert_uint_eq(read_log("other", 20), 10);
    ck_assert_uint_eq(read_log("sink", 0), 0);
    ck_assert_int_eq(unlink(in_dir("sink.kill")), 0);
    stoq_courier_end(&c, 0);
    c = start_courier();
    EVENTUALLY(read_log("sink", 0) == 10);
    stoq_courier_end(&c, 5000);
}
END_TEST

/* A document that is none becomes a dead letter; those behind it are delivered. */
START_TEST(test_unreadable)
{
    static const char *const connectors[] = {"sink", NULL};
    struct stoq_record record = {.id = {.dev = 1, .ino = 99}, .scan_id = "x"};
    struct stoq_outbox_stats stats;
    struct stoq_store *store;
    struct stoq_courier c;

    set("core", "connectors", "sink");
    store = open_store();
    ck_assert_int_eq(stoq_store_put(store, &record, "{", 1, connectors, NULL, NULL), 0);
    stoq_store_free(store);
    put_closed(1, 3);
    c = start_courier();
    EVENTUALLY(read_log("sink", 0) == 3);
    stoq_courier_end(&c, 5000);
    store = open_store();
    ck_assert_int_eq(stoq_store_outbox_stats(store, "sink", &stats), 0);
    ck_assert_uint_eq(stats.waiting, 0);
    ck_assert_uint_eq(stats.failures, 1);
    ck_assert_uint_eq(stats.delivered, 3);
    ck_assert_uint_eq(stats.dead, 1);
    stoq_store_free(store);
}
END_TEST

/* The store moved its database aside and began another: the courier follows. */
START_TEST(test_new_database)
{
    struct stoq_courier_client *client = NULL;
    struct stoq_store *store;
    struct stoq_courier c;
    char aside[128];

    set("core", "connectors", BOTH);
    put_closed(1, 2);
    c = start_courier();
    EVENTUALLY(read_log("sink", 0) == 2);
    (void)snprintf(aside, sizeof aside, "%s/aside", dir);
    ck_assert_int_eq(rename(in_dir("stoq.db"), aside), 0);
    store = open_store();
    put(store, 3, 4);
    ck_assert_int_eq(stoq_courier_client_new(STOQ_STEAL_FD(&c.control), &client, NULL),
                     0);
    stoq_courier_client_wake(client);
    EVENTUALLY(read_log("sink", 0) == 4 && read_log("other", 0) == 4);
    stoq_courier_client_free(client);
    stoq_courier_end(&c, 5000);
    stoq_store_free(store);
}
END_TEST

static const struct {
    const char *section, *key, *value;
    int code;
    const char *text;
} broken[] = {
    {"core", "connectors", "nosuch", -ENOENT, "nosuch"},
    {"sink", "nonsense", "1", -EINVAL, "nonsense"},
};

START_TEST(test_bad_setup)
{
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(broken); i++) {
        struct stoq_courier c = {.control = -1};
        struct stoq_error err = {0};

        set("core", "connectors", BOTH);
        set(broken[i].section, broken[i].key, broken[i].value);
        ck_assert_int_eq(stoq_courier_spawn(config, in_dir("stoq.db"), NULL, &c, &err),
                         0);
        ck_assert_int_eq(stoq_courier_wait(&c, LOAD_MS, &err), broken[i].code);
        ck_assert_int_eq(err.code, broken[i].code);
        ck_assert_msg(strstr(err.message, broken[i].text) != NULL, "%s", err.message);
        stoq_courier_end(&c, 0);
    }
}
END_TEST

START_TEST(test_died_early)
{
    struct stoq_courier c = {.control = -1};
    struct stoq_error err = {0};

    ck_assert_int_eq(stoq_courier_spawn(config, in_dir("stoq.db"), NULL, &c, &err), 0);
    ck_assert_int_eq(stoq_courier_wait(&c, LOAD_MS, &err), 0);
    ck_assert_int_eq(kill(c.pid, SIGKILL), 0);
    ck_assert_int_eq(stoq_courier_wait(&c, LOAD_MS, &err), -EPIPE);
    stoq_courier_end(&c, 0);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        test_backoff,          test_wake,       test_left_over,
        test_failing,          test_last_pass,  test_killed,
        test_deadly_connector, test_unreadable, test_end_while_failing,
        test_new_database,     test_bad_setup,  test_died_early,
    };

    return run_case("courier_deliver", tests, STOQ_ARRAY_SIZE(tests));
}
