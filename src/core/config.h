/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CORE_CONFIG_H
#define STOQ_CORE_CONFIG_H

/*
 * Effective settings, typed. The public functions of stoq/stoq.h fill this struct from
 * tables (key, type, default, range); everybody else reads its fields. Plugin sections
 * are kept as text and checked by src/plugin when the plugin is loaded.
 */

#include <stdbool.h>
#include <stdint.h>

#include <stoq/stoq.h>

#include "util/strbuf.h"

/** [limits]: budgets of one scan. 0 = unlimited, except for rounds and depth. */
struct stoq_limits {
    uint64_t deadline_ms;     /**< wall time; default 30000 */
    uint64_t cpu_ms;          /**< CPU time of one scan; default 0 */
    uint64_t memory_bytes;    /**< address space a scanner may add; default 2 GiB */
    uint64_t bytes;           /**< largest root payload looked at; default 16 GiB;
                                   bigger ones are `skipped` */
    uint64_t extracted_bytes; /**< sum over all children; default 512 MiB */
    uint64_t children;        /**< default 10000 */
    uint64_t depth;           /**< nesting of children; default 32 */
    uint64_t ratio;           /**< extracted bytes per root byte (of at least 4 KiB
                                   of root); default 1000 */
    uint64_t response_bytes;  /**< size of the document; default 32 MiB */
};

/** [policy]: what flags, and what each verdict means for a reader under enforce. */
struct stoq_flag_rule {
    char *worker;  /**< owned */
    char *pointer; /**< JSON pointer into the worker's result, "" = the whole; owned */
};

struct stoq_policy {
    struct stoq_flag_rule *flags; /**< owned array; default yara:/matches and
                                        clamav:/infected */
    size_t flag_count;
    bool deny[STOQ_VERDICT_COUNT]; /**< under enforce; default: flagged, error,
                                        timeout, partial denied */
};

/** [outbox]: what may wait for each connector, and for how long. 0 = no bound. */
struct stoq_outbox_limits {
    uint64_t max_bytes;     /**< of documents; default 0 */
    uint64_t max_age_ms;    /**< default 0 */
    char *drop;             /**< "oldest" or "newest", when max_bytes is reached */
    uint64_t dead_after_ms; /**< age at which a result that keeps failing is dead;
                                 default 0: never */
    uint64_t dead_attempts; /**< and how often it must have failed; default 10 */
};

/** Options of one plugin section, as text; insertion order. */
struct stoq_plugin_options {
    char *plugin;             /**< owned; section name */
    struct stoq_strv keys;    /**< lower case */
    struct stoq_strv values;  /**< same length; "" for a valueless key */
    struct stoq_strv origins; /**< "FILE:LINE", or "" when the program set it: such a
                                   value is never replaced by one of a file */
};

struct stoq_setting; /* the text behind one field: core/config_table.h */

struct stoq_config {
    struct stoq_setting *settings; /**< owned; one per row of the table */

    /* [core] */
    char *base_dir;  /**< default "." */
    char *log_dir;   /**< NULL or "" = no file log */
    char *log_level; /**< text, checked */
    uint64_t log_maxbytes;
    uint64_t log_backup_count;
    char *log_syntax;             /**< "text" or "json" */
    struct stoq_strv plugin_dirs; /**< as given; empty unless configured */
    struct stoq_strv providers, source_archivers, dest_archivers, connectors;
    struct stoq_strv dispatchers, decorators, always_dispatch;
    uint64_t provider_consumers, max_queue, max_recursion, max_required_worker_depth;
    char *cache_dir; /**< for compiled rules and the like; NULL = none */
    char *sandbox;   /**< "auto", "require" or "off"; see pool/sandbox.h */

    struct stoq_limits limits;
    struct stoq_policy policy;
    struct stoq_outbox_limits outbox;

    struct stoq_plugin_options *plugins; /**< owned array, by section */
    size_t plugin_count;
};

/** Section of @p plugin, or NULL. Borrowed. */
const struct stoq_plugin_options *stoq_config_plugin(const struct stoq_config *config,
                                                     const char *plugin);

#endif
