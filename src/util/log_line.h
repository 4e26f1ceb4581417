/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_UTIL_LOG_LINE_H
#define STOQ_UTIL_LOG_LINE_H

/*
 * One line of the log, in the four forms stoQ has: for stderr or for the file, as text
 * or as JSON. Caller: log.c. Nothing here allocates.
 */

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <stoq/plugin.h>

/* PIPE_BUF: up to here a write to a pipe shared with other processes stays whole. */
#define STOQ_LOG_LINE_MAX 4096

struct stoq_log_record {
    enum stoq_level level;
    struct timespec time; /**< realtime */
    const char *ident;
    const char *plugin; /**< NULL = the program itself */
    const char *file;   /**< path of the source, may be NULL */
    const char *func;
    int line;
    const char *text; /**< raw */
};

struct stoq_log_line {
    char data[STOQ_LOG_LINE_MAX];
    size_t size;
};

/** Build @p out, newline included; a text that is too long is cut. */
void stoq_log_format(struct stoq_log_line *out, const struct stoq_log_record *record,
                     bool to_file, bool json);

#endif
