/* SPDX-License-Identifier: Apache-2.0 */

/* The node table in the mirror after the one that made it. */

#include "fs_node_fixture.h"

#include <sys/stat.h>

/* The mirror dies, another begins. */
static void
restart(void)
{
    stoqfs_session_collect(session);
    stoqfs_nodes_free(t);
    t = NULL;
    open_table();
}

static struct stoqfs_node *
at(fuse_ino_t number)
{
    struct stoqfs_node *n = stoqfs_node_get(t, number);
    ck_assert_ptr_nonnull(n);
    return n;
}

static bool
is_orphan_held(void)
{
    for (size_t i = 0; i < session->held_count; i++)
        if (session->held[i].what == STOQFS_HOLD_NODE)
            return true;
    return false;
}

START_TEST(test_files_are_found)
{
    ck_assert_int_eq(mkdirat(root_fd, "sub", 0755), 0);
    write_file("sub/file", "one");
    struct stoqfs_node *sub = lookup(root, "sub");
    struct stoqfs_node *file = lookup(sub, "file");
    fuse_ino_t numbers[2] = {stoqfs_node_number(sub), stoqfs_node_number(file)};
    uint64_t generation = stoqfs_node_generation(t, file);
    restart();
    file = at(numbers[1]);
    ck_assert_uint_eq(stoqfs_node_generation(t, file), generation);
    ck_assert_uint_eq(stoqfs_node_type(file), S_IFREG);
    assert_reads(file, "one");
    assert_path(file, "sub/file");
    /* the same file is the same node */
    ck_assert_ptr_eq(lookup(at(numbers[0]), "file"), file);
    forget(file, 2);
    forget(at(numbers[0]), 1);
    ck_assert_uint_eq(nodes_in_use(), 1);
    ck_assert_str_eq(stoqfs_session_off(session), "");
}
END_TEST

START_TEST(test_parents_are_pinned)
{
    ck_assert_int_eq(mkdirat(root_fd, "sub", 0755), 0);
    write_file("sub/file", "one");
    struct stoqfs_node *sub = lookup(root, "sub");
    struct stoqfs_node *file = lookup(sub, "file");
    fuse_ino_t number = stoqfs_node_number(file);
    forget(sub, 1);
    restart();
    ck_assert_uint_eq(nodes_in_use(), 3);
    assert_path(at(number), "sub/file");
    forget(at(number), 1);
    ck_assert_uint_eq(nodes_in_use(), 1);
}
END_TEST

START_TEST(test_virtual_nodes)
{
    write_file("file", "one");
    struct stoqfs_node *file = lookup(root, "file"), *n = NULL, *old = NULL,
                       *new = NULL;
    ck_assert_int_eq(stoqfs_node_sidecar(t, file, 7, &old), 0);
    ck_assert_int_eq(stoqfs_node_sidecar(t, file, 8, &new), 0);
    ck_assert_int_eq(stoqfs_node_dot(t, 3, &n), 0);
    fuse_ino_t numbers[4] = {stoqfs_node_number(file), stoqfs_node_number(old),
                             stoqfs_node_number(new), stoqfs_node_number(n)};
    restart();
    ck_assert_ptr_eq(stoqfs_node_base(at(numbers[1])), at(numbers[0]));
    ck_assert_uint_eq(stoqfs_node_version(t, at(numbers[1])), 7);
    ck_assert_uint_eq(stoqfs_node_sidecars(at(numbers[0])), 2);
    ck_assert_int_eq(stoqfs_node_sidecar(t, at(numbers[0]), 8, &n), 0);
    ck_assert_uint_eq(stoqfs_node_number(n), numbers[2]);
    ck_assert_int_eq(stoqfs_node_dot(t, 3, &n), 0);
    ck_assert_uint_eq(stoqfs_node_number(n), numbers[3]);
    forget(at(numbers[3]), 2);
    forget(at(numbers[2]), 2);
    forget(at(numbers[1]), 1);
    forget(at(numbers[0]), 1);
    ck_assert_uint_eq(nodes_in_use(), 1);
}
END_TEST

