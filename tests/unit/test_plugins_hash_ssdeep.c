/* SPDX-License-Identifier: Apache-2.0 */

/* hash_ssdeep: the hashes that ssdeep(1) 2.14.1 prints for the same bytes. */

#include <stdlib.h>
#include <string.h>

#include "plugins_support.h"

static const struct {
    size_t size;
    const char *expected;
} cases[] = {
    {0, "3::"},
    {1, "3:j:j"},
    {6, "3:x:x"},
    {7, "3:B:B"},
    {64, "3:OZpPTtxJ0/Y:GQY"},
    {1000, "24:PSKBvQOnR9HDqIH/qGqCukJVueOxy50k/ObOYMgtJ:60Dr/qyuheOxy7/PYMg7"},
    {4096, "96:60D/ucey7/cIHEAe/gmb4TZuCeXaXQ7diFzFvG6pcEob:"
           "xD/uceMkIkJ/jb4ACeXCQ7diBlG6apb"},
    {65536, "1536:x16X9sbZhe9DGY+82g9HZivoSe6UDcCcJo3ooun+6:x0wTelZF2gviRe7unj"},
    {1000000, "24576:9az65cUN9WGmG8Uv4vtfUZqILq9KaB8Eh5U7QRVmPjt9S1HnhW:"
              "IS7N97LvaUZqILMxXea1Y"},
};

static void
check_hash(struct stoq_loaded *p, const unsigned char *data, size_t size,
           const char *hash)
{
    char *expected = NULL;
    ck_assert_int_gt(asprintf(&expected, "{\"ssdeep\": \"%s\"}", hash), 0);
    CHECK_TEXT(scanned(p, data, size, NULL), expected);
    free(expected);
}

START_TEST(test_hash)
{
    struct stoq_loaded *p = LOADED("hash_ssdeep", NULL, NULL);
    size_t size = cases[_i].size;
    unsigned char *data = malloc(size + 1);
    for (uint32_t i = 0, x = 1; i < size; i++) {
        x = (x * 1103515245U + 12345U) & 0x7fffffffU;
        data[i] = (unsigned char)(x >> 16);
    }
    check_hash(p, data, size, cases[_i].expected);
    free(data);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_plain)
{
    static const char text[] = "This is a payload to hash";
    unsigned char *zeros = calloc(1, 100000);
    struct stoq_loaded *p = LOADED("hash_ssdeep", NULL, NULL);
    check_hash(p, (const unsigned char *)text, sizeof text - 1, "3:hMCE7pr3Kn:huJ6");
    check_hash(p, zeros, 100000, "3::");
    for (size_t i = 0; i < 300; i++)
        free(scanned(p, zeros, i, NULL));
    stoq_loaded_free(p);
    free(zeros);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, test_hash, 0, (int)(sizeof cases / sizeof *cases));
    tcase_add_test(tc, test_plain);
}

int
main(void)
{
    return run_suite("plugins_hash_ssdeep", fill);
}
