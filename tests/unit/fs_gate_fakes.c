/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Fakes for the gate's tests; see fs_gate_fakes.h. One lock, never held over a call
 * into the gate.
 */

#include "fs_gate_fakes.h"

#include <check.h>
#include <fcntl.h>
#include <string.h>

#include "cache.h"
#include "util/auto.h"

struct fake fake;

void
fake_setup(void)
{
    memset(&fake, 0, sizeof(fake));
    (void)pthread_mutex_init(&fake.lock, NULL);
}

void
fake_teardown(void)
{
    for (size_t i = 0; i < fake.row_count; i++)
        free(fake.rows[i].text);
    for (size_t i = 0; i < fake.job_count; i++)
        if (!fake.jobs[i].ended)
            (void)close(fake.jobs[i].fd);
    (void)pthread_mutex_destroy(&fake.lock);
}

static void
lock(void)
{
    (void)pthread_mutex_lock(&fake.lock);
}

static void
unlock(void)
{
    (void)pthread_mutex_unlock(&fake.lock);
}

/* -------------------------------------------------------------------------- pool */

static void
copy(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from ? from : "");
}

int
stoq_pool_submit(struct stoq_pool *pool, struct stoq_job_spec *spec, uint64_t *id)
{
    (void)pool;
    lock();
    int r = fake.submit_error;
    if (r == 0) {
        struct fake_job *j = &fake.jobs[fake.job_count++];
        *j = (struct fake_job){.id = fake.job_count,
                               .fd = spec->fd,
                               .priority = spec->priority,
                               .reuse = spec->reuse,
                               .want_payloads = spec->want_payloads,
                               .same = spec->same,
                               .done = spec->done,
                               .arg = spec->arg};
        copy(j->filename, sizeof(j->filename), spec->filename);
        copy(j->path, sizeof(j->path), spec->path);
        copy(j->dir, sizeof(j->dir), spec->source_dir);
        *id = j->id;
    }
    unlock();
    if (r < 0)
        (void)close(spec->fd);
    return r;
}

void
stoq_pool_raise(struct stoq_pool *pool, uint64_t id, enum stoq_priority priority)
{
    (void)pool;
    lock();
    fake.jobs[id - 1].priority = priority;
    unlock();
}

static size_t
jobs(void)
{
    lock();
    size_t n = fake.job_count;
    unlock();
    return n;
}

struct fake_job *
fake_job(size_t n)
{
    FAKE_UNTIL(jobs() > n);
    return &fake.jobs[n];
}

void
stoq_outcome_free(struct stoq_outcome *o)
{
    if (!o)
        return;
    free(o->document);
    free(o);
}

bool
fake_finish(struct fake_job *job, const struct fake_end *end)
{
    struct stat now;
    struct stoq_outcome *o = calloc(1, sizeof(*o));
    ck_assert_ptr_nonnull(o);
    ck_assert_int_eq(fstat(job->fd, &now), 0);
    bool same = job->same(job->arg, end->before ? end->before : &now,
                          end->after ? end->after : &now);
    o->verdict = end->verdict;
    copy(o->scan_id, sizeof(o->scan_id),
         end->scan_id ? end->scan_id : "00000000-0000-4000-8000-000000000001");
    copy(o->engine_id, sizeof(o->engine_id), end->engine);
    o->has_sha256 = end->digest != 0;
    memset(o->sha256, end->digest, sizeof(o->sha256));
    o->reused = end->reused;
    o->reusable = end->reusable;
    o->document = strdup("{\"results\": [], \"scan_id\": \"x\"}");
    o->document_size = strlen(o->document);
    o->st = end->after ? *end->after : now;
    o->payloads_fd = -1;
    job->ended = true;
    job->done(job->arg, o, job->fd);
    (void)close(job->fd);
    return same;
}

/* ------------------------------------------------------------------------- store */

static struct fake_row *
row_of(uint64_t dev, uint64_t ino)
{
    for (size_t i = 0; i < fake.row_count; i++)
        if (fake.rows[i].record.id.dev == dev && fake.rows[i].record.id.ino == ino)
            return &fake.rows[i];
    return NULL;
}

int
stoq_store_put(struct stoq_store *store, const struct stoq_record *record,
               const char *document, size_t size, const char *const *connectors,
               stoq_store_done done, void *arg)
{
    (void)store;
    lock();
    fake.puts++;
    copy(fake.connector, sizeof(fake.connector), connectors[0]);
    int status = fake.put_status;
    bool hold = fake.hold;
    struct fake_row *row = row_of(record->id.dev, record->id.ino);
    if (status == 0) {
        row = row ? row : &fake.rows[fake.row_count++];
        free(row->text);
        *row = (struct fake_row){*record, strndup(document, size), size};
    }
    if (hold) {
        fake.held_done[fake.held] = done;
        fake.held_arg[fake.held++] = arg;
    }
    unlock();
    if (!hold)
        done(arg, status);
    return 0;
}

size_t
fake_held(void)
{
    lock();
    size_t n = fake.held;
    unlock();
    return n;
}

void
fake_release(void)
{
    lock();
    fake.hold = false;
    size_t n = fake.held;
    fake.held = 0;
    unlock();
    for (size_t i = 0; i < n; i++)
        fake.held_done[i](fake.held_arg[i], fake.put_status);
}

