/* SPDX-License-Identifier: Apache-2.0 */

/*
 * journald: the bytes that entries are made of, as datagrams and as sealed files, and
 * what becomes of a journal that goes away or does not read.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugins_sinks.h"
#include "plugins_support.h"
#include "util/auto.h"

#define ROOM ((size_t)4 << 20)

static int
journal(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)unlink(in_dir("socket"));
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", in_dir("socket"));
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Receive one entry. @return its bytes, of the datagram or of the file that came with
 * it; 0 on failure. */
static size_t
receive(int fd, char *data)
{
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec vec = {.iov_base = data, .iov_len = ROOM};
    struct msghdr msg = {.msg_iov = &vec,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof control.space};
    int passed;
    ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    if (n > 0 || !c)
        return n > 0 && !c ? (size_t)n : 0;
    memcpy(&passed, CMSG_DATA(c), sizeof passed);
    if (fcntl(passed, F_GET_SEALS) !=
        (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
        return 0;
    n = pread(passed, data, ROOM, 0);
    return n > 0 ? (size_t)n : 0;
}

/* A child that receives one entry of @fd into the file "got". */
static pid_t
reader(int fd)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid > 0)
        return pid;
    char *data = malloc(ROOM);
    size_t n = receive(fd, data);
    FILE *out = fopen(in_dir("got"), "we");
    (void)fwrite(data, 1, n, out);
    (void)fclose(out);
    free(data);
    _exit(n > 0 ? 0 : 1);
}

static void
ended(pid_t pid)
{
    int status = -1;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

static struct stoq_loaded *
plugin(const char *option)
{
    return LOADED("journald", NULL, sink_option("socket", in_dir("socket")),
                  option ? option : "timeout=10");
}

static char *
entry_of(const struct sink_document *d, const char *option)
{
    struct stoq_loaded *p = plugin(option);
    int fd = journal();
    pid_t pid = reader(fd);
    sink_saved(p, d);
    ended(pid);
    (void)close(fd);
    stoq_loaded_free(p);
    char *got = get_file(in_dir("got"));
    ck_assert_ptr_nonnull(got);
    return got;
}

START_TEST(fields)
{
    static const char *const rules[] = {"one", "two", NULL};
    STOQ_AUTOFREE char *got =
        entry_of(&(struct sink_document){.verdict = "flagged",
                                         .filename = "a=b\t\xc3\xa9",
                                         .sha256 = "abcd",
                                         .rules = rules},
                 NULL);
    char *document = strstr(got, "STOQ_DOCUMENT={");
    ck_assert_ptr_nonnull(document);
    json_auto_t *doc = json_loads(document + strlen("STOQ_DOCUMENT="), 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(doc, "scan_id")), SINK_ID);
    ck_assert_ptr_eq(strchr(document, '\n'), document + strlen(document) - 1);
    *document = '\0';
    ck_assert_str_eq(got, "MESSAGE=flagged: a=b?\xc3\xa9 (one, two)\n"
                          "PRIORITY=4\n"
                          "MESSAGE_ID=6397f3dea1a8440aae974a1b578818b2\n"
                          "SYSLOG_IDENTIFIER=stoq\n"
                          "STOQ_SCAN_ID=" SINK_ID "\n"
                          "STOQ_VERDICT=flagged\n"
                          "STOQ_TIME=" SINK_TIME "\n"
                          "STOQ_FILENAME=a=b\t\xc3\xa9\n"
                          "STOQ_SHA256=abcd\n"
                          "STOQ_SIZE=5\n"
                          "STOQ_PAYLOADS=1\n"
                          "STOQ_ERRORS=0\n"
                          "STOQ_RULE=one\n"
                          "STOQ_RULE=two\n"
                          "STOQ_RULES=2\n");
}
END_TEST

/* Names with newlines cannot forge fields. */
START_TEST(newlines)
{
    static const char field[] =
        "STOQ_FILENAME\n\x17\0\0\0\0\0\0\0a\nSTOQ_VERDICT=spotless\n";
    struct stoq_loaded *p = plugin("document=False");
    int fd = journal();
    pid_t pid = reader(fd);
    sink_saved(p, &(struct sink_document){.filename = "a\nSTOQ_VERDICT=spotless"});
    ended(pid);
    (void)close(fd);
    stoq_loaded_free(p);
    struct stat st;
    ck_assert_int_eq(stat(in_dir("got"), &st), 0);
    STOQ_AUTOFREE char *got = get_file(in_dir("got"));
    ck_assert_ptr_nonnull(memmem(got, (size_t)st.st_size, field, sizeof field - 1));
    ck_assert_ptr_nonnull(strstr(got, "MESSAGE=clean: a?STOQ_VERDICT=spotless\n"));
    ck_assert_ptr_null(memmem(got, (size_t)st.st_size, "STOQ_DOCUMENT", 13));
}
END_TEST

