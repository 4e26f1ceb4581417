/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CLI_TEST_H
#define STOQ_CLI_TEST_H

/* What `stoq test` counts and prints. One thread. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include <stoq/error.h>

struct cli_tally {
    bool json, allow_missing;
    json_t *plugins; /**< owned: {plugin: what there is to say} */
    size_t count, cases, passed, failed, missing;
};

void cli_tally_init(struct cli_tally *t, bool json, bool allow_missing);
/** Begin with plugin @p name. */
void cli_tally_plugin(struct cli_tally *t, const char *name);
/** Case @p name ran: with @p lines that differ, an array, or with an error. */
void cli_tally_case(struct cli_tally *t, const char *plugin, const char *name,
                    const json_t *lines, const struct stoq_error *err);
/** The plugin has no case for @p role; NULL = none at all. */
void cli_tally_missing(struct cli_tally *t, const char *plugin, const char *role);
/** The plugin cannot be used at all. */
void cli_tally_broken(struct cli_tally *t, const char *plugin,
                      const struct stoq_error *err);
/** Print the summary, or all when JSON is wanted. @return the exit status. */
int cli_tally_end(struct cli_tally *t);

#endif
