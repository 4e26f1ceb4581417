/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Names of sidecars and of virtual xattrs.
 */

#include <check.h>
#include <string.h>

#include "sidecar.h"
#include "util/auto.h"

#define A50  "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"
#define A245 A50 A50 A50 A50 "ffffffffffgggggggggghhhhhhhhhhiiiiiiiiiijjjjj"

static const struct {
    const char *name; /* of the sidecar */
    const char *base; /* NULL: not a sidecar's */
} names[] = {
    {"a.stoq.json", "a"},
    {"a.b.stoq.json", "a.b"},
    {".a.stoq.json", ".a"},
    {"\xff.stoq.json", "\xff"},
    {A245 ".stoq.json", A245},
    {"a" A245 ".stoq.json", NULL},
    {".stoq.json", NULL},
    {"..stoq.json", NULL},  /* of "." */
    {"...stoq.json", NULL}, /* of ".." */
    {"a.stoq.json.stoq.json", NULL},
    {".stoq.json.stoq.json", NULL},
    {"a.stoq.jso", NULL},
    {"a.stoq.jsonx", NULL},
    {"a", NULL},
    {"", NULL},
};

START_TEST(name_to_base)
{
    struct stoqfs_options options = {.sidecars = STOQFS_SIDECARS_HIDDEN};
    const struct stoqfs fs = {.options = &options};
    char base[256] = "unchanged", name[256];
    bool is = stoqfs_sidecar_name(&fs, names[_i].name, base);
    ck_assert_int_eq(is, names[_i].base != NULL);
    if (is) {
        ck_assert_str_eq(base, names[_i].base);
        ck_assert(stoqfs_sidecar_of(base, name));
        ck_assert_str_eq(name, names[_i].name);
    }
    options.sidecars = STOQFS_SIDECARS_OFF;
    ck_assert(!stoqfs_sidecar_name(&fs, names[_i].name, base));
}
END_TEST

START_TEST(base_without_sidecar)
{
    char name[256];
    ck_assert(!stoqfs_sidecar_of("a" A245, name));
    ck_assert(!stoqfs_sidecar_of("a.stoq.json", name));
    ck_assert(!stoqfs_sidecar_of(".stoq.json", name));
}
END_TEST

START_TEST(listed_by_mode)
{
    struct stoqfs_options options = {.sidecars = STOQFS_SIDECARS_ALL};
    struct stoqfs fs = {.options = &options};
    struct stat st = {.st_mode = S_IFREG | 0644};
    char name[256];
    ck_assert(stoqfs_sidecar_listed(&fs, "a", &st, name));
    ck_assert_str_eq(name, "a.stoq.json");
    ck_assert(!stoqfs_sidecar_listed(&fs, "a.stoq.json", &st, name));
    ck_assert(!stoqfs_sidecar_listed(&fs, "a" A245, &st, name));
    st.st_mode = S_IFDIR | 0755;
    ck_assert(!stoqfs_sidecar_listed(&fs, "a", &st, name));
    st.st_mode = S_IFREG | 0644;
    options.sidecars = STOQFS_SIDECARS_HIDDEN;
    ck_assert(!stoqfs_sidecar_listed(&fs, "a", &st, name));
    options.sidecars = STOQFS_SIDECARS_OFF;
    ck_assert(!stoqfs_sidecar_listed(&fs, "a", &st, name));
}
END_TEST

START_TEST(virtual_xattrs)
{
    ck_assert(stoqfs_xattr_is_virtual("user.stoq.verdict"));
    ck_assert(stoqfs_xattr_is_virtual("user.stoq."));
    ck_assert(!stoqfs_xattr_is_virtual("user.stoq"));
    ck_assert(!stoqfs_xattr_is_virtual("user.stoqx.verdict"));
    ck_assert(!stoqfs_xattr_is_virtual("trusted.stoq.verdict"));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("fs_sidecar");
    TCase *t = tcase_create("names");
    tcase_add_loop_test(t, name_to_base, 0, (int)STOQ_ARRAY_SIZE(names));
    tcase_add_test(t, base_without_sidecar);
    tcase_add_test(t, listed_by_mode);
    tcase_add_test(t, virtual_xattrs);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
