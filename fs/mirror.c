/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Assembly of the mirror. Taking apart goes: stop watching, finish scans, answer who
 * still waits, end the pool, commit the store, tell the courier, free the session.
 * One extra thread listens to the supervisor.
 */

#include "mirror.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cache.h"
#include "control.h"
#include "core/config.h"
#include "courier/deliver.h"
#include "gate.h"
#include "journal.h"
#include "mount.h"
#include "node.h"
#include "opens.h"
#include "ops.h"
#include "ops_impl.h"
#include "pass.h"
#include "pending.h"
#include "readahead.h"
#include "rules.h"
#include "session.h"
#include "stale.h"
#include "stoqfs.h"
#include "util/auto.h"
#include "util/io.h"
#include "util/log.h"
#include "watch.h"

#define EXIT_FAILED 1
#define EXIT_START  2
#define DRAIN_MS    10000 /* what takes longer is kept for the next start */

/* An engine id that fs.engine_now points to, or did. */
struct engine_name {
    struct engine_name *next;
    char id[STOQ_SHA256_HEX];
};

struct mirror {
    struct stoqfs fs;
    struct engine_name *engines; /* the control thread's */
    int control;
    pthread_t main_thread, control_thread;
    bool control_running;
    int wake[2]; /* ends the control thread */
};

static void
say(struct mirror *m, enum stoqfs_control_type type, const char *text)
{
    struct stoqfs_control msg = {.type = type};
    (void)snprintf(msg.text, sizeof(msg.text), "%s", text);
    if (stoq_msg_send(m->control, &msg, sizeof(msg), NULL, 0) < 0)
        STOQ_ERROR("the supervisor does not listen");
}

/* The loop runs in the main thread, which SIGTERM interrupts. */
static void
leave_loop(struct mirror *m)
{
    (void)pthread_kill(m->main_thread, SIGTERM);
}

/* Before the pool has the new zygote: a scan that begins too early is done again, one
 * that is told of too late would count as made by the new rules. */
static int
engine_is(struct mirror *m, const char *id)
{
    const char *now = atomic_load(&m->fs.engine_now);
    if (strcmp(now, id) == 0)
        return 0;
    struct engine_name *e = malloc(sizeof(*e));
    if (!e)
        return -ENOMEM;
    STOQ_INFO("engine %s instead of %s: results of others are stale", id, now);
    (void)snprintf(e->id, sizeof(e->id), "%.64s", id);
    e->next = m->engines; /* others may still read the one before: all are kept */
    m->engines = e;
    atomic_store(&m->fs.engine_now, e->id);
    stoqfs_gate_engine(m->fs.gate, e->id);
    stoqfs_cache_swapped(&m->fs);
    stoqfs_stale_wake(m->fs.stale);
    return 0;
}

/* A zygote to scan with from now on, after a reload or because the one before died.
 * Without memory it is let go, and the supervisor starts another. The report is last:
 * who sees it finds the new rules in force. */
static void
take_zygote(struct mirror *m, const char *id, int *fd, int report)
{
    if (engine_is(m, id) == 0)
        stoq_pool_set_zygote(m->fs.pool, STOQ_STEAL_FD(fd), id);
    if (!stoqfs_rules_report(m->fs.rules, report))
        atomic_fetch_add(&m->fs.counters.zygote_restarts, 1);
}

static void
obey(struct mirror *m, const struct stoqfs_control *msg, int *fds, size_t nfds)
{
    if (msg->type == STOQFS_CONTROL_STOP) {
        leave_loop(m);
    } else if (msg->type == STOQFS_CONTROL_ZYGOTE && nfds == 2) {
        take_zygote(m, msg->text, &fds[1], fds[0]);
    } else if (msg->type == STOQFS_CONTROL_RELOADED && nfds == 1) {
        (void)stoqfs_rules_report(m->fs.rules, fds[0]);
    } else if (msg->type == STOQFS_CONTROL_COURIER && nfds == 1 && m->fs.courier) {
        atomic_fetch_add(&m->fs.counters.courier_restarts, 1);
        stoq_courier_client_set(m->fs.courier, STOQ_STEAL_FD(&fds[0]));
    }
}

/* @return false when the supervisor is gone. */
static bool
control_message(struct mirror *m)
{
    struct stoqfs_control msg;
    int fds[STOQ_MSG_MAX_FDS];
    size_t nfds = 0;
    ssize_t n = stoq_msg_recv(m->control, &msg, sizeof(msg), fds, &nfds);
    if (n <= 0)
        return false;
    msg.text[sizeof(msg.text) - 1] = '\0';
    if (n == (ssize_t)sizeof(msg))
        obey(m, &msg, fds, nfds);
    for (size_t i = 0; i < nfds; i++)
        stoq_auto_close(&fds[i]);
    return true;
}

/* What is open for writing is scanned when it is closed: it is dirty. */
static void
scan_due(void *arg, struct stoqfs_node *n)
{
    if (stoqfs_node_writers(n) == 0 && stoqfs_node_take_dirty(n))
        stoqfs_scan_written(arg, n);
}

