/* SPDX-License-Identifier: Apache-2.0 */

/* Changes to the database, each inside the writer's transaction; see ops.h. */

#include "store/ops.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A content row that no result refers to any more (the file is gone or has changed) or
 * that was made under other rules is kept this long, since uploads repeat; without an
 * end a drop directory would make the database grow for ever.
 */
#define CONTENT_KEEP_NS (INT64_C(30) * 24 * 3600 * 1000000000)
#define SWEEP_ROWS      32

struct stoq_op *
stoq_op_put(const struct stoq_record *record, const char *document, size_t size,
            const char *const *connectors)
{
    size_t count = 0, text = 0, bytes;
    struct stoq_op *op;
    char *at;

    for (; connectors && connectors[count]; count++)
        text += strlen(connectors[count]) + 1;
    if (__builtin_add_overflow(sizeof *op + (count + 1) * sizeof(char *) + text + 1,
                               size, &bytes))
        return NULL;
    op = calloc(1, bytes);
    if (!op)
        return NULL;
    op->kind = STOQ_OP_PUT;
    op->bytes = bytes;
    op->record = *record;
    op->record.document_size = size;
    op->connectors = (char **)(op + 1);
    at = (char *)(op->connectors + count + 1);
    for (size_t i = 0; i < count; i++) {
        op->connectors[i] = at;
        at = stpcpy(at, connectors[i]) + 1;
    }
    op->document = at;
    op->size = size;
    if (size)
        memcpy(at, document, size);
    return op;
}

static struct stoq_op *
small_op(enum stoq_op_kind kind)
{
    struct stoq_op *op = calloc(1, sizeof *op);

    if (op) {
        op->kind = kind;
        op->bytes = sizeof *op;
    }
    return op;
}

struct stoq_op *
stoq_op_forget(uint64_t dev, uint64_t ino)
{
    struct stoq_op *op = small_op(STOQ_OP_FORGET);

    if (op) {
        op->record.id.dev = dev;
        op->record.id.ino = ino;
    }
    return op;
}

struct stoq_op *
stoq_op_carry(const struct stoq_identity *from, const struct stoq_identity *to)
{
    struct stoq_op *op = small_op(STOQ_OP_CARRY);

    if (op) {
        op->record.id = *from;
        op->to = *to;
    }
    return op;
}

/* Remove document @doc unless something still refers to it. */
static int
collect(struct stoq_db *db, int64_t doc)
{
    struct stoq_query q = stoq_query_start(db, STOQ_STMT_DOC_COLLECT);

    stoq_query_int(&q, doc);
    return stoq_query_run(&q);
}

static int
engine_row(struct stoq_apply *a, const char *name, int64_t *row)
{
    struct stoq_query q;
    int r;

    if (a->engine_row && strcmp(a->engine, name) == 0) {
        *row = a->engine_row;
        return 0;
    }
    q = stoq_query_start(a->db, STOQ_STMT_ENGINE_ADD);
    stoq_query_text(&q, name);
    r = stoq_query_run(&q);
    if (r < 0)
        return r;
    q = stoq_query_start(a->db, STOQ_STMT_ENGINE_FIND);
    stoq_query_text(&q, name);
    r = stoq_query_one(&q, row);
    if (r < 0)
        return r;
    (void)snprintf(a->engine, sizeof a->engine, "%s", name);
    a->engine_row = *row;
    return r == 1 ? 0 : -EIO;
}

static int
put_document(struct stoq_db *db, const struct stoq_op *op, int64_t *doc)
{
    struct stoq_query q = stoq_query_start(db, STOQ_STMT_DOC_PUT);
    int r;

    stoq_query_text(&q, op->record.scan_id);
    stoq_query_blob(&q, op->document, op->size);
    r = stoq_query_one(&q, doc);
    return r == 1 ? 0 : (r < 0 ? r : -EIO);
}

/* @return 1 with the document of (dev, ino), 0 when there is no result. */
static int
result_doc(struct stoq_db *db, const struct stoq_identity *id, int64_t *doc)
{
    struct stoq_query q = stoq_query_start(db, STOQ_STMT_RESULT_DOC);

    stoq_query_u64(&q, id->dev);
    stoq_query_u64(&q, id->ino);
    return stoq_query_one(&q, doc);
}

