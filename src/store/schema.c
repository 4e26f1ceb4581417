/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The schema. Everything that has a document refers to it by number, `doc`, and a
 * document goes with the last row that refers to it, in the transaction that removed
 * that row: nothing counts references, so no count of them can drift. Numbers grow, so
 * the indexes on `doc` are only appended to.
 *
 * `result` repeats the scan id so that reading all results at a mount touches no
 * document. Device and inode numbers are unsigned and stored with the same 64 bits.
 */

#include "store/schema.h"

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)

/* clang-format off */

/*
 * The outbox counts itself, whoever changes it: `waiting`, `dead` and their bytes are
 * sums that the rows' own coming and going keeps. A size is that of the document,
 * though results and other connectors may share it.
 */
#define OUTBOX_TRIGGERS \
    "CREATE TRIGGER outbox_in AFTER INSERT ON outbox BEGIN" \
    " INSERT INTO outbox_stats (connector, waiting, bytes)" \
    "  VALUES (NEW.connector, 1, NEW.size) ON CONFLICT (connector) DO UPDATE" \
    "  SET waiting = waiting + 1, bytes = bytes + NEW.size; END;" \
    "CREATE TRIGGER outbox_out AFTER DELETE ON outbox BEGIN" \
    " UPDATE outbox_stats SET waiting = waiting - 1, bytes = bytes - OLD.size" \
    "  WHERE connector = OLD.connector; END;" \
    "CREATE TRIGGER dead_in AFTER INSERT ON dead BEGIN" \
    " INSERT INTO outbox_stats (connector, dead, dead_bytes)" \
    "  VALUES (NEW.connector, 1, NEW.size) ON CONFLICT (connector) DO UPDATE" \
    "  SET dead = dead + 1, dead_bytes = dead_bytes + NEW.size; END;" \
    "CREATE TRIGGER dead_out AFTER DELETE ON dead BEGIN" \
    " UPDATE outbox_stats SET dead = dead - 1, dead_bytes = dead_bytes - OLD.size" \
    "  WHERE connector = OLD.connector; END;"

#define OUTBOX_STATS \
    "CREATE TABLE outbox_stats (connector TEXT PRIMARY KEY," \
    " waiting INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0," \
    " dead INTEGER NOT NULL DEFAULT 0, dead_bytes INTEGER NOT NULL DEFAULT 0," \
    " delivered INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0," \
    " dropped INTEGER NOT NULL DEFAULT 0, dropped_ms INTEGER NOT NULL DEFAULT 0," \
    " last_error TEXT) WITHOUT ROWID;"

#define DEAD_LETTERS \
    "CREATE TABLE dead (row INTEGER PRIMARY KEY, connector TEXT NOT NULL," \
    " doc INTEGER NOT NULL, size INTEGER NOT NULL, queued_ms INTEGER NOT NULL," \
    " died_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, last_error TEXT);" \
    "CREATE INDEX dead_connector ON dead (connector);" \
    "CREATE INDEX dead_doc ON dead (doc);"

/* application_id comes first and in the rollback journal's mode: the header of the
 * main file then has it, whatever becomes of the write-ahead log. */
