/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whether one file is handed out. It is when it is a regular file, nobody has it open
 * for writing, and it is news: see is_news(). Whether it is open for writing the kernel
 * tells by refusing a read lease (fcntl(2), F_SETLEASE). Where leases cannot be had -
 * files of others without CAP_LEASE, file systems without them - the event that a
 * writer closed it has to do, and for files without one a time of rest.
 */

#include <fcntl.h>
#include <linux/openat2.h>
#include <search.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "dirmon.h"

#define REST_SECONDS 2 /* unchanged for so long, a file counts as complete */
#define SECOND_NS    INT64_C(1000000000)
#define FINE_TICK_NS INT64_C(50000000)
#define WAITING_MAX  65536U

enum writers { WRITERS_NONE, WRITERS_SOME, WRITERS_UNKNOWN };

int
dirmon_open_below(const struct dirmon_monitor *m, const char *path, uint64_t flags)
{
    const struct open_how how = {.flags = flags | O_CLOEXEC,
                                 .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
                                            RESOLVE_NO_MAGICLINKS};
    long fd = -1;
    do
        fd = syscall(SYS_openat2, m->root, path[0] ? path : ".", &how, sizeof how);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : (int)fd;
}

/* ------------------------------------------------------------------------ waiting */

static int
by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Look at @path again later. */
static int
let_wait(struct dirmon_monitor *m, const char *path)
{
    if (m->waiting_count >= WAITING_MAX) {
        m->blind = true;
        return 0;
    }
    if (tfind(path, &m->waiting, by_text))
        return 0;
    char *copy = strdup(path);
    if (!copy || !tsearch(copy, &m->waiting, by_text)) {
        free(copy);
        return -ENOMEM;
    }
    m->waiting_count++;
    return 0;
}

struct texts {
    char **items;
    size_t count;
};

static void
collect(const void *node, VISIT visit, void *arg)
{
    struct texts *t = arg;
    if (visit == postorder || visit == leaf)
        t->items[t->count++] = *(char *const *)node;
}

static void
keep(void *text)
{
    (void)text;
}

int
dirmon_offer_waiting(struct dirmon_monitor *m)
{
    struct texts t = {.items = calloc(m->waiting_count + 1, sizeof(char *))};
    if (!t.items)
        return -ENOMEM;
    twalk_r(m->waiting, collect, &t);
    tdestroy(m->waiting, keep); /* the texts are in t now */
    m->waiting = NULL;
    m->waiting_count = 0;
    int r = 0;
    for (size_t i = 0; i < t.count; i++) {
        if (r == 0)
            r = dirmon_offer(m, t.items[i], DIRMON_NAMED, UINT64_MAX);
        free(t.items[i]);
    }
    free(t.items);
    return r;
}

void
dirmon_waiting_fini(struct dirmon_monitor *m)
{
    tdestroy(m->waiting, free);
    m->waiting = NULL;
    m->waiting_count = 0;
}

/* ----------------------------------------------------------------------- one file */

static bool
same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Whether the version that is remembered was so young that the file may have changed
 * since without a trace in its times: they tick with the kernel, or in whole seconds.
 */
static bool
was_young(const struct dirmon_seen *s)
{
    int64_t window = s->ctime.tv_nsec ? FINE_TICK_NS : REST_SECONDS * SECOND_NS;
    int64_t age = (int64_t)(s->when.tv_sec - s->ctime.tv_sec);
    if (age > REST_SECONDS || age < 0)
        return age < 0;
    return age * SECOND_NS + s->when.tv_nsec - s->ctime.tv_nsec < window;
}

/*
 * Whether @st is another version than the one that is remembered, if one is.
 * A rename changes ctime, so after one size and mtime decide. After a close of a writer
 * ctime counts too, which nobody can set, and a version that was young is no proof -
 * unless the event is older than the hand-out.
 */
static bool
is_news(const struct dirmon_seen *s, const struct stat *st, enum dirmon_why why,
        uint64_t offset)
{
    if (!s || s->size != st->st_size || !same_time(s->mtime, st->st_mtim))
        return true;
    if (why == DIRMON_NAMED || why == DIRMON_KNOWN)
        return false;
    if (why == DIRMON_CLOSED && offset < s->barrier)
        return false;
    if (!same_time(s->ctime, st->st_ctim))
        return true;
    return why == DIRMON_CLOSED && was_young(s);
}

