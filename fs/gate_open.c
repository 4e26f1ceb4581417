/* SPDX-License-Identifier: Apache-2.0 */

/*
 * openat2(2) with everything forbidden that a tree changed by strangers could use.
 */

#include "gate_open.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

static int
open_below(int dirfd, const char *path, int flags)
{
    const struct open_how how = {
        .flags = (unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
    };
    const char *what = *path ? path : ".";
    for (int tries = 0; tries < 8; tries++) {
        long fd = syscall(SYS_openat2, dirfd, what, &how, sizeof(how));
        if (fd >= 0)
            return (int)fd;
        if (errno != EAGAIN && errno != EINTR) /* EAGAIN: something was renamed */
            return -errno;
    }
    return -EAGAIN;
}

int
stoqfs_open_below(int dirfd, const char *path, int flags)
{
    if (flags & O_PATH)
        return open_below(dirfd, path, flags);
    int fd = open_below(dirfd, path, flags | O_NOATIME);
    return fd == -EPERM ? open_below(dirfd, path, flags) : fd;
}
