/* SPDX-License-Identifier: Apache-2.0 */

/* Manifests, good and bad, and the catalogue of several directories. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test_plugin_support.h"
#include "util/auto.h"

STOQ_DEFINE_AUTO(stoq_catalogue)

static struct stoq_catalogue *
catalogue_of(const char *a, const char *b)
{
    struct stoq_strv dirs = {0};
    struct stoq_catalogue *c = NULL;
    ck_assert_int_eq(stoq_strv_add(&dirs, in_dir(a)), 0);
    if (b)
        ck_assert_int_eq(stoq_strv_add(&dirs, in_dir(b)), 0);
    ck_assert_int_eq(stoq_catalogue_new(&dirs, &c, NULL), 0);
    stoq_strv_fini(&dirs);
    return c;
}

START_TEST(all_fields)
{
    put_file("p/x/x.stoq", "[Core]\nName = x_1\nModule: mod\n"
                           "[Documentation]\nAuthor = A\nVersion = 3.0.1\n"
                           "Website = https://w\nDescription = what it does\n"
                           "[options]\nmin_stoq_version = 2.0\n"
                           "required_workers = a, b,,c\nTimeOut = 60\nempty =\n");
    STOQ_AUTO(stoq_catalogue) c = catalogue_of("p", NULL);
    ck_assert_uint_eq(stoq_catalogue_count(c), 1);
    const struct stoq_manifest *m = stoq_catalogue_find(c, "x_1");
    ck_assert_ptr_eq(m, stoq_catalogue_at(c, 0));
    ck_assert_ptr_null(stoq_catalogue_at(c, 1));
    ck_assert_ptr_null(stoq_catalogue_find(c, "x"));
    ck_assert_str_eq(m->module, "mod");
    ck_assert_str_eq(m->author, "A");
    ck_assert_str_eq(m->version, "3.0.1");
    ck_assert_str_eq(m->website, "https://w");
    ck_assert_str_eq(m->description, "what it does");
    ck_assert_str_eq(m->min_version, "2.0");
    ck_assert_str_eq(m->dir, in_dir("p/x"));
    ck_assert_str_eq(m->path, in_dir("p/x/x.stoq"));
    ck_assert_str_eq(m->object, in_dir("p/x/mod.so"));
    ck_assert_uint_eq(m->required_workers.count, 3);
    ck_assert_str_eq(m->required_workers.items[2], "c");
    ck_assert_uint_eq(m->keys.count, 2);
    ck_assert_str_eq(m->keys.items[0], "timeout");
    ck_assert_str_eq(m->values.items[0], "60");
    STOQ_AUTOFREE char *origin = NULL;
    ck_assert_int_gt(asprintf(&origin, "%s:12", m->path), 0);
    ck_assert_str_eq(m->origins.items[0], origin);
    ck_assert_str_eq(m->values.items[1], "");
}
END_TEST

START_TEST(minimal)
{
    put_file("p/x.stoq", "[Core]\nName = x\nModule = x\n");
    const struct stoq_manifest *m = manifest_in("p");
    ck_assert_str_eq(m->author, "");
    ck_assert_str_eq(m->version, "");
    ck_assert_str_eq(m->website, "");
    ck_assert_str_eq(m->description, "");
    ck_assert_ptr_null(m->min_version);
    ck_assert_uint_eq(m->required_workers.count, 0);
    ck_assert_uint_eq(m->keys.count, 0);
}
END_TEST

static const struct {
    const char *text, *remark;
} bad[] = {
    {"[Core]\nModule = x\n", "no [Core] Name"},
    {"[Core]\nName =\nModule = x\n", "no [Core] Name"},
    {"[core]\nName = x\nModule = x\n", "no [Core] Name"},
    {"[Core]\nName = x\n", "no [Core] Module"},
    {"[Core]\nName = X\nModule = x\n", "bad plugin name 'X'"},
    {"[Core]\nName = a b\nModule = x\n", "bad plugin name 'a b'"},
    {"[Core]\nName = ../x\nModule = x\n", "bad plugin name '../x'"},
    {"[Core]\nName = x\nModule = ../x\n", "Module '../x' is not a file name"},
    {"[Core]\nName = x\nModule = x\n[options]\nflag\n", "x.stoq:5: flag has no value"},
    {"[Core]\nName = x\nName = y\nModule = x\n", "x.stoq:3"},
    {"Name = x\n", "x.stoq:1"},
    {"", "no [Core] Name"},
};

START_TEST(bad_manifest)
{
    put_file("p/x.stoq", bad[_i].text);
    put_file("p/y.stoq", "[Core]\nName = fine\nModule = y\n");
    log_begin();
    STOQ_AUTO(stoq_catalogue) c = catalogue_of("p", NULL);
    const char *log = log_end();
    ck_assert_uint_eq(stoq_catalogue_count(c), 1);
    ck_assert_str_eq(stoq_catalogue_at(c, 0)->name, "fine");
    ck_assert_ptr_nonnull(strstr(log, "skipping plugin manifest"));
    ck_assert_ptr_nonnull(strstr(log, in_dir("p/x.stoq")));
    ck_assert_msg(strstr(log, bad[_i].remark) != NULL, "'%s' lacks '%s'", log,
                  bad[_i].remark);
}
END_TEST

START_TEST(last_duplicate_wins_in_the_first_ones_place)
{
    put_file("a/1.stoq", "[Core]\nName = x\nModule = old\n");
    put_file("a/2.stoq", "[Core]\nName = y\nModule = y\n");
    put_file("b/1.stoq", "[Core]\nName = x\nModule = new\n");
    log_begin();
    STOQ_AUTO(stoq_catalogue) c = catalogue_of("a", "b");
    const char *log = log_end();
    ck_assert_uint_eq(stoq_catalogue_count(c), 2);
    ck_assert_str_eq(stoq_catalogue_at(c, 0)->module, "new");
    ck_assert_str_eq(stoq_catalogue_at(c, 1)->module, "y");
    STOQ_AUTOFREE char *remark = NULL;
    ck_assert_int_gt(asprintf(&remark, "plugin x: %s/b/1.stoq replaces %s/a/1.stoq",
                              test_dir, test_dir),
                     0);
    ck_assert_ptr_nonnull(strstr(log, remark));
}
END_TEST

START_TEST(order_is_by_name_within_a_directory)
{
    put_file("p/b/b.stoq", "[Core]\nName = b\nModule = b\n");
    put_file("p/a/z.stoq", "[Core]\nName = z\nModule = z\n");
    put_file("p/a/deep/er/k.stoq", "[Core]\nName = k\nModule = k\n");
    put_file("p/c.stoq", "[Core]\nName = c\nModule = c\n");
    put_file("p/c.stoq.bak", "[Core]\nName = no\nModule = c\n");
    put_file("p/.hidden.stoq", "[Core]\nName = no\nModule = c\n");
    put_file("p/.stoq", "[Core]\nName = no\nModule = c\n");
    STOQ_AUTO(stoq_catalogue) c = catalogue_of("p", NULL);
    static const char *const order[] = {"k", "z", "b", "c"};
    ck_assert_uint_eq(stoq_catalogue_count(c), STOQ_ARRAY_SIZE(order));
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(order); i++)
        ck_assert_str_eq(stoq_catalogue_at(c, i)->name, order[i]);
}
END_TEST

START_TEST(links_to_directories_are_not_followed)
{
    put_file("p/here.stoq", "[Core]\nName = here\nModule = x\n");
    put_file("away/away.stoq", "[Core]\nName = away\nModule = x\n");
    ck_assert_int_eq(symlink(in_dir("away"), in_dir("p/link")), 0);
    ck_assert_int_eq(symlink(in_dir("p"), in_dir("root")), 0);
    /* the directory that is named may be a link itself */
    STOQ_AUTO(stoq_catalogue) c = catalogue_of("root", NULL);
    ck_assert_uint_eq(stoq_catalogue_count(c), 1);
    ck_assert_str_eq(stoq_catalogue_at(c, 0)->dir, in_dir("p"));
}
END_TEST

START_TEST(missing_directory_is_a_warning)
{
    put_file("p/x.stoq", "[Core]\nName = x\nModule = x\n");
    log_begin();
    STOQ_AUTO(stoq_catalogue) c = catalogue_of("none", "p");
    const char *log = log_end();
    ck_assert_uint_eq(stoq_catalogue_count(c), 1);
    ck_assert_ptr_nonnull(
        strstr(log, "Invalid plugin directory specified, skipping: "));
    ck_assert_ptr_nonnull(strstr(log, in_dir("none")));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("plugin_manifest");
    TCase *tc = tcase_create("manifest");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, all_fields);
    tcase_add_test(tc, minimal);
    tcase_add_loop_test(tc, bad_manifest, 0, STOQ_ARRAY_SIZE(bad));
    tcase_add_test(tc, last_duplicate_wins_in_the_first_ones_place);
    tcase_add_test(tc, order_is_by_name_within_a_directory);
    tcase_add_test(tc, links_to_directories_are_not_followed);
    tcase_add_test(tc, missing_directory_is_a_warning);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
