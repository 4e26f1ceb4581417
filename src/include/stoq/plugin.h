/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_PLUGIN_H
#define STOQ_PLUGIN_H

/*
 * The plugin interface: all that a plugin author needs.
 *
 * A plugin is a shared object that exports one symbol, a `const struct stoq_plugin`,
 * beside a manifest NAME.stoq. Which roles it plays follows from the operations it
 * sets. Workers and dispatchers run in scanner processes, and must do with what they
 * opened in `open`: count on neither files nor network in a call. Archivers, decorators
 * and connectors run in the courier.
 *
 * Threads: the library serialises calls as `thread_model` asks; an author who sets
 * nothing gets one call at a time. JSON values handed over belong to the library from
 * then on, also when the call fails.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <stoq/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Raised only when an older plugin can no longer be loaded. */
#define STOQ_ABI_VERSION 1U

struct stoq_ctx;      /* a plugin's surroundings: its options, directory and log */
struct stoq_payload;  /* bytes being scanned, with metadata and results so far */
struct stoq_request;  /* all payloads of one scan, with the request's metadata */
struct stoq_response; /* the result of one scan */
struct stoq_reply;    /* what one call of an operation hands back */
struct stoq_queue;    /* where a provider puts what it found */

/** How many calls may run at the same time. Zero is the safest. */
enum stoq_thread_model {
    STOQ_THREAD_SERIAL = 0,       /**< one call at a time over all instances */
    STOQ_THREAD_PER_INSTANCE = 1, /**< one call at a time per instance */
    STOQ_THREAD_PARALLEL = 2      /**< any number of calls on one instance */
};

/** Facts about a plugin, or-ed into stoq_plugin.traits. */
enum stoq_trait {
    /** The worker's reply depends on the payload's bytes, the options and nothing else;
     *  so it may be reused for equal bytes. stoq_ctx_set_content_only() refines it. */
    STOQ_TRAIT_CONTENT_ONLY = 1,
    /** Options that are not in the table are accepted as strings. */
    STOQ_TRAIT_ANY_OPTION = 2
};

enum stoq_option_type {
    STOQ_OPTION_STRING = 0,
    STOQ_OPTION_BOOL = 1,  /**< 1/yes/true/on, 0/no/false/off, any case */
    STOQ_OPTION_INT = 2,   /**< decimal, within [min, max] */
    STOQ_OPTION_FLOAT = 3, /**< within [min, max] */
    STOQ_OPTION_LIST = 4,  /**< comma separated, stripped, empty pieces dropped */
    STOQ_OPTION_PATH = 5   /**< relative ones start at the plugin's directory when they
                                come from the manifest or the table, else at the current
                                directory; "" means none */
};

/** One row of a plugin's option table; the table ends with a row without a name. */
struct stoq_option {
    const char *name;           /**< lower case */
    enum stoq_option_type type; /**< how the text is read and checked */
    const char *fallback;       /**< text used when nothing sets it; NULL = not set */
    int64_t min, max;           /**< for INT and FLOAT; both 0 = no bounds */
    const char *help;           /**< one sentence */
};

/**
 * A plugin. Fields are only ever appended; `STOQ_PLUGIN_HEAD` fills the first two.
 *
 * Every operation returns 0 or -errno with text in `err` (which then becomes an error
 * entry of the scan). `flags` is 0 for now. Strings must live as long as the object is
 * loaded; the library copies them.
 */
struct stoq_plugin {
    uint32_t struct_size;
    uint32_t abi_version;
    const char *name;                    /**< as in the manifest: [a-z0-9_-]+ */
    enum stoq_thread_model thread_model; /**< see there */
    uint32_t traits;                     /**< enum stoq_trait, or-ed */
    const struct stoq_option *options;   /**< NULL = none */

    /** Optional. Make an instance; @p instance stays NULL when not set. */
    int (*open)(struct stoq_ctx *ctx, void **instance, struct stoq_error *err);
    /** Optional. End an instance. Called once per successful open. */
    void (*close)(void *instance);

