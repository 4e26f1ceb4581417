/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The sockets: sending within a time, and finding out as well as each transport lets us
 * that what was sent is with the other side.
 */

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/auto.h"
#include "common/sock.h"

#include "parts.h"

void
syslog_link_close(struct syslog_link *l)
{
    int saved = errno;

    syslog_tls_end(l);
    if (l->fd >= 0)
        (void)close(l->fd);
    l->fd = -1;
    errno = saved;
}

void
syslog_link_name(const struct syslog_link *l, char name[320])
{
    static const char *const names[] = {"unix", "udp", "tcp", "tls"};

    if (l->transport == SYSLOG_UNIX)
        (void)snprintf(name, 320, "%s", l->path);
    else
        (void)snprintf(name, 320, "%s %s port %s", names[l->transport], l->host,
                       l->port);
}

/* ------------------------------------------------------------------- connecting */

static int
open_unix(struct syslog_link *l, int type, int64_t deadline)
{
    PLUGIN_AUTOCLOSE int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int r = fd < 0 ? -errno : plugin_connect_unix(fd, l->path, deadline);

    if (r < 0)
        return r;
    l->stream = type == SOCK_STREAM;
    l->fd = fd;
    fd = -1;
    return 0;
}

static int
open_address(struct syslog_link *l, const struct addrinfo *a, int64_t deadline)
{
    PLUGIN_AUTOCLOSE int fd =
        socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd < 0)
        return -errno;
    int r = plugin_connect(fd, a->ai_addr, a->ai_addrlen, deadline);
    if (r < 0)
        return r;
    if (a->ai_socktype == SOCK_STREAM) {
        unsigned patience = (unsigned)l->timeout_ms;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof patience);
    }
    l->fd = fd;
    fd = -1;
    return 0;
}

static int
open_inet(struct syslog_link *l, int64_t deadline, struct stoq_error *err)
{
    const struct addrinfo hints = {
        .ai_socktype = l->transport == SYSLOG_UDP ? SOCK_DGRAM : SOCK_STREAM};
    struct addrinfo *list = NULL;
    char name[320];
    int code = getaddrinfo(l->host, l->port, &hints, &list);
    int r = -EHOSTUNREACH;

    syslog_link_name(l, name);
    if (code != 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "%s: %s", name,
                              gai_strerror(code));
    for (const struct addrinfo *a = list; a && l->fd < 0; a = a->ai_next)
        r = open_address(l, a, deadline);
    freeaddrinfo(list);
    return r;
}

/* Connect anew. */
static int
open_link(struct syslog_link *l, struct stoq_error *err)
{
    int64_t deadline = plugin_now_ms() + l->connect_ms;
    char name[320];
    int r;

    if (l->transport == SYSLOG_UNIX) {
        r = open_unix(l, SOCK_DGRAM, deadline);
        if (r == -EPROTOTYPE)
            r = open_unix(l, SOCK_STREAM, deadline);
    } else {
        r = open_inet(l, deadline, err);
    }
    if (r == 0 && l->transport == SYSLOG_TLS)
        r = syslog_tls_connect(l, deadline, err);
    if (r == 0)
        return 0;
    syslog_link_close(l);
    syslog_link_name(l, name);
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "%s: %s", name,
                          strerrordesc_np(-r));
}

/* ---------------------------------------------------------------------- sending */

static bool
is_stream(const struct syslog_link *l)
{
    return l->transport == SYSLOG_TCP || l->transport == SYSLOG_TLS || l->stream;
}

/* Whether a kept connection is still one. Servers of syslog say nothing, so whatever
 * they send is thrown away. */
static bool
is_alive(struct syslog_link *l)
{
    struct pollfd p = {.fd = l->fd, .events = POLLIN | POLLRDHUP};
    char waste[256];

    if (poll(&p, 1, 0) == 0)
        return true;
    if (p.revents & (POLLERR | POLLHUP | POLLRDHUP))
        return false;
    if (l->ssl)
        return syslog_tls_alive(l);
    ssize_t n = recv(l->fd, waste, sizeof waste, MSG_DONTWAIT);
    return n > 0 || (n < 0 && errno == EAGAIN);
}

static int
write_plain(struct syslog_link *l, const char *data, size_t size, int64_t deadline)
{
    while (size > 0) {
        ssize_t n = send(l->fd, data, size, MSG_NOSIGNAL);
        int r = n < 0 ? -errno : 0;

        if (r == -EAGAIN)
            r = plugin_wait_fd(l->fd, POLLOUT, deadline);
        else if (r == -EINTR)
            r = 0;
        if (r < 0)
            return r;
        if (n > 0) {
            data += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

/* The message as the transport frames it: octet counting (RFC 6587 and 5425) over TCP
 * and TLS, a newline over a unix stream, nothing in datagrams. */
static char *
framed(const struct syslog_link *l, const char *data, size_t size, size_t *out_size)
{
    char *text = NULL;
    int n;

    if (l->transport == SYSLOG_TCP || l->transport == SYSLOG_TLS)
        n = asprintf(&text, "%zu %s", size, data);
    else
        n = asprintf(&text, "%s%s", data, l->stream ? "\n" : "");
    *out_size = n < 0 ? 0 : (size_t)n;
    return n < 0 ? NULL : text;
}

static int
send_once(struct syslog_link *l, const char *data, size_t size, struct stoq_error *err)
{
    int64_t deadline = plugin_now_ms() + l->timeout_ms;
    size_t n = 0;
    PLUGIN_AUTOFREE char *text = framed(l, data, size, &n);
    int r;

    if (!text)
        return -ENOMEM;
    r = l->ssl ? syslog_tls_write(l, text, n, deadline, err)
               : write_plain(l, text, n, deadline);
    if (r == 0 && l->transport != SYSLOG_UDP)
        r = plugin_wait_taken(l->fd, deadline);
    return r;
}

int
syslog_link_send(struct syslog_link *l, const char *data, size_t size,
                 struct stoq_error *err)
{
    bool kept = l->fd >= 0;
    struct stoq_error why = {0};
    char name[320];
    int r = 0;

    if (kept && is_stream(l) && !is_alive(l)) {
        syslog_link_close(l);
        kept = false;
    }
    if (l->fd < 0)
        r = open_link(l, err);
    if (r < 0)
        return r;
    r = send_once(l, data, size, &why);
    if (r < 0 && r != -EMSGSIZE && r != -ETIMEDOUT && kept) {
        /* the server went away since the last message: it may be back */
        syslog_link_close(l);
        stoq_error_clear(&why);
        r = open_link(l, err);
        if (r < 0)
            return r;
        r = send_once(l, data, size, &why);
    }
    if (r == 0)
        return 0;
    if (r != -EMSGSIZE)
        syslog_link_close(l);
    syslog_link_name(l, name);
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "%s: %s", name,
                          why.message[0] ? why.message : strerrordesc_np(-r));
}
