/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Start-up order: zygote and courier (so that a bad plugin is told before anything is
 * mounted), then the mount, then the mirror. Afterwards one loop: signals, and what the
 * children say. Each of them is started again when it dies. What the mirror needs to go
 * on where another died is in the session (session.h), and callers wait meanwhile. A
 * mirror that cannot be replaced, or dies again and again, takes the mount with it, so
 * that no dead mount is left behind.
 */

#define FUSE_USE_VERSION 314
#include "supervisor.h"

#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control.h"
#include "core/config.h"
#include "courier/courier.h"
#include "mirror.h"
#include "mount.h"
#include "reload.h"
#include "session.h"
#include "util/auto.h"
#include "util/clock.h"
#include "util/io.h"
#include "util/log.h"
#include "util/title.h"

#define EXIT_FAILED      1
#define EXIT_START       2
#define LOAD_TIMEOUT_MS  300000 /* compiling very large rule sets without a cache */
#define COURIER_GRACE_MS 5000
#define YOUNG_MS         250 /* a mirror that dies at this age did not work */
#define YOUNG_MOST       5   /* of them, one after the other, end the mount */

struct supervisor {
    const struct stoqfs_options *o;
    char *db_path;
    struct stoqfs_mount *mount;
    struct stoqfs_session *session;
    struct stoq_zygote zygote;   /* pid 0: none; the mirror speaks with it, */
    struct stoq_courier courier; /* we keep its socket for the next mirror; the same */
    struct stoqfs_reload reload;
    bool has_courier, stopping, left, mirror_ended;
    pid_t mirror;
    uint64_t died_ms, ready_ms; /* of the last mirror; 0: not yet */
    unsigned young;             /* mirrors that died too soon, one after the other */
    int control, signals, notify_fd, source_fd;
    int status;
    uint64_t restarted_ms; /* of the last zygote or courier restart */
};

static bool
wants_courier(const struct stoq_config *c)
{
    return c->connectors.count || c->dest_archivers.count || c->decorators.count;
}

static int
start_zygote(struct supervisor *s, struct stoq_error *err)
{
    return stoq_zygote_spawn(s->o->config, NULL, s->o->mountpoint, &s->zygote, err);
}

static int
start_courier(struct supervisor *s, struct stoq_error *err)
{
    return stoq_courier_spawn(s->o->config, s->db_path, s->o->mountpoint, &s->courier,
                              err);
}

static int
start_helpers(struct supervisor *s, struct stoq_error *err)
{
    int r = start_zygote(s, err);
    s->has_courier = wants_courier(s->o->config);
    if (r == 0 && s->has_courier)
        r = start_courier(s, err);
    if (r == 0)
        r = stoq_zygote_wait(&s->zygote, LOAD_TIMEOUT_MS, err);
    if (r == 0 && s->has_courier)
        r = stoq_courier_wait(&s->courier, LOAD_TIMEOUT_MS, err);
    if (r == 0)
        stoqfs_reload_started(&s->reload, &s->zygote);
    return r;
}

/* In the child: become the mirror. */
static int
mirror_child(struct supervisor *s, int control)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGHUP, SIG_IGN); /* to all of us: reload, which is not its work */
    stoq_title_set("stoqfs: mirror %s", s->o->mountpoint);
    (void)close(s->signals);
    if (s->notify_fd >= 0)
        (void)close(s->notify_fd);
    stoqfs_reload_forked(&s->reload);
    const struct stoqfs_mirror_start start = {
        .options = s->o,
        .session = s->session,
        .restarted = s->session->shared->restarts > 0,
        .fuse_fd = stoqfs_mount_fd(s->mount),
        .source_fd = s->source_fd,
        .control = control,
        .zygote = &s->zygote,
        .rules = s->reload.report,
        .courier = s->has_courier ? s->courier.control : -1,
    };
    return stoqfs_mirror_run(&start);
}

