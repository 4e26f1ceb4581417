/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CLI_CLI_H
#define STOQ_CLI_CLI_H

/*
 * The `stoq` command: one file per verb, arguments shared. Values after an option are
 * separated by blanks and swallow what follows, as the original's did.
 *
 * Exit status: 0 scanned and clean, 1 something flagged, 2 usage or input error, 3 not
 * fully scanned (or not delivered). --exit-zero or STOQ_EXIT_ZERO=1: 0 for 1 and 3, of
 * the verbs that scan. `stoq test`: 1 for a self-test that failed; `stoq outbox`: 1 for
 * a letter that is not there; `stoq reload`: 1 refused, 3 not known how it ended.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <stoq/stoq.h>

#include "util/strbuf.h"

enum cli_exit { CLI_CLEAN = 0, CLI_FLAGGED = 1, CLI_USAGE = 2, CLI_INCOMPLETE = 3 };

/** What the command line said. */
struct cli_args {
    struct stoq_strv files;
    struct stoq_strv always, start, dispatchers, decorators, connectors;
    struct stoq_strv dest_archivers, source_archivers, providers;
    struct stoq_strv plugin_opts, plugin_dirs, request_extra;
    const char *request_source, *config_file, *log_level, *max_recursion;
    const char *isolation, *sandbox, *deadline, *ratelimit, *timeout;
    const char *state_dir, *connector; /**< of stoq outbox */
    bool exit_zero, help, json, allow_missing, upgrade, dead;
    bool one_each; /**< an option that takes a list takes one word each time */
};

/** Parse the arguments after @p verb. @return 0 or -EINVAL with one line. */
int cli_args_parse(const char *verb, int argc, char **argv, struct cli_args *out,
                   struct stoq_error *err);
void cli_args_fini(struct cli_args *a);

/** Make the configuration: defaults, file, command line; start the log. Remarks go to
 *  stderr as "stoq: FILE:LINE: …" and are counted in *remarks when not NULL. */
int cli_config(const struct cli_args *a, struct stoq_config **out, unsigned *remarks,
               struct stoq_error *err);
/** request_meta.extra_data of the command line; new object or NULL with @p err set. */
json_t *cli_request_extra(const struct cli_args *a, struct stoq_error *err);

/** The directories that `stoq list`, `test` and `plugin` look into: those of
 * --plugin-dir alone or, without any, the bundled one and the configured ones. @return
 * 0 or -ENOMEM. */
int cli_plugin_dirs(const struct cli_args *a, const struct stoq_config *config,
                    struct stoq_strv *out);

/** Where `stoq install` puts plugins: the first configured directory, else plugins in
 *  $STOQ_HOME or ~/.stoq, which is made. Caller frees *out. */
int cli_plugin_home(const struct stoq_config *config, char **out,
                    struct stoq_error *err);

/** Print "stoq: TEXT" and return @p status. */
int cli_fail(int status, const struct stoq_error *err);

int cli_scan(const struct cli_args *a);
int cli_run(const struct cli_args *a);
int cli_list(const struct cli_args *a);
int cli_check_config(const struct cli_args *a);
int cli_test(const struct cli_args *a);
int cli_plugin(const struct cli_args *a);
int cli_install(const struct cli_args *a);
int cli_reload(const struct cli_args *a);
int cli_outbox(const struct cli_args *a);

#endif
