/* SPDX-License-Identifier: Apache-2.0 */

/* Helper processes: what a child finds, how it ends, whom it dies with. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/auto.h"
#include "util/child.h"
#include "util/clock.h"
#include "util/io.h"

#define DEADLINE_MS 30000
#define STRAY_FD    100

/* What a child found and tells. */
struct found {
    ino_t ino[3]; /* of the standard descriptors; 0 = /dev/null */
    int flags[3];
    bool control, stray, parent;
    bool term_ignored, usr1_default, unblocked;
};

static ino_t
look_at(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return (ino_t)-1;
    return S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3) ? 0 : st.st_ino;
}

static bool
handled_by(int number, void (*handler)(int))
{
    struct sigaction a;

    return sigaction(number, NULL, &a) == 0 && a.sa_handler == handler;
}

static void
receive(int fd, void *data, size_t size)
{
    size_t nfds = 0;

    ck_assert_int_eq(stoq_child_wait_input(fd, DEADLINE_MS), 0);
    ck_assert_int_eq((int)stoq_msg_recv(fd, data, size, NULL, &nfds), (int)size);
}

static bool
is_reaped(pid_t pid)
{
    return waitpid(pid, NULL, WNOHANG) < 0 && errno == ECHILD;
}

/* Tell what is found, wait for the end of the socket, say goodbye. */
static int
tell(void *arg, int control, pid_t parent)
{
    struct found f = {.parent = parent == getppid()};
    struct stat st;
    size_t nfds = 0;
    sigset_t mask;
    char byte;

    stoq_child_reset_signals();
    if (stoq_child_keep(control, *(bool *)arg) < 0)
        return 1;
    for (int fd = 0; fd < 3; fd++) {
        f.ino[fd] = look_at(fd);
        f.flags[fd] = fcntl(fd, F_GETFD);
    }
    f.control = fstat(STOQ_CHILD_CONTROL, &st) == 0 && S_ISSOCK(st.st_mode) &&
                fcntl(STOQ_CHILD_CONTROL, F_GETFD) == FD_CLOEXEC;
    for (int fd = STOQ_CHILD_CONTROL + 1; fd <= STRAY_FD; fd++)
        f.stray = f.stray || fcntl(fd, F_GETFD) >= 0;
    f.term_ignored = handled_by(SIGTERM, SIG_IGN);
    f.usr1_default = handled_by(SIGUSR1, SIG_DFL);
    f.unblocked =
        sigprocmask(SIG_BLOCK, NULL, &mask) == 0 && sigismember(&mask, SIGUSR2) == 0;
    if (stoq_msg_send(STOQ_CHILD_CONTROL, &f, sizeof(f), NULL, 0) < 0 ||
        stoq_msg_recv(STOQ_CHILD_CONTROL, &byte, 1, NULL, &nfds) != 0)
        return 1;
    return stoq_msg_send(STOQ_CHILD_CONTROL, "bye", 3, NULL, 0) < 0;
}

static void
on_signal(int number)
{
    (void)number;
}

/* Bits of _i: which standard descriptors the parent has closed; whether standard output
 * is wanted. */
START_TEST(child_keeps)
{
    bool stdout_too = _i & 8;
    ino_t expected[3] = {0};
    struct found f = {.control = false};
    char bye[3];
    sigset_t blocked;
    pid_t pid = 0;
    int control = -1;

    for (int fd = 0; fd < 3; fd++) {
        int memfd = memfd_create("standard", MFD_CLOEXEC);

        ck_assert_int_ge(fcntl(fd, F_DUPFD_CLOEXEC, 50 + fd), 50 + fd);
        ck_assert_int_ge(dup2(memfd, fd), 0);
        (void)close(memfd);
        if ((fd == 2 || (fd == 1 && stdout_too)) && !(_i & 1 << fd))
            expected[fd] = look_at(fd);
    }
    ck_assert_int_eq(dup2(0, STRAY_FD), STRAY_FD);
    (void)signal(SIGUSR1, on_signal);
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGUSR2);
    (void)sigprocmask(SIG_BLOCK, &blocked, NULL);
    for (int fd = 0; fd < 3; fd++) {
        if (_i & 1 << fd)
            (void)close(fd);
    }
    int r = stoq_child_spawn(tell, &stdout_too, &pid, &control, NULL);
    int moved = fcntl(control, F_DUPFD_CLOEXEC, 60);
    (void)close(control);
    for (int fd = 0; fd < 3; fd++)
        (void)dup2(50 + fd, fd);

    ck_assert_int_eq(r, 0);
    receive(moved, &f, sizeof(f));
    for (int fd = 0; fd < 3; fd++) {
        ck_assert_uint_eq(f.ino[fd], expected[fd]);
        ck_assert_int_eq(f.flags[fd], 0);
    }
    ck_assert(f.control && !f.stray && f.parent);
    ck_assert(f.term_ignored && f.usr1_default && f.unblocked);

    /* it is given the time to end by itself */
    ck_assert_int_eq(stoq_child_wait_input(moved, 1), -ETIMEDOUT);
    ck_assert_int_eq(shutdown(moved, SHUT_WR), 0);
    stoq_child_end(pid, DEADLINE_MS);
    ck_assert(is_reaped(pid));
    receive(moved, bye, sizeof(bye));
    ck_assert_mem_eq(bye, "bye", 3);
    (void)close(moved);
}
END_TEST

