/* SPDX-License-Identifier: Apache-2.0 */

/* The node table: one node per inode however many ask, letting go, reuse of numbers and
 * of inodes, the bound on descriptors. */

#include <pthread.h>

#include "fs_node_fixture.h"

/* Whether this machine lets us open files by handle. */
static bool
handles_work(void)
{
    return t->mount_count == 1 && t->mounts[0].fd >= 0;
}

START_TEST(one_inode_is_one_node)
{
    write_file("a", "text");
    ck_assert_int_eq(linkat(root_fd, "a", root_fd, "b", 0), 0);
    struct stoqfs_node *n = NULL;
    struct stat st, real;
    ck_assert_int_eq(stoqfs_node_lookup(t, root, "a", &n, &st), 0);
    ck_assert_int_eq(fstatat(root_fd, "a", &real, 0), 0);
    ck_assert_uint_eq(st.st_ino, real.st_ino);
    ck_assert_int_eq(st.st_size, 4);
    ck_assert_ptr_eq(lookup(root, "b"), n);
    ck_assert_ptr_eq(lookup(root, "a"), n);
    ck_assert_ptr_eq(stoqfs_node_get(t, stoqfs_node_number(n)), n);
    ck_assert_int_eq(stoqfs_node_kind(n), STOQFS_REAL);
    ck_assert_uint_eq(stoqfs_node_type(n), S_IFREG);
    ck_assert_uint_eq(nodes_in_use(), 2);
    forget(n, 2);
    ck_assert_ptr_eq(stoqfs_node_get(t, stoqfs_node_number(n)), n);
    forget(n, 1);
    ck_assert_uint_eq(nodes_in_use(), 1);
}
END_TEST

START_TEST(number_is_reused_with_another_generation)
{
    write_file("a", "a");
    write_file("b", "b");
    struct stoqfs_node *a = lookup(root, "a");
    fuse_ino_t number = stoqfs_node_number(a);
    uint64_t generation = stoqfs_node_generation(t, a);
    ck_assert_uint_gt(number, FUSE_ROOT_ID);
    forget(a, 1);
    ck_assert_ptr_null(stoqfs_node_get(t, number));
    struct stoqfs_node *b = lookup(root, "b");
    ck_assert_uint_eq(stoqfs_node_number(b), number);
    ck_assert_uint_gt(stoqfs_node_generation(t, b), generation);
    assert_reads(b, "b");
}
END_TEST

START_TEST(numbers_out_of_use_are_nothing)
{
    ck_assert_ptr_null(stoqfs_node_get(t, 0));
    ck_assert_ptr_null(stoqfs_node_get(t, 2));
    ck_assert_ptr_null(stoqfs_node_get(t, CHUNK_SLOTS));
    ck_assert_ptr_null(stoqfs_node_get(t, UINT64_MAX));
    stoqfs_node_forget(t, 2, 1);
    stoqfs_node_forget(t, FUSE_ROOT_ID, 5);
    ck_assert_ptr_eq(stoqfs_node_get(t, FUSE_ROOT_ID), root);
}
END_TEST

/* A new file with the inode number of one that was removed is another node, and the
 * older node never reaches the new file. */
START_TEST(inode_reuse_is_seen)
{
    struct stat first, st;
    write_file("a", "old");
    struct stoqfs_node *old = NULL, *new = NULL;
    ck_assert_int_eq(stoqfs_node_lookup_raw(t, root, "a", &old, &first), 0);
    if (handles_work()) { /* else the descriptor keeps the inode */
        (void)pthread_mutex_lock(&t->lock);
        int fd = stoqfs_fd_take_locked(t, old);
        (void)pthread_mutex_unlock(&t->lock);
        ck_assert_int_eq(close(fd), 0);
    }
    ck_assert_int_eq(unlinkat(root_fd, "a", 0), 0);
    write_file("a", "new!");
    ck_assert_int_eq(stoqfs_node_lookup_raw(t, root, "a", &new, &st), 0);
    ck_assert_ptr_ne(old, new);
    assert_reads(new, "new!");
    if (handles_work()) {
        ck_assert_int_eq(stoqfs_node_open(t, old, O_RDONLY), -ESTALE);
        ck_assert_int_eq(stoqfs_node_stat(t, old, &st), -ESTALE);
    }
    struct stoqfs_node *found = stoqfs_node_find(t, st.st_dev, st.st_ino);
    if (st.st_ino == first.st_ino) {
        ck_assert_ptr_eq(found, new);
        stoqfs_node_unpin(t, found);
    }
    forget(old, 1);
    assert_reads(new, "new!");
}
END_TEST