/* Slots that were being filled, or whose reply was not counted, are free. */
START_TEST(test_half_made)
{
    write_file("a", "one");
    write_file("b", "two");
    write_file("c", "three");
    fuse_ino_t a = stoqfs_node_number(lookup(root, "a"));
    fuse_ino_t b = stoqfs_node_number(lookup(root, "b"));
    fuse_ino_t c = stoqfs_node_number(lookup(root, "c"));
    t->slots[a].kind = 0;
    t->slots[b].lookups = 0;
    restart();
    ck_assert_ptr_null(stoqfs_node_get(t, a));
    ck_assert_ptr_null(stoqfs_node_get(t, b));
    assert_reads(at(c), "three");
    ck_assert_uint_eq(nodes_in_use(), 2);
}
END_TEST

static void
count_due(void *arg, struct stoqfs_node *n)
{
    (void)n;
    ++*(int *)arg;
}

START_TEST(test_written_is_due)
{
    int due = 0;
    write_file("a", "one");
    write_file("b", "two");
    struct stoqfs_node *a = lookup(root, "a"), *b = lookup(root, "b");
    stoqfs_node_set_dirty(a);
    stoqfs_node_set_dirty(b);
    stoqfs_node_scanned(b);
    fuse_ino_t number = stoqfs_node_number(a);
    t->slots[number].lookups = 0; /* forgotten, a scan had a pin */
    restart();
    stoqfs_nodes_due(t, count_due, &due);
    ck_assert_int_eq(due, 1);
    ck_assert_ptr_null(stoqfs_node_get(t, number));
}
END_TEST

START_TEST(test_names)
{
    char longest[256] = {0};
    memset(longest, 'x', 255);
    write_file("short", "one");
    write_file(longest, "two");
    fuse_ino_t a = stoqfs_node_number(lookup(root, "short"));
    fuse_ino_t b = stoqfs_node_number(lookup(root, longest));
    assert_path(at(b), longest);
    restart();
    char buf[PATH_MAX];
    assert_path(at(a), "short");
    ck_assert_int_eq(stoqfs_node_path(t, at(b), buf, sizeof(buf)), -ENOENT);
    assert_reads(at(b), "two");
    lookup(root, longest); /* learnt again */
    assert_path(at(b), longest);
}
END_TEST

START_TEST(test_nameless)
{
    write_file("a", "one");
    struct stoqfs_node *a = lookup(root, "a");
    fuse_ino_t number = stoqfs_node_number(a);
    stoqfs_node_orphan(t, a, true);
    ck_assert_int_eq(unlinkat(root_fd, "a", 0), 0);
    restart();
    ck_assert(is_orphan_held());
    assert_reads(at(number), "one");
    restart();
    assert_reads(at(number), "one");
    forget(at(number), 1);
    stoqfs_session_collect(session);
    ck_assert(!is_orphan_held());
}
END_TEST

/* A number that is used again is another node, whatever was held of the one before. */
START_TEST(test_held_of_another)
{
    write_file("a", "one");
    write_file("b", "two");
    struct stoqfs_node *a = lookup(root, "a");
    fuse_ino_t number = stoqfs_node_number(a);
    int fd = openat(root_fd, "b", O_PATH | O_CLOEXEC);
    stoqfs_session_hold(session, STOQFS_HOLD_NODE, (uint32_t)number,
                        stoqfs_node_generation(t, a) + 1, fd);
    (void)close(fd);
    restart();
    assert_reads(at(number), "one");
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        test_files_are_found, test_parents_are_pinned, test_virtual_nodes,
        test_half_made,       test_written_is_due,     test_names,
        test_nameless,        test_held_of_another,
    };
    return run_tests("fs_restore", tests, STOQ_ARRAY_SIZE(tests));
}
