/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_UTIL_LOG_H
#define STOQ_UTIL_LOG_H

/*
 * The process's log: stderr always, and a rotating file when configured. One line is
 * one write(2); control bytes in it are escaped, since file names are hostile.
 * Threads: any, after stoq_log_setup(). Every function preserves errno.
 */

#include <stdbool.h>
#include <stddef.h>

#include <stoq/error.h>
#include <stoq/plugin.h>

struct stoq_log_config {
    enum stoq_level level; /**< least severe level that is written */
    const char *ident;     /**< logger's name, e.g. "stoq" or "stoqfs"; copied */
    const char *dir;       /**< directory of stoq.log, or NULL/"" for stderr only */
    size_t max_bytes;      /**< rotate at this size; 0 = never */
    unsigned backups;      /**< rotated files kept */
    bool json;             /**< JSON lines instead of text */
    bool quiet;            /**< standard error gets warnings and errors only */
};

/** Start logging as @p config says. @return 0 or -errno (the directory or the file
 *  cannot be made; stderr still works). Call before there are threads. */
int stoq_log_setup(const struct stoq_log_config *config, struct stoq_error *err);
/** Close the file. */
void stoq_log_fini(void);
/** Whether lines of @p level are written. */
bool stoq_log_enabled(enum stoq_level level);
/** Parse "debug", "info", "warning", "error", "critical", any case. -EINVAL. */
int stoq_log_level_parse(const char *text, enum stoq_level *out);

/** Write one line. Use the macros. @p plugin NULL or the plugin that speaks. */
void stoq_log_write(enum stoq_level level, const char *plugin, const char *file,
                    const char *func, int line, const char *fmt, ...) STOQ_PRINTF(6, 7);

#define STOQ_LOG_AT(level, ...)                                                     \
    do {                                                                            \
        if (stoq_log_enabled(level))                                                \
            stoq_log_write(level, NULL, __FILE__, __func__, __LINE__, __VA_ARGS__); \
    } while (0)
#define STOQ_ERROR(...) STOQ_LOG_AT(STOQ_LEVEL_ERROR, __VA_ARGS__)
#define STOQ_WARN(...)  STOQ_LOG_AT(STOQ_LEVEL_WARNING, __VA_ARGS__)
#define STOQ_INFO(...)  STOQ_LOG_AT(STOQ_LEVEL_INFO, __VA_ARGS__)
#define STOQ_DEBUG(...) STOQ_LOG_AT(STOQ_LEVEL_DEBUG, __VA_ARGS__)

#endif
