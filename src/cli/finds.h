/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CLI_FINDS_H
#define STOQ_CLI_FINDS_H

/* From what providers queue to what can be scanned: files and bytes as they are, tasks
 * by way of a source archiver, requests whole or by their payloads. The feeder of
 * `stoq run` is the only caller; no lock. */

#include "cli/scanner.h"
#include "core/queue.h"

/** One thing to scan: a whole request, or work. Both may be taken. */
struct cli_find {
    struct cli_work work;         /**< its request's texts are borrowed for the call */
    struct stoq_request *request; /**< only when the scanner scans here, else NULL */
};

/** Where finds go. */
struct cli_finds {
    struct cli_scanner *scanner;
    void (*found)(void *arg, struct cli_find *find);
    void *arg;
};

/** Hand on what @p item stands for. @return 0, also when that is nothing; -errno with
 *  one line in @p err when (some of) it cannot be scanned. */
int cli_finds_of(const struct cli_finds *f, struct stoq_queue_item *item,
                 struct stoq_error *err);

#endif
