/* SPDX-License-Identifier: Apache-2.0 */

/* Helper processes; see child.h. */

#include "util/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/auto.h"
#include "util/clock.h"

int
stoq_child_spawn(int (*run)(void *arg, int control, pid_t parent), void *arg,
                 pid_t *pid, int *control, struct stoq_error *err)
{
    pid_t self = getpid(), child;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno,
                              "cannot make a socket: %s", strerror(errno));
    child = fork();
    if (child == 0) {
        (void)close(pair[0]);
        _exit(run(arg, pair[1], self));
    }
    stoq_auto_close(&pair[1]);
    if (child < 0) {
        stoq_auto_close(&pair[0]);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno, "cannot fork: %s",
                              strerror(errno));
    }
    *pid = child;
    *control = pair[0];
    return 0;
}

int
stoq_child_wait_input(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint64_t end = stoq_now_ms() + (timeout_ms > 0 ? (uint64_t)timeout_ms : 0);

    for (;;) {
        uint64_t now = stoq_now_ms();
        int left = timeout_ms < 0 ? -1 : (now < end ? (int)(end - now) : 0);
        int n = poll(&p, 1, left);

        if (n > 0)
            return 0;
        if (n == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

/* Reap @pid within @ms. @return whether it is gone. */
static bool
reaped(pid_t pid, uint64_t ms)
{
    uint64_t end = stoq_now_ms() + ms;

    for (;;) {
        pid_t r = waitpid(pid, NULL, WNOHANG);

        if (r == pid || (r < 0 && errno != EINTR))
            return true;
        if (stoq_now_ms() >= end)
            return false;
        (void)poll(NULL, 0, 2);
    }
}

void
stoq_child_end(pid_t pid, uint64_t grace_ms)
{
    if (pid <= 0 || reaped(pid, grace_ms))
        return;
    (void)kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

int
stoq_child_follow_parent(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0UL, 0UL, 0UL) < 0)
        return -errno;
    /* it may have died before that */
    return getppid() == parent ? 0 : -ESRCH;
}

/* The parent's handlers mean nothing in a child. What a terminal or a service manager
 * sends to the whole group is the parent's to answer: it ends the child when its work
 * is done. A write past a limit shall fail, not kill: it may be a line for a large log.
 */
void
stoq_child_reset_signals(void)
{
    static const int defaults[] = {SIGCHLD, SIGUSR1, SIGUSR2,
                                   SIGALRM, SIGPROF, SIGVTALRM};
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGXFSZ};
    sigset_t none;

    for (size_t i = 0; i < STOQ_ARRAY_SIZE(defaults); i++)
        (void)signal(defaults[i], SIG_DFL);
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(ignored); i++)
        (void)signal(ignored[i], SIG_IGN);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

int
stoq_child_keep(int control, bool stdout_too)
{
    /* out of the way: the parent may have had a standard descriptor closed, so that the
     * socket, or /dev/null, was given its number */
    STOQ_AUTOCLOSE int moved = fcntl(control, F_DUPFD_CLOEXEC, STOQ_CHILD_CONTROL + 1);
    STOQ_AUTOCLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (moved < 0 || null < 0)
        return -errno;
    for (int fd = 0; fd < STOQ_CHILD_CONTROL; fd++) {
        bool wanted = fd == STDERR_FILENO || (stdout_too && fd == STDOUT_FILENO);

        if (wanted && fd != control && fd != null && fcntl(fd, F_GETFD) >= 0)
            continue;
        if ((fd == null ? fcntl(fd, F_SETFD, 0) : dup2(null, fd)) < 0)
            return -errno;
    }
    if (dup3(moved, STOQ_CHILD_CONTROL, O_CLOEXEC) < 0)
        return -errno;
    /* closed now, or a standard descriptor */
    moved = null = -1;
    closefrom(STOQ_CHILD_CONTROL + 1);
    return 0;
}
