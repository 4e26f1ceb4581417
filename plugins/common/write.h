/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_COMMON_WRITE_H
#define PLUGINS_COMMON_WRITE_H

#include <errno.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

/** Write all of @p size bytes. @return 0 or -errno. */
static inline int
plugin_write_full(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

#endif
