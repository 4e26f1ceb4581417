/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_COMMON_SOCK_H
#define PLUGINS_COMMON_SOCK_H

/* Waiting on nonblocking sockets within a time. Deadlines are ms of CLOCK_MONOTONIC.
 * Threads: any; no state. */

#include <stdint.h>
#include <sys/socket.h>

int64_t plugin_now_ms(void);
/** Wait until @p fd is ready for @p events. @return 0, -ETIMEDOUT, -errno. */
int plugin_wait_fd(int fd, short events, int64_t deadline);
/** connect(2) of a nonblocking socket. @return 0, -ETIMEDOUT, -errno. */
int plugin_connect(int fd, const struct sockaddr *address, socklen_t size,
                   int64_t deadline);
/** The same to a socket of the unix domain. -ENAMETOOLONG for a path that is. */
int plugin_connect_unix(int fd, const char *path, int64_t deadline);
/**
 * Wait until the other side has taken what was sent: in the unix domain, until it has
 * read it, over TCP, until its kernel has acknowledged it (which it does when the
 * server reads, or a moment later).
 * @return 0; -ETIMEDOUT; -errno when the connection broke meanwhile.
 */
int plugin_wait_taken(int fd, int64_t deadline);

#endif
