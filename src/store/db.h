/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_STORE_DB_H
#define STOQ_STORE_DB_H

/*
 * One SQLite connection with its prepared statements: the schema, the SQL of the whole
 * room and the translation of SQLite's codes to errno live here and nowhere else.
 * Used by the store's writer, its readers and the outbox. A connection belongs to one
 * thread at a time; there is no lock in here.
 */

#include <sqlite3.h>
#include <stdint.h>

#include <stoq/error.h>

/** "stoq" in the file's header, so that file(1) and we know it. */
#define STOQ_DB_APPLICATION_ID 0x73746f71
/** Raised with every change of the schema. A file of an older one is brought up to date
 *  by the writer, one of a newer one is moved aside. */
#define STOQ_DB_SCHEMA_VERSION 2
/** The oldest that can be brought up to date. */
#define STOQ_DB_SCHEMA_OLDEST 1

/** Who uses a connection; or-ed in the table of statements. */
enum stoq_db_role {
    STOQ_DB_WRITER = 1, /**< FULL: what was shown is on disk */
    STOQ_DB_READER = 2, /**< query only */
    STOQ_DB_OUTBOX = 4  /**< NORMAL: a delivery forgotten by a power loss is repeated */
};

enum stoq_stmt {
    STOQ_STMT_BEGIN,
    STOQ_STMT_COMMIT,
    STOQ_STMT_ROLLBACK,
    STOQ_STMT_RESULT_DOC,
    STOQ_STMT_RESULT_PUT,
    STOQ_STMT_RESULT_DELETE,
    STOQ_STMT_RESULT_SAME,
    STOQ_STMT_RESULT_MOVE,
    STOQ_STMT_RESULT_FIND,
    STOQ_STMT_RESULT_FIRST,
    STOQ_STMT_RESULT_AFTER,
    STOQ_STMT_DOC_PUT,
    STOQ_STMT_DOC_COLLECT,
    STOQ_STMT_DOC_TEXT,
    STOQ_STMT_ENGINE_ADD,
    STOQ_STMT_ENGINE_FIND,
    STOQ_STMT_CONTENT_DOC,
    STOQ_STMT_CONTENT_PUT,
    STOQ_STMT_CONTENT_TEXT,
    STOQ_STMT_CONTENT_STALE,
    STOQ_STMT_CONTENT_DELETE,
    STOQ_STMT_OUTBOX_ADD,
    STOQ_STMT_OUTBOX_OLDEST,
    STOQ_STMT_OUTBOX_DOC,
    STOQ_STMT_OUTBOX_DELETE,
    STOQ_STMT_OUTBOX_RETRY,
    STOQ_STMT_OUTBOX_BURY,
    STOQ_STMT_OUTBOX_DUE,
    STOQ_STMT_DEAD_REVIVE,
    STOQ_STMT_DEAD_DELETE,
    STOQ_STMT_LETTER_OLDEST,
    STOQ_STMT_LETTER_FIND,
    STOQ_STMT_LETTER_PAGE,
    STOQ_STMT_STATS_DELIVERED,
    STOQ_STMT_STATS_FAILED,
    STOQ_STMT_STATS_DROPPED,
    STOQ_STMT_STATS_BYTES,
    STOQ_STMT_STATS_GET,
    STOQ_STMT_COUNT
};

struct stoq_db {
    sqlite3 *sql;
    sqlite3_stmt *stmts[STOQ_STMT_COUNT];
};

/** Make a complete, empty database file at @p path, which must not exist. */
int stoq_db_create(const char *path, struct stoq_error *err);
/**
 * Open @p path and prepare every statement of @p role. The writer brings an older
 * schema up to date.
 * @return 0; -EAGAIN when the schema is older and @p role is not the writer's; -EUCLEAN
 *         when it is not a sound database of this schema; other -errno for what the
 *         system refused. On failure @p db is unchanged.
 */
int stoq_db_open(const char *path, enum stoq_db_role role, struct stoq_db *db,
                 struct stoq_error *err);
void stoq_db_close(struct stoq_db *db);
/** Read the whole file. @return 0 or -EUCLEAN. Blocks: for as long as that takes. */
int stoq_db_check(struct stoq_db *db);
/** -errno of SQLite's extended code @p rc on @p sql (NULL: of the code alone). */
int stoq_db_errno(sqlite3 *sql, int rc);

/** Run a statement without parameters. */
int stoq_db_run(struct stoq_db *db, enum stoq_stmt which);
/** Undo whatever transaction is open; nothing when none is, or no database. */
void stoq_db_rollback(struct stoq_db *db);

/** A statement being used; parameters are bound in order, a failure is remembered. */
struct stoq_query {
    sqlite3_stmt *stmt;
    int index;
    int rc;
};

struct stoq_query stoq_query_start(struct stoq_db *db, enum stoq_stmt which);
void stoq_query_int(struct stoq_query *q, int64_t value);
/** Unsigned values are stored as the signed number of the same bits. */
void stoq_query_u64(struct stoq_query *q, uint64_t value);
/** Borrowed until stoq_query_end(). NULL binds NULL. */
void stoq_query_text(struct stoq_query *q, const char *text);
void stoq_query_blob(struct stoq_query *q, const void *data, size_t size);
/** @return 1 a row, 0 no (more) row, -errno. */
int stoq_query_step(struct stoq_query *q);
/** Give the statement back. */
void stoq_query_end(struct stoq_query *q);
/** Step to the end and give back. @return 0 or -errno. */
int stoq_query_run(struct stoq_query *q);
/** First column of the first row, then give back. @return 1, 0 no row, -errno. */
int stoq_query_one(struct stoq_query *q, int64_t *value);

/** Column @p column as a malloc'ed, NUL-terminated copy. @return 0 or -ENOMEM. */
int stoq_query_copy(struct stoq_query *q, int column, char **text, size_t *size);

#endif
