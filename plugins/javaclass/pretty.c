/* SPDX-License-Identifier: Apache-2.0 */
/* Names and types as they are written in Java, and constants as they are listed. */

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "parts.h"

static const char *
simple_type(unsigned c)
{
    switch (c) {
    case 'B':
        return "byte";
    case 'C':
        return "char";
    case 'D':
        return "double";
    case 'F':
        return "float";
    case 'I':
        return "int";
    case 'J':
        return "long";
    case 'S':
        return "short";
    case 'V':
        return "void";
    case 'Z':
        return "boolean";
    default:
        return NULL;
    }
}

/* Add the type at *@at of a descriptor and step behind it. */
static int
add_type(struct text *t, struct bytes d, size_t *at)
{
    size_t dimensions = 0;
    for (; bytes_u8(d, *at) == '['; ++*at)
        dimensions++;
    const char *simple = simple_type(bytes_u8(d, *at));
    int r;
    if (simple) {
        r = text_adds(t, simple);
        ++*at;
    } else {
        size_t end = bytes_find(d, *at, ";", 1);
        if (bytes_u8(d, *at) != 'L' || end == SIZE_MAX)
            return -EBADMSG;
        r = text_add_java(t, bytes_at(d, *at + 1, end - *at - 1), true);
        *at = end + 1;
    }
    for (; r == 0 && dimensions > 0; dimensions--)
        r = text_adds(t, "[]");
    return r;
}

/* Add "(types):type". */
static int
add_method_type(struct text *t, struct bytes d)
{
    size_t at = 1;
    int r = bytes_u8(d, 0) == '(' ? text_adds(t, "(") : -EBADMSG;
    while (r == 0 && at < d.size && d.data[at] != ')') {
        r = at > 1 ? text_adds(t, ",") : 0;
        if (r == 0)
            r = add_type(t, d, &at);
    }
    at++;
    if (r == 0)
        r = text_adds(t, "):");
    if (r == 0)
        r = add_type(t, d, &at);
    return r == 0 && at != d.size ? -EBADMSG : r;
}

int
pretty_member(struct text *t, struct bytes name, struct bytes type, bool method)
{
    size_t at = 0;
    int r = text_add_java(t, name, false);
    if (r == 0 && method)
        return add_method_type(t, type);
    if (r == 0)
        r = text_adds(t, ":");
    if (r == 0)
        r = add_type(t, type, &at);
    return r == 0 && at != type.size ? -EBADMSG : r;
}

/* A class name "[Lx;" stands for x, other arrays for nothing. @return whether the name
 * is an array's. */
static bool
element_of(struct bytes *name)
{
    if (bytes_u8(*name, 0) != '[')
        return false;
    size_t end = bytes_find(*name, 0, ";", 1);
    *name = bytes_u8(*name, 1) == 'L' && end != SIZE_MAX ? bytes_at(*name, 2, end - 2)
                                                         : (struct bytes){0};
    return true;
}

int
pretty_reference(struct text *t, const struct class_file *c, struct constant k)
{
    struct bytes owner, name, type;
    int r = k.tag == TAG_CLASS
                ? class_utf8(c, bytes_be16(k.body, 0), &owner)
                : class_name(c, bytes_be16(k.body, 0), TAG_CLASS, &owner);
    if (r < 0)
        return r;
    bool array = element_of(&owner);
    r = text_add_java(t, owner, true);
    if (r < 0 || k.tag == TAG_CLASS)
        return r;

    struct constant pair = class_constant(c, bytes_be16(k.body, 2));
    if (pair.tag != TAG_NAME_AND_TYPE ||
        class_utf8(c, bytes_be16(pair.body, 0), &name) < 0 ||
        class_utf8(c, bytes_be16(pair.body, 2), &type) < 0)
        return -EBADMSG;
    if (array)
        return 0; /* the method is every array's, not the element's */
    r = text_adds(t, ".");
    return r < 0 ? r : pretty_member(t, name, type, k.tag != TAG_FIELD);
}

static double
real_of(struct constant k)
{
    uint64_t bits = bytes_be64(k.body, 0);
    uint32_t short_bits = bytes_be32(k.body, 0);
    double wide;
    float narrow;
    memcpy(&wide, &bits, sizeof wide);
    memcpy(&narrow, &short_bits, sizeof narrow);
    return k.tag == TAG_DOUBLE ? wide : (double)narrow;
}

int
pretty_constant(struct text *t, struct constant k)
{
    char out[512]; /* a double may have 309 digits before its point */
    unsigned a = bytes_be16(k.body, 0), b = bytes_be16(k.body, 2);
    double real = real_of(k);
    switch (k.tag) {
    case 0:
        return 0;
    case TAG_UTF8:
        return text_add_quoted(t, k.body);
    case TAG_INTEGER:
        (void)snprintf(out, sizeof out, "%d", (int32_t)bytes_be32(k.body, 0));
        break;
    case TAG_LONG:
        (void)snprintf(out, sizeof out, "%lldl", (long long)bytes_be64(k.body, 0));
        break;
    case TAG_FLOAT:
    case TAG_DOUBLE:
        /* NaN has no sign here */
        (void)snprintf(out, sizeof out, "%f%c", isnan(real) ? (double)NAN : real,
                       k.tag == TAG_FLOAT ? 'f' : 'd');
        break;
    case TAG_FIELD:
    case TAG_METHOD:
    case TAG_INTERFACE_METHOD:
        (void)snprintf(out, sizeof out, "#%u.#%u", a, b);
        break;
    case TAG_NAME_AND_TYPE:
        (void)snprintf(out, sizeof out, "#%u:#%u", a, b);
        break;
    case TAG_MODULE_ID:
        (void)snprintf(out, sizeof out, "#%u@#%u", a, b);
        break;
    case TAG_METHOD_HANDLE:
        (void)snprintf(out, sizeof out, "(%u, %u)", bytes_u8(k.body, 0),
                       bytes_be16(k.body, 1));
        break;
    case TAG_DYNAMIC:
    case TAG_INVOKE_DYNAMIC:
        (void)snprintf(out, sizeof out, "(%u, %u)", a, b);
        break;
    case TAG_METHOD_TYPE:
        (void)snprintf(out, sizeof out, "%u", a);
        break;
    default:
        (void)snprintf(out, sizeof out, "#%u", a);
        break;
    }
    t->chars += strlen(out);
    return text_adds(t, out);
}
