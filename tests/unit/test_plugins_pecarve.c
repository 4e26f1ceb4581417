/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pecarve: what it finds between other bytes, where it looks, and that data made to
 * cost much ends early. The programs are those of peinfo's self-test.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugins_support.h"
#include "util/io.h"

#define SAMPLES SOURCE_DIR "/plugins/peinfo/selftest/"
#define ROOM    16384

static unsigned char data[ROOM];
static size_t size;

static void
add(const void *bytes, size_t n)
{
    ck_assert_uint_le(size + n, sizeof data);
    memcpy(data + size, bytes, n);
    size += n;
}

/* Append a sample, or the text itself when it is none; "" as one zero byte. */
static void
add_part(const char *part)
{
    char path[512];
    char *text = NULL;
    size_t n = 0;
    if (!strstr(part, ".bin")) {
        add(part, *part ? strlen(part) : 1);
        return;
    }
    (void)snprintf(path, sizeof path, "%s%s", SAMPLES, part);
    ck_assert_int_eq(stoq_read_file(path, ROOM, &text, &n, NULL), 0);
    add(text, n);
    free(text);
}

static void
expect_children(const struct stoq_reply *reply, const size_t (*expected)[2])
{
    size_t n = 0;
    for (const struct stoq_child *c = reply->children; c; c = c->next, n++) {
        ck_assert_uint_eq(c->size, expected[n][1]);
        char *text = json_dumps(c->extra_data, 0);
        char wanted[64];
        (void)snprintf(wanted, sizeof wanted, "{\"offset\": %zu}", expected[n][0]);
        ck_assert_str_eq(text, wanted);
        ck_assert_mem_eq(c->data, data + expected[n][0], c->size);
        free(text);
    }
    ck_assert_uint_eq(expected[n][1], 0);
}

/* The 32-bit sample has 144 bytes of certificates behind its 3072, which are no part of
 * the image. */
static const struct {
    const char *parts[6];
    const char *option;    /* NULL = default */
    size_t children[4][2]; /* offset, size */
} cases[] = {
    {{"tables32.bin"}, NULL, {{0, 3072}}},
    {{"tables64.bin"}, NULL, {{0, 2048}}},
    {{"", "tables64.bin", "tail"}, NULL, {{1, 2048}}},
    {{"MZMZ", "driver.bin", "MZ", "tables32.bin", "MZ"},
     NULL,
     {{4, 2048}, {2054, 3072}}},
    {{"Z", "driver.bin"}, NULL, {{1, 2048}}},
    {{"ZM", "text"}, NULL, {{0, 0}}},
    {{""}, NULL, {{0, 0}}},
    {{"tables32.bin", "driver.bin"}, "pe_headers=MZ.{58}\\x80", {{3216, 2048}}},
    {{"tables32.bin", "driver.bin"}, "pe_headers=^", {{0, 3072}}},
    {{"\n", "driver.bin"}, "pe_headers=^", {{1, 2048}}},
    {{"\n", "driver.bin"}, "pe_headers=NOTHING", {{0, 0}}},
    {{"driver.bin"}, "pe_headers=[L-N](?=Z)", {{0, 2048}}},
};

START_TEST(test_carve)
{
    struct stoq_loaded *p = cases[_i].option ? LOADED("pecarve", NULL, cases[_i].option)
                                             : LOADED("pecarve", NULL, NULL);
    struct stoq_reply reply;
    struct stoq_error err = {0};
    for (size_t i = 0; i < 6 && cases[_i].parts[i]; i++)
        add_part(cases[_i].parts[i]);
    ck_assert_int_eq(scan(p, data, size, NULL, &reply, &err), 0);
    ck_assert_ptr_null(reply.results);
    ck_assert_uint_eq(reply.errors.count, 0);
    ck_assert_uint_eq(reply.hit_count, 0);
    expect_children(&reply, cases[_i].children);
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
}
END_TEST

/* Every beginning: a program that the end cuts is one as long as its headers are there.
 */
