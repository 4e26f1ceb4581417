/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_STOQ_H
#define STOQ_STOQ_H

/*
 * The embedding interface: scan bytes, payloads or requests with plugins, in the
 * calling process. Programs that parse hostile bytes should prefer the `stoq` command
 * or stoqfs, which do the same in sandboxed processes.
 *
 * One `struct stoq` may be used by several threads at the same time; a configuration,
 * a request and a response belong to one thread at a time.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stoq/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct stoq;          /* an engine: configuration and loaded plugins */
struct stoq_config;   /* layered settings: defaults < file < program */
struct stoq_payload;  /* bytes with metadata */
struct stoq_request;  /* payloads of one scan, with the request's metadata */
struct stoq_response; /* the result of one scan */

/** "MAJOR.MINOR.PATCH" of the library. Static storage. */
STOQ_API const char *stoq_version(void);

/* ----------------------------------------------------------------- configuration */

/** What is known of a payload tree. Only CLEAN may be treated as clean. */
enum stoq_verdict {
    STOQ_VERDICT_CLEAN = 0,   /**< every byte seen by every worker that was due */
    STOQ_VERDICT_SKIPPED = 1, /**< not scanned, by rule */
    STOQ_VERDICT_PARTIAL = 2, /**< a limit was hit: some bytes unseen */
    STOQ_VERDICT_ERROR = 3,   /**< a worker that was due failed */
    STOQ_VERDICT_TIMEOUT = 4, /**< the deadline passed */
    STOQ_VERDICT_FLAGGED = 5, /**< [policy] flag found something */
    STOQ_VERDICT_COUNT = 6
};

/** "clean", "skipped", "partial", "error", "timeout", "flagged"; else "unknown". */
STOQ_API const char *stoq_verdict_name(enum stoq_verdict verdict);
/** The verdict called @p name; -EINVAL when there is none. */
STOQ_API int stoq_verdict_parse(const char *name, enum stoq_verdict *out);

/** Make a configuration that holds the defaults. Caller frees it. */
STOQ_API int stoq_config_new(struct stoq_config **out, struct stoq_error *err);
STOQ_API void stoq_config_free(struct stoq_config *config);
/** A deep copy; caller frees it. */
STOQ_API int stoq_config_dup(const struct stoq_config *config, struct stoq_config **out,
                             struct stoq_error *err);

/** One remark about a configuration, as "FILE:LINE: text". Borrowed for the call. */
typedef void (*stoq_config_remark)(void *arg, const char *text);

/**
 * Read a stoq.cfg over what @p config holds.
 * @param remark  called for each thing that is odd but not fatal, such as an unknown
 *                key; NULL = not told.
 * @return 0; -ENOENT when the file is missing; -EINVAL for bad syntax or a bad value,
 *         with FILE:LINE in @p err. On failure @p config is unchanged.
 */
STOQ_API int stoq_config_read(struct stoq_config *config, const char *path,
                              stoq_config_remark remark, void *arg,
                              struct stoq_error *err);

/**
 * Set one key, over all files. Lists are given comma separated.
 * @param section  "core", "policy", "limits", "stoqfs" or a plugin's name.
 * @return 0; -EINVAL for an unknown key of a section that is not a plugin's, or for a
 *         value of the wrong type or range.
 */
STOQ_API int stoq_config_set(struct stoq_config *config, const char *section,
                             const char *key, const char *value, struct stoq_error *err);
/** Set a list key from @p n strings, commas and blanks being part of the names. */
STOQ_API int stoq_config_set_list(struct stoq_config *config, const char *section,
                                  const char *key, const char *const *values, size_t n,
                                  struct stoq_error *err);
/** Text of a key, or NULL when nothing sets it and it has no default. Borrowed. */
STOQ_API const char *stoq_config_get(const struct stoq_config *config,
                                     const char *section, const char *key);
/** The whole effective configuration as INI text; caller frees with free(). */
STOQ_API char *stoq_config_text(const struct stoq_config *config);

/* ------------------------------------------------------------------------ engine */

/** Which plugins an engine loads from its configuration; or-ed. */
enum stoq_role {
    STOQ_ROLE_WORKER = 1,
    STOQ_ROLE_DISPATCHER = 2,
    STOQ_ROLE_SOURCE_ARCHIVER = 4,
    STOQ_ROLE_DEST_ARCHIVER = 8,
    STOQ_ROLE_DECORATOR = 16,
    STOQ_ROLE_CONNECTOR = 32,
    STOQ_ROLE_PROVIDER = 64,
    STOQ_ROLE_SCAN = STOQ_ROLE_WORKER | STOQ_ROLE_DISPATCHER,
    STOQ_ROLE_OUTPUT = STOQ_ROLE_DEST_ARCHIVER | STOQ_ROLE_DECORATOR | STOQ_ROLE_CONNECTOR,
    STOQ_ROLE_ALL = 127
};

/**
 * Make an engine and load the plugins its configuration names.
 * @param config  borrowed, copied; NULL = defaults.
 * @param roles   enum stoq_role, or-ed; 0 = STOQ_ROLE_ALL.
 * @return 0; -ENOENT unknown plugin; -EINVAL bad option; -ENOEXEC a plugin of the wrong
 *         ABI; other -errno. On failure *out is unchanged.
 */
