/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zygote process: loads the engine, then forks scanners on request and tells how
 * they ended. One thread, no lock; it never reads a payload.
 */
#include "pool/zygote_child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "core/config.h"
#include "core/engine.h"
#include "pool/relay.h"
#include "pool/sandbox.h"
#include "pool/scanner.h"
#include "pool/wire.h"
#include "util/auto.h"
#include "util/child.h"
#include "util/json.h"
#include "util/log.h"
#include "util/title.h"

struct zygote {
    const struct stoq_zygote_setup *setup;
    struct stoq *stoq;
    struct stoq_sandbox *sandbox;
    struct stoq_strv scratch;
    struct stoq_sandbox_report report; /* of a trial */
    struct stoq_relay relay;
    int control;
    int children; /* signalfd */
    pid_t *scanners;
    size_t count, room;
};

static void
show_title(const struct stoq_zygote_setup *setup, const char *what)
{
    if (setup->label)
        stoq_title_set("stoqfs: %s %s", what, setup->label);
    else
        stoq_title_set("stoq: %s", what);
}

/** Nobody reads a daemon's standard error once the mount is usable, so the log's file
 *  is opened here, too; but not in scanners (@p file false), which could spoil it. */
static void
set_up_log(const struct stoq_zygote_setup *setup, bool file)
{
    const struct stoq_config *c = setup->config;
    struct stoq_log_config log = {
        .level = STOQ_LEVEL_INFO,
        .ident = setup->label ? "stoqfs" : "stoq",
        .dir = file ? c->log_dir : NULL,
        .max_bytes = (size_t)c->log_maxbytes,
        .backups = (unsigned)c->log_backup_count,
        .json = strcmp(c->log_syntax, "json") == 0,
        .quiet = file && setup->label && c->log_dir && *c->log_dir,
    };

    (void)stoq_log_level_parse(c->log_level, &log.level);
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

/** Make the sandbox, and try it, so that what it lacks is known before the first scan.
 */
static int
close_sandbox(struct zygote *z, struct stoq_error *err)
{
    char text[1024] = "";
    int r = stoq_engine_scratch(z->stoq, &z->scratch);

    if (r == 0)
        r = stoq_sandbox_new(stoq_engine_config(z->stoq), &z->scratch, &z->sandbox);
    if (r == 0)
        r = stoq_sandbox_try(z->sandbox, &z->report);
    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "cannot try the sandbox: %s",
                              strerror(-r));
    if (stoq_sandbox_unmet(z->sandbox, &z->report, text, sizeof(text)))
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EPERM, "%s", text);
    if (stoq_sandbox_closes(z->sandbox) && stoq_relay_open(&z->relay) < 0)
        STOQ_WARN("scanners write to standard error themselves");
    stoq_sandbox_tell(z->sandbox, &z->report, text, sizeof(text));
    if (z->report.failed)
        STOQ_WARN("sandbox of scanners, %s", text);
    else if (z->setup->label)
        STOQ_INFO("sandbox of scanners, %s", text);
    else
        STOQ_DEBUG("sandbox of scanners, %s", text);
    return 0;
}

