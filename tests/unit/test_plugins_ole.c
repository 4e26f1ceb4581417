/* SPDX-License-Identifier: Apache-2.0 */

/* ole: streams and their names, embedded files, and compound files that are not what
 * they should be. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins_office.h"
#include "plugins_office_cfb.h"

#define NAMED(index, name) "{\"index\": " index ", \"name\": \"" name "\"} unarchived:"
#define NO_OLE             "failed:OSError: not an OLE2 structured storage file\n"
#define COUNT(array)       (sizeof(array) / sizeof *(array))

/* Streams of the sample that most tests start from. Its entries: the root is 0, "b" 1,
 * "Storage" 2, "inner" 3, "\005a" 4. Its FAT is one sector. */
static const struct cfb_node small[] = {
    {"b", -1, "second", 6},
    {"Storage", -1, NULL, 0},
    {"inner", 1, "within", 6},
    {"\005a", -1, "first of all, by name", 21},
};
#define SMALL                                                               \
    NAMED("0", "a")                                                         \
    "first of all, by name\n" NAMED("1", "Storage_inner") "within\n" NAMED( \
        "2", "b") "second\n"
#define ENTRY(id) CFB_ENTRY_AT(1, id)

static void
check(const unsigned char *file, size_t size, const char *expected)
{
    struct stoq_loaded *p = LOADED("ole", NULL, NULL);
    CHECK_TEXT(reply_text(p, file, size, UINT64_MAX), expected);
    stoq_loaded_free(p);
}

/* The same with a plugin that was loaded for row @i of a table. */
static void
check_row(struct stoq_loaded *p, const unsigned char *file, size_t size, size_t i,
          const char *expected)
{
    char *text = reply_text(p, file, size, UINT64_MAX);
    ck_assert_msg(strcmp(text, expected) == 0, "row %zu: %s", i, text);
    free(text);
}

START_TEST(test_small)
{
    size_t size = 0;
    unsigned char *file = make_cfb(small, COUNT(small), &size);
    check(file, size, SMALL);
    free(file);
}
END_TEST

/* Streams around the size at which another kind of sector takes over. */
START_TEST(test_sizes)
{
    static const size_t sizes[] = {0, 1, 63, 64, 65, 4095, 4096, 4097, 512 * 9, 100000};
    static unsigned char bytes[100000];
    struct cfb_node nodes[COUNT(sizes)];
    char names[COUNT(sizes)][8];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 251);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        (void)snprintf(names[i], sizeof names[i], "s%zu", i);
        nodes[i] = (struct cfb_node){names[i], -1, bytes, sizes[i]};
    }
    size_t size = 0;
    unsigned char *file = make_cfb(nodes, COUNT(nodes), &size);
    struct stoq_loaded *p = LOADED("ole", NULL, NULL);
    struct stoq_reply reply;
    struct stoq_error err = {0};
    ck_assert_int_eq(scan(p, file, size, NULL, &reply, &err), 0);
    ck_assert_uint_eq(reply.child_count, COUNT(sizes));
    size_t i = 0;
    for (const struct stoq_child *c = reply.children; c; c = c->next, i++) {
        ck_assert_uint_eq(c->size, sizes[i]);
        ck_assert(c->size == 0 || memcmp(c->data, bytes, c->size) == 0);
    }
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
    free(file);
}
END_TEST

START_TEST(test_prefixes)
{
    size_t size = 0;
    unsigned char *file = make_cfb(small, COUNT(small), &size);
    struct stoq_loaded *p = LOADED("ole", NULL, NULL);
    scan_prefixes(p, file, size, 1);
    stoq_loaded_free(p);
    free(file);
}
END_TEST

/* ----------------------------------------------------------------------- one change */

