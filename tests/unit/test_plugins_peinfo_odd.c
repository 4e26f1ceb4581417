/* SPDX-License-Identifier: Apache-2.0 */

/*
 * peinfo on damaged and hostile programs: tables that refer to themselves, claim more
 * than there is, or lie nowhere cost little, and leave the rest of the results.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugins_peinfo.h"

static const char *const samples[] = {"tables32.bin", "tables64.bin", "driver.bin"};

/* Every word of headers and tables, one after the other, as what it should not be. Only
 * a few values, as this is done under sanitizers, too; the fuzzer tries others. */
START_TEST(test_words)
{
    static const uint32_t words[] = {0xffffffff, 0x80002000};
    struct stoq_loaded *p = LOADED("peinfo", NULL, NULL);
    take(samples[_i]);
    for (size_t at = 0; at + 4 <= size; at += 4) {
        uint32_t was = get(at);
        for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
            struct stoq_reply reply;
            put(at, words[w], 4);
            (void)look(p, size, &reply);
            stoq_reply_fini(&reply);
        }
        put(at, was, 4);
    }
    stoq_loaded_free(p);
}
END_TEST

/* The root's first entry is the root again: there is nothing in it. */
START_TEST(test_resource_cycle)
{
    take("tables32.bin");
    put(table(RESOURCE) + 20, 0x80000000, 4);
    expect("resources", "(none)", "", "");
    /* the third level refers to the second: the type ends there */
    take("tables32.bin");
    size_t root = table(RESOURCE), names = root + (get(root + 20) & 0x7fffffff),
           languages = root + (get(names + 20) & 0x7fffffff);
    put(languages + 20, get(root + 20), 4);
    struct stoq_loaded *p = LOADED("peinfo", NULL, NULL);
    struct stoq_reply reply;
    ck_assert_int_eq(look(p, size, &reply), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(reply.results, "resources")), 4);
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_resource_odd)
{
    /* deeper than three levels: the directory of types stands in for languages */
    take("tables32.bin");
    size_t root = table(RESOURCE), raw = root + (get(root + 28) & 0x7fffffff),
           first = root + (get(raw + 20) & 0x7fffffff);
    put(first + 20, get(root + 36), 4);
    expect("is_exe", "true", "1 resources are at the wrong level or have no data", "");
    /* data where no section and no file is */
    take("tables32.bin");
    put(root + get(first + 28), 0x7fff0000, 4);
    expect("is_exe", "true", "1 resources are at the wrong level or have no data", "");
    /* data on the first level */
    take("tables32.bin");
    put(root + 20, 16, 4);
    expect("is_exe", "true", "1 resources are at the wrong level or have no data", "");
    /* more entries than any directory has */
    take("tables32.bin");
    put(root + 12, 0xffffffff, 4);
    expect("resources", "(none)", "", "resource_entries");
}
END_TEST

START_TEST(test_import_odd)
{
    /* a library whose names are its own table, twice: the addresses stand in */
    take("tables32.bin");
    size_t descriptor = table(IMPORT);
    put(place(get(descriptor)), get(descriptor), 4);
    expect("imphash", "\"bbc1a90f28e979b0679a4496ae52370d\"", "", "");
    /* no names, no addresses: the library is left out */
    put(descriptor + 16, 0, 4);
    expect("imports",
           "{\"WS2_32.dll\":[\"closesocket\",\"WSAStartup\",\"ord999\"],"
           "\"mfc42.dll\":[\"1576\"],\"kernel32.DLL\":[\"Sleep\"]}",
           "", "");
    /* names that are none */
    take("tables32.bin");
    data[place(get(place(get(descriptor)))) + 2] = 0xff;
    data[place(get(descriptor + 12))] = 0xff;
    expect("imports",
           "{\"*invalid*\":[\"GetProcAddress\"],"
           "\"WS2_32.dll\":[\"closesocket\",\"WSAStartup\",\"ord999\"],"
           "\"mfc42.dll\":[\"1576\"],\"kernel32.DLL\":[\"Sleep\"]}",
           "", "");
}
END_TEST

START_TEST(test_export_odd)
{
    /* counts of 2^32 - 1: the names end where they are none */
    take("tables64.bin");
    put(table(EXPORT) + 24, 0xffffffff, 4);
    expect("exports", "(none)", "", "");
    take("tables64.bin");
    put(table(EXPORT) + 20, 0xffffffff, 4);
    expect("exports", "[\"Alpha\",\"?Beta@@YAXXZ\",\"Gamma\"]", "", "");
    /* an ordinal behind the addresses */
    take("tables64.bin");
    put(place(get(table(EXPORT) + 36)), 0xffff, 2);
    expect("exports", "(none)", "", "");
    /* without a directory of imports pefile does not look */
    take("tables64.bin");
    put(row(0) - 4, 1, 4);
    expect("exports", "(none)", "", "");
}
END_TEST

