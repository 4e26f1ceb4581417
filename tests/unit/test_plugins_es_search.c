/* SPDX-License-Identifier: Apache-2.0 */

/*
 * es-search: options, servers that are not there or say nothing; and, with the
 * directory of the stand-in server in STOQ_TEST_ES, what becomes of each answer.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "plugins_sinks.h"
#include "plugins_support.h"
#include "util/auto.h"

/* The file @name of the stand-in's directory. */
static const char *
of_server(const char *name)
{
    static char path[4][300];
    static unsigned next;
    char *at = path[next++ % 4];
    (void)snprintf(at, sizeof path[0], "%s/%s", getenv("STOQ_TEST_ES"), name);
    return at;
}

static void
set_mode(const char *mode)
{
    FILE *f = fopen(of_server("mode"), "we");
    ck_assert_ptr_nonnull(f);
    (void)fputs(mode, f);
    ck_assert_int_eq(fclose(f), 0);
}

static const char *
host(void)
{
    char text[64] = "127.0.0.1:";
    STOQ_AUTOFREE char *port = get_file(of_server("port"));
    ck_assert_ptr_nonnull(port);
    (void)strncat(text, port, 8);
    return sink_option("es_host", text);
}

/* Number of lines of a file of the stand-in's. */
static int
lines(const char *name)
{
    STOQ_AUTOFREE char *text = get_file(of_server(name));
    int n = 0;
    for (const char *c = text; c && *c; c++)
        n += *c == '\n';
    return n;
}

static const struct {
    const char *option, *message;
} bad_options[] = {
    {"es_host=", "es_host"},
    {"es_host=ftp://x", "neither http nor https"},
    {"es_host=http://a b", "es_host"},
    {"es_options=[]", "no JSON object"},
    {"es_options={", "no JSON object"},
    {"es_options={\"sniff\": true}", "sniff is not supported"},
    {"es_options={\"port\": \"x\"}", "port has the wrong type"},
    {"es_options={\"use_ssl\": 1}", "use_ssl has the wrong type"},
    {"es_options={\"http_auth\": [\"a\"]}", "not [user, password]"},
    {"es_username=me", "es_password_file"},
    {"es_password_file=/nowhere", "goes with"},
    {"es_api_key_file=/nowhere", "No such file"},
    {"es_index=", "es_index is not set"},
    {"es_timeout=0", ""},
};

START_TEST(options_that_are_refused)
{
    struct stoq_loaded *p = NULL;
    struct stoq_error err = {0};
    ck_assert_int_lt(LOAD("es-search", NULL, &p, &err,
                          strncmp(bad_options[_i].option, "es_host", 7) == 0
                              ? "es_retry=False"
                              : "es_host=localhost",
                          bad_options[_i].option),
                     0);
    ck_assert_msg(strstr(err.message, bad_options[_i].message), "%s", err.message);
}
END_TEST

/* Names of servers, as they appear in messages. Port 1 answers with a reset. */
static const struct {
    const char *host, *options, *name;
} names[] = {
    {"127.0.0.1:1", "{}", "http://127.0.0.1:1:"},
    {"127.0.0.1", "{\"port\": 1}", "http://127.0.0.1:1:"},
    {"http://127.0.0.1:1/below/", "{}", "http://127.0.0.1:1:"},
    {"127.0.0.1:1", "{\"use_ssl\": true}", "https://127.0.0.1:1:"},
    {"https://user:secret@127.0.0.1:1", "{}", "https://127.0.0.1:1:"},
};

START_TEST(a_server_that_is_not_there)
{
    struct stoq_error err = {0};
    struct stoq_loaded *p =
        LOADED("es-search", NULL, sink_option("es_host", names[_i].host),
               sink_option("es_options", names[_i].options), "es_max_retries=2");
    ck_assert_int_eq(sink_save(p, &(struct sink_document){0}, &err), -ECONNREFUSED);
    ck_assert_msg(strstr(err.message, names[_i].name), "%s", err.message);
    ck_assert_ptr_null(strstr(err.message, "secret"));
    stoq_loaded_free(p);
}
END_TEST

START_TEST(a_server_that_says_nothing)
{
    struct stoq_error err = {0};
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    char name[32];
    struct timespec begin, end;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fd, 4), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(name, sizeof name, "127.0.0.1:%u", ntohs(address.sin_port));
    struct stoq_loaded *p =
        LOADED("es-search", NULL, sink_option("es_host", name), "es_timeout=1");
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    ck_assert_int_eq(sink_save(p, &(struct sink_document){0}, &err), -ETIMEDOUT);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    ck_assert_int_le(end.tv_sec - begin.tv_sec, 10);
    stoq_loaded_free(p);
    (void)close(fd);
}
END_TEST

