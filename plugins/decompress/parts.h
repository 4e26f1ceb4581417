/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DECOMPRESS_PARTS_H
#define DECOMPRESS_PARTS_H

/*
 * What the parts of the decompress plugin share. decompress.c is the plugin, kind.c
 * tells archives from other bytes, reader.c sets up libarchive, extract.c turns members
 * into children; forms.h is about formats that libarchive does not read. Calls share
 * nothing but the options, which do not change.
 */

#include <archive.h>
#include <locale.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stoq/plugin.h>

/** The plugin's options; the lists are borrowed from the context. */
struct stoq_decompress {
    const char *const *passwords;
    const char *const *always_dispatch; /**< for each child */
    const char **nested_dispatch;       /**< for a child that is an archive; owned */
    uint64_t maximum_size;              /**< bytes */
    uint64_t timeout;                   /**< seconds */
    uint64_t filters; /**< 1 << ARCHIVE_FILTER_*, built into libarchive */
    bool archive_extracted;
    bool nested;
    locale_t utf8; /**< so that libarchive keeps names; (locale_t)0 = none */
};

/* ------------------------------------------------------------------------ kind.c */

enum stoq_archive_form {
    STOQ_FORM_NONE,    /**< no marker known here */
    STOQ_FORM_STREAM,  /**< one compressed stream: one child */
    STOQ_FORM_ARCHIVE, /**< members */
    STOQ_FORM_RPM      /**< members within a compressed stream */
};

struct stoq_archive_kind {
    enum stoq_archive_form form;
    int filter; /**< ARCHIVE_FILTER_* of a stream */
};

/** What the first bytes say. */
struct stoq_archive_kind stoq_archive_kind(const unsigned char *data, size_t size);

enum stoq_archive_mime {
    STOQ_MIME_OTHER, /**< nothing that holds files */
    STOQ_MIME_MAYBE, /**< may hold files; none is no error */
    STOQ_MIME_ARCHIVE
};

/** What a MIME type says. @p mime may be NULL: nothing is known. */
enum stoq_archive_mime stoq_archive_mime(const char *mime);

/** The file name in a gzip header, within the data and not terminated, or NULL. */
const char *stoq_gzip_name(const unsigned char *data, size_t size, size_t *length);

/* ---------------------------------------------------------------------- reader.c */

/** The filters that libarchive has in itself, as bits. One that it lacks would be an
 *  external program, which this plugin must never run. */
uint64_t stoq_reader_filters(void);

/** One way to read the payload. */
struct stoq_reader_plan {
    struct stoq_archive_kind kind;
    uint64_t filters;             /**< those that may be used */
    const char *const *passwords; /**< @p password_count borrowed ones */
    size_t password_count;
    bool ignore_crc; /**< hand over a zip member's bytes whatever its checksum says */
};

/**
 * A reader on @p data, which must outlive it; free with archive_read_free().
 * @return 0; -ENOTSUP when the filter is not there; -EBADMSG with libarchive's text in
 *         @p err; -ENOMEM. On failure @p out is unchanged.
 */
int stoq_reader_open(const struct stoq_reader_plan *plan, const unsigned char *data,
                     size_t size, struct archive **out, struct stoq_error *err);

/* --------------------------------------------------------------------- extract.c */

struct stoq_sink;

/** One call's archive. */
struct stoq_extraction {
    const struct stoq_decompress *in;
    struct stoq_payload *payload;
    struct stoq_reply *reply;
    const unsigned char *data;
    size_t size;
    struct stoq_archive_kind kind;
    /** Reads what libarchive does not, or NULL; @p also: as well as libarchive. */
    int (*reader)(struct stoq_sink *);
    bool also;
    const char *mime;             /**< for error texts */
    bool quiet;                   /**< bytes that are no archive are no error */
    const char *const *passwords; /**< @p password_count, borrowed */
    size_t password_count;
};

/** Add the members as children, within the budgets. What went wrong with a member, or
 *  on the way, becomes a soft error or a limit. @return 0 or -ENOMEM. */
int stoq_extract_all(const struct stoq_extraction *x, struct stoq_error *err);

/** Add one child. @return 0; -E2BIG when a budget is used up, which is on record;
 *  -ENOMEM. */
int stoq_extract_emit(const struct stoq_extraction *x, const void *data, size_t size,
                      const char *name);

#define STOQ_NAME_ROOM 1024

/** A name for what has none, of the form that the original's temporary files have. It
 *  follows from the bytes, so that equal payloads have equal children. */
void stoq_extract_made_up(const struct stoq_extraction *x, char name[STOQ_NAME_ROOM]);

#endif
