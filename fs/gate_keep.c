/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Documents between the end of a scan and the store: archivers and decorators first
 * (the courier), then pretty printing (the keeper's thread), then the store. What the
 * store cannot keep stays in memory, bounded, so that sidecars can still be read.
 */

#include <string.h>

#include "cache.h"
#include "core/config.h"
#include "gate_impl.h"
#include "gate_thread.h"
#include "util/auto.h"
#include "util/json.h"
#include "util/log.h"

struct gate_keep *
gate_keep_new(struct stoqfs_gate *g)
{
    struct gate_keep *keep = calloc(1, sizeof(*keep));
    if (!keep)
        return NULL;
    keep->gate = g;
    TAILQ_INIT(&keep->waiters);
    return keep;
}

void
gate_keep_drop(struct gate_keep *keep)
{
    if (!keep)
        return;
    if (keep->outcome)
        stoq_outcome_free(keep->outcome);
    free(keep->text);
    free(keep);
}

void
gate_keep_enter_locked(struct gate_keep *keep, const struct stoq_record *record)
{
    struct stoqfs_gate *g = keep->gate;
    keep->record = *record;
    TAILQ_INSERT_TAIL(&g->keeps, keep, link);
    g->keeping++;
    atomic_fetch_add(&g->refs, 1);
}

static void
forget_memory_locked(struct stoqfs_gate *g, struct gate_keep *keep)
{
    TAILQ_REMOVE(&g->memory, keep, link);
    g->memory_bytes -= keep->size;
    gate_keep_drop(keep);
}

void
gate_keep_detach_locked(struct gate_entry *e)
{
    struct gate_keep *keep = e->keep;
    e->keep = NULL;
    if (keep && keep->memory)
        forget_memory_locked(keep->gate, keep);
}

static struct gate_entry *
entry_of_locked(const struct gate_keep *keep)
{
    struct gate_entry *e =
        gate_find_locked(keep->gate, keep->record.id.dev, keep->record.id.ino);
    return e && e->keep == keep ? e : NULL;
}

/* The oldest make room. */
static void
remember_locked(struct gate_keep *keep)
{
    struct stoqfs_gate *g = keep->gate;
    struct gate_keep *oldest;
    TAILQ_INSERT_TAIL(&g->memory, keep, link);
    keep->memory = true;
    g->memory_bytes += keep->size;
    while (g->memory_bytes > GATE_MEMORY && (oldest = TAILQ_FIRST(&g->memory))) {
        struct gate_entry *e = entry_of_locked(oldest);
        if (e)
            e->keep = NULL;
        forget_memory_locked(g, oldest);
    }
}

/* A result that was forgotten on its way here: unless there is a newer one, which
 * replaces it. */
static void
forget_stored_locked(const struct gate_keep *keep)
{
    struct stoqfs_gate *g = keep->gate;
    const struct stoq_identity *id = &keep->record.id;
    const struct gate_entry *e = gate_find_locked(g, id->dev, id->ino);
    if (!e || (!e->known.valid && !e->keep))
        (void)stoq_store_forget(g->fs->store, id->dev, id->ino);
}

bool
gate_keep_readable_locked(struct stoqfs_gate *g, const struct gate_keep *keep)
{
    return keep && keep->text &&
           (keep->ended || stoq_store_health(g->fs->store, NULL) < 0);
}

/* The text is there; when the store cannot commit, nobody waits for it. */
static void
printed_locked(struct gate_keep *keep, struct gate_waiters *ready)
{
    struct stoqfs_gate *g = keep->gate;
    struct gate_entry *e = entry_of_locked(keep);
    struct gate_waiter *w;
    if (!e || !gate_keep_readable_locked(g, keep))
        return;
    while ((w = TAILQ_FIRST(&keep->waiters))) {
        gate_claim_locked(w, ready);
        gate_tell(g, &e->known, &w->answer);
    }
}

static void
stored_locked(struct gate_keep *keep, int status, struct gate_waiters *ready)
{
    struct stoqfs_gate *g = keep->gate;
    struct gate_entry *e = entry_of_locked(keep);
    struct gate_waiter *w;
    struct stoqfs_answer answer = {.known = true,
                                   .stored = status == 0,
                                   .verdict = keep->record.verdict,
                                   .record = keep->record};
    if (e) {
        e->known.stored = status == 0;
        e->known.document_size = keep->size;
        gate_tell(g, &e->known, &answer);
    }
    while ((w = TAILQ_FIRST(&keep->waiters))) {
        gate_claim_locked(w, ready);
        w->answer = answer;
    }
    if (keep->forgotten && status == 0)
        forget_stored_locked(keep);
    /* Afterwards the courier may be gone already; it makes a last pass by itself. */
    if (status == 0 && g->fs->courier && !g->stopping)
        stoq_courier_client_wake(g->fs->courier);
}

/* It leaves the pending ones, after those who waited had their chance to read it. */
static struct gate_keep *
leave_locked(struct gate_keep *keep, int status)
{
    struct stoqfs_gate *g = keep->gate;
    struct gate_entry *e = entry_of_locked(keep);
    TAILQ_REMOVE(&g->keeps, keep, link);
    g->keeping--;
    (void)pthread_cond_broadcast(&g->idle);
    if (e && status < 0 && keep->text) {
        remember_locked(keep);
        return NULL;
    }
    if (e)
        e->keep = NULL;
    return keep;
}

static void
put_done(void *arg, int status)
{
    struct gate_keep *keep = arg;
    struct stoqfs_gate *g = keep->gate;
    struct gate_waiters ready = TAILQ_HEAD_INITIALIZER(ready);
    (void)pthread_mutex_lock(&g->lock);
    keep->ended = true;
    stored_locked(keep, status, &ready);
    const struct stoq_identity id = keep->record.id;
    (void)pthread_mutex_unlock(&g->lock);
    stoqfs_cache_stored(g->fs, id.dev, id.ino);
    gate_answer(g, &ready);
    (void)pthread_mutex_lock(&g->lock);
    struct gate_keep *rest = leave_locked(keep, status);
    (void)pthread_mutex_unlock(&g->lock);
    gate_keep_drop(rest);
    gate_unref(g);
}

/* Indented, with a newline. What cannot be parsed is kept as it came. */
static char *
pretty(const struct stoq_outcome *o, size_t *size)
{
    struct stoq_error err = {0};
    json_auto_t *tree = stoq_json_parse(o->document, o->document_size, &err);
    STOQ_AUTOFREE char *text = tree ? stoq_json_dump(tree, true) : NULL;
    if (!tree)
        STOQ_ERROR("scan %s: document is not JSON: %s", o->scan_id, err.message);
    const char *from = text ? text : o->document;
    size_t n = text ? strlen(text) : o->document_size;
    char *out = malloc(n + 2);
    if (!out)
        return NULL;
    memcpy(out, from, n);
    memcpy(out + n, "\n", 2);
    *size = n + 1;
    return out;
}

static void
put(struct gate_keep *keep)
{
    struct stoqfs_gate *g = keep->gate;
    struct gate_waiters ready = TAILQ_HEAD_INITIALIZER(ready);
    size_t size = 0;
    char *text = keep->outcome ? pretty(keep->outcome, &size) : NULL;
    if (keep->outcome)
        stoq_outcome_free(STOQ_STEAL(&keep->outcome));
    if (!text) {
        put_done(keep, -ENOMEM);
        return;
    }
    (void)pthread_mutex_lock(&g->lock);
    keep->text = text;
    keep->size = size;
    keep->record.document_size = size;
    keep->put = true;
    struct gate_entry *e = entry_of_locked(keep);
    if (e)
        e->known.document_size = size;
    printed_locked(keep, &ready);
    const struct stoq_record record = keep->record;
    (void)pthread_mutex_unlock(&g->lock);
    gate_answer(g, &ready);
    const struct stoq_strv *connectors = &g->fs->options->config->connectors;
    int r = stoq_store_put(g->fs->store, &record, text, size,
                           stoq_strv_items(connectors), put_done, keep);
    if (r < 0)
        put_done(keep, r);
}

static void
enqueue(struct gate_keep *keep)
{
    struct stoqfs_gate *g = keep->gate;
    (void)pthread_mutex_lock(&g->lock);
    bool here = g->keeper_gone;
    if (!here) {
        TAILQ_INSERT_TAIL(&g->to_print, keep, queue);
        (void)pthread_cond_signal(&g->keeper_wake);
    }
    (void)pthread_mutex_unlock(&g->lock);
    if (here)
        put(keep);
}

static void
finished(void *arg, struct stoq_outcome *outcome, int fd)
{
    struct gate_keep *keep = arg;
    (void)fd;
    keep->outcome = outcome;
    enqueue(keep);
}

void
gate_keep_start(struct gate_keep *keep, struct stoq_outcome *outcome, int fd)
{
    const struct stoqfs *fs = keep->gate->fs;
    if (fs->finish && fs->courier &&
        stoq_courier_client_finish(fs->courier, outcome, fd, finished, keep) == 0)
        return;
    keep->outcome = outcome;
    enqueue(keep);
}

void *
gate_keeper_main(void *arg)
{
    struct stoqfs_gate *g = arg;
    struct gate_keep *keep;
    (void)pthread_mutex_lock(&g->lock);
    for (;;) {
        if ((keep = TAILQ_FIRST(&g->to_print))) {
            TAILQ_REMOVE(&g->to_print, keep, queue);
            (void)pthread_mutex_unlock(&g->lock);
            put(keep);
            (void)pthread_mutex_lock(&g->lock);
        } else if (g->keeper_stop) {
            break;
        } else {
            stoqfs_cond_wait(&g->keeper_wake, &g->lock, UINT64_MAX);
        }
    }
    g->keeper_gone = true;
    (void)pthread_mutex_unlock(&g->lock);
    return NULL;
}

static char *
copy_text(const struct gate_keep *keep)
{
    char *text = malloc(keep->size + 1);
    if (text)
        memcpy(text, keep->text, keep->size + 1);
    return text;
}

bool
gate_keep_reuse(struct stoqfs_gate *g, const uint8_t sha256[STOQ_SHA256_SIZE],
                char **text, size_t *size)
{
    const struct gate_keep *keep;
    char *copy = NULL;
    (void)pthread_mutex_lock(&g->lock);
    TAILQ_FOREACH(keep, &g->keeps, link)
    {
        const struct stoq_record *r = &keep->record;
        if (!keep->text || !r->reusable || !r->has_sha256 ||
            strcmp(r->engine_id, atomic_load(&g->fs->engine_now)) != 0 ||
            memcmp(r->sha256, sha256, sizeof(r->sha256)) != 0)
            continue;
        copy = copy_text(keep);
        *size = keep->size;
        break;
    }
    (void)pthread_mutex_unlock(&g->lock);
    if (copy)
        *text = copy;
    return copy != NULL;
}

int
stoqfs_gate_document(struct stoqfs_gate *g, const struct stoq_record *record,
                     char **text, size_t *size)
{
    (void)pthread_mutex_lock(&g->lock);
    const struct gate_entry *e = gate_find_locked(g, record->id.dev, record->id.ino);
    const struct gate_keep *keep = e ? e->keep : NULL;
    bool here =
        keep && keep->text && strcmp(keep->record.scan_id, record->scan_id) == 0;
    char *copy = here ? copy_text(keep) : NULL;
    if (copy)
        *size = keep->size;
    (void)pthread_mutex_unlock(&g->lock);
    if (here && !copy)
        return -ENOMEM;
    if (!here)
        return stoq_store_document(g->fs->store, record->scan_id, text, size);
    *text = copy;
    return 0;
}
