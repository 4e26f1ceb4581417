/* SPDX-License-Identifier: Apache-2.0 */

/* Option tables: types, ranges, precedence, and where a bad value is said to be from.
 */

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin/options.h"
#include "test_plugin_support.h"
#include "util/auto.h"
#include "util/json.h"

static const struct stoq_option table[] = {
    {"text", STOQ_OPTION_STRING, "fall", 0, 0, ""},
    {"unset", STOQ_OPTION_STRING, NULL, 0, 0, ""},
    {"flag", STOQ_OPTION_BOOL, "no", 0, 0, ""},
    {"whole", STOQ_OPTION_INT, "5", -10, 100, ""},
    {"any", STOQ_OPTION_INT, "0", 0, 0, ""},
    {"real", STOQ_OPTION_FLOAT, "0.5", 0, 2, ""},
    {"list", STOQ_OPTION_LIST, NULL, 0, 0, ""},
    {"path", STOQ_OPTION_PATH, "below", 0, 0, ""},
    {.name = NULL},
};

static struct stoq_manifest manifest;
static struct stoq_options options;

static void
begin(void)
{
    static char dir[] = "/plugins/p";
    manifest = (struct stoq_manifest){.dir = dir};
    options = (struct stoq_options){0};
}

static void
end(void)
{
    stoq_options_fini(&options);
    stoq_strv_fini(&manifest.keys);
    stoq_strv_fini(&manifest.values);
    stoq_strv_fini(&manifest.origins);
}

static void
manifest_sets(const char *key, const char *value)
{
    ck_assert_int_eq(stoq_strv_add(&manifest.keys, key), 0);
    ck_assert_int_eq(stoq_strv_add(&manifest.values, value), 0);
    ck_assert_int_eq(stoq_strv_add(&manifest.origins, "p.stoq:9"), 0);
}

static int
merge(uint32_t traits, const char *key, const char *value, struct stoq_error *err)
{
    const struct stoq_plugin plugin = {.name = "p", .traits = traits, .options = table};
    const char *const origin = "stoq.cfg:3";
    const struct stoq_option_source source = {&key, &value, &origin, key ? 1 : 0};
    return stoq_options_merge(&plugin, &manifest, &source, &options, err);
}

static const struct stoq_option_value *
value_of(const char *name)
{
    const struct stoq_option_value *v = stoq_options_find(&options, name);
    ck_assert_ptr_nonnull(v);
    return v;
}

START_TEST(table_defaults)
{
    ck_assert_int_eq(merge(0, NULL, NULL, NULL), 0);
    ck_assert_str_eq(value_of("text")->text, "fall");
    ck_assert_ptr_null(value_of("unset")->text);
    ck_assert(!value_of("flag")->truth);
    ck_assert_int_eq(value_of("whole")->whole, 5);
    ck_assert(value_of("real")->real == 0.5);
    ck_assert_ptr_null(*stoq_strv_items(&value_of("list")->list));
    ck_assert_str_eq(value_of("path")->text, "/plugins/p/below");
    STOQ_AUTOFREE char *text = stoq_json_dump(options.object, false);
    ck_assert_str_eq(text, "{\"text\": \"fall\", \"flag\": \"no\", \"whole\": \"5\", "
                           "\"any\": \"0\", \"real\": \"0.5\", "
                           "\"path\": \"/plugins/p/below\"}");
}
END_TEST

START_TEST(settings_over_manifest_over_table)
{
    manifest_sets("text", "manifest");
    manifest_sets("whole", "7");
    ck_assert_int_eq(merge(0, "Text", "settings", NULL), 0);
    ck_assert_str_eq(value_of("text")->text, "settings");
    ck_assert_int_eq(value_of("whole")->whole, 7);
}
END_TEST

static const struct {
    const char *key, *value;
    const char *complaint; /* NULL = accepted */
} typed[] = {
    {"flag", "1", NULL},
    {"flag", "YES", NULL},
    {"flag", "True", NULL},
    {"flag", "on", NULL},
    {"flag", "2", "'2' is not yes or no"},
    {"flag", "", "'' is not yes or no"},
    {"flag", "yes ", "'yes ' is not yes or no"},
    {"whole", "-10", NULL},
    {"whole", "+100", NULL},
    {"whole", "101", "'101' is not within -10 to 100"},
    {"whole", "-11", "'-11' is not within -10 to 100"},
    {"whole", "5x", "'5x' is not a whole number"},
    {"whole", " 5", "' 5' is not a whole number"},
    {"whole", "0x5", "'0x5' is not a whole number"},
    {"whole", "1.5", "'1.5' is not a whole number"},
    {"whole", "", "'' is not a whole number"},
    {"whole", "--5", "'--5' is not a whole number"},
    {"any", "9223372036854775807", NULL},
    {"any", "9223372036854775808", "'9223372036854775808' is not a whole number"},
    {"real", "2", NULL},
    {"real", "1e-3", NULL},
    {"real", "2.5", "'2.5' is not within 0 to 2"},
    {"real", "nan", "'nan' is not a number"},
    {"real", "inf", "'inf' is not a number"},
    {"real", "1,5", "'1,5' is not a number"},
    {"real", "", "'' is not a number"},
    {"nope", "x", "there is no such option"},
};

START_TEST(value_is_checked)
{
    struct stoq_error err = {0};
    int r = merge(0, typed[_i].key, typed[_i].value, &err);
    if (!typed[_i].complaint) {
        ck_assert_int_eq(r, 0);
        ck_assert_str_eq(value_of(typed[_i].key)->text, typed[_i].value);
        return;
    }
    char text[256];
    (void)snprintf(text, sizeof(text), "stoq.cfg:3: [p] %s: %s", typed[_i].key,
                   typed[_i].complaint);
    ck_assert_int_eq(r, -EINVAL);
    ck_assert_int_eq(err.kind, STOQ_ERROR_CONFIG);
    ck_assert_str_eq(err.message, text);
}
END_TEST

