/* SPDX-License-Identifier: Apache-2.0 */

/* The node table: paths of nodes, virtual nodes, shown numbers, counters. */

#include "fs_node_fixture.h"

START_TEST(path_follows_names)
{
    char buf[8];
    ck_assert_int_eq(mkdirat(root_fd, "d", 0755), 0);
    ck_assert_int_eq(mkdirat(root_fd, "d/e", 0755), 0);
    write_file("d/e/f", "x");
    struct stoqfs_node *d = lookup(root, "d"), *e = lookup(d, "e"), *f = lookup(e, "f");
    assert_path(root, "");
    assert_path(f, "d/e/f");
    ck_assert_int_eq(stoqfs_node_path(t, f, buf, 6), 5);
    ck_assert_int_eq(stoqfs_node_path(t, f, buf, 5), -ENAMETOOLONG);
    ck_assert_int_eq(stoqfs_node_path(t, f, buf, 0), -ENAMETOOLONG);

    ck_assert_int_eq(renameat(root_fd, "d/e", root_fd, "g"), 0);
    stoqfs_node_renamed(t, e, root, "g");
    assert_path(f, "g/f");
    assert_reads(f, "x");
    struct stoqfs_node *parent = stoqfs_node_parent(t, f);
    ck_assert_ptr_eq(parent, e);
    stoqfs_node_unpin(t, parent);
    ck_assert_ptr_null(stoqfs_node_parent(t, root));

    /* the kernel may forget a directory before what is open in it */
    forget(e, 1);
    assert_path(f, "g/f");
    stoqfs_node_unnamed(t, f, e, "another");
    assert_path(f, "g/f");
    stoqfs_node_unnamed(t, f, e, "f");
    ck_assert_int_eq(stoqfs_node_path(t, f, buf, sizeof(buf)), -ENOENT);
    assert_reads(f, "x");
    forget(f, 1);
    forget(d, 1);
    ck_assert_uint_eq(nodes_in_use(), 1);
}
END_TEST

START_TEST(last_seen_name_counts)
{
    ck_assert_int_eq(mkdirat(root_fd, "d", 0755), 0);
    write_file("a", "x");
    ck_assert_int_eq(linkat(root_fd, "a", root_fd, "d/b", 0), 0);
    struct stoqfs_node *d = lookup(root, "d"), *a = lookup(root, "a");
    assert_path(a, "a");
    ck_assert_ptr_eq(lookup(d, "b"), a);
    assert_path(a, "d/b");
}
END_TEST

/* Names out of date must not make a loop of parents. */
START_TEST(names_never_loop)
{
    char buf[64];
    ck_assert_int_eq(mkdirat(root_fd, "a", 0755), 0);
    ck_assert_int_eq(mkdirat(root_fd, "a/b", 0755), 0);
    struct stoqfs_node *a = lookup(root, "a"), *b = lookup(a, "b");
    stoqfs_node_renamed(t, a, b, "a");
    ck_assert_int_eq(stoqfs_node_path(t, b, buf, sizeof(buf)), -ENOENT);
    forget(b, 1);
    forget(a, 1);
    ck_assert_uint_eq(nodes_in_use(), 1);
}
END_TEST

