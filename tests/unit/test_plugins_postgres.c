/* SPDX-License-Identifier: Apache-2.0 */

/*
 * postgres: options, servers that are not there or say nothing; and, with the
 * connection string of a real server in STOQ_TEST_POSTGRES, what it takes and what not.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "plugins_sinks.h"
#include "plugins_support.h"

static const char *
conninfo(void)
{
    return sink_option("conninfo", getenv("STOQ_TEST_POSTGRES"));
}

static const char *
local(void)
{
    static char text[200];
    (void)snprintf(text, sizeof text, "conninfo=host=%s dbname=x user=y", test_dir);
    return text;
}

static const struct {
    const char *option, *message;
} bad_options[] = {
    {"conninfo=dbname=x password=secret", "a password belongs into a passfile"},
    {"conninfo=postgresql://user:secret@host/db", "a password belongs into a passfile"},
    {"conninfo=colour=blue", "invalid connection option \"colour\""},
    {"conninfo=dbname", "missing \"=\""},
    {"table=", "is no name"},
    {"table=.x", "is no name"},
    {"table=x.", "is no name"},
    {"connect_timeout=0", ""},
    {"statement_timeout=61", ""},
};

START_TEST(options_that_are_refused)
{
    struct stoq_loaded *p = NULL;
    struct stoq_error err = {0};
    ck_assert_int_eq(LOAD("postgres", NULL, &p, &err, bad_options[_i].option), -EINVAL);
    ck_assert_msg(strstr(err.message, bad_options[_i].message), "%s", err.message);
    ck_assert_ptr_null(strstr(err.message, "secret"));
}
END_TEST

START_TEST(no_server)
{
    struct stoq_error err = {0};
    struct stoq_loaded *p = LOADED("postgres", NULL, local());
    ck_assert_int_eq(sink_save(p, &(struct sink_document){0}, &err), -ECONNREFUSED);
    ck_assert_ptr_nonnull(strstr(err.message, test_dir));
    stoq_loaded_free(p);
}
END_TEST

/* It takes connections and never answers. */
START_TEST(a_server_that_says_nothing)
{
    struct stoq_error err = {0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timespec begin, end;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.5432",
                   test_dir);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fd, 4), 0);
    struct stoq_loaded *p = LOADED("postgres", NULL, local(), "connect_timeout=1");
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    ck_assert_int_eq(sink_save(p, &(struct sink_document){0}, &err), -ETIMEDOUT);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    ck_assert_int_eq(err.kind, STOQ_ERROR_TIMEOUT);
    ck_assert_int_le(end.tv_sec - begin.tv_sec, 10);
    stoq_loaded_free(p);
    (void)close(fd);
}
END_TEST

/* -------------------------------------------------------------- with a real server */

/* Both a first row and a repeated one are a success; so is one after the connection
 * was closed. The script counts the rows. */
START_TEST(a_row_once)
{
    struct stoq_loaded *p = LOADED("postgres", NULL, conninfo(), "table=unit.once");
    for (int i = 0; i < 3; i++)
        sink_saved(p, &(struct sink_document){.filename = "x"});
    stoq_loaded_free(p);
    p = LOADED("postgres", NULL, conninfo(), "table=unit.once");
    sink_saved(p, &(struct sink_document){.filename = "another"});
    stoq_loaded_free(p);
}
END_TEST

static const struct sink_document odd[] = {
    {.scan_id = "00000000-0000-4000-8000-000000000001",
     .filename = "'; DROP TABLE unit.odd; --\" \\ \xc3\xa9 \xf0\x9f\x98\x80"},
    {.scan_id = "00000000-0000-4000-8000-000000000002", .extra = "\\u0000 \\\\u0000"},
    {.scan_id = "00000000-0000-4000-8000-000000000003", .padding = (size_t)8 << 20},
};

START_TEST(odd_documents)
{
    struct stoq_loaded *p = LOADED("postgres", NULL, conninfo(), "table=unit.odd");
    sink_saved(p, &odd[_i]);
    stoq_loaded_free(p);
}
END_TEST

/* The document is to blame, and the next one passes over the same connection. */
START_TEST(a_document_that_is_never_taken)
{
    struct stoq_error err = {0};
    struct stoq_loaded *p = LOADED("postgres", NULL, conninfo(), "table=unit.strict");
    struct sink_document d = {.verdict = "flagged"};
    ck_assert_int_eq(sink_save(p, &d, &err), -EBADMSG);
    ck_assert_ptr_nonnull(strstr(err.message, "not_flagged"));
    sink_saved(p, &(struct sink_document){.filename = "x"});
    stoq_loaded_free(p);
}
END_TEST

/* The table, or who we are, is to blame: that is no reason to give documents up. */
static const struct {
    const char *table, *message;
} trouble[] = {
    {"table=unit.missing", "does not exist"},
    {"table=nowhere.missing", "does not exist"},
    {"table=unit.narrow", "column"},
    {"table=unit.secret", "permission denied"},
};

START_TEST(a_table_that_is_not_right)
{
    struct stoq_error err = {0};
    struct stoq_loaded *p =
        LOADED("postgres", NULL, conninfo(), trouble[_i].table, "create_table=False");
    ck_assert_int_eq(sink_save(p, &(struct sink_document){0}, &err), -EIO);
    ck_assert_msg(strstr(err.message, trouble[_i].message), "%s", err.message);
    stoq_loaded_free(p);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, options_that_are_refused, 0,
                        sizeof bad_options / sizeof *bad_options);
    tcase_add_test(tc, no_server);
    tcase_add_test(tc, a_server_that_says_nothing);
    if (!getenv("STOQ_TEST_POSTGRES"))
        return;
    tcase_add_test(tc, a_row_once);
    tcase_add_loop_test(tc, odd_documents, 0, sizeof odd / sizeof *odd);
    tcase_add_test(tc, a_document_that_is_never_taken);
    tcase_add_loop_test(tc, a_table_that_is_not_right, 0,
                        sizeof trouble / sizeof *trouble);
}

int
main(void)
{
    return run_suite("postgres", fill);
}
