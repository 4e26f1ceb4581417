/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OLE 1.0 objects as RTF embeds them (MS-OLEDS 2.2.4, 2.2.5) and the files that the
 * class "Package" wraps. Every size is checked against the bytes that are there; an
 * object that claims more than it has is none, as in the original. Called by rtf.c.
 */

#include <strings.h>

#include "parts.h"

#define TYPE_EMBEDDED 2U
#define STRING_MAX    ((size_t)1024)

struct reader {
    struct bytes in;
    uint64_t at;
    bool bad;
};

static uint32_t
number(struct reader *r, unsigned width)
{
    r->bad = r->bad || !bytes_has(r->in, r->at, width);
    const uint32_t value = (uint32_t)bytes_number(r->in, r->at, width, false);
    r->at += width;
    return value;
}

/* A length, that many bytes, the last of them NUL. */
static struct bytes
counted(struct reader *r)
{
    const uint32_t size = number(r, 4);
    if (r->bad || size == 0)
        return (struct bytes){0};
    r->bad = !bytes_has(r->in, r->at, size) || bytes_u8(r->in, r->at + size - 1) != 0;
    const struct bytes s = bytes_at(r->in, r->at, size - 1);
    r->at += size;
    return s;
}

static struct bytes
terminated(struct reader *r)
{
    const size_t size = bytes_strnlen(r->in, r->at, STRING_MAX);
    r->bad = r->bad || size == STRING_MAX || !bytes_has(r->in, r->at, size + 1);
    const struct bytes s = bytes_at(r->in, r->at, size);
    r->at += size + 1;
    return s;
}

bool
ole1_parse(struct bytes raw, struct ole1 *out)
{
    struct reader r = {.in = raw};
    (void)number(&r, 4); /* version */
    if (number(&r, 4) != TYPE_EMBEDDED)
        return false;
    out->class_name = counted(&r);
    (void)counted(&r); /* topic */
    (void)counted(&r); /* item */
    const uint32_t size = number(&r, 4);
    if (r.bad || !bytes_has(raw, r.at, size))
        return false;
    out->data = bytes_at(raw, r.at, size);
    return true;
}

bool
ole1_package(const struct ole1 *ole, struct ole1_package *out)
{
    static const char name[] = "package";
    struct bytes class_name = ole->class_name;
    while (class_name.size > 0 && bytes_u8(class_name, class_name.size - 1) == 0)
        class_name.size--;
    if (class_name.size != sizeof name - 1 ||
        strncasecmp((const char *)class_name.data, name, class_name.size) != 0)
        return false;
    struct reader r = {.in = ole->data};
    (void)number(&r, 2);
    out->filename = terminated(&r);
    (void)terminated(&r); /* where it came from */
    (void)number(&r, 4);
    (void)number(&r, 4);
    (void)terminated(&r); /* where it was put for a while */
    uint64_t size = number(&r, 4);
    if (r.bad)
        return false;
    const struct bytes rest = bytes_from(r.in, r.at);
    if (size > rest.size)
        size = rest.size;
    out->data = bytes_at(rest, 0, size);
    return true;
}