static int
start_mirror(struct supervisor *s, struct stoq_error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno, "socketpair: %s",
                              strerror(errno));
    s->mirror = fork();
    if (s->mirror == 0) {
        (void)close(pair[0]);
        _exit(mirror_child(s, pair[1]));
    }
    (void)close(pair[1]);
    s->control = pair[0];
    if (s->mirror < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno, "fork: %s",
                              strerror(errno));
    s->ready_ms = 0;
    return 0;
}

static void
tell_stop(struct supervisor *s)
{
    const struct stoqfs_control stop = {.type = STOQFS_CONTROL_STOP};
    if (stoq_msg_send(s->control, &stop, sizeof(stop), NULL, 0) < 0)
        STOQ_DEBUG("the mirror does not listen any more");
}

static void
begin_stop(struct supervisor *s, const char *why)
{
    if (s->stopping)
        return;
    s->stopping = true;
    STOQ_INFO("stopping: %s", why);
    stoqfs_mount_detach(s->mount);
    tell_stop(s);
}

static void
mirror_said(struct supervisor *s)
{
    struct stoqfs_control m;
    size_t nfds = 0;
    ssize_t n = stoq_msg_recv(s->control, &m, sizeof(m), NULL, &nfds);
    if (n <= 0) {
        (void)close(s->control);
        s->control = -1;
        return;
    }
    if (n != (ssize_t)sizeof(m))
        return;
    m.text[sizeof(m.text) - 1] = '\0';
    if (m.type == STOQFS_CONTROL_READY && s->died_ms) {
        s->ready_ms = stoq_now_ms();
        STOQ_INFO("the mirror was started again within %llu ms (restart %u)",
                  (unsigned long long)(s->ready_ms - s->died_ms),
                  s->session->shared->restarts);
    } else if (m.type == STOQFS_CONTROL_READY) {
        s->ready_ms = stoq_now_ms();
        STOQ_INFO("mounted %s at %s, %s: %s", s->o->source, s->o->mountpoint,
                  s->o->enforce ? "enforce" : "observe", m.text);
        if (s->notify_fd >= 0) {
            (void)stoq_write_full(s->notify_fd, "", 1);
            (void)close(s->notify_fd);
        }
        s->notify_fd = -1;
        s->status = 0;
    } else if (m.type == STOQFS_CONTROL_RELOAD) {
        stoqfs_reload_ask(&s->reload, strtoull(m.text, NULL, 10));
    } else if (m.type == STOQFS_CONTROL_LEAVING) {
        s->stopping = s->left = true;
    } else if (m.type == STOQFS_CONTROL_FAILED && s->died_ms) {
        STOQ_ERROR("the mirror does not start again: %s", m.text);
    } else if (m.type == STOQFS_CONTROL_FAILED) {
        (void)fprintf(stderr, "stoqfs: %s\n", m.text);
        s->status = EXIT_START;
        s->stopping = true;
    }
}

/* Starting again and again at full speed would help nobody. */
static void
pace(struct supervisor *s)
{
    uint64_t now = stoq_now_ms();
    if (now - s->restarted_ms < 1000) {
        struct pollfd p = {.fd = s->signals, .events = POLLIN};
        (void)poll(&p, 1, 1000);
    }
    s->restarted_ms = stoq_now_ms();
}

/* The socket stays open here, too, for the mirror after this one. */
static void
hand_over(struct supervisor *s, enum stoqfs_control_type type, int fd)
{
    const struct stoqfs_control m = {.type = type};
    if (stoq_msg_send(s->control, &m, sizeof(m), &fd, 1) < 0)
        STOQ_ERROR("cannot hand a restarted process to the mirror");
}

static void
restart_zygote(struct supervisor *s)
{
    struct stoq_error err = {0};
    pace(s);
    json_decref(s->zygote.facts);
    stoq_auto_close(&s->zygote.control);
    s->zygote = (struct stoq_zygote){.control = -1};
    if (start_zygote(s, &err) < 0 ||
        stoq_zygote_wait(&s->zygote, LOAD_TIMEOUT_MS, &err) < 0) {
        STOQ_ERROR("the zygote does not start again: %s", err.message);
        if (s->zygote.pid > 0)
            stoq_zygote_end(&s->zygote);
        begin_stop(s, "no scans are possible");
        s->status = EXIT_FAILED;
        return;
    }
    stoqfs_reload_started(&s->reload, &s->zygote);
    (void)stoqfs_reload_tell(&s->reload, s->control, s->zygote.engine_id,
                             s->zygote.control);
}