    /** Worker: look at @p payload. Add results, children, soft errors to @p reply. */
    int (*scan)(void *instance, struct stoq_payload *payload,
                const struct stoq_request *request, struct stoq_reply *reply,
                unsigned flags, struct stoq_error *err);
    /** Dispatcher: name workers for @p payload with stoq_reply_dispatch(). */
    int (*dispatch)(void *instance, struct stoq_payload *payload,
                    const struct stoq_request *request, struct stoq_reply *reply,
                    unsigned flags, struct stoq_error *err);
    /** Destination archiver: keep the payload's bytes; results say where. */
    int (*archive)(void *instance, struct stoq_payload *payload,
                   const struct stoq_request *request, struct stoq_reply *reply,
                   unsigned flags, struct stoq_error *err);
    /** Source archiver: fetch what @p task (an object, borrowed) names, as one child
     *  of @p reply; no child means nothing was found. */
    int (*get)(void *instance, const json_t *task, struct stoq_reply *reply,
               unsigned flags, struct stoq_error *err);
    /** Decorator: results become decorators.NAME of @p response. */
    int (*decorate)(void *instance, struct stoq_response *response,
                    struct stoq_reply *reply, unsigned flags, struct stoq_error *err);
    /** Connector: deliver @p response. 0 means it is there to stay. -EBADMSG means that
     *  this one can never be delivered, however often it is tried (the other end
     *  refuses its form or size): it is kept as a dead letter, and those behind it go
     *  on. -EAGAIN and all other failures are tried again later, in order, the others
     *  waiting behind. Must be safe to repeat for one scan_id. */
    int (*save)(void *instance, const struct stoq_response *response, unsigned flags,
                struct stoq_error *err);
    /** Provider: put payloads into @p queue until there are no more, or until a put
     *  answers -ECANCELED. */
    int (*ingest)(void *instance, struct stoq_queue *queue, unsigned flags,
                  struct stoq_error *err);
};

#define STOQ_PLUGIN_HEAD \
    .struct_size = (uint32_t)sizeof(struct stoq_plugin), .abi_version = STOQ_ABI_VERSION

#define STOQ_PLUGIN_SYMBOL "stoq_plugin_entry"

/** Export @p plugin (a `static const struct stoq_plugin`) as this object's plugin. */
#define STOQ_PLUGIN(plugin)                                   \
    extern const struct stoq_plugin *const stoq_plugin_entry; \
    STOQ_API const struct stoq_plugin *const stoq_plugin_entry = &(plugin)

/* ------------------------------------------------------------------ surroundings */

enum stoq_level {
    STOQ_LEVEL_ERROR,
    STOQ_LEVEL_WARNING,
    STOQ_LEVEL_INFO,
    STOQ_LEVEL_DEBUG
};

/** The option's effective text, or NULL when nothing sets it. Borrowed, lives with ctx.
 */
STOQ_API const char *stoq_ctx_string(const struct stoq_ctx *ctx, const char *name);
/** The option as a number; checked at load, so always within its bounds. */
STOQ_API int64_t stoq_ctx_int(const struct stoq_ctx *ctx, const char *name);
STOQ_API double stoq_ctx_float(const struct stoq_ctx *ctx, const char *name);
STOQ_API bool stoq_ctx_bool(const struct stoq_ctx *ctx, const char *name);
/** The option's pieces, NULL-terminated. Borrowed; never NULL, may be empty. */
STOQ_API const char *const *stoq_ctx_list(const struct stoq_ctx *ctx, const char *name);
/** All effective options, an object of strings. Borrowed. */
STOQ_API const json_t *stoq_ctx_options(const struct stoq_ctx *ctx);
/** Absolute directory of the manifest. Borrowed. */
STOQ_API const char *stoq_ctx_dir(const struct stoq_ctx *ctx);
/** A private directory for derived data that survives restarts, or NULL. Borrowed. */
STOQ_API const char *stoq_ctx_cache_dir(const struct stoq_ctx *ctx);
/** Write one log line; control bytes are escaped, errno is preserved. Threads: any. */
STOQ_API void stoq_ctx_log(const struct stoq_ctx *ctx, enum stoq_level level,
                           const char *fmt, ...) STOQ_PRINTF(3, 4);

/** Mix @p size bytes at @p data into the engine id, e.g. the digest of a rule set, so
 *  that results made under other data are not reused. Only inside `open`. */
STOQ_API void stoq_ctx_identity(struct stoq_ctx *ctx, const void *data, size_t size);
/** Publish @p value (taken) under @p key in this plugin's facts, which status pages and
 *  `stoq check-config` show. Only inside `open`. */
STOQ_API void stoq_ctx_fact(struct stoq_ctx *ctx, const char *key, json_t *value);
/** This worker needs @p worker's results before it can scan. Only inside `open`. */
STOQ_API int stoq_ctx_require(struct stoq_ctx *ctx, const char *worker);
/** This worker makes temporary files below @p dir (absolute, existing, the user's)
 * while it scans: scanners, which can make files nowhere else, each get an empty
 * directory of that name. Only inside `open`. @return 0, -EINVAL, -ENOMEM. */
