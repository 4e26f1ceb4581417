/* SPDX-License-Identifier: Apache-2.0 */

/* Compiled rules kept between starts: when they are used, and when they must not be. */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins_support.h"
#include "util/auto.h"

/* Full path of a file in the cache with this ending, "" when there is none; the number
 * of them in @p count. */
static const char *
cache_file(const char *ending, int *count)
{
    static char path[700];
    DIR *d = opendir(in_dir("cache/yara"));
    ck_assert_ptr_nonnull(d);
    path[0] = '\0';
    *count = 0;
    for (const struct dirent *e; (e = readdir(d));) {
        if (!strstr(e->d_name, ending))
            continue;
        (void)snprintf(path, sizeof path, "%s/cache/yara/%s", test_dir, e->d_name);
        (*count)++;
    }
    ck_assert_int_eq(closedir(d), 0);
    return path;
}

/* Load the rules of test_dir, check whether they came from the cache and what matches.
 */
static void
start(bool cached, const char *matching)
{
    char option[600];
    (void)snprintf(option, sizeof option, "worker_rules=%s", in_dir("rules"));
    struct stoq_loaded *p = LOADED("yara", in_dir("cache"), option);
    CHECK_TEXT(fact(p, "rules", "cached"), cached ? "true" : "false");
    CHECK_TEXT(rules_of(p, "a b c", 5, NULL), matching);
    stoq_loaded_free(p);
}

static void
begin(void)
{
    put_file("cache/x", "");
    put_file("rules/a.yar", "rule a { strings: $a = \"a\" condition: $a }");
    put_file("rules/b.yar", "include \"b.inc\"\nrule b { condition: included }");
    put_file("rules/b.inc", "rule included { condition: true }");
    start(false, "a included b");
}

START_TEST(the_second_start_is_cached)
{
    begin();
    start(true, "a included b");
    int n = 0;
    (void)cache_file(".yarc", &n);
    ck_assert_int_eq(n, 1);
    (void)cache_file(".json", &n);
    ck_assert_int_eq(n, 1);
}
END_TEST

static void
change_rule(void)
{
    put_file("rules/a.yar", "rule a2 { strings: $a = \"a\" condition: $a }");
}

static void
add_rule(void)
{
    put_file("rules/c.yar", "rule c { condition: true }");
}

static void
rename_rule(void)
{
    ck_assert_int_eq(rename(in_dir("rules/a.yar"), in_dir("rules/z.yar")), 0);
}

static void
change_include(void)
{
    put_file("rules/b.inc", "rule included { condition: false }");
}

/* Flip one bit in the middle of a file of the cache. */
static void
damage(const char *ending)
{
    int n = 0;
    const char *path = cache_file(ending, &n);
    FILE *f = fopen(path, "r+e");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, 40, SEEK_SET), 0);
    int c = fgetc(f);
    ck_assert_int_eq(fseek(f, 40, SEEK_SET), 0);
    ck_assert_int_eq(fputc(c ^ 1, f), c ^ 1);
    ck_assert_int_eq(fclose(f), 0);
}

static void
damage_rules(void)
{
    damage(".yarc");
}

static void
damage_facts(void)
{
    damage(".json");
}

static void
open_rules(void)
{
    int n = 0;
    ck_assert_int_eq(chmod(cache_file(".yarc", &n), 0660), 0);
}

static void
open_facts(void)
{
    int n = 0;
    ck_assert_int_eq(chmod(cache_file(".json", &n), 0606), 0);
}

static void
remove_rules(void)
{
    int n = 0;
    ck_assert_int_eq(unlink(cache_file(".yarc", &n)), 0);
}

static const struct change {
    const char *what;
    void (*make)(void);
    const char *matching; /* at the start after it */
} changes[] = {
    {"a rule file is another", change_rule, "a2 included b"},
    {"there is one more", add_rule, "a included b c"},
    {"one has another name", rename_rule, "included b a"},
    {"an included file is another", change_include, "a"},
    {"compiled rules are damaged", damage_rules, "a included b"},
    {"facts are damaged", damage_facts, "a included b"},
    {"a group can write the rules", open_rules, "a included b"},
    {"others can write the facts", open_facts, "a included b"},
    {"compiled rules are gone", remove_rules, "a included b"},
};

