/* SPDX-License-Identifier: Apache-2.0 */

/*
 * syslog: what messages look like, how each transport frames them, and what becomes of
 * a server that goes away, is slow, or takes less than a message.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugins_sinks.h"
#include "plugins_support.h"
#include "util/auto.h"

#define ROOM 200000

static char text[ROOM];

/* ------------------------------------------------------------------------ servers */

static int
unix_server(int type, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    (void)unlink(path);
    ck_assert_uint_lt(strlen(path), sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    if (type == SOCK_STREAM)
        ck_assert_int_eq(listen(fd, 4), 0);
    return fd;
}

/* A listening socket of the loopback address; its port, or one asked for. */
static int
inet_server(int type, unsigned short *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t size = sizeof address;
    int on = 1;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    if (type == SOCK_STREAM)
        ck_assert_int_eq(listen(fd, 4), 0);
    return fd;
}

static const char *
port_option(unsigned short port)
{
    char number[8];
    (void)snprintf(number, sizeof number, "%u", port);
    return sink_option("port", number);
}

/* A child that reads messages of server @fd and writes their bytes to "got" in the
 * test's directory, until @want bytes or, SIZE_MAX, the end came. */
static pid_t
reader(int fd, bool stream, size_t want)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid > 0)
        return pid;
    FILE *out = fopen(in_dir("got"), "ae");
    int from = stream ? accept(fd, NULL, NULL) : fd;
    for (size_t sum = 0; sum < want;) {
        ssize_t n = recv(from, text, sizeof text, 0);
        if (n == 0 && want == SIZE_MAX && sum > 0)
            break;
        if (n <= 0)
            _exit(1);
        (void)fwrite(text, 1, (size_t)n, out);
        sum += (size_t)n;
    }
    (void)fclose(out);
    _exit(0);
}

static void
ended(pid_t pid)
{
    int status = -1;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

/* ----------------------------------------------------------------------- messages */

/* The one message that @d becomes, as a datagram server gets it. */
static char *
message_of(const struct sink_document *d, const char *option)
{
    struct stoq_loaded *p = LOADED("syslog", NULL, sink_option("socket", in_dir("log")),
                                   "hostname=here", option ? option : "app_name=stoq");
    int fd = unix_server(SOCK_DGRAM, in_dir("log"));
    pid_t pid = reader(fd, false, 1);
    sink_saved(p, d);
    ended(pid);
    (void)close(fd);
    stoq_loaded_free(p);
    char *got = get_file(in_dir("got"));
    ck_assert_ptr_nonnull(got);
    ck_assert_int_eq(unlink(in_dir("got")), 0);
    return got;
}

/* The part before MSG, with the process id taken out. */
static void
check_head(char *got, const char *expected)
{
    STOQ_AUTOFREE char *wanted = NULL;
    char *body = strstr(got, "] {");
    ck_assert_ptr_nonnull(body);
    body[1] = '\0';
    ck_assert_int_gt(asprintf(&wanted, "%s", expected), 0);
    ck_assert_str_eq(got, wanted);
}

static const char *
head(unsigned priority, const char *rest)
{
    static char line[2048];
    (void)snprintf(line, sizeof line, "<%u>1 " SINK_TIME " here stoq %d scan [%s]",
                   priority, getpid(), rest);
    return line;
}

START_TEST(fields_and_escapes)
{
    static const char *const rules[] = {"one", "two", "one", NULL};
    STOQ_AUTOFREE char *got = message_of(
        &(struct sink_document){.verdict = "flagged",
                                .filename = "a\"]\\b\n\xc3\xa9\xf0\x9f\x98\x80",
                                .sha256 = "abcd",
                                .rules = rules},
        NULL);
    const char *body = strstr(got, "] {") + 2;
    json_auto_t *doc = json_loads(body, 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(doc, "scan_id")), SINK_ID);
    ck_assert_ptr_nonnull(strstr(body, "a\\\"]\\\\b\\n\\u00e9\\ud83d\\ude00"));
    for (const char *c = body; *c; c++)
        ck_assert(*c >= ' ' && *c < 0x7f);
    check_head(got, head(28, "stoq@32473 scan_id=\"" SINK_ID
                             "\" verdict=\"flagged\" size=\"5\" sha256=\"abcd\" "
                             "filename=\"a\\\"\\]\\\\b?\xc3\xa9\xf0\x9f\x98\x80\" "
                             "rules=\"one,two\""));
}
END_TEST

static const struct {
    const char *verdict, *option;
    unsigned priority;
} priorities[] = {
    {"clean", NULL, 30},
    {"skipped", NULL, 30},
    {"partial", NULL, 29},
    {"error", NULL, 27},
    {"timeout", NULL, 27},
    {"flagged", "facility=local7", 188},
    {"flagged", "severity=clean=debug, flagged=alert", 25},
    {"clean", "severity=clean=debug, flagged=alert", 31},
};

