/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CLI_REPORT_H
#define STOQ_CLI_REPORT_H

/* What `stoq scan` and `stoq run` do with results: finish, deliver, print, count, and
 * in the end say which exit status that makes. One thread. */

#include <stdbool.h>
#include <stdint.h>

#include <stoq/stoq.h>

#include "cli/scanner.h"
#include "pool/pool.h"

struct cli_report {
    struct stoq *engine; /**< output plugins, or NULL; borrowed */
    const struct stoq_config *config;
    bool print, tty;
    uint64_t files, flagged, incomplete, failed;
    uint64_t shown_ms; /* of the last progress line */
};

void cli_report_init(struct cli_report *r, const struct stoq_config *config,
                     bool print);
/** What the pool scanned; @p fd is its descriptor, for archivers, or -1.
 *  @return 0, or -errno when it did not get through to every connector. */
int cli_report_outcome(struct cli_report *r, const struct stoq_outcome *o, int fd);
/** A finished response (archived and decorated). Same answer. */
int cli_report_response(struct cli_report *r, struct stoq_response *response);
/** An input that could not be scanned. */
void cli_report_error(struct cli_report *r, const struct stoq_error *err);
void cli_report_failure(struct cli_report *r, const char *what, int code);
/** Clear the progress line. @return the exit status. */
int cli_report_end(struct cli_report *r);

#endif