static int
hang(void *arg, int control, pid_t parent)
{
    (void)arg;
    (void)parent;
    stoq_child_reset_signals();
    (void)stoq_msg_send(control, "x", 1, NULL, 0);
    while (poll(NULL, 0, -1) <= 0)
        ;
    return 0;
}

START_TEST(end_kills)
{
    static const uint64_t graces[] = {0, 50};
    pid_t pid = 0;
    int control = -1;
    char byte;
    size_t nfds = 0;

    ck_assert_int_eq(stoq_child_spawn(hang, NULL, &pid, &control, NULL), 0);
    receive(control, &byte, 1);
    (void)kill(pid, SIGTERM); /* is not its to answer */
    uint64_t start = stoq_now_ms();
    stoq_child_end(pid, graces[_i]);
    uint64_t took = stoq_now_ms() - start;
    ck_assert_uint_ge(took, graces[_i]);
    ck_assert_uint_lt(took, DEADLINE_MS);
    ck_assert(is_reaped(pid));
    ck_assert_int_eq(stoq_child_wait_input(control, -1), 0); /* the end is input */
    ck_assert_int_eq((int)stoq_msg_recv(control, &byte, 1, NULL, &nfds), 0);
    (void)close(control);
    stoq_child_end(0, 0); /* nobody */
}
END_TEST

struct family {
    bool late; /* the parent is gone before the grandchild follows it */
    int out;   /* a pipe's end, held open by the grandchild */
};

static int
grandchild(void *arg, int control, pid_t parent)
{
    const struct family *f = arg;
    int r;

    while (f->late && getppid() == parent)
        (void)poll(NULL, 0, 1);
    r = stoq_child_follow_parent(parent);
    (void)stoq_write_full(f->out, &r, sizeof(r));
    if (r < 0)
        return 1;
    (void)stoq_msg_send(control, "x", 1, NULL, 0);
    while (poll(NULL, 0, -1) <= 0)
        ;
    return 0;
}

/* Becomes a parent, and dies once the grandchild follows, or before. */
static int
middle(void *arg, int control, pid_t parent)
{
    const struct family *f = arg;
    pid_t pid = 0;
    int sock = -1;

    (void)control;
    (void)parent;
    if (stoq_child_spawn(grandchild, arg, &pid, &sock, NULL) < 0)
        return 1;
    return !f->late && stoq_child_wait_input(sock, DEADLINE_MS) < 0;
}

START_TEST(dies_with_its_parent)
{
    struct family f = {.late = _i == 1};
    int pipe_fds[2];
    pid_t pid = 0;
    int control = -1, r = 1;

    ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
    f.out = pipe_fds[1];
    ck_assert_int_eq(stoq_child_spawn(middle, &f, &pid, &control, NULL), 0);
    (void)close(pipe_fds[1]);
    stoq_child_end(pid, DEADLINE_MS);
    ck_assert_int_eq(stoq_child_wait_input(pipe_fds[0], DEADLINE_MS), 0);
    ck_assert_int_eq((int)read(pipe_fds[0], &r, sizeof(r)), (int)sizeof(r));
    ck_assert_int_eq(r, f.late ? -ESRCH : 0);
    /* only a dead grandchild lets go of the pipe */
    ck_assert_int_eq(stoq_child_wait_input(pipe_fds[0], DEADLINE_MS), 0);
    ck_assert_int_eq((int)read(pipe_fds[0], &r, sizeof(r)), 0);
    (void)close(pipe_fds[0]);
    (void)close(control);
}
END_TEST

START_TEST(no_descriptors)
{
    struct stoq_error err = {0};
    struct rlimit none = {.rlim_cur = 0}, before;
    pid_t pid = -2;
    int control = -2;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    int r = stoq_child_spawn(hang, NULL, &pid, &control, &err);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(r, -EMFILE);
    ck_assert_str_eq(err.message, "cannot make a socket: Too many open files");
    ck_assert_int_eq(pid, -2);
    ck_assert_int_eq(control, -2);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("util child");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, child_keeps, 0, 16);
    tcase_add_loop_test(t, end_kills, 0, 2);
    tcase_add_loop_test(t, dies_with_its_parent, 0, 2);
    tcase_add_test(t, no_descriptors);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
