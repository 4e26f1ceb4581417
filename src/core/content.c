/* SPDX-License-Identifier: Apache-2.0 */

/* Payload bytes; see content.h. No lock: a content belongs to one payload. */

#include "core/content.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/mapping.h"
#include "util/auto.h"
#include "util/io.h"

int
stoq_content_copy(struct stoq_content *c, const void *data, size_t size)
{
    unsigned char *buffer = malloc(size ? size : 1);
    if (!buffer)
        return -ENOMEM;
    if (size)
        memcpy(buffer, data, size);
    *c = (struct stoq_content){.data = buffer, .size = size, .buffer = buffer};
    return 0;
}

static int
read_small(struct stoq_content *c, int fd, uint64_t offset, size_t size,
           struct stoq_error *err)
{
    STOQ_AUTOFREE unsigned char *buffer = malloc(size ? size : 1);
    if (!buffer)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    ssize_t n = size ? stoq_pread_full(fd, buffer, size, offset) : 0;
    if (n < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, (int)n, "cannot read: %s",
                              strerror((int)-n));
    if ((size_t)n < size)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENODATA,
                              "file is shorter than it was");
    *c = (struct stoq_content){.data = buffer, .size = size, .buffer = buffer};
    buffer = NULL;
    return 0;
}

int
stoq_content_load(struct stoq_content *c, int fd, uint64_t offset, uint64_t size,
                  struct stoq_error *err)
{
    if (size > SIZE_MAX / 2)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -EFBIG, "file is too large");
    if (size <= STOQ_CONTENT_READ_MAX)
        return read_small(c, fd, offset, (size_t)size, err);
    struct stoq_mapping *m = NULL;
    int rc = stoq_mapping_new(fd, offset, (size_t)size, &m, err);
    if (rc < 0)
        return rc;
    *c = (struct stoq_content){
        .data = stoq_mapping_data(m), .size = (size_t)size, .mapping = m};
    return 0;
}

bool
stoq_content_torn(const struct stoq_content *c)
{
    return c->mapping && stoq_mapping_torn(c->mapping);
}

void
stoq_content_fini(struct stoq_content *c)
{
    free(c->buffer);
    stoq_mapping_free(c->mapping);
    *c = (struct stoq_content){0};
}
