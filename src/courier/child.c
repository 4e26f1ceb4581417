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
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "core/config.h"
#include "courier/deliver.h"
#include "courier/finish.h"
#include "store/files.h"
#include "util/auto.h"
#include "util/child.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/title.h"

/* When the mirror died without a word: how long the last pass may take. */
#define GRACE_MS 5000

/* Messages read between two rows of the outbox. */
#define MESSAGES 16

struct courier {
    struct stoq *stoq;
    struct stoq_delivery *delivery;
    int control;
    int changes; /* inotify on the state directory, or -1 */
    uint64_t grace_ms;
};

/* Nobody reads a daemon's standard error once the mount is usable, so the log's file is
 * opened here, too. The level is what the parent's log had, which a command line may
 * have raised over the configuration. */
static void
set_up_log(const struct stoq_courier_setup *setup)
{
    const struct stoq_config *c = setup->config;
    struct stoq_log_config log = {
        .level = STOQ_LEVEL_DEBUG,
        .ident = setup->label ? "stoqfs" : "stoq",
        .dir = c->log_dir,
        .max_bytes = (size_t)c->log_maxbytes,
        .backups = (unsigned)c->log_backup_count,
        .json = strcmp(c->log_syntax, "json") == 0,
        .quiet = setup->label && c->log_dir && *c->log_dir,
    };

    while (log.level > STOQ_LEVEL_ERROR && !stoq_log_enabled(log.level))
        log.level = (enum stoq_level)(log.level - 1);
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

/* Whoever else changes the outbox, an operator with the command, opens and closes the
 * database for it. @return inotify, or -1: then it is noticed later. */
static int
watch_database(const char *path)
{
    STOQ_AUTOFREE char *dir = strdup(path);
    STOQ_AUTOCLOSE int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    char *slash = dir ? strrchr(dir, '/') : NULL;

    if (!slash || fd < 0)
        return -1;
    slash[slash == dir ? 1 : 0] = '\0';
    return inotify_add_watch(fd, dir, IN_CLOSE_WRITE) < 0 ? -1 : STOQ_STEAL_FD(&fd);
}

static void
read_changes(struct courier *c)
{
    _Alignas(struct inotify_event) char buf[4096];
    bool ours = false;
    ssize_t n;

    while ((n = read(c->changes, buf, sizeof buf)) > 0) {
        for (const char *at = buf; at < buf + n;) {
            const struct inotify_event *e = (const void *)at;

            ours |= (e->mask & IN_Q_OVERFLOW) ||
                    (e->len && strcmp(e->name, STOQ_DB_NAME) == 0);
            at += sizeof *e + e->len;
        }
    }
    if (ours)
        stoq_delivery_look_again(c->delivery);
}

static void
serve(struct courier *c)
{
    struct pollfd p[2] = {{.fd = c->control, .events = POLLIN},
                          {.fd = c->changes, .events = POLLIN}};
    int wait_ms = -1;

    while (read_control(c)) {
        if (stoq_delivery_step(c->delivery, &wait_ms))
            continue;
        if (poll(p, 2, wait_ms) == 0)
            stoq_delivery_wake(c->delivery);
        else if (p[1].revents)
            read_changes(c);
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
stoq_courier_main(void *arg, int control, pid_t parent)
{
    const struct stoq_courier_setup *setup = arg;
    struct courier c = {
        .control = STOQ_CHILD_CONTROL, .changes = -1, .grace_ms = GRACE_MS};
    int r = stoq_child_follow_parent(parent);

    stoq_child_reset_signals();
    stoq_log_fini();
    if (r == 0)
        r = stoq_child_keep(control, true); /* connectors print */
    if (r < 0 || fcntl(c.control, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
        return EXIT_FAILURE;
    set_up_log(setup);
    if (setup->label)
        stoq_title_set("stoqfs: courier %s", setup->label);
    else
        stoq_title_set("stoq: courier");
    c.changes = watch_database(setup->db_path);
    if (load(&c, setup) == 0) {
        serve(&c);
        last_pass(&c);
    } else {
        r = -EIO;
    }
    stoq_delivery_free(c.delivery);
    stoq_free(c.stoq);
    stoq_auto_close(&c.changes);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
