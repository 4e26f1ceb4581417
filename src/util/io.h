/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_UTIL_IO_H
#define STOQ_UTIL_IO_H

/*
 * Small wrappers around system calls that have an edge: partial transfers, EINTR,
 * descriptors in messages, files that must appear whole.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <stoq/error.h>

/** Read up to @p size bytes at @p off until EOF. @return bytes read or -errno. */
ssize_t stoq_pread_full(int fd, void *buf, size_t size, uint64_t off);
/** Write all. @return 0 or -errno. */
int stoq_write_full(int fd, const void *buf, size_t size);
/** Whole file as a NUL-terminated buffer (caller frees). -EFBIG above @p max. */
int stoq_read_file(const char *path, size_t max, char **out, size_t *size,
                   struct stoq_error *err);
/** Make @p path and its parents. @return 0 or -errno. */
int stoq_mkdir_p(const char *path, mode_t mode);
/** Create @p path with @p data so that it is seen whole or not at all. With
 *  @p exclusive, -EEXIST when it is there already. fsyncs file and directory. */
int stoq_write_file_atomic(const char *path, const void *data, size_t size, mode_t mode,
                           bool exclusive);

#define STOQ_MSG_MAX_FDS 4

/** Send one message on a SOCK_SEQPACKET socket with up to STOQ_MSG_MAX_FDS borrowed
 *  descriptors. SIGPIPE never. @return 0 or -errno (-EAGAIN on a full nonblocking
 *  socket, -EMSGSIZE). */
int stoq_msg_send(int sock, const void *data, size_t size, const int *fds, size_t nfds);
/** Receive one message. @return its size, 0 on end of file, or -errno (-EAGAIN;
 *  -EMSGSIZE when it does not fit @p size). @p fds are owned by the caller afterwards
 *  (O_CLOEXEC); *nfds is how many came. */
ssize_t stoq_msg_recv(int sock, void *data, size_t size, int *fds, size_t *nfds);

/** A sealed memfd with @p size bytes. @return fd or -errno. */
int stoq_memfd(const char *name, const void *data, size_t size);

#endif
