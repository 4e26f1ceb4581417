/* SPDX-License-Identifier: Apache-2.0 */

/* Transfers, messages with descriptors, files that appear whole. */

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/auto.h"
#include "util/io.h"

static char dir[] = "/tmp/stoq-test-XXXXXX";
static char path[PATH_MAX];

static const char *
in_dir(const char *name)
{
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void
setup(void)
{
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static unsigned
entries(const char *name)
{
    STOQ_AUTOCLOSEDIR DIR *d = opendir(name);
    unsigned n = 0;
    ck_assert_ptr_nonnull(d);
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    return n;
}

/* Remove what a test left, one level deep being enough for all but mkdir_p. */
static void
teardown(void)
{
    DIR *d = opendir(dir);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            ck_assert_int_eq(remove(in_dir(e->d_name)), 0);
    }
    (void)closedir(d);
    ck_assert_int_eq(rmdir(dir), 0);
}

START_TEST(atomic_write)
{
    char *text = NULL;
    size_t size = 0;
    const char *name = in_dir("f");
    ck_assert_int_eq(stoq_write_file_atomic(name, "one", 3, 0640, true), 0);
    ck_assert_int_eq(stoq_write_file_atomic(name, "two", 3, 0640, true), -EEXIST);
    ck_assert_int_eq(stoq_read_file(name, 100, &text, &size, NULL), 0);
    ck_assert_str_eq(text, "one");
    ck_assert_uint_eq(size, 3);
    free(text);
    ck_assert_int_eq(stoq_write_file_atomic(name, "a\0b", 3, 0600, false), 0);
    ck_assert_int_eq(stoq_read_file(name, 3, &text, &size, NULL), 0);
    ck_assert_mem_eq(text, "a\0b", 4);
    free(text);
    struct stat st;
    ck_assert_int_eq(stat(name, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    ck_assert_uint_eq(entries(dir), 1);
}
END_TEST

START_TEST(atomic_write_failures)
{
    ck_assert_int_eq(stoq_write_file_atomic(in_dir("no/f"), "x", 1, 0600, true),
                     -ENOENT);
    ck_assert_int_eq(stoq_write_file_atomic(in_dir(""), "x", 1, 0600, true), -EISDIR);
    ck_assert_int_eq(mkdir(in_dir("d"), 0700), 0);
    ck_assert_int_eq(stoq_write_file_atomic(in_dir("d"), "x", 1, 0600, false), -EISDIR);
    ck_assert_int_eq(symlink("nowhere", in_dir("l")), 0);
    ck_assert_int_eq(stoq_write_file_atomic(in_dir("l"), "x", 1, 0600, true), -EEXIST);
    ck_assert_uint_eq(entries(dir), 2);
}
END_TEST

START_TEST(long_name)
{
    char name[256];
    memset(name, 'n', sizeof(name));
    name[255] = '\0';
    ck_assert_int_eq(stoq_write_file_atomic(in_dir(name), "x", 1, 0600, true), 0);
    ck_assert_uint_eq(entries(dir), 1);
}
END_TEST

START_TEST(read_limits)
{
    char *text = NULL;
    struct stoq_error err = {0};
    const char *name = in_dir("f");
    ck_assert_int_eq(stoq_write_file_atomic(name, "12345", 5, 0600, true), 0);
    ck_assert_int_eq(stoq_read_file(name, 4, &text, NULL, &err), -EFBIG);
    ck_assert_int_eq((int)err.kind, STOQ_ERROR_LIMIT);
    ck_assert_ptr_null(text);
    ck_assert_int_eq(stoq_read_file(name, 5, &text, NULL, NULL), 0);
    ck_assert_str_eq(text, "12345");
    free(text);
    stoq_error_clear(&err);
    ck_assert_int_eq(stoq_read_file(dir, 5, &text, NULL, &err), -EISDIR);
    ck_assert_int_eq((int)err.kind, STOQ_ERROR_SYSTEM);
}
END_TEST

START_TEST(read_unsized)
{
    /* files of /proc have no size */
    char *text = NULL;
    size_t size = 0;
    ck_assert_int_eq(stoq_read_file("/proc/self/mounts", 1 << 24, &text, &size, NULL),
                     0);
    ck_assert_uint_gt(size, 0);
    ck_assert_uint_eq(strlen(text), size);
    free(text);
}
END_TEST

START_TEST(pread_all)
{
    char buf[8] = "";
    STOQ_AUTOCLOSE int fd = stoq_memfd("t", "abcdef", 6);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(stoq_pread_full(fd, buf, 4, 0), 4);
    ck_assert_mem_eq(buf, "abcd", 4);
    ck_assert_int_eq(stoq_pread_full(fd, buf, 4, 4), 2);
    ck_assert_int_eq(stoq_pread_full(fd, buf, 4, 6), 0);
    ck_assert_int_eq(stoq_pread_full(fd, buf, 4, UINT64_MAX), 0);
    ck_assert_int_eq(stoq_pread_full(-1, buf, 4, 0), -EBADF);
}
END_TEST

START_TEST(memfd_sealed)
{
    STOQ_AUTOCLOSE int fd = stoq_memfd("t", "abc", 3);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(stoq_write_full(fd, "x", 1), -EPERM);
    ck_assert_int_eq(ftruncate(fd, 0), -1);
    ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0);
}
END_TEST

START_TEST(mkdirs)
{
    ck_assert_int_eq(stoq_mkdir_p(in_dir("a/b//c/"), 0750), 0);
    ck_assert_int_eq(stoq_mkdir_p(in_dir("a/b/c"), 0750), 0);
    struct stat st;
    ck_assert_int_eq(stat(in_dir("a/b/c"), &st), 0);
    ck_assert(S_ISDIR(st.st_mode));
    ck_assert_int_eq(stoq_write_file_atomic(in_dir("a/f"), "", 0, 0600, true), 0);
    ck_assert_int_eq(stoq_mkdir_p(in_dir("a/f/x"), 0750), -ENOTDIR);
    ck_assert_int_eq(stoq_mkdir_p(in_dir("a/f"), 0750), -ENOTDIR);
    ck_assert_int_eq(stoq_mkdir_p("", 0750), -ENOENT);
    ck_assert_int_eq(stoq_mkdir_p("/", 0750), 0);
    ck_assert_int_eq(rmdir(in_dir("a/b/c")), 0);
    ck_assert_int_eq(rmdir(in_dir("a/b")), 0);
    ck_assert_int_eq(unlink(in_dir("a/f")), 0);
}
END_TEST

static unsigned
open_fds(void)
{
    return entries("/proc/self/fd");
}

START_TEST(messages)
{
    int sv[2];
    char buf[16];
    int fds[STOQ_MSG_MAX_FDS];
    size_t nfds = 99;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
    STOQ_AUTOCLOSE int file = stoq_memfd("t", "inside", 6);
    int out[] = {file, sv[0]};

    ck_assert_int_eq(stoq_msg_send(sv[0], "hello", 5, out, 2), 0);
    ck_assert_int_eq(stoq_msg_recv(sv[1], buf, sizeof(buf), fds, &nfds), 5);
    ck_assert_mem_eq(buf, "hello", 5);
    ck_assert_uint_eq(nfds, 2);
    ck_assert_int_eq(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(stoq_pread_full(fds[0], buf, sizeof(buf), 0), 6);
    ck_assert_mem_eq(buf, "inside", 6);
    ck_assert_int_eq(close(fds[0]), 0);
    ck_assert_int_eq(close(fds[1]), 0);

    ck_assert_int_eq(stoq_msg_send(sv[0], "plain", 5, NULL, 0), 0);
    ck_assert_int_eq(stoq_msg_recv(sv[1], buf, sizeof(buf), fds, &nfds), 5);
    ck_assert_uint_eq(nfds, 0);

    ck_assert_int_eq(close(sv[0]), 0);
    ck_assert_int_eq(stoq_msg_recv(sv[1], buf, sizeof(buf), fds, &nfds), 0);
    ck_assert_int_eq(stoq_msg_send(sv[1], "x", 1, NULL, 0), -EPIPE);
    ck_assert_int_eq(close(sv[1]), 0);
}
END_TEST

/* Descriptors of a message that is refused or not wanted do not stay open. */
START_TEST(messages_leak_nothing)
{
    int sv[2];
    char buf[4];
    int fds[STOQ_MSG_MAX_FDS];
    size_t nfds = 0;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
    int out[] = {sv[0], sv[0], sv[0], sv[0], sv[0]};
    unsigned before = open_fds();

    ck_assert_int_eq(stoq_msg_send(sv[0], "too long", 8, out, 4), 0);
    ck_assert_int_eq(stoq_msg_recv(sv[1], buf, sizeof(buf), fds, &nfds), -EMSGSIZE);
    ck_assert_uint_eq(nfds, 0);
    ck_assert_uint_eq(open_fds(), before);

    ck_assert_int_eq(stoq_msg_send(sv[0], "ok", 2, out, 4), 0);
    ck_assert_int_eq(stoq_msg_recv(sv[1], buf, sizeof(buf), NULL, NULL), 2);
    ck_assert_uint_eq(open_fds(), before);

    ck_assert_int_eq(stoq_msg_send(sv[0], "x", 1, out, 5), -EINVAL);

    /* more descriptors than there is room for, sent by somebody else's code */
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(5 * sizeof(int))];
    } control = {.head = {.cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS,
                          .cmsg_len = CMSG_LEN(5 * sizeof(int))}};
    memcpy(CMSG_DATA(&control.head), out, sizeof(out));
    struct iovec iov = {.iov_base = buf, .iov_len = 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    ck_assert_int_eq(sendmsg(sv[0], &msg, 0), 1);
    ssize_t r = stoq_msg_recv(sv[1], buf, sizeof(buf), fds, &nfds);
    ck_assert_int_eq(r, -EMSGSIZE);
    ck_assert_uint_eq(open_fds(), before);
    ck_assert_int_eq(close(sv[0]), 0);
    ck_assert_int_eq(close(sv[1]), 0);
}
END_TEST

START_TEST(message_would_block)
{
    int sv[2];
    char buf[4];
    size_t nfds = 0;
    ck_assert_int_eq(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
    ck_assert_int_eq(stoq_msg_recv(sv[1], buf, sizeof(buf), NULL, &nfds), -EAGAIN);
    int r = 0;
    for (unsigned i = 0; i < 100000 && r == 0; i++)
        r = stoq_msg_send(sv[0], "fill", 4, NULL, 0);
    ck_assert_int_eq(r, -EAGAIN);
    ck_assert_int_eq(close(sv[0]), 0);
    ck_assert_int_eq(close(sv[1]), 0);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("util io");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, atomic_write);
    tcase_add_test(t, atomic_write_failures);
    tcase_add_test(t, long_name);
    tcase_add_test(t, read_limits);
    tcase_add_test(t, read_unsized);
    tcase_add_test(t, pread_all);
    tcase_add_test(t, memfd_sealed);
    tcase_add_test(t, mkdirs);
    tcase_add_test(t, messages);
    tcase_add_test(t, messages_leak_nothing);
    tcase_add_test(t, message_would_block);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