STOQ_API int stoq_ctx_scratch(struct stoq_ctx *ctx, const char *dir);
/** Say, more exactly than the trait, whether replies depend on content alone. */
STOQ_API void stoq_ctx_set_content_only(struct stoq_ctx *ctx, bool yes);

/* ---------------------------------------------------------------------- payloads */

/** The payload's bytes; never NULL, also when @p size is 0. Borrowed for the call. */
STOQ_API const unsigned char *stoq_payload_data(const struct stoq_payload *p,
                                                size_t *size);
/** UUID of the payload, 36 characters. Borrowed. */
STOQ_API const char *stoq_payload_id(const struct stoq_payload *p);
/** SHA-256 of the bytes, 32 bytes, computed once. Borrowed. */
STOQ_API const unsigned char *stoq_payload_sha256(struct stoq_payload *p);
/** payload_meta.extra_data, an object. Borrowed; a worker may add keys. */
STOQ_API json_t *stoq_payload_extra_data(struct stoq_payload *p);
/** Name of the file the bytes came from, as raw bytes without '/', or NULL. Borrowed.
 */
STOQ_API const char *stoq_payload_filename(const struct stoq_payload *p);
/** Path of that file as raw bytes, or NULL. Borrowed. */
STOQ_API const char *stoq_payload_path(const struct stoq_payload *p);
/** Name of that file's owner, or NULL. Borrowed. */
STOQ_API const char *stoq_payload_owner(const struct stoq_payload *p);
/** results.workers: {worker: result}. Borrowed, not to be changed. */
STOQ_API const json_t *stoq_payload_workers(const struct stoq_payload *p);
/** The payload's entry in the response's `results`, with plugins_run. Borrowed. */
STOQ_API const json_t *stoq_payload_results(const struct stoq_payload *p);
/** {dispatcher: meta} left by dispatchers for this payload. Borrowed. */
STOQ_API const json_t *stoq_payload_dispatch_meta(const struct stoq_payload *p);
STOQ_API void stoq_payload_set_should_archive(struct stoq_payload *p, bool yes);

/** Number of payloads known so far, the roots first. */
STOQ_API size_t stoq_request_count(const struct stoq_request *r);
/** Payload @p i, or NULL. Borrowed. */
STOQ_API struct stoq_payload *stoq_request_payload(const struct stoq_request *r,
                                                   size_t i);
/** request_meta: {archive_payloads, source, extra_data}. Borrowed. */
STOQ_API const json_t *stoq_request_meta(const struct stoq_request *r);

/** The document as a JSON object, in stoQ's key order. Borrowed: valid for the call. */
STOQ_API const json_t *stoq_response_document(const struct stoq_response *r);
/** UUID of the scan, 36 characters. Borrowed. */
STOQ_API const char *stoq_response_scan_id(const struct stoq_response *r);

/* ----------------------------------------------------------------------- replies */

/** Set the results (taken; JSON null = none). A later call replaces them. NULL is what
 *  json_pack() gives when memory has run out: the call is a failure then, so that
 *  nothing passes for looked at whose result was lost. */
STOQ_API void stoq_reply_results(struct stoq_reply *r, json_t *results);
/** Add an error entry; the call itself may still succeed. */
STOQ_API void stoq_reply_error(struct stoq_reply *r, const char *fmt, ...)
    STOQ_PRINTF(2, 3);

/** A child payload. Zero-initialise; set struct_size with STOQ_EXTRACT_HEAD. */
struct stoq_extract {
    uint32_t struct_size;
    bool no_scan;                   /**< list it, but run no worker on it */
    bool no_archive;                /**< do not hand it to archivers */
    const void *data;               /**< borrowed; copied */
    size_t size;                    /**< bytes at data; 0 is allowed */
    json_t *extra_data;             /**< taken; NULL = {} */
    const char *filename;           /**< raw name, borrowed; NULL = none. Also becomes
                                         extra_data.filename when that is not set */
    const char *const *dispatch_to; /**< NULL-terminated, borrowed; NULL = none */
};
#define STOQ_EXTRACT_HEAD .struct_size = (uint32_t)sizeof(struct stoq_extract)

/**
 * Add a child payload.
 * @return 0; -E2BIG when a budget of the scan (bytes, children) does not allow it, in
 *         which case the scan is marked partial and the plugin should stop; -ENOMEM.
 */
