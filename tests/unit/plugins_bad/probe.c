/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin that behaves as its option `do` says, well or badly, for the tests of the
 * guarded call; it also shows what its surroundings told it.
 */

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <stoq/plugin.h>

#ifndef PROBE_MODEL
#define PROBE_MODEL STOQ_THREAD_SERIAL
#endif

static const struct stoq_option options[] = {
    {"do", STOQ_OPTION_STRING, "nothing", 0, 0, "What scan() does."},
    {"count", STOQ_OPTION_INT, "3", 1, 5000, "How often."},
    {"wanted", STOQ_OPTION_LIST, NULL, 0, 0, "Workers to require."},
    {"secret", STOQ_OPTION_STRING, "", 0, 0, "Mixed into the identity."},
    {"variable", STOQ_OPTION_BOOL, "no", 0, 0, "Depends on more than content."},
    {"place", STOQ_OPTION_PATH, "data", 0, 0, "A path."},
    {.name = NULL},
};

static atomic_int inside;  /* calls that run now */
static atomic_int overlap; /* whether two ever ran at once */

static int
probe_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    const char *secret = stoq_ctx_string(ctx, "secret");
    stoq_ctx_identity(ctx, secret, strlen(secret));
    stoq_ctx_fact(ctx, "place", json_string(stoq_ctx_string(ctx, "place")));
    stoq_ctx_fact(ctx, "dir", json_string(stoq_ctx_dir(ctx)));
    const char *cache = stoq_ctx_cache_dir(ctx);
    stoq_ctx_fact(ctx, "cache", cache ? json_string(cache) : json_null());
    for (const char *const *w = stoq_ctx_list(ctx, "wanted"); *w; w++) {
        int r = stoq_ctx_require(ctx, *w);
        if (r < 0)
            return stoq_error_set(err, STOQ_ERROR_CONFIG, r, "cannot require %s", *w);
    }
    if (stoq_ctx_bool(ctx, "variable"))
        stoq_ctx_set_content_only(ctx, false);
    *instance = ctx;
    return 0;
}

/* An object nested @depth deep. */
static json_t *
nested(int depth)
{
    json_t *json = json_object();
    while (--depth > 0)
        json = json_pack("{s:o}", "n", json);
    return json;
}

static int
extract(struct stoq_reply *reply, int64_t count, struct stoq_error *err)
{
    const char *const to[] = {"one", "two", NULL};
    for (int64_t i = 0; i < count; i++) {
        struct stoq_extract child = {STOQ_EXTRACT_HEAD, .data = "0123456789",
                                     .size = 10};
        child.filename = i == 0 ? "caf\xe9" : NULL;
        child.dispatch_to = i == 0 ? to : NULL;
        child.no_scan = i == 1;
        child.extra_data = i == 1 ? json_pack("{s:s}", "k", "v") : NULL;
        int r = stoq_reply_extract(reply, &child);
        if (r < 0)
            return stoq_error_set(err, STOQ_ERROR_LIMIT, r, "child %d: %s", (int)i,
                                  strerror(-r));
    }
    return 0;
}

/* Stay inside for up to @ms and see whether somebody else comes. */
static void
meet(struct stoq_reply *reply, int64_t ms)
{
    if (atomic_fetch_add(&inside, 1) > 0)
        atomic_store(&overlap, 1);
    for (int64_t i = 0; i < ms && !atomic_load(&overlap); i++)
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    atomic_fetch_sub(&inside, 1);
    stoq_reply_results(reply, json_integer(atomic_load(&overlap)));
}

static int
misbehave(const char *what, struct stoq_reply *reply, struct stoq_error *err)
{
    if (strcmp(what, "positive") == 0)
        return EINVAL;
    if (strcmp(what, "silent") == 0)
        return -ENOENT;
    if (strcmp(what, "wild") == 0)
        return -1000000;
    if (strcmp(what, "latin1") == 0) {
        memcpy(err->message, "caf\xe9\nbar \xc3\xa9", 12);
        return err->code = -EIO;
    }
    if (strcmp(what, "deep") == 0)
        stoq_reply_results(reply, nested(57));
    if (strcmp(what, "deep enough") == 0)
        stoq_reply_results(reply, nested(56));
    if (strcmp(what, "deep meta") == 0)
        stoq_reply_meta(reply, nested(100));
    if (strcmp(what, "bad key") == 0) {
        json_t *o = json_object();
        json_object_set_new_nocheck(o, "\xff", json_true());
        stoq_reply_results(reply, json_pack("[o]", o));
    }
    if (strcmp(what, "bad string") == 0)
        stoq_reply_results(reply, json_pack("[o]", json_string_nocheck("\xff")));
    return 0;
}

static int
probe_scan(void *instance, struct stoq_payload *payload,
           const struct stoq_request *request, struct stoq_reply *reply, unsigned flags,
           struct stoq_error *err)
{
    (void)payload;
    (void)request;
    (void)flags;
    const char *what = stoq_ctx_string(instance, "do");
    int64_t count = stoq_ctx_int(instance, "count");
    if (strcmp(what, "options") == 0)
        stoq_reply_results(reply, json_deep_copy(stoq_ctx_options(instance)));
    else if (strcmp(what, "null") == 0)
        stoq_reply_results(reply, json_null());
    else if (strcmp(what, "warn") == 0)
        (void)stoq_error_set(err, STOQ_ERROR_PLUGIN, -EIO, "not meant");
    else if (strcmp(what, "extract") == 0)
        return extract(reply, count, err);
    else if (strcmp(what, "meet") == 0)
        meet(reply, count);
    else if (strcmp(what, "soft") == 0)
        for (int64_t i = 0; i < count; i++)
            stoq_reply_error(reply, "soft %d \xff\n", (int)i);
    else
        return misbehave(what, reply, err);
    return 0;
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "probe",
    .thread_model = PROBE_MODEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .options = options,
    .open = probe_open,
    .scan = probe_scan,
};
STOQ_PLUGIN(plugin);
