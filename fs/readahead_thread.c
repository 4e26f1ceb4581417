/* SPDX-License-Identifier: Apache-2.0 */

/* See readahead.h. Here: who reads how, and what comes next. */

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "gate.h"
#include "gate_open.h"
#include "gate_thread.h"
#include "node.h"
#include "readahead_impl.h"
#include "util/auto.h"

#define SIZE_MAX_B                                                     \
    (INT64_C(8) << 20)  /* what is larger keeps a scanner for too long \
                         */
#define QUIET_MS   250U /* no open for so long: the reader has stopped */
#define LOOK_AHEAD 4U   /* files among which the second must be */
#define STRANGERS  4U   /* guesses that may fail before one is tried less often */
#define LISTED_MAX 16U  /* directories listed to find one file */
#define SKIPPED    64U  /* files passed at once because they are known */

static void
idle_locked(struct stoqfs_readahead *r)
{
    bool active = false;
    for (size_t i = 0; i < AHEAD_STREAMS; i++)
        active = active || r->streams[i].live;
    for (size_t i = 0; i < AHEAD_FILES; i++)
        active = active || r->files[i].state != AHEAD_FREE;
    atomic_store(&r->active, active);
}

/* Open a file ahead. @return 1, or 0 when there is nothing to be scanned. */
static int
open_ahead(struct stoqfs *fs, const char *path, struct ahead_file *out)
{
    struct stoqfs_fd_path name;
    struct stat st;
    STOQ_AUTOCLOSE int at = stoqfs_open_below(fs->source_fd, path, O_PATH);
    if (at < 0 || fstat(at, &st) < 0 || !S_ISREG(st.st_mode) ||
        st.st_size > SIZE_MAX_B || stoqfs_gate_expects(fs->gate, &st))
        return 0;
    const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    STOQ_AUTOCLOSE int fd = open(stoqfs_fd_path(at, &name), flags | O_NOATIME);
    if (fd < 0 && errno == EPERM) /* not ours to leave no trace */
        fd = open(stoqfs_fd_path(at, &name), flags);
    STOQ_AUTOFREE char *copy = strdup(path);
    if (fd < 0 || !copy)
        return 0;
    *out = (struct ahead_file){.state = AHEAD_READY, .st = st};
    out->fd = STOQ_STEAL_FD(&fd);
    out->path = STOQ_STEAL(&copy);
    return 1;
}

/* @return whether the stream may take more. */
static bool
offer(struct stoqfs_readahead *r, int stream, struct ahead_file *s)
{
    (void)pthread_mutex_lock(&r->lock);
    struct ahead_file *to = NULL;
    bool wanted = !r->stopping && r->streams[stream].live;
    if (wanted && !ahead_find_locked(r, s->st.st_dev, s->st.st_ino))
        to = ahead_room_locked(r);
    s->stream = stream;
    s->seq = ++r->seq;
    if (to)
        *to = *s;
    else
        ahead_free_locked(r, s, false);
    wanted = wanted && ahead_count_locked(r, stream) < r->streams[stream].room;
    (void)pthread_mutex_unlock(&r->lock);
    ahead_begin(r);
    return wanted;
}

static void
fill(struct stoqfs_readahead *r, int stream)
{
    struct ahead_stream *of = &r->streams[stream];
    (void)pthread_mutex_lock(&r->lock);
    bool wanted = of->live && ahead_count_locked(r, stream) < of->room;
    (void)pthread_mutex_unlock(&r->lock);
    for (unsigned i = 0; wanted && i < SKIPPED; i++) {
        struct ahead_file s;
        const char *path = ahead_walk_next(&of->walk, LISTED_MAX);
        if (!path)
            return;
        if (open_ahead(r->fs, path, &s))
            wanted = offer(r, stream, &s);
    }
}

/* End a stream; what was not begun is dropped. */
static void
end_locked(struct stoqfs_readahead *r, int stream)
{
    r->streams[stream].live = false;
    for (size_t i = 0; i < AHEAD_FILES; i++) {
        struct ahead_file *s = &r->files[i];
        if (s->state == AHEAD_FREE || s->stream != stream)
            continue;
        if (s->state == AHEAD_RUNNING)
            s->stream = -1;
        else
            ahead_free_locked(r, s, false);
    }
}

