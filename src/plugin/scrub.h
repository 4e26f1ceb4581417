/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_PLUGIN_SCRUB_H
#define STOQ_PLUGIN_SCRUB_H

/*
 * Text that plugins hand over and that goes into documents and logs: whatever it was,
 * it is one line of valid UTF-8 afterwards. Callers: call.c, reply.c. No lock.
 */

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/** Replace bytes of @p text that are not UTF-8 by '?' and control bytes by blanks. */
void stoq_scrub(char *text);

/** NULL when @p json may go into a document, else what is wrong with it: nested deeper
 *  than @p depth, or a key or string that is not UTF-8. Static text. */
const char *stoq_json_objection(json_t *json, unsigned depth);

/** A name another plugin may be called by: not empty, at most 255 bytes, UTF-8. */
bool stoq_name_usable(const char *name);

#endif