/* ------------------------------------------------------------- with the stand-in */

static const struct {
    const char *mode;
    int code;
    const char *message;
} answers[] = {
    {"http 503", -EAGAIN, "status 503: some_exception: told to"},
    {"http 429", -EAGAIN, "status 429"},
    {"http 400", -EACCES, "status 400"},
    {"http 401", -EACCES, "status 401"},
    {"http 404", -EACCES, "status 404"},
    {"http 413", -EBADMSG, "status 413"},
    {"item 400 mapper_parsing_exception", -EBADMSG,
     "mapper_parsing_exception: told to"},
    {"item 400 index_closed_exception", -EACCES, "index_closed_exception"},
    {"item 403", -EACCES, "status 403"},
    {"item 404", -EACCES, "status 404"},
    {"item 429", -EAGAIN, "status 429"},
    {"item 503", -EAGAIN, "status 503"},
    {"item 200", -EACCES, "status 200"}, /* an error, whatever the number says */
    {"other id", -EPROTO, "another document"},
    {"no items", -EPROTO, "none of _bulk"},
    {"garbage", -EPROTO, "none of _bulk"},
    {"huge", -EPROTO, ""},
    {"hang", -ETIMEDOUT, ""},
};

START_TEST(answers_that_are_failures)
{
    struct stoq_error err = {0};
    int before = lines("documents");
    struct stoq_loaded *p =
        LOADED("es-search", NULL, host(), "es_retry=False", "es_timeout=2");
    set_mode(answers[_i].mode);
    ck_assert_int_eq(sink_save(p, &(struct sink_document){0}, &err), answers[_i].code);
    ck_assert_msg(strstr(err.message, answers[_i].message), "%s", err.message);
    ck_assert_int_eq(lines("documents"), before);
    set_mode("");
    stoq_loaded_free(p);
}
END_TEST

/* The second answer is 409: it is there already. */
START_TEST(a_document_once)
{
    struct sink_document d = {.scan_id = "00000000-0000-4000-8000-00000000000a",
                              .filename = "\xc3\xa9\n\"",
                              .extra = "\\u0000"};
    int before = lines("documents");
    set_mode("");
    struct stoq_loaded *p = LOADED("es-search", NULL, host());
    for (int i = 0; i < 3; i++)
        sink_saved(p, &d);
    stoq_loaded_free(p);
    ck_assert_int_eq(lines("documents"), before + 1);
}
END_TEST

/* A busy server, or one whose answer got lost, is asked again at once. */
static const char *const hiccups[] = {"once 429", "silent"};

START_TEST(a_hiccup)
{
    struct sink_document d = {.scan_id = _i ? "00000000-0000-4000-8000-00000000000b"
                                            : "00000000-0000-4000-8000-00000000000c"};
    int documents = lines("documents"), requests = lines("requests");
    set_mode(hiccups[_i]);
    struct stoq_loaded *p = LOADED("es-search", NULL, host());
    sink_saved(p, &d);
    stoq_loaded_free(p);
    set_mode("");
    ck_assert_int_eq(lines("documents"), documents + 1);
    ck_assert_int_eq(lines("requests"), requests + 2);
}
END_TEST

START_TEST(retries_come_to_an_end)
{
    struct stoq_error err = {0};
    int requests = lines("requests");
    set_mode("item 429");
    struct stoq_loaded *p = LOADED("es-search", NULL, host(), "es_max_retries=2");
    ck_assert_int_eq(sink_save(p, &(struct sink_document){0}, &err), -EAGAIN);
    stoq_loaded_free(p);
    set_mode("");
    ck_assert_int_eq(lines("requests"), requests + 3);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, options_that_are_refused, 0,
                        sizeof bad_options / sizeof *bad_options);
    tcase_add_loop_test(tc, a_server_that_is_not_there, 0,
                        sizeof names / sizeof *names);
    tcase_add_test(tc, a_server_that_says_nothing);
    if (!getenv("STOQ_TEST_ES"))
        return;
    tcase_add_loop_test(tc, answers_that_are_failures, 0,
                        sizeof answers / sizeof *answers);
    tcase_add_test(tc, a_document_once);
    tcase_add_loop_test(tc, a_hiccup, 0, 2);
    tcase_add_test(tc, retries_come_to_an_end);
}

int
main(void)
{
    return run_suite("es-search", fill);
}
