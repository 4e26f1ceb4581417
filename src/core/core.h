/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CORE_CORE_H
#define STOQ_CORE_CORE_H

/*
 * The shapes behind the public handles: payload, request, response, engine. For the
 * files of src/core only; everybody else goes through stoq/stoq.h, stoq/plugin.h and
 * core/engine.h.
 *
 * Lock order: stoq.load_lock, then stoq.lock. Neither is held while a worker,
 * dispatcher, archiver, decorator or connector is called; load_lock is held while a
 * plugin's `open` runs, so that a plugin is opened once. Requests, payloads and
 * responses have no lock: they belong to one thread at a time.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <stoq/plugin.h>
#include <stoq/stoq.h>

#include "core/config.h"
#include "core/content.h"
#include "plugin/loader.h"
#include "util/clock.h"
#include "util/digest.h"
#include "util/strbuf.h"

#define STOQ_SCHEMA_VERSION 1

struct stoq_payload {
    struct stoq_content content;
    char id[STOQ_UUID_SIZE];
    uint8_t sha256[STOQ_SHA256_SIZE];
    bool has_sha256;
    json_t *entry; /**< owned; this payload's element of the document's results */
    /* Borrowed from entry, so that nobody looks keys up in the inner loop. */
    json_t *meta, *extra, *ran, *archived, *from, *by, *workers, *archivers, *ms;
    json_t *dispatch_meta;         /**< owned object */
    char *filename, *path, *owner; /**< owned, raw bytes, or NULL */

    /* Of the scan under way. */
    struct stoq_strv due;        /**< workers asked for, beside those of every round */
    struct stoq_strv dispatched; /**< what content-only dispatchers answered, once */
    bool asked;                  /**< content-only dispatchers were asked */
    bool scan;                   /**< takes part in rounds */
    uint64_t depth;              /**< 0 for roots */
    size_t next_same;            /**< index + 1 of the next payload of equal bytes */
};

struct stoq_request {
    struct stoq_payload **payloads; /**< owned */
    size_t count, room;
    json_t *meta;         /**< owned: request_meta */
    json_t *errors;       /**< owned: shared with the response's document */
    uint64_t deadline_ms; /**< 0 = the configuration's */
    bool used;            /**< was scanned, or restored from a response */
};

struct stoq_response {
    json_t *doc; /**< owned */
    char scan_id[STOQ_UUID_SIZE];
    enum stoq_verdict verdict;
    bool reusable;
    bool has_sha256;
    uint8_t sha256[STOQ_SHA256_SIZE];
};

/** A plugin that was asked for: loaded, or why not. */
struct stoq_slot {
    char *name;                 /**< owned */
    struct stoq_loaded *loaded; /**< owned, or NULL */
    struct stoq_error why;      /**< when not loaded */
};

/** Plugins configured for one role, in the order of the configuration. */
struct stoq_roster {
    struct stoq_loaded **items; /**< owned array of borrowed plugins */
    size_t count;
};

struct stoq {
    struct stoq_config *config;       /**< owned */
    struct stoq_catalogue *catalogue; /**< owned */
    char id[STOQ_SHA256_HEX];
    struct stoq_roster sources, archivers, decorators, connectors, dispatchers;
    struct stoq_strv always; /**< always_dispatch, stripped, without repeats */
    pthread_mutex_t load_lock;
    pthread_mutex_t lock;
    struct stoq_slot **slots;     /**< guarded by lock; slots never move or change */
    size_t slot_count, slot_room; /**< guarded by lock */
    void (*closed)(const char *name); /**< constant while scanning; see engine.h */
};

/* ---------------------------------------------------------------- payload.c */

/** A payload around @p content (taken, also on failure) and @p entry (taken). */
int stoq_payload_make(struct stoq_content *content, json_t *entry,
                      struct stoq_payload **out, struct stoq_error *err);
/** A payload for @p child of @p parent; the child's bytes and metadata are stolen. */
int stoq_payload_child(struct stoq_child *child, const struct stoq_payload *parent,
                       const char *worker, struct stoq_payload **out);
/** Whether @p p ran worker @p name already. */
bool stoq_payload_has_run(const struct stoq_payload *p, const char *name);

/* ---------------------------------------------------------------- request.c */

/** Append @p payload (taken, also on failure). */
int stoq_request_push(struct stoq_request *request, struct stoq_payload *payload);

/* --------------------------------------------------------------- registry.c */

/** The plugin @p name, loading it when it was never asked for. A failure is remembered
 *  and told again. Threads: any. Blocks: while a plugin opens. */
int stoq_registry_get(struct stoq *stoq, const char *name, struct stoq_loaded **out,
                      struct stoq_error *err);
/** STOQ_ROLE_WORKER and STOQ_ROLE_DISPATCHER as the object of @p manifest has them,
 * asked without opening an instance; 0 when it cannot be loaded. */
unsigned stoq_manifest_roles(const struct stoq_manifest *manifest);
/** End all plugins, the last loaded first. */
void stoq_registry_fini(struct stoq *stoq);

/* --------------------------------------------------------------- identity.c */

/** Compute stoq->id from everything that can change a result; @p roles as given to
 *  stoq_new(). @return 0 or -ENOMEM. */
int stoq_identity_compute(struct stoq *stoq, unsigned roles);

#endif
