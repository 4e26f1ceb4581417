/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_ERROR_H
#define STOQ_ERROR_H

/*
 * What every call that can fail says when it fails: an -errno as its return value
 * and, where the caller wants it, one sentence in a caller-owned struct.
 * Nothing here allocates, locks or keeps state between threads.
 */

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define STOQ_API __attribute__((visibility("default")))
#define STOQ_NODISCARD __attribute__((warn_unused_result))
#define STOQ_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define STOQ_API
#define STOQ_NODISCARD
#define STOQ_PRINTF(fmt, args)
#endif

/** The domain an error belongs to. The errno says what happened, the kind says where. */
enum stoq_error_kind {
    STOQ_ERROR_NONE = 0,    /**< no error recorded */
    STOQ_ERROR_SYSTEM = 1,  /**< a system call or an allocation failed */
    STOQ_ERROR_CONFIG = 2,  /**< a setting, an option or a command line is wrong */
    STOQ_ERROR_ABI = 3,     /**< a plugin does not fit this library */
    STOQ_ERROR_FORMAT = 4,  /**< input bytes are not what they should be */
    STOQ_ERROR_LIMIT = 5,   /**< a budget is used up */
    STOQ_ERROR_TIMEOUT = 6, /**< a deadline passed */
    STOQ_ERROR_PLUGIN = 7   /**< a plugin reported a failure of its own */
};

#define STOQ_ERROR_PLUGIN_MAX 64
#define STOQ_ERROR_MESSAGE_MAX 512

/** One failure. Caller-owned; zero-initialise before the first call that takes it. */
struct stoq_error {
    int code;                           /**< -errno, 0 while nothing failed */
    enum stoq_error_kind kind;          /**< domain */
    char plugin[STOQ_ERROR_PLUGIN_MAX]; /**< plugin concerned, or "" */
    char message[STOQ_ERROR_MESSAGE_MAX]; /**< one line, valid UTF-8, cut when long */
};

/**
 * Record a failure; the first writer wins, later calls leave @p err unchanged.
 *
 * @param err   may be NULL: nothing is recorded.
 * @param kind  domain of the failure.
 * @param code  -errno (a positive errno is negated, 0 becomes -EIO).
 * @param fmt   printf format of one line without a newline.
 * @return @p code as recorded, always < 0, so that callers can `return` the call.
 * Threads: any. Blocks: no. errno is preserved.
 */
STOQ_API int stoq_error_set(struct stoq_error *err, enum stoq_error_kind kind, int code,
                            const char *fmt, ...) STOQ_PRINTF(4, 5);

/** Forget what @p err holds, so that it can be used for another call. NULL allowed. */
STOQ_API void stoq_error_clear(struct stoq_error *err);

/** A short lower-case name for @p kind, such as "config". Static storage. */
STOQ_API const char *stoq_error_kind_name(enum stoq_error_kind kind);

#ifdef __cplusplus
}
#endif
#endif