static void
query_identity(struct stoq_query *q, const struct stoq_identity *id)
{
    stoq_query_u64(q, id->dev);
    stoq_query_u64(q, id->ino);
    stoq_query_u64(q, id->size);
    stoq_query_int(q, id->mtime_ns);
    stoq_query_int(q, id->ctime_ns);
}

static int
put_result(struct stoq_db *db, const struct stoq_record *record, int64_t engine,
           int64_t doc)
{
    struct stoq_query q = stoq_query_start(db, STOQ_STMT_RESULT_PUT);

    query_identity(&q, &record->id);
    stoq_query_int(&q, engine);
    stoq_query_int(&q, doc);
    stoq_query_text(&q, record->scan_id);
    stoq_query_int(&q, (int64_t)record->verdict);
    stoq_query_blob(&q, record->has_sha256 ? record->sha256 : NULL, STOQ_SHA256_SIZE);
    stoq_query_int(&q, record->reusable);
    stoq_query_int(&q, record->time_ns);
    stoq_query_u64(&q, record->document_size);
    return stoq_query_run(&q);
}

/* The newest document of this content wins, so that a forced scan counts. */
static int
put_content(struct stoq_db *db, const struct stoq_record *record, int64_t engine,
            int64_t doc)
{
    struct stoq_query q = stoq_query_start(db, STOQ_STMT_CONTENT_DOC);
    int64_t old = 0;
    int had, r;

    stoq_query_blob(&q, record->sha256, STOQ_SHA256_SIZE);
    stoq_query_int(&q, engine);
    had = stoq_query_one(&q, &old);
    if (had < 0)
        return had;
    q = stoq_query_start(db, STOQ_STMT_CONTENT_PUT);
    stoq_query_blob(&q, record->sha256, STOQ_SHA256_SIZE);
    stoq_query_int(&q, engine);
    stoq_query_int(&q, doc);
    stoq_query_int(&q, stoq_real_ns());
    r = stoq_query_run(&q);
    return r == 0 && had && old != doc ? collect(db, old) : r;
}

static int
put_letter(struct stoq_apply *a, const char *connector, int64_t doc, size_t size)
{
    int64_t now_ms = stoq_real_ns() / 1000000;
    struct stoq_query q;
    unsigned dropped = 0;
    int r = stoq_bounds_admit(a->db, connector, &a->bounds, size, now_ms, &dropped);

    if (dropped)
        stoq_burst_tell(&a->burst, connector, "its outbox is at its bounds");
    if (r <= 0)
        return r;
    q = stoq_query_start(a->db, STOQ_STMT_OUTBOX_ADD);
    stoq_query_text(&q, connector);
    stoq_query_int(&q, doc);
    stoq_query_u64(&q, size);
    stoq_query_int(&q, now_ms);
    return stoq_query_run(&q);
}

static int
put_outbox(struct stoq_apply *a, const struct stoq_op *op, int64_t doc)
{
    int r = 0;

    for (char *const *name = op->connectors; r == 0 && *name; name++)
        r = put_letter(a, *name, doc, op->size);
    return r;
}

static int
apply_put(struct stoq_apply *a, const struct stoq_op *op)
{
    const struct stoq_record *record = &op->record;
    int64_t old = 0, doc = 0, engine = 0;
    int had = result_doc(a->db, &record->id, &old);
    int r = had < 0 ? had : engine_row(a, record->engine_id, &engine);

    if (r == 0)
        r = put_document(a->db, op, &doc);
    if (r == 0)
        r = put_result(a->db, record, engine, doc);
    if (r == 0 && record->reusable && record->has_sha256)
        r = put_content(a->db, record, engine, doc);
    if (r == 0)
        r = put_outbox(a, op, doc);
    if (r == 0 && had && old != doc)
        r = collect(a->db, old);
    return r;
}

static int
apply_forget(struct stoq_db *db, const struct stoq_identity *id)
{
    struct stoq_query q;
    int64_t doc = 0;
    int r = result_doc(db, id, &doc);

    if (r <= 0)
        return r;
    q = stoq_query_start(db, STOQ_STMT_RESULT_DELETE);
    stoq_query_u64(&q, id->dev);
    stoq_query_u64(&q, id->ino);
    r = stoq_query_run(&q);
    return r < 0 ? r : collect(db, doc);
}

