/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The schema. Everything that has a document refers to it by number, `doc`, and a
 * document goes with the last row that refers to it, in the transaction that removed
 * that row: there are no counters that could drift. Numbers grow, so the indexes on
 * `doc` are only appended to.
 *
 * `result` repeats the scan id so that reading all results at a mount touches no
 * document. Device and inode numbers are unsigned and stored with the same 64 bits.
 */

#include "store/schema.h"

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)

/* application_id comes first and in the rollback journal's mode: the header of the
 * main file then has it, whatever becomes of the write-ahead log. */
const char stoq_schema[] = "PRAGMA application_id = " TEXT(
    STOQ_DB_APPLICATION_ID) ";"
                            "PRAGMA synchronous = FULL;"
                            "BEGIN;"
                            "CREATE TABLE engine (id INTEGER PRIMARY KEY, name TEXT "
                            "NOT NULL UNIQUE);"
                            "CREATE TABLE document (doc INTEGER PRIMARY KEY, scan_id "
                            "TEXT NOT NULL UNIQUE,"
                            " text BLOB NOT NULL);"
                            "CREATE TABLE result (dev INTEGER NOT NULL, ino INTEGER "
                            "NOT NULL,"
                            " size INTEGER NOT NULL, mtime INTEGER NOT NULL, ctime "
                            "INTEGER NOT NULL,"
                            " engine INTEGER NOT NULL, doc INTEGER NOT NULL, scan_id "
                            "TEXT NOT NULL,"
                            " verdict INTEGER NOT NULL, sha BLOB, reusable INTEGER NOT "
                            "NULL,"
                            " time INTEGER NOT NULL, document_size INTEGER NOT NULL,"
                            " PRIMARY KEY (dev, ino)) WITHOUT ROWID;"
                            "CREATE INDEX result_doc ON result (doc);"
                            "CREATE TABLE content (sha BLOB NOT NULL, engine INTEGER "
                            "NOT NULL,"
                            " doc INTEGER NOT NULL, time INTEGER NOT NULL,"
                            " PRIMARY KEY (sha, engine)) WITHOUT ROWID;"
                            "CREATE INDEX content_doc ON content (doc);"
                            "CREATE TABLE outbox (row INTEGER PRIMARY KEY "
                            "AUTOINCREMENT,"
                            " connector TEXT NOT NULL, doc INTEGER NOT NULL,"
                            " attempts INTEGER NOT NULL DEFAULT 0, due_ms INTEGER NOT "
                            "NULL DEFAULT 0,"
                            " last_error TEXT);"
                            "CREATE INDEX outbox_connector ON outbox (connector);"
                            "CREATE INDEX outbox_doc ON outbox (doc);"
                            "CREATE TABLE outbox_stats (connector TEXT PRIMARY KEY,"
                            " queued INTEGER NOT NULL DEFAULT 0, delivered INTEGER NOT "
                            "NULL DEFAULT 0,"
                            " failures INTEGER NOT NULL DEFAULT 0, last_error TEXT) "
                            "WITHOUT ROWID;"
                            "PRAGMA user_version = " TEXT(
                                STOQ_DB_SCHEMA_VERSION) ";"
                                                        "COMMIT;"
                                                        "PRAGMA journal_mode = WAL;";

const char stoq_schema_probe[] =
    "SELECT min(id), max(name) FROM engine;"
    "SELECT max(doc) FROM document; SELECT min(scan_id) FROM document;"
    "SELECT dev FROM result ORDER BY dev, ino LIMIT 1;"
    "SELECT dev FROM result ORDER BY dev DESC, ino DESC LIMIT 1;"
    "SELECT max(doc) FROM result; SELECT max(sha) FROM content;"
    "SELECT max(doc) FROM content; SELECT min(row) FROM outbox;"
    "SELECT max(row) FROM outbox; SELECT max(doc) FROM outbox;"
    "SELECT max(connector) FROM outbox; SELECT max(connector) FROM outbox_stats;";

#define W STOQ_DB_WRITER
#define R STOQ_DB_READER
#define O STOQ_DB_OUTBOX

#define RECORD_COLUMNS                                                             \
    "r.dev, r.ino, r.size, r.mtime, r.ctime, e.name, r.scan_id, r.verdict, r.sha," \
    " r.reusable, r.time, r.document_size"
#define RECORD_TABLES "result r JOIN engine e ON e.id = r.engine"

