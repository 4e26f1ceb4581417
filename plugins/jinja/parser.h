/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_PLUGIN_JINJA_PARSER_H
#define STOQ_PLUGIN_JINJA_PARSER_H

/*
 * What the parts that read a template share: one parser per template, whose current
 * token is always read already while it is inside a tag. Functions that make nodes
 * return NULL when something is wrong; then `code` says so and the message is set.
 */

#include "jinja.h"

enum jinja_token {
    TOKEN_END, /* the end of the tag */
    TOKEN_NAME,
    TOKEN_TEXT,
    TOKEN_NUMBER,
    TOKEN_OPERATOR
};

struct jinja_parser {
    struct jinja_template *t;
    struct stoq_error *err;
    int code;
    const char *source; /* borrowed from t, as is size */
    size_t size;
    size_t at;          /* what follows the current token */
    bool line_starting; /* the tag before ended with a line end */
    bool in_block;      /* in a {% tag, not a {{ one */
    unsigned depth;     /* of blocks and expressions */
    unsigned loops;     /* of for, around this place */
    /* the current token */
    enum jinja_token token;
    size_t start, length; /* of its source; for texts the quotes are not in */
    json_t *literal;      /* TEXT, NUMBER; owned */
};

/* ------------------------------------------------------------------------- lex.c */

/** Record the failure at @p offset; the first one stays. @return NULL. */
void *jinja_fail(struct jinja_parser *p, size_t offset, const char *fmt, ...)
    STOQ_PRINTF(3, 4);
void *jinja_no_memory(struct jinja_parser *p);
/** Read the next token into @p p. At the end of a tag `at` is behind it, and behind the
 *  white space that goes with it. @return false on failure. */
bool jinja_next(struct jinja_parser *p);
/** Whether the current token is this operator, or this name. */
bool jinja_is_operator(const struct jinja_parser *p, const char *text);
bool jinja_is_name(const struct jinja_parser *p, const char *text);
/** The same, and go on when it is. */
bool jinja_take_operator(struct jinja_parser *p, const char *text);
bool jinja_take_name(struct jinja_parser *p, const char *text);
/** Fail with what was expected instead of the current token. @return NULL. */
void *jinja_expected(struct jinja_parser *p, const char *what);
/** Behind a tag's end: pass over the white space that it takes with it. */
void jinja_after_tag(struct jinja_parser *p, bool strip, bool newline);

/* ------------------------------------------------------------------------ expr.c */

struct jinja_node *jinja_node_new(struct jinja_parser *p, enum jinja_op op,
                                  size_t offset);
/** The name that is the current token, for @p node, and go on. */
bool jinja_node_name(struct jinja_parser *p, struct jinja_node *node);
/** An expression. */
struct jinja_node *jinja_expression(struct jinja_parser *p);
/** One without "... if ... else ...", as after "in" of a for. */
struct jinja_node *jinja_expression_plain(struct jinja_parser *p);

/** A node over @p a and @p b, which are NULL when something failed. */
struct jinja_node *jinja_join(struct jinja_parser *p, enum jinja_op op,
                              struct jinja_node *a, struct jinja_node *b);
/** Whether one level more is allowed; then the caller takes it back from `depth`. */
bool jinja_enter(struct jinja_parser *p);
/** The same for one operator more in a row, which nests when it is evaluated. */
bool jinja_chain(struct jinja_parser *p, unsigned *links);

/* --------------------------------------------------------------------- primary.c */

struct jinja_node *jinja_primary(struct jinja_parser *p);
/** What follows @p n: attributes and subscripts, and @p filters and tests. */
struct jinja_node *jinja_postfix(struct jinja_parser *p, struct jinja_node *n,
                                 bool filters);

/* --------------------------------------------------------------------- filters.c */

struct jinja_filter;
/** The filter called by @p size bytes at @p name, or NULL. */
const struct jinja_filter *jinja_filter_find(const char *name, size_t size);
/** Place of the parameter called @p name, or of number @p i when that is NULL; -1. */
int jinja_filter_param(const struct jinja_filter *f, const char *name, size_t size,
                       size_t i);
/** Parameters that must be given. */
size_t jinja_filter_required(const struct jinja_filter *f);

#endif
