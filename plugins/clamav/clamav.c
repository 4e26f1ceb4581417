/* SPDX-License-Identifier: Apache-2.0 */

/*
 * clamav: a worker that asks libclamav about a payload, in memory. The engine is loaded
 * in open(), before scanners are forked, so that they share its memory. What libclamav
 * unpacks it writes to temporary files; see tmp.c.
 */

#include <pthread.h>
#include <unistd.h>

#include "parts.h"

struct instance {
    struct cl_engine *engine; /* owned */
    struct cl_scan_options options;
    bool all;
    char *base; /* owned: directory of temporary directories */
    pthread_mutex_t lock;
    struct clamav_tmp tmp; /* guarded by lock; of this process once it scanned */
};

/* ------------------------------------------------------------------------- library */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static cl_error_t started;
/* libclamav has one place for messages; they go to the log of the last one opened. */
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static const struct stoq_ctx *log_ctx; /* guarded by log_lock */
/* What it says of a payload while it scans is no trouble of ours. */
static _Thread_local bool scanning;

static void
on_message(enum cl_msg severity, const char *fullmsg, const char *msg, void *context)
{
    (void)fullmsg;
    (void)context;
    size_t n = strlen(msg);
    while (n > 0 && msg[n - 1] == '\n')
        n--;
    pthread_mutex_lock(&log_lock);
    if (log_ctx)
        stoq_ctx_log(log_ctx,
                     scanning                   ? STOQ_LEVEL_DEBUG
                     : severity == CL_MSG_ERROR ? STOQ_LEVEL_ERROR
                     : severity == CL_MSG_WARN  ? STOQ_LEVEL_WARNING
                                                : STOQ_LEVEL_DEBUG,
                     "libclamav: %.*s", n > 1000 ? 1000 : (int)n, msg);
    pthread_mutex_unlock(&log_lock);
}

static void
start_library(void)
{
    cl_set_clcb_msg(on_message);
    started = cl_init(CL_INIT_DEFAULT);
}

static void
log_to(const struct stoq_ctx *ctx)
{
    pthread_mutex_lock(&log_lock);
    log_ctx = ctx;
    pthread_mutex_unlock(&log_lock);
}

/* -------------------------------------------------------------------- open and close
 */

static void
plugin_close(void *instance)
{
    struct instance *in = instance;
    if (!in)
        return;
    log_to(NULL);
    if (in->engine)
        (void)cl_engine_free(in->engine);
    clamav_tmp_close(&in->tmp);
    pthread_mutex_destroy(&in->lock);
    free(in->base);
    free(in);
}

static void
on_found(int fd, const char *name, void *context)
{
    (void)fd;
    json_t *names = context;
    if (names && name)
        (void)json_array_append_new(names, stoq_json_text(name, strlen(name), NULL));
}

static void
set_options(const struct stoq_ctx *ctx, struct instance *in)
{
    struct cl_scan_options *o = &in->options;
    in->all = stoq_ctx_bool(ctx, "all_matches");
    o->general = in->all ? CL_SCAN_GENERAL_ALLMATCHES : 0;
    o->parse = CL_SCAN_PARSE_ELF | CL_SCAN_PARSE_PE;
    if (stoq_ctx_bool(ctx, "archives"))
        o->parse = ~0U;
    if (stoq_ctx_bool(ctx, "heuristics"))
        o->general |= CL_SCAN_GENERAL_HEURISTICS;
    /* so that a limit is told and not passed over; see is_limit() */
    o->heuristic = CL_SCAN_HEURISTIC_EXCEEDS_MAX;
    if (stoq_ctx_bool(ctx, "alert_encrypted"))
        o->heuristic |=
            CL_SCAN_HEURISTIC_ENCRYPTED_ARCHIVE | CL_SCAN_HEURISTIC_ENCRYPTED_DOC;
    if (stoq_ctx_bool(ctx, "alert_macros"))
        o->heuristic |= CL_SCAN_HEURISTIC_MACROS;
}

