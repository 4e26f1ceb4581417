/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Scans under way: from a question to the pool and back. scan_done(), on the pool's
 * thread, decides which state of the file the outcome is of, who may be answered with
 * it, and whether the file must be scanned again for those who came late.
 *
 * Who asked before the scan began is answered with whatever it found: those bytes were
 * the file's after the question. Who joined later is answered only when the file's
 * times prove that it has not changed since.
 */

#include <fcntl.h>
#include <string.h>

#include "core/config.h"
#include "gate_impl.h"
#include "util/auto.h"

int
gate_scan_new(struct stoqfs_gate *g, const struct stoqfs_question *q,
              struct gate_scan **out)
{
    struct stoq_identity id = gate_identity(q->st);
    struct gate_scan *scan = calloc(1, sizeof(*scan));
    if (!scan)
        return -ENOMEM;
    if (q->path && !(scan->path = strdup(q->path))) {
        free(scan);
        return -ENOMEM;
    }
    scan->gate = g;
    scan->dev = id.dev;
    scan->ino = id.ino;
    scan->node = q->node;
    if (scan->node)
        stoqfs_node_pin(g->fs->nodes, scan->node);
    scan->priority = q->priority;
    scan->ahead = q->ended != NULL;
    scan->ended = q->ended;
    scan->ended_arg = q->ended ? q->arg : NULL;
    scan->refs = 1;
    TAILQ_INIT(&scan->waiters);
    gate_scan_base_locked(scan, &id);
    atomic_fetch_add(&g->refs, 1);
    *out = scan;
    return 0;
}

void
gate_scan_unref(struct gate_scan *scan)
{
    if (!scan)
        return;
    struct stoqfs_gate *g = scan->gate;
    (void)pthread_mutex_lock(&g->lock);
    bool last = --scan->refs == 0;
    (void)pthread_mutex_unlock(&g->lock);
    if (!last)
        return;
    if (scan->node)
        stoqfs_node_unpin(g->fs->nodes, scan->node);
    free(scan->path);
    free(scan);
    gate_unref(g);
}

void
gate_scan_base_locked(struct gate_scan *scan, const struct stoq_identity *id)
{
    scan->size = id->size;
    scan->mtime_ns = id->mtime_ns;
    scan->ctimes[0] = id->ctime_ns;
    scan->ctime_count = 1;
}

int
gate_scan_index_locked(const struct gate_scan *scan, const struct stoq_identity *id)
{
    if (id->size != scan->size || id->mtime_ns != scan->mtime_ns)
        return -1;
    for (unsigned i = scan->ctime_count; i-- > 0;)
        if (scan->ctimes[i] == id->ctime_ns)
            return (int)i;
    return -1;
}

/* The pool's question. Steps that the mount itself made and that left the bytes alone
 * (rename, chmod, link) do not count as changes. */
static bool
scan_same(void *arg, const struct stat *before, const struct stat *after)
{
    struct gate_scan *scan = arg;
    struct stoq_identity a = gate_identity(before), b = gate_identity(after);
    (void)pthread_mutex_lock(&scan->gate->lock);
    int from = gate_scan_index_locked(scan, &a), to = gate_scan_index_locked(scan, &b);
    bool same = gate_same(&a, &b) ||
                (a.dev == b.dev && a.ino == b.ino && from >= 0 && from <= to);
    if (same) {
        scan->has_before = true;
        scan->before_ctime = a.ctime_ns;
    }
    (void)pthread_mutex_unlock(&scan->gate->lock);
    return same;
}

/* What the pool's thread knows at the end of a scan. */
struct ending {
    struct gate_scan *scan;
    struct stoq_outcome *outcome;
    struct gate_keep *keep;   /* to be started */
    struct stoq_identity id;  /* state that was scanned */
    struct stoq_identity now; /* state of the file now */
    bool trusted, gone;
    unsigned engine;             /* that scanned it */
    struct stoqfs_answer answer; /* for those who may have it */
    stoqfs_ended_fn ended;       /* to be told */
    struct gate_waiters ready;
};

