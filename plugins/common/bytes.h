/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_COMMON_BYTES_H
#define PLUGINS_COMMON_BYTES_H

/*
 * Numbers and slices out of hostile bytes. Nothing here reads outside the slice it is
 * given: what is not there is 0 or an empty slice; ask bytes_has() where that matters.
 * Offsets are 64 bits wide, so that sums of 32-bit fields of a file format do not wrap.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** Borrowed bytes. `data` is valid for `size` bytes; NULL only when size is 0. */
struct bytes {
    const unsigned char *data;
    size_t size;
};

/** Whether @p size bytes at @p off lie inside. */
static inline bool
bytes_has(struct bytes b, uint64_t off, uint64_t size)
{
    return off <= b.size && size <= b.size - off;
}

/** @p size bytes at @p off; empty when they are not all there. */
static inline struct bytes
bytes_at(struct bytes b, uint64_t off, uint64_t size)
{
    if (!b.data || !bytes_has(b, off, size))
        return (struct bytes){0};
    return (struct bytes){b.data + off, (size_t)size};
}

/** Everything from @p off on; empty beyond the end. */
static inline struct bytes
bytes_from(struct bytes b, uint64_t off)
{
    return off < b.size ? bytes_at(b, off, b.size - off) : (struct bytes){0};
}

/** Whether the bytes at @p off are the string literal @p text. */
static inline bool
bytes_are(struct bytes b, uint64_t off, const char *text, size_t size)
{
    return size > 0 && b.data && bytes_has(b, off, size) &&
           memcmp(b.data + off, text, size) == 0;
}

/** Offset of the first @p what at or after @p from, or SIZE_MAX. */
static inline size_t
bytes_find(struct bytes b, size_t from, const void *what, size_t size)
{
    const unsigned char *hit = NULL;

    if (b.data && from <= b.size && size > 0)
        hit = (const unsigned char *)memmem(b.data + from, b.size - from, what, size);
    return hit ? (size_t)(hit - b.data) : SIZE_MAX;
}

/** @p width bytes (at most 8) at @p off as a number; 0 when they are not there. */
static inline uint64_t
bytes_number(struct bytes b, uint64_t off, unsigned width, bool big)
{
    uint64_t value = 0;

    if (!b.data || !bytes_has(b, off, width))
        return 0;
    for (unsigned i = 0; i < width; i++)
        value = value << 8 | b.data[off + (big ? i : width - 1 - i)];
    return value;
}

static inline uint8_t
bytes_u8(struct bytes b, uint64_t off)
{
    return (uint8_t)bytes_number(b, off, 1, false);
}

static inline uint16_t
bytes_le16(struct bytes b, uint64_t off)
{
    return (uint16_t)bytes_number(b, off, 2, false);
}

static inline uint32_t
bytes_le32(struct bytes b, uint64_t off)
{
    return (uint32_t)bytes_number(b, off, 4, false);
}

static inline uint64_t
bytes_le64(struct bytes b, uint64_t off)
{
    return bytes_number(b, off, 8, false);
}

static inline uint16_t
bytes_be16(struct bytes b, uint64_t off)
{
    return (uint16_t)bytes_number(b, off, 2, true);
}

static inline uint32_t
bytes_be32(struct bytes b, uint64_t off)
{
    return (uint32_t)bytes_number(b, off, 4, true);
}

static inline uint64_t
bytes_be64(struct bytes b, uint64_t off)
{
    return bytes_number(b, off, 8, true);
}

/** Length of the text at @p off up to a NUL or the end, at most @p max. */
static inline size_t
bytes_strnlen(struct bytes b, uint64_t off, size_t max)
{
    struct bytes rest = bytes_from(b, off);

    return rest.data
               ? strnlen((const char *)rest.data, rest.size < max ? rest.size : max)
               : 0;
}

#endif