static int
plugin_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    const char *parent = stoq_ctx_string(ctx, "tmp_dir");
    (void)pthread_once(&once, start_library);
    if (started != CL_SUCCESS)
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, -EIO,
                              "libclamav does not start: %s", cl_strerror(started));
    struct instance *in = calloc(1, sizeof *in);
    if (!in)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    parent = parent && parent[0] ? parent : "/tmp";
    (void)pthread_mutex_init(&in->lock, NULL);
    set_options(ctx, in);
    log_to(ctx);
    int r = clamav_tmp_base(parent, &in->base, err);
    if (r == 0 && (r = stoq_ctx_scratch(ctx, in->base)) < 0)
        (void)stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "out of memory");
    if (r == 0)
        r = clamav_engine_new(ctx, in->base, &in->engine, err);
    if (r < 0) {
        plugin_close(in);
        return r;
    }
    cl_engine_set_clcb_virus_found(in->engine, on_found);
    *instance = in;
    return 0;
}

/* ---------------------------------------------------------------------------- scan */

/* A name that says that a limit was reached, and what of it. */
static const char *
limit_of(const char *name)
{
    static const char prefix[] = "Heuristics.Limits.Exceeded.";
    return name && strncmp(name, prefix, sizeof prefix - 1) == 0
               ? name + sizeof prefix - 1
               : NULL;
}

/* Take the names of limits out of @names and record them. */
static void
take_limits(json_t *names, struct stoq_reply *reply, uint64_t size)
{
    for (size_t i = json_array_size(names); i > 0; i--) {
        const char *limit = limit_of(json_string_value(json_array_get(names, i - 1)));
        if (!limit)
            continue;
        char name[80] = "clamav_";
        strncat(name, limit, sizeof name - 8);
        stoq_reply_limit(reply, name, size);
        (void)json_array_remove(names, i - 1);
    }
}

/* The same name for several places in a payload counts once. */
static json_t *
unique(const json_t *names)
{
    json_t *out = json_array();
    size_t i, k;
    json_t *name, *other;
    json_array_foreach ((json_t *)(uintptr_t)names, i, name) {
        json_array_foreach (out, k, other)
            if (json_equal(name, other))
                break;
        if (k == json_array_size(out))
            (void)json_array_append(out, name);
    }
    return out;
}

static int
set_results(const struct instance *in, const json_t *names, struct stoq_reply *reply)
{
    json_auto_t *all = unique(names);
    json_t *first = json_array_get(all, 0);
    json_t *results = all ? json_pack("{s:b, s:O}", "infected", first != NULL,
                                      "signature", first ? first : json_null())
                          : NULL;
    if (results && in->all && json_object_set(results, "signatures", all) < 0) {
        json_decref(results);
        results = NULL;
    }
    if (!results)
        return -ENOMEM;
    stoq_reply_results(reply, results);
    return 0;
}

/* What a code of libclamav means. @return 0 or -errno with @err set. */
static int
check(cl_error_t e, struct stoq_reply *reply, uint64_t size, struct stoq_error *err)
{
    switch ((int)e) {
    case CL_CLEAN:
    case CL_VIRUS:
    case CL_VERIFIED:
        return 0;
    case CL_ETIMEOUT:
        stoq_reply_limit(reply, "clamav_MaxScanTime", size);
        return 0;
    case CL_EMAXREC:
    case CL_EMAXSIZE:
    case CL_EMAXFILES:
        stoq_reply_limit(reply, "clamav_limits", size);
        return 0;
    case CL_EMEM:
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    default:
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, -EIO, "libclamav: %s",
                              cl_strerror(e));
    }
}