/* What nobody did while there was no mirror, or what went down with the one before. */
static void
catch_up(struct stoqfs *fs)
{
    stoqfs_cache_drop(fs);
    stoqfs_nodes_due(fs->nodes, scan_due, fs);
    if (fs->courier)
        stoq_courier_client_wake(fs->courier);
}

static void *
control_main(void *arg)
{
    struct mirror *m = arg;
    (void)prctl(PR_SET_NAME, "control");
    if (m->fs.restarted)
        catch_up(&m->fs);
    for (;;) {
        struct pollfd p[2] = {{.fd = m->control, .events = POLLIN},
                              {.fd = m->wake[0], .events = POLLIN}};
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (p[1].revents)
            return NULL;
        if (p[0].revents && !control_message(m)) {
            STOQ_ERROR("the supervisor is gone; ending the mount");
            stoqfs_mount_take_away(m->fs.options->mountpoint);
            leave_loop(m);
            return NULL;
        }
    }
}

static int
start_control(struct mirror *m, struct stoq_error *err)
{
    sigset_t all, old;
    if (pipe2(m->wake, O_CLOEXEC) < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno, "pipe");
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &old);
    int r = pthread_create(&m->control_thread, NULL, control_main, m);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    m->control_running = r == 0;
    return r ? stoq_error_set(err, STOQ_ERROR_SYSTEM, -r, "cannot start a thread") : 0;
}

static void
zygote_lost(void *arg)
{
    (void)arg; /* the supervisor saw it too and sends another */
    STOQ_WARN("the zygote is gone; scans wait for another");
}

static bool
reuse(void *arg, const uint8_t sha256[STOQ_SHA256_SIZE], char **text, size_t *size)
{
    const struct stoqfs *fs = arg;
    return fs->gate && stoqfs_gate_reuse(fs->gate, sha256, text, size);
}

static int
open_store(struct stoqfs *fs, struct stoq_error *err)
{
    struct stoq_store_report report = {0};
    struct stoq_bounds bounds;
    int r = stoq_store_open(fs->options->state_dir, &fs->store, &report, err);
    stoq_delivery_bounds(fs->options->config, &bounds);
    if (r == 0)
        stoq_store_set_bounds(fs->store, &bounds);
    if (r == 0 && report.moved_aside[0])
        STOQ_WARN(
            "the results database was damaged or not ours; it is kept as %s, and a "
            "new one was begun",
            report.moved_aside);
    return r;
}

static int
open_pool(struct stoqfs *fs, const struct stoqfs_mirror_start *start,
          struct stoq_error *err)
{
    const struct stoq_pool_config config = {
        .config = fs->options->config,
        .zygote_fd = start->zygote->control,
        .engine_id = start->zygote->engine_id,
        .scanners = fs->options->scanners,
        .zygote_lost = zygote_lost,
        .reuse = reuse,
        .arg = fs,
    };
    return stoq_pool_new(&config, &fs->pool, err);
}

static int
open_session(struct stoqfs *fs, int fuse_fd, struct stoq_error *err)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    int r = fuse_opt_add_arg(&args, "stoqfs");
    if (r == 0 && fs->options->debug)
        r = fuse_opt_add_arg(&args, "-odebug");
    if (r == 0)
        fs->se = fuse_session_new(&args, &stoqfs_ops, sizeof(stoqfs_ops), fs);
    fuse_opt_free_args(&args);
    if (!fs->se)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -EIO,
                              "cannot make a FUSE session");
    r = stoqfs_pass_new(fs, fuse_fd, &fs->pass, err);
    if (r < 0)
        return r;
    if (fuse_set_signal_handlers(fs->se) < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -EIO,
                              "cannot set signal handlers");
    return 0;
}

/* Everything but the watch, which needs a session that answers. */
static int
assemble(struct mirror *m, const struct stoqfs_mirror_start *start,
         struct stoq_error *err)
{
    struct stoqfs *fs = &m->fs;
    const struct stoq_config *c = start->options->config;
    fs->options = start->options;
    fs->session = start->session;
    fs->restarted = start->restarted;
    fs->source_fd = start->source_fd;
    fs->finish = c->dest_archivers.count || c->decorators.count;
    fs->engine_facts = start->zygote->facts;
    fs->started_ms = fs->session->shared->mounted_ms;
    (void)snprintf(fs->engine_id, sizeof(fs->engine_id), "%s",
                   start->zygote->engine_id);

    atomic_store(&fs->engine_now, fs->engine_id);

