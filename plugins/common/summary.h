/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_COMMON_SUMMARY_H
#define PLUGINS_COMMON_SUMMARY_H

/*
 * What connectors say of a result in fields of their own: log records, columns of a
 * table. All texts are valid UTF-8. Threads: any; no state.
 */

#include <jansson.h>

#include <stoq/plugin.h>

struct plugin_summary {
    /* borrowed from the document; NULL where it does not say */
    const char *scan_id, *verdict, *time;
    const char *filename; /**< of the scanned file */
    const char *sha256;   /**< of the scanned file, when the hash worker ran */
    json_int_t size;      /**< of the scanned file, bytes; -1 = not said */
    size_t payloads;      /**< entries of `results` */
    size_t errors;        /**< entries of `errors` */
    json_t *rules;        /**< owned: what matched in any payload, each name once: rules
                               of `matches`, and signatures */
};

/** Look up @p response, which must outlive @p s. @return 0 or -ENOMEM. */
int plugin_summary_init(struct plugin_summary *s, const struct stoq_response *response);
void plugin_summary_fini(struct plugin_summary *s);
/** The summary as an object with those of the keys scan_id, time, verdict, filename,
 *  size, sha256, rules, payloads, errors that are known. NULL on -ENOMEM. */
json_t *plugin_summary_json(const struct plugin_summary *s);

#endif