static void
reload_step(struct supervisor *s)
{
    enum stoqfs_reload_end end = stoqfs_reload_step(&s->reload);
    if (end == STOQFS_RELOAD_TELL)
        (void)stoqfs_reload_tell(&s->reload, s->control, NULL, -1);
    if (end != STOQFS_RELOAD_SWAP)
        return;
    /* the old one ends by itself when the mirror has no more use for it */
    json_decref(s->zygote.facts);
    stoq_auto_close(&s->zygote.control);
    s->zygote = s->reload.next;
    s->reload.next = (struct stoq_zygote){.control = -1};
    (void)stoqfs_reload_tell(&s->reload, s->control, s->zygote.engine_id,
                             s->zygote.control);
}

static void
restart_courier(struct supervisor *s)
{
    struct stoq_error err = {0};
    pace(s);
    stoq_auto_close(&s->courier.control);
    s->courier = (struct stoq_courier){.control = -1};
    if (start_courier(s, &err) < 0 ||
        stoq_courier_wait(&s->courier, LOAD_TIMEOUT_MS, &err) < 0) {
        STOQ_ERROR("the courier does not start again: %s; results stay in the outbox",
                   err.message);
        return;
    }
    hand_over(s, STOQFS_CONTROL_COURIER, s->courier.control);
}

static void
describe(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status))
        (void)snprintf(text, size, "signal %d", WTERMSIG(status));
    else
        (void)snprintf(text, size, "status %d", WEXITSTATUS(status));
}

/* Whether another mirror could go on where this one died. It is also started when the
 * mount is ending: there may be scans to do. */
static bool
may_replace(struct supervisor *s, const char *how)
{
    uint64_t now = stoq_now_ms();
    while (s->control >= 0) /* its last words */
        mirror_said(s);
    if (s->left || s->status != 0)
        return false;
    stoqfs_session_collect(s->session);
    if (*stoqfs_session_off(s->session)) {
        STOQ_ERROR("the mirror cannot be replaced: %s", stoqfs_session_off(s->session));
        return false;
    }
    s->died_ms = now;
    s->young = s->ready_ms && now - s->ready_ms >= YOUNG_MS ? 0 : s->young + 1;
    if (s->young < YOUNG_MOST)
        return true;
    STOQ_ERROR(
        "%u mirrors in a row died as soon as they were started, the last with %s; "
        "ending the mount",
        s->young, how);
    return false;
}

static bool
replace_mirror(struct supervisor *s, const char *how)
{
    struct stoq_error err = {0};
    STOQ_WARN("the mirror ended with %s; starting another", how);
    s->session->shared->restarts++;
    if (start_mirror(s, &err) == 0) {
        if (s->stopping)
            tell_stop(s);
        return true;
    }
    STOQ_ERROR("the mirror does not start again: %s", err.message);
    return false;
}

static void
child_ended(struct supervisor *s, pid_t pid, int status)
{
    char how[32];
    describe(status, how, sizeof(how));
    if (pid == s->mirror) {
        bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (!clean && may_replace(s, how) && replace_mirror(s, how))
            return;
        s->mirror_ended = true;
        if (!clean && s->status == 0)
            s->status = EXIT_FAILED;
        if (!clean && s->status == EXIT_FAILED)
            STOQ_ERROR("the mirror ended with %s", how);
    } else if (pid == s->zygote.pid) {
        s->zygote.pid = 0;
        if (!s->stopping) {
            STOQ_ERROR("the zygote ended with %s; starting another", how);
            restart_zygote(s);
        }
    } else if (stoqfs_reload_child(&s->reload, pid)) {
        STOQ_DEBUG("the zygote being loaded ended with %s", how);
    } else if (pid == s->courier.pid) {
        s->courier.pid = 0;
        if (!s->stopping) {
            STOQ_ERROR("the courier ended with %s; starting another", how);
            restart_courier(s);
        }
    }
}

