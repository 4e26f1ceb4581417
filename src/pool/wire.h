/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_POOL_WIRE_H
#define STOQ_POOL_WIRE_H

/*
 * The messages between pool, zygote and scanners: one fixed struct each, followed by a
 * body of bytes that travels in the message or, when larger than 32 KiB, in a sealed
 * memfd. All processes come from one binary, so structs are in native layout.
 *
 * A scanner parses hostile bytes and may be taken over: what it sends is checked here
 * for every length, count and descriptor before anybody else looks at it.
 * Threads: any; no state.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <stoq/error.h>

#include "util/digest.h"
#include "util/io.h"

/** Bodies up to this size travel in the message itself. */
#define STOQ_WIRE_INLINE 32768U
/** Room for the fixed part of any message. */
#define STOQ_WIRE_FIXED 1024U
/** Largest body of a job: names and the request's extra data. */
#define STOQ_WIRE_JOB_MAX (16U << 20)
/** Most names in a job's start dispatch. */
#define STOQ_WIRE_DISPATCH_MAX 256U
/** Room for the name of a plugin. */
#define STOQ_WIRE_NAME 128
/** Most payloads handed back for archiving. */
#define STOQ_WIRE_EXTENTS_MAX (1U << 20)

enum stoq_wire_type {
    /* zygote to its holder */
    STOQ_WIRE_READY = 1, /**< body: facts as JSON text */
    STOQ_WIRE_FAIL = 2,
    STOQ_WIRE_FORKED = 3, /**< two descriptors when code is 0: socket, pidfd */
    STOQ_WIRE_EXITED = 4,
    /* holder to zygote */
    STOQ_WIRE_FORK = 5,
    /* pool to scanner */
    STOQ_WIRE_JOB = 6, /**< one descriptor: the file; body: names */
    STOQ_WIRE_GO = 7,
    STOQ_WIRE_SKIP = 8,
    /* scanner to pool */
    STOQ_WIRE_HELLO = 9,
    STOQ_WIRE_HASHED = 10,
    STOQ_WIRE_RESULT = 11, /**< one descriptor when extents > 0; body: extents, text */
    STOQ_WIRE_FAILED = 12,
    STOQ_WIRE_WANT = 13, /**< a plugin that is not loaded; the scanner ends now */
    /* holder to zygote */
    STOQ_WIRE_LOAD = 14,
    STOQ_WIRE_CLEAR = 15, /**< end the scanners there are: their pool is gone */
    STOQ_WIRE_TYPE_END = 16
};

/** The body is in the last descriptor of the message. */
#define STOQ_WIRE_BODY_FD 1U

struct stoq_wire_head {
    uint32_t type;  /**< enum stoq_wire_type */
    uint32_t flags; /**< STOQ_WIRE_BODY_FD; set by stoq_wire_send() */
    uint64_t body;  /**< bytes of the body; set by stoq_wire_send() */
};

struct stoq_wire_ready {
    struct stoq_wire_head head;
    char engine_id[STOQ_SHA256_HEX];
    char pad[7];
};

struct stoq_wire_fail {
    struct stoq_wire_head head;
    int32_t code;
    uint32_t kind;
    char plugin[STOQ_ERROR_PLUGIN_MAX];
    char message[STOQ_ERROR_MESSAGE_MAX];
};

/** FORK uses token alone. */
struct stoq_wire_fork {
    struct stoq_wire_head head;
    uint64_t token; /**< comes back in FORKED; tells holders of one zygote apart */
    int32_t pid;
    int32_t code; /**< 0 or -errno */
};

struct stoq_wire_exited {
    struct stoq_wire_head head;
    int32_t pid;
    int32_t status; /**< as of waitpid(2) */
};

struct stoq_wire_hello {
    struct stoq_wire_head head;
    uint32_t applied; /**< measures of the sandbox in force, by number */
    uint32_t failed;  /**< measures that were refused */
};

/** Which text of a job is which. */
enum stoq_wire_text {
    STOQ_WIRE_FILENAME,
    STOQ_WIRE_PATH,
    STOQ_WIRE_SOURCE_DIR,
    STOQ_WIRE_OWNER,
    STOQ_WIRE_REQUEST_SOURCE,
    STOQ_WIRE_REQUEST_EXTRA, /**< JSON text */
    STOQ_WIRE_ROOTS, /**< JSON text: see pool/roots.h; then names are not used */
    STOQ_WIRE_TEXTS
};
#define STOQ_WIRE_NONE UINT32_MAX

#define STOQ_WIRE_JOB_REUSE      1U /**< send HASHED, wait for GO or SKIP */
#define STOQ_WIRE_JOB_PAYLOADS   2U /**< hand back what archivers want */
#define STOQ_WIRE_JOB_NO_ARCHIVE 4U /**< request_meta.archive_payloads is false */