static void
place_locked(struct ending *x)
{
    const struct gate_scan *scan = x->scan;
    const struct stat *st = &x->outcome->st;
    if (st->st_ino) {
        x->id = gate_identity(st);
    } else { /* it never came to reading */
        x->id = (struct stoq_identity){scan->dev, scan->ino, scan->size, scan->mtime_ns,
                                       scan->ctimes[scan->ctime_count - 1]};
    }
    struct stoq_identity before = x->id;
    if (scan->has_before)
        before.ctime_ns = scan->before_ctime;
    x->trusted = gate_trusted(&before, scan->begin_ns);
    if (gate_scan_index_locked(scan, &x->id) >= 0)
        x->id.ctime_ns = scan->ctimes[scan->ctime_count - 1];
    if (gate_scan_index_locked(scan, &x->now) >= 0)
        x->now.ctime_ns = scan->ctimes[scan->ctime_count - 1];
}

static bool
may_have_locked(const struct ending *x, const struct gate_waiter *w)
{
    /* whoever asked after the rules were swapped is not told what the older ones say */
    if (!gate_in_force_locked(x->scan->gate, x->engine, w->swaps))
        return false;
    if (!w->late)
        return true;
    struct stoq_identity asked = w->id;
    if (gate_scan_index_locked(x->scan, &asked) >= 0)
        asked.ctime_ns = x->scan->ctimes[x->scan->ctime_count - 1];
    return x->trusted && (gate_same(&asked, &x->id) || gate_same(&x->now, &x->id));
}

static void
count(struct stoqfs_counters *c, const struct stoq_outcome *o)
{
    atomic_fetch_add_explicit(o->reused ? &c->reused_content : &c->scans, 1,
                              memory_order_relaxed);
    if ((unsigned)o->verdict < STOQ_VERDICT_COUNT)
        atomic_fetch_add_explicit(&c->verdicts[o->verdict], 1, memory_order_relaxed);
}

/* A result that was not trusted, found to be right: the same bytes under the same
 * identity. The older document stays, so that nobody is told twice. */
static bool
confirm_locked(struct stoqfs_gate *g, const struct ending *x, struct gate_entry *e)
{
    const struct stoq_outcome *o = x->outcome;
    struct gate_known *k = &e->known;
    bool kept = k->stored || (e->keep && !e->keep->ended);
    if (!k->valid || !kept || !o->reused || k->engine != x->engine || !o->has_sha256 ||
        !k->has_sha256 || memcmp(o->sha256, k->sha256, sizeof(k->sha256)) != 0 ||
        !gate_same(&k->id, &x->id))
        return false;
    if (x->trusted && k->racy) {
        struct stoq_identity smudged = k->id;
        smudged.ctime_ns = GATE_SMUDGED;
        k->racy = false;
        if (e->keep && !e->keep->put)
            e->keep->record.id = k->id;
        else
            (void)stoq_store_carry(g->fs->store, &smudged, &k->id);
    }
    return true;
}

/* Not always the one in force: rules may have been swapped while it scanned. */
static const char *
engine_of(const struct stoqfs_gate *g, const struct stoq_outcome *o)
{
    return o->engine_id[0] ? o->engine_id : atomic_load(&g->fs->engine_now);
}

static void
record_of(const struct stoqfs_gate *g, const struct ending *x, struct stoq_record *r)
{
    const struct stoq_outcome *o = x->outcome;
    *r = (struct stoq_record){
        .id = x->id,
        .verdict = o->verdict,
        .has_sha256 = o->has_sha256,
        .reusable = o->reusable,
        .time_ns = stoq_real_ns(),
    };
    (void)snprintf(r->engine_id, sizeof(r->engine_id), "%s", engine_of(g, o));
    (void)snprintf(r->scan_id, sizeof(r->scan_id), "%s", o->scan_id);
    memcpy(r->sha256, o->sha256, sizeof(r->sha256));
}