START_TEST(descriptors_are_bounded)
{
    enum { FILES = 1000 };
    static struct stoqfs_node *nodes[FILES];
    if (!handles_work())
        return;
    struct rlimit r;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &r), 0);
    ck_assert_uint_eq(r.rlim_cur, r.rlim_max); /* raised by the table */
    ck_assert_uint_le(t->fd_limit, r.rlim_cur / 4 > 64 ? r.rlim_cur / 4 : 64);
    t->fd_limit = 64;
    for (int i = 0; i < FILES; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "f%d", i);
        write_file(name, name);
        nodes[i] = lookup(root, name);
    }
    uint64_t used = 0, fds = 0;
    stoqfs_nodes_stats(t, &used, &fds);
    ck_assert_uint_eq(used, FILES + 1);
    ck_assert_uint_eq(fds, 64);
    for (int i = 0; i < FILES; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "f%d", i);
        assert_reads(nodes[i], name);
        assert_path(nodes[i], name);
    }
    stoqfs_nodes_stats(t, &used, &fds);
    ck_assert_uint_le(fds, 64);
    for (int i = 0; i < FILES; i++)
        forget(nodes[i], 1);
    stoqfs_nodes_stats(t, &used, &fds);
    ck_assert_uint_eq(used, 1);
    ck_assert_uint_eq(fds, 1);
}
END_TEST

START_TEST(room_is_made_when_descriptors_run_out)
{
    if (!handles_work())
        return;
    struct stoqfs_node *n = NULL;
    for (int i = 0; i < 40; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "f%d", i);
        write_file(name, name);
        n = lookup(root, name);
    }
    uint64_t used = 0, fds = 0;
    stoqfs_nodes_stats(t, &used, &fds);
    ck_assert_uint_eq(fds, 41);
    /* every number below the next one is taken */
    int next = dup(root_fd);
    ck_assert_int_ge(next, 0);
    ck_assert_int_eq(close(next), 0);
    struct rlimit r, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &r), 0);
    none = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = r.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    STOQ_AUTOCLOSE int fd = stoqfs_node_open(t, n, O_RDONLY);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &r), 0);
    ck_assert_int_ge(fd, 0);
    stoqfs_nodes_stats(t, &used, &fds);
    ck_assert_uint_eq(fds, 20);
}
END_TEST

START_TEST(arena_is_given_back)
{
    enum { FILES = 9000 }; /* more than two chunks */
    static struct stoqfs_node *nodes[FILES];
    struct stat st;
    for (int i = 0; i < FILES; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "d%d", i);
        ck_assert_int_eq(symlinkat("x", root_fd, name), 0);
        nodes[i] = lookup(root, name);
        ck_assert_uint_eq(stoqfs_node_number(nodes[i]), (fuse_ino_t)i + 2);
        if (!handles_work() && i == 500)
            return;
    }
    ck_assert_int_eq(fstat(t->memfd, &st), 0);
    ck_assert_int_gt(st.st_blocks * 512, FILES * (off_t)sizeof(struct stoqfs_slot));
    for (int i = 0; i < FILES; i++)
        forget(nodes[i], 1);
    ck_assert_uint_eq(nodes_in_use(), 1);
    ck_assert_int_eq(fstat(t->memfd, &st), 0);
    ck_assert_int_le(st.st_blocks * 512,
                     (off_t)(CHUNK_SLOTS * sizeof(struct stoqfs_slot)));
    ck_assert_uint_eq(stoqfs_node_number(lookup(root, "d8999")), 2);
}
END_TEST

static pthread_barrier_t barrier;
enum { RACERS = 8, NAMES = 16, ROUNDS = 300 };
static fuse_ino_t seen[RACERS][NAMES];

static void *
race(void *arg)
{
    fuse_ino_t *mine = arg;
    (void)pthread_barrier_wait(&barrier);
    for (int i = 0; i < NAMES; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "n%d", i);
        mine[i] = stoqfs_node_number(lookup(root, name));
    }
    (void)pthread_barrier_wait(&barrier);
    for (int round = 0; round < ROUNDS; round++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "n%d", round % NAMES);
        struct stoqfs_node *n = lookup(root, name);
        assert_reads(n, name);
        forget(n, 1);
        struct stat st;
        if (stoqfs_node_stat(t, root, &st) != 0)
            return NULL;
    }
    (void)pthread_barrier_wait(&barrier);
    for (int i = 0; i < NAMES; i++)
        stoqfs_node_forget(t, mine[i], 1);
    /* now nodes come and go under everybody's hands */
    for (int round = 0; round < ROUNDS; round++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "n%d", round % 3);
        struct stoqfs_node *n = lookup(root, name);
        assert_path(n, name);
        assert_reads(n, name);
        forget(n, 1);
    }
    return mine;
}

