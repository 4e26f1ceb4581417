/* SPDX-License-Identifier: Apache-2.0 */

/* A SQLite connection with its prepared statements; see db.h. */

#include "store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/schema.h"
#include "util/auto.h"

/* The courier and the mirror take turns at writing; a turn is milliseconds. */
#define BUSY_MS 10000

int
stoq_db_errno(sqlite3 *sql, int rc)
{
    int sys = sql ? sqlite3_system_errno(sql) : 0;

    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return -EACCES;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* no such table: a schema that is not ours */
    case SQLITE_SCHEMA:
        return -EUCLEAN;
    case SQLITE_TOOBIG:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
        return -EINVAL;
    case SQLITE_CANTOPEN:
        return sys > 0 ? -sys : -EIO;
    case SQLITE_IOERR: /* the errno kept with it is not always that of the failure */
        return sys == ENOSPC || sys == EDQUOT ? -ENOSPC : -EIO;
    default:
        return -EIO;
    }
}

static int
fail(struct stoq_error *err, sqlite3 *sql, int rc, const char *path)
{
    int code = stoq_db_errno(sql, rc);

    return stoq_error_set(err, STOQ_ERROR_SYSTEM, code, "%s: %s", path,
                          sql ? sqlite3_errmsg(sql) : sqlite3_errstr(rc));
}