static const struct {
    size_t at;
    unsigned long long value;
    unsigned width;
    const char *expected;
} changes[] = {
    {0, 0, 1, NO_OLE},
    /* header */
    {28, 0xfeff, 2, SMALL}, /* the byte order, which nobody goes by */
    {30, 6, 2, "failed:OSError: incorrect sector_size in OLE header\n"},
    {30, 40, 2, "failed:OSError: incorrect sector_size in OLE header\n"},
    {30, 12, 2, "failed:OSError: OLE directory index out of range\n"},
    {32, 40, 2, "failed:OSError: incorrect mini_sector_size in OLE header\n"},
    {44, 0xffffffff, 4, SMALL},
    {48, 0xfffffff0, 4, "failed:OSError: OLE directory index out of range\n"},
    {48, 0xfffffffe, 4, "failed:OSError: OLE directory index out of range\n"},
    {56, 0, 4, SMALL},
    {60, 0xfffffffe, 4,
     NAMED("0", "a") "\n" NAMED("1", "Storage_inner") "\n" NAMED("2", "b") "\n"},
    {64, 0xffffffff, 4, SMALL},
    {72, 1, 4, "failed:OSError: incorrect DIFAT, first index out of range\n"},
    {76, 0x7fffffff, 4, "failed:OSError: incomplete OLE sector\n"},
    {80, 0, 4, SMALL}, /* the FAT twice */
    /* the directory's chain leads to itself: entry 4 is entry 0 again */
    {CFB_SECTOR + 4, 1, 4,
     NAMED("0", "Storage_inner") "within\n" NAMED("1", "b") "second\n"},
    /* the root's: entries */
    {ENTRY(0) + 76, 0xffffffff, 4, ""},
    {ENTRY(0) + 76, 0, 4, ""},
    {ENTRY(0) + 76, 4000, 4, ""},
    {ENTRY(0) + 120, 64, 4,
     NAMED("0", "a") "\n" NAMED("1", "Storage_inner") "\n" NAMED("2", "b") "second\n"},
    /* siblings in circles */
    {ENTRY(1) + 68, 1, 4, SMALL},
    {ENTRY(4) + 72, 1, 4, SMALL},
    {ENTRY(3) + 76, 2, 4, SMALL},
    {ENTRY(2) + 76, 2, 4,
     NAMED("0", "a") "first of all, by name\n" NAMED("1", "b") "second\n"},
    /* types */
    {ENTRY(1) + 66, 1, 1,
     NAMED("0", "a") "first of all, by name\n" NAMED("1", "Storage_inner") "within\n"},
    {ENTRY(1) + 66, 5, 1,
     NAMED("0", "a") "first of all, by name\n" NAMED("1", "Storage_inner") "within\n"},
    {ENTRY(0) + 66, 1, 1, SMALL},
    /* a stream's size and start */
    {ENTRY(1) + 120, 3, 4,
     NAMED("0", "a") "first of all, by name\n" NAMED(
         "1", "Storage_inner") "within\n" NAMED("2", "b") "sec\n"},
    {ENTRY(1) + 124, 1, 4, SMALL}, /* the upper half, of no use here */
    {ENTRY(1) + 116, 99, 4,
     NAMED("0", "a") "first of all, by name\n" NAMED(
         "1", "Storage_inner") "within\n" NAMED("2", "b") "\n"},
    {ENTRY(1) + 116, 1, 4,
     NAMED("0", "a") "first of all, by name\n" NAMED(
         "1", "Storage_inner") "within\n" NAMED("2", "b") "within\n"},
    /* a name's length */
    {ENTRY(1) + 64, 2, 2,
     NAMED("0", "") "second\n" NAMED("1", "a") "first of all, by name\n" NAMED(
         "2", "Storage_inner") "within\n"},
    {ENTRY(1) + 64, 0xffff, 2, SMALL},
    {ENTRY(1) + 64, 0, 2, SMALL},
};

START_TEST(test_change)
{
    struct stoq_loaded *p = LOADED("ole", NULL, NULL);
    for (size_t i = 0; i < COUNT(changes); i++) {
        size_t size = 0;
        unsigned char *file = make_cfb(small, COUNT(small), &size);
        put_le(file + changes[i].at, changes[i].value, changes[i].width);
        check_row(p, file, size, i, changes[i].expected);
        free(file);
    }
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_none)
{
    static unsigned char file[2048];
    check(file, 0, NO_OLE);
    check(file, sizeof file, NO_OLE);
    memcpy(file, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 8);
    check(file, 1535, NO_OLE);
    check(file, sizeof file, "failed:OSError: incorrect sector_size in OLE header\n");
}
END_TEST

/* Names are cut down to printable ASCII; "é" and half of a pair are in this one. */
START_TEST(test_name)
{
    size_t size = 0;
    unsigned char *file = make_cfb(small, 1, &size);
    static const unsigned char name[] = {'x', 0, 0xe9, 0, 0x3d, 0xd8, 'y', 0, '\n', 0};
    memcpy(file + ENTRY(1), name, sizeof name);
    put_le(file + ENTRY(1) + 64, sizeof name + 2, 2);
    check(file, size, NAMED("0", "xy\\n") "second\n");
    free(file);
}
END_TEST

/* ------------------------------------------------------------------- embedded files */

#define NATIVE_HEAD "\0\0\0\0\002\0"
#define NATIVE_MARK "\001Ole10Native"

