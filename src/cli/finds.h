/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CLI_FINDS_H
#define STOQ_CLI_FINDS_H

/* From what providers queue to what can be scanned: files and bytes as they are, tasks
 * by way of a source archiver, requests whole. The feeder of `stoq run` is the only
 * caller; no lock. */

#include "cli/scanner.h"
#include "core/queue.h"

/** Where finds go. */
struct cli_finds {
    struct cli_scanner *scanner;
    /** Takes @p work, or leaves it; what it leaves is freed. */
    void (*found)(void *arg, struct cli_work *work);
    void *arg;
};

/** Hand on what @p item stands for. @return 0, also when that is nothing; -errno with
 *  one line in @p err when (some of) it cannot be scanned. */
int cli_finds_of(const struct cli_finds *f, struct stoq_queue_item *item,
                 struct stoq_error *err);

#endif
