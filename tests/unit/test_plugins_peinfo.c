/* SPDX-License-Identifier: Apache-2.0 */

/*
 * peinfo: what it says of the programs of its self-test, how it refuses what is none,
 * and that every beginning of a program can be read.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugins_peinfo.h"

static const struct {
    const char *sample, *key, *expected;
} values[] = {
    {"tables32.bin", "imports",
     "{\"KERNEL32.dll\":[\"ExitProcess\",\"GetProcAddress\"],"
     "\"WS2_32.dll\":[\"closesocket\",\"WSAStartup\",\"ord999\"],"
     "\"mfc42.dll\":[\"1576\"],\"kernel32.DLL\":[\"Sleep\"]}"},
    {"tables32.bin", "exports", NULL},
    {"tables32.bin", "version_info",
     "{\"CompanyName\":\"stoqfs\",\"FileDescription\":\"S\u00e4mple \u2014 ??\","
     "\"FileVersion\":\"1.2.3.4\",\"Empty\":\"\"}"},
    {"tables32.bin", "imphash", "\"bbc1a90f28e979b0679a4496ae52370d\""},
    {"tables32.bin", "rich_header",
     "\"37496f4cd340578500d4d533285a4bb936ab4db860c9ef2d3763d4efccbaa4db\""},
    {"tables32.bin", "tls_callbacks", "[4198400,4198416]"},
    {"tables32.bin", "debug_info",
     "[{\"MajorVersion\":1,\"MinorVersion\":2,\"SizeOfData\":42,"
     "\"TimeDateStamp\":1577836801,\"TimeDateString\":\"2020-01-01 00:00:01\","
     "\"Type\":2,\"DebugSig\":\"RSDS\",\"DebugGUID\":"
     "\"b'00010203'-b'04050607'-b'08090a0b'-b'0c0d0e0f'\",\"DebugAge\":7,"
     "\"DebugPDB\":\"c:\\\\src\\\\na\u00efve.pdb\"},"
     "{\"MajorVersion\":1,\"MinorVersion\":2,\"SizeOfData\":24,"
     "\"TimeDateStamp\":1577836802,\"TimeDateString\":\"2020-01-01 00:00:02\","
     "\"Type\":2,\"DebugSig\":\"NB10\",\"DebugTime\":1000000000,\"DebugAge\":2,"
     "\"DebugPDB\":\"old.pdb\"},"
     "{\"MajorVersion\":1,\"MinorVersion\":2,\"SizeOfData\":16,"
     "\"TimeDateStamp\":1577836803,\"TimeDateString\":\"2020-01-01 00:00:03\","
     "\"Type\":4}]"},
    {"tables32.bin", "is_exe", "true"},
    {"tables32.bin", "is_dll", NULL},
    {"tables32.bin", "is_packed", NULL},
    {"tables32.bin", "is_valid", NULL},
    {"tables32.bin", "compile_time_epoch", "1577836800"},
    {"tables32.bin", "compile_time", "\"2020-01-01 00:00:00\""},
    {"tables32.bin", "entrypoint",
     "{\"entry_point\":4096,\"entry_point_string\":\"0x1000\"}"},
    {"tables64.bin", "imports",
     "{\"OLEAUT32.dll\":[\"SysAllocString\",\"SysFreeString\"],"
     "\"ntdll.dll\":[\"NtClose\"]}"},
    {"tables64.bin", "exports", "[\"Alpha\",\"?Beta@@YAXXZ\",\"Gamma\"]"},
    {"tables64.bin", "tls_callbacks", "[2147487744,1]"},
    {"tables64.bin", "is_dll", "true"},
    {"tables64.bin", "is_exe", NULL},
    {"tables64.bin", "certificates", NULL},
    {"tables64.bin", "image_base",
     "{\"image_base\":6442450944,\"image_base_string\":\"0x180000000\"}"},
    {"driver.bin", "is_driver", "true"},
    {"driver.bin", "is_exe", NULL},
};

START_TEST(test_value)
{
    struct stoq_loaded *p = LOADED("peinfo", NULL, NULL);
    struct stoq_reply reply;
    take(values[_i].sample);
    ck_assert_int_eq(look(p, size, &reply), 0);
    ck_assert_uint_eq(reply.errors.count, 0);
    ck_assert_uint_eq(reply.hit_count, 0);
    CHECK_TEXT(value_of(&reply, values[_i].key),
               values[_i].expected ? values[_i].expected : "(none)");
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
}
END_TEST

/* The order of keys, and that what a child says is what the results say. */
START_TEST(test_order)
{
    static const char *const order[] = {
        "imports",    "version_info",       "certificates",
        "sections",   "resources",          "rich_header",
        "imphash",    "tls_callbacks",      "debug_info",
        "is_exe",     "compile_time_epoch", "compile_time",
        "image_base", "entrypoint",
    };
    struct stoq_loaded *p = LOADED("peinfo", NULL, NULL);
    struct stoq_reply reply;
    size_t n = 0, i;
    const char *key;
    json_t *value;
    take("tables32.bin");
    ck_assert_int_eq(look(p, size, &reply), 0);
    json_object_foreach (reply.results, key, value)
        ck_assert_str_eq(key, n < 14 ? order[n++] : "");
    ck_assert_uint_eq(n, 14);
    ck_assert_uint_eq(reply.child_count, 5);
    const struct stoq_child *child = reply.children;
    ck_assert(
        json_equal(child->extra_data,
                   json_array_get(json_object_get(reply.results, "certificates"), 0)));
    json_array_foreach (json_object_get(reply.results, "resources"), i, value) {
        if (!json_object_get(value, "filename"))
            continue; /* it is empty */
        child = child->next;
        ck_assert_ptr_nonnull(child);
        ck_assert(json_equal(child->extra_data, value));
        ck_assert_uint_eq(child->size,
                          (size_t)json_integer_value(json_object_get(value, "size")));
    }
    ck_assert_ptr_null(child->next);
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
}
END_TEST