static void
signalled(struct supervisor *s)
{
    struct signalfd_siginfo si;
    if (read(s->signals, &si, sizeof(si)) != (ssize_t)sizeof(si))
        return;
    if (si.ssi_signo == SIGHUP) {
        stoqfs_reload_ask(&s->reload, 0);
        return;
    }
    if (si.ssi_signo == SIGTERM || si.ssi_signo == SIGINT) {
        begin_stop(s, strsignal((int)si.ssi_signo));
        return;
    }
    int status;
    pid_t pid;
    /* The mirror's end decides whether the others' ends matter. */
    if (s->mirror > 0 && (pid = waitpid(s->mirror, &status, WNOHANG)) > 0)
        child_ended(s, pid, status);
    while (!s->mirror_ended && (pid = waitpid(-1, &status, WNOHANG)) > 0)
        child_ended(s, pid, status);
}

static void
loop(struct supervisor *s)
{
    while (!s->mirror_ended) {
        struct pollfd p[3 + STOQFS_RELOAD_FDS] = {
            {.fd = s->signals, .events = POLLIN},
            {.fd = s->control, .events = POLLIN},
            {.fd = s->session->give[0], .events = POLLIN}};
        nfds_t n = 3 + (s->stopping ? 0 : stoqfs_reload_poll(&s->reload, p + 3));
        if (poll(p, n, s->stopping ? -1 : stoqfs_reload_timeout(&s->reload)) < 0) {
            if (errno == EINTR)
                continue;
            break;
        }
        if (p[1].revents)
            mirror_said(s);
        if (p[2].revents)
            stoqfs_session_collect(s->session);
        if (p[0].revents)
            signalled(s);
        if (!s->stopping && !s->mirror_ended)
            reload_step(s);
    }
}

static int
block_signals(struct stoq_error *err)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno, "sigprocmask");
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd >= 0 ? fd : stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno, "signalfd");
}

static int
bring_up(struct supervisor *s, struct stoq_error *err)
{
    s->signals = block_signals(err);
    if (s->signals < 0)
        return s->signals;
    if (asprintf(&s->db_path, "%s/stoq.db", s->o->state_dir) < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    s->source_fd = open(s->o->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (s->source_fd < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno, "source %s: %s",
                              s->o->source, strerror(errno));
    int r = stoqfs_session_new(&s->session, err);
    if (r == 0)
        r = start_helpers(s, err);
    if (r == 0)
        r = stoqfs_mount_new(s->o, &s->mount, err);
    if (r == 0)
        r = start_mirror(s, err);
    return r;
}

static void
take_down(struct supervisor *s)
{
    stoqfs_mount_free(s->mount);
    if (s->control >= 0)
        (void)close(s->control);
    if (s->courier.pid > 0)
        stoq_courier_end(&s->courier, COURIER_GRACE_MS);
    if (s->zygote.pid > 0)
        stoq_zygote_end(&s->zygote);
    json_decref(s->zygote.facts);
    stoqfs_reload_fini(&s->reload);
    if (s->notify_fd >= 0)
        (void)close(s->notify_fd);
    if (s->source_fd >= 0)
        (void)close(s->source_fd);
    if (s->signals >= 0)
        (void)close(s->signals);
    stoqfs_session_free(s->session);
    free(s->db_path);
}

int
stoqfs_supervise(const struct stoqfs_options *options, int notify_fd)
{
    struct stoq_error err = {0};
    struct supervisor s = {.o = options,
                           .zygote = {.control = -1},
                           .courier = {.control = -1},
                           .control = -1,
                           .signals = -1,
                           .notify_fd = notify_fd,
                           .source_fd = -1,
                           .status = EXIT_START};
    stoq_title_set("stoqfs: supervisor %s", options->mountpoint);
    stoqfs_reload_init(&s.reload, options);
    if (bring_up(&s, &err) < 0)
        (void)fprintf(stderr, "stoqfs: %s\n", err.message);
    else
        loop(&s);
    take_down(&s);
    return s.status;
}
