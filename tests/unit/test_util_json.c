/* SPDX-License-Identifier: Apache-2.0 */

/* JSON as text, byte for byte, and bytes as JSON strings. */

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <stoq/plugin.h>

#include "util/auto.h"
#include "util/json.h"

static const struct {
    double value;
    const char *text;
} reals[] = {
    {1e22, "1e+22"},
    {1e-7, "1e-07"},
    {3.0, "3.0"},
    {0.1, "0.1"},
    {7.979432876054895, "7.979432876054895"},
    {1e16, "1e+16"},
    {1e15, "1000000000000000.0"},
    {123456789012345680.0, "1.2345678901234568e+17"},
    {5e-324, "5e-324"},
    {2.2250738585072014e-308, "2.2250738585072014e-308"},
    {1.7976931348623157e308, "1.7976931348623157e+308"},
    {-0.0, "-0.0"},
    {0.0, "0.0"},
    {-2.5, "-2.5"},
    {0.0001, "0.0001"},
    {0.00012, "0.00012"},
    {0.00001, "1e-05"},
    {1.5e300, "1.5e+300"},
    {100.0, "100.0"},
    {12345.678, "12345.678"},
    {1.0 / 3, "0.3333333333333333"},
    {0.1 + 0.2, "0.30000000000000004"},
    {9007199254740992.0, "9007199254740992.0"},
};

START_TEST(real)
{
    json_auto_t *json = json_real(reals[_i].value);
    STOQ_AUTOFREE char *text = stoq_json_dump(json, false);
    ck_assert_str_eq(text, reals[_i].text);
}
END_TEST

static const struct {
    const char *in, *pretty, *compact;
} dumps[] = {
    {"{}", "{}", "{}"},
    {"[]", "[]", "[]"},
    {"null", "null", "null"},
    {"{\"z\":1,\"a\":[],\"m\":{}}",
     "{\n    \"z\": 1,\n    \"a\": [],\n    \"m\": {}\n}",
     "{\"z\": 1, \"a\": [], \"m\": {}}"},
    {"[1,[2,{\"k\":[true,false,null]}]]",
     "[\n    1,\n    [\n        2,\n        {\n            \"k\": [\n"
     "                true,\n                false,\n                null\n"
     "            ]\n        }\n    ]\n]",
     "[1, [2, {\"k\": [true, false, null]}]]"},
    {"\"a/b \\u007f \xc3\xa9 \xf0\x9f\x98\x80 \\u2028\"",
     "\"a/b \x7f \xc3\xa9 \xf0\x9f\x98\x80 \xe2\x80\xa8\"",
     "\"a/b \x7f \xc3\xa9 \xf0\x9f\x98\x80 \xe2\x80\xa8\""},
    {"\"\\b\\t\\n\\f\\r\\u000b\\u0001\\u001f\\\"\\\\\"",
     "\"\\b\\t\\n\\f\\r\\u000b\\u0001\\u001f\\\"\\\\\"",
     "\"\\b\\t\\n\\f\\r\\u000b\\u0001\\u001f\\\"\\\\\""},
    {"\"a\\u0000b\"", "\"a\\u0000b\"", "\"a\\u0000b\""},
    {"{\"k\\n\\\"\":-9223372036854775808}",
     "{\n    \"k\\n\\\"\": -9223372036854775808\n}",
     "{\"k\\n\\\"\": -9223372036854775808}"},
};

START_TEST(dump)
{
    json_auto_t *json = stoq_json_parse(dumps[_i].in, strlen(dumps[_i].in), NULL);
    ck_assert_ptr_nonnull(json);
    STOQ_AUTOFREE char *pretty = stoq_json_dump(json, true);
    STOQ_AUTOFREE char *compact = stoq_json_dump(json, false);
    ck_assert_str_eq(pretty, dumps[_i].pretty);
    ck_assert_str_eq(compact, dumps[_i].compact);
}
END_TEST

