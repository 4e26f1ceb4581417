/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CLI_DIFFER_H
#define STOQ_CLI_DIFFER_H

/* What differs between the JSON that a self-test expects and what there is, one line
 * each. No state. */

#include <jansson.h>

#include <stoq/error.h>

/** Append the line "fmt..." to @p lines, an array; the 20th says that there are more,
 *  further ones are dropped. */
void cli_differ_say(json_t *lines, const char *fmt, ...) STOQ_PRINTF(2, 3);

/** Compare exactly (the order of keys does not count), and append to @p lines
 *  "WHAT/pointer: expected …, got …" for each place that differs. NULL = nothing. */
void cli_differ(json_t *lines, const char *what, const json_t *expected,
                const json_t *actual);

/** A cut, one-line text of @p json, for messages. Caller frees; NULL on -ENOMEM. */
char *cli_differ_text(const json_t *json);

#endif