START_TEST(severity_by_verdict)
{
    STOQ_AUTOFREE char *rest = NULL;
    STOQ_AUTOFREE char *got =
        message_of(&(struct sink_document){.verdict = priorities[_i].verdict},
                   priorities[_i].option);
    ck_assert_int_gt(
        asprintf(&rest, "stoq@32473 scan_id=\"" SINK_ID "\" verdict=\"%s\" size=\"5\"",
                 priorities[_i].verdict),
        0);
    check_head(got, head(priorities[_i].priority, rest));
}
END_TEST

START_TEST(what_does_not_fit_is_told)
{
    struct sink_document d = {.filename = "f", .padding = 5000};
    STOQ_AUTOFREE char *got = message_of(&d, "max_bytes=2048");
    const char *body = strstr(got, "] {");
    ck_assert_ptr_nonnull(strstr(got, " truncated=\"document\" document_bytes=\"5"));
    ck_assert_uint_le(strlen(got), 2048);
    CHECK_TEXT(strdup(body + 2),
               "{\"scan_id\": \"" SINK_ID "\", \"time\": \"" SINK_TIME
               "\", \"verdict\": \"clean\", \"filename\": \"f\", \"size\": 5, "
               "\"rules\": [], \"payloads\": 1, \"errors\": 0}");
    STOQ_AUTOFREE char *whole = message_of(&d, "max_bytes=8192");
    ck_assert_ptr_null(strstr(whole, "truncated"));
    ck_assert_uint_gt(strlen(whole), 5000);
    STOQ_AUTOFREE char *summary = message_of(&d, "message=summary");
    ck_assert_ptr_null(strstr(summary, "truncated"));
    ck_assert_str_eq(strstr(summary, "] {") + 2, body + 2);
}
END_TEST

START_TEST(many_rules_are_cut)
{
    static char names[400][40];
    const char *rules[401] = {NULL};
    for (int i = 0; i < 400; i++) {
        (void)snprintf(names[i], sizeof names[i], "a_rule_with_a_name_%d", i);
        rules[i] = names[i];
    }
    STOQ_AUTOFREE char *got =
        message_of(&(struct sink_document){.rules = rules}, "max_bytes=2048");
    ck_assert_uint_le(strlen(got), 2048);
    ck_assert_ptr_nonnull(strstr(got, ",a_rule_with_a_name_10"));
    ck_assert_ptr_null(strstr(got, "a_rule_with_a_name_399"));
    ck_assert_ptr_nonnull(
        strstr(got, " rules_count=\"400\" truncated=\"rules,document\""));
    /* the filename, too, without half a character */
    char name[301];
    for (size_t i = 0; i < 300; i += 2)
        memcpy(name + i, "\xc3\xa9", 3);
    STOQ_AUTOFREE char *cut =
        message_of(&(struct sink_document){.filename = name}, NULL);
    const char *at = strstr(cut, "filename=\"");
    ck_assert_ptr_nonnull(at);
    ck_assert_uint_eq(strcspn(at + 10, "\""), 254);
}
END_TEST

/* ---------------------------------------------------------------------- transports */

START_TEST(unix_stream_has_lines)
{
    struct stoq_loaded *p =
        LOADED("syslog", NULL, sink_option("socket", in_dir("log")));
    int fd = unix_server(SOCK_STREAM, in_dir("log"));
    pid_t pid = reader(fd, true, SIZE_MAX);
    sink_saved(p, &(struct sink_document){.filename = "x"});
    stoq_loaded_free(p);
    ended(pid);
    STOQ_AUTOFREE char *got = get_file(in_dir("got"));
    ck_assert_ptr_eq(strchr(got, '\n'), got + strlen(got) - 1);
    (void)close(fd);
}
END_TEST

START_TEST(tcp_counts_octets)
{
    unsigned short port = 0;
    int fd = inet_server(SOCK_STREAM, &port);
    struct stoq_loaded *p =
        LOADED("syslog", NULL, "transport=tcp", port_option(port), "max_bytes=100000");
    pid_t pid = reader(fd, true, 60000);
    sink_saved(p, &(struct sink_document){.filename = "x", .padding = 60000});
    ended(pid);
    STOQ_AUTOFREE char *got = get_file(in_dir("got"));
    char *end;
    unsigned long count = strtoul(got, &end, 10);
    ck_assert_int_eq(end[0], ' ');
    ck_assert_int_eq(end[1], '<');
    ck_assert_uint_eq(strlen(end + 1), count);
    stoq_loaded_free(p);
    (void)close(fd);
}
END_TEST

START_TEST(udp_datagram_that_is_too_long_loses_the_document)
{
    unsigned short port = 0;
    int fd = inet_server(SOCK_DGRAM, &port);
    struct stoq_loaded *p =
        LOADED("syslog", NULL, "transport=udp", port_option(port), "max_bytes=1000000");
    pid_t pid = reader(fd, false, 1);
    sink_saved(p, &(struct sink_document){.filename = "x", .padding = 70000});
    ended(pid);
    STOQ_AUTOFREE char *got = get_file(in_dir("got"));
    ck_assert_ptr_nonnull(strstr(got, "truncated=\"document\" document_bytes=\"70"));
    stoq_loaded_free(p);
    (void)close(fd);
}
END_TEST

