/* SPDX-License-Identifier: Apache-2.0 */

/* Errors, strings, clock, identifiers, digests, the process's title. */

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stoq/error.h>

#include "util/auto.h"
#include "util/clock.h"
#include "util/digest.h"
#include "util/io.h"
#include "util/strbuf.h"
#include "util/title.h"

START_TEST(error_first_wins)
{
    struct stoq_error err = {0};
    errno = ENOTTY;
    ck_assert_int_eq(stoq_error_set(&err, STOQ_ERROR_FORMAT, -EINVAL, "a %d", 1),
                     -EINVAL);
    ck_assert_int_eq(stoq_error_set(&err, STOQ_ERROR_SYSTEM, ENOMEM, "b"), -ENOMEM);
    ck_assert_int_eq(stoq_error_set(NULL, STOQ_ERROR_SYSTEM, 0, "c"), -EIO);
    ck_assert_int_eq(errno, ENOTTY);
    ck_assert_int_eq(err.code, -EINVAL);
    ck_assert_int_eq((int)err.kind, STOQ_ERROR_FORMAT);
    ck_assert_str_eq(err.message, "a 1");
    stoq_error_clear(&err);
    ck_assert_int_eq(err.code, 0);
    ck_assert_str_eq(err.message, "");
    stoq_error_clear(NULL);
}
END_TEST

START_TEST(error_text_is_clean)
{
    struct stoq_error err = {0};
    (void)stoq_error_set(&err, STOQ_ERROR_SYSTEM, -EIO, "a\n\xff\xc3\xa9");
    ck_assert_str_eq(err.message, "a\\x0a\\xff\xc3\xa9");

    /* cut between characters, not inside one */
    char text[2000] = "x";
    for (size_t i = 1; i + 2 < sizeof(text); i += 2)
        strcpy(text + i, "\xc3\xa9");
    stoq_error_clear(&err);
    (void)stoq_error_set(&err, STOQ_ERROR_SYSTEM, -EIO, "%s", text);
    ck_assert_uint_eq(strlen(err.message), STOQ_ERROR_MESSAGE_MAX - 1);
    stoq_error_clear(&err);
    (void)stoq_error_set(&err, STOQ_ERROR_SYSTEM, -EIO, "%s", text + 1);
    ck_assert_uint_eq(strlen(err.message), STOQ_ERROR_MESSAGE_MAX - 2);
}
END_TEST

START_TEST(error_kinds)
{
    static const char *const names[] = {"none",    "system", "config",
                                        "abi",     "format", "limit",
                                        "timeout", "plugin", "unknown"};
    enum stoq_error_kind kind = (enum stoq_error_kind)_i;
    ck_assert_str_eq(stoq_error_kind_name(kind), names[_i]);
}
END_TEST

START_TEST(strbuf)
{
    struct stoq_strbuf b = {0};
    for (unsigned i = 0; i < 1000; i++)
        stoq_strbuf_addf(&b, "%u,", i % 10);
    ck_assert_uint_eq(b.size, 2000);
    stoq_strbuf_add(&b, "\0x", 2);
    ck_assert_uint_eq(b.size, 2002);
    char *text = stoq_strbuf_steal(&b);
    ck_assert_mem_eq(text + 1998, "9,\0x", 5);
    free(text);
    ck_assert_ptr_null(b.data);
    ck_assert_uint_eq(b.size, 0);
    text = stoq_strbuf_steal(&b);
    ck_assert_str_eq(text, "");
    free(text);
}
END_TEST

START_TEST(strbuf_too_big)
{
    struct stoq_strbuf b = {0};
    stoq_strbuf_adds(&b, "x");
    stoq_strbuf_add(&b, "", SIZE_MAX);
    ck_assert(b.failed);
    stoq_strbuf_adds(&b, "y");
    ck_assert_ptr_null(stoq_strbuf_steal(&b));
    ck_assert(!b.failed);
}
END_TEST

START_TEST(strv)
{
    struct stoq_strv v = {0};
    struct stoq_strv copy = {0};
    ck_assert_ptr_null(stoq_strv_items(&v)[0]);
    ck_assert_int_eq(stoq_strv_add_list(&v, " hash , ,a b,,\tyara\n"), 0);
    ck_assert_int_eq(stoq_strv_add_list(&v, ""), 0);
    ck_assert_uint_eq(v.count, 3);
    ck_assert_str_eq(v.items[0], "hash");
    ck_assert_str_eq(v.items[1], "a b");
    ck_assert_str_eq(v.items[2], "yara");
    ck_assert_int_eq(stoq_strv_add_unique(&v, "yara"), 0);
    ck_assert_uint_eq(v.count, 3);
    for (unsigned i = 0; i < 100; i++)
        ck_assert_int_eq(stoq_strv_add(&v, "more"), 0);
    ck_assert_int_eq(stoq_strv_copy(&copy, &v), 0);
    stoq_strv_fini(&v);
    ck_assert_uint_eq(copy.count, 103);
    ck_assert_ptr_null(stoq_strv_items(&copy)[103]);
    ck_assert(stoq_strv_has(&copy, "yara"));
    ck_assert(!stoq_strv_has(&copy, "yar"));
    stoq_strv_fini(&copy);
}
END_TEST

static const struct {
    int64_t ns;
    const char *text;
} times[] = {
    {0, "1970-01-01T00:00:00.000000+00:00"},
    {1795493196143944999, "2026-11-24T04:06:36.143944+00:00"},
    {-1, "1969-12-31T23:59:59.999999+00:00"},
    {INT64_MAX, "2262-04-11T23:47:16.854775+00:00"},
    {INT64_MIN, "1677-09-21T00:12:43.145224+00:00"},
};

