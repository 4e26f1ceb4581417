/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The courier process: one thread that finishes scans as they come and delivers the
 * outbox in between. It has files and network, as its plugins need them; it reads no
 * payload itself.
 */

#include "courier/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "courier/deliver.h"
#include "courier/finish.h"
#include "util/auto.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/title.h"

#define CONTROL_FD 3
/* When the mirror died without a word: how long the last pass may take. */
#define GRACE_MS 5000

/* Messages read between two rows of the outbox. */
#define MESSAGES 16

struct courier {
    struct stoq *stoq;
    struct stoq_delivery *delivery;
    int control;
    uint64_t grace_ms;
};

/* Die when the parent does; it may be dead already. */
static int
follow_parent(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0UL, 0UL, 0UL) < 0)
        return -errno;
    return getppid() == parent ? 0 : -ESRCH;
}

/* What a terminal or a service manager sends to the whole group is the parent's to
 * answer: the courier ends when its control socket does, after a last pass. */
static void
reset_signals(void)
{
    static const int defaults[] = {SIGCHLD, SIGUSR1, SIGUSR2, SIGALRM, SIGPROF};
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    sigset_t none;

    for (size_t i = 0; i < STOQ_ARRAY_SIZE(defaults); i++)
        (void)signal(defaults[i], SIG_DFL);
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(ignored); i++)
        (void)signal(ignored[i], SIG_IGN);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Keep the control socket and the standard descriptors: connectors print. */
static int
keep_descriptors(int control)
{
    STOQ_AUTOCLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int moved = control;

    if (null < 0)
        return -errno;
    for (int fd = 0; fd < CONTROL_FD; fd++) {
        bool keep = fd != STDIN_FILENO && fcntl(fd, F_GETFD) >= 0 && fd != control &&
                    fd != null;

        if (keep)
            continue;
        if (fd == moved) {
            moved = fcntl(control, F_DUPFD_CLOEXEC, CONTROL_FD + 1);
            if (moved < 0)
                return -errno;
        }
        if (fd == null) {
            if (fcntl(fd, F_SETFD, 0) < 0)
                return -errno;
            null = open("/dev/null", O_RDWR | O_CLOEXEC);
        } else if (dup2(null, fd) < 0) {
            return -errno;
        }
    }
    if (moved != CONTROL_FD && dup3(moved, CONTROL_FD, O_CLOEXEC) < 0)
        return -errno;
    null = -1; /* among those closed now */
    closefrom(CONTROL_FD + 1);
    return fcntl(CONTROL_FD, F_SETFL, O_RDWR | O_NONBLOCK) < 0 ? -errno : 0;
}

/* To standard error alone: rotating a file is for one process. The level is what the
 * parent's log had, which a command line may have raised over the configuration. */
static void
reset_log(const struct stoq_courier_setup *setup)
{
    const char *syntax = stoq_config_get(setup->config, "core", "log_syntax");
    struct stoq_log_config log = {
        .level = STOQ_LEVEL_DEBUG,
        .ident = setup->label ? "stoqfs" : "stoq",
        .json = syntax && strcmp(syntax, "json") == 0,
    };

    while (log.level > STOQ_LEVEL_ERROR && !stoq_log_enabled(log.level))
        log.level = (enum stoq_level)(log.level - 1);
    stoq_log_fini();
    (void)stoq_log_setup(&log, NULL);
}

/* Send, waiting while the other end is slow. */
static int
send_msg(int control, const struct stoq_courier_msg *msg, const int *fds, size_t nfds)
{
    struct pollfd p = {.fd = control, .events = POLLOUT};
    int r;

    while ((r = stoq_courier_send(control, msg, fds, nfds)) == -EAGAIN)
        (void)poll(&p, 1, -1);
    return r;
}

static void
fill_error(struct stoq_courier_msg *msg, int code, const struct stoq_error *err)
{
    msg->code = code;
    msg->kind = (uint32_t)err->kind;
    memcpy(msg->plugin, err->plugin, sizeof msg->plugin);
    memcpy(msg->text, err->message, sizeof msg->text);
}