static int
set_up(sqlite3 *sql, enum stoq_db_role role)
{
    static const char common[] =
        "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
        "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192;"
        "PRAGMA secure_delete = FAST; PRAGMA journal_size_limit = 33554432;"
        "PRAGMA wal_autocheckpoint = 2000;";
    int rc = sqlite3_extended_result_codes(sql, 1);

    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(sql, BUSY_MS);
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config(sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(sql, common, NULL, NULL, NULL);
    /*
     * In WAL mode NORMAL may lose the last commits to a power loss, FULL may not;
     * neither corrupts. A shown result must be on disk, so the store pays one sync per
     * group commit. The courier does not: what it forgets, it delivers again.
     */
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(sql,
                          role == STOQ_DB_OUTBOX ? "PRAGMA synchronous = NORMAL"
                                                 : "PRAGMA synchronous = FULL",
                          NULL, NULL, NULL);
    if (rc == SQLITE_OK && role == STOQ_DB_READER)
        rc = sqlite3_exec(sql, "PRAGMA query_only = ON", NULL, NULL, NULL);
    return rc;
}

static int
prepare(struct stoq_db *db, enum stoq_db_role role)
{
    for (size_t i = 0; i < STOQ_STMT_COUNT; i++) {
        const struct stoq_statement *s = &stoq_statements[i];
        int rc;

        if (!(s->roles & (unsigned)role))
            continue;
        rc = sqlite3_prepare_v3(db->sql, s->text, -1, SQLITE_PREPARE_PERSISTENT,
                                &db->stmts[i], NULL);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

/* Look at the edge of every table: finds a file cut short or overwritten where it is
 * used first, at the price of a few pages. */
static int
probe(sqlite3 *sql)
{
    return sqlite3_exec(sql, stoq_schema_probe, NULL, NULL, NULL);
}

/* The number in the file's header, or -1 with *rc set. */
static int
schema_version(sqlite3 *sql, int *rc)
{
    sqlite3_stmt *stmt = NULL;
    int version = -1;

    *rc = sqlite3_prepare_v2(sql, "PRAGMA user_version", -1, &stmt, NULL);
    if (*rc == SQLITE_OK)
        *rc = sqlite3_step(stmt);
    if (*rc == SQLITE_ROW) {
        version = sqlite3_column_int(stmt, 0);
        *rc = SQLITE_OK;
    }
    (void)sqlite3_finalize(stmt);
    return version;
}

/* All or nothing, and on disk: a power loss leaves the one version or the other. */
static int
upgrade(sqlite3 *sql)
{
    int rc = sqlite3_exec(sql, "BEGIN IMMEDIATE", NULL, NULL, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_exec(sql, stoq_schema_upgrade, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(sql, "COMMIT", NULL, NULL, NULL);
    if (rc != SQLITE_OK && !sqlite3_get_autocommit(sql))
        (void)sqlite3_exec(sql, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

/* @return SQLITE_OK; SQLITE_SCHEMA for a version we do not know, SQLITE_NOTFOUND for
 * one that only the writer may bring up to date. */
static int
fit_schema(sqlite3 *sql, enum stoq_db_role role)
{
    int rc;
    int version = schema_version(sql, &rc);

    if (rc != SQLITE_OK || version == STOQ_DB_SCHEMA_VERSION)
        return rc;
    if (version < STOQ_DB_SCHEMA_OLDEST || version > STOQ_DB_SCHEMA_VERSION)
        return SQLITE_SCHEMA;
    return role == STOQ_DB_WRITER ? upgrade(sql) : SQLITE_NOTFOUND;
}

int
stoq_db_open(const char *path, enum stoq_db_role role, struct stoq_db *db,
             struct stoq_error *err)
{
    struct stoq_db made = {0};
    int rc = sqlite3_open_v2(
        path, &made.sql,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);

    if (rc == SQLITE_OK)
        rc = set_up(made.sql, role);
    if (rc == SQLITE_OK)
        rc = fit_schema(made.sql, role);
    if (rc == SQLITE_NOTFOUND) {
        stoq_db_close(&made);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -EAGAIN,
                              "%s: made by an older version, and not in use since",
                              path);
    }
    if (rc == SQLITE_OK)
        rc = prepare(&made, role);
    if (rc == SQLITE_OK)
        rc = probe(made.sql);
    if (rc != SQLITE_OK) {
        int code = fail(err, made.sql, rc, path);

        stoq_db_close(&made);
        return code;
    }
    *db = made;
    return 0;
}

void
stoq_db_close(struct stoq_db *db)
{
    for (size_t i = 0; i < STOQ_STMT_COUNT; i++)
        (void)sqlite3_finalize(db->stmts[i]);
    (void)sqlite3_close(db->sql);
    memset(db, 0, sizeof *db);
}

int
stoq_db_create(const char *path, struct stoq_error *err)
{
    STOQ_AUTOCLOSE int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    sqlite3 *sql = NULL;
    int rc, code = 0;

    if (fd < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno, "%s: %s", path,
                              strerror(errno));
    rc = sqlite3_open_v2(path, &sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_extended_result_codes(sql, 1);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(sql, stoq_schema, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        code = fail(err, sql, rc, path);
    (void)sqlite3_close(sql);
    if (!code && fsync(fd) < 0)
        code = stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno, "%s: %s", path,
                              strerror(errno));
    return code;
}

int
stoq_db_check(struct stoq_db *db)
{
    sqlite3_stmt *stmt = NULL;
    const unsigned char *text;
    int r;
    int rc = sqlite3_prepare_v2(db->sql, "PRAGMA quick_check(1)", -1, &stmt, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    text = rc == SQLITE_ROW ? sqlite3_column_text(stmt, 0) : NULL;
    if (text)
        r = strcmp((const char *)text, "ok") == 0 ? 0 : -EUCLEAN;
    else
        r = rc == SQLITE_ROW ? -ENOMEM : stoq_db_errno(db->sql, rc);
    (void)sqlite3_finalize(stmt);
    return r;
}

int
stoq_db_run(struct stoq_db *db, enum stoq_stmt which)
{
    struct stoq_query q = stoq_query_start(db, which);

    return stoq_query_run(&q);
}

void
stoq_db_rollback(struct stoq_db *db)
{
    if (db->sql && !sqlite3_get_autocommit(db->sql))
        (void)stoq_db_run(db, STOQ_STMT_ROLLBACK);
}

struct stoq_query
stoq_query_start(struct stoq_db *db, enum stoq_stmt which)
{
    struct stoq_query q = {.stmt = db->stmts[which], .rc = SQLITE_OK};

    return q;
}

static void
bound(struct stoq_query *q, int rc)
{
    if (q->rc == SQLITE_OK)
        q->rc = rc;
}

void
stoq_query_int(struct stoq_query *q, int64_t value)
{
    bound(q, sqlite3_bind_int64(q->stmt, ++q->index, value));
}

void
stoq_query_u64(struct stoq_query *q, uint64_t value)
{
    stoq_query_int(q, (int64_t)value);
}

void
stoq_query_text(struct stoq_query *q, const char *text)
{
    bound(q, sqlite3_bind_text(q->stmt, ++q->index, text, -1, SQLITE_STATIC));
}

void
stoq_query_blob(struct stoq_query *q, const void *data, size_t size)
{
    bound(q, sqlite3_bind_blob64(q->stmt, ++q->index, data, size, SQLITE_STATIC));
}

int
stoq_query_step(struct stoq_query *q)
{
    if (q->rc == SQLITE_OK || q->rc == SQLITE_ROW)
        q->rc = sqlite3_step(q->stmt);
    if (q->rc == SQLITE_ROW)
        return 1;
    return stoq_db_errno(sqlite3_db_handle(q->stmt), q->rc);
}

void
stoq_query_end(struct stoq_query *q)
{
    (void)sqlite3_reset(q->stmt);
    (void)sqlite3_clear_bindings(q->stmt);
}

int
stoq_query_run(struct stoq_query *q)
{
    int r;

    do
        r = stoq_query_step(q);
    while (r == 1);
    stoq_query_end(q);
    return r;
}

int
stoq_query_one(struct stoq_query *q, int64_t *value)
{
    int r = stoq_query_step(q);

    if (r == 1)
        *value = sqlite3_column_int64(q->stmt, 0);
    stoq_query_end(q);
    return r;
}

int
stoq_query_copy(struct stoq_query *q, int column, char **text, size_t *size)
{
    const void *data = sqlite3_column_blob(q->stmt, column);
    size_t n = (size_t)sqlite3_column_bytes(q->stmt, column);
    char *copy = malloc(n + 1);

    if (!copy || (n && !data)) {
        free(copy);
        return -ENOMEM;
    }
    if (n)
        memcpy(copy, data, n);
    copy[n] = '\0';
    *text = copy;
    *size = n;
    return 0;
}
