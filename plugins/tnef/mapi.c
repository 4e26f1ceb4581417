/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MAPI properties of an attachment: its file name and, when it is an object, its
 * data. Counts are never trusted: reading ends with the bytes. Called by tnef.c.
 * Format: MS-OXTNEF 2.1.3.4, MS-OXCDATA 2.11.
 */

#include <errno.h>
#include <stdlib.h>

#include "parts.h"

enum property {
    DISPLAY_NAME = 0x3001,
    ATTACH_OBJECT = 0x3701,
    ATTACH_FILENAME = 0x3704
};

enum type {
    TYPE_UNSPECIFIED = 0x00,
    TYPE_SHORT = 0x02,
    TYPE_INT = 0x03,
    TYPE_FLOAT = 0x04,
    TYPE_DOUBLE = 0x05,
    TYPE_CURRENCY = 0x06,
    TYPE_APPTIME = 0x07,
    TYPE_ERROR = 0x0a,
    TYPE_BOOLEAN = 0x0b,
    TYPE_OBJECT = 0x0d,
    TYPE_INT64 = 0x14,
    TYPE_STRING = 0x1e,
    TYPE_UNICODE = 0x1f,
    TYPE_TIME = 0x40,
    TYPE_GUID = 0x48,
    TYPE_BINARY = 0x102
};

#define MULTI_VALUE 0x1000U
#define NAMED       0x8000U

/* An embedded message begins with the identity of its interface. */
static const char message_mark[] = "\x07\x03\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46";
#define MESSAGE_MARK_SIZE (sizeof message_mark - 1)

struct reader {
    struct bytes in;
    uint64_t at;
    bool bad;
};

/* A value: one item as a slice, several joined in a buffer of their own. */
struct value {
    struct bytes bytes;
    unsigned char *own;
    unsigned type;
};

void
attachment_reset(struct attachment *a)
{
    free(a->own_name);
    free(a->own_data);
    *a = (struct attachment){0};
}

static uint32_t
number(struct reader *r, unsigned width)
{
    r->bad = r->bad || !bytes_has(r->in, r->at, width);
    const uint32_t value = (uint32_t)bytes_number(r->in, r->at, width, false);
    r->at += width;
    return value;
}

/* Bytes of a value without a length of its own; 0 for the others. */
static unsigned
fixed_size(unsigned type)
{
    switch ((enum type)type) {
    case TYPE_SHORT:
    case TYPE_BOOLEAN:
        return 2;
    case TYPE_INT:
    case TYPE_FLOAT:
    case TYPE_ERROR:
        return 4;
    case TYPE_DOUBLE:
    case TYPE_APPTIME:
    case TYPE_CURRENCY:
    case TYPE_INT64:
    case TYPE_TIME:
        return 8;
    case TYPE_GUID:
        return 16;
    case TYPE_UNSPECIFIED:
    case TYPE_OBJECT:
    case TYPE_STRING:
    case TYPE_UNICODE:
    case TYPE_BINARY:
    default:
        return 0;
    }
}

static bool
has_length(unsigned type)
{
    return type == TYPE_UNSPECIFIED || type == TYPE_OBJECT || type == TYPE_STRING ||
           type == TYPE_UNICODE || type == TYPE_BINARY;
}

/* A length and that many bytes, padded to four; what is not there is not there. */
static struct bytes
item(struct reader *r, unsigned type)
{
    uint64_t size = number(r, 4);
    size += (4 - size % 4) % 4;
    struct bytes b = bytes_from(r->in, r->at);
    if (b.size > size)
        b.size = (size_t)size;
    r->at += size;
    const size_t unit = type == TYPE_UNICODE ? 2 : 1;
    while (b.size >= unit && b.data[b.size - 1] == 0 && b.data[b.size - unit] == 0)
        b.size -= unit;
    return b;
}

static int
append(struct value *v, struct bytes more)
{
    if (v->bytes.size == 0 && !v->own) {
        v->bytes = more;
        return 0;
    }
    if (more.size == 0)
        return 0;
    unsigned char *grown = realloc(v->own, v->bytes.size + more.size);
    if (!grown)
        return -ENOMEM;
    if (!v->own)
        memcpy(grown, v->bytes.data, v->bytes.size);
    memcpy(grown + v->bytes.size, more.data, more.size);
    v->own = grown;
    v->bytes = (struct bytes){grown, v->bytes.size + more.size};
    return 0;
}