static int
apply_carry(struct stoq_db *db, const struct stoq_identity *from,
            const struct stoq_identity *to)
{
    struct stoq_query q = stoq_query_start(db, STOQ_STMT_RESULT_SAME);
    int64_t doc;
    int r;

    query_identity(&q, from);
    r = stoq_query_one(&q, &doc);
    if (r <= 0)
        return r;
    if (from->dev != to->dev || from->ino != to->ino)
        r = apply_forget(db, to);
    if (r < 0)
        return r;
    q = stoq_query_start(db, STOQ_STMT_RESULT_MOVE);
    stoq_query_u64(&q, from->dev);
    stoq_query_u64(&q, from->ino);
    query_identity(&q, to);
    return stoq_query_run(&q);
}

int
stoq_apply(struct stoq_apply *a, const struct stoq_op *op)
{
    switch (op->kind) {
    case STOQ_OP_PUT:
        return apply_put(a, op);
    case STOQ_OP_FORGET:
        return apply_forget(a->db, &op->record.id);
    case STOQ_OP_CARRY:
        return apply_carry(a->db, &op->record.id, &op->to);
    }
    return -EINVAL;
}

struct stale {
    uint8_t sha[STOQ_SHA256_SIZE];
    int64_t engine, doc;
    bool drop;
};

/* Read the next rows of the sweep. @return how many, or -errno. */
static int
read_stale(struct stoq_apply *a, int64_t now_ns, struct stale rows[SWEEP_ROWS])
{
    struct stoq_query q = stoq_query_start(a->db, STOQ_STMT_CONTENT_STALE);
    int n = 0, r;

    stoq_query_blob(&q, a->sweep_sha, sizeof a->sweep_sha);
    stoq_query_int(&q, a->sweep_engine);
    stoq_query_int(&q, now_ns - CONTENT_KEEP_NS);
    stoq_query_int(&q, a->engine_row);
    stoq_query_int(&q, SWEEP_ROWS);
    while ((r = stoq_query_step(&q)) == 1 && n < SWEEP_ROWS) {
        const void *sha = sqlite3_column_blob(q.stmt, 0);

        if (!sha || sqlite3_column_bytes(q.stmt, 0) != STOQ_SHA256_SIZE)
            continue;
        memcpy(rows[n].sha, sha, STOQ_SHA256_SIZE);
        rows[n].engine = sqlite3_column_int64(q.stmt, 1);
        rows[n].doc = sqlite3_column_int64(q.stmt, 2);
        rows[n].drop = sqlite3_column_int(q.stmt, 3) != 0;
        n++;
    }
    stoq_query_end(&q);
    return r < 0 ? r : n;
}

int
stoq_apply_sweep(struct stoq_apply *a, int64_t now_ns)
{
    struct stale rows[SWEEP_ROWS];
    int n = a->engine_row ? read_stale(a, now_ns, rows) : 0;
    int r = 0;

    for (int i = 0; r == 0 && i < n; i++) {
        struct stoq_query q;

        if (!rows[i].drop)
            continue;
        q = stoq_query_start(a->db, STOQ_STMT_CONTENT_DELETE);
        stoq_query_blob(&q, rows[i].sha, STOQ_SHA256_SIZE);
        stoq_query_int(&q, rows[i].engine);
        r = stoq_query_run(&q);
        if (r == 0)
            r = collect(a->db, rows[i].doc);
    }
    if (n < 0 || r < 0)
        return n < 0 ? n : r;
    if (n == SWEEP_ROWS) {
        memcpy(a->sweep_sha, rows[n - 1].sha, STOQ_SHA256_SIZE);
        a->sweep_engine = rows[n - 1].engine;
    } else {
        memset(a->sweep_sha, 0, sizeof a->sweep_sha);
        a->sweep_engine = 0;
    }
    return 0;
}

void
stoq_apply_reset(struct stoq_apply *a)
{
    a->engine[0] = '\0';
    a->engine_row = 0;
}
