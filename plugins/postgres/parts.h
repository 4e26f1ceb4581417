/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_POSTGRES_PARTS_H
#define PLUGINS_POSTGRES_PARTS_H

/*
 * What the parts of the postgres plugin share. session.c speaks with the server, never
 * waiting longer than it may; postgres.c is the plugin. One thread at a time: the
 * plugin has the serial thread model.
 */

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include <stoq/plugin.h>
#include <stoq/stoq.h>

struct postgres {
    const struct stoq_ctx *ctx; /**< borrowed, outlives the instance */
    const char *conninfo;       /**< borrowed from the options */
    char *schema, *table;       /**< owned, not quoted; schema NULL = search_path */
    bool create_table;
    int connect_ms, statement_ms;

    PGconn *conn; /**< NULL = none */
    char *insert; /**< owned: the statement, quoted by this connection */
};

/** Connect, and make the session ready for statements: encoding, limits, table.
 *  @return 0; -ETIMEDOUT; -ECONNREFUSED for all that the server refuses; -ENOMEM. */
int postgres_session_open(struct postgres *p, struct stoq_error *err);
/** Close the connection, if there is one. */
void postgres_session_close(struct postgres *p);
/**
 * Run one statement with text parameters; @p values may have NULLs.
 * @param out  may be NULL; else the result, caller clears it.
 * @return 0; -EBADMSG when it failed for what is in @p values; -ENOTCONN when the
 *         connection is lost; -ETIMEDOUT; -EIO for other failures.
 */
int postgres_query(struct postgres *p, const char *sql, int n,
                   const char *const *values, PGresult **out, struct stoq_error *err);

#endif
