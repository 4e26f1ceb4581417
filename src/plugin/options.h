/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_PLUGIN_OPTIONS_H
#define STOQ_PLUGIN_OPTIONS_H

/*
 * A plugin's effective options: settings over the manifest over the plugin's own table,
 * each text read and checked once, at load. Callers: loader.c (merge), ctx.c (lookups).
 * No lock: built by one thread, then only read.
 */

#include <stdbool.h>
#include <stdint.h>

#include "plugin/loader.h"

#define STOQ_OPTIONS_MAX 256U

struct stoq_option_value {
    char *name; /**< lower case; owned */
    enum stoq_option_type type;
    char *text; /**< effective text, NULL = nothing sets it; owned */
    int64_t whole;
    double real;
    bool truth;
    struct stoq_strv list;
};

struct stoq_options {
    struct stoq_option_value *items; /**< owned array: table order, then others */
    size_t count;
    json_t *object; /**< {name: text} of those that are set */
};

/**
 * Fill the zero-initialised @p out. Undeclared options are strings when the plugin has
 * STOQ_TRAIT_ANY_OPTION, else an error.
 * @param settings  may be NULL.
 * @return 0; -EINVAL with "ORIGIN: [PLUGIN] KEY: …"; -ENOMEM. Also on failure @p out is
 *         to be given to stoq_options_fini().
 */
int stoq_options_merge(const struct stoq_plugin *plugin,
                       const struct stoq_manifest *manifest,
                       const struct stoq_option_source *settings,
                       struct stoq_options *out, struct stoq_error *err);
void stoq_options_fini(struct stoq_options *o);
/** NULL when there is no option of that name. */
const struct stoq_option_value *stoq_options_find(const struct stoq_options *o,
                                                  const char *name);
/** Text of @p key in @p source (the first one counts), or NULL. @p source may be NULL.
 */
const char *stoq_option_source_get(const struct stoq_option_source *source,
                                   const char *key);
/** "string", "bool", … for descriptions. Static storage. */
const char *stoq_option_type_name(enum stoq_option_type type);

#endif
