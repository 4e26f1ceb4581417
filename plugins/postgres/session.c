/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The connection. Everything is asynchronous, so that no server, proxy or network can
 * hold the caller longer than the options say. (Name lookups alone are the resolver's.)
 */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/sock.h"

#include "parts.h"

/* How much longer than the server's own limit we wait for its word that it was hit. */
#define SLACK_MS 5000

/* The first line of what libpq says, or @code's name. */
static int
report(struct stoq_error *err, int code, const char *text)
{
    size_t n = text ? strcspn(text, "\n") : 0;

    if (n == 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, code, "PostgreSQL: %s",
                              strerrordesc_np(-code));
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, code, "%.*s", (int)n, text);
}

/* -------------------------------------------------------------------- statements */

/* Whether a statement that ended in @sqlstate failed for its values: it would fail
 * again. All else, also what a wrong configuration causes, may be mended meanwhile. */
static bool
blames_values(const char *sqlstate)
{
    return strncmp(sqlstate, "22", 2) == 0 || /* data exception */
           strncmp(sqlstate, "23", 2) == 0 || /* integrity constraint violation */
           strncmp(sqlstate, "54", 2) == 0;   /* program limit exceeded */
}

static int
check_result(const struct postgres *p, const PGresult *result, struct stoq_error *err)
{
    ExecStatusType status = PQresultStatus(result);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return 0;
    if (PQstatus(p->conn) == CONNECTION_BAD)
        return report(err, -ENOTCONN, PQresultErrorMessage(result));
    return report(err, sqlstate && blames_values(sqlstate) ? -EBADMSG : -EIO,
                  PQresultErrorMessage(result));
}

/* Send what is in libpq's buffer, and read on meanwhile, so that neither side waits for
 * the other to read. */
static int
flush(struct postgres *p, int64_t deadline)
{
    int left;

    while ((left = PQflush(p->conn)) > 0) {
        int r = plugin_wait_fd(PQsocket(p->conn), POLLIN | POLLOUT, deadline);
        if (r < 0)
            return r;
        if (PQconsumeInput(p->conn) == 0)
            return -ENOTCONN;
    }
    return left < 0 ? -ENOTCONN : 0;
}

/* The next result, NULL when there is none left. */
static int
next_result(struct postgres *p, int64_t deadline, PGresult **out)
{
    while (PQisBusy(p->conn)) {
        int r = plugin_wait_fd(PQsocket(p->conn), POLLIN, deadline);
        if (r < 0)
            return r;
        if (PQconsumeInput(p->conn) == 0)
            return -ENOTCONN;
    }
    *out = PQgetResult(p->conn);
    return 0;
}

/* All results of the statement that was sent; the last one is the one that counts. */
static int
collect(struct postgres *p, int64_t deadline, PGresult **out)
{
    PGresult *last = NULL;
    int r = flush(p, deadline);

    while (r == 0) {
        PGresult *result = NULL;
        r = next_result(p, deadline, &result);
        if (!result)
            break;
        PQclear(last);
        last = result;
    }
    if (r < 0) {
        PQclear(last);
        return r;
    }
    *out = last;
    return last ? 0 : -ENOTCONN;
}

int
postgres_query(struct postgres *p, const char *sql, int n, const char *const *values,
               PGresult **out, struct stoq_error *err)
{
    int64_t deadline = plugin_now_ms() + p->statement_ms + SLACK_MS;
    PGresult *result = NULL;
    int r = -ENOTCONN;

    if (PQsendQueryParams(p->conn, sql, n, NULL, values, NULL, NULL, 0) == 1)
        r = collect(p, deadline, &result);
    if (r == -ETIMEDOUT)
        return stoq_error_set(err, STOQ_ERROR_TIMEOUT, r,
                              "PostgreSQL: no answer within %d s",
                              (p->statement_ms + SLACK_MS) / 1000);
    if (r < 0)
        return report(err, r, PQerrorMessage(p->conn));
    r = check_result(p, result, err);
    if (r == 0 && out)
        *out = result;
    else
        PQclear(result);
    return r;
}

/* -------------------------------------------------------------------- connection */

void
postgres_session_close(struct postgres *p)
{
    int saved = errno;

    PQfinish(p->conn);
    free(p->insert);
    p->conn = NULL;
    p->insert = NULL;
    errno = saved;
}

/* Notices go to the log, not to standard error. */
static void
notice(void *arg, const char *text)
{
    const struct postgres *p = arg;

    stoq_ctx_log(p->ctx, STOQ_LEVEL_DEBUG, "%.*s", (int)strcspn(text, "\n"), text);
}

