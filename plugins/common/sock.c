/* SPDX-License-Identifier: Apache-2.0 */

/* See sock.h. */

#include "common/sock.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <time.h>

#define PAUSE_FIRST_NS 50000L
#define PAUSE_LAST_NS  10000000L

int64_t
plugin_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int
plugin_wait_fd(int fd, short events, int64_t deadline)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        int64_t left = deadline - plugin_now_ms();
        int n = poll(&p, 1, left > 0 ? (int)left : 0);

        if (n > 0)
            return 0;
        if (n == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

int
plugin_connect(int fd, const struct sockaddr *address, socklen_t size, int64_t deadline)
{
    int code = 0;
    socklen_t length = sizeof code;

    if (connect(fd, address, size) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return -errno;
    int r = plugin_wait_fd(fd, POLLOUT, deadline);
    if (r < 0)
        return r;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length) < 0)
        return -errno;
    return -code;
}

int
plugin_connect_unix(int fd, const char *path, int64_t deadline)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = strlen(path);

    if (n >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, n + 1);
    return plugin_connect(fd, (const struct sockaddr *)&address, sizeof address,
                          deadline);
}

int
plugin_wait_taken(int fd, int64_t deadline)
{
    struct timespec pause = {.tv_nsec = PAUSE_FIRST_NS};

    for (;;) {
        struct pollfd p = {.fd = fd};
        int left = 0, code = 0;
        socklen_t length = sizeof code;

        if (ioctl(fd, SIOCOUTQ, &left) < 0)
            return -errno;
        /* looked at last: a server that ends takes away what it has not read */
        if (poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLHUP))) {
            (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length);
            return code ? -code : -EPIPE;
        }
        if (left == 0)
            return 0;
        if (plugin_now_ms() >= deadline)
            return -ETIMEDOUT;
        (void)nanosleep(&pause, NULL);
        if (pause.tv_nsec < PAUSE_LAST_NS)
            pause.tv_nsec *= 2;
    }
}
