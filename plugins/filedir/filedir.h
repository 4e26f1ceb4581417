/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_PLUGIN_FILEDIR_H
#define STOQ_PLUGIN_FILEDIR_H

/*
 * What the parts of the filedir plugin share. provider.c reads a directory, connector.c
 * writes results, archiver.c keeps payloads, files.c has files that appear whole,
 * filedir.c is the plugin. Everything here is read-only after open(): no lock.
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <stoq/plugin.h>
#include <stoq/stoq.h>

#include "common/auto.h"

/** The options of one instance; directories are absolute or "" for none. */
struct stoq_filedir {
    const struct stoq_ctx *ctx; /**< borrowed, outlives the instance */
    char *source_dir, *results_dir, *archive_dir; /**< owned */
    char *date_format;                            /**< owned */
    bool recursive, date_mode, compactly, use_sha;
};

/* ---------------------------------------------------------------------- roles */

int stoq_filedir_ingest(void *instance, struct stoq_queue *queue, unsigned flags,
                        struct stoq_error *err);
int stoq_filedir_save(void *instance, const struct stoq_response *response,
                      unsigned flags, struct stoq_error *err);
int stoq_filedir_archive(void *instance, struct stoq_payload *payload,
                         const struct stoq_request *request, struct stoq_reply *reply,
                         unsigned flags, struct stoq_error *err);
int stoq_filedir_get(void *instance, const json_t *task, struct stoq_reply *reply,
                     unsigned flags, struct stoq_error *err);

/* ---------------------------------------------------------------------- files */

/** Make @p path and its parents with mode 0750. @return 0 or -errno. */
int stoq_filedir_mkdir(const char *path);
/**
 * Put @p size bytes into DIR/NAME (mode 0640), seen whole or not at all and on disk
 * when this returns; a file that is there already is kept and is a success.
 * @param name  a file name without '/'.
 * @return 0; -EISDIR when the name is taken by something that is no file; -errno.
 */
int stoq_filedir_store(const char *dir, const char *name, const void *data,
                       size_t size);
/** DIR, or DIR/strftime(format, when in local time) when @p format is not NULL; caller
 *  frees. NULL when there is no memory or the format gives nothing. */
char *stoq_filedir_dated(const char *dir, const char *format, time_t when);

#endif
