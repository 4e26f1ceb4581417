/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_UTIL_JSON_H
#define STOQ_UTIL_JSON_H

/*
 * The one room that turns bytes into JSON strings and JSON into text (see also the
 * stoq_json_* functions of stoq/plugin.h, which live here too). A json_t tree belongs
 * to one thread at a time.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include <stoq/error.h>

#define STOQ_JSON_MAX_DEPTH 64

/** Whether @p size bytes are valid UTF-8 (no surrogates, no overlong forms). */
bool stoq_utf8_valid(const void *data, size_t size);

/** JSON as text in stoQ's forms: pretty = indent 4, else one line with ", " and ": ";
 *  NaN and infinities are written as null. Key order is kept. Caller frees; NULL on
 *  -ENOMEM or when the tree is deeper than STOQ_JSON_MAX_DEPTH. */
char *stoq_json_dump(const json_t *json, bool pretty);

/** Parse @p size bytes; depth limited to STOQ_JSON_MAX_DEPTH before jansson sees them.
 *  @return a new tree or NULL with @p err set. */
json_t *stoq_json_parse(const char *text, size_t size, struct stoq_error *err);

/** Depth of @p json, counting at most STOQ_JSON_MAX_DEPTH + 1. */
unsigned stoq_json_depth(const json_t *json);

/** Text of a string member, or NULL. Borrowed. */
const char *stoq_json_string_of(const json_t *object, const char *key);

#endif
