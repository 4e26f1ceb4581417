/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CORE_DOCUMENT_H
#define STOQ_CORE_DOCUMENT_H

/*
 * The pieces of the response document, with stoQ's keys in stoQ's order and ours after
 * them. Builds JSON and knows nothing of scanning. A tree belongs to one thread.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <stoq/stoq.h>

#include "util/strbuf.h"

/** What one entry of results starts with. */
struct stoq_doc_entry {
    const char *id;
    uint64_t size;
    bool no_archive, no_scan;
    json_t *extra;                       /**< taken; NULL = {} */
    const struct stoq_strv *dispatch_to; /**< NULL = none */
};

/** A new entry, or NULL on -ENOMEM. */
json_t *stoq_doc_entry(const struct stoq_doc_entry *e);
/** extra_data of a payload with @p meta (NULL = nothing is known). A new object. */
json_t *stoq_doc_extra(const struct stoq_payload_meta *meta);
/** {archive_payloads, source, extra_data}; @p extra borrowed and copied. */
json_t *stoq_doc_request_meta(bool archive, const char *source, const json_t *extra);
/** Append {error, plugin_name, payload_id} to @p errors; NULL becomes null.
 *  @return 0 or -ENOMEM. */
int stoq_doc_error(json_t *errors, const char *plugin, const char *payload_id,
                   const char *fmt, ...) STOQ_PRINTF(4, 5);
/** Append {name, value, payload_id} to @p hits unless it is there; at most 1000. */
int stoq_doc_limit(json_t *hits, const char *name, uint64_t value,
                   const char *payload_id);
/** Append a string to @p warnings unless it is there; at most 1000. */
int stoq_doc_warning(json_t *warnings, const char *fmt, ...) STOQ_PRINTF(2, 3);
/** Nanoseconds as milliseconds with three decimals. */
json_t *stoq_doc_ms(uint64_t ns);

/** The top level. All trees are taken, also on failure; NULL hits, flagged, warnings
 *  stand for empty arrays. */
struct stoq_doc {
    json_t *results, *request_meta, *errors, *hits, *flagged, *warnings;
    const char *scan_id;
    const char *engine_id; /**< NULL = not known */
    enum stoq_verdict verdict;
    uint64_t duration_ns;
};
/** The document, or NULL on -ENOMEM. */
json_t *stoq_doc_new(struct stoq_doc *d);

#endif
