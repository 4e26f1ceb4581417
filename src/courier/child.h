/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_COURIER_CHILD_H
#define STOQ_COURIER_CHILD_H

/* The courier process itself, from the fork to its exit status. One thread. */

#include <sys/types.h>

#include <stoq/stoq.h>

struct stoq_courier_setup {
    const struct stoq_config *config;
    const char *db_path;
    const char *label; /**< NULL for the command */
};

/** Load plugins, report, serve until @p control closes: for stoq_child_spawn().
 *  @param setup  a struct stoq_courier_setup. @return exit status. */
int stoq_courier_main(void *setup, int control, pid_t parent);

#endif