static int
send_ready(struct zygote *z)
{
    struct stoq_wire_ready w = {.head.type = STOQ_WIRE_READY};
    struct stoq_wire_out out = {.head = &w.head, .size = sizeof(w)};
    const char *id = stoq_engine_id(z->stoq);
    json_t *facts = stoq_engine_facts(z->stoq);
    STOQ_AUTOFREE char *text = NULL;

    if (facts &&
        json_object_set_new(facts, "sandbox",
                            stoq_sandbox_describe(z->sandbox, &z->report)) == 0)
        text = stoq_json_dump(facts, false);
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
become_scanner(void *arg, int sock, pid_t parent)
{
    struct zygote *z = arg;
    sigset_t none;

    if (stoq_child_follow_parent(parent) < 0)
        return 1;
    (void)close(z->control);
    (void)close(z->children);
    stoq_relay_join(&z->relay);
    set_up_log(z->setup, false);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    show_title(z->setup, "scanner");
    return stoq_scanner_main(z->stoq, z->sandbox, sock);
}

static bool
note_scanner(struct zygote *z, pid_t pid)
{
    if (z->count == z->room) {
        size_t room = z->room ? z->room * 2 : 16;
        pid_t *more = realloc(z->scanners, room * sizeof(*more));

        if (!more)
            return false;
        z->scanners = more;
        z->room = room;
    }
    z->scanners[z->count++] = pid;
    return true;
}

static void
forget_scanner(struct zygote *z, pid_t pid)
{
    for (size_t i = 0; i < z->count; i++) {
        if (z->scanners[i] == pid) {
            z->scanners[i] = z->scanners[--z->count];
            return;
        }
    }
}

/** Of the scanners of a pool that is gone nobody watches the time. They are not reaped
 *  yet, so the numbers are still theirs. */
static void
clear_scanners(const struct zygote *z)
{
    for (size_t i = 0; i < z->count; i++)
        (void)kill(z->scanners[i], SIGKILL);
}

/** @return the pid, with the pool's descriptors in @p out, or -errno. */
static pid_t
fork_scanner(struct zygote *z, int out[2])
{
    pid_t pid = 0;
    int r = stoq_child_spawn(become_scanner, z, &pid, &out[0], NULL);

    if (r < 0)
        return r;
    /* not reaped yet, so the number is still that process */
    out[1] = (int)syscall(SYS_pidfd_open, pid, 0U);
    if (out[1] < 0 || !note_scanner(z, pid)) {
        int saved = out[1] < 0 ? errno : ENOMEM;

        (void)kill(pid, SIGKILL);
        stoq_auto_close(&out[1]);
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
        forget_scanner(z, w.pid);
        r = stoq_wire_send(z->control, &out);
    }
    return r;
}

/** A scan needs a plugin that was not loaded; scanners forked from now on have it, or
 *  know why not. It may be one that makes temporary files. */
static int
serve_load(struct zygote *z, const char *name)
{
    const struct stoq_catalogue *all = stoq_engine_catalogue(z->stoq);
    struct stoq_error err = {.code = 0};
    int r;

    if (!stoq_catalogue_find(all, name))
        return 0;
    if (stoq_load_plugin(z->stoq, name, &err) < 0)
        STOQ_DEBUG("cannot load %s: %s", name, err.message);
    r = stoq_engine_scratch(z->stoq, &z->scratch);
    stoq_sandbox_renew(z->sandbox);
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
    if (msg.u.head.type == STOQ_WIRE_LOAD) {
        msg.u.want.name[sizeof(msg.u.want.name) - 1] = '\0';
        return serve_load(z, msg.u.want.name);
    }
    if (msg.u.head.type == STOQ_WIRE_CLEAR) {
        clear_scanners(z);
        return 0;
    }
    stoq_wire_close(&msg);
    return -EPROTO;
}

static int
serve(struct zygote *z)
{
    struct pollfd p[3] = {
        {.fd = z->control, .events = POLLIN},
        {.fd = z->children, .events = POLLIN},
        {.fd = z->relay.in, .events = POLLIN},
    };

    for (;;) {
        int r = 0;

        if (poll(p, 3, -1) < 0 && errno != EINTR)
            return -errno;
        if (p[2].revents)
            stoq_relay_pump(&z->relay);
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
stoq_zygote_main(void *arg, int control, pid_t parent)
{
    const struct stoq_zygote_setup *setup = arg;
    struct zygote z = {.setup = setup,
                       .relay = STOQ_RELAY_INIT,
                       .control = STOQ_CHILD_CONTROL,
                       .children = -1};
    struct stoq_error err = {.code = 0};
    int r;

    stoq_log_fini();
    stoq_child_reset_signals();
    if (stoq_child_follow_parent(parent) < 0 || stoq_child_keep(control, false) < 0)
        return 1;
    show_title(setup, "zygote");
    set_up_log(setup, true);
    r = load(&z, &err);
    if (r == 0)
        r = close_sandbox(&z, &err);
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
    if (z.relay.in >= 0)
        stoq_relay_pump(&z.relay);
    return r == -EPIPE || r == -ECONNRESET ? 0 : 1;
}