static const struct {
    size_t at; /* from the signature when from_nt, else in the file */
    bool from_nt;
    uint64_t value;
    unsigned width;
    size_t length; /* 0 = whole */
    const char *message;
} refused[] = {
    {0, false, 0x5a4d, 2, 63,
     "Unable to read the DOS Header, possibly a truncated file."},
    {0, false, 0x4d5a, 2, 0, "Probably a ZM Executable (not a PE file)."},
    {0, false, 0x4242, 2, 0, "DOS Header magic not found."},
    {0x3c, false, 3217, 4, 0, "Invalid e_lfanew value, probably not a PE file"},
    {0x3c, false, 3216, 4, 0, "NT Headers not found."},
    {0x3c, false, 0xffffffff, 4, 0, "Invalid e_lfanew value, probably not a PE file"},
    {0, true, 0, 4, 0, "NT Headers not found."},
    {0, true, 0x454e, 2, 0, "Invalid NT Headers signature. Probably a NE file"},
    {0, true, 0x454c, 2, 0, "Invalid NT Headers signature. Probably a LE file"},
    {0, true, 0x584c, 2, 0, "Invalid NT Headers signature. Probably a LX file"},
    {0, true, 0x5a56, 2, 0, "Invalid NT Headers signature. Probably a TE file"},
    {2, true, 1, 1, 0, "Invalid NT Headers signature."},
    {0x3c, false, 3200, 4, 0, "Invalid NT Headers signature."},
};

START_TEST(test_refused)
{
    struct stoq_loaded *p = LOADED("peinfo", NULL, NULL);
    struct stoq_reply reply;
    struct stoq_error err = {0};
    char expected[160];
    take("tables32.bin");
    put(refused[_i].at + (refused[_i].from_nt ? get(0x3c) : 0), refused[_i].value,
        refused[_i].width);
    (void)snprintf(expected, sizeof expected, "pefile.PEFormatError: '%s'",
                   refused[_i].message);
    ck_assert_int_eq(scan(p, data, refused[_i].length ? refused[_i].length : size, NULL,
                          &reply, &err),
                     -EBADMSG);
    ck_assert_str_eq(err.message, expected);
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
}
END_TEST

