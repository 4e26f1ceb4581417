/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_PLUGIN_LOADER_H
#define STOQ_PLUGIN_LOADER_H

/*
 * Finding, checking and loading plugins, and the one guarded call into each operation.
 * Knows manifests, option tables and shared objects; knows nothing of rounds.
 *
 * A catalogue is what the plugin directories hold (manifests only, no code); a plugin
 * is one that was loaded. Both belong to an engine, which locks around them.
 */

#include <stdbool.h>
#include <stdint.h>

#include <stoq/plugin.h>
#include <stoq/stoq.h>

#include "util/digest.h"
#include "util/strbuf.h"

/** One manifest found. */
struct stoq_manifest {
    char *name, *module; /**< [Core] Name, Module (without .so); owned */
    char *author, *version, *website, *description; /**< "" when absent; owned */
    char *dir;                                      /**< absolute directory; owned */
    char *path;        /**< absolute path of the .stoq file; owned */
    char *object;      /**< absolute path of the .so; owned */
    char *min_version; /**< [options] min_stoq_version or NULL; owned */
    struct stoq_strv required_workers;
    struct stoq_strv keys, values, origins; /**< other [options] */
};

struct stoq_catalogue;

/** Read all manifests below @p dirs (recursive, symlinked directories not followed;
 *  relative ones from the current directory). A directory that is missing and a
 * manifest that is broken are log warnings. The last one of equal names wins, with a
 * warning. Order of discovery: directories as given, entries by name. */
int stoq_catalogue_new(const struct stoq_strv *dirs, struct stoq_catalogue **out,
                       struct stoq_error *err);
void stoq_catalogue_free(struct stoq_catalogue *c);
size_t stoq_catalogue_count(const struct stoq_catalogue *c);
const struct stoq_manifest *stoq_catalogue_at(const struct stoq_catalogue *c, size_t i);
/** NULL when there is none of that name. */
const struct stoq_manifest *stoq_catalogue_find(const struct stoq_catalogue *c,
                                                const char *name);

/** A loaded plugin. */
struct stoq_loaded;

/** Where option values come from, most important first. */
struct stoq_option_source {
    const char *const *keys, *const *values, *const *origins; /**< borrowed, n each */
    size_t count;
};

/**
 * Load the object of @p manifest, check owner, mode, ABI and operations, merge and
 * check its options (@p settings over the manifest's over the table's), open one
 * instance.
 * @param cache_dir  parent of the plugin's cache directory, or NULL.
 * @return 0; -ENOENT no object; -EPERM owner or mode; -ENOEXEC not loadable, wrong ABI,
 *         no operation; -EINVAL a bad or unknown option (message has its origin);
 *         the plugin's own code. The object is checked through the descriptor that is
 *         then loaded.
 */
int stoq_loaded_new(const struct stoq_manifest *manifest,
                    const struct stoq_option_source *settings, const char *cache_dir,
                    struct stoq_loaded **out, struct stoq_error *err);
/** Close the instance. The object stays mapped under sanitizers. */
void stoq_loaded_free(struct stoq_loaded *p);

const char *stoq_loaded_name(const struct stoq_loaded *p);
const char *stoq_loaded_version(const struct stoq_loaded *p);
/** enum stoq_role, or-ed, from the non-NULL operations. */
unsigned stoq_loaded_roles(const struct stoq_loaded *p);
bool stoq_loaded_content_only(const struct stoq_loaded *p);
const struct stoq_strv *stoq_loaded_required(const struct stoq_loaded *p);
/** Directories in which it makes temporary files. Borrowed. */
const struct stoq_strv *stoq_loaded_scratch(const struct stoq_loaded *p);
/** {key: value} published with stoq_ctx_fact(). Borrowed. */
const json_t *stoq_loaded_facts(const struct stoq_loaded *p);
/** Name, version, effective options, and stoq_ctx_identity() data, as one digest. */
void stoq_loaded_identity(const struct stoq_loaded *p, uint8_t out[STOQ_SHA256_SIZE]);
/** Roles, ABI, thread model, traits and options of an object without opening an
 *  instance, as a JSON object {name, version, roles: [stoQ's class names, "Worker"],
 *  operations: ["scan"], abi, thread_model, options: [{name, type, default, help}],
 *  path, manifest, ...}; for `stoq list`. */
int stoq_manifest_describe(const struct stoq_manifest *manifest, json_t **out,
                           struct stoq_error *err);

/* --------------------------------------------------------------- guarded calls */

/** One child of a reply. */
struct stoq_child {
    struct stoq_child *next;
    unsigned char *data; /**< owned, malloc'ed; steal by setting NULL */
    size_t size;
    json_t *extra_data; /**< owned, an object */
    char *filename;     /**< owned, raw bytes, or NULL */
    struct stoq_strv dispatch_to;
    bool no_scan, no_archive;
};

/** What a call handed back, after the border checks. */
struct stoq_reply {
    json_t *results;                     /**< NULL = none */
    json_t *meta;                        /**< dispatcher's meta, NULL = none */
    struct stoq_strv errors;             /**< soft errors, valid UTF-8 */
    struct stoq_strv dispatch;           /**< worker names */
    struct stoq_child *children, **tail; /**< in order of extraction */
    size_t child_count;
    uint64_t extracted;                 /**< bytes in children */
    uint64_t room_bytes, room_children; /**< budget: what may still be added */
    struct stoq_limit_hit {
        char name[32];
        uint64_t value;
    } * hits; /**< owned */
    size_t hit_count;
    uint64_t duration_ns; /**< of the call */
    bool failed;          /**< an allocation failed: the call is a failure */
};

void stoq_reply_init(struct stoq_reply *r, uint64_t room_bytes, uint64_t room_children);
void stoq_reply_fini(struct stoq_reply *r);
/** Forget results, meta, dispatches and children, as after a failed call; soft errors
 *  and limits stay. */
void stoq_reply_reject(struct stoq_reply *r);

/** In a scanner: ask @p fn after each call what was refused to the plugin, as text, and
 *  add that to the reply's errors. @p fn returns 0 for nothing. */
void stoq_call_watch(unsigned (*fn)(char *text, size_t size));

/**
 * Call one operation. Takes the lock the thread model asks for, measures time, and
 * checks what comes back: result depth and UTF-8, names, counts. A return value < 0, or
 * a reply that breaks a rule, is a failure with text in @p err.
 * @return 0; -ENOSYS when the plugin lacks the operation ("X is not a worker plugin").
 */
int stoq_call_scan(struct stoq_loaded *p, struct stoq_payload *payload,
                   const struct stoq_request *request, struct stoq_reply *reply,
                   struct stoq_error *err);
int stoq_call_dispatch(struct stoq_loaded *p, struct stoq_payload *payload,
                       const struct stoq_request *request, struct stoq_reply *reply,
                       struct stoq_error *err);
int stoq_call_archive(struct stoq_loaded *p, struct stoq_payload *payload,
                      const struct stoq_request *request, struct stoq_reply *reply,
                      struct stoq_error *err);
int stoq_call_get(struct stoq_loaded *p, const json_t *task, struct stoq_reply *reply,
                  struct stoq_error *err);
int stoq_call_decorate(struct stoq_loaded *p, struct stoq_response *response,
                       struct stoq_reply *reply, struct stoq_error *err);
int stoq_call_save(struct stoq_loaded *p, const struct stoq_response *response,
                   struct stoq_error *err);
int stoq_call_ingest(struct stoq_loaded *p, struct stoq_queue *queue,
                     struct stoq_error *err);

#endif
