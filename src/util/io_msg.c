/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Messages with descriptors over SOCK_SEQPACKET (util/io.h). The other side may be a
 * scanner that was taken over: whatever it sends, no descriptor may leak here.
 */

#include "util/io.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Aligned room for the control message. */
union control {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int) * STOQ_MSG_MAX_FDS)];
};

int
stoq_msg_send(int sock, const void *data, size_t size, const int *fds, size_t nfds)
{
    if (nfds > STOQ_MSG_MAX_FDS)
        return -EINVAL;
    union control control;
    struct iovec iov = {0};
    memcpy(&iov.iov_base, &data, sizeof(data)); /* sendmsg(2) does not write to it */
    iov.iov_len = size;
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (nfds > 0) {
        memset(&control, 0, sizeof(control));
        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
    }
    ssize_t n;
    do {
        n = sendmsg(sock, &msg, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return (size_t)n == size ? 0 : -EIO;
}

/* Move the descriptors out of @p msg; those beyond STOQ_MSG_MAX_FDS are closed. */
static void
collect_fds(struct msghdr *msg, int *fds, size_t *nfds)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (fds && *nfds < STOQ_MSG_MAX_FDS)
                fds[(*nfds)++] = fd;
            else
                (void)close(fd);
        }
    }
}

ssize_t
stoq_msg_recv(int sock, void *data, size_t size, int *fds, size_t *nfds)
{
    union control control;
    memset(&control, 0, sizeof(control));
    struct iovec iov = {.iov_base = data, .iov_len = size};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    size_t count = 0;
    if (nfds)
        *nfds = 0;
    ssize_t n;
    do {
        n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    collect_fds(&msg, nfds ? fds : NULL, &count);
    if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        while (count > 0)
            (void)close(fds[--count]);
        return -EMSGSIZE;
    }
    if (nfds)
        *nfds = count;
    return n;
}