const struct stoq_statement stoq_statements[STOQ_STMT_COUNT] = {
    [STOQ_STMT_BEGIN] = {W | O, "BEGIN IMMEDIATE"},
    [STOQ_STMT_COMMIT] = {W | O, "COMMIT"},
    [STOQ_STMT_ROLLBACK] = {W | O, "ROLLBACK"},
    [STOQ_STMT_RESULT_DOC] = {W, "SELECT doc FROM result WHERE dev = ?1 AND ino = ?2"},
    [STOQ_STMT_RESULT_PUT] =
        {W, "REPLACE INTO result (dev, ino, size, mtime, ctime, engine, doc, scan_id,"
            " verdict, sha, reusable, time, document_size)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"},
    [STOQ_STMT_RESULT_DELETE] = {W, "DELETE FROM result WHERE dev = ?1 AND ino = ?2"},
    [STOQ_STMT_RESULT_SAME] =
        {W, "SELECT doc FROM result WHERE dev = ?1 AND ino = ?2 AND size = ?3"
            " AND mtime = ?4 AND ctime = ?5"},
    [STOQ_STMT_RESULT_MOVE] =
        {W, "UPDATE result SET dev = ?3, ino = ?4, size = ?5, mtime = ?6, ctime = ?7"
            " WHERE dev = ?1 AND ino = ?2"},
    [STOQ_STMT_RESULT_FIND] = {R, "SELECT " RECORD_COLUMNS " FROM " RECORD_TABLES
                                  " WHERE r.dev = ?1 AND r.ino = ?2"},
    [STOQ_STMT_RESULT_FIRST] = {R, "SELECT " RECORD_COLUMNS " FROM " RECORD_TABLES
                                   " ORDER BY r.dev, r.ino LIMIT ?1"},
    [STOQ_STMT_RESULT_AFTER] =
        {R, "SELECT " RECORD_COLUMNS " FROM " RECORD_TABLES
            " WHERE (r.dev, r.ino) > (?1, ?2) ORDER BY r.dev, r.ino LIMIT ?3"},
    [STOQ_STMT_DOC_PUT] =
        {W, "INSERT INTO document (scan_id, text) VALUES (?1, ?2)"
            " ON CONFLICT (scan_id) DO UPDATE SET text = excluded.text RETURNING doc"},
    [STOQ_STMT_DOC_COLLECT] = {W | O,
                               "DELETE FROM document WHERE doc = ?1"
                               " AND NOT EXISTS (SELECT 1 FROM result WHERE doc = ?1)"
                               " AND NOT EXISTS (SELECT 1 FROM content WHERE doc = ?1)"
                               " AND NOT EXISTS (SELECT 1 FROM outbox WHERE doc = ?1)"},
    [STOQ_STMT_DOC_TEXT] = {R, "SELECT text FROM document WHERE scan_id = ?1"},
    [STOQ_STMT_ENGINE_ADD] = {W, "INSERT OR IGNORE INTO engine (name) VALUES (?1)"},
    [STOQ_STMT_ENGINE_FIND] = {W, "SELECT id FROM engine WHERE name = ?1"},
    [STOQ_STMT_CONTENT_DOC] =
        {W, "SELECT doc FROM content WHERE sha = ?1 AND engine = ?2"},
    [STOQ_STMT_CONTENT_PUT] =
        {W, "REPLACE INTO content (sha, engine, doc, time) VALUES (?1, ?2, ?3, ?4)"},
    [STOQ_STMT_CONTENT_TEXT] =
        {R, "SELECT d.text FROM content c JOIN engine e ON e.id = c.engine"
            " JOIN document d ON d.doc = c.doc WHERE c.sha = ?1 AND e.name = ?2"},
    [STOQ_STMT_CONTENT_STALE] =
        {W, "SELECT sha, engine, doc, time < ?3 AND (engine <> ?4 OR NOT EXISTS"
            " (SELECT 1 FROM result r WHERE r.doc = c.doc)) FROM content c"
            " WHERE (sha, engine) > (?1, ?2) ORDER BY sha, engine LIMIT ?5"},
    [STOQ_STMT_CONTENT_DELETE] = {W,
                                  "DELETE FROM content WHERE sha = ?1 AND engine = ?2"},
    [STOQ_STMT_OUTBOX_ADD] = {W, "INSERT INTO outbox (connector, doc) VALUES (?1, ?2)"},
    [STOQ_STMT_OUTBOX_OLDEST] =
        {O, "SELECT o.row, o.attempts, o.due_ms, d.text FROM outbox o"
            " LEFT JOIN document d ON d.doc = o.doc WHERE o.connector = ?1"
            " ORDER BY o.row LIMIT 1"},
    [STOQ_STMT_OUTBOX_DOC] =
        {O, "SELECT doc FROM outbox WHERE row = ?1 AND connector = ?2"},
    [STOQ_STMT_OUTBOX_DELETE] =
        {O, "DELETE FROM outbox WHERE row = ?1 AND connector = ?2"},
    [STOQ_STMT_OUTBOX_RETRY] =
        {O, "UPDATE outbox SET attempts = attempts + 1, due_ms = ?3, last_error = ?4"
            " WHERE row = ?1 AND connector = ?2"},
    [STOQ_STMT_STATS_QUEUED] =
        {W, "INSERT INTO outbox_stats (connector, queued) VALUES (?1, 1)"
            " ON CONFLICT (connector) DO UPDATE SET queued = queued + 1"},
    [STOQ_STMT_STATS_DELIVERED] =
        {O, "UPDATE outbox_stats SET delivered = delivered + 1 WHERE connector = ?1"},
    [STOQ_STMT_STATS_FAILED] =
        {O, "UPDATE outbox_stats SET failures = failures + 1, last_error = ?2"
            " WHERE connector = ?1"},
    [STOQ_STMT_STATS_GET] =
        {R, "SELECT queued, delivered, failures, last_error FROM outbox_stats"
            " WHERE connector = ?1"},
};
