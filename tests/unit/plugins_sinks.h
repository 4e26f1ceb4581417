/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_SINKS_H
#define PLUGINS_SINKS_H

/* What the tests of connectors share: responses of a given content. */

#include <stoq/stoq.h>

#include "plugin/loader.h"

/** What a made response says. NULL and 0 leave the key out or empty. */
struct sink_document {
    const char *scan_id;  /**< NULL = SINK_ID */
    const char *verdict;  /**< NULL = "clean" */
    const char *filename; /**< UTF-8, as it is */
    const char *sha256;
    const char *const *rules; /**< NULL-terminated names, as yara's matches */
    size_t padding;           /**< bytes of a long text in the document */
    const char *extra;        /**< a text, escaped as in JSON, under extra_data.extra */
};

#define SINK_ID   "11111111-2222-4333-8444-555555555555"
#define SINK_TIME "2026-11-24T04:06:36.143944+00:00"

/** A response of this content; caller frees. */
struct stoq_response *sink_response(const struct sink_document *d);
/** Hand a response of this content to a connector. @return what it returned. */
int sink_save(struct stoq_loaded *p, const struct sink_document *d,
              struct stoq_error *err);
/** The same, expected to succeed. */
void sink_saved(struct stoq_loaded *p, const struct sink_document *d);
/** "KEY=VALUE" for LOAD(); valid until eight more were asked for. */
const char *sink_option(const char *key, const char *value);

#endif
