/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zygote process: loads the engine, then forks scanners on request and tells how
 * they ended. One thread, no lock; it never reads a payload.
 */
#include "pool/zygote_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "core/engine.h"
#include "pool/scanner.h"
#include "pool/wire.h"
#include "util/auto.h"
#include "util/json.h"
#include "util/log.h"
#include "util/title.h"

#define CONTROL_FD 3

struct zygote {
    const struct stoq_zygote_setup *setup;
    struct stoq *stoq;
    int control;
    int children; /* signalfd */
};

static void
show_title(const struct stoq_zygote_setup *setup, const char *what)
{
    if (setup->label)
        stoq_title_set("stoqfs: %s %s", what, setup->label);
    else
        stoq_title_set("stoq: %s", what);
}

/** Die when the parent does; it may be dead already. */
static int
follow_parent(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0UL, 0UL, 0UL) < 0)
        return -errno;
    return getppid() == parent ? 0 : -ESRCH;
}

/** The parent's handlers mean nothing here. What a terminal or a service manager sends
 *  to the whole group is the parent's to answer: it ends us when its work is done. A
 *  write past a limit shall fail, not kill: it may be a line for a large log. */
static void
reset_signals(void)
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

/** Keep standard error and the control socket, close the rest. */
static int
keep_two(int control)
{
    int moved = fcntl(control, F_DUPFD_CLOEXEC, CONTROL_FD + 1);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (moved < 0 || null < 0)
        return -errno;
    for (int fd = 0; fd < CONTROL_FD; fd++) {
        bool keep = fd == STDERR_FILENO && fcntl(fd, F_GETFD) >= 0;

        if (!keep && null != fd && dup2(null, fd) < 0)
            return -errno;
    }
    if (dup3(moved, CONTROL_FD, O_CLOEXEC) < 0)
        return -errno;
    closefrom(CONTROL_FD + 1);
    return 0;
}

/** Log to standard error alone: rotating a file is for one process. */
static void
reset_log(const struct stoq_zygote_setup *setup)
{
    const char *level = stoq_config_get(setup->config, "core", "log_level");
    const char *syntax = stoq_config_get(setup->config, "core", "log_syntax");
    struct stoq_log_config log = {
        .level = STOQ_LEVEL_INFO,
        .ident = setup->label ? "stoqfs" : "stoq",
        .json = syntax && strcmp(syntax, "json") == 0,
    };

    if (level)
        (void)stoq_log_level_parse(level, &log.level);
    (void)stoq_log_setup(&log, NULL);
}

static int
send_fail(int control, int code, const struct stoq_error *err)
{
    struct stoq_wire_fail w = {
        .head.type = STOQ_WIRE_FAIL,
        .code = code,
        .kind = (uint32_t)err->kind,
    };
    struct stoq_wire_out out = {.head = &w.head, .size = sizeof(w)};

    memcpy(w.plugin, err->plugin, sizeof(w.plugin));
    memcpy(w.message, err->message, sizeof(w.message));
    return stoq_wire_send(control, &out);
}

static int
load(struct zygote *z, struct stoq_error *err)
{
    const struct stoq_zygote_setup *setup = z->setup;
    int r = stoq_new(setup->config, STOQ_ROLE_SCAN, &z->stoq, err);

    if (r < 0)
        return r;
    for (size_t i = 0; setup->preload && setup->preload[i]; i++) {
        struct stoq_error ignored = {.code = 0};

        /* the engine says so in each scan that asks for it */
        if (stoq_load_plugin(z->stoq, setup->preload[i], &ignored) < 0)
            STOQ_DEBUG("cannot load %s ahead: %s", setup->preload[i], ignored.message);
    }
    if (stoq_engine_config(z->stoq)->dispatchers.count > 0)
        stoq_engine_preload(z->stoq);
    return 0;
}

static int
send_ready(struct zygote *z)
{
    struct stoq_wire_ready w = {.head.type = STOQ_WIRE_READY};
    struct stoq_wire_out out = {.head = &w.head, .size = sizeof(w)};
    const char *id = stoq_engine_id(z->stoq);
    json_t *facts = stoq_engine_facts(z->stoq);
    STOQ_AUTOFREE char *text = facts ? stoq_json_dump(facts, false) : NULL;

    json_decref(facts);
    if (!text)
        return -ENOMEM;
    memcpy(w.engine_id, id, strnlen(id, sizeof(w.engine_id) - 1));
    out.body[0].iov_base = text;
    out.body[0].iov_len = strlen(text);
    return stoq_wire_send(z->control, &out);
}