static int
connect_server(struct postgres *p, struct stoq_error *err)
{
    /* the options of the user come first, so that ours hold where both say something */
    static const char *const keys[] = {"dbname", "fallback_application_name",
                                       "client_encoding", NULL};
    const char *const values[] = {p->conninfo, "stoq", "UTF8", NULL};
    int64_t deadline = plugin_now_ms() + p->connect_ms;
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    int r = 0;

    p->conn = PQconnectStartParams(keys, values, 1);
    if (!p->conn)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    (void)PQsetNoticeProcessor(p->conn, notice, p);
    if (PQstatus(p->conn) == CONNECTION_BAD)
        return report(err, -ECONNREFUSED, PQerrorMessage(p->conn));
    while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED && r == 0) {
        r = plugin_wait_fd(PQsocket(p->conn),
                           state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline);
        if (r == 0)
            state = PQconnectPoll(p->conn);
    }
    if (r == -ETIMEDOUT)
        return stoq_error_set(err, STOQ_ERROR_TIMEOUT, r,
                              "PostgreSQL: no connection within %d s",
                              p->connect_ms / 1000);
    if (r < 0 || state == PGRES_POLLING_FAILED)
        return report(err, r < 0 ? r : -ECONNREFUSED, PQerrorMessage(p->conn));
    return PQsetnonblocking(p->conn, 1) == 0
               ? 0
               : report(err, -ENOTCONN, PQerrorMessage(p->conn));
}

/* "schema"."table" as this connection quotes it; caller frees. */
static char *
quoted_table(const struct postgres *p)
{
    char *schema =
        p->schema ? PQescapeIdentifier(p->conn, p->schema, strlen(p->schema)) : NULL;
    char *table = PQescapeIdentifier(p->conn, p->table, strlen(p->table));
    char *both = NULL;

    if (!table || (p->schema && !schema) ||
        asprintf(&both, "%s%s%s", schema ? schema : "", schema ? "." : "", table) < 0)
        both = NULL;
    PQfreemem(schema);
    PQfreemem(table);
    return both;
}

/* A statement may last so long; and a commit is on disk when it returns, also where the
 * database has that switched off. */
static int
set_limits(struct postgres *p, struct stoq_error *err)
{
    char ms[24];
    const char *const values[] = {ms};

    (void)snprintf(ms, sizeof ms, "%d", p->statement_ms);
    return postgres_query(
        p,
        "SELECT set_config('statement_timeout', $1, false), "
        "CASE current_setting('synchronous_commit') "
        "WHEN 'off' THEN set_config('synchronous_commit', 'on', false) END",
        1, values, NULL, err);
}

/* Make the table unless it is there: who may not make one need not be allowed to. */
static int
make_table(struct postgres *p, const char *table, struct stoq_error *err)
{
    const char *const values[] = {table};
    PLUGIN_AUTOFREE char *sql = NULL;
    PGresult *result = NULL;
    int r = postgres_query(p, "SELECT to_regclass($1)", 1, values, &result, err);

    if (r < 0)
        return r;
    bool there = PQntuples(result) == 1 && !PQgetisnull(result, 0, 0);
    PQclear(result);
    if (there)
        return 0;
    if (asprintf(&sql,
                 "CREATE TABLE IF NOT EXISTS %s ("
                 "scan_id uuid PRIMARY KEY, time timestamptz NOT NULL, "
                 "verdict text NOT NULL, filename text, sha256 text, size bigint, "
                 "document jsonb NOT NULL, document_text text)",
                 table) < 0) {
        sql = NULL;
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    return postgres_query(p, sql, 0, NULL, NULL, err);
}

static int
prepare(struct postgres *p, struct stoq_error *err)
{
    PLUGIN_AUTOFREE char *table = quoted_table(p);
    int r;

    if (!table || asprintf(&p->insert,
                           "INSERT INTO %s (scan_id, time, verdict, filename, sha256, "
                           "size, document, document_text) "
                           "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
                           "ON CONFLICT (scan_id) DO NOTHING",
                           table) < 0) {
        p->insert = NULL;
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    r = set_limits(p, err);
    if (r == 0 && p->create_table)
        r = make_table(p, table, err);
    return r == -EBADMSG ? -EIO : r; /* no document is to blame */
}

int
postgres_session_open(struct postgres *p, struct stoq_error *err)
{
    int r = connect_server(p, err);

    if (r == 0)
        r = prepare(p, err);
    if (r < 0)
        postgres_session_close(p);
    return r;
}
