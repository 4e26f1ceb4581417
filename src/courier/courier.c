/* SPDX-License-Identifier: Apache-2.0 */

/* The holder's side of the courier: start, wait until ready, end. Called by the
 * supervisor or the command from their only thread. */

#include "courier/courier.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "courier/child.h"
#include "courier/wire.h"
#include "util/auto.h"
#include "util/clock.h"

/* Beyond the grace: what a courier needs to close its plugins. */
#define SLACK_MS 1000

int
stoq_courier_spawn(const struct stoq_config *config, const char *db_path,
                   const char *label, struct stoq_courier *out, struct stoq_error *err)
{
    struct stoq_courier_setup setup = {
        .config = config, .db_path = db_path, .label = label, .parent = getpid()};
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno,
                              "cannot make a socket: %s", strerror(errno));
    pid = fork();
    if (pid == 0) {
        setup.control = pair[1];
        _exit(stoq_courier_main(&setup));
    }
    stoq_auto_close(&pair[1]);
    if (pid < 0) {
        stoq_auto_close(&pair[0]);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno, "cannot fork: %s",
                              strerror(errno));
    }
    out->pid = pid;
    out->control = pair[0];
    return 0;
}

/* Wait for input. @return 0, -ETIMEDOUT or -errno. */
static int
wait_input(int fd, int timeout_ms)
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

static int
take_failure(const struct stoq_courier_msg *msg, struct stoq_error *err)
{
    int code = msg->code < 0 ? msg->code : -EIO;

    if (err && err->code == 0) {
        err->code = code;
        err->kind = (enum stoq_error_kind)msg->kind;
        memcpy(err->plugin, msg->plugin, sizeof err->plugin);
        memcpy(err->message, msg->text, sizeof err->message);
    }
    return code;
}

int
stoq_courier_wait(struct stoq_courier *c, int timeout_ms, struct stoq_error *err)
{
    struct stoq_courier_in in;
    int r = wait_input(c->control, timeout_ms);

    if (r == -ETIMEDOUT)
        return stoq_error_set(err, STOQ_ERROR_TIMEOUT, r,
                              "the courier's plugins were not loaded within %d ms",
                              timeout_ms);
    if (r == 0)
        r = stoq_courier_recv(c->control, &in);
    if (r == 0)
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, -EPIPE,
                              "the courier died while loading its plugins");
    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "courier: %s", strerror(-r));
    stoq_courier_in_fini(&in);
    if (in.msg.type == STOQ_COURIER_READY)
        return 0;
    if (in.msg.type == STOQ_COURIER_FAIL)
        return take_failure(&in.msg, err);
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -EPROTO,
                          "courier: unexpected message");
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
stoq_courier_end(struct stoq_courier *c, int grace_ms)
{
    uint64_t grace = grace_ms > 0 ? (uint64_t)grace_ms : 0;
    struct stoq_courier_msg end = {.type = STOQ_COURIER_END, .size = grace};

    if (c->control >= 0) {
        (void)stoq_courier_send(c->control, &end, NULL, 0);
        /* Others may hold copies; the courier shall see the end anyway, and what was
         * sent before it, too. */
        (void)shutdown(c->control, SHUT_WR);
        stoq_auto_close(&c->control);
    }
    if (c->pid > 0 && !reaped(c->pid, grace + SLACK_MS)) {
        (void)kill(c->pid, SIGKILL);
        while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    c->pid = 0;
}
