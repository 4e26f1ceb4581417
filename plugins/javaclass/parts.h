/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_JAVACLASS_PARTS_H
#define PLUGINS_JAVACLASS_PARTS_H

/*
 * The parts of the javaclass worker: text that grows within a budget (text.c), the
 * class file (classfile.c, after chapter 4 of the Java Virtual Machine Specification),
 * names and types as Java writes them (pretty.c), and the worker (javaclass.c).
 *
 * Functions return 0, or -EBADMSG for a malformed class, -E2BIG when the budget is used
 * up, -ENOMEM.
 */

#include "common/bytes.h"

/* Text made in one scan, over all strings: constants may refer to long names again and
 * again. */
#define TEXT_BUDGET ((size_t)32 << 20)

/** Growing UTF-8. Zero-initialise, free() data. */
struct text {
    char *data; /**< NUL-terminated once something was added */
    size_t size, room;
    size_t chars;   /**< code points added by text_add_quoted() */
    size_t *budget; /**< bytes that may still be added; shared, borrowed */
};

int text_add(struct text *t, const char *data, size_t size);
int text_adds(struct text *t, const char *text);
/** Add modified UTF-8, made UTF-8; what is neither is left out. @p dots: '/' to '.'. */
int text_add_java(struct text *t, struct bytes java, bool dots);
/** Add modified UTF-8 as Python shows a string, without the quotes around it. */
int text_add_quoted(struct text *t, struct bytes java);
/** Start anew, keeping the memory. */
void text_clear(struct text *t);

enum constant_tag {
    TAG_UTF8 = 1,
    TAG_INTEGER = 3,
    TAG_FLOAT = 4,
    TAG_LONG = 5,
    TAG_DOUBLE = 6,
    TAG_CLASS = 7,
    TAG_STRING = 8,
    TAG_FIELD = 9,
    TAG_METHOD = 10,
    TAG_INTERFACE_METHOD = 11,
    TAG_NAME_AND_TYPE = 12,
    TAG_MODULE_ID = 13, /* of a draft of Java 7 */
    TAG_METHOD_HANDLE = 15,
    TAG_METHOD_TYPE = 16,
    TAG_DYNAMIC = 17,
    TAG_INVOKE_DYNAMIC = 18,
    TAG_MODULE = 19,
    TAG_PACKAGE = 20
};

#define ACC_PUBLIC 0x0001U

struct constant {
    unsigned tag;      /**< 0: the second half of a long or double, or no such index */
    struct bytes body; /**< what follows the tag; of Utf8 the text without its length */
};

struct class_file {
    struct bytes file;
    size_t *offsets; /**< of constants by index, owned; 0 = none */
    unsigned count;  /**< one more than the highest index */
    unsigned this_class;
    size_t members; /**< offset of the fields' count */
};

struct member {
    unsigned access;
    struct bytes name, descriptor;
};

/** A position among fields, then methods; start with class_members(). */
struct member_walk {
    size_t at;
    unsigned left;
    bool methods;
};

/** Check and index a class file. What follows the methods is checked for being there.
 *  @param out  free offsets. @return 0, -EBADMSG with *@p why set, -ENOMEM. */
int class_open(struct bytes file, struct class_file *out, const char **why);
struct constant class_constant(const struct class_file *c, unsigned index);
/** The text of the Utf8 constant at @p index; -EBADMSG when it is not one. */
int class_utf8(const struct class_file *c, unsigned index, struct bytes *out);
/** The text that the constant at @p index names, e.g. of a Class. */
int class_name(const struct class_file *c, unsigned index, unsigned tag,
               struct bytes *out);
struct member_walk class_members(const struct class_file *c);
/** @return 1 with a member, 0 at the end, -EBADMSG. */
int class_next(const struct class_file *c, struct member_walk *walk,
               struct member *out);

/** Add "name:type" of a field, or "name(types):type" of a method. */
int pretty_member(struct text *t, struct bytes name, struct bytes type, bool method);
/** Add what a Class, Field, Method or InterfaceMethod constant refers to; nothing for
 *  arrays of simple types. */
int pretty_reference(struct text *t, const struct class_file *c, struct constant k);
/** Add the constant as listed; nothing for one that has no text. */
int pretty_constant(struct text *t, struct constant k);

#endif