STOQ_API int stoq_new(const struct stoq_config *config, unsigned roles,
                      struct stoq **out, struct stoq_error *err);
STOQ_API void stoq_free(struct stoq *stoq);

/** Load plugin @p name from the plugin directories, for every role it has. Loading a
 *  loaded plugin is a success. Its roles take part in later scans only where a
 *  configuration or a dispatch names it. */
STOQ_API int stoq_load_plugin(struct stoq *stoq, const char *name,
                              struct stoq_error *err);

/* ---------------------------------------------------------------------- scanning */

/** payload_meta: what is said of a payload beside its bytes. Zero-initialise. */
struct stoq_payload_meta {
    uint32_t struct_size;
    bool no_scan;           /**< should_scan = false */
    bool no_archive;        /**< should_archive = false */
    json_t *extra_data;     /**< borrowed, copied; NULL = {} */
    const char *filename;   /**< raw bytes, NULL = none; also put into extra_data */
    const char *path;       /**< raw bytes of the full path, NULL = none */
    const char *owner;      /**< owner's name, NULL = none */
};
#define STOQ_PAYLOAD_META_INIT                                                           \
    {                                                                                    \
        .struct_size = (uint32_t)sizeof(struct stoq_payload_meta)                        \
    }

/** A payload of @p size copied bytes; @p meta may be NULL. Caller frees or adds it. */
STOQ_API int stoq_payload_new(const void *data, size_t size,
                              const struct stoq_payload_meta *meta,
                              struct stoq_payload **out, struct stoq_error *err);
/** A payload of the bytes of regular file @p fd (borrowed). A file that shrinks while
 *  it is scanned makes that scan an error, not a crash. */
STOQ_API int stoq_payload_from_fd(int fd, const struct stoq_payload_meta *meta,
                                  struct stoq_payload **out, struct stoq_error *err);
STOQ_API void stoq_payload_free(struct stoq_payload *p);

/** An empty request. @p source may be NULL; @p extra_data (an object) is borrowed and
 *  copied, NULL = {}. Caller frees it. */
STOQ_API int stoq_request_new(const char *source, const json_t *extra_data,
                              bool archive_payloads, struct stoq_request **out,
                              struct stoq_error *err);
/** Append a root payload; @p payload is taken, even on failure. */
STOQ_API int stoq_request_add(struct stoq_request *request, struct stoq_payload *payload,
                              struct stoq_error *err);
STOQ_API void stoq_request_free(struct stoq_request *request);

/**
 * Scan a request: rounds of workers, then archivers, then decorators.
 * Connectors are not called: see stoq_save().
 * @param request         used up: its payloads hold their results afterwards.
 * @param start_dispatch  workers for the roots, NULL-terminated; NULL = none.
 * @param out             the response; caller frees it before the request.
 * @return 0 also when workers failed (the response says so); -errno when there is no
 *         response. Threads: any. Blocks: for the time of the scan.
 */
STOQ_API int stoq_scan_request(struct stoq *stoq, struct stoq_request *request,
                               const char *const *start_dispatch,
                               struct stoq_response **out, struct stoq_error *err);
/** The same for one payload (taken, even on failure). */
STOQ_API int stoq_scan_payload(struct stoq *stoq, struct stoq_payload *payload,
                               const char *const *start_dispatch,
                               struct stoq_response **out, struct stoq_error *err);
/** The same for @p size bytes; @p meta may be NULL. */
STOQ_API int stoq_scan(struct stoq *stoq, const void *data, size_t size,
                       const struct stoq_payload_meta *meta,
                       const char *const *start_dispatch, struct stoq_response **out,
                       struct stoq_error *err);

/** Wait until the next scan may begin under @p limit, "COUNT/SECONDS": SECONDS/COUNT after
 *  the call before, of any thread; the first call does not wait. For programs that call it
 *  before each scan. @return 0; -EINVAL for what is no limit, at once.
 *  Threads: any. Blocks: yes. */
STOQ_API int stoq_ratelimit(const char *limit, struct stoq_error *err);

/** Hand @p response to every loaded connector. @return 0, or the first failure's -errno
 *  after all were tried; each failure also becomes an entry of the response's errors. */
STOQ_API int stoq_save(struct stoq *stoq, struct stoq_response *response,
                       struct stoq_error *err);

/* --------------------------------------------------------------------- responses */

STOQ_API void stoq_response_free(struct stoq_response *response);
STOQ_API enum stoq_verdict stoq_response_verdict(const struct stoq_response *response);
/** The document as text; @p pretty: indented by 4, else one line. No trailing newline.
 *  Caller frees with free(); NULL on -ENOMEM. */
STOQ_API char *stoq_response_text(const struct stoq_response *response, bool pretty);
/** One document per (payload, worker with a result): an array the caller owns. */
STOQ_API json_t *stoq_response_split(const struct stoq_response *response);
/** One document per payload, holding it and what came out of it: an array the caller
 *  owns. Decorators of @p stoq run again on each. */
STOQ_API int stoq_response_reconstruct(struct stoq *stoq,
                                       const struct stoq_response *response,
                                       json_t **out, struct stoq_error *err);

#ifdef __cplusplus
}
#endif
#endif
