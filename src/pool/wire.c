/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending, receiving and checking the pool's messages; see wire.h. Callers: pool,
 * zygote and scanner. Nothing here trusts a number it received. No state, no lock.
 */
#include "pool/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "pool/spare.h"
#include "util/auto.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/** What a message of each type must look like. */
static const struct shape {
    size_t size; /* of the fixed part; 0 = no such type */
    bool body;
} shapes[STOQ_WIRE_TYPE_END] = {
    [STOQ_WIRE_READY] = {sizeof(struct stoq_wire_ready), true},
    [STOQ_WIRE_FAIL] = {sizeof(struct stoq_wire_fail), false},
    [STOQ_WIRE_FORKED] = {sizeof(struct stoq_wire_fork), false},
    [STOQ_WIRE_EXITED] = {sizeof(struct stoq_wire_exited), false},
    [STOQ_WIRE_FORK] = {sizeof(struct stoq_wire_fork), false},
    [STOQ_WIRE_JOB] = {sizeof(struct stoq_wire_job), true},
    [STOQ_WIRE_GO] = {sizeof(struct stoq_wire_hashed), false},
    [STOQ_WIRE_SKIP] = {sizeof(struct stoq_wire_hashed), false},
    [STOQ_WIRE_HELLO] = {sizeof(struct stoq_wire_hello), false},
    [STOQ_WIRE_HASHED] = {sizeof(struct stoq_wire_hashed), false},
    [STOQ_WIRE_RESULT] = {sizeof(struct stoq_wire_result), true},
    [STOQ_WIRE_FAILED] = {sizeof(struct stoq_wire_failed), false},
    [STOQ_WIRE_WANT] = {sizeof(struct stoq_wire_want), false},
    [STOQ_WIRE_LOAD] = {sizeof(struct stoq_wire_want), false},
    [STOQ_WIRE_CLEAR] = {sizeof(struct stoq_wire_head), false},
};

bool
stoq_wire_sealed(int fd, uint64_t size)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) < 0)
        return false;
    return st.st_size >= 0 && (uint64_t)st.st_size >= size;
}

int
stoq_wire_seal(int fd)
{
    return fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) < 0 ? -errno : 0;
}

static int
body_memfd(const struct stoq_wire_out *out, int *fd)
{
    STOQ_AUTOCLOSE int f = stoq_spare_take("stoq-body");
    int r;

    if (f < 0)
        return f;
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(out->body); i++) {
        r = stoq_write_full(f, out->body[i].iov_base, out->body[i].iov_len);
        if (r < 0)
            return r;
    }
    r = stoq_wire_seal(f);
    if (r < 0)
        return r;
    *fd = STOQ_STEAL_FD(&f);
    return 0;
}

int
stoq_wire_send(int sock, const struct stoq_wire_out *out)
{
    unsigned char buf[STOQ_WIRE_FIXED + STOQ_WIRE_INLINE];
    size_t total = out->body[0].iov_len + out->body[1].iov_len, n = out->nfds;
    STOQ_AUTOCLOSE int body = -1;
    int fds[STOQ_MSG_MAX_FDS] = {-1, -1, -1, -1}, r;
    size_t at = out->size;

    if (at > STOQ_WIRE_FIXED || n >= STOQ_MSG_MAX_FDS)
        return -EINVAL;
    memcpy(fds, out->fds, sizeof(out->fds));
    out->head->body = total;
    out->head->flags = 0;
    if (total > STOQ_WIRE_INLINE) {
        r = body_memfd(out, &body);
        if (r < 0)
            return r;
        fds[n++] = body;
        out->head->flags = STOQ_WIRE_BODY_FD;
        return stoq_msg_send(sock, out->head, out->size, fds, n);
    }
    if (total == 0)
        return stoq_msg_send(sock, out->head, out->size, fds, n);
    memcpy(buf, out->head, at);
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(out->body); i++) {
        if (out->body[i].iov_len > 0)
            memcpy(buf + at, out->body[i].iov_base, out->body[i].iov_len);
        at += out->body[i].iov_len;
    }
    return stoq_msg_send(sock, buf, at, fds, n);
}