static const struct {
    const char *data;
    size_t size;
    const char *expected;
} natives[] = {
#define NATIVE(text) text NATIVE_MARK, sizeof(text NATIVE_MARK) - 1
    {NATIVE(NATIVE_HEAD "a.exe\0C:\\a.exe\0\0\0\0\0\0\0\0\0C:\\t\0\004\0\0\0data rest"),
     NAMED("0", "s_a.exe") "data\n"},
    {NATIVE(NATIVE_HEAD "\xe9\0\0\0\0\0\0\0\0\0\0\0\001\0\0\0d"),
     "{\"index\": 0, \"name\": \"s_\xc3\xa9\"} unarchived:d\n"},
    {NATIVE(NATIVE_HEAD "\0\0\0\0\0\0\0\0\0\0\0\001\0\0\0d"),
     NAMED("0", "s_olenative") "d\n"},
    {NATIVE(NATIVE_HEAD "a\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff"
                        "d"),
     NAMED("0", "s_a") "d\\x01Ole10Native\n"},
    {NATIVE(NATIVE_HEAD "a\0\0\0\0\0\0"),
     "error:Unable to read the embedded file in stream 0\n"},
    {NATIVE(""), "error:Unable to read the embedded file in stream 0\n"},
};

START_TEST(test_native)
{
    struct stoq_loaded *p = LOADED("ole", NULL, NULL);
    for (size_t i = 0; i < COUNT(natives); i++) {
        const struct cfb_node node = {"s", -1, natives[i].data, natives[i].size};
        size_t size = 0;
        unsigned char *file = make_cfb(&node, 1, &size);
        check_row(p, file, size, i, natives[i].expected);
        free(file);
    }
    stoq_loaded_free(p);
}
END_TEST

/* --------------------------------------------------------------------------- bounds */

START_TEST(test_budget)
{
    size_t size = 0;
    unsigned char *file = make_cfb(small, COUNT(small), &size);
    struct stoq_loaded *p = LOADED("ole", NULL, NULL);
    CHECK_TEXT(reply_text(p, file, size, 30),
               NAMED("0", "a") "first of all, by name\n" NAMED(
                   "1", "Storage_inner") "within\nlimit:extracted_bytes\n");
    stoq_loaded_free(p);
    free(file);
}
END_TEST

/* Storages as deep as the file has them. */
START_TEST(test_deep)
{
    enum { DEEP = 150 };
    struct cfb_node nodes[DEEP + 1];
    for (int i = 0; i <= DEEP; i++)
        nodes[i] =
            (struct cfb_node){"s", i - 1, i < DEEP ? NULL : "deep", i < DEEP ? 0 : 4};
    size_t size = 0;
    unsigned char *file = make_cfb(nodes, DEEP + 1, &size);
    check(file, size, "limit:ole_entries\n");
    free(file);
}
END_TEST

/* Many streams that are all of the file, in circles: the budget ends it. */
START_TEST(test_circles)
{
    enum { MANY = 400 };
    static unsigned char bytes[40000];
    struct cfb_node nodes[MANY];
    char names[MANY][8];
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(names[i], sizeof names[i], "s%03d", i);
        nodes[i] = (struct cfb_node){names[i], -1, bytes, i ? 0 : sizeof bytes};
    }
    size_t size = 0;
    unsigned char *file = make_cfb(nodes, MANY, &size);
    size_t fat_sectors = file[44], sectors = size / CFB_SECTOR - 1;
    for (size_t i = 1; i <= MANY; i++) {
        put_le(file + CFB_ENTRY_AT(fat_sectors, i) + 116, sectors - 1, 4);
        put_le(file + CFB_ENTRY_AT(fat_sectors, i) + 120, 0xffffffff, 4);
    }
    put_le(file + CFB_SECTOR + 4 * (sectors - 1), sectors - 1, 4);
    struct stoq_loaded *p = LOADED("ole", NULL, NULL);
    struct stoq_reply reply;
    struct stoq_error err = {0};
    ck_assert_int_eq(scan(p, file, size, NULL, &reply, &err), 0);
    ck_assert_uint_eq(reply.child_count, MANY);
    for (const struct stoq_child *c = reply.children; c; c = c->next)
        ck_assert_uint_le(c->size, size);
    stoq_reply_fini(&reply);
    char *text = reply_text(p, file, size, 3 * size);
    ck_assert_ptr_nonnull(strstr(text, "limit:extracted_bytes\n"));
    free(text);
    stoq_loaded_free(p);
    free(file);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_test(tc, test_small);
    tcase_add_test(tc, test_sizes);
    tcase_add_test(tc, test_prefixes);
    tcase_add_test(tc, test_change);
    tcase_add_test(tc, test_none);
    tcase_add_test(tc, test_name);
    tcase_add_test(tc, test_native);
    tcase_add_test(tc, test_budget);
    tcase_add_test(tc, test_deep);
    tcase_add_test(tc, test_circles);
}

int
main(void)
{
    return run_suite("plugins_ole", fill);
}