    int r = open_store(fs, err);
    if (r == 0)
        r = stoqfs_nodes_new(fs->source_fd, fs->session, &fs->nodes, err);
    if (r == 0)
        r = stoqfs_opens_new(fs, &fs->opens, err);
    if (r == 0)
        r = stoqfs_journal_new(fs->session, &fs->journal);
    if (r == 0 && start->courier >= 0)
        r = stoq_courier_client_new(start->courier, &fs->courier, err);
    if (r == 0)
        r = open_pool(fs, start, err);
    if (r == 0)
        r = stoqfs_rules_new(start->rules, m->control, &fs->rules, err);
    if (r == 0)
        r = stoqfs_gate_new(fs, &fs->gate, err);
    if (r == 0 && fs->options->rescan)
        r = stoqfs_stale_new(fs, &fs->stale, err);
    if (r == 0)
        r = stoqfs_readahead_new(fs, &fs->readahead, err);
    if (r == 0)
        r = open_session(fs, start->fuse_fd, err);
    return r == 0 ? start_control(m, err) : r;
}

static void
start_watch(struct stoqfs *fs)
{
    struct stoq_error err = {0};
    if (stoqfs_watch_new(fs, &fs->watch, &err) < 0)
        STOQ_WARN("changes behind the mount are noticed only when files are opened: %s",
                  err.message);
}

static void
take_apart(struct mirror *m)
{
    struct stoqfs *fs = &m->fs;
    stoqfs_watch_free(fs->watch);
    if (m->control_running) {
        (void)stoq_write_full(m->wake[1], "", 1);
        (void)pthread_join(m->control_thread, NULL);
    }
    stoqfs_readahead_stop(fs->readahead);
    stoqfs_stale_free(fs->stale);
    if (fs->gate && stoqfs_gate_drain(fs->gate, DRAIN_MS) < 0) {
        int left = stoqfs_pending_save(fs);
        STOQ_WARN("leaving with %d scans unfinished; they are kept for the next start",
                  left);
    }
    if (fs->gate)
        stoqfs_pending_done(fs);
    stoqfs_gate_free(fs->gate);
    stoq_pool_free(fs->pool);
    stoqfs_readahead_free(fs->readahead);
    if (fs->courier)
        stoq_courier_client_wake(fs->courier);
    stoq_courier_client_free(fs->courier);
    stoq_store_free(fs->store);
    if (fs->se) {
        fuse_remove_signal_handlers(fs->se);
        fuse_session_destroy(fs->se);
    }
    stoqfs_pass_free(fs->pass);
    stoqfs_opens_free(fs->opens);
    stoqfs_journal_free(fs->journal);
    stoqfs_nodes_free(fs->nodes);
    stoqfs_rules_free(fs->rules);
    while (m->engines) {
        struct engine_name *e = m->engines;
        m->engines = e->next;
        free(e);
    }
    if (fs->source_fd >= 0)
        (void)close(fs->source_fd);
    if (m->wake[0] >= 0) {
        (void)close(m->wake[0]);
        (void)close(m->wake[1]);
    }
    (void)close(m->control);
}

static int
loop(struct mirror *m)
{
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    if (!config)
        return EXIT_FAILED;
    /* Nobody parks in a handler, so few threads are enough; idle ones are kept, since
     * making and ending threads under load costs more than the load. */
    fuse_loop_cfg_set_clone_fd(config, 0);
    fuse_loop_cfg_set_max_threads(config, m->fs.options->threads);
    fuse_loop_cfg_set_idle_threads(config, m->fs.options->threads);
    int r = fuse_session_loop_mt(m->fs.se, config);
    fuse_loop_cfg_destroy(config);
    /* > 0: the number of the signal that ended it, which is how we are told to stop */
    if (r < 0)
        STOQ_ERROR("the FUSE loop ended: %s", strerror(-r));
    return r < 0 ? EXIT_FAILED : 0;
}

static void
say_ready(struct mirror *m)
{
    char text[sizeof(((struct stoqfs_control *)NULL)->text)];
    const char *off = stoqfs_session_off(m->fs.session);
    (void)snprintf(text, sizeof(text),
                   "kernel passthrough %s; page cache %s; restart %s%s",
                   stoqfs_pass_state(m->fs.pass),
                   m->fs.options->strict ? "not kept (coherence=strict)" : "kept",
                   *off ? "off: " : "on", off);
    say(m, STOQFS_CONTROL_READY, text);
}

int
stoqfs_mirror_run(const struct stoqfs_mirror_start *start)
{
    struct mirror m = {.control = start->control,
                       .main_thread = pthread_self(),
                       .wake = {-1, -1},
                       .fs = {.source_fd = -1}};
    struct stoq_error err = {0};
    int status = EXIT_START;
    if (assemble(&m, start, &err) < 0) {
        say(&m, STOQFS_CONTROL_FAILED, err.message);
    } else {
        start_watch(&m.fs);
        stoqfs_pending_load(&m.fs);
        /* before any request is read: those that this mirror reads are not to come
         * twice */
        if (start->restarted && !stoqfs_pass_resend(m.fs.pass))
            STOQ_INFO("the mount has ended meanwhile");
        say_ready(&m);
        status = loop(&m);
        say(&m, STOQFS_CONTROL_LEAVING, "");
    }
    take_apart(&m);
    return status;
}
