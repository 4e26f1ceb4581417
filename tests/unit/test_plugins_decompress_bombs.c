/* SPDX-License-Identifier: Apache-2.0 */

/* decompress: damaged archives, what they still give, and what bombs may cost. */

#include "plugins_archives.h"

/* `from`: first length with the format's marker, from which on a cut is told. ar is
 * told by nobody. */
static const struct {
    const char *format, *filter;
    size_t from;
    size_t whole[2]; /* lengths at which an archive of fewer members ends */
} cut[] = {
    {"zip", NULL, 4, {0}},        {"7zip", NULL, 6, {0}},
    {"ustar", NULL, 262, {1024}}, {"arsvr4", NULL, SIZE_MAX, {0}},
    {"newc", NULL, 6, {0}},       {"ustar", "gzip", 3, {0}},
    {"ustar", "xz", 6, {0}},      {"ustar", "bzip2", 3, {0}},
    {"ustar", "zstd", 4, {0}},    {"ustar", "lzma", 3, {0}},
};

/* Cut short anywhere, and with every byte changed: it ends, and what is missing is not
 * missing silently. */
START_TEST(test_damaged)
{
    struct stoq_loaded *p = LOADED("decompress", NULL, NULL);
    struct made m = two(cut[_i].format, cut[_i].filter, NULL);
    for (size_t n = 0; n < m.size; n++) {
        struct job j = {.bytes = 1 << 20};
        unsigned char *copy = malloc(n + 1);
        memcpy(copy, m.data, n);
        run(&j, p, copy, n);
        free(copy);
        ck_assert_int_eq(j.r, 0);
        ck_assert_uint_le(j.reply.child_count, 2);
        const bool whole = j.reply.child_count == (cut[_i].filter ? 1 : 2);
        if (n >= cut[_i].from && !whole && n != cut[_i].whole[0] &&
            n != cut[_i].whole[1])
            ck_assert_msg(j.reply.errors.count > 0, "%zu of %zu bytes", n, m.size);
        stoq_reply_fini(&j.reply);
    }
    /* not the dictionary's size in lzma's header: MALLOC_PERTURB_ fills a gigabyte */
    const bool lzma = cut[_i].filter && strcmp(cut[_i].filter, "lzma") == 0;
    for (size_t n = lzma ? 5 : 0; n < m.size; n++) {
        struct job j = {.bytes = 1 << 20};
        m.data[n] ^= 0xff;
        run(&j, p, m.data, m.size);
        m.data[n] ^= 0xff;
        ck_assert_int_eq(j.r, 0);
        stoq_reply_fini(&j.reply);
    }
    free(m.data);
    stoq_loaded_free(p);
}
END_TEST

/* What a damaged archive still gives, and that it says so. */
START_TEST(test_salvage)
{
    struct stoq_loaded *p = LOADED("decompress", NULL, NULL);
    struct made zip = two("zip", NULL, NULL);
    /* the bytes of one member, stored or not, under a checksum that is wrong */
    unsigned char *central = memmem(zip.data, zip.size, "PK\x01\x02", 4);
    ck_assert_ptr_nonnull(central);
    central[16] ^= 0xff;
    struct job j = {0};
    run(&j, p, zip.data, zip.size);
    ck_assert_uint_eq(j.reply.child_count, 2);
    stoq_reply_fini(&j.reply);

    struct made tar = {0};
    static const unsigned char bytes[3000] = {1};
    begin(&tar, "ustar", NULL, NULL);
    add(&tar, "a", "hello", 5);
    add(&tar, "b", bytes, sizeof bytes);
    end(&tar);
    tar.size = 512 * 3 + 1000;
    CHECK_SCAN(p, tar, "a=hello b:1000 !Unable to extract b: Truncated tar archive ",
               0);
    tar.size = 512 * 2 + 100;
    CHECK_SCAN(
        p, tar,
        "a=hello !Unable to read archive, mimetype: None: Truncated tar archive ", 0);
    /* libarchive unpacks 64 KiB at a time; those before the damage are kept */
    unsigned char *noise = malloc(300000);
    uint32_t seed = 1;
    for (size_t i = 0; i < 300000; i++)
        noise[i] = (unsigned char)((seed = seed * 1664525U + 1013904223U) >> 24);
    struct made gz = stream("gzip", noise, 300000);
    gz.size -= 8;
    j = (struct job){0};
    run(&j, p, gz.data, gz.size);
    ck_assert_uint_eq(j.reply.child_count, 1);
    ck_assert_uint_eq(j.reply.errors.count, 1);
    ck_assert_uint_eq(j.reply.children->size, 4 * 65536);
    ck_assert_mem_eq(j.reply.children->data, noise, 4 * 65536);
    stoq_reply_fini(&j.reply);
    free(noise);
    free(zip.data);
    free(tar.data);
    free(gz.data);
    stoq_loaded_free(p);
}
END_TEST