START_TEST(manifest_value_names_the_manifest)
{
    struct stoq_error err = {0};
    manifest_sets("whole", "many");
    ck_assert_int_eq(merge(0, NULL, NULL, &err), -EINVAL);
    ck_assert_str_eq(err.message, "p.stoq:9: [p] whole: 'many' is not a whole number");
}
END_TEST

START_TEST(unknown_manifest_option)
{
    struct stoq_error err = {0};
    manifest_sets("tiemout", "1");
    ck_assert_int_eq(merge(0, NULL, NULL, &err), -EINVAL);
    ck_assert_str_eq(err.message, "p.stoq:9: [p] tiemout: there is no such option");
}
END_TEST

START_TEST(any_option)
{
    manifest_sets("colour", "red");
    manifest_sets("size", "12");
    ck_assert_int_eq(merge(STOQ_TRAIT_ANY_OPTION, "COLOUR", "a, b", NULL), 0);
    ck_assert_str_eq(value_of("colour")->text, "a, b");
    ck_assert_uint_eq(value_of("colour")->list.count, 2);
    ck_assert_int_eq(value_of("colour")->whole, 0);
    ck_assert_int_eq(value_of("size")->whole, 12);
    ck_assert(value_of("size")->real == 12.0);
}
END_TEST

START_TEST(reserved_options_are_not_the_plugins)
{
    ck_assert_int_eq(merge(0, "required_workers", "hash", NULL), 0);
    ck_assert_ptr_null(stoq_options_find(&options, "required_workers"));
}
END_TEST

START_TEST(bool_false_words)
{
    static const char *const words[] = {"0", "no", "FALSE", "Off"};
    manifest_sets("flag", "yes");
    ck_assert_int_eq(merge(0, "flag", words[_i], NULL), 0);
    ck_assert(!value_of("flag")->truth);
}
END_TEST

START_TEST(list_is_split)
{
    ck_assert_int_eq(merge(0, "list", " a b ,, c,", NULL), 0);
    const char *const *items = stoq_strv_items(&value_of("list")->list);
    ck_assert_str_eq(items[0], "a b");
    ck_assert_str_eq(items[1], "c");
    ck_assert_ptr_null(items[2]);
}
END_TEST

START_TEST(paths_start_where_they_were_written)
{
    char cwd[512], text[600];
    ck_assert_ptr_nonnull(getcwd(cwd, sizeof(cwd)));
    (void)snprintf(text, sizeof(text), "%s/x/y", cwd);
    ck_assert_int_eq(merge(0, "path", "x/y", NULL), 0);
    ck_assert_str_eq(value_of("path")->text, text);
    stoq_options_fini(&options);
    ck_assert_int_eq(merge(0, "path", "/abs", NULL), 0);
    ck_assert_str_eq(value_of("path")->text, "/abs");
    stoq_options_fini(&options);
    manifest_sets("path", "rules/a");
    ck_assert_int_eq(merge(0, NULL, NULL, NULL), 0);
    ck_assert_str_eq(value_of("path")->text, "/plugins/p/rules/a");
    stoq_options_fini(&options);
    ck_assert_int_eq(merge(0, "path", "", NULL), 0);
    ck_assert_str_eq(value_of("path")->text, "");
}
END_TEST

START_TEST(first_setting_counts)
{
    const struct stoq_plugin plugin = {.name = "p", .options = table};
    const char *const keys[] = {"text", "text"};
    const char *const values[] = {"first", "second"};
    const struct stoq_option_source source = {keys, values, NULL, 2};
    ck_assert_int_eq(stoq_options_merge(&plugin, &manifest, &source, &options, NULL),
                     0);
    ck_assert_str_eq(value_of("text")->text, "first");
}
END_TEST

START_TEST(program_settings_have_no_origin)
{
    struct stoq_error err = {0};
    const struct stoq_plugin plugin = {.name = "p", .options = table};
    const char *const key = "flag", *const value = NULL, *const origin = "";
    const struct stoq_option_source source = {&key, &value, &origin, 1};
    ck_assert_int_eq(stoq_options_merge(&plugin, &manifest, &source, &options, &err),
                     -EINVAL);
    ck_assert_str_eq(err.message, "[p] flag: '' is not yes or no");
}
END_TEST

START_TEST(text_that_is_not_utf8)
{
    ck_assert_int_eq(merge(0, "text", "caf\xe9", NULL), 0);
    ck_assert_str_eq(value_of("text")->text, "caf\xe9");
    ck_assert_str_eq(stoq_json_string_of(options.object, "text"), "caf\xc3\xa9");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("plugin_options");
    TCase *tc = tcase_create("options");
    tcase_add_checked_fixture(tc, begin, end);
    tcase_add_test(tc, table_defaults);
    tcase_add_test(tc, settings_over_manifest_over_table);
    tcase_add_loop_test(tc, value_is_checked, 0, STOQ_ARRAY_SIZE(typed));
    tcase_add_test(tc, manifest_value_names_the_manifest);
    tcase_add_test(tc, unknown_manifest_option);
    tcase_add_test(tc, any_option);
    tcase_add_test(tc, reserved_options_are_not_the_plugins);
    tcase_add_loop_test(tc, bool_false_words, 0, 4);
    tcase_add_test(tc, list_is_split);
    tcase_add_test(tc, paths_start_where_they_were_written);
    tcase_add_test(tc, first_setting_counts);
    tcase_add_test(tc, program_settings_have_no_origin);
    tcase_add_test(tc, text_that_is_not_utf8);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