START_TEST(a_cached_set_is_not_used_when)
{
    begin();
    changes[_i].make();
    start(false, changes[_i].matching);
    /* What was compiled instead is kept in its place. */
    start(true, changes[_i].matching);
}
END_TEST

START_TEST(a_directory_that_others_can_write_is_not_used)
{
    begin();
    ck_assert_int_eq(chmod(in_dir("cache/yara"), 0770), 0);
    start(false, "a included b");
    start(false, "a included b");
    ck_assert_int_eq(chmod(in_dir("cache/yara"), 0700), 0);
    start(true, "a included b");
}
END_TEST

START_TEST(failures_and_a_missing_include_are_remembered_until_they_change)
{
    begin();
    put_file("rules/c.yar", "include \"later.inc\"\nrule c { condition: later }");
    start(false, "a included b");
    char option[600], expected[600];
    (void)snprintf(option, sizeof option, "worker_rules=%s", in_dir("rules"));
    (void)snprintf(expected, sizeof expected,
                   "[{\"file\": \"%s/rules/c.yar\", \"line\": 1, "
                   "\"message\": \"can't open include file: later.inc\"}]",
                   test_dir);
    struct stoq_loaded *p = LOADED("yara", in_dir("cache"), option);
    CHECK_TEXT(fact(p, "rules", "cached"), "true");
    CHECK_TEXT(fact(p, "rules", "failed"), expected);
    stoq_loaded_free(p);
    put_file("rules/later.inc", "rule later { condition: true }");
    start(false, "a included b later c");
}
END_TEST

START_TEST(external_variables_survive_the_cache)
{
    put_file("cache/x", "");
    for (int i = 0; i < 2; i++) {
        struct stoq_loaded *p =
            LOADED("yara", in_dir("cache"), "worker_rules=" RULES_DIR "/externals.yar");
        CHECK_TEXT(fact(p, "rules", "cached"), i ? "true" : "false");
        ck_assert(!stoq_loaded_content_only(p));
        CHECK_TEXT(rules_of(p, "x", 1, "/upload/x"), "in_upload of_nobody");
        stoq_loaded_free(p);
    }
}
END_TEST

START_TEST(old_sets_are_dropped)
{
    put_file("cache/x", "");
    for (int i = 0; i < 20; i++) {
        char rule[64];
        (void)snprintf(rule, sizeof rule, "rule r%d { condition: true }", i);
        put_file("rules/r.yar", rule);
        (void)snprintf(rule, sizeof rule, "r%d", i);
        start(false, rule);
    }
    int n = 0;
    (void)cache_file(".yarc", &n);
    ck_assert_int_eq(n, 16);
    (void)cache_file(".json", &n);
    ck_assert_int_eq(n, 16);
    start(true, "r19");
}
END_TEST

/* The engine id is made of this: other rules, other results. */
START_TEST(the_identity_is_that_of_the_rules)
{
    begin();
    uint8_t ids[3][STOQ_SHA256_SIZE];
    char option[600];
    (void)snprintf(option, sizeof option, "worker_rules=%s", in_dir("rules"));
    for (int i = 0; i < 3; i++) {
        if (i == 2)
            change_include();
        struct stoq_loaded *p = LOADED("yara", i ? in_dir("cache") : NULL, option);
        stoq_loaded_identity(p, ids[i]);
        stoq_loaded_free(p);
    }
    ck_assert_mem_eq(ids[0], ids[1], sizeof ids[0]);
    ck_assert_mem_ne(ids[0], ids[2], sizeof ids[0]);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_test(tc, the_second_start_is_cached);
    tcase_add_loop_test(tc, a_cached_set_is_not_used_when, 0,
                        (int)STOQ_ARRAY_SIZE(changes));
    tcase_add_test(tc, a_directory_that_others_can_write_is_not_used);
    tcase_add_test(tc, failures_and_a_missing_include_are_remembered_until_they_change);
    tcase_add_test(tc, external_variables_survive_the_cache);
    tcase_add_test(tc, old_sets_are_dropped);
    tcase_add_test(tc, the_identity_is_that_of_the_rules);
}

int
main(void)
{
    return run_suite("yara cache", fill);
}