START_TEST(test_certificate_odd)
{
    take("tables32.bin");
    put(get(row(SECURITY)), 0xffffffff, 4);
    expect("certificates", "(none)", "", "");
    /* 2^32 bytes of them, the first one as long: it ends with the file */
    take("tables32.bin");
    put(row(SECURITY) + 4, 0xffffffff, 4);
    put(get(row(SECURITY)), 0xffff0000, 4);
    struct stoq_loaded *p = LOADED("peinfo", NULL, NULL);
    struct stoq_reply reply;
    ck_assert_int_eq(look(p, size, &reply), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(reply.results, "certificates")),
                      1);
    ck_assert_uint_eq(reply.children->size, 136);
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_debug_odd)
{
    take("tables32.bin");
    put(row(DEBUG) + 4, 0xffffffff, 4);
    expect("debug_info", "(none)", "", "");
    take("tables32.bin");
    put(row(DEBUG) + 4, 28, 4);
    put(table(DEBUG) + 16, 23, 4); /* a record that is too short is left out */
    expect("debug_info", "(none)", "", "");
    take("tables32.bin");
    put(row(DEBUG) + 4, 28, 4);
    size_t record = get(table(DEBUG) + 24);
    memmove(data + size - 20, data + record, 20);
    put(table(DEBUG) + 24, size - 20, 4);
    expect("debug_info",
           "[{\"MajorVersion\":1,\"MinorVersion\":2,\"SizeOfData\":42,"
           "\"TimeDateStamp\":1577836801,\"TimeDateString\":\"2020-01-01 00:00:01\","
           "\"Type\":2}]",
           "a debug record is cut by the end of the file", "");
}
END_TEST

/* Without callbacks there are 255 of them that cannot be read, as in the original. */
START_TEST(test_tls_none)
{
    struct stoq_loaded *p = LOADED("peinfo", NULL, NULL);
    struct stoq_reply reply;
    size_t i;
    json_t *value;
    take("tables32.bin");
    put(table(TLS) + 12, 0, 4);
    ck_assert_int_eq(look(p, size, &reply), 0);
    json_t *list = json_object_get(reply.results, "tls_callbacks");
    ck_assert_uint_eq(json_array_size(list), 255);
    json_array_foreach (list, i, value)
        ck_assert(json_is_null(value));
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
}
END_TEST

/* An image base that is no JSON integer of the library. */
START_TEST(test_image_base)
{
    take("tables64.bin");
    put(optional() + 24, UINT64_MAX, 8);
    expect("image_base",
           "{\"image_base\":1.8446744073709552e19,"
           "\"image_base_string\":\"0xffffffffffffffff\"}",
           "", "");
}
END_TEST

/* Two thousand sections that are all the whole file: the work ends. */
START_TEST(test_sections_overlap)
{
    enum { COUNT = 2048, SIZE = 4 << 20 };
    unsigned char *big = calloc(1, SIZE);
    ck_assert_ptr_nonnull(big);
    take("driver.bin");
    memcpy(big, data, size);
    free(data);
    data = big;
    size = SIZE;
    size_t rows = optional() + 240;
    put(get(0x3c) + 6, 0xffff, 2);
    for (size_t i = 0; i < COUNT; i++) {
        memset(data + rows + 40 * i, 0, 40);
        put(rows + 40 * i, 'a', 1);
        put(rows + 40 * i + 8, 0x1000, 4);
        put(rows + 40 * i + 12, 0x1000 * (uint32_t)(i + 1), 4);
        put(rows + 40 * i + 16, SIZE, 4);
    }
    struct stoq_loaded *p = LOADED("peinfo", NULL, NULL);
    struct stoq_reply reply;
    ck_assert_int_eq(look(p, size, &reply), 0);
    const json_t *list = json_object_get(reply.results, "sections");
    ck_assert_uint_eq(json_array_size(list), COUNT);
    ck_assert(json_is_string(json_object_get(json_array_get(list, 0), "sha256")));
    ck_assert(json_is_null(json_object_get(json_array_get(list, COUNT - 1), "sha256")));
    ck_assert(
        json_is_null(json_object_get(json_array_get(list, COUNT - 1), "entropy")));
    ck_assert_uint_eq(reply.hit_count, 1);
    ck_assert_str_eq(reply.hits[0].name, "sections");
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, test_words, 0, (int)(sizeof samples / sizeof *samples));
    tcase_add_test(tc, test_resource_cycle);
    tcase_add_test(tc, test_resource_odd);
    tcase_add_test(tc, test_import_odd);
    tcase_add_test(tc, test_export_odd);
    tcase_add_test(tc, test_certificate_odd);
    tcase_add_test(tc, test_debug_odd);
    tcase_add_test(tc, test_tls_none);
    tcase_add_test(tc, test_image_base);
    tcase_add_test(tc, test_sections_overlap);
}

int
main(void)
{
    if (setenv("TZ", "UTC", 1) != 0)
        return EXIT_FAILURE;
    return run_suite("plugins_peinfo_odd", fill);
}
