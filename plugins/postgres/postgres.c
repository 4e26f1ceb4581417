/* SPDX-License-Identifier: Apache-2.0 */

/*
 * postgres: a connector that keeps each result as a row of a table, once, by its scan
 * id. The connection is made by the first result and kept.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/summary.h"

#include "parts.h"

static void
plugin_close(void *instance)
{
    struct postgres *p = instance;

    if (!p)
        return;
    postgres_session_close(p);
    free(p->schema);
    free(p->table);
    free(p);
}

/* A command line and a configuration that is shown are no place for passwords. */
static int
check_conninfo(const char *conninfo, struct stoq_error *err)
{
    char *why = NULL;
    PQconninfoOption *list = PQconninfoParse(conninfo, &why);
    int r = 0;

    if (!list)
        r = stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "conninfo: %.*s",
                           (int)strcspn(why ? why : "", "\n"), why ? why : "");
    for (const PQconninfoOption *o = list; o && o->keyword && r == 0; o++)
        if (strcmp(o->keyword, "password") == 0 && o->val && o->val[0])
            r = stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                               "conninfo: a password belongs into a passfile or a "
                               "service file");
    PQfreemem(why);
    PQconninfoFree(list);
    return r;
}

/* TABLE, or SCHEMA.TABLE. */
static int
split_table(struct postgres *p, const char *name, struct stoq_error *err)
{
    const char *dot = strchr(name, '.');

    if (!name[0] || dot == name || (dot && !dot[1]))
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "table: '%s' is no name",
                              name);
    p->table = strdup(dot ? dot + 1 : name);
    p->schema = dot ? strndup(name, (size_t)(dot - name)) : NULL;
    if (!p->table || (dot && !p->schema))
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    return 0;
}

static int
plugin_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    struct postgres *p = calloc(1, sizeof *p);
    const char *table = stoq_ctx_string(ctx, "table");
    const char *conninfo = stoq_ctx_string(ctx, "conninfo");
    int r;

    if (!p)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    p->ctx = ctx;
    p->conninfo = conninfo ? conninfo : "";
    p->create_table = stoq_ctx_bool(ctx, "create_table");
    p->connect_ms = 1000 * (int)stoq_ctx_int(ctx, "connect_timeout");
    p->statement_ms = 1000 * (int)stoq_ctx_int(ctx, "statement_timeout");
    r = check_conninfo(p->conninfo, err);
    if (r == 0)
        r = split_table(p, table ? table : "", err);
    if (r < 0) {
        plugin_close(p);
        return r;
    }
    *instance = p;
    return 0;
}

/* JSON that jsonb takes: it refuses \u0000, which becomes \ufffd. @return whether
 * anything was replaced. */
static bool
replace_nul(char *json)
{
    bool found = false;

    for (char *at = json; (at = strchr(at, '\\')); at += 2) {
        if (strncmp(at, "\\u0000", 6) == 0) {
            memcpy(at, "\\ufffd", 6);
            found = true;
        }
    }
    return found;
}

static int
insert(struct postgres *p, const char *const *values, int n, struct stoq_error *err)
{
    bool kept = p->conn != NULL;
    struct stoq_error first = {0};
    int r = kept ? 0 : postgres_session_open(p, err);

    if (r < 0)
        return r;
    r = postgres_query(p, p->insert, n, values, NULL, &first);
    if (r == -ENOTCONN && kept) {
        /* the server went away since the last row: it may be back */
        postgres_session_close(p);
        r = postgres_session_open(p, err);
        if (r < 0)
            return r;
        stoq_error_clear(&first);
        r = postgres_query(p, p->insert, n, values, NULL, &first);
    }
    if (r == 0)
        return 0;
    /* what is wrong with the session, or the table, is looked at anew next time */
    if (r != -EBADMSG)
        postgres_session_close(p);
    return stoq_error_set(err, first.kind, r, "%s", first.message);
}

static int
plugin_save(void *instance, const struct stoq_response *response, unsigned flags,
            struct stoq_error *err)
{
    struct postgres *p = instance;
    PLUGIN_AUTOFREE char *json = stoq_response_text(response, false);
    PLUGIN_AUTOFREE char *original = json ? strdup(json) : NULL;
    struct plugin_summary s;
    char size[24];
    int r = plugin_summary_init(&s, response);

    (void)flags;
    if (r < 0 || !original) {
        plugin_summary_fini(&s);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    (void)snprintf(size, sizeof size, "%lld", (long long)s.size);
    bool replaced = replace_nul(json);
    const char *const values[] = {
        s.scan_id, s.time,
        s.verdict, s.filename,
        s.sha256,  s.size < 0 ? NULL : size,
        json,      replaced ? original : NULL,
    };
    r = insert(p, values, (int)(sizeof values / sizeof *values), err);
    plugin_summary_fini(&s);
    return r;
}

static const struct stoq_option options[] = {
    {"conninfo", STOQ_OPTION_STRING, "", 0, 0,
     "libpq's connection string or URI, without a password."},
    {"table", STOQ_OPTION_STRING, "stoq_results", 0, 0, "TABLE or SCHEMA.TABLE."},
    {"create_table", STOQ_OPTION_BOOL, "True", 0, 0,
     "Make the table when it is not there."},
    {"connect_timeout", STOQ_OPTION_INT, "10", 1, 60, "Seconds to connect in."},
    {"statement_timeout", STOQ_OPTION_INT, "30", 1, 60,
     "Seconds a statement may take."},
    {NULL, STOQ_OPTION_STRING, NULL, 0, 0, NULL}};

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,    .name = "postgres",    .options = options,
    .open = plugin_open, .close = plugin_close, .save = plugin_save,
};
STOQ_PLUGIN(plugin);
