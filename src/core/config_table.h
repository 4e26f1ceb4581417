/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CORE_CONFIG_TABLE_H
#define STOQ_CORE_CONFIG_TABLE_H

/*
 * The keys of the known sections: one row each, with type, default and range. Callers:
 * the config_*.c files alone. No state.
 */

#include "core/config.h"

enum stoq_config_type {
    STOQ_CONFIG_TEXT,
    STOQ_CONFIG_LEVEL,  /**< a log level */
    STOQ_CONFIG_CHOICE, /**< one of a few words */
    STOQ_CONFIG_BOOL,
    STOQ_CONFIG_COUNT,   /**< whole number */
    STOQ_CONFIG_DEFAULT, /**< whole number; 0 = the default */
    STOQ_CONFIG_SIZE,    /**< bytes, or with K, M, G */
    STOQ_CONFIG_SECONDS, /**< decimal; the field holds ms */
    STOQ_CONFIG_LIST,
    STOQ_CONFIG_FLAGS, /**< list of WORKER:POINTER */
    STOQ_CONFIG_DENY   /**< allow or deny */
};

struct stoq_config_row {
    const char *section;
    const char *key;
    enum stoq_config_type type;
    bool text_only;       /**< there is no field, only text */
    size_t offset;        /**< of the field in struct stoq_config */
    const char *fallback; /**< NULL = not set */
    uint64_t min, max;    /**< of numbers, in the key's own unit */
    const char *choices;  /**< space separated */
};

extern const struct stoq_config_row stoq_config_rows[];
extern const size_t stoq_config_row_count;

/** One per row: what the field was made from. */
struct stoq_setting {
    struct stoq_strv items; /**< pieces of a list, or the one text of a scalar */
    char *text;             /**< pieces joined by ", "; NULL = not set; owned */
    bool by_program;        /**< a file does not replace it */
};

/** Where a value stands, for messages. */
struct stoq_config_place {
    const char *file; /**< NULL = the program set it */
    unsigned line;
};

/** Whether @p section is one whose keys are in the table. */
bool stoq_config_section_known(const char *section);
/** Index of the row, or -1. Keys in any case. */
int stoq_config_row_find(const char *section, const char *key);

/** Check @p items for row @p row_index and, with @p config not NULL, set field and
 * text.
 *  @return 0, -EINVAL, -ENOMEM; on failure @p config is unchanged. */
int stoq_config_apply(struct stoq_config *config, size_t row_index,
                      const struct stoq_strv *items,
                      const struct stoq_config_place *place, struct stoq_error *err);
/** The same for a text as it stands in a file. */
int stoq_config_apply_text(struct stoq_config *config, size_t row, const char *text,
                           const struct stoq_config_place *place,
                           struct stoq_error *err);

/** Free the flag rules of @p policy and leave none. */
void stoq_config_flags_free(struct stoq_policy *policy);

/** Set an option of a plugin's section; the key is lower-cased. A value with a place
 *  in a file never replaces one without. -EINVAL for names that INI cannot hold. */
int stoq_config_plugin_set(struct stoq_config *config, const char *plugin,
                           const char *key, const char *value,
                           const struct stoq_config_place *place,
                           struct stoq_error *err);
const char *stoq_config_plugin_get(const struct stoq_config *config, const char *plugin,
                                   const char *key);
int stoq_config_plugins_copy(struct stoq_config *to, const struct stoq_config *from);
void stoq_config_plugins_free(struct stoq_config *config);

#endif
