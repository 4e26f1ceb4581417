/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers of attached mails, written as Python's email package writes them: unchanged
 * while every line fits, else folded anew, with encoded words (RFC 2047) for what is
 * not ASCII or cannot be folded, and RFC 2231 pieces for parameters. Address lists are
 * folded between addresses. Called by render.c.
 */

#include <stdio.h>
#include <string.h>

#include "parts.h"

#define NO_WORD SIZE_MAX

struct fold {
    const struct charsets *charsets;
    struct buf *out;
    size_t line;  /* where the last line begins in `out` */
    size_t width; /* characters that fit */
    size_t word;  /* where its last encoded word begins in the line, or NO_WORD */
};

static bool
is_ascii(struct str s)
{
    for (size_t i = 0; i < s.size; i++)
        if (s.at[i] & (char)0x80)
            return false;
    return true;
}

static size_t
used(const struct fold *f)
{
    return f->out->size - f->line;
}

static bool
fits(const struct fold *f, size_t size)
{
    return used(f) <= f->width && size <= f->width - used(f);
}

static void
new_line(struct fold *f)
{
    buf_addc(f->out, '\n');
    f->line = f->out->size;
}

/* Take the blank at the end of the line away; 0 when there is none. */
static char
steal_blank(struct fold *f)
{
    if (f->out->failed || used(f) == 0 ||
        !one_of(f->out->data[f->out->size - 1], WSP_CHARS))
        return '\0';
    return f->out->data[--f->out->size];
}

/* ---------------------------------------------------------------- encoded words */

static bool
is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           one_of(c, "-!*+/");
}

static void
encode_word(struct str s, struct buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t q = 0;
    const size_t b = (s.size + 2) / 3 * 4;
    for (size_t i = 0; i < s.size; i++)
        q += is_plain(s.at[i]) || s.at[i] == ' ' ? 1 : 3;
    const bool use_q = q < b + 5;
    buf_adds(out, use_q ? "=?utf-8?q?" : "=?utf-8?b?");
    for (size_t i = 0; use_q && i < s.size; i++) {
        const unsigned char c = (unsigned char)s.at[i];
        const char escaped[3] = {'=', hex[c >> 4], hex[c & 15]};
        if (c == ' ' || is_plain((char)c))
            buf_addc(out, c == ' ' ? '_' : (char)c);
        else
            buf_add(out, escaped, 3);
    }
    for (size_t i = 0; !use_q && i < s.size; i += 3) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (i + k < s.size ? (unsigned char)s.at[i + k] : 0U);
        for (size_t k = 0; k < 4; k++)
            buf_addc(out, k <= s.size - i ? digits[bits >> (18 - 6 * k) & 63] : '=');
    }
    buf_adds(out, "?=");
}

/* Bytes of the first @p count characters. */
static size_t
bytes_of(struct str s, size_t count)
{
    size_t i = 0;
    while (i < s.size && count-- > 0) {
        i++;
        while (i < s.size && (s.at[i] & (char)0xc0) == (char)0x80)
            i++;
    }
    return i;
}

/* As many encoded words as it takes, one to a line. */
static void
add_words(struct fold *f, struct str s)
{
    static const size_t chrome = sizeof "=?utf-8?q?" - 1 + 2;
    f->word = f->word == NO_WORD ? used(f) : f->word;
    while (s.size > 0 && !f->out->failed) {
        if (used(f) + chrome >= f->width) {
            new_line(f);
            buf_addc(f->out, ' ');
            continue;
        }
        BUF_AUTO word = {0};
        const size_t room = f->width - used(f);
        size_t n = bytes_of(s, room - chrome);
        encode_word((struct str){s.at, n}, &word);
        while (word.size > room && n > 0) {
            do
                n--;
            while (n > 0 && (s.at[n] & (char)0xc0) == (char)0x80);
            word.size = 0;
            encode_word((struct str){s.at, n}, &word);
        }
        if (n == 0)
            return; /* no character fits: the width is too small */
        buf_add(f->out, word.data, word.size);
        s = (struct str){s.at + n, s.size - n};
        if (s.size > 0) {
            new_line(f);
            buf_addc(f->out, ' ');
            f->word = used(f);
        }
    }
}