START_TEST(time_format)
{
    char out[STOQ_TIME_SIZE];
    stoq_time_format(times[_i].ns, out);
    ck_assert_str_eq(out, times[_i].text);
}
END_TEST

START_TEST(clocks)
{
    uint64_t ns = stoq_now_ns();
    uint64_t ms = stoq_now_ms();
    ck_assert_uint_ge(ms, ns / 1000000);
    ck_assert_uint_ge(stoq_now_ns() / 1000000, ms);
    ck_assert_int_gt(stoq_real_ns(), 1700000000000000000);
}
END_TEST

START_TEST(uuid)
{
    char a[STOQ_UUID_SIZE];
    char b[STOQ_UUID_SIZE];
    stoq_uuid(a);
    stoq_uuid(b);
    ck_assert_str_ne(a, b);
    ck_assert_uint_eq(strlen(a), 36);
    for (unsigned i = 0; i < 36; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23)
            ck_assert_int_eq(a[i], '-');
        else
            ck_assert_ptr_nonnull(strchr("0123456789abcdef", a[i]));
    }
    ck_assert_int_eq(a[14], '4');
    ck_assert_ptr_nonnull(strchr("89ab", a[19]));
}
END_TEST

static const char abc_hex[] =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

START_TEST(sha256)
{
    uint8_t one[STOQ_SHA256_SIZE];
    uint8_t two[STOQ_SHA256_SIZE];
    char hex[STOQ_SHA256_HEX];
    ck_assert_int_eq(stoq_sha256("abc", 3, one), 0);
    stoq_hex(one, sizeof(one), hex);
    ck_assert_str_eq(hex, abc_hex);
    ck_assert_int_eq(stoq_sha256("", 0, one), 0);
    stoq_hex(one, 4, hex);
    ck_assert_str_eq(hex, "e3b0c442");

    struct stoq_sha256_ctx *ctx = NULL;
    ck_assert_int_eq(stoq_sha256_new(&ctx), 0);
    stoq_sha256_add(ctx, "a", 1);
    stoq_sha256_get(ctx, two);
    stoq_sha256_add(ctx, "bc", 2);
    stoq_sha256_get(ctx, two);
    ck_assert_int_eq(stoq_unhex(abc_hex, one, sizeof(one)), 0);
    ck_assert_mem_eq(one, two, sizeof(one));
    stoq_sha256_free(ctx);
    stoq_sha256_free(NULL);
}
END_TEST

static void
digest_texts(const char *a, const char *b, uint8_t out[STOQ_SHA256_SIZE])
{
    struct stoq_sha256_ctx *ctx = NULL;
    ck_assert_int_eq(stoq_sha256_new(&ctx), 0);
    stoq_sha256_add_text(ctx, a);
    stoq_sha256_add_text(ctx, b);
    stoq_sha256_get(ctx, out);
    stoq_sha256_free(ctx);
}

START_TEST(sha256_texts_are_kept_apart)
{
    uint8_t a[STOQ_SHA256_SIZE];
    uint8_t b[STOQ_SHA256_SIZE];
    digest_texts("a", "bc", a);
    digest_texts("ab", "c", b);
    ck_assert_mem_ne(a, b, sizeof(a));
    digest_texts("a", "", a);
    digest_texts("a", NULL, b);
    ck_assert_mem_ne(a, b, sizeof(a));
    digest_texts("a", NULL, a);
    ck_assert_mem_eq(a, b, sizeof(a));
}
END_TEST

START_TEST(unhex)
{
    uint8_t out[2];
    ck_assert_int_eq(stoq_unhex("0aFf", out, 2), 0);
    ck_assert_mem_eq(out, "\x0a\xff", 2);
    ck_assert_int_eq(stoq_unhex("0aF", out, 2), -EINVAL);
    ck_assert_int_eq(stoq_unhex("0aFf0", out, 2), -EINVAL);
    ck_assert_int_eq(stoq_unhex("0aFg", out, 2), -EINVAL);
}
END_TEST

START_TEST(title)
{
    char *text = NULL;
    size_t size = 0;
    stoq_title_set("stoqfs: mirror %s", "/m");
    ck_assert_int_eq(stoq_read_file("/proc/self/cmdline", 1 << 20, &text, &size, NULL),
                     0);
    ck_assert_str_eq(text, "stoqfs: mirror /m");
    free(text);
    ck_assert_int_eq(stoq_read_file("/proc/self/comm", 100, &text, &size, NULL), 0);
    ck_assert_str_eq(text, "stoqfs: mirror\n");
    free(text);
    /* a title longer than all there is room for */
    char much[400];
    memset(much, 'x', sizeof(much));
    stoq_title_set("%.*s", (int)sizeof(much), much);
    ck_assert_ptr_nonnull(getenv("PATH"));
    ck_assert_int_eq(access("/proc/self/cmdline", R_OK), 0);
    ck_assert_ptr_nonnull(strstr(program_invocation_name, "test_util_small"));
}
END_TEST

int
main(int argc, char **argv)
{
    stoq_title_init(argc, argv);
    Suite *s = suite_create("util small");
    TCase *t = tcase_create("all");
    tcase_add_test(t, error_first_wins);
    tcase_add_test(t, error_text_is_clean);
    tcase_add_loop_test(t, error_kinds, 0, 9);
    tcase_add_test(t, strbuf);
    tcase_add_test(t, strbuf_too_big);
    tcase_add_test(t, strv);
    tcase_add_loop_test(t, time_format, 0, (int)STOQ_ARRAY_SIZE(times));
    tcase_add_test(t, clocks);
    tcase_add_test(t, uuid);
    tcase_add_test(t, sha256);
    tcase_add_test(t, sha256_texts_are_kept_apart);
    tcase_add_test(t, unhex);
    tcase_add_test(t, title);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
