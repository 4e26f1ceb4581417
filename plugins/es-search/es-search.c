/* SPDX-License-Identifier: Apache-2.0 */

/*
 * es-search: a connector that indexes each result in ElasticSearch, by the _bulk
 * interface and under its scan id, so that one that is sent again is there once.
 */

#include <ctype.h>
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
    struct es *e = instance;

    if (!e)
        return;
    curl_easy_cleanup(e->curl);
    curl_slist_free_all(e->headers);
    curl_global_cleanup();
    free(e->name);
    free(e->reply);
    free(e);
}

static int
plugin_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    struct es *e = calloc(1, sizeof *e);
    int r;

    if (e)
        e->reply = malloc(ES_REPLY_MAX + 1);
    if (!e || !e->reply || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        if (e)
            free(e->reply);
        free(e);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    e->index = stoq_ctx_string(ctx, "es_index");
    e->by_month = stoq_ctx_bool(ctx, "index_by_month");
    e->timeout_ms = 1000 * (int)stoq_ctx_int(ctx, "es_timeout");
    e->retries = stoq_ctx_bool(ctx, "es_retry")
                     ? (unsigned)stoq_ctx_int(ctx, "es_max_retries")
                     : 0;
    e->curl = curl_easy_init();
    if (!e->curl)
        r = stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    else if (!e->index || !e->index[0])
        r = stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "es_index is not set");
    else
        r = es_host_init(e, ctx, err);
    if (r < 0) {
        plugin_close(e);
        return r;
    }
    *instance = e;
    return 0;
}

/* The month is that of the result, not of now: a result that is sent again goes where
 * it went before. */
static bool
month_of(const char *time, char month[8])
{
    static const char shape[] = "0000-00";

    for (size_t i = 0; i < 7; i++)
        if (!time ||
            (shape[i] == '0' ? !isdigit((unsigned char)time[i]) : time[i] != shape[i]))
            return false;
    memcpy(month, time, 7);
    month[7] = '\0';
    return true;
}

/* The line before the document. */
static char *
action(const struct es *e, const struct plugin_summary *s)
{
    PLUGIN_AUTOFREE char *index = NULL;
    char month[8] = "";
    bool dated = e->by_month && month_of(s->time, month);

    if (asprintf(&index, "%s%s%s", e->index, dated ? "-" : "", month) < 0) {
        index = NULL;
        return NULL;
    }
    json_auto_t *line =
        json_pack("{s:{s:s, s:s}}", "create", "_index", index, "_id", s->scan_id);
    return line ? json_dumps(line, JSON_COMPACT) : NULL;
}

static int
plugin_save(void *instance, const struct stoq_response *response, unsigned flags,
            struct stoq_error *err)
{
    struct es *e = instance;
    PLUGIN_AUTOFREE char *document = stoq_response_text(response, false);
    PLUGIN_AUTOFREE char *line = NULL;
    PLUGIN_AUTOFREE char *body = NULL;
    struct plugin_summary s;
    int n = -1;

    (void)flags;
    if (plugin_summary_init(&s, response) == 0)
        line = action(e, &s);
    plugin_summary_fini(&s);
    if (document && line)
        n = asprintf(&body, "%s\n%s\n", line, document);
    if (n < 0) {
        body = NULL;
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    return es_send(e, s.scan_id, body, (size_t)n, err);
}

static const struct stoq_option options[] = {
    {"es_host", STOQ_OPTION_STRING, NULL, 0, 0,
     "HOST, HOST:PORT or URL of the server."},
    {"es_options", STOQ_OPTION_STRING, "{}", 0, 0,
     "JSON object: http_auth, port, use_ssl, verify_certs, ca_certs, client_cert, "
     "client_key."},
    {"es_timeout", STOQ_OPTION_INT, "60", 1, 120, "Seconds a call may take."},
    {"es_retry", STOQ_OPTION_BOOL, "True", 0, 0, "Try again at once after a failure."},
    {"es_max_retries", STOQ_OPTION_INT, "10", 0, 100, "How often, within a second."},
    {"es_index", STOQ_OPTION_STRING, "stoq", 0, 0, "The index."},
    {"index_by_month", STOQ_OPTION_BOOL, "True", 0, 0,
     "Append the month of the result to the name of the index."},
    {"es_username", STOQ_OPTION_STRING, NULL, 0, 0, "User, for basic authentication."},
    {"es_password_file", STOQ_OPTION_PATH, NULL, 0, 0,
     "File with the user's password, on its first line."},
    {"es_api_key_file", STOQ_OPTION_PATH, NULL, 0, 0,
     "File with an API key, encoded, on its first line."},
    {"es_connect_timeout", STOQ_OPTION_INT, "10", 1, 60, "Seconds to connect in."},
    {NULL, STOQ_OPTION_STRING, NULL, 0, 0, NULL}};

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,    .name = "es-search",   .options = options,
    .open = plugin_open, .close = plugin_close, .save = plugin_save,
};
STOQ_PLUGIN(plugin);
