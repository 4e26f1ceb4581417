/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CLI_INPUTS_H
#define STOQ_CLI_INPUTS_H

/* The files to scan, one after another: those named, what lies below the directories
 * named, or standard input. Symbolic links are followed only where they are named. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <stoq/error.h>

#include "util/strbuf.h"

struct cli_inputs;

/** One file, open for reading. */
struct cli_input {
    int fd;      /**< owned by the caller */
    char *path;  /**< absolute where it can be; owned; NULL for standard input */
    char *name;  /**< last component; owned; NULL for standard input */
    char *owner; /**< owner's name or number; owned */
    uint64_t size;
};
void cli_input_fini(struct cli_input *in);

/** Name of user @p uid, or the number as text; caller frees. NULL on -ENOMEM. */
char *cli_owner_of(uid_t uid);

/** @p names borrowed until freed; none = standard input. */
int cli_inputs_new(const struct stoq_strv *names, struct cli_inputs **out);
void cli_inputs_free(struct cli_inputs *it);
/** Next file. @return 1; 0 no more; -errno with one line in @p err: this one cannot be
 *  scanned, call again for the next. */
int cli_inputs_next(struct cli_inputs *it, struct cli_input *out,
                    struct stoq_error *err);

#endif
