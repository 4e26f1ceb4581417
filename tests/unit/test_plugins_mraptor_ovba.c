/* SPDX-License-Identifier: Apache-2.0 */

/* The decompression of macros, on containers that are right and on others. */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/ovba.h"
#include "plugins_support.h"

static const struct {
    const char *in;
    size_t size;
    const char *out;
    bool whole;
} containers[] = {
#define IN(text) text, sizeof(text) - 1
    /* [MS-OVBA] 3.2.1 to 3.2.3 */
    {IN("\x01\x19\xb0\x00"
        "abcdefgh\x00"
        "ijklmnop\x00"
        "qrstuv."),
     "abcdefghijklmnopqrstuv.", true},
    {IN("\x01\x2f\xb0\x00\x23\x61\x61\x61\x62\x63\x64\x65\x82\x66\x00\x70\x61\x67\x68"
        "\x69"
        "\x6a\x01\x38\x08\x61\x6b\x6c\x00\x30\x6d\x6e\x6f\x70\x06\x71\x02\x70\x04\x10"
        "\x72"
        "\x73\x74\x75\x76\x10\x77\x78\x79\x7a\x00\x3c"),
     "#aaabcdefaaaaghijaaaaaklaaamnopqaaaaaaaaaaaarstuvwxyzaaa", true},
    {IN("\x01\x03\xb0\x02\x61\x45\x00"),
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true},
    {IN("\x01"), "", true},
    {IN(""), "", false},
    {IN("\x02\x03\xb0\x02\x61\x45\x00"), "", false},
    {IN("\x01\x03"), "", false},
    {IN("\x01\x03\x90\x00\x61"), "", false},          /* a chunk's mark */
    {IN("\x01\x00\x30\x61\x62"), "", false},          /* not compressed, and short */
    {IN("\x01\xff\x3f\x61\x62"), "ab", true},         /* the same, cut off */
    {IN("\x01\x03\xb0\x01\x45\x00"), "", false},      /* a copy of nothing */
    {IN("\x01\x03\xb0\x02\x61\x00\x10"), "a", false}, /* a copy from before it */
    {IN("\x01\x03\xb0\x02\x61\x45"), "a", false},     /* half a token */
    {IN("\x01\x01\xb0\x00\x61\x01\xb0\x00\x62"), "ab", true},
    {IN("\x01\x00\xb0\x00\x00\xb0\x00"), "", true},
};

START_TEST(test_container)
{
    const struct bytes in = {(const unsigned char *)containers[_i].in,
                             containers[_i].size};
    unsigned char *out = NULL;
    size_t size = 0;
    bool whole = false;
    ck_assert_int_eq(ovba_decompress(in, 1000, &out, &size, &whole), 0);
    ck_assert_uint_eq(size, strlen(containers[_i].out));
    ck_assert_mem_eq(out, containers[_i].out, size);
    ck_assert_int_eq(whole, containers[_i].whole);
    free(out);
    for (size_t most = 0; most < size; most++) {
        size_t n = 0;
        ck_assert_int_eq(ovba_decompress(in, most, &out, &n, &whole), 0);
        ck_assert_uint_le(n, most);
        ck_assert(!whole);
        free(out);
    }
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, test_container, 0,
                        (int)(sizeof containers / sizeof *containers));
}

int
main(void)
{
    return run_suite("plugins_mraptor_ovba", fill);
}