START_TEST(test_prefix)
{
    struct stoq_loaded *p = LOADED("pecarve", NULL, NULL);
    struct stoq_error err = {0};
    size_t found = 0;
    add_part("junk");
    add_part("tables64.bin");
    for (size_t n = 0; n <= size; n++) {
        struct stoq_reply reply;
        ck_assert_int_eq(scan(p, data, n, NULL, &reply, &err), 0);
        ck_assert_uint_le(reply.child_count, 1);
        if (reply.child_count) {
            ck_assert_uint_le(reply.children->size, n - 4);
            found++;
        }
        stoq_reply_fini(&reply);
    }
    ck_assert_uint_gt(found, 1024);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_bad_expression)
{
    struct stoq_loaded *p = NULL;
    struct stoq_error err = {0};
    ck_assert_int_eq(LOAD("pecarve", NULL, &p, &err, "pe_headers=(MZ"), -EINVAL);
    ck_assert_ptr_null(p);
    ck_assert_ptr_nonnull(
        strstr(err.message, "pe_headers: missing closing parenthesis"));
}
END_TEST

/* An expression that tries all ways there are. */
START_TEST(test_backtracking)
{
    struct stoq_loaded *p = LOADED("pecarve", NULL, "pe_headers=(a+)+[bc]");
    struct stoq_reply reply;
    struct stoq_error err = {0};
    memset(data, 'a', 64);
    ck_assert_int_eq(scan(p, data, 64, NULL, &reply, &err), 0);
    ck_assert_uint_eq(reply.hit_count, 1);
    ck_assert_str_eq(reply.hits[0].name, "pe_headers");
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
}
END_TEST

static void
put(unsigned char *at, uint32_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

/* Thousands of DOS headers share one program, whose section table is long and ends with
 * the data: reading it again and again ends. */
START_TEST(test_shared_table)
{
    enum { HEADERS = 8192, ROWS = 2000, TABLE = 64 * HEADERS + 24 + 96 };
    const size_t whole = TABLE + 40 * ROWS + 20;
    unsigned char *big = calloc(1, whole);
    ck_assert_ptr_nonnull(big);
    for (uint32_t i = 0; i < HEADERS; i++) {
        memcpy(big + 64 * (size_t)i, "MZ", 2);
        put(big + 64 * (size_t)i + 0x3c, 64 * (HEADERS - i), 4);
    }
    unsigned char *nt = big + (size_t)64 * HEADERS;
    memcpy(nt, "PE", 2);
    put(nt + 6, 0xffff, 2);
    put(nt + 20, 96, 2);
    put(nt + 24, 0x10b, 2);
    for (size_t i = 0; i <= ROWS; i++)
        big[TABLE + 40 * i] = 'a';
    struct stoq_loaded *p = LOADED("pecarve", NULL, NULL);
    struct stoq_reply reply;
    struct stoq_error err = {0};
    ck_assert_int_eq(scan(p, big, whole, NULL, &reply, &err), 0);
    ck_assert_uint_eq(reply.child_count, 0);
    ck_assert_uint_eq(reply.hit_count, 1);
    ck_assert_str_eq(reply.hits[0].name, "section_rows");
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
    free(big);
}
END_TEST

/* No room for a second child: it is on record, and carving ends. */
START_TEST(test_room)
{
    struct stoq_loaded *p = LOADED("pecarve", NULL, NULL);
    struct stoq_reply reply;
    struct stoq_error err = {0};
    add_part("driver.bin");
    add_part("driver.bin");
    add_part("driver.bin");
    struct stoq_payload *target = payload(data, size, NULL);
    stoq_reply_init(&reply, 3000, UINT64_MAX);
    ck_assert_int_eq(stoq_call_scan(p, target, NULL, &reply, &err), 0);
    ck_assert_uint_eq(reply.child_count, 1);
    ck_assert_uint_eq(reply.hit_count, 1);
    ck_assert_str_eq(reply.hits[0].name, "extracted_bytes");
    stoq_reply_fini(&reply);
    stoq_payload_free(target);
    stoq_loaded_free(p);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, test_carve, 0, (int)(sizeof cases / sizeof *cases));
    tcase_add_test(tc, test_prefix);
    tcase_add_test(tc, test_bad_expression);
    tcase_add_test(tc, test_backtracking);
    tcase_add_test(tc, test_shared_table);
    tcase_add_test(tc, test_room);
}

int
main(void)
{
    return run_suite("plugins_pecarve", fill);
}