/* One value. @return 0 or -ENOMEM. */
static int
read_value(struct reader *r, unsigned type, bool multi, struct value *v)
{
    v->type = type;
    const unsigned size = fixed_size(type);
    if (size) {
        r->at += size;
        return 0;
    }
    if (!has_length(type)) {
        r->bad = true;
        return 0;
    }
    uint32_t count = multi ? 1 : number(r, 4);
    for (; count > 0 && !r->bad; count--) {
        int result = append(v, item(r, type));
        if (result < 0)
            return result;
    }
    return 0;
}

/* A property of the application's own has its name before the value. */
static void
skip_name(struct reader *r)
{
    r->at += 16;
    if (number(r, 4) == 0) {
        r->at += 4;
        return;
    }
    const uint64_t size = number(r, 4);
    r->at += size + (4 - size % 4) % 4;
}

/* UTF-16 in little endian, perhaps with a byte order mark, to UTF-8. */
static int
decode_unicode(struct bytes in, unsigned char **own, struct bytes *out)
{
    unsigned char *text = malloc(in.size / 2 * 3 + 1);
    size_t n = 0;
    if (!text)
        return -ENOMEM;
    for (size_t i = bytes_le16(in, 0) == 0xfeff ? 2 : 0; i + 1 < in.size; i += 2) {
        uint32_t c = bytes_le16(in, i);
        const uint32_t low = bytes_le16(in, i + 2);
        if (c >= 0xd800 && c < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
            c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
            i += 2;
        } else if (c >= 0xd800 && c < 0xe000) {
            c = 0xfffd;
        }
        if (c < 0x80) {
            text[n++] = (unsigned char)c;
            continue;
        }
        const unsigned more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
        static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
        text[n++] = (unsigned char)(lead[more] | c >> (6 * more));
        for (unsigned k = more; k-- > 0;)
            text[n++] = (unsigned char)(0x80 | (c >> (6 * k) & 0x3f));
    }
    free(*own);
    *own = text;
    *out = (struct bytes){text, n};
    return 0;
}

static int
set_name(struct attachment *a, struct value *v)
{
    if (v->type == TYPE_UNICODE) {
        int r = decode_unicode(v->bytes, &a->own_name, &a->name);
        if (r < 0)
            return r;
    } else {
        free(a->own_name);
        a->own_name = v->own;
        a->name = v->bytes;
        v->own = NULL;
    }
    a->name_decoded = v->type == TYPE_UNICODE || v->type == TYPE_STRING;
    a->named = a->name.size > 0;
    return 0;
}

static int
take_property(struct attachment *a, unsigned name, struct value *v)
{
    switch ((enum property)name) {
    case DISPLAY_NAME:
        return a->data.size && !a->named ? set_name(a, v) : 0;
    case ATTACH_FILENAME:
        return set_name(a, v);
    case ATTACH_OBJECT:
        free(a->own_data);
        a->own_data = v->own;
        a->data = v->bytes;
        v->own = NULL;
        if (bytes_are(a->data, 0, message_mark, MESSAGE_MARK_SIZE))
            a->data = bytes_from(a->data, MESSAGE_MARK_SIZE);
        return 0;
    default:
        return 0;
    }
}

static int
read_property(struct reader *r, struct attachment *a)
{
    unsigned type = number(r, 2);
    const unsigned name = number(r, 2);
    if (name >= NAMED)
        skip_name(r);
    const bool multi = type & MULTI_VALUE;
    type &= ~MULTI_VALUE;
    const uint32_t count = multi ? number(r, 4) : 1;
    for (uint32_t i = 0; i < count && !r->bad && r->at < r->in.size; i++) {
        struct value v = {0};
        int result = read_value(r, type, multi, &v);
        if (result == 0 && !r->bad)
            result = take_property(a, name, &v);
        free(v.own);
        if (result < 0)
            return result;
    }
    if (fixed_size(type) == 2 && count % 2)
        r->at += 2;
    return 0;
}

int
mapi_attachment(struct bytes properties, struct attachment *a)
{
    struct reader r = {.in = properties};
    const uint32_t count = number(&r, 4);
    for (uint32_t i = 0; i < count && !r.bad && r.at < properties.size; i++) {
        int result = read_property(&r, a);
        if (result < 0)
            return result;
    }
    return 0;
}
