/* SPDX-License-Identifier: Apache-2.0 */

/* xorsearch: terms under each key, what is shown of a match, order, limits. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugins_support.h"

static char *
xored(const char *data, size_t size, unsigned char key)
{
    char *out = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        out[i] = (char)((unsigned char)data[i] ^ key);
    return out;
}

/* The same text under every key; under 0 it is no match. */
START_TEST(test_keys)
{
    static const char text[] = "MZAdjustTokenPrivileges CurrentVersion";
    struct stoq_loaded *p = LOADED("xorsearch", NULL, NULL);
    for (unsigned key = 0; key < 256; key++) {
        char *data = xored(text, sizeof text - 1, (unsigned char)key);
        char expected[256] = "{}";
        if (key > 0)
            (void)snprintf(expected, sizeof expected,
                           "{\"0x%02X\": [{\"pos\": \"0x0002\", \"match\": "
                           "\"AdjustTokenPrivileges CurrentVersion\"}, {\"pos\": "
                           "\"0x0018\", \"match\": \"CurrentVersion\"}]}",
                           key);
        CHECK_TEXT(scanned(p, data, sizeof text - 1, NULL), expected);
        free(data);
    }
    stoq_loaded_free(p);
}
END_TEST

#define TERMS "abab\r\nb\tb\n\nhers\nshe\nhe\nabab\n  x\n"

/* Under key 1. Overlapping matches, terms in terms, terms twice, in the file's order.
 */
static const struct {
    const char *text;
    size_t size;
    const char *expected; /* of the key 0x01 */
} cases[] = {
#define TEXT(text) text, sizeof(text) - 1
    {TEXT(""), "(none)"},
    {TEXT("a"), "(none)"},
    {TEXT("ababab"),
     "[{\"pos\": \"0x0000\", \"match\": \"ababab\"}, {\"pos\": \"0x0002\", \"match\": "
     "\"abab\"}, {\"pos\": \"0x0000\", \"match\": \"ababab\"}, {\"pos\": \"0x0002\", "
     "\"match\": \"abab\"}]"},
    {TEXT("ushers"),
     "[{\"pos\": \"0x0002\", \"match\": \"hers\"}, {\"pos\": \"0x0001\", \"match\": "
     "\"shers\"}, {\"pos\": \"0x0002\", \"match\": \"hers\"}]"},
    /* up to a NUL, what cannot be printed as a dot, at most fifty, no blanks before */
    {TEXT("b\tb\x7f\xc3\xa9\ncd\0ef"),
     "[{\"pos\": \"0x0000\", \"match\": \"b.b....cd\"}]"},
    {TEXT("she3456789012345678901234567890123456789012345678901234"),
     "[{\"pos\": \"0x0000\", \"match\": "
     "\"she34567890123456789012345678901234567890123456789\"}, {\"pos\": \"0x0001\", "
     "\"match\": \"he345678901234567890123456789012345678901234567890\"}]"},
    {TEXT("-  x y "), "[{\"pos\": \"0x0001\", \"match\": \"x y \"}]"},
};

START_TEST(test_matches)
{
    char *option = NULL;
    put_file("terms.txt", TERMS);
    ck_assert_int_gt(asprintf(&option, "terms=%s", in_dir("terms.txt")), 0);
    struct stoq_loaded *p =
        LOADED("xorsearch", NULL, option, "bin=/none", "bin_path=x");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *data = xored(cases[i].text, cases[i].size, 1);
        char *text = scanned(p, data, cases[i].size, NULL);
        json_t *results = json_loads(text, 0, NULL);
        CHECK_TEXT(json_dumps(json_object_get(results, "0x01"), 0), cases[i].expected);
        json_decref(results);
        free(text);
        free(data);
    }
    stoq_loaded_free(p);
    free(option);
}
END_TEST