static void
add_encoded(struct fold *f, struct str s)
{
    BUF_AUTO joined = {0}, text = {0};
    if (f->word != NO_WORD && f->word <= used(f)) { /* go on with the last one */
        const size_t from = f->line + f->word;
        buf_add(&joined, f->out->data + from, f->out->size - from);
        buf_add(&joined, s.at, s.size);
        const struct str j = str_of(&joined);
        struct cursor c = {.charsets = f->charsets, .at = j.at, .end = j.at + j.size};
        take_unstructured(&c, &text);
        f->out->size = from;
        s = str_of(&text);
    }
    if (s.size && one_of(s.at[0], WSP_CHARS)) {
        if (used(f) == f->width) {
            const char blank = steal_blank(f);
            new_line(f);
            if (blank)
                buf_addc(f->out, blank);
        }
        buf_addc(f->out, s.at[0]);
        s = (struct str){s.at + 1, s.size - 1};
    }
    const bool trailing = s.size && one_of(s.at[s.size - 1], WSP_CHARS);
    add_words(f, (struct str){s.at, s.size - trailing});
    if (trailing)
        buf_addc(f->out, s.at[s.size - 1]);
}

/* ------------------------------------------------------------------------ tokens */

/* Put it on this line or, where there is a blank to fold at, on the next. */
static bool
place(struct fold *f, struct str s)
{
    if (fits(f, s.size)) {
        buf_add(f->out, s.at, s.size);
        return true;
    }
    if (s.size + 1 > f->width)
        return false;
    const char blank = steal_blank(f);
    if (!blank && !(s.size && one_of(s.at[0], WSP_CHARS)))
        return false;
    new_line(f);
    if (blank)
        buf_addc(f->out, blank);
    buf_add(f->out, s.at, s.size);
    f->word = NO_WORD;
    return true;
}

/* A run of text or of white space. */
static void
add_token(struct fold *f, struct str s)
{
    if (s.size && (!is_ascii(s) || !place(f, s)))
        add_encoded(f, s);
}

static void
add_tokens(struct fold *f, struct str s)
{
    struct cursor c = {.charsets = f->charsets, .at = s.at, .end = s.at + s.size};
    while (c.at < c.end) {
        const char *from = c.at;
        if (one_of(*c.at, WSP_CHARS))
            (void)take_space(&c);
        else
            while (c.at < c.end && !one_of(*c.at, WSP_CHARS))
                c.at++;
        add_token(f, (struct str){from, (size_t)(c.at - from)});
    }
}

static void
fold_text(struct fold *f, struct str value)
{
    if (!is_ascii(value) || !place(f, value))
        add_tokens(f, value);
}

/* -------------------------------------------------------------------- parameters */

static void
percent_encode(struct str s, struct buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.size; i++) {
        const unsigned char c = (unsigned char)s.at[i];
        const char escaped[3] = {'%', hex[c >> 4], hex[c & 15]};
        if (one_of((char)c, "_.-~") || (is_plain((char)c) && !one_of((char)c, "!*+/")))
            buf_addc(out, (char)c);
        else
            buf_add(out, escaped, 3);
    }
}

static void
add_pieces(struct fold *f, struct str name, struct str value, const char *charset)
{
    char head[64];
    size_t width = f->width;
    for (unsigned section = 0; value.size > 0 && !f->out->failed; section++) {
        const int n = snprintf(head, sizeof head, "*%u*=%s", section,
                               section == 0 ? charset : "");
        const size_t chrome = name.size + (size_t)n;
        if (width <= chrome + 3)
            width = LINE_WIDTH;
        const size_t room = width > chrome + 5 ? width - chrome - 2 : 3;
        size_t bytes = bytes_of(value, room);
        BUF_AUTO encoded = {0};
        for (;;) {
            encoded.size = 0;
            percent_encode((struct str){value.at, bytes}, &encoded);
            if (encoded.size <= room || bytes <= 4)
                break;
            do
                bytes--;
            while (bytes > 1 && (value.at[bytes] & (char)0xc0) == (char)0x80);
        }
        new_line(f);
        buf_addc(f->out, ' ');
        buf_add(f->out, name.at, name.size);
        buf_adds(f->out, head);
        buf_add(f->out, encoded.data, encoded.size);
        value = (struct str){value.at + bytes, value.size - bytes};
        if (value.size > 0)
            buf_addc(f->out, ';');
    }
}

