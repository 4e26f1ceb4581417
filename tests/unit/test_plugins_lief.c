/* SPDX-License-Identifier: Apache-2.0 */

/* lief: both views of small files of each format, fields that lead nowhere, every
 * prefix, and the bound on what a result may hold. Whole results are compared by the
 * self-test. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugins_support.h"
#include "util/io.h"

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof *(array)))

static const char *const samples[] = {"small.elf", "object.elf", "small.exe",
                                      "fat.macho"};
static const char *const views[] = {"abstract=True", "abstract=False"};

static unsigned char *
sample(const char *name, size_t *size)
{
    char path[512];
    char *data = NULL;
    (void)snprintf(path, sizeof path, "%s/%s", SAMPLES, name);
    ck_assert_int_eq(stoq_read_file(path, 64 << 20, &data, size, NULL), 0);
    return (unsigned char *)data;
}

/* What a path of keys and indices, "a/0/b", leads to. */
static const json_t *
at_path(const json_t *json, const char *path)
{
    char copy[128], *rest = copy;
    (void)snprintf(copy, sizeof copy, "%s", path);
    for (char *key; (key = strtok_r(rest, "/", &rest));)
        json = json_is_array(json) ? json_array_get(json, (size_t)atoi(key))
                                   : json_object_get(json, key);
    return json;
}

static const struct {
    int view, sample;
    const char *path, *text;
} values[] = {
    {0, 0, "format", "\"ELF\""},
    {0, 0, "name", "\"small.elf\""},
    {0, 0, "header",
     "{\"architecture\": \"X86\", \"endianness\": \"LITTLE\", \"entrypoint\": 0, "
     "\"object_type\": \"LIBRARY\"}"},
    {0, 0, "imported_libraries", "[\"libc.so.6\"]"},
    {0, 0, "imported_functions/0/name", "\"puts\""},
    {0, 0, "imported_functions/0/flags", "[\"IMPORTED\"]"},
    {0, 0, "exported_functions/0/name", "\"work\""},
    {0, 0, "relocations/0/size", "64"},
    {0, 0, "sections/0/name", "\"\""},
    {0, 0, "original_size", "3168"},
    {0, 1, "header/object_type", "\"OBJECT\""},
    {0, 1, "relocations/0/size", "32"},
    {0, 2, "format", "\"PE\""},
    {0, 2, "entrypoint", "4198400"},
    {0, 2, "imported_libraries", "[\"LIB.dll\", \"WS2_32.dll\"]"},
    {0, 2, "imported_functions/1",
     "{\"address\": 8304, \"flags\": [\"IMPORTED\"], \"name\": \"WSAStartup\", "
     "\"size\": "
     "0}"},
    {0, 2, "exported_functions/0/address", "4096"},
    {0, 2, "relocations/0", "{\"address\": 4097, \"size\": 32}"},
    {0, 3, "format", "\"MACHO\""},
    {0, 3, "header",
     "{\"architecture\": \"ARM64\", \"endianness\": \"LITTLE\", \"entrypoint\": "
     "4294968128, \"object_type\": \"LIBRARY\"}"},
    {0, 3, "imported_libraries",
     "[\"/usr/lib/libSystem.B.dylib\", \"@rpath/libweak.dylib\"]"},
    {0, 3, "imported_functions/2/name", "\"_exit\""},
    {1, 0, "header/machine_type", "\"x86_64\""},
    {1, 0, "header/file_type", "\"DYNAMIC\""},
    {1, 0, "is_pie", "false"},
    {1, 0, "interpreter", "(none)"},
    {1, 0, "dynamic_entries/0",
     "{\"library\": \"libc.so.6\", \"tag\": \"NEEDED\", \"value\": 38}"},
    {1, 0, "pltgot_relocations/0/symbol_name", "\"puts\""},
    {1, 0, "pltgot_relocations/0/type", "\"JUMP_SLOT\""},
    {1, 0, "segments/0/type", "\"LOAD\""},
    {1, 0, "sections/1/flags", "[\"ALLOC\"]"},
    {1, 2, "header/machine", "\"I386\""},
    {1, 2, "optional_header/subsystem", "\"WINDOWS_CUI\""},
    {1, 2, "data_directories/0/section", "\".data\""},
    {1, 2, "imports/0/entries/1",
     "{\"iat_address\": 8292, \"is_ordinal\": true, \"ordinal\": 7}"},
    {1, 2, "export/entries/0/ordinal", "5"},
    {1, 2, "sections/0/characteristics",
     "[\"CNT_CODE\", \"MEM_EXECUTE\", \"MEM_READ\"]"},
    {1, 3, "header/flags", "[\"NOUNDEFS\", \"DYLDLINK\", \"TWOLEVEL\", \"PIE\"]"},
    {1, 3, "header/cpu_type", "\"ARM64\""},
    {1, 3, "dylinker/name", "\"/usr/lib/dyld\""},
    {1, 3, "version_min/sdk", "[10, 15, 6]"},
    {1, 3, "source_version/version", "[1, 0, 0, 0, 0]"},
    {1, 3, "uuid/uuid/15", "15"},
    {1, 3, "rpath/path", "\"@loader_path/lib\""},
    {1, 3, "libraries/0/current_version", "[1, 2, 3]"},
    {1, 3, "main_command/entrypoint", "832"},
    {1, 3, "segments/1/sections", "[\"__text\"]"},
    {1, 3, "sections/1/type", "\"ZEROFILL\""},
    {1, 3, "symbols/4/is_external", "true"},
};