/* A writer that opens the file while the lease is held waits until it is given up,
 * which is at once, and makes a signal, to this thread alone, which blocks it. */
static enum writers
writers_of(int fd)
{
    const struct f_owner_ex owner = {.type = F_OWNER_TID, .pid = gettid()};
    if (fcntl(fd, F_SETOWN_EX, &owner) < 0)
        return WRITERS_UNKNOWN;
    if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
        return errno == EAGAIN ? WRITERS_SOME : WRITERS_UNKNOWN;
    (void)fcntl(fd, F_SETLEASE, F_UNLCK);
    return WRITERS_NONE;
}

/* Whether nothing has touched the file for a while. */
static bool
at_rest(const struct stat *st)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec - st->st_ctim.tv_sec > REST_SECONDS;
}

/* {filename, source_dir} of @path, which is absolute. */
static json_t *
extra_data(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t dir = (size_t)(slash - path);
    json_t *extra = json_object();
    if (!extra ||
        stoq_json_set_text(extra, "filename", slash + 1, strlen(slash + 1)) < 0 ||
        stoq_json_set_text(extra, "source_dir", dir > 0 ? path : "/",
                           dir > 0 ? dir : 1) < 0) {
        json_decref(extra);
        return NULL;
    }
    return extra;
}

/* An empty file may just have been created by somebody whose open(2) has not got as far
 * as to count as a writer's. */
static bool
is_being_made(const struct stat *st)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return st->st_size == 0 && now.tv_sec - st->st_ctim.tv_sec < REST_SECONDS;
}

/* Put the file into the queue; @fd is taken. */
static int
hand_out(struct dirmon_monitor *m, int fd, const char *path)
{
    PLUGIN_AUTOCLOSE int owned = fd;
    PLUGIN_AUTOFREE char *full = NULL;
    const char *root = m->conf->source_dir;
    if (asprintf(&full, "%s/%s", strcmp(root, "/") ? root : "", path) < 0) {
        full = NULL;
        return -ENOMEM;
    }
    json_t *extra = extra_data(full);
    if (!extra)
        return -ENOMEM;
    owned = -1;
    return stoq_queue_put_fd(m->queue, fd, full, extra);
}

static int
cannot_open(struct dirmon_monitor *m, const char *path, int code)
{
    switch (code) {
    case ENOENT: /* gone again */
    case ENOTDIR:
    case ELOOP: /* a link */
    case ENXIO: /* a FIFO, a socket */
        return 0;
    case EAGAIN: /* somebody else's lease */
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return let_wait(m, path);
    default:
        stoq_ctx_log(m->conf->ctx, STOQ_LEVEL_WARNING, "%s/%s: %s", m->conf->source_dir,
                     path, strerrordesc_np(code));
        return 0;
    }
}

/* The offset that the next event will have. What closed before is queued by now. */
static uint64_t
next_offset(const struct dirmon_monitor *m)
{
    int queued = 0;
    return ioctl(m->notify, FIONREAD, &queued) < 0 ? m->read
                                                   : m->read + (uint64_t)queued;
}

int
dirmon_offer(struct dirmon_monitor *m, const char *path, enum dirmon_why why,
             uint64_t offset)
{
    int opened = dirmon_open_below(m, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (opened < 0)
        return cannot_open(m, path, -opened);
    PLUGIN_AUTOCLOSE int fd = opened;
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return 0;
    struct dirmon_seen *s = dirmon_seen_find(m, &st);
    if (s)
        s->generation = m->generation;
    if (!is_news(s, &st, why, offset))
        return 0;
    enum writers writers = writers_of(fd);
    /* from here on a writer's close is an event of its own, after the barrier */
    uint64_t barrier = next_offset(m);
    if (fstat(fd, &st) < 0)
        return 0;
    if (writers == WRITERS_UNKNOWN && why != DIRMON_CLOSED && why != DIRMON_KNOWN &&
        !at_rest(&st))
        writers = WRITERS_SOME;
    if (writers == WRITERS_NONE && (why == DIRMON_NAMED || why == DIRMON_FOUND) &&
        is_being_made(&st))
        writers = WRITERS_SOME;
    if (writers == WRITERS_SOME)
        return let_wait(m, path);
    int r = dirmon_seen_put(m, &st, barrier);
    if (r < 0 || why == DIRMON_KNOWN)
        return r;
    int taken = fd;
    fd = -1;
    return hand_out(m, taken, path);
}
