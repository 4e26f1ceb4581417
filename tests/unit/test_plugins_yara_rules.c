/* SPDX-License-Identifier: Apache-2.0 */

/* Where the yara plugin takes rules from, and what it says when some do not compile. */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins_support.h"
#include "util/auto.h"

static const char *
rules_option(const char *path)
{
    static char option[600];
    (void)snprintf(option, sizeof option, "worker_rules=%s", path);
    return option;
}

START_TEST(a_directory_is_taken_recursively_without_what_is_broken)
{
    struct stoq_loaded *p = LOADED("yara", NULL, "worker_rules=" RULES_DIR "/set/");
    CHECK_TEXT(fact(p, "rules", "loaded"), "4");
    CHECK_TEXT(fact(p, "rules", "files"), "4");
    CHECK_TEXT(fact(p, "rules", "cached"), "false");
    CHECK_TEXT(fact(p, "rules", "failed"),
               "[{\"file\": \"" RULES_DIR "/set/broken.yar\", \"line\": 6, "
               "\"message\": \"undefined string \\\"$nowhere\\\"\"}, "
               "{\"file\": \"" RULES_DIR "/set/undefined.yar\", \"line\": 6, "
               "\"message\": \"undefined identifier \\\"file_name\\\"\"}]");
    ck_assert(stoq_loaded_content_only(p));
    CHECK_TEXT(
        scanned(p, "secret", 6, NULL),
        "{\"matches\": [{\"tags\": [\"demo\", \"tag2\"], \"namespace\": \"a.yar\", "
        "\"rule\": \"secret\", \"meta\": {\"author\": \"tests\", \"score\": 42, "
        "\"low\": -1, \"good\": true}, \"strings\": [[0, \"$a\", \"secret\"]]}, "
        "{\"tags\": [], \"namespace\": \"sub/b.yara\", \"rule\": \"short_file\", "
        "\"meta\": {}, \"strings\": []}, "
        "{\"tags\": [], \"namespace\": \"sub/b.yara\", \"rule\": \"secret\", "
        "\"meta\": {}, \"strings\": [[0, \"$a\", \"secret\"]]}]}");
    /* Too long for the global rule of one file, which is nothing to the other. */
    char data[100];
    memset(data, ' ', sizeof data);
    memcpy(data, "secret", 6);
    CHECK_TEXT(rules_of(p, data, sizeof data, NULL), "secret");
    stoq_loaded_free(p);
}
END_TEST

START_TEST(links_and_hidden_files)
{
    put_file("real/r.yar", "rule linked { condition: true }");
    put_file("rules/.hidden.yar", "rule hidden { condition: true }");
    put_file("rules/.git/r.yar", "rule hidden { condition: true }");
    put_file("rules/shown.yar", "rule shown { condition: true }");
    put_file("rules/empty.yar", "");
    put_file("outside/o.yar", "rule outside { condition: true }");
    ck_assert_int_eq(symlink(in_dir("real/r.yar"), in_dir("rules/link.yar")), 0);
    ck_assert_int_eq(symlink(in_dir("outside"), in_dir("rules/dir.yar")), 0);
    ck_assert_int_eq(symlink("rules", in_dir("to_rules")), 0);

    struct stoq_loaded *p = LOADED("yara", NULL, rules_option(in_dir("to_rules")));
    CHECK_TEXT(rules_of(p, "x", 1, NULL), "linked shown");
    CHECK_TEXT(fact(p, "rules", "files"), "3");
    CHECK_TEXT(fact(p, "rules", "failed"), "[]");
    stoq_loaded_free(p);
}
END_TEST

START_TEST(a_rule_file_that_cannot_be_read_is_reported)
{
    put_file("rules/good.yar", "rule good { condition: true }");
    ck_assert_int_eq(symlink("/nonexistent", in_dir("rules/gone.yar")), 0);
    ck_assert_int_eq(mkfifo(in_dir("rules/fifo"), 0600), 0);
    struct stoq_loaded *p = LOADED("yara", NULL, rules_option(in_dir("rules")));
    char expected[600];
    (void)snprintf(expected, sizeof expected,
                   "[{\"file\": \"%s/rules/gone.yar\", \"line\": 0, "
                   "\"message\": \"cannot be read\"}]",
                   test_dir);
    CHECK_TEXT(fact(p, "rules", "failed"), expected);
    CHECK_TEXT(rules_of(p, "x", 1, NULL), "good");
    stoq_loaded_free(p);
}
END_TEST

START_TEST(a_rule_called_like_a_variable_gives_way)
{
    put_file("rules/a.yar", "rule filename { condition: true }");
    put_file("rules/b.yar", "rule by_name { condition: filename == \"x\" }");
    struct stoq_loaded *p = LOADED("yara", NULL, rules_option(in_dir("rules")));
    char expected[600];
    (void)snprintf(expected, sizeof expected,
                   "[{\"file\": \"%s/rules/a.yar\", \"line\": 1, "
                   "\"message\": \"duplicated identifier \\\"filename\\\"\"}]",
                   test_dir);
    CHECK_TEXT(fact(p, "rules", "failed"), expected);
    CHECK_TEXT(rules_of(p, "1", 1, "/d/x"), "by_name");
    stoq_loaded_free(p);
}
END_TEST

