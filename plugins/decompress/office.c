/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files inside streams that the workers for OLE and RTF hand out: packages (the stream
 * Ole10Native of an embedded file) and the packed objects in the stream "PowerPoint
 * Document". After MS-OLEDS 2.3.6 and MS-PPT 2.10.34. Every record moves on. Called by
 * forms.c; no state.
 */

#include <errno.h>

#include "forms.h"

#define TEXT_MAX 4096U

/* ---------------------------------------------------------------------- packages */

/* A package as far as the data; @p data is empty when it is none. */
struct package {
    struct bytes name, data;
    bool whole;
};

/* After a text that ends with NUL; 0 when there is none. */
static uint64_t
after_text(struct bytes b, uint64_t at)
{
    const size_t n = bytes_strnlen(b, at, TEXT_MAX);
    return n < TEXT_MAX && bytes_has(b, at, n + 1U) ? at + n + 1 : 0;
}

static bool
read_package(struct bytes b, struct package *p)
{
    uint64_t at = 0;
    if (b.size > 4 && bytes_le32(b, 0) == b.size - 4)
        at = 4;
    if (bytes_le16(b, at) != 2)
        return false;
    at += 2;
    p->name = bytes_at(b, at, bytes_strnlen(b, at, TEXT_MAX));
    at = after_text(b, at);
    if (at > 0)
        at = after_text(b, at);
    /* flags, then the path of a temporary file, with its size */
    if (at == 0 || bytes_le16(b, at) != 0 || bytes_le16(b, at + 2) != 3)
        return false;
    const uint32_t path = bytes_le32(b, at + 4);
    if (path > TEXT_MAX || !bytes_has(b, at + 8, path + (uint64_t)4))
        return false;
    at += 8 + path;
    const uint32_t size = bytes_le32(b, at);
    struct bytes rest = bytes_from(b, at + 4);
    p->data = bytes_at(rest, 0, size < rest.size ? size : rest.size);
    p->whole = p->data.size == size;
    return p->data.size > 0;
}

bool
stoq_package_is(struct bytes data)
{
    struct package p;
    return read_package(data, &p);
}

int
stoq_package_read(struct stoq_sink *s)
{
    struct package p;
    if (!read_package((struct bytes){s->x->data, s->x->size}, &p))
        return 0;
    stoq_sink_begin(s);
    (void)stoq_sink_put(s, p.data.data, p.data.size);
    return stoq_sink_end(s, (const char *)p.name.data, p.name.size,
                         p.whole ? NULL : "truncated");
}

/* -------------------------------------------------------------------- PowerPoint */

#define RECORD       8U
#define CONTAINER    0xfU
#define OBJECT       0x1011U
#define OBJECT_SHAPE 0x0010U /* version 0, instance 1: packed */

int
stoq_powerpoint_read(struct stoq_sink *s)
{
    const struct bytes data = {s->x->data, s->x->size};
    for (uint64_t at = 0;
         bytes_has(data, at, RECORD) && !s->stop && stoq_sink_time(s);) {
        const uint16_t shape = bytes_le16(data, at), type = bytes_le16(data, at + 2);
        const uint32_t size = bytes_le32(data, at + 4);
        at += RECORD;
        if ((shape & 0xf) == CONTAINER)
            continue; /* into it */
        if (type == OBJECT && shape == OBJECT_SHAPE && size > 4) {
            struct bytes rest = bytes_from(data, at + 4);
            const size_t n = size - 4 < rest.size ? size - 4 : rest.size;
            stoq_sink_begin(s);
            const char *why = stoq_inflate(s, bytes_at(rest, 0, n), 15, NULL);
            const int r = stoq_sink_end(s, NULL, 0, why);
            if (r < 0)
                return r;
        }
        at += size;
    }
    return 0;
}