static struct stoq_loaded *
open_view(int view)
{
    return LOADED("lief", NULL, views[view]);
}

START_TEST(test_values)
{
    int view = _i / COUNT_OF(samples), which = _i % COUNT_OF(samples);
    struct stoq_loaded *p = open_view(view);
    size_t size = 0;
    unsigned char *data = sample(samples[which], &size);
    struct stoq_payload *target = payload(data, size, NULL);
    (void)json_object_set_new(stoq_payload_extra_data(target), "filename",
                              json_string(samples[which]));
    struct stoq_reply reply;
    struct stoq_error err = {0};
    stoq_reply_init(&reply, UINT64_MAX, UINT64_MAX);
    ck_assert_int_eq(stoq_call_scan(p, target, NULL, &reply, &err), 0);
    ck_assert_uint_eq(reply.hit_count, 0);
    for (int i = 0; i < COUNT_OF(values); i++)
        if (values[i].view == view && values[i].sample == which)
            CHECK_TEXT(
                json_dumps(at_path(reply.results, values[i].path), JSON_ENCODE_ANY),
                values[i].text);
    stoq_reply_fini(&reply);
    stoq_payload_free(target);
    free(data);
    stoq_loaded_free(p);
}
END_TEST

/* Scan; a failure must be that of a damaged file. @return whether it was read. */
static bool
reads(struct stoq_loaded *p, const void *data, size_t size)
{
    struct stoq_reply reply;
    struct stoq_error err = {0};
    int r = scan(p, data, size, NULL, &reply, &err);
    ck_assert(r == 0 || r == -EBADMSG);
    ck_assert_int_eq(r == 0, json_is_object(reply.results));
    stoq_reply_fini(&reply);
    return r == 0;
}

START_TEST(test_prefixes)
{
    struct stoq_loaded *p = open_view(_i / COUNT_OF(samples));
    size_t size = 0, count = 0;
    unsigned char *data = sample(samples[_i % COUNT_OF(samples)], &size);
    /* every length; the larger documents of the full view cost too much for that */
    for (size_t n = 0; n <= size; n += _i < COUNT_OF(samples) ? 1 : 16) {
        unsigned char *prefix = malloc(n ? n : 1); /* its end is the heap block's */
        memcpy(prefix, data, n);
        count += reads(p, prefix, n);
        free(prefix);
    }
    ck_assert_uint_gt(count, 0);
    free(data);
    stoq_loaded_free(p);
}
END_TEST