/* A list nested @p depth times. */
static json_t *
nested(unsigned depth)
{
    json_t *json = json_array();
    for (unsigned i = 1; i < depth; i++) {
        json_t *outer = i % 2 ? json_object() : json_array();
        if (i % 2)
            json_object_set_new(outer, "k", json);
        else
            json_array_append_new(outer, json);
        json = outer;
    }
    return json;
}

START_TEST(depth)
{
    json_auto_t *most = nested(STOQ_JSON_MAX_DEPTH);
    json_auto_t *more = nested(STOQ_JSON_MAX_DEPTH + 1);
    json_auto_t *much = nested(500);
    json_auto_t *scalar = json_integer(1);
    json_auto_t *mixed =
        json_loads("[1, {\"a\": [], \"b\": {\"c\": [2]}}, 3]", 0, NULL);
    ck_assert_uint_eq(stoq_json_depth(most), STOQ_JSON_MAX_DEPTH);
    ck_assert_uint_eq(stoq_json_depth(more), STOQ_JSON_MAX_DEPTH + 1);
    ck_assert_uint_eq(stoq_json_depth(much), STOQ_JSON_MAX_DEPTH + 1);
    ck_assert_uint_eq(stoq_json_depth(scalar), 0);
    ck_assert_uint_eq(stoq_json_depth(mixed), 4);
    ck_assert_uint_eq(stoq_json_depth(NULL), 0);

    STOQ_AUTOFREE char *good = stoq_json_dump(most, false);
    ck_assert_ptr_nonnull(good);
    ck_assert_ptr_null(stoq_json_dump(more, false));
    json_auto_t *back = stoq_json_parse(good, strlen(good), NULL);
    ck_assert(json_equal(back, most));
}
END_TEST

START_TEST(parse_deep)
{
    size_t size = 300000;
    STOQ_AUTOFREE char *text = malloc(size);
    struct stoq_error err = {0};
    memset(text, '[', size);
    ck_assert_ptr_null(stoq_json_parse(text, size, &err));
    ck_assert_int_eq(err.code, -E2BIG);
    ck_assert_int_eq((int)err.kind, STOQ_ERROR_LIMIT);
    ck_assert_str_eq(err.message, "JSON nested deeper than 64 levels");
}
END_TEST

START_TEST(parse_brackets_in_strings)
{
    char text[256];
    memset(text, '[', sizeof(text));
    memcpy(text, "[\"\\\"", 4);
    memcpy(text + sizeof(text) - 2, "\"]", 2);
    json_auto_t *json = stoq_json_parse(text, sizeof(text), NULL);
    ck_assert_uint_eq(json_array_size(json), 1);
}
END_TEST

START_TEST(parse_bad)
{
    struct stoq_error err = {0};
    ck_assert_ptr_null(stoq_json_parse("[1,\n x]", 7, &err));
    ck_assert_int_eq(err.code, -EINVAL);
    ck_assert_int_eq((int)err.kind, STOQ_ERROR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.message, "JSON line 2 column 2: "));
    ck_assert_ptr_null(stoq_json_parse("\"\xff\"", 3, NULL));
    ck_assert_ptr_null(stoq_json_parse("", 0, NULL));
}
END_TEST

