/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_COURIER_WIRE_H
#define STOQ_COURIER_WIRE_H

/*
 * Messages between a courier and its client: one struct of fixed size over
 * SOCK_SEQPACKET; what has no bound (documents, lists of payloads) travels in a memfd
 * beside it. Both ends are one program, but the courier runs plugins: whatever
 * comes is checked before it is believed. Threads: any; no state.
 */

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <stoq/error.h>

#include "pool/pool.h"
#include "util/io.h"

enum stoq_courier_type {
    STOQ_COURIER_READY = 1,  /**< courier: plugins are loaded */
    STOQ_COURIER_FAIL = 2,   /**< courier: they are not; code, kind, plugin, text */
    STOQ_COURIER_WAKE = 3,   /**< client: there are new outbox rows */
    STOQ_COURIER_END = 4,    /**< holder: grace is `size` ms from the end of file on */
    STOQ_COURIER_FINISH = 5, /**< client: descriptors are blob, [file], [payloads] */
    STOQ_COURIER_DONE = 6    /**< courier: code 0 and the document as a descriptor, or
                                  code and text */
};

/** Largest document or list that is taken from the other end. */
#define STOQ_COURIER_BLOB_MAX (UINT64_C(1) << 30)

struct stoq_courier_msg {
    uint32_t type; /**< enum stoq_courier_type */
    int32_t code;
    uint32_t kind;         /**< enum stoq_error_kind */
    uint32_t extent_count; /**< entries before the document in the blob */
    uint64_t id;           /**< of a FINISH and its DONE */
    uint64_t size;         /**< bytes of the document */
    uint64_t file_size;    /**< of the scanned file, when its bytes were read */
    int64_t file_mtime_ns; /**< the same */
    uint8_t has_file, has_payloads;
    uint8_t pad[6];
    char plugin[STOQ_ERROR_PLUGIN_MAX];
    char text[STOQ_ERROR_MESSAGE_MAX];
};

/** A message as received. The descriptors not taken are closed by the receiver. */
struct stoq_courier_in {
    struct stoq_courier_msg msg;
    int fds[STOQ_MSG_MAX_FDS];
    size_t nfds;
};

/** Send @p msg with borrowed descriptors. On a nonblocking socket -EAGAIN. */
int stoq_courier_send(int sock, const struct stoq_courier_msg *msg, const int *fds,
                      size_t nfds);
/** Receive and check one message. @return 1; 0 on end of file (also a reset one);
 *  -EAGAIN; -EPROTO when it is not one of ours. */
int stoq_courier_recv(int sock, struct stoq_courier_in *in);
/** Close what was not taken. */
void stoq_courier_in_fini(struct stoq_courier_in *in);
/** Read @p size bytes at @p off of memfd @p fd into malloc'ed, NUL-terminated memory.
 *  @return 0; -EPROTO when it is shorter; -ENOMEM. */
int stoq_courier_read(int fd, uint64_t off, uint64_t size, char **out);
/** A memfd with the extents and the document of @p outcome. @return fd or -errno. */
int stoq_courier_blob(const struct stoq_outcome *outcome);
/** Modification time in ns. */
int64_t stoq_courier_mtime(const struct stat *st);

#endif
