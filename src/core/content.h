/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CORE_CONTENT_H
#define STOQ_CORE_CONTENT_H

/*
 * The bytes of a payload: a buffer for small ones, a guarded mapping for large files.
 * Used by payloads only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stoq/error.h>

struct stoq_mapping;

/** Zero-initialise; fini. At most one of buffer and mapping is set. */
struct stoq_content {
    const unsigned char *data; /**< NULL while there are no bytes */
    size_t size;
    unsigned char *buffer;        /**< owned */
    struct stoq_mapping *mapping; /**< owned */
    bool missing; /**< the bytes exist elsewhere and were not given to this process */
};

/** Files up to this size are read, larger ones are mapped. */
#define STOQ_CONTENT_READ_MAX ((size_t)256 * 1024)

/** A copy of @p size bytes. @return 0 or -ENOMEM. */
int stoq_content_copy(struct stoq_content *c, const void *data, size_t size);
/** @p size bytes of @p fd (borrowed) at @p offset. Fewer are there: -ENODATA. */
int stoq_content_load(struct stoq_content *c, int fd, uint64_t offset, uint64_t size,
                      struct stoq_error *err);
/** Whether the file lost bytes under the mapping; they were read as zeros. */
bool stoq_content_torn(const struct stoq_content *c);
void stoq_content_fini(struct stoq_content *c);

#endif
