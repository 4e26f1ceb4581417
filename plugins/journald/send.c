/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Handing entries to the journal: as a datagram, or, when that is too long for one, as
 * the descriptor of a sealed memory file. sd_journal_sendv(3) does the same, but it
 * reports success when no journal is running and may wait without end for one that does
 * not read; here an entry is a success only once the journal has read it.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/auto.h"
#include "common/sock.h"
#include "common/write.h"

#include "parts.h"

void
journald_disconnect(struct journald *j)
{
    int saved = errno;

    if (j->fd >= 0)
        (void)close(j->fd);
    j->fd = -1;
    errno = saved;
}

static int
connect_journal(struct journald *j, int64_t deadline)
{
    PLUGIN_AUTOCLOSE int fd =
        socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int r = fd < 0 ? -errno : plugin_connect_unix(fd, j->socket, deadline);

    if (r < 0)
        return r;
    j->fd = fd;
    fd = -1;
    return 0;
}

/* Send one datagram; @passed is a descriptor to go with it, or -1. */
static int
send_datagram(struct journald *j, const char *data, size_t size, int passed,
              int64_t deadline)
{
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec vec = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
    struct msghdr msg = {.msg_iov = size ? &vec : NULL, .msg_iovlen = size ? 1 : 0};
    int r = 0;

    if (passed >= 0) {
        msg.msg_control = control.space;
        msg.msg_controllen = sizeof control.space;
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &passed, sizeof passed);
    }
    while (r == 0) {
        if (sendmsg(j->fd, &msg, MSG_NOSIGNAL) >= 0)
            return 0;
        if (errno == EAGAIN)
            r = plugin_wait_fd(j->fd, POLLOUT, deadline);
        else if (errno != EINTR)
            r = -errno;
    }
    return r;
}

/* A memory file with @data that nobody can change any more. @return it, or -errno. */
static int
sealed(const char *data, size_t size)
{
    PLUGIN_AUTOCLOSE int fd =
        memfd_create("stoq-journal", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int r = fd < 0 ? -errno : plugin_write_full(fd, data, size);
    int kept = fd;

    if (r < 0)
        return r;
    if (fcntl(fd, F_ADD_SEALS,
              F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
        return -errno;
    fd = -1;
    return kept;
}

static int
send_once(struct journald *j, const char *data, size_t size, int64_t deadline)
{
    int r = j->fd < 0 ? connect_journal(j, deadline) : 0;

    if (r == 0)
        r = send_datagram(j, data, size, -1, deadline);
    if (r == -EMSGSIZE || r == -ENOBUFS) {
        PLUGIN_AUTOCLOSE int fd = sealed(data, size);
        r = fd < 0 ? fd : send_datagram(j, NULL, 0, fd, deadline);
    }
    if (r == 0)
        r = plugin_wait_taken(j->fd, deadline);
    if (r < 0)
        journald_disconnect(j);
    return r;
}

int
journald_send(struct journald *j, const char *data, size_t size, struct stoq_error *err)
{
    bool kept = j->fd >= 0;
    int64_t deadline = plugin_now_ms() + j->timeout_ms;
    int r = send_once(j, data, size, deadline);

    if (r < 0 && r != -ETIMEDOUT && kept) /* the journal was restarted */
        r = send_once(j, data, size, deadline);
    if (r == 0)
        return 0;
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "%s: %s", j->socket,
                          strerrordesc_np(-r));
}
