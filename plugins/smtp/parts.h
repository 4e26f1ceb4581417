/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_SMTP_PARTS_H
#define PLUGINS_SMTP_PARTS_H

/*
 * The parts of the smtp worker. A mail is text first (text.c), then a tree of parts
 * (tree.c); headers get their value by what they are called (header.c, address.c,
 * mime.c), contents by their transfer encoding (decode.c); select.c tells bodies from
 * attachments, render.c writes a part as a mail again, smtp.c makes the reply.
 * Strings are UTF-8 with a length; in a header being decoded, bytes that are not are
 * what could not be decoded. No locks: one call at a time.
 */

#include <iconv.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stoq/plugin.h>

/* ------------------------------------------------------------------------ text.c */

/** A growing string. When memory runs out it is `failed`, and adding does nothing. */
struct buf {
    char *data; /**< owned; free with buf_free() */
    size_t size, room;
    bool failed;
};

void buf_add(struct buf *b, const void *data, size_t size);
void buf_adds(struct buf *b, const char *text);
void buf_addc(struct buf *b, char c);
/** @p code as UTF-8. */
void buf_add_code(struct buf *b, uint32_t code);
void buf_free(struct buf *b);
#define BUF_AUTO __attribute__((cleanup(buf_free))) struct buf

/** A piece of text, borrowed. `at` is NULL only when it says so. */
struct str {
    const char *at;
    size_t size;
};

static inline struct str
str_of(const struct buf *b)
{
    return (struct str){b->data ? b->data : "", b->size};
}

/** What the text is, ASCII letters compared without case. */
bool str_is(struct str s, const char *text);
/** Whether @p s ends at or begins with white space of Unicode: its size, or 0. */
size_t space_at(const char *at, const char *end);
struct str str_strip(struct str s);
struct str str_strip_end(struct str s);
/** Append ASCII lower case. */
void buf_add_lower(struct buf *b, struct str s);

/** Bytes of the character at @p at if it is valid UTF-8; else 0 with @p bad set to the
 *  number of bytes that one replacement character stands for. */
size_t utf8_at(const char *at, const char *end, uint32_t *code, size_t *bad);
/** Append with U+FFFD for what is not UTF-8. */
void buf_add_valid(struct buf *b, struct str s);
/** Append the text as Python's raw-unicode-escape: Latin-1, others as \uXXXX. */
void buf_add_escaped(struct buf *b, struct str s);
/** Append with %XX resolved. */
void buf_add_unquoted(struct buf *b, struct str s);

/* --------------------------------------------------------------------- charset.c */

#define CHARSETS_MAX 96

/** Converters to UTF-8, opened beforehand: a scan can open no file. */
struct charsets {
    iconv_t all[CHARSETS_MAX];
};

void charsets_open(struct charsets *c);
void charsets_close(struct charsets *c);

enum bad_bytes {
    BAD_KEEP,    /**< append them as they are */
    BAD_REPLACE, /**< U+FFFD */
    BAD_FAIL
};

/**
 * Append @p bytes of @p charset as UTF-8.
 * @return 0; -ENOENT for an unknown charset; -EILSEQ for BAD_FAIL and bad bytes, with
 *         part of the text appended.
 */
int charset_decode(const struct charsets *c, struct str charset, struct str bytes,
                   enum bad_bytes bad, struct buf *out);
/** Append bytes of unknown charset: by a byte order mark, an XML declaration, as UTF-8,
 *  as windows-1252, else with U+FFFD. */
void charset_guess(const struct charsets *c, struct str bytes, struct buf *out);

/* ---------------------------------------------------------------------- decode.c */

void decode_q_body(struct buf *out, struct str in);
void decode_base64(struct buf *out, struct str in);
/** @return false when it is no uuencoded data, with @p out as it was. */
bool decode_uu(struct buf *out, struct str in);

/** A header value being read. */
struct cursor {
    const struct charsets *charsets;
    const char *at, *end;
    const char *mark;      /**< the first "?=" at or after mark_from, or `end` */
    const char *mark_from; /**< NULL = not looked for */
};

enum word {
    WORD_OK,
    WORD_NONE,   /**< no encoded word */
    WORD_INVALID /**< something between its marks, but not an encoded word */
};

/** Append the encoded word at the cursor, decoded, and go behind it. */
enum word decode_word(struct cursor *c, struct buf *out);

/* ------------------------------------------------------------------------ lex.c */

#define WSP_CHARS "\t "
#define SPECIALS  "()<>@,:;.\\\"[]"
#define TSPECIALS "()<>@,:;\\\"[]/?="

bool one_of(char c, const char *set);
/** Whether there is a character, and it is one of @p set. */
bool at_one_of(const struct cursor *c, const char *set);
bool at_phrase_end(const struct cursor *c);
bool at_cfws(const struct cursor *c);
/** White space of Unicode from here on. */
struct str take_space(struct cursor *c);
/** White space and comments; @p out, which may be NULL, gets them. */
void take_cfws(struct cursor *c, struct buf *out);
/** One or more characters not in @p ends. @return false when there are none. */
bool take_run(struct cursor *c, const char *ends, struct str *run);
/** Up to white space or one of @p ends, backslashes resolved. */
void take_ptext(struct cursor *c, const char *ends, struct buf *out);
/** A quoted string, without what surrounds it; the cursor is at its '"'. */
void take_quoted(struct cursor *c, struct buf *content);