START_TEST(includes_are_found_beside_the_file_that_names_them)
{
    put_file("rules/main.yar", "include \"sub/one.inc\"\ninclude \"two.inc\"\n"
                               "rule top { condition: one and deep and two }");
    put_file("rules/two.inc", "rule two { condition: true }");
    put_file("rules/sub/one.inc", "include \"two.inc\"\nrule one { condition: true }");
    put_file("rules/sub/two.inc", "rule deep { condition: true }");
    put_file("rules/lost.yar",
             "include \"nowhere.inc\"\nrule lost { condition: true }");
    struct stoq_loaded *p = LOADED("yara", NULL, rules_option(in_dir("rules")));
    CHECK_TEXT(rules_of(p, "x", 1, NULL), "deep one two top");
    CHECK_TEXT(fact(p, "rules", "loaded"), "4");
    char expected[600];
    (void)snprintf(expected, sizeof expected,
                   "[{\"file\": \"%s/rules/lost.yar\", \"line\": 1, "
                   "\"message\": \"can't open include file: nowhere.inc\"}]",
                   test_dir);
    CHECK_TEXT(fact(p, "rules", "failed"), expected);
    stoq_loaded_free(p);
}
END_TEST

static const struct refusal {
    const char *worker, *dispatch; /* below the directory of the test; "" = off */
    int code;
    const char *message; /* %s is that directory */
} refusals[] = {
    {"", "", -EINVAL, "no rules: neither worker_rules nor dispatch_rules is set"},
    {"nothing", "", -ENOENT, "%s/nothing: No such file or directory"},
    {"none", "", -ENOENT, "%s/none: no *.yar or *.yara file below this directory"},
    {"comment.yar", "", -EINVAL, "worker_rules: no rules in %s/comment.yar"},
    {"bad.yar", "", -EINVAL,
     "worker_rules: no rule compiles: %s/bad.yar:2: syntax error"},
    {"good.yar", "bad.yar", -EINVAL,
     "dispatch_rules: no rule compiles: %s/bad.yar:2: syntax error"},
    {"false.yarc", "", -EINVAL, "%s/false.yarc: not compiled by this version of yara"},
};

START_TEST(nothing_to_scan_with_is_an_error)
{
    const struct refusal *c = &refusals[_i];
    put_file("none/readme.txt", "no rules");
    put_file("comment.yar", "// nothing\n");
    put_file("good.yar", "rule good { condition: true }");
    put_file("bad.yar", "rule bad { strings:\n$a = ");
    put_file("false.yarc", "YARA but not really");
    char worker[600], dispatch[600], expected[700];
    (void)snprintf(worker, sizeof worker, "worker_rules=%s",
                   c->worker[0] ? in_dir(c->worker) : "");
    (void)snprintf(dispatch, sizeof dispatch, "dispatch_rules=%s",
                   c->dispatch[0] ? in_dir(c->dispatch) : "");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(expected, sizeof expected, c->message, test_dir);
#pragma GCC diagnostic pop
    struct stoq_loaded *p = NULL;
    struct stoq_error err = {0};
    ck_assert_int_eq(LOAD("yara", NULL, &p, &err, worker, dispatch), c->code);
    ck_assert_str_eq(err.message, expected);
    ck_assert_ptr_null(p);
}
END_TEST

/* Full path of the compiled set in the cache below test_dir. */
static const char *
compiled_set(void)
{
    static char path[700];
    DIR *d = opendir(in_dir("cache/yara"));
    ck_assert_ptr_nonnull(d);
    path[0] = '\0';
    for (const struct dirent *e; (e = readdir(d));)
        if (strstr(e->d_name, ".yarc"))
            (void)snprintf(path, sizeof path, "%s/cache/yara/%s", test_dir, e->d_name);
    ck_assert_int_eq(closedir(d), 0);
    ck_assert_str_ne(path, "");
    return path;
}

START_TEST(compiled_rules_are_loaded_when_nobody_else_can_write_them)
{
    put_file("cache/x", "");
    struct stoq_loaded *p =
        LOADED("yara", in_dir("cache"), "worker_rules=" RULES_DIR "/externals.yar");
    stoq_loaded_free(p);
    const char *path = compiled_set();

    p = LOADED("yara", NULL, rules_option(path));
    CHECK_TEXT(rules_of(p, "x", 1, "/upload/x.pdf.exe"),
               "double_extension in_upload of_nobody");
    ck_assert(!stoq_loaded_content_only(p));
    CHECK_TEXT(fact(p, "rules", "loaded"), "4");
    stoq_loaded_free(p);

    ck_assert_int_eq(chmod(path, 0606), 0);
    struct stoq_error err = {0};
    ck_assert_int_eq(LOAD("yara", NULL, &p, &err, rules_option(path)), -EPERM);
    ck_assert_ptr_nonnull(strstr(err.message, "not be writable by others"));
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_test(tc, a_directory_is_taken_recursively_without_what_is_broken);
    tcase_add_test(tc, links_and_hidden_files);
    tcase_add_test(tc, a_rule_file_that_cannot_be_read_is_reported);
    tcase_add_test(tc, a_rule_called_like_a_variable_gives_way);
    tcase_add_test(tc, includes_are_found_beside_the_file_that_names_them);
    tcase_add_loop_test(tc, nothing_to_scan_with_is_an_error, 0,
                        (int)STOQ_ARRAY_SIZE(refusals));
    tcase_add_test(tc, compiled_rules_are_loaded_when_nobody_else_can_write_them);
}

int
main(void)
{
    return run_suite("yara rules", fill);
}