/* Four bytes replaced by what points far away, or back, everywhere. */
START_TEST(test_hostile)
{
    static const uint8_t hostile[][4] = {{0xff, 0xff, 0xff, 0xff}, {8, 0, 0, 0}};
    struct stoq_loaded *p = open_view(_i / COUNT_OF(samples));
    size_t size = 0, count = 0;
    unsigned char *data = sample(samples[_i % COUNT_OF(samples)], &size);
    for (size_t at = 0; at + 3 < size; at += _i < COUNT_OF(samples) ? 4 : 20) {
        unsigned char kept[4];
        memcpy(kept, data + at, 4);
        memcpy(data + at, hostile[at / 4 % 2], 4);
        count += reads(p, data, size);
        memcpy(data + at, kept, 4);
    }
    ck_assert_uint_gt(count, 0);
    free(data);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_other)
{
    static const struct {
        const char *data;
        size_t size;
        bool known;
    } others[] = {
        {"", 0, false},
        {"text", 4, false},
        {"MZ", 2, false},
        {"\x7f"
         "ELF",
         4, true},
        {"\xcf\xfa\xed\xfe", 4, true},
        {"\xca\xfe\xba\xbe\0\0\0\2", 8, true},
        {"\xca\xfe\xba\xbe\0\0\0\x34", 8, false},
    };
    struct stoq_loaded *p = open_view(0);
    for (int i = 0; i < COUNT_OF(others); i++) {
        struct stoq_reply reply;
        struct stoq_error err = {0};
        int r = scan(p, others[i].data, others[i].size, NULL, &reply, &err);
        ck_assert_int_eq(r, -EBADMSG);
        ck_assert_str_eq(err.message,
                         others[i].known
                             ? "stoq.exceptions.StoqPluginException: Unable to parse "
                               "payload: the headers are damaged"
                             : "stoq.exceptions.StoqPluginException: The file type "
                               "isn't supported by LIEF");
        stoq_reply_fini(&reply);
    }
    stoq_loaded_free(p);
}
END_TEST

/* This very program, which the linker made. */
START_TEST(test_self)
{
    char *data = NULL;
    size_t size = 0;
    ck_assert_int_eq(stoq_read_file("/proc/self/exe", 64 << 20, &data, &size, NULL), 0);
    struct stoq_loaded *p = open_view(_i);
    struct stoq_reply reply;
    struct stoq_error err = {0};
    ck_assert_int_eq(scan(p, data, size, NULL, &reply, &err), 0);
    const json_t *symbols =
        json_object_get(reply.results, _i == 0 ? "symbols" : "static_symbols");
    bool found = false;
    size_t i;
    json_t *symbol;
    json_array_foreach (symbols, i, symbol)
        found = found ||
                strcmp(json_string_value(json_object_get(symbol, "name")), "main") == 0;
    ck_assert(found);
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
    free(data);
}
END_TEST

/* A symbol table of more entries than a result may hold. */
START_TEST(test_limit)
{
    enum { SYMBOLS = 150000, SYMBOL = 16 };
    static const unsigned char head[] = {0xcf, 0xfa, 0xed, 0xfe, 7, 0, 0, 1, 3, 0, 0,
                                         0,    2,    0,    0,    0, 1, 0, 0, 0, 24};
    size_t size = 56 + (size_t)SYMBOLS * SYMBOL;
    unsigned char *data = calloc(1, size);
    memcpy(data, head, sizeof head);
    data[32] = 2;
    data[36] = 24;
    data[40] = 56;
    for (unsigned i = 0; i < 4; i++)
        data[44 + i] = (unsigned char)((unsigned)SYMBOLS >> (8 * i));
    struct stoq_loaded *p = open_view(_i);
    struct stoq_reply reply;
    struct stoq_error err = {0};
    ck_assert_int_eq(scan(p, data, size, NULL, &reply, &err), 0);
    ck_assert_uint_eq(reply.hit_count, 1);
    ck_assert_str_eq(reply.hits[0].name, "entries");
    ck_assert_uint_eq(reply.hits[0].value, 100000);
    ck_assert_uint_gt(json_array_size(json_object_get(reply.results, "symbols")),
                      40000);
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
    free(data);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, test_values, 0, 2 * COUNT_OF(samples));
    tcase_add_loop_test(tc, test_prefixes, 0, 2 * COUNT_OF(samples));
    tcase_add_loop_test(tc, test_hostile, 0, 2 * COUNT_OF(samples));
    tcase_add_test(tc, test_other);
    tcase_add_loop_test(tc, test_self, 0, 2);
    tcase_add_loop_test(tc, test_limit, 0, 2);
}

int
main(void)
{
    return run_suite("plugins_lief", fill);
}
