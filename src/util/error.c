/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Recording failures (stoq/error.h): the first writer wins, the text is one line of
 * valid UTF-8. Allocates nothing, so that it works when memory is what is missing.
 */

#include <stoq/error.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/utf8.h"

int
stoq_error_set(struct stoq_error *err, enum stoq_error_kind kind, int code,
               const char *fmt, ...)
{
    int saved = errno;
    if (code > 0)
        code = -code;
    if (code == 0)
        code = -EIO;
    if (!err || err->code != 0)
        return code;

    char raw[2 * STOQ_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(raw, sizeof(raw), fmt, args);
    va_end(args);
    if (n < 0)
        raw[0] = '\0';
    err->code = code;
    err->kind = kind;
    (void)stoq_text_clean(err->message, sizeof(err->message), raw, strlen(raw));
    errno = saved;
    return code;
}

void
stoq_error_clear(struct stoq_error *err)
{
    if (err)
        memset(err, 0, sizeof(*err));
}

const char *
stoq_error_kind_name(enum stoq_error_kind kind)
{
    switch (kind) {
    case STOQ_ERROR_NONE:
        return "none";
    case STOQ_ERROR_SYSTEM:
        return "system";
    case STOQ_ERROR_CONFIG:
        return "config";
    case STOQ_ERROR_ABI:
        return "abi";
    case STOQ_ERROR_FORMAT:
        return "format";
    case STOQ_ERROR_LIMIT:
        return "limit";
    case STOQ_ERROR_TIMEOUT:
        return "timeout";
    case STOQ_ERROR_PLUGIN:
        return "plugin";
    }
    return "unknown";
}