/* Terms of one byte match almost everywhere; no more than so many are kept. */
START_TEST(test_limit)
{
    char *option = NULL, *data = calloc(1, 20001);
    put_file("terms.txt", "A\n");
    ck_assert_int_gt(asprintf(&option, "terms=%s", in_dir("terms.txt")), 0);
    struct stoq_loaded *p = LOADED("xorsearch", NULL, option);
    data[1] = 'A'; /* under the key 0 */
    CHECK_TEXT(scanned(p, data, 3, NULL),
               "{\"0x41\": [{\"pos\": \"0x0000\", \"match\": \"A\"}, {\"pos\": "
               "\"0x0002\", \"match\": \"A\"}]}");
    for (size_t size = 20000; size <= 20001; size++) {
        struct stoq_reply reply;
        struct stoq_error err = {0};
        data[1] = 0;
        ck_assert_int_eq(scan(p, data, size, NULL, &reply, &err), 0);
        ck_assert_uint_eq(json_array_size(json_object_get(reply.results, "0x41")),
                          20000);
        ck_assert_uint_eq(reply.hit_count, size - 20000);
        if (reply.hit_count)
            ck_assert_str_eq(reply.hits[0].name, "matches");
        stoq_reply_fini(&reply);
    }
    stoq_loaded_free(p);
    free(data);
    free(option);
}
END_TEST

START_TEST(test_terms_file)
{
    char *option = NULL, *big = malloc(70001);
    struct stoq_loaded *p = NULL;
    struct stoq_error err = {0};
    ck_assert_int_eq(LOAD("xorsearch", NULL, &p, &err, "terms=/nowhere/x"), -ENOENT);
    ck_assert_str_eq(err.message,
                     "cannot open the terms /nowhere/x: No such file or directory");
    stoq_error_clear(&err);
    for (int i = 0; i < 70000; i++)
        big[i] = i % 100 == 99 ? '\n' : (char)('a' + i * 7 % 26);
    big[70000] = '\0';
    put_file("terms.txt", big);
    ck_assert_int_gt(asprintf(&option, "terms=%s", in_dir("terms.txt")), 0);
    ck_assert_int_eq(LOAD("xorsearch", NULL, &p, &err, option), -E2BIG);
    ck_assert_ptr_nonnull(strstr(err.message, "has more than 60000 bytes of terms"));
    big[59000] = '\0';
    put_file("terms.txt", big);
    p = LOADED("xorsearch", NULL, option);
    CHECK_TEXT(scanned(p, "a", 1, NULL), "{}");
    stoq_loaded_free(p);
    put_file("terms.txt", "\n\n");
    p = LOADED("xorsearch", NULL, option);
    CHECK_TEXT(scanned(p, "anything", 8, NULL), "{}");
    stoq_loaded_free(p);
    free(option);
    free(big);
}
END_TEST

/* Against a search that tries each key and each term in turn, over bytes of few values.
 */
START_TEST(test_against_plain)
{
    static const char *const terms[] = {"aab", "ab", "bba", "aaaa", "b", "abcab", "ca"};
    char *option = NULL, data[400];
    size_t count = 0;
    put_file("terms.txt", "aab\nab\nbba\naaaa\nb\nabcab\nca\n");
    ck_assert_int_gt(asprintf(&option, "terms=%s", in_dir("terms.txt")), 0);
    struct stoq_loaded *p = LOADED("xorsearch", NULL, option);
    srand((unsigned)_i + 1);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(rand() % 4);
    for (unsigned key = 1; key < 256; key++)
        for (size_t t = 0; t < sizeof terms / sizeof *terms; t++)
            for (size_t at = 0, n = strlen(terms[t]); at + n <= sizeof data; at++) {
                size_t same = 0;
                while (same < n && ((unsigned char)data[at + same] ^ key) ==
                                       (unsigned char)terms[t][same])
                    same++;
                count += same == n;
            }
    char *text = scanned(p, data, sizeof data, NULL);
    json_t *results = json_loads(text, 0, NULL), *list;
    const char *key;
    size_t found = 0;
    json_object_foreach (results, key, list)
        found += json_array_size(list);
    ck_assert_uint_gt(count, 0);
    ck_assert_uint_eq(found, count);
    json_decref(results);
    free(text);
    stoq_loaded_free(p);
    free(option);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_test(tc, test_keys);
    tcase_add_test(tc, test_matches);
    tcase_add_test(tc, test_limit);
    tcase_add_test(tc, test_terms_file);
    tcase_add_loop_test(tc, test_against_plain, 0, 3);
}

int
main(void)
{
    return run_suite("plugins_xorsearch", fill);
}
