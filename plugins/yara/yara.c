/* SPDX-License-Identifier: Apache-2.0 */

/*
 * yara: a worker that matches a payload against YARA rules, and a dispatcher that picks
 * workers by rules. Rules are compiled (or taken from the cache) in open(), before the
 * scanners are forked; a scan touches no file. One caller per instance.
 */

#include <pthread.h>
#include <string.h>

#include "parts.h"

struct instance {
    struct stoq_yara_set worker;
    struct stoq_yara_set dispatcher;
    size_t cap; /* strings listed per rule */
    bool first_match;
};

/* libyara counts its users but does not lock the count. */
static pthread_mutex_t library_lock = PTHREAD_MUTEX_INITIALIZER;

static int
library_begin(void)
{
    pthread_mutex_lock(&library_lock);
    int e = yr_initialize();
    pthread_mutex_unlock(&library_lock);
    return e == ERROR_SUCCESS ? 0 : -ENOMEM;
}

static void
library_end(void)
{
    pthread_mutex_lock(&library_lock);
    (void)yr_finalize();
    pthread_mutex_unlock(&library_lock);
}

static void
plugin_close(void *instance)
{
    struct instance *in = instance;
    if (!in)
        return;
    stoq_yara_set_fini(&in->worker);
    stoq_yara_set_fini(&in->dispatcher);
    free(in);
    library_end();
}

/* Open the set that option @p what names, if it names one, and make it known. */
static int
open_set(struct stoq_ctx *ctx, const char *what, const char *fact,
         struct stoq_yara_set *set, struct stoq_error *err)
{
    const char *path = stoq_ctx_string(ctx, what);
    if (!path || !path[0])
        return 0;
    int r = stoq_yara_set_open(ctx, what, path, set, err);
    if (r < 0)
        return r;
    set->timeout = (int)stoq_ctx_int(ctx, "timeout");
    stoq_ctx_identity(ctx, what, strlen(what) + 1);
    stoq_ctx_identity(ctx, set->digest, sizeof set->digest);
    json_t *facts = stoq_yara_set_facts(set);
    if (facts)
        stoq_ctx_fact(ctx, fact, facts);
    stoq_ctx_log(ctx, STOQ_LEVEL_DEBUG, "%s: %zu rules from %zu files%s", what,
                 set->loaded, set->files, set->cached ? " (cached)" : "");
    return 0;
}

static int
open_sets(struct stoq_ctx *ctx, struct instance *in, struct stoq_error *err)
{
    int r = open_set(ctx, "worker_rules", "rules", &in->worker, err);
    if (r == 0)
        r = open_set(ctx, "dispatch_rules", "dispatch_rules", &in->dispatcher, err);
    if (r < 0)
        return r;
    if (!in->worker.rules && !in->dispatcher.rules)
        return stoq_error_set(
            err, STOQ_ERROR_CONFIG, -EINVAL,
            "no rules: neither worker_rules nor dispatch_rules is set");
    /* A dispatch by file name makes the results of equal bytes differ as well. */
    if (in->worker.externals || in->dispatcher.externals)
        stoq_ctx_set_content_only(ctx, false);
    return 0;
}

static int
plugin_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    struct instance *in = calloc(1, sizeof *in);
    if (!in)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    if (library_begin() < 0) {
        free(in);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM,
                              "libyara does not start");
    }
    in->first_match = stoq_ctx_bool(ctx, "xor_first_match");
    in->cap = stoq_ctx_string(ctx, "strings_limit")
                  ? (size_t)stoq_ctx_int(ctx, "strings_limit")
                  : YARA_STRINGS_CAP;
    int r = open_sets(ctx, in, err);
    if (r < 0) {
        plugin_close(in);
        return r;
    }
    *instance = in;
    return 0;
}

struct collect {
    json_t *matches;
    size_t cap;
};

static int
collect_match(void *arg, YR_SCAN_CONTEXT *context, YR_RULE *rule)
{
    struct collect *c = arg;
    json_t *match = stoq_yara_match_json(context, rule, c->cap);
    return json_array_append_new(c->matches, match) < 0 ? -ENOMEM : 0;
}

static int
plugin_scan(void *instance, struct stoq_payload *payload,
            const struct stoq_request *request, struct stoq_reply *reply,
            unsigned flags, struct stoq_error *err)
{
    (void)request;
    (void)flags;
    struct instance *in = instance;
    if (!in->worker.rules)
        return 0;
    json_auto_t *matches = json_array();
    struct collect c = {matches, in->cap};
    uint64_t overflows = 0;
    int r = matches ? stoq_yara_set_scan(&in->worker, payload, collect_match, &c,
                                         &overflows, err)
                    : -ENOMEM;
    if (overflows > 0)
        stoq_reply_limit(reply, "yara_matches", YR_MAX_STRING_MATCHES);
    json_t *results = r == 0 ? json_pack("{s: O}", "matches", matches) : NULL;
    if (r == 0 && !results)
        r = -ENOMEM;
    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "out of memory");
    stoq_reply_results(reply, results);
    return 0;
}

static int
plugin_dispatch(void *instance, struct stoq_payload *payload,
                const struct stoq_request *request, struct stoq_reply *reply,
                unsigned flags, struct stoq_error *err)
{
    (void)request;
    (void)flags;
    struct instance *in = instance;
    if (!in->dispatcher.rules)
        return 0;
    const struct stoq_yara_dispatch d = {
        .set = &in->dispatcher, .cap = in->cap, .first_match = in->first_match};
    return stoq_yara_dispatch(&d, payload, reply, err);
}

static const struct stoq_option options[] = {
    {"worker_rules", STOQ_OPTION_PATH, "", 0, 0,
     "Rules of the worker: a file, a directory or a file made by yarac; empty = none."},
    {"dispatch_rules", STOQ_OPTION_PATH, "", 0, 0,
     "Rules of the dispatcher, as worker_rules; empty = none."},
    {"timeout", STOQ_OPTION_INT, "60", 0, 86400,
     "Seconds one payload may take; 0 = no limit."},
    {"strings_limit", STOQ_OPTION_INT, NULL, 0, 1000000,
     "Matched strings listed per rule; not set = 1000."},
    {"xor_first_match", STOQ_OPTION_BOOL, "True", 0, 0,
     "Dispatcher: stop at the first xor key of a rule instead of listing all."},
    {NULL, STOQ_OPTION_STRING, NULL, 0, 0, NULL}};

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "yara",
    .thread_model = STOQ_THREAD_PER_INSTANCE,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .options = options,
    .open = plugin_open,
    .close = plugin_close,
    .scan = plugin_scan,
    .dispatch = plugin_dispatch,
};
STOQ_PLUGIN(plugin);