int
stoq_store_find(struct stoq_store *store, uint64_t dev, uint64_t ino,
                struct stoq_record *out)
{
    (void)store;
    lock();
    fake.finds++;
    const struct fake_row *row = row_of(dev, ino);
    if (row)
        *out = row->record;
    unlock();
    return row ? 0 : -ENOENT;
}

int
stoq_store_find_content(struct stoq_store *store,
                        const uint8_t sha256[STOQ_SHA256_SIZE], const char *engine_id,
                        char **text, size_t *size)
{
    (void)store;
    int r = -ENOENT;
    lock();
    for (size_t i = 0; i < fake.row_count && r < 0; i++) {
        const struct stoq_record *c = &fake.rows[i].record;
        if (!c->reusable || strcmp(c->engine_id, engine_id) != 0 ||
            memcmp(c->sha256, sha256, STOQ_SHA256_SIZE) != 0)
            continue;
        *text = strdup(fake.rows[i].text);
        *size = fake.rows[i].size;
        r = 0;
    }
    unlock();
    return r;
}

int
stoq_store_document(struct stoq_store *store, const char *scan_id, char **text,
                    size_t *size)
{
    (void)store;
    int r = -ENOENT;
    lock();
    for (size_t i = 0; i < fake.row_count && r < 0; i++) {
        if (strcmp(fake.rows[i].record.scan_id, scan_id) != 0)
            continue;
        *text = strdup(fake.rows[i].text);
        *size = fake.rows[i].size;
        r = 0;
    }
    unlock();
    return r;
}

int
stoq_store_health(struct stoq_store *store, uint64_t *dropped)
{
    (void)store;
    if (dropped)
        *dropped = 0;
    return 0;
}

int
stoq_store_forget(struct stoq_store *store, uint64_t dev, uint64_t ino)
{
    (void)store;
    lock();
    fake.forgets++;
    struct fake_row *row = row_of(dev, ino);
    if (row) {
        free(row->text);
        *row = fake.rows[--fake.row_count];
        fake.rows[fake.row_count] = (struct fake_row){0};
    }
    unlock();
    return 0;
}

int
stoq_store_carry(struct stoq_store *store, const struct stoq_identity *from,
                 const struct stoq_identity *to)
{
    (void)store;
    lock();
    fake.carries++;
    fake.carried_from = *from;
    fake.carried_to = *to;
    unlock();
    return 0;
}

int
stoq_store_foreach(struct stoq_store *store,
                   bool (*fn)(void *arg, const struct stoq_record *record), void *arg)
{
    (void)store;
    for (;;) {
        lock();
        bool wait = fake.hold_load;
        unlock();
        if (!wait)
            break;
        (void)usleep(200);
    }
    for (size_t i = 0; i < FAKE_RECORDS; i++) {
        lock();
        bool there = i < fake.row_count;
        const struct stoq_record r = fake.rows[i].record;
        unlock();
        if (!there || !fn(arg, &r))
            break;
    }
    return 0;
}

/* -------------------------------------------------------- courier, nodes, libfuse */

void
stoq_courier_client_wake(struct stoq_courier_client *c)
{
    (void)c;
    lock();
    fake.wakes++;
    unlock();
}

/* Finishes at once, marking the document. */
int
stoq_courier_client_finish(struct stoq_courier_client *c, struct stoq_outcome *outcome,
                           int fd, stoq_job_done done, void *arg)
{
    (void)c;
    free(outcome->document);
    outcome->document = strdup("{\"finished\": true}");
    outcome->document_size = strlen(outcome->document);
    done(arg, outcome, fd);
    return 0;
}

void
stoqfs_node_pin(struct stoqfs_nodes *t, struct stoqfs_node *n)
{
    (void)t;
    (void)n;
    lock();
    fake.pins++;
    unlock();
}

void
stoqfs_node_unpin(struct stoqfs_nodes *t, struct stoqfs_node *n)
{
    (void)t;
    (void)n;
    lock();
    fake.pins--;
    unlock();
}

int
stoqfs_node_open(struct stoqfs_nodes *t, struct stoqfs_node *n, int flags)
{
    (void)t;
    int fd = open((const char *)n, flags);
    return fd < 0 ? -errno : fd;
}

int
stoqfs_node_open_unseen(struct stoqfs_nodes *t, struct stoqfs_node *n, int flags)
{
    return stoqfs_node_open(t, n, flags);
}

int
stoqfs_node_path(struct stoqfs_nodes *t, struct stoqfs_node *n, char *buf, size_t size)
{
    (void)t;
    const char *base = strrchr((const char *)n, '/');
    return snprintf(buf, size, "sub/%s", base + 1);
}

void
stoqfs_cache_stored(struct stoqfs *fs, uint64_t dev, uint64_t ino)
{
    (void)fs;
    (void)dev;
    (void)ino;
}

void
fuse_req_interrupt_func(fuse_req_t req, fuse_interrupt_func_t func, void *data)
{
    (void)pthread_mutex_lock(&req->lock);
    req->func = func;
    req->data = data;
    if (req->interrupted && func)
        func(req, data);
    (void)pthread_mutex_unlock(&req->lock);
}

const struct fuse_ctx *
fuse_req_ctx(fuse_req_t req)
{
    return &req->ctx;
}

void
fake_interrupt(struct fuse_req *req)
{
    (void)pthread_mutex_lock(&req->lock);
    req->interrupted = true;
    if (req->func)
        req->func(req, req->data);
    (void)pthread_mutex_unlock(&req->lock);
}