/** How a token is written: as the original prints it, or as its value. */
enum form { FORM_TEXT, FORM_VALUE };
/** An atom or quoted string with what surrounds it. @return false: none here, and the
 *  cursor has not moved. */
bool take_word(struct cursor *c, enum form form, struct buf *out);
/** Words, dots and comments up to the end of a phrase. @return whether white space or
 *  comments came last. */
bool take_phrase(struct cursor *c, enum form form, struct buf *out);
/** A run of atoms with dots between; same contract as take_word(). */
bool take_dot_atom_text(struct cursor *c, struct buf *out);
/** Everything up to one of @p ends: what cannot be understood. */
void take_invalid(struct cursor *c, const char *ends, struct buf *out);
void quote_string(struct buf *out, struct str s);

/* --------------------------------------------------------------------- header.c */

/** Append the decoded value of a header, valid UTF-8. @p raw has no line ends. */
void header_value(const struct charsets *cs, struct str name, struct str raw,
                  struct buf *out);
void take_unstructured(struct cursor *c, struct buf *out);
bool is_address_header(struct str name);

/* date.c, address.c, mime.c: the same for their kinds, perhaps with undecoded bytes */
void header_date(struct str raw, struct buf *out);
void header_addresses(struct cursor *c, struct buf *out);
bool take_domain(struct cursor *c, enum form form, struct buf *out);
bool take_local_part(struct cursor *c, struct buf *out);
void header_content_type(struct cursor *c, struct buf *out);
void header_disposition(struct cursor *c, struct buf *out);
void header_encoding(struct cursor *c, struct buf *out);

/* ------------------------------------------------------------------------ tree.c */

#define DEPTH_MAX       100U
#define PARTS_MAX       ((size_t)10000)
#define HEADERS_MAX     ((size_t)10000) /* of one mail, all parts together */
#define HEADER_SIZE_MAX ((size_t)256 * 1024)

struct header {
    struct str name;
    struct str raw; /**< with line ends, within the text */
};

struct part {
    struct header *headers; /**< owned */
    size_t header_count, header_room;
    struct part *parent, *first, *last_child, *next;
    size_t child_count;
    bool is_list; /**< consists of parts; else of `payload` */
    bool digest;  /**< in a multipart/digest: a message unless it says otherwise */
    bool cut;     /**< left unread inside, because of a limit */
    bool used;    /**< is a body or became a child */
    struct str payload, preamble, epilogue;       /**< at NULL = none */
    char *type;                                   /**< "main/sub", lower case; owned */
    char *disposition;                            /**< lower case, NULL = none; owned */
    struct buf content_type, content_disposition; /**< decoded; data NULL = none */
};

struct mail {
    const struct charsets *charsets;
    struct buf text; /**< the whole mail; parts point into it */
    struct part *root;
    size_t part_count, header_count;
    size_t hit_depth, hit_parts, hit_headers,
        hit_header_size; /**< limits: 0 = not hit */
    bool no_memory;
};

/** Read mail->text into a tree. @return 0 or -ENOMEM. Free with mail_fini(). */
int mail_parse(struct mail *m);
void mail_fini(struct mail *m);
/** First header of that name, or NULL. */
const struct header *part_header(const struct part *p, const char *name);
/** Append the decoded value of a header, and note when it was cut. */
void mail_header_value(struct mail *m, const struct header *h, struct buf *out);
/** Parameter @p name of a decoded header value. @return false when there is none. */
bool param_get(struct str header, const char *name, struct buf *out);
/** Undo quoting, as often as callers of the original do. */
void param_unquote(struct str s, struct buf *out);
/** The piece up to the next ';' outside quotes; @p rest is then behind it. */
struct str next_param(struct str *rest);

/* ---------------------------------------------------------------------- select.c */

/** The part that is the body of @p subtype ("plain", "html"), or NULL. */
struct part *select_body(struct mail *m, const char *subtype);
/** Call @p each for every attachment, until it fails. @return what it returned. */
int select_attachments(struct mail *m, int (*each)(void *self, struct part *p),
                       void *self);
/** Append the content of a part that is no list, transfer encoding undone. */
void part_content(struct mail *m, const struct part *p, struct buf *out);

/* ---------------------------------------------------------------------- render.c */

#define LINE_WIDTH ((size_t)78)

/** Append the part as a mail of its own. */
void render_part(struct mail *m, const struct part *p, struct buf *out);

/* ------------------------------------------------------------------------ fold.c */

/** Append the header as it is, or folded anew when a line is longer than @p width. */
void fold_header(struct mail *m, const struct header *h, size_t width, struct buf *out);

#endif