/** Descriptors that belong to the fixed part. */
static size_t
own_fds(const struct stoq_wire_msg *msg)
{
    switch (msg->u.head.type) {
    case STOQ_WIRE_JOB:
        return 1;
    case STOQ_WIRE_FORKED:
        return msg->u.fork.code == 0 ? 2 : 0;
    case STOQ_WIRE_RESULT:
        return msg->u.result.extents > 0 ? 1 : 0;
    default:
        return 0;
    }
}

int
stoq_wire_check(struct stoq_wire_msg *msg, size_t size)
{
    const struct stoq_wire_head *h = &msg->u.head;
    const struct shape *shape;
    bool apart;

    if (size < sizeof(*h) || h->type >= STOQ_WIRE_TYPE_END)
        return -EPROTO;
    shape = &shapes[h->type];
    apart = h->flags == STOQ_WIRE_BODY_FD;
    if (shape->size == 0 || size < shape->size || (h->flags != 0 && !apart))
        return -EPROTO;
    if (!shape->body && (h->body != 0 || apart))
        return -EPROTO;
    /* subtracting from what arrived cannot overflow, adding to h->body could */
    if (apart ? size != shape->size : size - shape->size != h->body)
        return -EPROTO;
    if (msg->nfds != own_fds(msg) + (apart ? 1U : 0U))
        return -EPROTO;
    if (apart && !stoq_wire_sealed(msg->fds[msg->nfds - 1], h->body))
        return -EPROTO;
    msg->fixed = shape->size;
    return 0;
}

int
stoq_wire_recv(int sock, struct stoq_wire_msg *msg)
{
    ssize_t n;
    int r;

    msg->nfds = STOQ_MSG_MAX_FDS;
    n = stoq_msg_recv(sock, msg->u.bytes, sizeof(msg->u.bytes), msg->fds, &msg->nfds);
    if (n <= 0) {
        msg->nfds = 0;
        return (int)n;
    }
    r = stoq_wire_check(msg, (size_t)n);
    if (r < 0)
        stoq_wire_close(msg);
    return r < 0 ? r : 1;
}

void
stoq_wire_close(struct stoq_wire_msg *msg)
{
    for (size_t i = 0; i < msg->nfds; i++)
        stoq_auto_close(&msg->fds[i]);
    msg->nfds = 0;
}

int
stoq_wire_take(struct stoq_wire_msg *msg, size_t i)
{
    return STOQ_STEAL_FD(&msg->fds[i]);
}

int
stoq_wire_body(const struct stoq_wire_msg *msg, uint64_t off, void *to, size_t size)
{
    uint64_t body = msg->u.head.body;
    ssize_t n;

    if (off > body || size > body - off)
        return -EPROTO;
    if (size == 0)
        return 0;
    if (!(msg->u.head.flags & STOQ_WIRE_BODY_FD)) {
        memcpy(to, msg->u.bytes + msg->fixed + off, size);
        return 0;
    }
    n = stoq_pread_full(msg->fds[msg->nfds - 1], to, size, off);
    if (n < 0)
        return (int)n;
    return (size_t)n == size ? 0 : -EPROTO;
}

/** The NUL-terminated string at *at of exactly @p length bytes, or of any length. */
static const char *
next_text(const char **at, const char *end, size_t length, bool any)
{
    const char *text = *at;
    const char *nul = memchr(text, '\0', (size_t)(end - text));

    if (!nul || (!any && (size_t)(nul - text) != length))
        return NULL;
    *at = nul + 1;
    return text;
}

int
stoq_wire_names(const struct stoq_wire_job *job, const char *body, size_t size,
                struct stoq_wire_names *out)
{
    const char *at = body, *end = body + size;

    memset(out, 0, sizeof(*out));
    if (job->dispatch > STOQ_WIRE_DISPATCH_MAX)
        return -EPROTO;
    for (size_t i = 0; i < STOQ_WIRE_TEXTS; i++) {
        if (job->length[i] == STOQ_WIRE_NONE)
            continue;
        out->text[i] = next_text(&at, end, job->length[i], false);
        if (!out->text[i])
            return -EPROTO;
    }
    out->dispatch = at;
    for (uint32_t i = 0; i < job->dispatch; i++) {
        if (!next_text(&at, end, 0, true))
            return -EPROTO;
    }
    return at == end ? 0 : -EPROTO;
}
