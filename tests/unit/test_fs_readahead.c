/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What comes next for those who walk through a tree, over real directories.
 */

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "readahead_walk.h"
#include "util/auto.h"

static char dir[] = "/tmp/stoq-readahead-XXXXXX";
static struct ahead_lists lists;

static void
make(const char *path)
{
    char *slash = strchr(path, '/');
    for (; slash; slash = strchr(slash + 1, '/')) {
        char *parent = strndup(path, (size_t)(slash - path));
        ck_assert(mkdirat(lists.source_fd, parent, 0755) == 0 || errno == EEXIST);
        free(parent);
    }
    int fd = openat(lists.source_fd, path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
}

static void
setup(void)
{
    memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    lists =
        (struct ahead_lists){.source_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    ck_assert_int_ge(lists.source_fd, 0);
}

static void
teardown(void)
{
    char command[64];
    for (size_t i = 0; i < AHEAD_LISTS; i++)
        if (lists.all[i])
            ck_assert_uint_eq(lists.all[i]->refs, 0);
    ahead_lists_fini(&lists);
    (void)close(lists.source_fd);
    (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

/* The walk after @p from must be the files in @p expected, separated by spaces. */
static void
walk_is(enum ahead_order order, bool files_first, const char *from,
        const char *expected)
{
    const struct ahead_style style = {.order = order, .files_first = files_first};
    struct stoq_strbuf got = {0};
    struct ahead_walk w;
    ck_assert(ahead_walk_init(&w, &lists, style, from));
    for (const char *next; (next = ahead_walk_next(&w, 16));)
        stoq_strbuf_addf(&got, "%s%s", got.size ? " " : "", next);
    ahead_walk_fini(&w);
    ck_assert_str_eq(got.data ? got.data : "", expected);
    stoq_strbuf_fini(&got);
}

START_TEST(through_a_tree)
{
    static const char *const files[] = {"z", "b/3", "b/c/d/1", "b/c/2", "a/2", "a/1"};
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(files); i++)
        make(files[i]);
    walk_is(AHEAD_BYTES, false, "a/1", "a/2 b/3 b/c/2 b/c/d/1 z");
    walk_is(AHEAD_BYTES, false, "b/c/2", "b/c/d/1 z");
    walk_is(AHEAD_BYTES, false, "z", "");
    walk_is(AHEAD_BYTES, true, "z", "a/1 a/2 b/3 b/c/2 b/c/d/1");
    walk_is(AHEAD_BYTES, true, "a/2", "b/3 b/c/2 b/c/d/1");
    walk_is(AHEAD_BYTES, true, "b/c/d/1", "");
}
END_TEST

START_TEST(sorted_as_locales_do)
{
    static const char *const files[] = {"C", "B.txt", "a.txt", "a-b", "A.txt"};
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(files); i++)
        make(files[i]);
    walk_is(AHEAD_FOLDED, false, "a-b", "A.txt a.txt B.txt C");
    walk_is(AHEAD_BYTES, false, "A.txt", "B.txt C a-b a.txt");
}
END_TEST

START_TEST(by_inode_and_as_listed)
{
    struct ahead_list *l;
    char name[8];
    for (int i = 0; i < 30; i++) {
        (void)snprintf(name, sizeof(name), "f%d", i * 7 % 30);
        make(name);
    }
    l = ahead_list_get(&lists, "");
    ck_assert_ptr_nonnull(l);
    ck_assert_uint_eq(l->count, 30);
    for (size_t i = 0; i < l->count; i++) {
        const struct ahead_entry *e = ahead_list_at(l, AHEAD_INODES, i);
        ck_assert(i == 0 || ahead_list_at(l, AHEAD_INODES, i - 1)->ino < e->ino);
        for (int order = 0; order < AHEAD_ORDERS; order++) {
            e = ahead_list_at(l, (enum ahead_order)order, i);
            ck_assert_int_eq(
                ahead_list_place(l, (enum ahead_order)order, ahead_list_name(l, e)),
                (ssize_t)i);
        }
    }
    ck_assert_int_eq(ahead_list_place(l, AHEAD_BYTES, "f30"), -1);
    ahead_list_put(l);
}
END_TEST

START_TEST(nothing_but_files)
{
    make("a");
    make("f");
    make(".stoq/status.json");
    make("d/.stoq/own"); /* the mount's is in its root alone */
    ck_assert_int_eq(mkfifoat(lists.source_fd, "b", 0644), 0);
    ck_assert_int_eq(symlinkat("f", lists.source_fd, "c"), 0);
    ck_assert_int_eq(symlinkat("/etc", lists.source_fd, "e"), 0);
    walk_is(AHEAD_BYTES, false, "a", "d/.stoq/own f");
}
END_TEST

START_TEST(no_more_listings_than_allowed)
{
    const struct ahead_style style = {.order = AHEAD_BYTES};
    struct ahead_walk w;
    make("a");
    make("b/c/d/e/f");
    ck_assert(ahead_walk_init(&w, &lists, style, "a"));
    ck_assert_ptr_null(ahead_walk_next(&w, 0));
    ck_assert_ptr_null(ahead_walk_next(&w, 2));
    ck_assert_str_eq(ahead_walk_next(&w, 2), "b/c/d/e/f"); /* goes on where it was */
    ahead_walk_fini(&w);
    ck_assert(!ahead_walk_init(&w, &lists, style, "gone"));
    ahead_walk_fini(&w);
    ck_assert(!ahead_walk_init(&w, &lists, style, "none/gone"));
    ahead_walk_fini(&w);
}
END_TEST

START_TEST(listings_are_kept_while_they_are_right)
{
    const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    make("d/a");
    ck_assert_int_eq(utimensat(lists.source_fd, "d", old, 0), 0);
    struct ahead_list *first = ahead_list_get(&lists, "d");
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_eq(ahead_list_get(&lists, "d"), first);
    make("d/b");
    struct ahead_list *second = ahead_list_get(&lists, "d");
    ck_assert_ptr_ne(second, first);
    ck_assert_uint_eq(first->count, 1); /* whoever has it keeps it */
    ck_assert_uint_eq(second->count, 2);
    ahead_list_put(first);
    ahead_list_put(first);
    ahead_list_put(second);
    for (int i = 0; i < 2 * (int)AHEAD_LISTS; i++) { /* the oldest make room */
        char path[16];
        (void)snprintf(path, sizeof(path), "m%d/f", i);
        make(path);
        *strchr(path, '/') = '\0';
        struct ahead_list *l = ahead_list_get(&lists, path);
        ck_assert_ptr_nonnull(l);
        ahead_list_put(l);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("fs_readahead");
    TCase *t = tcase_create("walk");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, through_a_tree);
    tcase_add_test(t, sorted_as_locales_do);
    tcase_add_test(t, by_inode_and_as_listed);
    tcase_add_test(t, nothing_but_files);
    tcase_add_test(t, no_more_listings_than_allowed);
    tcase_add_test(t, listings_are_kept_while_they_are_right);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
