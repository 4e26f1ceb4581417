/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_PLUGIN_CLAMAV_PARTS_H
#define STOQ_PLUGIN_CLAMAV_PARTS_H

/*
 * What the parts of the clamav plugin share. database.c finds the signatures and loads
 * them into an engine, tmp.c has the directory for temporary files, clamav.c is the
 * plugin. All is read-only after open(): no lock.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <clamav.h>
#include <stoq/plugin.h>

#include "common/auto.h"

/** Load and compile the signatures of option "database" into a new engine that has the
 *  options of @p ctx; publish what was loaded. @p tmp: for its temporary files.
 *  @return 0; -ENOENT, -ENOTDIR, ... there is no database; -EINVAL a bad one. */
int clamav_engine_new(struct stoq_ctx *ctx, const char *tmp, struct cl_engine **out,
                      struct stoq_error *err);

/** The directory of one process for temporary files. Zero: none yet. */
struct clamav_tmp {
    char *path; /**< owned */
    int fd;     /**< holds the lock */
    pid_t pid;  /**< whose it is */
};

/** Make the user's directory below @p parent. @p out: its path; caller frees. */
int clamav_tmp_base(const char *parent, char **out, struct stoq_error *err);
/** Make this process's directory in @p base. @return 0 or -errno. */
int clamav_tmp_open(struct clamav_tmp *t, const char *base);
/** Remove it, if it is this process's, and forget it. */
void clamav_tmp_close(struct clamav_tmp *t);

#endif