/* A member that writes zeros into @filter or a zip, 64 MiB of them. */
static struct made
zeros(const char *format, const char *filter)
{
    struct made m = {0};
    const size_t size = (size_t)64 << 20;
    void *data = calloc(1, size);
    begin(&m, format, filter, NULL);
    add(&m, "zeros", data, size);
    add(&m, "after", "hello", 5);
    end(&m);
    free(data);
    return m;
}

START_TEST(test_bombs)
{
    struct stoq_loaded *p = LOADED("decompress", NULL, "maximum_size=1000000");
    struct made zip = zeros("zip", NULL);
    ck_assert_uint_lt(zip.size, 100000);
    CHECK_SCAN(p, zip,
               "after=hello !Extracted object is too large (67108864 > 1000000) "
               "<maximum_size 67108864> ",
               0);
    struct made lzma = zeros("7zip", NULL);
    CHECK_SCAN(p, lzma,
               "after=hello !Extracted object is too large (67108864 > 1000000) "
               "<maximum_size 67108864> ",
               0);
    /* the size is not known before */
    void *data = calloc(1, (size_t)16 << 20);
    struct made gz = stream("gzip", data, (size_t)16 << 20);
    free(data);
    struct job j = {0};
    run(&j, p, gz.data, gz.size);
    ck_assert_uint_eq(j.reply.child_count, 0);
    ck_assert_uint_eq(j.reply.errors.count, 1);
    ck_assert_uint_eq(j.reply.hit_count, 1);
    ck_assert_uint_lt(j.reply.hits[0].value, 2000000);
    stoq_reply_fini(&j.reply);
    stoq_loaded_free(p);

    /* and with the room of the scan as the limit */
    p = LOADED("decompress", NULL, "maximum_size=100000000");
    CHECK_SCAN(p, zip, "after=hello <extracted_bytes 67108864> ", .bytes = 100000);
    j = (struct job){.bytes = 100000};
    run(&j, p, gz.data, gz.size);
    ck_assert_uint_eq(j.reply.child_count, 0);
    ck_assert_uint_eq(j.reply.errors.count, 0);
    ck_assert_str_eq(j.reply.hits[0].name, "extracted_bytes");
    ck_assert_uint_lt(j.reply.hits[0].value, 1000000);
    stoq_reply_fini(&j.reply);
    stoq_loaded_free(p);
    free(zip.data);
    free(lzma.data);
    free(gz.data);
}
END_TEST

START_TEST(test_many)
{
    struct stoq_loaded *p = LOADED("decompress", NULL, NULL);
    struct made m = {0};
    begin(&m, "zip", NULL, NULL);
    ck_assert_int_eq(archive_write_zip_set_compression_store(m.a), ARCHIVE_OK);
    for (int i = 0; i < 10000; i++)
        add(&m, "x", "y", 1);
    end(&m);
    struct job j = {.children = 1000};
    run(&j, p, m.data, m.size);
    ck_assert_int_eq(j.r, 0);
    ck_assert_uint_eq(j.reply.child_count, 1000);
    ck_assert_uint_eq(j.reply.hit_count, 1);
    ck_assert_str_eq(j.reply.hits[0].name, "children");
    stoq_reply_fini(&j.reply);
    j = (struct job){0};
    run(&j, p, m.data, m.size);
    ck_assert_uint_eq(j.reply.child_count, 10000);
    ck_assert_uint_eq(j.reply.hit_count, 0);
    stoq_reply_fini(&j.reply);
    free(m.data);
    stoq_loaded_free(p);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, test_damaged, 0, (int)(sizeof cut / sizeof *cut));
    tcase_add_test(tc, test_salvage);
    tcase_add_test(tc, test_bombs);
    tcase_add_test(tc, test_many);
}

int
main(void)
{
    return run_suite("plugins_decompress_bombs", fill);
}