/* The first scan of a process makes its directory, also after a fork. */
static int
own_tmp_locked(struct instance *in)
{
    if (in->tmp.path && in->tmp.pid == getpid())
        return 0;
    clamav_tmp_close(&in->tmp);
    int r = clamav_tmp_open(&in->tmp, in->base);
    if (r == 0 &&
        cl_engine_set_str(in->engine, CL_ENGINE_TMPDIR, in->tmp.path) != CL_SUCCESS)
        r = -ENOMEM;
    return r;
}

static int
own_tmp(struct instance *in, struct stoq_error *err)
{
    pthread_mutex_lock(&in->lock);
    int r = own_tmp_locked(in);
    pthread_mutex_unlock(&in->lock);
    return r < 0 ? stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "temporary files: %s",
                                  strerrordesc_np(-r))
                 : 0;
}

static int
plugin_scan(void *instance, struct stoq_payload *payload,
            const struct stoq_request *request, struct stoq_reply *reply,
            unsigned flags, struct stoq_error *err)
{
    (void)request;
    (void)flags;
    struct instance *in = instance;
    size_t size;
    const void *data = stoq_payload_data(payload, &size);
    json_auto_t *names = json_array();
    cl_error_t e = CL_CLEAN;
    int r = own_tmp(in, err);
    if (r < 0)
        return r;
    if (names && size > 0) {
        struct cl_scan_options options = in->options;
        const char *name = NULL;
        unsigned long scanned = 0;
        cl_fmap_t *map = cl_fmap_open_memory(data, size);
        if (!map)
            return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
        scanning = true;
        e = cl_scanmap_callback(map, NULL, &name, &scanned, in->engine, &options,
                                names);
        scanning = false;
        cl_fmap_close(map);
        if (e == CL_VIRUS && json_array_size(names) == 0)
            on_found(-1, name, names);
    }
    r = check(e, reply, size, err);
    if (r < 0)
        return r;
    take_limits(names, reply, size);
    r = set_results(in, names, reply);
    return r < 0 ? stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "out of memory") : 0;
}

static const struct stoq_option options[] = {
    {"database", STOQ_OPTION_PATH, "/var/lib/clamav", 0, 0,
     "Directory of the signatures."},
    {"tmp_dir", STOQ_OPTION_PATH, "/tmp", 0, 0,
     "Where the directory for temporary files is made."},
    {"archives", STOQ_OPTION_BOOL, "True", 0, 0,
     "Look into archives, mail, documents and installers."},
    {"heuristics", STOQ_OPTION_BOOL, "True", 0, 0, "Report what only heuristics find."},
    {"alert_encrypted", STOQ_OPTION_BOOL, "False", 0, 0,
     "Report encrypted archives and documents."},
    {"alert_macros", STOQ_OPTION_BOOL, "False", 0, 0, "Report documents with macros."},
    {"pua", STOQ_OPTION_BOOL, "False", 0, 0, "Report possibly unwanted applications."},
    {"bytecode", STOQ_OPTION_BOOL, "True", 0, 0, "Run bytecode signatures."},
    {"all_matches", STOQ_OPTION_BOOL, "False", 0, 0, "List all signatures that match."},
    {"max_scansize", STOQ_OPTION_INT, "419430400", 1, INT64_C(1) << 40,
     "Bytes looked at in one payload with what is in it."},
    {"max_filesize", STOQ_OPTION_INT, "104857600", 1, INT32_MAX - 2,
     "Bytes of each file that is looked at."},
    {"max_files", STOQ_OPTION_INT, "10000", 1, 1000000,
     "Files looked at in one payload."},
    {"max_recursion", STOQ_OPTION_INT, "17", 1, 100,
     "How deep files may lie in each other."},
    {"max_scantime", STOQ_OPTION_INT, "120000", 0, 86400000,
     "Milliseconds one payload may take; 0 = no limit."},
    {NULL, STOQ_OPTION_STRING, NULL, 0, 0, NULL}};

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "clamav",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .options = options,
    .open = plugin_open,
    .close = plugin_close,
    .scan = plugin_scan,
};
STOQ_PLUGIN(plugin);