START_TEST(racing_lookups_agree)
{
    pthread_t threads[RACERS];
    t->fd_limit = 4; /* so that descriptors come and go, too */
    for (int i = 0; i < NAMES; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "n%d", i);
        write_file(name, name);
    }
    ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, RACERS), 0);
    for (int i = 0; i < RACERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, race, seen[i]), 0);
    for (int i = 0; i < RACERS; i++) {
        void *result = NULL;
        ck_assert_int_eq(pthread_join(threads[i], &result), 0);
        ck_assert_ptr_eq(result, seen[i]);
        ck_assert_mem_eq(seen[i], seen[0], sizeof(seen[0]));
    }
    (void)pthread_barrier_destroy(&barrier);
    ck_assert_uint_eq(nodes_in_use(), 1);
}
END_TEST

START_TEST(errors_of_the_source_come_through)
{
    struct stoqfs_node *n = NULL;
    struct stat st;
    char longer[NAME_MAX + 2];
    memset(longer, 'x', sizeof(longer));
    longer[NAME_MAX + 1] = '\0';
    write_file("file", "x");
    ck_assert_int_eq(symlinkat("file", root_fd, "link"), 0);
    ck_assert_int_eq(stoqfs_node_lookup(t, root, "none", &n, &st), -ENOENT);
    ck_assert_int_eq(stoqfs_node_lookup(t, root, longer, &n, &st), -ENAMETOOLONG);
    ck_assert_ptr_null(n);
    ck_assert_int_eq(stoqfs_node_lookup(t, lookup(root, "file"), "x", &n, &st),
                     -ENOTDIR);
    struct stoqfs_node *link = lookup(root, "link");
    ck_assert_uint_eq(stoqfs_node_type(link), S_IFLNK);
    ck_assert_int_eq(stoqfs_node_open(t, link, O_RDONLY), -ELOOP);
    ck_assert_int_eq(stoqfs_node_stat(t, link, &st), 0);
    ck_assert(S_ISLNK(st.st_mode));
}
END_TEST

/* What was created is what is adopted, whatever its name leads to by then. */
START_TEST(adopts_the_open_file)
{
    write_file("a", "mine");
    STOQ_AUTOCLOSE int fd = openat(root_fd, "a", O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(renameat(root_fd, "a", root_fd, "b"), 0);
    write_file("a", "theirs");
    struct stoqfs_node *n = NULL;
    struct stat st;
    ck_assert_int_eq(stoqfs_node_adopt(t, root, "a", fd, &n, &st), 0);
    ck_assert_int_eq(st.st_size, 4);
    assert_reads(n, "mine");
    ck_assert_ptr_eq(lookup(root, "b"), n);
    ck_assert_ptr_ne(lookup(root, "a"), n);
}
END_TEST

START_TEST(found_nodes_are_pinned)
{
    struct stat st;
    struct stoqfs_node *a = NULL;
    write_file("a", "x");
    ck_assert_int_eq(stoqfs_node_lookup_raw(t, root, "a", &a, &st), 0);
    ck_assert_ptr_eq(stoqfs_node_find(t, st.st_dev, st.st_ino), a);
    ck_assert_ptr_null(stoqfs_node_find(t, st.st_dev + 1, st.st_ino));
    forget(a, 1);
    assert_reads(a, "x");
    stoqfs_node_unpin(t, a);
    ck_assert_ptr_null(stoqfs_node_find(t, st.st_dev, st.st_ino));
    ck_assert_uint_eq(nodes_in_use(), 1);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {one_inode_is_one_node,
                                  number_is_reused_with_another_generation,
                                  numbers_out_of_use_are_nothing,
                                  inode_reuse_is_seen,
                                  descriptors_are_bounded,
                                  room_is_made_when_descriptors_run_out,
                                  arena_is_given_back,
                                  racing_lookups_agree,
                                  errors_of_the_source_come_through,
                                  adopts_the_open_file,
                                  found_nodes_are_pinned};
    return run_tests("fs_node", tests, STOQ_ARRAY_SIZE(tests));
}
