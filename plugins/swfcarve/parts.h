/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_SWFCARVE_PARTS_H
#define PLUGINS_SWFCARVE_PARTS_H

/*
 * Parts of the swfcarve worker: swfcarve.c finds headers and makes children, inflate.c
 * decompresses. Sizes are in bytes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

/** Of a file's header, which stays as it is but for the first byte. */
#define SWF_HEADER 8U
/** As an expected size: one that cannot be. What comes out is not kept. */
#define SWF_NO_SIZE UINT64_MAX

enum swf_outcome {
    SWF_OK,         /**< the size expected */
    SWF_OTHER_SIZE, /**< it decompresses, to another size */
    SWF_BROKEN,     /**< it does not decompress */
    SWF_NO_ROOM,    /**< more than swf_output.most */
    SWF_NO_WORK,    /**< swf_output.work is used up */
    SWF_NO_MEMORY
};

/** Where decompressed bytes go; one for all of a payload, to be zero-initialised but
 * for the limits. Free `data`. */
struct swf_output {
    unsigned char *data;
    size_t used, room;
    uint64_t most; /**< limit of `used` */
    uint64_t
        work; /**< what may still be decompressed, kept or not; each try takes some */
};

/**
 * Append what the zlib stream at the start of @p in has. Bytes after it do not matter.
 * @param expected  what it should decompress to.
 */
enum swf_outcome swf_inflate(struct bytes in, uint64_t expected,
                             struct swf_output *out);

/** The same for an LZMA stream: its properties, then data, with or without an end mark.
 */
enum swf_outcome swf_unlzma(struct bytes in, uint64_t expected, struct swf_output *out);

/** Append bytes. @return SWF_OK, SWF_NO_ROOM or SWF_NO_MEMORY. */
enum swf_outcome swf_append(struct swf_output *out, const void *data, size_t size);

#endif