/* @return whether there is a document to keep. */
static bool
settle_locked(struct stoqfs_gate *g, struct ending *x, struct gate_entry *e)
{
    struct stoq_record record;
    count(&g->fs->counters, x->outcome);
    place_locked(x);
    x->engine = gate_engine_locked(g, engine_of(g, x->outcome));
    if (confirm_locked(g, x, e)) {
        gate_tell(g, &e->known, &x->answer);
        return false;
    }
    record_of(g, x, &record);
    x->answer = (struct stoqfs_answer){
        .known = true, .verdict = record.verdict, .record = record};
    /* A pool that ends fails what it has left: nobody looked, so nothing is known. */
    if (g->stopping && record.verdict == STOQ_VERDICT_ERROR)
        return false;
    gate_keep_detach_locked(e);
    bool asked = e->known.valid && !e->known.ahead;
    gate_unknow_locked(g, e);
    bool known = !x->gone && gate_know_locked(g, e, &record) == 0;
    e->known.racy = known && !x->trusted;
    e->known.ahead = known && x->scan->ahead && !asked;
    if (!x->keep)
        return false;
    if (!x->trusted)
        record.id.ctime_ns = GATE_SMUDGED;
    gate_keep_enter_locked(x->keep, &record);
    x->keep->forgotten = !known;
    if (known)
        e->keep = x->keep;
    return true;
}

static void
serve_locked(struct ending *x, struct gate_entry *e)
{
    struct gate_waiter *w, *next;
    for (w = TAILQ_FIRST(&x->scan->waiters); w; w = next) {
        next = TAILQ_NEXT(w, link);
        if (!may_have_locked(x, w))
            continue;
        if (w->stored && !x->answer.stored && e->keep && !x->gone &&
            !gate_keep_readable_locked(x->scan->gate, e->keep)) {
            gate_rewait_locked(w, &e->keep->waiters);
            continue;
        }
        gate_claim_locked(w, &x->ready);
        w->answer = x->answer;
    }
}

void
gate_scan_detach_locked(struct gate_scan *scan)
{
    struct stoqfs_gate *g = scan->gate;
    struct gate_entry *e = gate_find_locked(g, scan->dev, scan->ino);
    if (scan->parked)
        gate_unpark_locked(scan);
    if (scan->background) {
        scan->background = false;
        g->background--;
        (void)pthread_cond_signal(&g->feeder_wake);
    }
    g->stale_scans -= scan->stale;
    g->scans--;
    (void)pthread_cond_broadcast(&g->idle);
    if (e) {
        e->scan = NULL;
        gate_tidy_locked(g, e);
    }
}

/* @return whether the scan was begun again for those who are left. */
static bool
leave_locked(struct stoqfs_gate *g, struct ending *x, struct gate_entry *e)
{
    struct gate_scan *scan = x->scan;
    struct gate_waiter *w;
    bool known = e->known.valid && !e->known.racy && gate_same(&e->known.id, &x->now);
    bool again = scan->again && !known && !x->gone && !g->stopping;
    scan->again = false;
    if (!TAILQ_EMPTY(&scan->waiters)) {
        TAILQ_FOREACH(w, &scan->waiters, link)
        w->late = false;
        gate_scan_base_locked(scan, &x->now);
        gate_scan_begin_locked(scan);
        return true;
    }
    if (again && (scan->node || scan->path)) {
        if (scan->background) {
            scan->background = false;
            g->background--;
        }
        if (scan->priority < STOQ_PRIORITY_WRITTEN)
            scan->priority = STOQ_PRIORITY_WRITTEN;
        gate_scan_base_locked(scan, &x->now);
        gate_park_locked(scan);
        scan->refs++; /* the caller gives up the one for this outcome */
        return false;
    }
    gate_scan_detach_locked(scan);
    return false;
}

