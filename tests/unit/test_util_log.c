/* SPDX-License-Identifier: Apache-2.0 */

/* Lines of the log: form, escaping, cutting; levels; rotation. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "util/auto.h"
#include "util/io.h"
#include "util/log.h"
#include "util/log_line.h"

static char dir[] = "/tmp/stoq-test-XXXXXX";
static char path[PATH_MAX];
static int real_stderr = -1;
static int captured = -1;

static const char *
in_dir(const char *name)
{
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void
setup(void)
{
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(setenv("TZ", "UTC", 1), 0);
    captured = memfd_create("stderr", MFD_CLOEXEC);
    real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    ck_assert_int_ge(dup2(captured, STDERR_FILENO), 0);
}

static void
teardown(void)
{
    static const char *const names[] = {"stoq.log", "stoq.log.1", "stoq.log.2",
                                        "stoq.log.3"};
    stoq_log_fini();
    ck_assert_int_ge(dup2(real_stderr, STDERR_FILENO), 0);
    (void)close(real_stderr);
    (void)close(captured);
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(names); i++)
        (void)unlink(in_dir(names[i]));
    ck_assert_int_eq(rmdir(dir), 0);
}

/* What was written to stderr since the start of the test. Caller frees. */
static char *
stderr_text(void)
{
    char *text = calloc(1, 65536);
    ck_assert_int_ge(stoq_pread_full(captured, text, 65535, 0), 0);
    return text;
}

static char *
file_text(const char *name)
{
    char *text = NULL;
    struct stoq_error err = {0};
    int r = stoq_read_file(in_dir(name), 1 << 20, &text, NULL, &err);
    ck_assert_msg(r == 0, "%s", err.message);
    return text;
}

static struct stoq_log_record
record(const char *plugin, const char *text)
{
    return (struct stoq_log_record){.level = STOQ_LEVEL_WARNING,
                                    .time = {.tv_sec = 1700000000, .tv_nsec = 7999999},
                                    .ident = "stoq",
                                    .plugin = plugin,
                                    .file = "/src/core/scan.c",
                                    .func = "scan",
                                    .line = 12,
                                    .text = text};
}

static const struct {
    const char *plugin, *text;
    bool to_file, json;
    const char *line;
} forms[] = {
    {NULL, "hello", false, false, "[2023-11-14 22:13:20,007 WARNING] stoq: hello\n"},
    {"yara", "hello", false, false,
     "[2023-11-14 22:13:20,007 WARNING] stoq.yara: hello\n"},
    {NULL, "hello", true, false,
     "2023-11-14 22:13:20 WARNING stoq:scan.c:scan:12: hello\n"},
    {NULL, "hello", false, true,
     "{\"asctime\": \"2023-11-14 22:13:20,007\", \"levelname\": \"WARNING\", "
     "\"name\": \"stoq\", \"message\": \"hello\"}\n"},
    {"yara", "a\nb\t\"\\\x01\xff\xc3\xa9", true, true,
     "{\"asctime\": \"2023-11-14 22:13:20,007\", \"levelname\": \"WARNING\", "
     "\"name\": \"stoq.yara\", \"filename\": \"scan.c\", \"funcName\": \"scan\", "
     "\"lineno\": 12, \"message\": \"a\\nb\\t\\\"\\\\\\u0001\\\\xff\xc3\xa9\"}\n"},
    /* a file name that would forge a line, colour a terminal or break UTF-8 */
    {NULL, "a\nb\x1b[31m\x7f\xff\xc2\x9b\xc3\xa9", false, false,
     "[2023-11-14 22:13:20,007 WARNING] stoq: "
     "a\\x0ab\\x1b[31m\\x7f\\xff\\xc2\\x9b\xc3\xa9\n"},
};

START_TEST(form)
{
    struct stoq_log_line out;
    struct stoq_log_record r = record(forms[_i].plugin, forms[_i].text);
    tzset();
    stoq_log_format(&out, &r, forms[_i].to_file, forms[_i].json);
    ck_assert_uint_eq(out.size, strlen(forms[_i].line));
    ck_assert_mem_eq(out.data, forms[_i].line, out.size);
}
END_TEST

/* Whatever is cut, the line ends with its newline and JSON stays JSON. */
START_TEST(cut)
{
    static const char *const pieces[] = {"x", "\"", "\x01", "\xff", "\xf0\x9f\x98\x80"};
    static char text[9000];
    struct stoq_log_line out;
    for (unsigned shift = 0; shift < 9; shift++) {
        text[0] = '\0';
        memset(text, 'y', shift);
        for (size_t n = shift; n + 5 < sizeof(text); n += strlen(pieces[_i]))
            strcpy(text + n, pieces[_i]);
        struct stoq_log_record r = record(NULL, text);
        stoq_log_format(&out, &r, true, true);
        ck_assert_uint_le(out.size, STOQ_LOG_LINE_MAX);
        ck_assert_int_eq(out.data[out.size - 1], '\n');
        json_auto_t *json = json_loadb(out.data, out.size, 0, NULL);
        ck_assert_ptr_nonnull(json);
        ck_assert_uint_gt(json_string_length(json_object_get(json, "message")), 600);
        stoq_log_format(&out, &r, false, false);
        ck_assert_uint_gt(out.size, STOQ_LOG_LINE_MAX - 32);
        ck_assert_ptr_eq(memchr(out.data, '\n', out.size), out.data + out.size - 1);
    }
}
END_TEST

