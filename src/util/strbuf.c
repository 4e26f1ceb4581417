/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Growing text and vectors of strings. A text buffer remembers a failed allocation and
 * ignores what comes after it, so that only the taker of the text has to look.
 */

#include "util/strbuf.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Make room for @p more bytes and the NUL. */
static bool
strbuf_reserve(struct stoq_strbuf *b, size_t more)
{
    size_t need;
    if (b->failed)
        return false;
    if (__builtin_add_overflow(b->size, more, &need) ||
        __builtin_add_overflow(need, (size_t)1, &need)) {
        b->failed = true;
        return false;
    }
    if (need <= b->room)
        return true;
    size_t room = b->room < SIZE_MAX / 2 ? b->room * 2 : need;
    if (room < need)
        room = need;
    if (room < 64)
        room = 64;
    char *data = realloc(b->data, room);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->room = room;
    return true;
}

void
stoq_strbuf_add(struct stoq_strbuf *b, const void *data, size_t size)
{
    if (!strbuf_reserve(b, size))
        return;
    if (size > 0)
        memcpy(b->data + b->size, data, size);
    b->size += size;
    b->data[b->size] = '\0';
}

void
stoq_strbuf_adds(struct stoq_strbuf *b, const char *text)
{
    stoq_strbuf_add(b, text, strlen(text));
}

void
stoq_strbuf_addf(struct stoq_strbuf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0) {
        b->failed = true;
        return;
    }
    if (!strbuf_reserve(b, (size_t)n))
        return;
    va_start(args, fmt);
    (void)vsnprintf(b->data + b->size, (size_t)n + 1, fmt, args);
    va_end(args);
    b->size += (size_t)n;
}

char *
stoq_strbuf_steal(struct stoq_strbuf *b)
{
    stoq_strbuf_add(b, "", 0);
    char *text = NULL;
    if (!b->failed) {
        text = b->data;
        b->data = NULL;
    }
    stoq_strbuf_fini(b);
    return text;
}

void
stoq_strbuf_fini(struct stoq_strbuf *b)
{
    free(b->data);
    *b = (struct stoq_strbuf){0};
}

/* Append @p size bytes as a string. */
static int
strv_add_n(struct stoq_strv *v, const char *text, size_t size)
{
    if (v->count + 2 > v->room) {
        size_t room = v->room ? v->room * 2 : 8;
        char **items = realloc(v->items, room * sizeof(*items));
        if (!items)
            return -ENOMEM;
        v->items = items;
        v->room = room;
        v->items[v->count] = NULL;
    }
    char *copy = malloc(size + 1);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, text, size);
    copy[size] = '\0';
    v->items[v->count++] = copy;
    v->items[v->count] = NULL;
    return 0;
}

int
stoq_strv_add(struct stoq_strv *v, const char *text)
{
    return strv_add_n(v, text, strlen(text));
}

bool
stoq_strv_has(const struct stoq_strv *v, const char *text)
{
    for (size_t i = 0; i < v->count; i++) {
        if (strcmp(v->items[i], text) == 0)
            return true;
    }
    return false;
}

int
stoq_strv_add_unique(struct stoq_strv *v, const char *text)
{
    return stoq_strv_has(v, text) ? 0 : stoq_strv_add(v, text);
}

const char *const *
stoq_strv_items(const struct stoq_strv *v)
{
    static const char *const none[] = {NULL};
    return v->items ? (const char *const *)v->items : none;
}

int
stoq_strv_add_list(struct stoq_strv *v, const char *text)
{
    while (*text) {
        const char *end = strchrnul(text, ',');
        const char *from = text;
        const char *to = end;
        while (from < to && isspace((unsigned char)*from))
            from++;
        while (to > from && isspace((unsigned char)to[-1]))
            to--;
        if (from < to) {
            int r = strv_add_n(v, from, (size_t)(to - from));
            if (r < 0)
                return r;
        }
        text = *end ? end + 1 : end;
    }
    return 0;
}

int
stoq_strv_copy(struct stoq_strv *to, const struct stoq_strv *from)
{
    struct stoq_strv copy = {0};
    for (size_t i = 0; i < from->count; i++) {
        int r = stoq_strv_add(&copy, from->items[i]);
        if (r < 0) {
            stoq_strv_fini(&copy);
            return r;
        }
    }
    stoq_strv_fini(to);
    *to = copy;
    return 0;
}

void
stoq_strv_fini(struct stoq_strv *v)
{
    for (size_t i = 0; i < v->count; i++)
        free(v->items[i]);
    free(v->items);
    *v = (struct stoq_strv){0};
}