START_TEST(virtual_nodes)
{
    write_file("a", "x");
    struct stoqfs_node *a = lookup(root, "a"), *s = NULL, *again = NULL, *d = NULL;
    char buf[8];
    int fd = -1;
    ck_assert_int_eq(stoqfs_node_sidecar(t, a, 7, &s), 0);
    ck_assert_int_eq(stoqfs_node_sidecar(t, a, 7, &again), 0);
    ck_assert_ptr_eq(s, again);
    ck_assert_uint_eq(stoqfs_node_version(t, s), 7);
    ck_assert_int_eq(stoqfs_node_sidecar(t, a, 8, &again), 0);
    ck_assert_ptr_ne(s, again); /* a newer result is another node */
    ck_assert_ptr_eq(stoqfs_node_base(again), a);
    forget(again, 1);
    ck_assert_int_eq(stoqfs_node_kind(s), STOQFS_SIDECAR);
    ck_assert_ptr_eq(stoqfs_node_base(s), a);
    ck_assert_ptr_null(stoqfs_node_base(a));
    ck_assert_int_eq(stoqfs_node_fd(t, s, &fd), -EINVAL);
    ck_assert_int_eq(stoqfs_node_open(t, s, O_RDONLY), -EINVAL);
    ck_assert_int_eq(stoqfs_node_path(t, s, buf, sizeof(buf)), -ENOENT);
    ck_assert_int_eq(stoqfs_node_sidecar(t, s, 7, &again), -EINVAL);
    forget(a, 1);
    assert_reads(a, "x"); /* held by its sidecar */
    forget(s, 2);
    ck_assert_uint_eq(nodes_in_use(), 1);

    ck_assert_int_eq(stoqfs_node_dot(t, 1, &d), 0);
    ck_assert_int_eq(stoqfs_node_dot(t, 1 + 16, &again), 0);
    ck_assert_ptr_ne(d, again);
    ck_assert_uint_eq(stoqfs_node_virtual_id(again), 17);
    ck_assert_int_eq(stoqfs_node_kind(d), STOQFS_DOT);
    forget(again, 1);
    ck_assert_int_eq(stoqfs_node_dot(t, 1, &again), 0);
    ck_assert_ptr_eq(d, again);
    forget(d, 2);
    ck_assert_uint_eq(nodes_in_use(), 1);
}
END_TEST

START_TEST(shown_numbers_are_unique)
{
    struct stat st;
    ck_assert_int_eq(stoqfs_node_stat(t, root, &st), 0);
    uint64_t dev = st.st_dev, big = UINT64_C(1) << 60 | 7;
    ck_assert_uint_eq(stoqfs_node_shown_ino(t, dev, 7), 7);
    ck_assert_uint_eq(stoqfs_node_shown_ino(t, dev + 1, 7), UINT64_C(1) << 48 | 7);
    ck_assert_uint_eq(stoqfs_node_shown_ino(t, dev + 2, 7), UINT64_C(2) << 48 | 7);
    ck_assert_uint_eq(stoqfs_node_shown_ino(t, dev + 1, 7), UINT64_C(1) << 48 | 7);
    uint64_t a = stoqfs_node_shown_ino(t, dev, big);
    uint64_t b = stoqfs_node_shown_ino(t, dev + 1, big);
    ck_assert_uint_ne(a, b);
    ck_assert_uint_eq(a >> 62, 1);
    ck_assert_uint_eq(b >> 62, 1);
    ck_assert_uint_eq(a, stoqfs_node_shown_ino(t, dev, big));
}
END_TEST

START_TEST(counters)
{
    struct stat st, other;
    struct stoqfs_node *a = NULL;
    write_file("a", "x");
    ck_assert_int_eq(stoqfs_node_lookup_raw(t, root, "a", &a, &st), 0);
    unsigned seq = stoqfs_node_write_seq(a);
    stoqfs_node_writers_add(a, 1);
    ck_assert_int_eq(stoqfs_node_writers(a), 1);
    ck_assert_uint_eq(stoqfs_node_write_seq(a), seq + 1);
    stoqfs_node_writers_add(a, -1);
    ck_assert_int_eq(stoqfs_node_writers(a), 0);
    ck_assert_uint_eq(stoqfs_node_write_seq(a), seq + 1);
    ck_assert(!stoqfs_node_take_dirty(a));
    stoqfs_node_set_dirty(a);
    ck_assert(stoqfs_node_take_dirty(a));
    ck_assert(!stoqfs_node_take_dirty(a));

    other = st;
    other.st_ctim.tv_nsec++;
    ck_assert(!stoqfs_node_cache_check(a, &st));
    ck_assert(stoqfs_node_cache_check(a, &st));
    ck_assert(!stoqfs_node_cache_check(a, &other));
    ck_assert(stoqfs_node_cache_check(a, &other));
    ck_assert(!stoqfs_node_was_told(a, &st));
    stoqfs_node_told(a, &st);
    ck_assert(stoqfs_node_was_told(a, &st));
    ck_assert(!stoqfs_node_was_told(a, &other));
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {path_follows_names,       last_seen_name_counts,
                                  names_never_loop,         virtual_nodes,
                                  shown_numbers_are_unique, counters};
    return run_tests("fs_node_names", tests, STOQ_ARRAY_SIZE(tests));
}
