/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_POOL_ZYGOTE_CHILD_H
#define STOQ_POOL_ZYGOTE_CHILD_H

/* The zygote's own side of zygote.h: what the forked process does. */

#include <sys/types.h>

#include <stoq/stoq.h>

struct stoq_zygote_setup {
    const struct stoq_config *config;
    const char *const *preload; /**< NULL-terminated, or NULL */
    const char *label;          /**< or NULL for the command */
};

/** Load, report, fork scanners until @p control closes: for stoq_child_spawn().
 *  @param setup  a struct stoq_zygote_setup. @return exit status. */
int stoq_zygote_main(void *setup, int control, pid_t parent);

#endif