static const char *const samples[] = {"tables32.bin", "tables64.bin", "driver.bin"};

/* Every beginning of a program, in memory of just that size. */
START_TEST(test_prefix)
{
    struct stoq_loaded *p = LOADED("peinfo", NULL, NULL);
    size_t whole = 0;
    take(samples[_i]);
    for (size_t n = 0; n <= size; n++) {
        struct stoq_reply reply;
        whole += look(p, n, &reply) == 0;
        stoq_reply_fini(&reply);
    }
    ck_assert_uint_gt(whole, size / 2); /* the headers are in the first half */
    stoq_loaded_free(p);
}
END_TEST

/* Room for two children: the results are whole, the rest of the children is missing. */
START_TEST(test_room)
{
    struct stoq_loaded *p = LOADED("peinfo", NULL, NULL);
    struct stoq_reply reply;
    struct stoq_error err = {0};
    take("tables32.bin");
    struct stoq_payload *target = payload(data, size, NULL);
    stoq_reply_init(&reply, UINT64_MAX, 2);
    ck_assert_int_eq(stoq_call_scan(p, target, NULL, &reply, &err), 0);
    ck_assert_uint_eq(reply.child_count, 2);
    ck_assert_uint_eq(json_array_size(json_object_get(reply.results, "resources")), 5);
    ck_assert_uint_eq(reply.hit_count, 1);
    ck_assert_str_eq(reply.hits[0].name, "children");
    stoq_reply_fini(&reply);
    stoq_payload_free(target);
    stoq_loaded_free(p);
}
END_TEST

/* Times are local. */
START_TEST(test_zone)
{
    ck_assert_int_eq(setenv("TZ", "EST5", 1), 0);
    take("tables32.bin");
    expect("compile_time", "\"2019-12-31 19:00:00\"", "", "");
    ck_assert_int_eq(setenv("TZ", "UTC", 1), 0);
}
END_TEST

#ifdef HAVE_YARA
/* libyara's pe module computes the same import hash. */
START_TEST(test_yara)
{
    struct stoq_loaded *p = LOADED("peinfo", NULL, NULL);
    struct stoq_reply reply;
    char rule[256], option[600];
    take(samples[_i]);
    ck_assert_int_eq(look(p, size, &reply), 0);
    const char *hash = json_string_value(json_object_get(reply.results, "imphash"));
    ck_assert_ptr_nonnull(hash);
    (void)snprintf(rule, sizeof rule,
                   "import \"pe\"\nrule same { condition: pe.imphash() == \"%s\" }\n",
                   hash);
    put_file("rules/imphash.yar", rule);
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
    (void)snprintf(option, sizeof option, "worker_rules=%s",
                   in_dir("rules/imphash.yar"));
    p = LOADED("yara", NULL, option, "dispatch_rules=");
    CHECK_TEXT(rules_of(p, data, size, NULL), "same");
    stoq_loaded_free(p);
}
END_TEST
#endif

static void
fill(TCase *tc)
{
    int n = (int)(sizeof samples / sizeof *samples);
    tcase_add_loop_test(tc, test_value, 0, (int)(sizeof values / sizeof *values));
    tcase_add_test(tc, test_order);
    tcase_add_loop_test(tc, test_refused, 0, (int)(sizeof refused / sizeof *refused));
    tcase_add_loop_test(tc, test_prefix, 0, n);
    tcase_add_test(tc, test_room);
    tcase_add_test(tc, test_zone);
#ifdef HAVE_YARA
    tcase_add_loop_test(tc, test_yara, 0, n);
#endif
}

int
main(void)
{
    if (setenv("TZ", "UTC", 1) != 0)
        return EXIT_FAILURE;
    return run_suite("plugins_peinfo", fill);
}