const char stoq_schema[] =
    "PRAGMA application_id = " TEXT(STOQ_DB_APPLICATION_ID) ";"
    "PRAGMA synchronous = FULL;"
    "BEGIN;"
    "CREATE TABLE engine (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE document (doc INTEGER PRIMARY KEY, scan_id TEXT NOT NULL UNIQUE,"
    " text BLOB NOT NULL);"
    "CREATE TABLE result (dev INTEGER NOT NULL, ino INTEGER NOT NULL,"
    " size INTEGER NOT NULL, mtime INTEGER NOT NULL, ctime INTEGER NOT NULL,"
    " engine INTEGER NOT NULL, doc INTEGER NOT NULL, scan_id TEXT NOT NULL,"
    " verdict INTEGER NOT NULL, sha BLOB, reusable INTEGER NOT NULL,"
    " time INTEGER NOT NULL, document_size INTEGER NOT NULL,"
    " PRIMARY KEY (dev, ino)) WITHOUT ROWID;"
    "CREATE INDEX result_doc ON result (doc);"
    "CREATE TABLE content (sha BLOB NOT NULL, engine INTEGER NOT NULL,"
    " doc INTEGER NOT NULL, time INTEGER NOT NULL,"
    " PRIMARY KEY (sha, engine)) WITHOUT ROWID;"
    "CREATE INDEX content_doc ON content (doc);"
    "CREATE TABLE outbox (row INTEGER PRIMARY KEY AUTOINCREMENT,"
    " connector TEXT NOT NULL, doc INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL DEFAULT 0, due_ms INTEGER NOT NULL DEFAULT 0,"
    " last_error TEXT, size INTEGER NOT NULL DEFAULT 0,"
    " queued_ms INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX outbox_connector ON outbox (connector);"
    "CREATE INDEX outbox_doc ON outbox (doc);"
    DEAD_LETTERS OUTBOX_STATS OUTBOX_TRIGGERS
    "PRAGMA user_version = " TEXT(STOQ_DB_SCHEMA_VERSION) ";"
    "COMMIT;"
    "PRAGMA journal_mode = WAL;";

/* Version 1 had no dead letters, and counted what was queued instead of what waits. */
const char stoq_schema_upgrade[] =
    "ALTER TABLE outbox ADD COLUMN size INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE outbox ADD COLUMN queued_ms INTEGER NOT NULL DEFAULT 0;"
    "UPDATE outbox SET queued_ms = CAST(strftime('%s', 'now') AS INTEGER) * 1000,"
    " size = ifnull((SELECT length(text) FROM document d WHERE d.doc = outbox.doc), 0);"
    "ALTER TABLE outbox_stats RENAME TO old_stats;"
    DEAD_LETTERS OUTBOX_STATS
    "INSERT INTO outbox_stats (connector, delivered, failures, last_error)"
    " SELECT connector, delivered, failures, last_error FROM old_stats;"
    "INSERT INTO outbox_stats (connector, waiting, bytes)"
    " SELECT connector, count(*), sum(size) FROM outbox WHERE true GROUP BY connector"
    " ON CONFLICT (connector) DO UPDATE"
    " SET waiting = excluded.waiting, bytes = excluded.bytes;"
    "DROP TABLE old_stats;"
    OUTBOX_TRIGGERS
    "PRAGMA user_version = " TEXT(STOQ_DB_SCHEMA_VERSION) ";";

/* clang-format on */

