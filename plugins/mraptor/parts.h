/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_MRAPTOR_PARTS_H
#define PLUGINS_MRAPTOR_PARTS_H

/*
 * Parts of the mraptor worker. mraptor.c is the plugin and tells what a payload is;
 * wrapped.c takes compound files out of what holds them; project.c takes macros out of
 * a compound file; text.c makes UTF-8 of them; judge.c looks for keywords. All sizes
 * are in bytes. Functions return 0 or -errno; -E2BIG says that a limit is on record and
 * that the search is to end with what was found.
 */

#include <iconv.h>
#include <locale.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stoq/plugin.h>

#include "common/bytes.h"

/** Bytes that one call reads, decompresses or decodes. */
#define MRAPTOR_WORK ((uint64_t)512 << 20)
/** Bytes of macros. */
#define MRAPTOR_CODE ((size_t)32 << 20)
/** Bytes of one compound file taken out of another file. */
#define MRAPTOR_PART ((size_t)128 << 20)
/** Compound files within each other, the outermost one aside. */
#define MRAPTOR_DEPTH 4U
/** Bytes of one module, and of one project's directory. */
#define MRAPTOR_MODULE ((size_t)8 << 20)

/* --------------------------------------------------------------------------- text.c */

/** Converters from the code pages that projects use, opened before files are out of
 *  reach. */
struct text_pages;
struct text_pages *text_pages_new(void);
void text_pages_free(struct text_pages *p);

/** UTF-8. Zero-initialise; free `data`. */
struct text {
    char *data;
    size_t size, room;
};

int text_append(struct text *t, const void *data, size_t size);
/** Append bytes of Windows code page @p page with U+FFFD for what cannot be read; of
 *  page 1252 when that one is not known. */
int text_append_page(struct text *t, const struct text_pages *p, unsigned page,
                     struct bytes from);
/** The same for UTF-8 that may not be valid, and for UTF-16LE. */
int text_append_utf8(struct text *t, struct bytes from);
int text_append_utf16(struct text *t, struct bytes from);

/* -------------------------------------------------------------------------- judge.c */

/** The first place of each kind; size 0: none. */
struct judgement {
    struct bytes autoexec, write, execute;
};

/** Join lines that end with the mark for it, in place. */
void judge_join_lines(struct text *t);
/** @param words  a locale that knows letters of all scripts, or (locale_t)0. */
struct judgement judge(struct bytes code, locale_t words);

/* ------------------------------------------------------------------------- one call */

struct mraptor {
    struct text_pages *pages;
    locale_t utf8; /**< (locale_t)0 = none */
};

struct search {
    const struct mraptor *in;
    struct stoq_reply *reply;
    struct text code; /**< of all modules */
    size_t modules;
    bool found;     /**< there are macros */
    unsigned depth; /**< compound files within compound files */
    uint64_t work;
};

/** Record a limit. @return -E2BIG. */
int search_limit(struct search *s, const char *name, uint64_t value);
/** Take @p cost from what may still be done. @return 0 or -E2BIG. */
int search_pay(struct search *s, uint64_t cost);

/* ------------------------------------------------------------------------ project.c */

struct cfb;
/** Add the macros of a compound file. */
int project_search(struct search *s, const struct cfb *c);

/* ------------------------------------------------------------------------ wrapped.c */

/** Add the macros of a compound file; one that cannot be read has none. */
int wrapped_ole(struct search *s, struct bytes file);
/** Whether a compound file is a presentation of PowerPoint 97. */
bool wrapped_is_ppt(const struct cfb *c);
int wrapped_ppt(struct search *s, const struct cfb *c);
/** Whether the file ends as a zip archive. */
bool wrapped_is_zip(struct bytes file);
/** @param readable  set to false when it is no archive after all, or encrypted. */
int wrapped_zip(struct search *s, struct bytes file, bool *readable);
/** Compound files in text, encoded in base64. */
int wrapped_base64(struct search *s, struct bytes file);

#endif
