/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CORE_ENGINE_H
#define STOQ_CORE_ENGINE_H

/*
 * What the pool, the courier and the command use of an engine beyond stoq/stoq.h.
 *
 * A scan has two halves, which may happen in different processes: the scanning half
 * (rounds of dispatchers and workers, in a scanner) and the finishing half (archivers,
 * decorators, in the courier or the command). Between them travels the document as
 * text, and the contents of the payloads that archivers want.
 *
 * The document carries, beside stoQ's keys and after them: "schema_version": 1,
 * "verdict", "limits_hit": [{"name","value","payload_id"}], "flagged_by": [{"worker",
 * "payload_id", "pointer"}], "warnings": [strings: what the original drops, e.g. a
 * dispatcher's soft errors], "engine": {"id","version"}, "duration_ms": number; and in
 * each entry of results "duration_ms": {worker: ms}. Extra data keys ending in _b64
 * hold bytes that text could not. Nothing else is added.
 */

#include <stdbool.h>
#include <stdint.h>

#include <stoq/plugin.h>
#include <stoq/stoq.h>

#include "core/config.h"
#include "plugin/loader.h"

/** The engine's own copy of the configuration. Borrowed. */
const struct stoq_config *stoq_engine_config(const struct stoq *stoq);
/** Hex digest of plugin set, versions, options, rules, limits, flag policy and library
 *  version. Stable over restarts. Plugins loaded later, on demand, do not change it.
 *  Borrowed. */
const char *stoq_engine_id(const struct stoq *stoq);
/** {"engine_id", "version", "workers": [loaded], "plugins": {name: facts}, "paths":
 *  [files and directories that options of workers and dispatchers name]}; new tree. */
json_t *stoq_engine_facts(const struct stoq *stoq);
/** Directories in which loaded plugins make temporary files while they scan. Copies are
 *  added to @p out. @return 0 or -ENOMEM. */
int stoq_engine_scratch(const struct stoq *stoq, struct stoq_strv *out);
/** Manifests known to the engine. Borrowed. */
const struct stoq_catalogue *stoq_engine_catalogue(const struct stoq *stoq);
/** Where the plugins of this build lie: beside the library in a build tree, else where
 *  they are installed. It is searched before plugin_dirs.
 *  @return 0; -ENOENT when there is no such directory; -ENAMETOOLONG. */
int stoq_bundled_plugin_dir(char *buf, size_t size);
/** A loaded plugin, or NULL. Borrowed. */
struct stoq_loaded *stoq_engine_find(const struct stoq *stoq, const char *name);
/** Load every worker in the catalogue that loads (failures are told again when such a
 *  worker is asked for), plus what they require: for processes that will not be able to
 *  load anything later. */
void stoq_engine_preload(struct stoq *stoq);

/** From now on nothing can be loaded here: call @p fn, which does not return, with the
 *  name of a plugin of the catalogue that is asked for and was never loaded. */
void stoq_engine_close(struct stoq *stoq, void (*fn)(const char *name));

/** Longest this request may be scanned, checked between workers; 0 =
 * limits.deadline_ms. When it has passed no further worker is started and the verdict
 * is `timeout`. */
void stoq_request_set_deadline(struct stoq_request *request, uint64_t deadline_ms);

/** The scanning half only: no archivers, no decorators. Same contract as
 *  stoq_scan_request(). The response holds scan_id and time already. */
int stoq_engine_scan(struct stoq *stoq, struct stoq_request *request,
                     const char *const *start_dispatch, struct stoq_response **out,
                     struct stoq_error *err);
/** The finishing half: archivers over @p request's payloads with should_archive (when
 *  request_meta allows), then decorators; the document is updated in place. */
int stoq_engine_finish(struct stoq *stoq, struct stoq_request *request,
                       struct stoq_response *response, struct stoq_error *err);
/** Call one loaded connector by name. @return its code; text in @p err. */
int stoq_engine_save(struct stoq *stoq, const char *connector,
                     const struct stoq_response *response, struct stoq_error *err);
/** Ask source archiver @p name for @p task. @return 0 with *out NULL when it had
 *  nothing; -ENOENT unknown archiver; its own code. */
int stoq_engine_get(struct stoq *stoq, const char *name, const json_t *task,
                    struct stoq_payload **out, struct stoq_error *err);

/** Whether all workers that ran depend on content alone and the verdict may be reused
 *  (clean, flagged, skipped or partial; not error, not timeout). */
bool stoq_response_reusable(const struct stoq_response *response);
/** SHA-256 of root 0, or NULL when there is none. Borrowed. */
const uint8_t *stoq_response_sha256(const struct stoq_response *response);

/** Rebuild a response from its document (text of @p size bytes). Payload contents are
 *  empty unless given to the request with stoq_request_restore(). */
int stoq_response_parse(const char *text, size_t size, struct stoq_response **out,
                        struct stoq_error *err);
/** A request whose payloads are the entries of @p response's results (which it shares),
 *  contents empty until stoq_payload_set_content(). Free it after the response is no
 *  longer finished with it. */
int stoq_request_restore(const struct stoq_response *response,
                         struct stoq_request **out, struct stoq_error *err);
/** Give payload @p index its bytes: @p size bytes of @p fd (borrowed; mapped) at
 *  @p offset. */
int stoq_payload_set_content(struct stoq_request *request, size_t index, int fd,
                             uint64_t offset, uint64_t size, struct stoq_error *err);
/** Whether payload @p index is to be archived. */
bool stoq_payload_should_archive(const struct stoq_request *request, size_t index);

/** A document for a scan that could not take place (crash, deadline, unreadable file):
 *  one root entry of @p size bytes with @p meta, one error @p text, @p verdict.
 *  @p engine_id may be NULL. */
int stoq_response_failed(const struct stoq_payload_meta *meta, uint64_t size,
                         enum stoq_verdict verdict, const char *engine_id,
                         const char *text, struct stoq_response **out,
                         struct stoq_error *err);
/** A document for other bytes of equal content: a copy of @p text with a new scan_id
 * and time, root 0's extra_data made from @p meta, and "reused_from": old scan_id.
 *  Archivers' results stay (equal content is archived once); decorators is empty again,
 *  and so are errors of decorators and connectors, which are to be called anew. */
int stoq_response_reuse(const char *text, size_t size,
                        const struct stoq_payload_meta *meta,
                        struct stoq_response **out, struct stoq_error *err);

#endif