static const struct {
    const char *verdict, *line;
} priorities[] = {
    {"clean", "\nPRIORITY=6\n"},   {"skipped", "\nPRIORITY=6\n"},
    {"partial", "\nPRIORITY=5\n"}, {"error", "\nPRIORITY=3\n"},
    {"timeout", "\nPRIORITY=3\n"}, {"flagged", "\nPRIORITY=4\n"},
};

START_TEST(priority_by_verdict)
{
    STOQ_AUTOFREE char *got =
        entry_of(&(struct sink_document){.verdict = priorities[_i].verdict}, NULL);
    ck_assert_ptr_nonnull(strstr(got, priorities[_i].line));
}
END_TEST

/* Beyond what a datagram takes: the receiver finds a sealed file. */
START_TEST(a_long_entry)
{
    struct sink_document d = {.filename = "x", .padding = (size_t)1000000};
    STOQ_AUTOFREE char *got = entry_of(&d, NULL);
    ck_assert_uint_gt(strlen(got), 1000000);
    STOQ_AUTOFREE char *cut = entry_of(&d, "max_bytes=999999");
    ck_assert_ptr_nonnull(strstr(cut, "\nSTOQ_DOCUMENT_BYTES=1000"));
    ck_assert_ptr_null(strstr(cut, "STOQ_DOCUMENT="));
}
END_TEST

START_TEST(many_rules)
{
    static char names[700][16];
    const char *rules[701] = {NULL};
    for (int i = 0; i < 700; i++) {
        (void)snprintf(names[i], sizeof names[i], "r%d", i);
        rules[i] = names[i];
    }
    STOQ_AUTOFREE char *got =
        entry_of(&(struct sink_document){.rules = rules}, "document=False");
    ck_assert_ptr_nonnull(strstr(got, "(r0, r1, r2, r3, r4, ...)\n"));
    ck_assert_ptr_nonnull(strstr(got, "\nSTOQ_RULE=r499\nSTOQ_RULES=700\n"));
}
END_TEST

START_TEST(a_journal_that_is_restarted)
{
    struct stoq_error err = {0};
    struct stoq_loaded *p = plugin(NULL);
    ck_assert_int_eq(sink_save(p, &(struct sink_document){0}, &err), -ENOENT);
    for (int i = 0; i < 3; i++) {
        int fd = journal();
        pid_t pid = reader(fd);
        sink_saved(p, &(struct sink_document){0});
        ended(pid);
        (void)close(fd);
    }
    stoq_error_clear(&err);
    ck_assert_int_eq(sink_save(p, &(struct sink_document){0}, &err), -ECONNREFUSED);
    stoq_loaded_free(p);
}
END_TEST

/* One that does not read has not got it: no success, and not for ever. */
START_TEST(a_journal_that_does_not_read)
{
    struct stoq_error err = {0};
    struct stoq_loaded *p = plugin("timeout=1");
    int fd = journal();
    ck_assert_int_eq(sink_save(p, &(struct sink_document){0}, &err), -ETIMEDOUT);
    (void)close(fd);
    stoq_loaded_free(p);
}
END_TEST

static const char *const bad_options[] = {"socket=", "identifier=", "timeout=0",
                                          "max_bytes=-1", "document=perhaps"};

START_TEST(options_that_are_refused)
{
    struct stoq_loaded *p = NULL;
    struct stoq_error err = {0};
    ck_assert_int_eq(LOAD("journald", NULL, &p, &err, bad_options[_i]), -EINVAL);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_test(tc, fields);
    tcase_add_test(tc, newlines);
    tcase_add_loop_test(tc, priority_by_verdict, 0,
                        sizeof priorities / sizeof *priorities);
    tcase_add_test(tc, a_long_entry);
    tcase_add_test(tc, many_rules);
    tcase_add_test(tc, a_journal_that_is_restarted);
    tcase_add_test(tc, a_journal_that_does_not_read);
    tcase_add_loop_test(tc, options_that_are_refused, 0,
                        sizeof bad_options / sizeof *bad_options);
}

int
main(void)
{
    return run_suite("journald", fill);
}
