/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FS_NODE_FIXTURE_H
#define FS_NODE_FIXTURE_H

/* A node table over a fresh directory, for test_fs_node*.c. Each includes this once. */

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "node.h"
#include "node_impl.h"
#include "util/auto.h"

static char dir[] = "/tmp/stoq-node-XXXXXX";
static int root_fd = -1;
static struct stoqfs_nodes *t;
static struct stoqfs_session *session;
static struct stoqfs_node *root;

static void
open_table(void)
{
    ck_assert_int_eq(stoqfs_nodes_new(root_fd, session, &t, NULL), 0);
    root = stoqfs_node_get(t, FUSE_ROOT_ID);
    ck_assert_ptr_nonnull(root);
}

static void
setup(void)
{
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    root_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(root_fd, 0);
    ck_assert_int_eq(stoqfs_session_new(&session, NULL), 0);
    open_table();
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st;
    (void)type;
    (void)f;
    return remove(path);
}

static void
teardown(void)
{
    stoqfs_nodes_free(t);
    t = NULL;
    stoqfs_session_free(session);
    session = NULL;
    stoq_auto_close(&root_fd);
    ck_assert_int_eq(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void
write_file(const char *name, const char *text)
{
    STOQ_AUTOCLOSE int fd =
        openat(root_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static struct stoqfs_node *
lookup(struct stoqfs_node *parent, const char *name)
{
    struct stoqfs_node *n = NULL;
    struct stat st;
    ck_assert_int_eq(stoqfs_node_lookup(t, parent, name, &n, &st), 0);
    return n;
}

static void
forget(struct stoqfs_node *n, uint64_t count)
{
    stoqfs_node_forget(t, stoqfs_node_number(n), count);
}

static uint64_t
nodes_in_use(void)
{
    uint64_t nodes = 0, fds = 0;
    stoqfs_nodes_stats(t, &nodes, &fds);
    return nodes;
}

static void
assert_reads(struct stoqfs_node *n, const char *text)
{
    char buf[64] = {0};
    STOQ_AUTOCLOSE int fd = stoqfs_node_open(t, n, O_RDONLY);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(read(fd, buf, sizeof(buf) - 1), (ssize_t)strlen(text));
    ck_assert_str_eq(buf, text);
}

static void
assert_path(struct stoqfs_node *n, const char *path)
{
    char buf[PATH_MAX];
    ck_assert_int_eq(stoqfs_node_path(t, n, buf, sizeof(buf)), (int)strlen(path));
    ck_assert_str_eq(buf, path);
}

/* Run @p count tests in the fixture. @return an exit status. */
static int
run_tests(const char *name, const TTest *const *tests, size_t count)
{
    Suite *s = suite_create(name);
    TCase *c = tcase_create("table");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    for (size_t i = 0; i < count; i++)
        tcase_add_test(c, tests[i]);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