const char stoq_schema_probe[] =
    "SELECT min(id), max(name) FROM engine;"
    "SELECT max(doc) FROM document; SELECT min(scan_id) FROM document;"
    "SELECT dev FROM result ORDER BY dev, ino LIMIT 1;"
    "SELECT dev FROM result ORDER BY dev DESC, ino DESC LIMIT 1;"
    "SELECT max(doc) FROM result; SELECT max(sha) FROM content;"
    "SELECT max(doc) FROM content; SELECT min(row) FROM outbox;"
    "SELECT max(row) FROM outbox; SELECT max(doc) FROM outbox;"
    "SELECT max(connector) FROM outbox; SELECT max(connector) FROM outbox_stats;"
    "SELECT max(row) FROM dead; SELECT max(doc) FROM dead;"
    "SELECT max(connector) FROM dead;";

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
                               " AND NOT EXISTS (SELECT 1 FROM outbox WHERE doc = ?1)"
                               " AND NOT EXISTS (SELECT 1 FROM dead WHERE doc = ?1)"},
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
    [STOQ_STMT_OUTBOX_ADD] = {W, "INSERT INTO outbox (connector, doc, size, queued_ms)"
                                 " VALUES (?1, ?2, ?3, ?4)"},
    [STOQ_STMT_OUTBOX_OLDEST] =
        {O, "SELECT o.row, o.attempts, o.due_ms, o.queued_ms, d.text FROM outbox o"
            " LEFT JOIN document d ON d.doc = o.doc WHERE o.connector = ?1"
            " ORDER BY o.row LIMIT 1"},
    [STOQ_STMT_OUTBOX_DOC] =
        {O, "SELECT doc FROM outbox WHERE row = ?1 AND connector = ?2"},
    [STOQ_STMT_OUTBOX_DELETE] = {W | O, "DELETE FROM outbox WHERE row = ?1"},
    [STOQ_STMT_OUTBOX_RETRY] =
        {O, "UPDATE outbox SET attempts = ?3, due_ms = ?4, last_error = ?5"
            " WHERE row = ?1 AND connector = ?2"},
    [STOQ_STMT_OUTBOX_BURY] =
        {O, "INSERT INTO dead (row, connector, doc, size, queued_ms, died_ms, attempts,"
            " last_error) SELECT row, connector, doc, size, queued_ms, ?2, ?3, ?4"
            " FROM outbox WHERE row = ?1"},
    [STOQ_STMT_OUTBOX_DUE] =
        {O, "UPDATE outbox SET due_ms = 0 WHERE row = ?1 RETURNING row"},
    [STOQ_STMT_DEAD_REVIVE] =
        {O, "INSERT INTO outbox (row, connector, doc, size, queued_ms, last_error)"
            " SELECT row, connector, doc, size, queued_ms, last_error FROM dead"
            " WHERE row = ?1 RETURNING row"},
    [STOQ_STMT_DEAD_DELETE] = {W | O, "DELETE FROM dead WHERE row = ?1"},
    [STOQ_STMT_LETTER_OLDEST] =
        {W | O, "SELECT row, doc, queued_ms, dead FROM ("
                " SELECT * FROM (SELECT row, doc, queued_ms, 0 AS dead FROM outbox"
                "  WHERE connector = ?1 ORDER BY row LIMIT 1)"
                " UNION ALL SELECT * FROM (SELECT row, doc, queued_ms, 1 FROM dead"
                "  WHERE connector = ?1 ORDER BY row LIMIT 1)) ORDER BY row LIMIT 1"},
    [STOQ_STMT_LETTER_FIND] =
        {O, "SELECT doc, connector, 0 FROM outbox WHERE row = ?1"
            " UNION ALL SELECT doc, connector, 1 FROM dead WHERE row = ?1"},
    [STOQ_STMT_LETTER_PAGE] =
        {O,
         "SELECT l.row, l.connector, l.dead, l.attempts, l.queued_ms, l.at_ms, l.size,"
         " l.last_error, d.scan_id FROM ("
         " SELECT * FROM (SELECT row, connector, 0 AS dead, attempts, queued_ms,"
         "  due_ms AS at_ms, size, last_error, doc FROM outbox"
         "  WHERE row > ?1 AND (?2 IS NULL OR connector = ?2) AND NOT ?3"
         "  ORDER BY row LIMIT ?4)"
         " UNION ALL SELECT * FROM (SELECT row, connector, 1, attempts, queued_ms,"
         "  died_ms, size, last_error, doc FROM dead"
         "  WHERE row > ?1 AND (?2 IS NULL OR connector = ?2)"
         "  ORDER BY row LIMIT ?4)) l"
         " LEFT JOIN document d ON d.doc = l.doc ORDER BY l.row LIMIT ?4"},
    [STOQ_STMT_STATS_DELIVERED] =
        {O, "UPDATE outbox_stats SET delivered = delivered + 1, last_error = NULL"
            " WHERE connector = ?1"},
    [STOQ_STMT_STATS_FAILED] =
        {O, "UPDATE outbox_stats SET failures = failures + 1, last_error = ?2"
            " WHERE connector = ?1"},
    [STOQ_STMT_STATS_DROPPED] =
        {W | O, "INSERT INTO outbox_stats (connector, dropped, dropped_ms)"
                " VALUES (?1, 1, ?2) ON CONFLICT (connector) DO UPDATE"
                " SET dropped = dropped + 1, dropped_ms = max(dropped_ms, ?2)"},
    [STOQ_STMT_STATS_BYTES] =
        {W, "SELECT bytes + dead_bytes FROM outbox_stats WHERE connector = ?1"},
    [STOQ_STMT_STATS_GET] =
        {R, "SELECT waiting, bytes, dead, dead_bytes, delivered, failures, dropped,"
            " dropped_ms, last_error FROM outbox_stats WHERE connector = ?1"},
};
