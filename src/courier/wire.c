/* SPDX-License-Identifier: Apache-2.0 */

/* Frames between courier and client; see wire.h. */

#include "courier/wire.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/auto.h"

int
stoq_courier_send(int sock, const struct stoq_courier_msg *msg, const int *fds,
                  size_t nfds)
{
    return stoq_msg_send(sock, msg, sizeof *msg, fds, nfds);
}

/* How many descriptors a message of this kind has. */
static size_t
expected_fds(const struct stoq_courier_msg *m)
{
    switch (m->type) {
    case STOQ_COURIER_FINISH:
        return 1 + (size_t)(m->has_file == 1) + (size_t)(m->has_payloads == 1);
    case STOQ_COURIER_DONE:
        return m->code == 0 ? 1 : 0;
    default:
        return 0;
    }
}

static bool
is_sound(const struct stoq_courier_msg *m, size_t nfds)
{
    return m->type >= STOQ_COURIER_READY && m->type <= STOQ_COURIER_DONE &&
           m->has_file <= 1 && m->has_payloads <= 1 && m->code <= 0 &&
           m->kind <= STOQ_ERROR_PLUGIN && m->size <= STOQ_COURIER_BLOB_MAX &&
           m->extent_count <= STOQ_COURIER_BLOB_MAX / sizeof(struct stoq_extent) &&
           (m->has_payloads || m->extent_count == 0) && nfds == expected_fds(m);
}

int
stoq_courier_recv(int sock, struct stoq_courier_in *in)
{
    ssize_t n;

    in->nfds = 0;
    n = stoq_msg_recv(sock, &in->msg, sizeof in->msg, in->fds, &in->nfds);
    if (n == 0 || n == -ECONNRESET)
        return 0;
    if (n < 0)
        return n == -EMSGSIZE ? -EPROTO : (int)n;
    in->msg.plugin[sizeof in->msg.plugin - 1] = '\0';
    in->msg.text[sizeof in->msg.text - 1] = '\0';
    if ((size_t)n == sizeof in->msg && is_sound(&in->msg, in->nfds))
        return 1;
    stoq_courier_in_fini(in);
    return -EPROTO;
}

void
stoq_courier_in_fini(struct stoq_courier_in *in)
{
    for (size_t i = 0; i < in->nfds; i++)
        stoq_auto_close(&in->fds[i]);
    in->nfds = 0;
}

int
stoq_courier_read(int fd, uint64_t off, uint64_t size, char **out)
{
    STOQ_AUTOFREE char *text = NULL;
    struct stat st;
    ssize_t n;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || size > STOQ_COURIER_BLOB_MAX ||
        (uint64_t)st.st_size < off + size)
        return -EPROTO;
    text = malloc((size_t)size + 1);
    if (!text)
        return -ENOMEM;
    n = stoq_pread_full(fd, text, (size_t)size, off);
    if (n < 0 || (uint64_t)n != size)
        return n < 0 ? (int)n : -EPROTO;
    text[size] = '\0';
    *out = STOQ_STEAL(&text);
    return 0;
}

int
stoq_courier_blob(const struct stoq_outcome *outcome)
{
    STOQ_AUTOCLOSE int fd = memfd_create("stoq-finish", MFD_CLOEXEC);
    int r = fd < 0 ? -errno : 0;

    if (r == 0 && outcome->extent_count)
        r = stoq_write_full(fd, outcome->extents,
                            outcome->extent_count * sizeof *outcome->extents);
    if (r == 0)
        r = stoq_write_full(fd, outcome->document, outcome->document_size);
    return r < 0 ? r : STOQ_STEAL_FD(&fd);
}

int64_t
stoq_courier_mtime(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}