/* ------------------------------------------------------------------------ failures */

START_TEST(a_server_that_went_away_and_came_back)
{
    struct stoq_error err = {0};
    unsigned short port = 0;
    int fd = inet_server(SOCK_STREAM, &port);
    struct stoq_loaded *p = LOADED("syslog", NULL, "transport=tcp", port_option(port));
    for (int i = 0; i < 3; i++) { /* each reader closes its connection after one */
        pid_t pid = reader(fd, true, 1);
        sink_saved(p, &(struct sink_document){.filename = "x"});
        ended(pid);
    }
    (void)close(fd);
    ck_assert_int_eq(sink_save(p, &(struct sink_document){0}, &err), -ECONNREFUSED);
    ck_assert_ptr_nonnull(strstr(err.message, "tcp 127.0.0.1 port"));
    fd = inet_server(SOCK_STREAM, &port);
    pid_t pid = reader(fd, true, 1);
    sink_saved(p, &(struct sink_document){.filename = "x"});
    ended(pid);
    (void)close(fd);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(a_datagram_server_that_was_restarted)
{
    struct stoq_error err = {0};
    struct stoq_loaded *p =
        LOADED("syslog", NULL, sink_option("socket", in_dir("log")));
    for (int i = 0; i < 3; i++) {
        int fd = unix_server(SOCK_DGRAM, in_dir("log"));
        pid_t pid = reader(fd, false, 1);
        sink_saved(p, &(struct sink_document){.filename = "x"});
        ended(pid);
        (void)close(fd);
    }
    ck_assert_int_eq(sink_save(p, &(struct sink_document){0}, &err), -ECONNREFUSED);
    stoq_loaded_free(p);
}
END_TEST

/* One that does not read has not got it: no success, and not for ever. */
START_TEST(a_server_that_does_not_read)
{
    struct stoq_error err = {0};
    struct stoq_loaded *p =
        LOADED("syslog", NULL, sink_option("socket", in_dir("log")), "timeout=1");
    int fd = unix_server(_i ? SOCK_STREAM : SOCK_DGRAM, in_dir("log"));
    ck_assert_int_eq(sink_save(p, &(struct sink_document){0}, &err), -ETIMEDOUT);
    (void)close(fd);
    stoq_loaded_free(p);
}
END_TEST

static const char *const bad_options[] = {
    "transport=smoke", "facility=loud",           "severity=clean",
    "socket=",         "severity=clean=loud",     "severity=spotless=info",
    "message=all",     "max_bytes=100",           "app_name=two words",
    "hostname=a b",    "sd_id=stoq=\"1\"",        "app_name=",
    "port=70000",      "severity=flagged=alert=", "timeout=0",
};

START_TEST(options_that_are_refused)
{
    struct stoq_loaded *p = NULL;
    struct stoq_error err = {0};
    ck_assert_int_eq(LOAD("syslog", NULL, &p, &err, bad_options[_i]), -EINVAL);
    ck_assert_ptr_null(p);
    ck_assert_str_ne(err.message, "");
}
END_TEST

START_TEST(certificates_that_are_refused)
{
    struct stoq_loaded *p = NULL;
    struct stoq_error err = {0};
    put_file("no.pem", "nothing\n");
    ck_assert_int_eq(LOAD("syslog", NULL, &p, &err, "transport=tls",
                          sink_option("ca_file", in_dir("no.pem"))),
                     -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "no.pem"));
    stoq_error_clear(&err);
    ck_assert_int_eq(LOAD("syslog", NULL, &p, &err, "transport=tls",
                          sink_option("cert_file", in_dir("no.pem"))),
                     -EINVAL);
    stoq_error_clear(&err);
    ck_assert_int_eq(LOAD("syslog", NULL, &p, &err, "transport=tls",
                          sink_option("key_file", in_dir("no.pem"))),
                     -EINVAL);
    ck_assert_str_eq(err.message, "key_file needs cert_file");
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_test(tc, fields_and_escapes);
    tcase_add_loop_test(tc, severity_by_verdict, 0,
                        sizeof priorities / sizeof *priorities);
    tcase_add_test(tc, what_does_not_fit_is_told);
    tcase_add_test(tc, many_rules_are_cut);
    tcase_add_test(tc, unix_stream_has_lines);
    tcase_add_test(tc, tcp_counts_octets);
    tcase_add_test(tc, udp_datagram_that_is_too_long_loses_the_document);
    tcase_add_test(tc, a_server_that_went_away_and_came_back);
    tcase_add_test(tc, a_datagram_server_that_was_restarted);
    tcase_add_loop_test(tc, a_server_that_does_not_read, 0, 2);
    tcase_add_loop_test(tc, options_that_are_refused, 0,
                        sizeof bad_options / sizeof *bad_options);
    tcase_add_test(tc, certificates_that_are_refused);
}

int
main(void)
{
    return run_suite("syslog", fill);
}