/* Answer a FINISH. @return -errno when the client is gone. */
static int
finish(struct courier *c, const struct stoq_courier_in *in)
{
    struct stoq_courier_msg msg = {.type = STOQ_COURIER_DONE, .id = in->msg.id};
    struct stoq_error err = {0};
    STOQ_AUTOCLOSE int fd = stoq_courier_finish(c->stoq, in, &msg.size, &err);

    if (fd >= 0)
        return send_msg(c->control, &msg, &fd, 1);
    msg.size = 0;
    fill_error(&msg, fd, &err);
    STOQ_WARN("courier: a scan is not finished: %s", err.message);
    return send_msg(c->control, &msg, NULL, 0);
}

/* Read what messages there are, some at a time: scans go first, but while they never
 * stop coming the outbox is to get on, too. @return false once there will be no more.
 */
static bool
read_control(struct courier *c)
{
    struct stoq_courier_in in;
    int left = MESSAGES;
    int r = 1;

    while (left-- > 0 && (r = stoq_courier_recv(c->control, &in)) == 1) {
        int sent = 0;

        if (in.msg.type == STOQ_COURIER_FINISH)
            sent = finish(c, &in);
        else if (in.msg.type == STOQ_COURIER_WAKE)
            stoq_delivery_wake(c->delivery);
        else if (in.msg.type == STOQ_COURIER_END)
            c->grace_ms = in.msg.size;
        stoq_courier_in_fini(&in);
        if (sent < 0)
            return false;
    }
    if (r < 0 && r != -EAGAIN)
        STOQ_ERROR("courier: the control socket: %s", strerror(-r));
    return r == 1 || r == -EAGAIN;
}

static void
serve(struct courier *c)
{
    struct pollfd p = {.fd = c->control, .events = POLLIN};
    int wait_ms = -1;

    while (read_control(c)) {
        if (stoq_delivery_step(c->delivery, &wait_ms))
            continue;
        if (poll(&p, 1, wait_ms) == 0)
            stoq_delivery_wake(c->delivery);
    }
}

/* What is due is tried once more, new rows included, for as long as we are given. */
static void
last_pass(struct courier *c)
{
    uint64_t end = stoq_now_ms() + c->grace_ms;
    int wait_ms;

    stoq_delivery_wake(c->delivery);
    while (stoq_now_ms() < end && stoq_delivery_step(c->delivery, &wait_ms))
        ;
}

static int
load(struct courier *c, const struct stoq_courier_setup *setup)
{
    struct stoq_courier_msg msg = {.type = STOQ_COURIER_READY};
    struct stoq_error err = {0};
    int r = stoq_new(setup->config, STOQ_ROLE_OUTPUT, &c->stoq, &err);

    if (r == 0)
        r = stoq_delivery_new(c->stoq, setup->db_path, &c->delivery);
    if (r < 0) {
        (void)stoq_error_set(&err, STOQ_ERROR_SYSTEM, r, "courier: %s", strerror(-r));
        msg.type = STOQ_COURIER_FAIL;
        fill_error(&msg, r, &err);
    }
    if (send_msg(c->control, &msg, NULL, 0) < 0 && r == 0)
        r = -EPIPE;
    return r;
}

int
stoq_courier_main(const struct stoq_courier_setup *setup)
{
    struct courier c = {.control = CONTROL_FD, .grace_ms = GRACE_MS};
    int r = follow_parent(setup->parent);

    reset_signals();
    reset_log(setup);
    if (r == 0)
        r = keep_descriptors(setup->control);
    if (r < 0)
        return EXIT_FAILURE;
    if (setup->label)
        stoq_title_set("stoqfs: courier %s", setup->label);
    else
        stoq_title_set("stoq: courier");
    if (load(&c, setup) == 0) {
        serve(&c);
        last_pass(&c);
    } else {
        r = -EIO;
    }
    stoq_delivery_free(c.delivery);
    stoq_free(c.stoq);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
