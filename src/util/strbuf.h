/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_UTIL_STRBUF_H
#define STOQ_UTIL_STRBUF_H

/* Growing text and vectors of strings. An allocation failure is remembered in the
 * object and reported once, by the function that gives the content away. */

#include <stdbool.h>
#include <stddef.h>

#include <stoq/error.h>

/** Growing bytes, always NUL-terminated. Zero-initialise; fini or steal. */
struct stoq_strbuf {
    char *data;
    size_t size;
    size_t room;
    bool failed;
};

void stoq_strbuf_add(struct stoq_strbuf *b, const void *data, size_t size);
void stoq_strbuf_adds(struct stoq_strbuf *b, const char *text);
void stoq_strbuf_addf(struct stoq_strbuf *b, const char *fmt, ...) STOQ_PRINTF(2, 3);
/** The text (caller frees), or NULL when an allocation failed. The buffer is empty. */
char *stoq_strbuf_steal(struct stoq_strbuf *b);
void stoq_strbuf_fini(struct stoq_strbuf *b);

/** Owned strings, NULL-terminated array. Zero-initialise; fini. */
struct stoq_strv {
    char **items; /**< NULL while empty; use stoq_strv_items() for a terminated array */
    size_t count;
    size_t room;
};

/** Append a copy. @return 0 or -ENOMEM (then unchanged). */
int stoq_strv_add(struct stoq_strv *v, const char *text);
/** Append a copy unless it is there. */
int stoq_strv_add_unique(struct stoq_strv *v, const char *text);
bool stoq_strv_has(const struct stoq_strv *v, const char *text);
/** The strings, NULL-terminated, never NULL. Borrowed. */
const char *const *stoq_strv_items(const struct stoq_strv *v);
/** Append the pieces of a comma list, stripped, empty ones dropped. */
int stoq_strv_add_list(struct stoq_strv *v, const char *text);
int stoq_strv_copy(struct stoq_strv *to, const struct stoq_strv *from);
void stoq_strv_fini(struct stoq_strv *v);

#endif