/** In the new process. @return its exit status. */
static int
become_scanner(struct zygote *z, int sock, pid_t parent)
{
    sigset_t none;

    if (follow_parent(parent) < 0)
        return 1;
    (void)close(z->control);
    (void)close(z->children);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    show_title(z->setup, "scanner");
    return stoq_scanner_main(z->stoq, sock);
}

/** @return the pid, with the pool's descriptors in @p out, or -errno. */
static pid_t
fork_scanner(struct zygote *z, int out[2])
{
    int pair[2];
    pid_t pid, self = getpid();

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    pid = fork();
    if (pid == 0) {
        (void)close(pair[0]);
        _exit(become_scanner(z, pair[1], self));
    }
    if (pid < 0)
        pid = -errno;
    (void)close(pair[1]);
    out[0] = pair[0];
    if (pid < 0)
        return pid;
    /* not reaped yet, so the number is still that process */
    out[1] = (int)syscall(SYS_pidfd_open, pid, 0U);
    if (out[1] < 0) {
        int saved = errno;

        (void)kill(pid, SIGKILL);
        return -saved;
    }
    return pid;
}

static int
serve_fork(struct zygote *z, uint64_t token)
{
    struct stoq_wire_fork w = {.head.type = STOQ_WIRE_FORKED, .token = token};
    struct stoq_wire_out out = {.head = &w.head, .size = sizeof(w)};
    STOQ_AUTOCLOSE int sock = -1;
    STOQ_AUTOCLOSE int pidfd = -1;
    int fds[2] = {-1, -1};
    pid_t pid = fork_scanner(z, fds);

    sock = fds[0];
    pidfd = fds[1];
    w.pid = pid;
    if (pid < 0) {
        w.code = pid;
        w.pid = 0;
    } else {
        out.fds[0] = sock;
        out.fds[1] = pidfd;
        out.nfds = 2;
    }
    return stoq_wire_send(z->control, &out);
}

static int
reap(struct zygote *z)
{
    struct signalfd_siginfo info;
    struct stoq_wire_exited w = {.head.type = STOQ_WIRE_EXITED};
    struct stoq_wire_out out = {.head = &w.head, .size = sizeof(w)};
    int status, r = 0;

    if (read(z->children, &info, sizeof(info)) < 0 && errno != EAGAIN && errno != EINTR)
        return -errno;
    while (r == 0 && (w.pid = waitpid(-1, &status, WNOHANG)) > 0) {
        w.status = status;
        r = stoq_wire_send(z->control, &out);
    }
    return r;
}

static int
serve_control(struct zygote *z)
{
    static struct stoq_wire_msg msg;
    int r = stoq_wire_recv(z->control, &msg);

    if (r == 0)
        return -EPIPE;
    if (r < 0)
        return r == -EAGAIN ? 0 : r;
    if (msg.u.head.type == STOQ_WIRE_FORK)
        return serve_fork(z, msg.u.fork.token);
    stoq_wire_close(&msg);
    return -EPROTO;
}

static int
serve(struct zygote *z)
{
    struct pollfd p[2] = {
        {.fd = z->control, .events = POLLIN},
        {.fd = z->children, .events = POLLIN},
    };

    for (;;) {
        int r = 0;

        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return -errno;
        /* endings first: they make room for what is asked next */
        if (p[1].revents)
            r = reap(z);
        if (r == 0 && p[0].revents)
            r = serve_control(z);
        if (r < 0)
            return r;
    }
}

static int
watch_children(struct zygote *z)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    z->children = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return z->children < 0 ? -errno : 0;
}

int
stoq_zygote_main(const struct stoq_zygote_setup *setup)
{
    struct zygote z = {.setup = setup, .control = CONTROL_FD, .children = -1};
    struct stoq_error err = {.code = 0};
    int r;

    stoq_log_fini();
    reset_signals();
    if (follow_parent(setup->parent) < 0 || keep_two(setup->control) < 0)
        return 1;
    show_title(setup, "zygote");
    reset_log(setup);
    r = load(&z, &err);
    if (r == 0)
        r = watch_children(&z);
    if (r < 0) {
        (void)stoq_error_set(&err, STOQ_ERROR_SYSTEM, r, "cannot start: %s",
                             strerror(-r));
        (void)send_fail(z.control, r, &err);
        return 1;
    }
    r = send_ready(&z);
    if (r == 0)
        r = serve(&z);
    return r == -EPIPE || r == -ECONNRESET ? 0 : 1;
}
