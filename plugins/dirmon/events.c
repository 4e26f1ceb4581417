/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The life of a monitor: events of inotify(7) as they come, a listing of the whole tree
 * when events were lost, waiting files now and then. While the queue of the run is full
 * a hand-out waits, events pile up in the kernel, and may be lost; the listing that
 * follows finds what they told of.
 */

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <time.h>

#include "dirmon.h"

#define WAITING_MS 200  /* between two looks at files that wait */
#define BLIND_MS   2000 /* between two listings where something is not watched */
#define GONE_MS    500  /* between two looks for a source directory that is gone */

static int
open_root(struct dirmon_monitor *m)
{
    m->root =
        open(m->conf->source_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return m->root < 0 ? -errno : 0;
}

/* The source directory was removed, moved or unmounted. */
static void
root_gone(struct dirmon_monitor *m)
{
    stoq_ctx_log(m->conf->ctx, STOQ_LEVEL_WARNING, "%s is gone; waiting for it",
                 m->conf->source_dir);
    dirmon_watch_drop(m, "");
    if (m->root >= 0)
        (void)close(m->root);
    m->root = -1;
}

/* List the whole tree: what is not remembered is new. */
static int
relist(struct dirmon_monitor *m, enum dirmon_why why)
{
    m->relist = false;
    m->blind = false;
    m->generation++;
    int r = dirmon_watch_tree(m, "", why);
    if (r == 0) {
        dirmon_watch_prune(m);
        dirmon_seen_prune(m);
    }
    return r;
}

/* ------------------------------------------------------------------------- events */

static int
on_directory(struct dirmon_monitor *m, uint32_t mask, const char *path)
{
    if (mask & IN_MOVED_FROM)
        dirmon_watch_drop(m, path);
    /* a file that was moved on into it already has only a new name */
    if (mask & (IN_MOVED_TO | IN_CREATE))
        return dirmon_watch_tree(m, path, DIRMON_NAMED);
    return 0;
}

static int
on_event(struct dirmon_monitor *m, const struct inotify_event *e, uint64_t offset)
{
    if (e->mask & IN_Q_OVERFLOW) {
        stoq_ctx_log(m->conf->ctx, STOQ_LEVEL_INFO,
                     "%s: too many events at once, listing the tree",
                     m->conf->source_dir);
        m->relist = true;
        return 0;
    }
    const char *dir = dirmon_watch_path(m, e->wd);
    if (!dir || m->root < 0)
        return 0;
    bool is_root = !dir[0];
    if (is_root && (e->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT))) {
        root_gone(m);
        return 0;
    }
    if (e->mask & IN_IGNORED) {
        dirmon_watch_forget(m, e->wd);
        return 0;
    }
    if (e->len == 0)
        return 0;
    PLUGIN_AUTOFREE char *path = NULL;
    if (asprintf(&path, "%s%s%s", dir, is_root ? "" : "/", e->name) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    if (e->mask & IN_ISDIR)
        return on_directory(m, e->mask, path);
    if (e->mask & IN_CLOSE_WRITE)
        return dirmon_offer(m, path, DIRMON_CLOSED, offset);
    if (e->mask & (IN_MOVED_TO | IN_CREATE))
        return dirmon_offer(m, path, DIRMON_NAMED, offset);
    return 0;
}

static int
read_events(struct dirmon_monitor *m)
{
    char buffer[65536] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t n = read(m->notify, buffer, sizeof buffer);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    uint64_t first = m->read;
    m->read += (uint64_t)n;
    int r = 0;
    for (size_t at = 0; r == 0 && at < (size_t)n;) {
        const struct inotify_event *e = (const void *)(buffer + at);
        r = on_event(m, e, first + at);
        at += sizeof *e + e->len;
    }
    return r;
}

/* --------------------------------------------------------------------------- time */

static uint64_t
now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* How long until something is due without an event; 0 = never. */
static unsigned
interval(const struct dirmon_monitor *m)
{
    if (m->root < 0)
        return GONE_MS;
    if (m->waiting_count > 0)
        return WAITING_MS;
    return m->blind ? BLIND_MS : 0;
}

/* What is due by time. @listed: of the last listing, updated. */
static int
on_time(struct dirmon_monitor *m, uint64_t *listed)
{
    uint64_t now = now_ms();
    if (m->root < 0) {
        m->relist = open_root(m) == 0;
    } else if (m->blind && now - *listed >= BLIND_MS) {
        m->relist = true;
    }
    if (m->relist)
        *listed = now;
    return m->root >= 0 && m->waiting_count > 0 ? dirmon_offer_waiting(m) : 0;
}

static int
loop(struct dirmon_monitor *m)
{
    struct pollfd fds[] = {{.fd = m->notify, .events = POLLIN},
                           {.fd = stoq_queue_cancel_fd(m->queue), .events = POLLIN}};
    uint64_t listed = now_ms(), ticked = listed;
    for (int r = 0; r == 0;) {
        unsigned wait = interval(m);
        int n = poll(fds, 2, m->relist ? 0 : wait ? (int)wait : -1);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0 && fds[1].revents)
            return -ECANCELED;
        if (n > 0 && fds[0].revents)
            r = read_events(m);
        if (r == 0 && wait > 0 && now_ms() - ticked >= wait) {
            ticked = now_ms();
            r = on_time(m, &listed);
        }
        if (r == 0 && m->relist && m->root >= 0)
            r = relist(m, DIRMON_FOUND);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ------------------------------------------------------------------ start and end */

static int
run(struct dirmon_monitor *m, struct stoq_error *err)
{
    m->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (m->notify < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno, "inotify: %s",
                              strerrordesc_np(errno));
    int r = open_root(m);
    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, r, "%s: %s", m->conf->source_dir,
                              strerrordesc_np(-r));
    r = relist(m, m->conf->existing ? DIRMON_FOUND : DIRMON_KNOWN);
    if (r == 0) {
        stoq_ctx_log(m->conf->ctx, STOQ_LEVEL_INFO,
                     "Monitoring %s for newly created files...", m->conf->source_dir);
        r = loop(m);
    }
    if (r == -ECANCELED)
        return 0;
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "%s: %s", m->conf->source_dir,
                          strerrordesc_np(-r));
}

/* Take back the signal that a broken lease may have left for this thread. */
static void
drain(const sigset_t *leases)
{
    const struct timespec none = {0};
    while (sigtimedwait(leases, NULL, &none) > 0)
        ;
}

int
dirmon_monitor_run(struct dirmon_monitor *m, struct stoq_error *err)
{
    sigset_t leases, before;
    (void)sigemptyset(&leases);
    (void)sigaddset(&leases, SIGIO);
    (void)pthread_sigmask(SIG_BLOCK, &leases, &before);
    m->notify = -1;
    m->root = -1;
    int r = run(m, err);
    if (m->notify >= 0)
        (void)close(m->notify);
    if (m->root >= 0)
        (void)close(m->root);
    dirmon_watch_fini(m);
    dirmon_seen_fini(m);
    dirmon_waiting_fini(m);
    if (!sigismember(&before, SIGIO))
        drain(&leases);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}