static const struct {
    const char *in;
    size_t size;
    const char *out;
    bool lossless;
} texts[] = {
    {"", 0, "", true},
    {"abc", 3, "abc", true},
    {"a\0b", 3, "a\0b", true},
    {"na\xc3\xafve", 6, "na\xc3\xafve", true},
    /* windows-1252: euro sign, e acute, y diaeresis */
    {"\x80 caf\xe9 \xff", 8, "\xe2\x82\xac caf\xc3\xa9 \xc3\xbf", false},
    {"\x93q\x94\x9f", 4, "\xe2\x80\x9cq\xe2\x80\x9d\xc5\xb8", false},
    /* 0x81 is undefined there: replacement, once per broken sequence */
    {"a\x81\xc3\xa9", 4, "a\xef\xbf\xbd\xc3\xa9", false},
    {"\x81\xf0\x9f\x98", 4, "\xef\xbf\xbd\xef\xbf\xbd", false},
    {"\x81\xed\xa0\x80", 4, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", false},
};

START_TEST(text)
{
    bool lossless = !texts[_i].lossless;
    json_auto_t *json = stoq_json_text(texts[_i].in, texts[_i].size, &lossless);
    ck_assert_ptr_nonnull(json);
    ck_assert_int_eq(lossless, texts[_i].lossless);
    size_t want = texts[_i].lossless ? texts[_i].size : strlen(texts[_i].out);
    ck_assert_uint_eq(json_string_length(json), want);
    ck_assert_mem_eq(json_string_value(json), texts[_i].out, want);
}
END_TEST

static const struct {
    const char *bytes;
    bool valid;
} utf8[] = {
    {"\x7f", true},
    {"\xc2\x80", true},
    {"\xdf\xbf", true},
    {"\xe0\xa0\x80", true},
    {"\xed\x9f\xbf", true},
    {"\xee\x80\x80", true},
    {"\xf0\x90\x80\x80", true},
    {"\xf4\x8f\xbf\xbf", true},
    {"\x80", false},
    {"\xc0\xaf", false},
    {"\xc1\xbf", false},
    {"\xe0\x9f\xbf", false},
    {"\xed\xa0\x80", false},
    {"\xf0\x8f\xbf\xbf", false},
    {"\xf4\x90\x80\x80", false},
    {"\xf5\x80\x80\x80", false},
    {"\xc2", false},
    {"\xe2\x82", false},
    {"\xf0\x9f\x98", false},
    {"a\xc2", false},
    {"\xc2"
     "a",
     false},
};

START_TEST(utf8_valid)
{
    /* an exact copy, so that a sanitizer sees a read behind the end */
    size_t size = strlen(utf8[_i].bytes);
    STOQ_AUTOFREE char *copy = malloc(size);
    memcpy(copy, utf8[_i].bytes, size);
    ck_assert_int_eq(stoq_utf8_valid(copy, size), utf8[_i].valid);
}
END_TEST

static const struct {
    const char *in, *out;
} base64[] = {
    {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
    {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe\xfd", "//79"},
};

START_TEST(base64_text)
{
    json_auto_t *json = stoq_json_base64(base64[_i].in, strlen(base64[_i].in));
    ck_assert_str_eq(json_string_value(json), base64[_i].out);
}
END_TEST

START_TEST(set_text)
{
    json_auto_t *object = json_object();
    ck_assert_int_eq(stoq_json_set_text(object, "good", "abc", 3), 0);
    ck_assert_int_eq(stoq_json_set_text(object, "odd", "caf\xe9", 4), 0);
    STOQ_AUTOFREE char *out = stoq_json_dump(object, false);
    ck_assert_str_eq(
        out,
        "{\"good\": \"abc\", \"odd\": \"caf\xc3\xa9\", \"odd_b64\": \"Y2Fm6Q==\"}");
    ck_assert_str_eq(stoq_json_string_of(object, "good"), "abc");
    ck_assert_ptr_null(stoq_json_string_of(object, "none"));
    ck_assert_ptr_null(stoq_json_string_of(NULL, "good"));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("util json");
    TCase *t = tcase_create("all");
    tcase_add_loop_test(t, real, 0, (int)STOQ_ARRAY_SIZE(reals));
    tcase_add_loop_test(t, dump, 0, (int)STOQ_ARRAY_SIZE(dumps));
    tcase_add_test(t, depth);
    tcase_add_test(t, parse_deep);
    tcase_add_test(t, parse_brackets_in_strings);
    tcase_add_test(t, parse_bad);
    tcase_add_loop_test(t, text, 0, (int)STOQ_ARRAY_SIZE(texts));
    tcase_add_loop_test(t, utf8_valid, 0, (int)STOQ_ARRAY_SIZE(utf8));
    tcase_add_loop_test(t, base64_text, 0, (int)STOQ_ARRAY_SIZE(base64));
    tcase_add_test(t, set_text);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
