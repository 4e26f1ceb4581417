/* SPDX-License-Identifier: Apache-2.0 */
/* The layout of class files: the constants are indexed once, members walked in place.
 */

#include <errno.h>
#include <stdlib.h>

#include "common/auto.h"
#include "parts.h"

#define MAGIC 0xcafebabeU

static const char cut_off[] = "the class file is cut off";

/* Bytes after the tag of a constant, 0 for an unknown tag; Utf8 is longer by its text.
 */
static size_t
body_size(unsigned tag)
{
    switch (tag) {
    case TAG_UTF8:
    case TAG_CLASS:
    case TAG_STRING:
    case TAG_METHOD_TYPE:
    case TAG_MODULE:
    case TAG_PACKAGE:
        return 2;
    case TAG_METHOD_HANDLE:
        return 3;
    case TAG_INTEGER:
    case TAG_FLOAT:
    case TAG_FIELD:
    case TAG_METHOD:
    case TAG_INTERFACE_METHOD:
    case TAG_NAME_AND_TYPE:
    case TAG_MODULE_ID:
    case TAG_DYNAMIC:
    case TAG_INVOKE_DYNAMIC:
        return 4;
    case TAG_LONG:
    case TAG_DOUBLE:
        return 8;
    default:
        return 0;
    }
}

/* Note where each constant is. @return 0, -EBADMSG with *@why set. */
static int
index_constants(struct class_file *c, size_t *at, const char **why)
{
    for (unsigned i = 1; i < c->count; i++) {
        unsigned tag = bytes_u8(c->file, *at);
        size_t size = body_size(tag);
        *why = cut_off;
        if (!bytes_has(c->file, *at, 1))
            return -EBADMSG;
        *why = "a constant is of an unknown kind";
        if (size == 0)
            return -EBADMSG;
        if (tag == TAG_UTF8)
            size += bytes_be16(c->file, *at + 1);
        *why = cut_off;
        if (!bytes_has(c->file, *at + 1, size))
            return -EBADMSG;
        c->offsets[i] = *at;
        *at += 1 + size;
        i += tag == TAG_LONG || tag == TAG_DOUBLE;
    }
    return 0;
}

/* Step over an attributes table. @return 0 or -EBADMSG. */
static int
skip_attributes(const struct class_file *c, size_t *at)
{
    struct bytes ignored;
    unsigned count = bytes_be16(c->file, *at);
    if (!bytes_has(c->file, *at, 2))
        return -EBADMSG;
    *at += 2;
    for (unsigned i = 0; i < count; i++) {
        uint64_t size = (uint64_t)6 + bytes_be32(c->file, *at + 2);
        if (!bytes_has(c->file, *at, size) ||
            class_utf8(c, bytes_be16(c->file, *at), &ignored) < 0)
            return -EBADMSG;
        *at += (size_t)size;
    }
    return 0;
}

int
class_open(struct bytes file, struct class_file *out, const char **why)
{
    *why = "Not a Java class file";
    if (bytes_be32(file, 0) != MAGIC)
        return -EBADMSG;
    struct class_file c = {.file = file, .count = bytes_be16(file, 8)};
    PLUGIN_AUTOFREE size_t *offsets = calloc(c.count + (size_t)1, sizeof(*offsets));
    if (!offsets)
        return -ENOMEM;
    c.offsets = offsets;
    size_t at = 10;
    *why = cut_off;
    if (!bytes_has(file, 0, at))
        return -EBADMSG;
    if (index_constants(&c, &at, why) < 0)
        return -EBADMSG;
    c.this_class = bytes_be16(file, at + 2);
    c.members = at + 8 + (size_t)2 * bytes_be16(file, at + 6);

    struct member_walk walk = class_members(&c);
    struct member member;
    int r;
    while ((r = class_next(&c, &walk, &member)) > 0) {
    }
    *why = "the members or attributes of the class are damaged or cut off";
    if (r < 0 || skip_attributes(&c, &walk.at) < 0)
        return -EBADMSG;
    c.offsets = PLUGIN_STEAL(&offsets);
    *out = c;
    return 0;
}

struct constant
class_constant(const struct class_file *c, unsigned index)
{
    if (index == 0 || index >= c->count || c->offsets[index] == 0)
        return (struct constant){0};
    size_t at = c->offsets[index];
    unsigned tag = bytes_u8(c->file, at);
    if (tag == TAG_UTF8)
        return (struct constant){
            tag, bytes_at(c->file, at + 3, bytes_be16(c->file, at + 1))};
    return (struct constant){tag, bytes_at(c->file, at + 1, body_size(tag))};
}

int
class_utf8(const struct class_file *c, unsigned index, struct bytes *out)
{
    struct constant k = class_constant(c, index);
    *out = k.body;
    return k.tag == TAG_UTF8 ? 0 : -EBADMSG;
}

int
class_name(const struct class_file *c, unsigned index, unsigned tag, struct bytes *out)
{
    struct constant k = class_constant(c, index);
    return k.tag == tag ? class_utf8(c, bytes_be16(k.body, 0), out) : -EBADMSG;
}

struct member_walk
class_members(const struct class_file *c)
{
    return (struct member_walk){c->members, UINT16_MAX + 1, false};
}

int
class_next(const struct class_file *c, struct member_walk *walk, struct member *out)
{
    /* a count comes before the fields and again before the methods */
    while (walk->left == 0 || walk->left > UINT16_MAX) {
        if (walk->left == 0 && walk->methods)
            return 0;
        walk->methods = walk->left == 0;
        if (!bytes_has(c->file, walk->at, 2))
            return -EBADMSG;
        walk->left = bytes_be16(c->file, walk->at);
        walk->at += 2;
    }
    walk->left--;
    out->access = bytes_be16(c->file, walk->at);
    if (!bytes_has(c->file, walk->at, 8) ||
        class_utf8(c, bytes_be16(c->file, walk->at + 2), &out->name) < 0 ||
        class_utf8(c, bytes_be16(c->file, walk->at + 4), &out->descriptor) < 0)
        return -EBADMSG;
    walk->at += 6;
    return skip_attributes(c, &walk->at) < 0 ? -EBADMSG : 1;
}
