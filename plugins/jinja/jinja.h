/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_PLUGIN_JINJA_H
#define STOQ_PLUGIN_JINJA_H

/*
 * What the parts of the jinja plugin share. template.c reads a template with lex.c,
 * expr.c and primary.c into a tree; render.c runs the tree with eval.c, ops.c, math.c
 * and filters.c; value.c has the values, print.c their texts, text.c growing text. A
 * template is constant once it is read; a rendering belongs to one thread.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <stoq/plugin.h>

#include "common/auto.h"

#define JINJA_SOURCE_MAX ((size_t)1 << 20)  /* bytes of a template */
#define JINJA_TEXT_MAX   ((size_t)64 << 20) /* bytes of the output, and of any text */
#define JINJA_STEPS_MAX  10000000U          /* nodes and items looked at */
#define JINJA_ITEMS_MAX  1000000U           /* items of a list that is made */
#define JINJA_DEPTH_MAX  64U                /* of blocks, of expressions, of values */
#define JINJA_NAMES_MAX  8U                 /* targets of one for */
#define JINJA_ARGS_MAX   3U                 /* arguments of one filter */

/* ----------------------------------------------------------------------- text.c */

/** Growing text. Zero-initialise; free `data`. Failures are kept: check `code`. */
struct jinja_text {
    char *data; /* NUL-terminated when not NULL */
    size_t size, room;
    int code; /* 0, -ENOMEM, -E2BIG */
};

void jinja_text_add(struct jinja_text *t, const char *data, size_t size);
void jinja_text_puts(struct jinja_text *t, const char *text);
void jinja_text_printf(struct jinja_text *t, const char *fmt, ...) STOQ_PRINTF(2, 3);
/** Add code point @p c as UTF-8. */
void jinja_text_rune(struct jinja_text *t, uint32_t c);
/** Add with & < > ' " written as character references. */
void jinja_text_escape(struct jinja_text *t, const char *data, size_t size);
void jinja_text_fini(struct jinja_text *t);
/** The code point at @p *at of valid UTF-8, which is moved past it. */
uint32_t jinja_rune(const char *data, size_t size, size_t *at);
/** Number of code points. */
size_t jinja_runes(const char *data, size_t size);
/** Whether Python's str.strip() takes code point @p c away. */
bool jinja_is_space(uint32_t c);

/* ---------------------------------------------------------------------- value.c */

enum jinja_flavour {
    JINJA_PLAIN,
    JINJA_MARKUP,   /**< a text that is not escaped when printed */
    JINJA_DOCUMENT, /**< an object that prints as JSON, or a list of such */
    JINJA_UNDEFINED /**< the json is the text that says why */
};

/** A value: a reference of its own to a JSON value that is never changed. */
struct jinja_value {
    json_t *json;
    enum jinja_flavour flavour;
};

/** Where one is born; it lets go at the end of the scope. */
#define JINJA_VALUE __attribute__((cleanup(jinja_value_fini))) struct jinja_value

void jinja_value_fini(struct jinja_value *v);
/** Set @p out (fini'd before) to @p json, taken. @return -ENOMEM when that is NULL. */
int jinja_set(struct jinja_value *out, json_t *json);
/** Set @p out to what the text holds, whose memory is released. */
int jinja_set_text(struct jinja_value *out, struct jinja_text *t, bool markup);
int jinja_set_undefined(struct jinja_value *out, const char *fmt, ...)
    STOQ_PRINTF(2, 3);
void jinja_copy(struct jinja_value *out, const struct jinja_value *from);
bool jinja_is_undefined(const struct jinja_value *v);
bool jinja_is_true(const struct jinja_value *v);
/** "str", "int", ... of Python, as in its messages. */
const char *jinja_type(const struct jinja_value *v);
/** Whether it is a number or a boolean, and its value. */
bool jinja_is_number(const json_t *json);
double jinja_number(const json_t *json);

/* ---------------------------------------------------------------------- print.c */

/** How JSON is written. */
struct jinja_json {
    int indent; /**< < 0: on one line */
    bool sort, html;
};

/** Add str(@p v): texts as they are, the rest as Python would write it. */
void jinja_print(struct jinja_text *t, const struct jinja_value *v);
void jinja_print_json(struct jinja_text *t, const json_t *json, struct jinja_json how);

/* ------------------------------------------------------------------------- tree */

enum jinja_op {
    /* statements, linked by next */
    JINJA_TEXT,  /* literal */
    JINJA_PRINT, /* a */
    JINJA_IF,    /* a: condition, b: then, c: else */
    JINJA_FOR,   /* names, a: over, b: body, c: else */
    JINJA_SET,   /* names[0], a */
    /* expressions */
    JINJA_CONST,   /* literal */
    JINJA_NAME,    /* names[0] */
    JINJA_LIST,    /* a: items, linked by next */
    JINJA_ITEM,    /* a[b] */
    JINJA_ATTR,    /* a.names[0] */
    JINJA_METHOD,  /* a.items(), what: enum jinja_method */
    JINJA_LOOP,    /* what: enum jinja_loop */
    JINJA_FILTER,  /* a, filter, args */
    JINJA_TEST,    /* a, what: enum jinja_test */
    JINJA_NOT,     /* a */
    JINJA_AND,     /* a, b */
    JINJA_OR,      /* a, b */
    JINJA_COND,    /* b if a else c; c may be NULL */
    JINJA_COMPARE, /* a, b, what: enum jinja_compare */
    JINJA_MATH,    /* a, b, what: '+' '-' '*' '/' '%' or 'f' for // */
    JINJA_CONCAT,  /* a, b */
    JINJA_SIGN     /* a, what: '+' '-' */
};

enum jinja_method { JINJA_ITEMS, JINJA_KEYS, JINJA_VALUES };
enum jinja_compare {
    JINJA_EQ,
    JINJA_NE,
    JINJA_LT,
    JINJA_LE,
    JINJA_GT,
    JINJA_GE,
    JINJA_IN,
    JINJA_NOT_IN
};

struct jinja_node {
    enum jinja_op op;
    int what;
    size_t offset; /* in the source */
    struct jinja_node *a, *b, *c, *next;
    struct jinja_node *args[JINJA_ARGS_MAX];
    const struct jinja_filter *filter;
    char *names[JINJA_NAMES_MAX]; /* owned */
    size_t name_count;
    json_t *literal;          /* owned */
    struct jinja_node *older; /* all nodes of a template, newest first */
};

struct jinja_template {
    char *path, *source; /* owned */
    size_t size;
    struct jinja_node *body;
    struct jinja_node *nodes; /* all */
};

/** Read a template. @p source is copied. @return 0; -EINVAL with path, line and column
 *  in @p err; -ENOMEM. */
int jinja_template_new(const char *path, const char *source, size_t size,
                       struct jinja_template **out, struct stoq_error *err);
void jinja_template_free(struct jinja_template *t);
/** Line and column, from 1, of an offset in the source. */
void jinja_position(const struct jinja_template *t, size_t offset, size_t *line,
                    size_t *column);

/** Run a template. @return 0 with @p out set; -EINVAL what the template does cannot be
 *  done; -E2BIG a limit; -ENOMEM. */
int jinja_render(const struct jinja_template *t, json_t *response,
                 struct jinja_text *out, struct stoq_error *err);

#endif
