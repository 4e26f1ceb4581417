/* SPDX-License-Identifier: Apache-2.0 */

/* See readahead.h. Here: the files ahead, and their scans. */

#include "readahead.h"

#include <limits.h>
#include <unistd.h>

#include "gate.h"
#include "gate_thread.h"
#include "readahead_impl.h"
#include "util/auto.h"

static void
count(atomic_ullong *counter)
{
    (void)atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* ------------------------------------------------------------------------- slots */

struct ahead_file *
ahead_find_locked(struct stoqfs_readahead *r, uint64_t dev, uint64_t ino)
{
    for (size_t i = 0; i < AHEAD_FILES; i++) {
        struct ahead_file *s = &r->files[i];
        if (s->state != AHEAD_FREE && s->st.st_ino == ino && s->st.st_dev == dev)
            return s;
    }
    return NULL;
}

void
ahead_free_locked(struct stoqfs_readahead *r, struct ahead_file *s, bool used)
{
    if (s->state == AHEAD_READY) {
        (void)close(s->fd);
        free(s->path);
    } else if (s->state == AHEAD_DONE) {
        count(used ? &r->fs->counters.ahead_used : &r->fs->counters.ahead_wasted);
    }
    *s = (struct ahead_file){0};
}

unsigned
ahead_count_locked(const struct stoqfs_readahead *r, int stream)
{
    unsigned n = 0;
    for (size_t i = 0; i < AHEAD_FILES; i++)
        n += r->files[i].state != AHEAD_FREE && r->files[i].stream == stream &&
             !r->files[i].asked;
    return n;
}

struct ahead_file *
ahead_room_locked(struct stoqfs_readahead *r)
{
    struct ahead_file *oldest = NULL;
    for (size_t i = 0; i < AHEAD_FILES; i++) {
        struct ahead_file *s = &r->files[i];
        if (s->state == AHEAD_FREE)
            return s;
        if (s->state == AHEAD_DONE && (!oldest || s->seq < oldest->seq))
            oldest = s;
    }
    if (oldest)
        ahead_free_locked(r, oldest, false);
    return oldest;
}

/* --------------------------------------------------------------------- beginning */

static void ended(void *arg, uint64_t dev, uint64_t ino);

/* The next file to be scanned ahead, if one may be now; its descriptor and path are the
 * caller's. */
static bool
take_locked(struct stoqfs_readahead *r, struct ahead_file *out)
{
    struct ahead_file *best = NULL;
    if (r->stopping || r->running >= r->running_max)
        return false;
    for (size_t i = 0; i < AHEAD_FILES; i++) {
        struct ahead_file *s = &r->files[i];
        if (s->state == AHEAD_READY && (!best || s->seq < best->seq))
            best = s;
    }
    if (!best)
        return false;
    *out = *best;
    best->state = AHEAD_RUNNING;
    best->fd = -1;
    best->path = NULL;
    r->running++;
    return true;
}

/* It was not begun: it is known by now, or being scanned for somebody. */
static void
give_back(struct stoqfs_readahead *r, const struct stat *st)
{
    (void)pthread_mutex_lock(&r->lock);
    struct ahead_file *s = ahead_find_locked(r, st->st_dev, st->st_ino);
    if (s && s->state == AHEAD_RUNNING) {
        r->running -= !s->asked;
        ahead_free_locked(r, s, false);
    }
    (void)pthread_mutex_unlock(&r->lock);
}

void
ahead_begin(struct stoqfs_readahead *r)
{
    for (;;) {
        struct ahead_file next;
        struct stoqfs_answer now;
        (void)pthread_mutex_lock(&r->lock);
        bool more = take_locked(r, &next);
        (void)pthread_mutex_unlock(&r->lock);
        if (!more)
            return;
        const struct stoqfs_question q = {.fd = next.fd,
                                          .st = &next.st,
                                          .path = next.path,
                                          .priority = STOQ_PRIORITY_DISCOVERED,
                                          .ended = ended,
                                          .arg = r};
        if (stoqfs_gate_ask(r->fs->gate, &q, &now) == 0)
            count(&r->fs->counters.ahead_queued);
        else
            give_back(r, &next.st);
        (void)close(next.fd);
        free(next.path);
    }
}

/* A scan that was begun here has ended; on the pool's thread. */
static void
ended(void *arg, uint64_t dev, uint64_t ino)
{
    struct stoqfs_readahead *r = arg;
    (void)pthread_mutex_lock(&r->lock);
    struct ahead_file *s = ahead_find_locked(r, dev, ino);
    if (s && s->state == AHEAD_RUNNING) {
        bool used = s->asked;
        s->state = AHEAD_DONE;
        r->running -= !used;
        if (used || s->stream < 0)
            ahead_free_locked(r, s, used);
        (void)pthread_cond_signal(&r->wake); /* perhaps there is nothing left */
    }
    (void)pthread_mutex_unlock(&r->lock);
    ahead_begin(r);
}

/* ----------------------------------------------------------------------- readers */

/* Files that the reader has passed are no longer ahead of it. */
static void
pass_locked(struct stoqfs_readahead *r, int stream, uint64_t seq)
{
    for (size_t i = 0; i < AHEAD_FILES; i++) {
        struct ahead_file *s = &r->files[i];
        if (s->state == AHEAD_FREE || s->stream != stream || s->seq + r->max >= seq)
            continue;
        if (s->state == AHEAD_READY)
            ahead_free_locked(r, s, false);
        else
            s->stream = -1;
    }
}

static void
hit_locked(struct stoqfs_readahead *r, struct ahead_file *s)
{
    int stream = s->stream;
    uint64_t seq = s->seq;
    if (s->state == AHEAD_RUNNING) {
        r->running -= !s->asked;
        s->asked = true;
    } else {
        ahead_free_locked(r, s, true);
    }
    if (stream < 0)
        return;
    struct ahead_stream *of = &r->streams[stream];
    of->last_ms = stoq_now_ms();
    if (of->room < r->max)
        of->room = of->room * 2 < r->max ? of->room * 2 : r->max;
    pass_locked(r, stream, seq);
    if (ahead_count_locked(r, stream) <= of->room / 2) {
        r->refill = true;
        (void)pthread_cond_signal(&r->wake);
    }
}

void
stoqfs_readahead_opened(struct stoqfs_readahead *r, uint64_t dev, uint64_t ino,
                        bool cold)
{
    if (!r || (!cold && !atomic_load_explicit(&r->active, memory_order_relaxed)))
        return;
    (void)pthread_mutex_lock(&r->lock);
    struct ahead_file *s = ahead_find_locked(r, dev, ino);
    if (s) {
        hit_locked(r, s);
    } else if (cold && r->miss_count < AHEAD_MISSES) {
        r->misses[r->miss_count].dev = dev;
        r->misses[r->miss_count++].ino = ino;
        (void)pthread_cond_signal(&r->wake);
    }
    (void)pthread_mutex_unlock(&r->lock);
    if (s)
        ahead_begin(r);
}

/* -------------------------------------------------------------------------- life */

int
stoqfs_readahead_new(struct stoqfs *fs, struct stoqfs_readahead **out,
                     struct stoq_error *err)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned scanners = fs->options->scanners;
    unsigned max = fs->options->readahead;
    if (scanners == 0)
        scanners = cores > 0 ? (unsigned)cores : 1;
    if (max == STOQFS_READAHEAD_AUTO)
        max = 2 * scanners;
    if (max > STOQFS_READAHEAD_MAX)
        max = STOQFS_READAHEAD_MAX;
    if (max == 0 || scanners < 2)
        return 0;
    struct stoqfs_readahead *r = calloc(1, sizeof(*r));
    if (!r)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM,
                              "no memory for read-ahead");
    r->fs = fs;
    r->max = max;
    r->running_max = scanners - 1;
    r->lists.source_fd = fs->source_fd;
    int e = -pthread_mutex_init(&r->lock, NULL);
    if (e == 0)
        e = stoqfs_cond_init(&r->wake);
    if (e == 0)
        e = stoqfs_thread_start(&r->thread, "read-ahead", ahead_thread_main, r);
    if (e < 0) {
        free(r);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, e, "cannot start read-ahead");
    }
    r->thread_on = true;
    *out = r;
    return 0;
}

void
stoqfs_readahead_stop(struct stoqfs_readahead *r)
{
    if (!r || !r->thread_on)
        return;
    (void)pthread_mutex_lock(&r->lock);
    r->stopping = true;
    (void)pthread_cond_signal(&r->wake);
    (void)pthread_mutex_unlock(&r->lock);
    (void)pthread_join(r->thread, NULL);
    r->thread_on = false;
}

void
stoqfs_readahead_free(struct stoqfs_readahead *r)
{
    if (!r)
        return;
    stoqfs_readahead_stop(r);
    for (size_t i = 0; i < AHEAD_FILES; i++)
        ahead_free_locked(r, &r->files[i], false);
    for (size_t i = 0; i < AHEAD_STREAMS; i++)
        ahead_walk_fini(&r->streams[i].walk);
    ahead_lists_fini(&r->lists);
    free(r->last);
    (void)pthread_cond_destroy(&r->wake);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}
