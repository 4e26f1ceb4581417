/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_POOL_SANDBOX_FILTER_H
#define STOQ_POOL_SANDBOX_FILTER_H

/* The list of allowed system calls, as a program for seccomp(2). No state. */

#include <stdbool.h>
#include <stddef.h>

struct sock_filter;

/** Stands in the program for the id of the process that it is loaded into. */
#define STOQ_FILTER_SELF 0x5afec0deU

enum stoq_filter_files {
    STOQ_FILTER_NONE,   /**< no files */
    STOQ_FILTER_SHARED, /**< temporary ones, among others that Landlock guards */
    STOQ_FILTER_OWN,    /**< temporary ones, and no others are to be seen */
    STOQ_FILTER_KINDS
};

struct stoq_filter {
    struct sock_filter *code; /**< owned */
    size_t count;
};

/** Make the program. @param out  empty; its code is the caller's.
 *  @return 0; -ENOSYS when this build has no libseccomp; -ENOMEM; -errno. */
int stoq_filter_new(enum stoq_filter_files files, struct stoq_filter *out);

#endif