/** Body: each text with its NUL, in order, then the dispatch names with theirs. */
struct stoq_wire_job {
    struct stoq_wire_head head;
    uint64_t id;
    uint64_t deadline_ms; /**< 0 = none */
    uint32_t flags;
    uint32_t dispatch;                /**< count of names */
    uint32_t length[STOQ_WIRE_TEXTS]; /**< without the NUL; STOQ_WIRE_NONE = absent */
};

/** GO and SKIP use id alone. */
struct stoq_wire_hashed {
    struct stoq_wire_head head;
    uint64_t id;
    uint8_t sha256[STOQ_SHA256_SIZE];
};

/** WANT; LOAD uses name alone. */
struct stoq_wire_want {
    struct stoq_wire_head head;
    uint64_t id;
    char name[STOQ_WIRE_NAME]; /**< NUL-terminated */
};

#define STOQ_WIRE_RESULT_REUSABLE 1U
#define STOQ_WIRE_RESULT_SHA256   2U
#define STOQ_WIRE_RESULT_LAST     4U /**< the scanner ends now */

/** Body: extents (struct stoq_wire_extent), then the document without a NUL. */
struct stoq_wire_result {
    struct stoq_wire_head head;
    uint64_t id;
    uint64_t payloads; /**< bytes in the payloads' memfd, sent when extents > 0 */
    uint32_t flags;
    uint32_t extents; /**< count */
    uint8_t sha256[STOQ_SHA256_SIZE];
};

struct stoq_wire_extent {
    uint64_t offset, size;
    uint32_t index;
    uint32_t pad;
};

struct stoq_wire_failed {
    struct stoq_wire_head head;
    uint64_t id;
    int32_t code;
    uint32_t kind;
    char message[STOQ_ERROR_MESSAGE_MAX];
};

/** One received message. Its descriptors belong to it until taken. */
struct stoq_wire_msg {
    union {
        struct stoq_wire_head head;
        struct stoq_wire_ready ready;
        struct stoq_wire_fail fail;
        struct stoq_wire_fork fork;
        struct stoq_wire_exited exited;
        struct stoq_wire_hello hello;
        struct stoq_wire_job job;
        struct stoq_wire_hashed hashed;
        struct stoq_wire_result result;
        struct stoq_wire_failed failed;
        struct stoq_wire_want want;
        unsigned char bytes[STOQ_WIRE_FIXED + STOQ_WIRE_INLINE];
    } u;
    size_t fixed; /**< where an inline body starts */
    int fds[STOQ_MSG_MAX_FDS];
    size_t nfds;
};

/** What to send: a fixed part, a body gathered from pieces, descriptors (borrowed). */
struct stoq_wire_out {
    struct stoq_wire_head *head; /**< first member of the fixed part */
    size_t size;                 /**< of the fixed part */
    struct iovec body[2];
    int fds[STOQ_MSG_MAX_FDS - 1];
    size_t nfds;
};

/** Send one message; sets flags and body of its head.
 *  @return 0 or -errno as stoq_msg_send(), or of memfd_create(2). */
int stoq_wire_send(int sock, const struct stoq_wire_out *out);

/**
 * Receive and check one message: its size, type, body and the number of descriptors.
 * @return 1; 0 on end of file; -EAGAIN; -EPROTO when the message breaks a rule;
 * -EMSGSIZE when it is too long, or there was no room for its descriptors here. It is
 *         closed then. Other -errno.
 */
int stoq_wire_recv(int sock, struct stoq_wire_msg *msg);
/** The check alone, of @p size bytes in msg->u and msg->nfds descriptors. 0 or -EPROTO.
 */
int stoq_wire_check(struct stoq_wire_msg *msg, size_t size);
/** Close the descriptors that were not taken. */
void stoq_wire_close(struct stoq_wire_msg *msg);
/** Take descriptor @p i; the caller closes it. */
int stoq_wire_take(struct stoq_wire_msg *msg, size_t i);
/** Copy @p size bytes of the body from @p off. 0; -EPROTO outside it; -errno. */
int stoq_wire_body(const struct stoq_wire_msg *msg, uint64_t off, void *to,
                   size_t size);

/** Pointers into a job's body. */
struct stoq_wire_names {
    const char *text[STOQ_WIRE_TEXTS]; /**< NUL-terminated, or NULL */
    const char *dispatch;              /**< job->dispatch strings in a row */
};
/** Find the strings in @p body. @return 0 or -EPROTO. */
int stoq_wire_names(const struct stoq_wire_job *job, const char *body, size_t size,
                    struct stoq_wire_names *out);

/** Whether @p fd is a memfd of at least @p size bytes that can no longer change. */
bool stoq_wire_sealed(int fd, uint64_t size);
/** Make @p fd unchangeable. @return 0 or -errno. */
int stoq_wire_seal(int fd);

#endif
