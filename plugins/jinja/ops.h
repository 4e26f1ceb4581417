/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_PLUGIN_JINJA_OPS_H
#define STOQ_PLUGIN_JINJA_OPS_H

/*
 * What the parts that run a template share: the state of one rendering, and the
 * operations on values. All return 0 or what the rendering failed with, which is
 * recorded once. Messages are those that Python and Jinja2 give.
 */

#include "jinja.h"

struct jinja_variable {
    const char *name; /* borrowed from the template */
    struct jinja_value value;
};

/** One for that is running. */
struct jinja_loop {
    size_t index, length; /* from 0 */
    struct jinja_loop *outer;
};

struct jinja_run {
    const struct jinja_template *t;
    struct stoq_error *err;
    int code;
    size_t offset; /* of the node that is at work, for messages */
    unsigned depth;
    size_t steps;                     /* of work, against JINJA_STEPS_MAX */
    struct jinja_variable *variables; /* owned; the innermost scope last */
    size_t count, room;
    size_t scope; /* where the innermost scope begins */
    struct jinja_loop *loop;
};

/** Fail with "TYPE: text (PATH:LINE:COLUMN)". @return the code. */
int jinja_raise(struct jinja_run *run, const char *type, const char *fmt, ...)
    STOQ_PRINTF(3, 4);
/** Fail because a limit is reached, or for want of memory. @return the code. */
int jinja_raise_code(struct jinja_run *run, int code);
/** Count @p steps of work against JINJA_STEPS_MAX. @return 0, or the failure. */
int jinja_charge(struct jinja_run *run, size_t steps);

/* ----------------------------------------------------------------------- eval.c */

int jinja_eval(struct jinja_run *run, const struct jinja_node *n,
               struct jinja_value *out);
/** Number of the loop attribute, or of the test, of this name; -1 = none. */
int jinja_loop_find(const char *name, size_t size);
int jinja_test_find(const char *name, size_t size);

/* ------------------------------------------------------------------------ ops.c */

#define JINJA_UNDEFINED_ERROR "jinja2.exceptions.UndefinedError"

/** Fail when the value is undefined. */
int jinja_defined(struct jinja_run *run, const struct jinja_value *v);
/** The items that iterating over @p v gives, as an array. */
int jinja_iterate(struct jinja_run *run, const struct jinja_value *v,
                  struct jinja_value *out);
/** v.name, v[key]. What is not there is undefined, not a failure. */
int jinja_attribute(struct jinja_run *run, const struct jinja_value *v,
                    const char *name, struct jinja_value *out);
int jinja_item(struct jinja_run *run, const struct jinja_value *v,
               const struct jinja_value *key, struct jinja_value *out);
/** The order of two values: < 0, 0, > 0. Fails for those without. */
int jinja_order(struct jinja_run *run, const json_t *a, const json_t *b, int *order);
bool jinja_equal(const json_t *a, const json_t *b, unsigned depth);
int jinja_compare(struct jinja_run *run, enum jinja_compare what,
                  const struct jinja_value *a, const struct jinja_value *b, bool *yes);
/** a what b, with what as in JINJA_MATH. */
int jinja_math(struct jinja_run *run, int what, const struct jinja_value *a,
               const struct jinja_value *b, struct jinja_value *out);
int jinja_concat(struct jinja_run *run, const struct jinja_value *a,
                 const struct jinja_value *b, struct jinja_value *out);
/** Add v, escaped unless it is markup or @p escape is false. */
void jinja_add(struct jinja_text *t, const struct jinja_value *v, bool escape);
/** Set @p out, or fail as the text did. */
int jinja_finish(struct jinja_run *run, struct jinja_text *t, bool markup,
                 struct jinja_value *out);

/* -------------------------------------------------------------------- filters.c */

/** Apply @p f to @p v. @p args are NULL where they were not given. */
int jinja_filter_apply(struct jinja_run *run, const struct jinja_filter *f,
                       const struct jinja_value *v,
                       const struct jinja_value *const args[JINJA_ARGS_MAX],
                       struct jinja_value *out);

#endif