START_TEST(levels)
{
    struct stoq_log_config config = {.level = STOQ_LEVEL_WARNING, .ident = "t"};
    enum stoq_level level = STOQ_LEVEL_ERROR;
    ck_assert_int_eq(stoq_log_setup(&config, NULL), 0);
    STOQ_ERROR("one");
    STOQ_WARN("two");
    STOQ_INFO("three");
    STOQ_AUTOFREE char *text = stderr_text();
    ck_assert_ptr_nonnull(strstr(text, " ERROR] t: one\n["));
    ck_assert_ptr_nonnull(strstr(text, " WARNING] t: two\n"));
    ck_assert_ptr_null(strstr(text, "three"));
    ck_assert(!stoq_log_enabled(STOQ_LEVEL_INFO));
    ck_assert_int_eq(stoq_log_level_parse("Debug", &level), 0);
    ck_assert_int_eq((int)level, STOQ_LEVEL_DEBUG);
    ck_assert_int_eq(stoq_log_level_parse("CRITICAL", &level), 0);
    ck_assert_int_eq((int)level, STOQ_LEVEL_ERROR);
    ck_assert_int_eq(stoq_log_level_parse("loud", &level), -EINVAL);
    ck_assert_int_eq(stoq_log_level_parse("", &level), -EINVAL);
}
END_TEST

START_TEST(keeps_errno)
{
    struct stoq_log_config config = {
        .level = STOQ_LEVEL_INFO, .dir = dir, .max_bytes = 1, .backups = 1};
    ck_assert_int_eq(stoq_log_setup(&config, NULL), 0);
    for (unsigned i = 0; i < 3; i++) {
        errno = ENOTTY;
        STOQ_INFO("line");
        ck_assert_int_eq(errno, ENOTTY);
        STOQ_DEBUG("line");
        ck_assert_int_eq(errno, ENOTTY);
    }
}
END_TEST

START_TEST(rotation)
{
    struct stoq_log_config config = {
        .level = STOQ_LEVEL_INFO, .dir = dir, .max_bytes = 150, .backups = 2};
    ck_assert_int_eq(stoq_log_setup(&config, NULL), 0);
    for (unsigned i = 0; i < 8; i++)
        STOQ_INFO("number %u", i);
    /* lines have 68 bytes or so: two in each file, the oldest two are gone */
    STOQ_AUTOFREE char *now = file_text("stoq.log");
    STOQ_AUTOFREE char *first = file_text("stoq.log.1");
    STOQ_AUTOFREE char *second = file_text("stoq.log.2");
    ck_assert_ptr_nonnull(strstr(now, "number 6\n"));
    ck_assert_ptr_nonnull(strstr(now, "number 7\n"));
    ck_assert_ptr_nonnull(strstr(first, "number 4\n"));
    ck_assert_ptr_nonnull(strstr(first, "number 5\n"));
    ck_assert_ptr_nonnull(strstr(second, "number 2\n"));
    ck_assert_ptr_nonnull(strstr(second, "number 3\n"));
    ck_assert_int_eq(access(in_dir("stoq.log.3"), F_OK), -1);
}
END_TEST

/* Another process rotated: lines go to the file that has the name now. */
START_TEST(rotated_elsewhere)
{
    struct stoq_log_config config = {
        .level = STOQ_LEVEL_INFO, .dir = dir, .max_bytes = 80, .backups = 2};
    char old[PATH_MAX];
    ck_assert_int_eq(stoq_log_setup(&config, NULL), 0);
    STOQ_INFO("first");
    strcpy(old, in_dir("stoq.log"));
    ck_assert_int_eq(rename(old, in_dir("stoq.log.1")), 0);
    STOQ_INFO("second");
    STOQ_AUTOFREE char *now = file_text("stoq.log");
    STOQ_AUTOFREE char *first = file_text("stoq.log.1");
    ck_assert_ptr_nonnull(strstr(now, "second\n"));
    ck_assert_ptr_null(strstr(now, "first"));
    ck_assert_ptr_nonnull(strstr(first, "first\n"));
    ck_assert_int_eq(access(in_dir("stoq.log.2"), F_OK), -1);
}
END_TEST

START_TEST(no_rotation)
{
    struct stoq_log_config config = {
        .level = STOQ_LEVEL_INFO, .dir = dir, .max_bytes = 10, .backups = 0};
    ck_assert_int_eq(stoq_log_setup(&config, NULL), 0);
    STOQ_INFO("first");
    STOQ_INFO("second");
    STOQ_AUTOFREE char *now = file_text("stoq.log");
    ck_assert_ptr_nonnull(strstr(now, "first\n"));
    ck_assert_ptr_nonnull(strstr(now, "second\n"));
}
END_TEST

START_TEST(setup_fails)
{
    struct stoq_error err = {0};
    char bad[PATH_MAX];
    ck_assert_int_eq(stoq_write_file_atomic(in_dir("stoq.log"), "", 0, 0600, true), 0);
    strcpy(bad, in_dir("stoq.log"));
    struct stoq_log_config config = {.level = STOQ_LEVEL_INFO, .dir = bad};
    ck_assert_int_eq(stoq_log_setup(&config, &err), -ENOTDIR);
    ck_assert_ptr_nonnull(strstr(err.message, "stoq.log/stoq.log: Not a directory"));
    STOQ_INFO("still there");
    STOQ_AUTOFREE char *text = stderr_text();
    ck_assert_ptr_nonnull(strstr(text, " INFO] stoq: still there\n"));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("util log");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, form, 0, (int)STOQ_ARRAY_SIZE(forms));
    tcase_add_loop_test(t, cut, 0, 5);
    tcase_add_test(t, levels);
    tcase_add_test(t, keeps_errno);
    tcase_add_test(t, rotation);
    tcase_add_test(t, rotated_elsewhere);
    tcase_add_test(t, no_rotation);
    tcase_add_test(t, setup_fails);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