/* End streams whose readers have stopped; while somebody waits, nobody has. */
static uint64_t
expire_locked(struct stoqfs_readahead *r, uint64_t waiting)
{
    uint64_t now = stoq_now_ms(), next = UINT64_MAX;
    bool live = false;
    for (int i = 0; i < (int)AHEAD_STREAMS; i++) {
        struct ahead_stream *of = &r->streams[i];
        if (of->live && waiting)
            of->last_ms = now;
        if (of->live && now - of->last_ms >= QUIET_MS)
            end_locked(r, i);
        if (of->live && of->last_ms + QUIET_MS < next)
            next = of->last_ms + QUIET_MS;
        live = live || of->live;
    }
    for (size_t i = 0; !live && i < AHEAD_FILES; i++)
        if (r->files[i].state == AHEAD_DONE)
            ahead_free_locked(r, &r->files[i], false);
    idle_locked(r);
    return next;
}

/* A reader goes through a tree in the style found: be ahead of it from @p path on. */
static void
start(struct stoqfs_readahead *r, const char *path)
{
    int best = 0;
    (void)pthread_mutex_lock(&r->lock);
    for (int i = 1; i < (int)AHEAD_STREAMS; i++) {
        const struct ahead_stream *of = &r->streams[i], *old = &r->streams[best];
        if (old->live && (!of->live || of->last_ms < old->last_ms))
            best = i;
    }
    end_locked(r, best);
    (void)pthread_mutex_unlock(&r->lock);
    struct ahead_stream *of = &r->streams[best];
    ahead_walk_fini(&of->walk);
    if (!ahead_walk_init(&of->walk, &r->lists, r->style, path))
        return;
    (void)pthread_mutex_lock(&r->lock);
    of->live = true;
    of->room = r->max < 2 ? r->max : 2;
    of->last_ms = stoq_now_ms();
    atomic_store(&r->active, true);
    (void)pthread_mutex_unlock(&r->lock);
    fill(r, best);
}

/* Whether @p path is among the next after the last one for who reads in this style. */
static bool
foresees(struct stoqfs_readahead *r, struct ahead_style style, const char *path)
{
    struct ahead_walk w;
    bool found = false;
    if (ahead_walk_init(&w, &r->lists, style, r->last)) {
        const char *next = path;
        for (unsigned i = 0; next && !found && i < LOOK_AHEAD; i++) {
            next = ahead_walk_next(&w, LISTED_MAX);
            found = next && strcmp(next, path) == 0;
        }
    }
    ahead_walk_fini(&w);
    return found;
}

static bool
guess(struct stoqfs_readahead *r, const char *path)
{
    /* who reads here and there is asked about less and less often */
    unsigned over = r->strangers > STRANGERS ? r->strangers - STRANGERS : 0;
    if (!r->last || (over && (over & (over - 1)) != 0))
        return false;
    if (foresees(r, r->style, path))
        return true;
    for (unsigned i = 0; i < 2 * AHEAD_ORDERS; i++) {
        struct ahead_style style = {.order = (enum ahead_order)(i / 2),
                                    .files_first = i % 2};
        if (foresees(r, style, path)) {
            r->style = style;
            return true;
        }
    }
    return false;
}

static void
missed(struct stoqfs_readahead *r, uint64_t dev, uint64_t ino)
{
    char path[PATH_MAX];
    struct stoqfs_node *n = stoqfs_node_find(r->fs->nodes, dev, ino);
    if (!n)
        return;
    int len = stoqfs_node_path(r->fs->nodes, n, path, sizeof(path));
    stoqfs_node_unpin(r->fs->nodes, n);
    if (len <= 0)
        return;
    if (guess(r, path)) {
        r->strangers = 0;
        start(r, path);
    } else {
        r->strangers++;
    }
    free(r->last);
    r->last = strdup(path);
}

void *
ahead_thread_main(void *arg)
{
    struct stoqfs_readahead *r = arg;
    uint64_t until = UINT64_MAX;
    (void)pthread_mutex_lock(&r->lock);
    while (!r->stopping) {
        if (!r->miss_count && !r->refill && stoq_now_ms() < until)
            stoqfs_cond_wait(&r->wake, &r->lock, until);
        unsigned misses = r->miss_count;
        uint64_t dev[AHEAD_MISSES], ino[AHEAD_MISSES], waiting = 0, entries;
        for (unsigned i = 0; i < misses; i++) {
            dev[i] = r->misses[i].dev;
            ino[i] = r->misses[i].ino;
        }
        bool refill = r->refill;
        r->miss_count = 0;
        r->refill = false;
        (void)pthread_mutex_unlock(&r->lock);
        for (unsigned i = 0; i < misses; i++)
            missed(r, dev[i], ino[i]);
        for (int i = 0; refill && i < (int)AHEAD_STREAMS; i++)
            fill(r, i);
        stoqfs_gate_stats(r->fs->gate, &waiting, &entries);
        (void)pthread_mutex_lock(&r->lock);
        until = expire_locked(r, waiting);
    }
    (void)pthread_mutex_unlock(&r->lock);
    return NULL;
}
