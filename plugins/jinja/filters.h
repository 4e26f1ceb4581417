/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_PLUGIN_JINJA_FILTERS_H
#define STOQ_PLUGIN_JINJA_FILTERS_H

/*
 * What the two files of filters share: filters.c has the table and those on lists and
 * values, filters_text.c those that make texts.
 */

#include "ops.h"

/** The arguments of a filter in the order of its parameters; NULL = not given. */
typedef const struct jinja_value *const jinja_args[JINJA_ARGS_MAX];

/** Bytes of a value that is a text. Borrowed. */
const char *jinja_text_of(const struct jinja_value *v, size_t *size);
/** The argument as a number; @p fallback when it is missing or none. */
int jinja_integer_argument(struct jinja_run *run, const struct jinja_value *v,
                           int64_t fallback, int64_t *out);
/** str(v).lower() */
int jinja_lower(struct jinja_run *run, const struct jinja_value *v,
                struct jinja_value *out);

int jinja_filter_upper(struct jinja_run *run, const struct jinja_value *v, jinja_args a,
                       struct jinja_value *out);
int jinja_filter_lower(struct jinja_run *run, const struct jinja_value *v, jinja_args a,
                       struct jinja_value *out);
int jinja_filter_string(struct jinja_run *run, const struct jinja_value *v,
                        jinja_args a, struct jinja_value *out);
int jinja_filter_safe(struct jinja_run *run, const struct jinja_value *v, jinja_args a,
                      struct jinja_value *out);
int jinja_filter_escape(struct jinja_run *run, const struct jinja_value *v,
                        jinja_args a, struct jinja_value *out);
int jinja_filter_trim(struct jinja_run *run, const struct jinja_value *v, jinja_args a,
                      struct jinja_value *out);
int jinja_filter_replace(struct jinja_run *run, const struct jinja_value *v,
                         jinja_args a, struct jinja_value *out);
int jinja_filter_indent(struct jinja_run *run, const struct jinja_value *v,
                        jinja_args a, struct jinja_value *out);

#endif