STOQ_API int stoq_reply_extract(struct stoq_reply *r, const struct stoq_extract *child);
/** Bytes that may still be extracted in this scan. */
STOQ_API uint64_t stoq_reply_room(const struct stoq_reply *r);
/** Ask for @p worker: a dispatcher for the payload in this round, a worker for the
 *  same payload in the next. */
STOQ_API int stoq_reply_dispatch(struct stoq_reply *r, const char *worker);
/** A dispatcher's metadata (taken), readable as dispatch_meta.NAME. */
STOQ_API void stoq_reply_meta(struct stoq_reply *r, json_t *meta);
/** Say that some bytes were not looked at: @p name is the limit ("strings", "nesting",
 *  "encrypted"), @p value what was reached. The verdict becomes partial at best. */
STOQ_API void stoq_reply_limit(struct stoq_reply *r, const char *name, uint64_t value);

/* ------------------------------------------------------------------------- queue */

/** Put a file (taken fd, read from the start) into the queue; waits while it is full.
 *  @p extra_data is taken. @return 0, -ECANCELED when the run is ending, -errno. */
STOQ_API int stoq_queue_put_fd(struct stoq_queue *q, int fd, const char *path,
                               json_t *extra_data);
/** Put bytes (copied). Same rules. */
STOQ_API int stoq_queue_put_bytes(struct stoq_queue *q, const void *data, size_t size,
                                  json_t *extra_data);
/** Put a task for source archiver @p archiver (@p task taken). Same rules. */
STOQ_API int stoq_queue_put_task(struct stoq_queue *q, const char *archiver,
                                 json_t *task);
/** Put a request made with stoq_request_new() of stoq/stoq.h (taken): its payloads are
 *  scanned together. One with default metadata gets the run's. Same rules. */
STOQ_API int stoq_queue_put_request(struct stoq_queue *q, struct stoq_request *request);

enum stoq_find_kind {
    STOQ_FIND_BYTES = 0, /**< data, size, extra_data */
    STOQ_FIND_FD = 1,    /**< fd, path, extra_data */
    STOQ_FIND_TASK = 2,  /**< archiver, task */
    STOQ_FIND_REQUEST = 3
};

/** Something for the queue, and who wants to be told how it ends: for providers that
 *  have to answer for what they hand out. Zero-initialise; set struct_size with
 *  STOQ_FIND_HEAD. Taken and copied as the functions above do. */
struct stoq_find {
    uint32_t struct_size;
    enum stoq_find_kind kind; /**< which of the fields count */
    int fd;
    const char *path;
    const void *data;
    size_t size;
    json_t *extra_data;
    const char *archiver;
    json_t *task;
    struct stoq_request *request;
    /**
     * Called once for a find that was put with success, with
     * - 0: it was scanned, and every connector has the result;
     * - -EAGAIN: it was scanned, and the result did not arrive everywhere;
     * - -ECANCELED: the run ends, and it was not scanned;
     * - another -errno: it cannot be scanned (a task whose archiver does not have it:
     *   -ENOENT). The log says why.
     *
     * It may be called before the put has returned and after `ingest` has, but not
     * after `close`. Threads: any, without a lock. It must not block nor put.
     */
    void (*done)(void *arg, int code);
    void *arg; /**< of done */
};
#define STOQ_FIND_HEAD .struct_size = (uint32_t)sizeof(struct stoq_find)

/** Put @p find. Same rules; -EINVAL for a kind that is not known. */
STOQ_API int stoq_queue_put(struct stoq_queue *q, const struct stoq_find *find);
/** A descriptor that becomes readable when the run is ending; for poll(2). Borrowed. */
STOQ_API int stoq_queue_cancel_fd(const struct stoq_queue *q);

/* -------------------------------------------------------------------------- text */

/**
 * A JSON string for @p size arbitrary bytes: as they are when valid UTF-8, else read as
 * windows-1252, else with U+FFFD in place of what cannot be read. NULL on -ENOMEM.
 * @param lossless  may be NULL; set to whether the bytes were valid UTF-8, that is,
 *                  whether a `…_b64` field beside it is not needed.
 */
STOQ_API json_t *stoq_json_text(const void *data, size_t size, bool *lossless);
/** A JSON string with the base64 of @p size bytes. NULL on -ENOMEM. */
STOQ_API json_t *stoq_json_base64(const void *data, size_t size);
/** Set @p key to the text of the bytes and, where that loses something, KEY_b64 too. */
STOQ_API int stoq_json_set_text(json_t *object, const char *key, const void *data,
                                size_t size);

#ifdef __cplusplus
}
#endif
#endif