static void
scan_done(void *arg, struct stoq_outcome *outcome, int fd)
{
    struct gate_scan *scan = arg;
    struct stoqfs_gate *g = scan->gate;
    struct ending x = {.scan = scan, .outcome = outcome, .keep = gate_keep_new(g)};
    struct stat st;
    TAILQ_INIT(&x.ready);
    bool has_now = fstat(fd, &st) == 0;
    if (has_now)
        x.now = gate_identity(&st);
    x.gone = has_now && st.st_nlink == 0;

    (void)pthread_mutex_lock(&g->lock);
    struct gate_entry *e = gate_find_locked(g, scan->dev, scan->ino);
    bool keep = settle_locked(g, &x, e);
    serve_locked(&x, e);
    bool again = leave_locked(g, &x, e);
    x.ended = STOQ_STEAL(&scan->ended);
    void *ended_arg = scan->ended_arg;
    (void)pthread_mutex_unlock(&g->lock);

    gate_answer(g, &x.ready);
    if (x.ended)
        x.ended(ended_arg, scan->dev, scan->ino);
    if (again) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        gate_scan_submit(scan, copy < 0 ? -errno : copy);
    } else {
        gate_scan_unref(scan);
    }
    if (keep) {
        gate_keep_start(x.keep, outcome, fd);
    } else {
        gate_keep_drop(x.keep);
        stoq_outcome_free(outcome);
    }
}

void
gate_scan_begin_locked(struct gate_scan *scan)
{
    if (scan->parked)
        gate_unpark_locked(scan);
    scan->has_before = false;
    scan->job = 0;
    scan->begin_ns = stoq_real_ns();
    scan->refs++;
}

static void
scan_failed(struct gate_scan *scan, int status)
{
    struct stoqfs_gate *g = scan->gate;
    struct gate_waiters ready = TAILQ_HEAD_INITIALIZER(ready);
    (void)pthread_mutex_lock(&g->lock);
    gate_claim_all_locked(&scan->waiters, status, &ready);
    gate_scan_detach_locked(scan);
    stoqfs_ended_fn ended = STOQ_STEAL(&scan->ended);
    (void)pthread_mutex_unlock(&g->lock);
    gate_answer(g, &ready);
    if (ended)
        ended(scan->ended_arg, scan->dev, scan->ino);
    gate_scan_unref(scan);
}

static int
submit(struct gate_scan *scan, int fd, enum stoq_priority priority, uint64_t *id)
{
    struct stoqfs *fs = scan->gate->fs;
    struct gate_names names;
    struct stat st = {0};
    (void)fstat(fd, &st);
    gate_names_get(scan, st.st_uid, &names);
    struct stoq_job_spec spec = {
        .fd = fd,
        .filename = names.name,
        .path = names.path,
        .source_dir = names.dir,
        .owner = names.owner[0] ? names.owner : NULL,
        .priority = priority,
        .want_payloads = fs->options->config->dest_archivers.count > 0,
        .reuse = true,
        .same = scan_same,
        .done = scan_done,
        .arg = scan,
    };
    int r = stoq_pool_submit(fs->pool, &spec, id);
    gate_names_fini(&names);
    return r;
}

void
gate_scan_submit(struct gate_scan *scan, int fd)
{
    struct stoqfs_gate *g = scan->gate;
    uint64_t id = 0;
    (void)pthread_mutex_lock(&g->lock);
    enum stoq_priority priority = scan->priority, wanted = priority;
    (void)pthread_mutex_unlock(&g->lock);
    int r = fd < 0 ? fd : submit(scan, fd, priority, &id);
    if (r < 0) {
        scan_failed(scan, r);
    } else {
        /* Perhaps it is done already and begun again: then this id is of the past, and
         * raising it does nothing. */
        (void)pthread_mutex_lock(&g->lock);
        if (scan->job < id)
            scan->job = id;
        wanted = scan->priority;
        (void)pthread_mutex_unlock(&g->lock);
        if (wanted < priority)
            stoq_pool_raise(g->fs->pool, id, wanted);
    }
    gate_scan_unref(scan);
}