static void
add_param(struct fold *f, struct str name, struct str value)
{
    BUF_AUTO text = {0};
    const bool ascii = is_ascii(value);
    const struct str line =
        str_strip_end((struct str){f->out->data + f->line, used(f)});
    if (!line.size || line.at[line.size - 1] != ';')
        buf_addc(f->out, ';');
    buf_add(&text, name.at, name.size);
    if (ascii) {
        buf_addc(&text, '=');
        quote_string(&text, value);
    } else {
        buf_adds(&text, "*=utf-8''");
        percent_encode(value, &text);
    }
    if (used(f) + text.size + 1 >= f->width && text.size + 2 > f->width) {
        add_pieces(f, name, value, ascii ? "us-ascii''" : "utf-8''");
        return;
    }
    if (used(f) + text.size + 1 >= f->width)
        new_line(f);
    buf_addc(f->out, ' ');
    buf_add(f->out, text.data, text.size);
}

/* A decoded header: what it says, and parameters in quotes. */
static void
fold_params(struct fold *f, struct str value)
{
    if (is_ascii(value) && fits(f, value.size)) {
        buf_add(f->out, value.at, value.size);
        return;
    }
    struct str piece = next_param(&value);
    buf_add(f->out, piece.at, piece.size);
    while (value.size > 0) {
        BUF_AUTO plain = {0};
        piece = str_strip(next_param(&value));
        const char *equal = piece.size ? memchr(piece.at, '=', piece.size) : NULL;
        const size_t size = equal ? (size_t)(equal - piece.at) : piece.size;
        if (equal)
            param_unquote((struct str){equal + 1, piece.size - size - 1}, &plain);
        add_param(f, (struct str){piece.at, size}, str_of(&plain));
    }
}

/* --------------------------------------------------------------------- addresses */

static void
fold_addresses(struct fold *f, struct str raw)
{
    if (is_ascii(raw) && place(f, raw))
        return;
    bool quoted = false;
    for (size_t i = 0, from = 0; i <= raw.size; i++) {
        if (i < raw.size && raw.at[i] == '"')
            quoted = !quoted;
        if (i < raw.size && (raw.at[i] != ',' || quoted))
            continue;
        const struct str address = {raw.at + from, i - from};
        if (!place(f, address))
            buf_add(f->out, address.at, address.size);
        if (i < raw.size && !place(f, (struct str){",", 1}))
            buf_addc(f->out, ',');
        from = i + 1;
    }
}

/* ----------------------------------------------------------------------- headers */

static bool
has_long_line(const struct header *h, size_t width)
{
    size_t size = h->name.size + 2;
    for (size_t i = 0; i < h->raw.size; i++) {
        const char c = h->raw.at[i];
        size = c == '\r' || c == '\n' ? 0 : size + ((c & (char)0xc0) != (char)0x80);
        if (size > width)
            return true;
    }
    return false;
}

static void
add_unchanged(const struct header *h, struct buf *out)
{
    for (size_t i = 0; i < h->raw.size; i++) {
        const char c = h->raw.at[i];
        if (c == '\r' && i + 1 < h->raw.size && h->raw.at[i + 1] == '\n')
            continue;
        buf_addc(out, c == '\r' ? '\n' : c);
    }
}

void
fold_header(struct mail *m, const struct header *h, size_t width, struct buf *out)
{
    struct fold f = {m->charsets, out, out->size, width, NO_WORD};
    buf_add(out, h->name.at, h->name.size);
    buf_adds(out, ": ");
    if (has_long_line(h, width) && h->raw.size <= HEADER_SIZE_MAX) {
        BUF_AUTO value = {0}, raw = {0};
        for (size_t i = 0; i < h->raw.size; i++)
            if (h->raw.at[i] != '\r' && h->raw.at[i] != '\n')
                buf_addc(&raw, h->raw.at[i]);
        mail_header_value(m, h, &value);
        if (is_address_header(h->name))
            fold_addresses(&f, str_of(&raw));
        else if (str_is(h->name, "content-type") ||
                 str_is(h->name, "content-disposition"))
            fold_params(&f, str_of(&value));
        else if (!str_is(h->name, "message-id"))
            fold_text(&f, str_of(&value));
        else if (!place(&f, str_of(&value)))
            buf_add(out, value.data, value.size);
        out->failed = out->failed || raw.failed;
    } else {
        add_unchanged(h, out);
    }
    buf_addc(out, '\n');
}
