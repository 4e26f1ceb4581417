/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transfer encodings (RFC 2045, uuencode) and encoded words (RFC 2047) of the smtp
 * worker. Broken data is read as far as the original reads it. Linear in the input; a
 * word's end is looked for once per header, not once per "=?".
 */

#include <string.h>

#include "parts.h"

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void
decode_q_body(struct buf *out, struct str in)
{
    const char *at = in.at, *end = at + in.size;
    while (at < end) {
        if (*at != '=') {
            const char *stop = memchr(at, '=', (size_t)(end - at));
            if (!stop)
                stop = end;
            buf_add(out, at, (size_t)(stop - at));
            at = stop;
            continue;
        }
        if (++at >= end)
            return;
        if (*at == '\n' || *at == '\r') { /* a soft line break */
            const char *line = memchr(at, '\n', (size_t)(end - at));
            at = line ? line + 1 : end;
        } else if (*at == '=') {
            buf_addc(out, *at++);
        } else if (end - at > 1 && hex_value(at[0]) >= 0 && hex_value(at[1]) >= 0) {
            buf_addc(out, (char)(hex_value(at[0]) << 4 | hex_value(at[1])));
            at += 2;
        } else {
            buf_addc(out, '=');
        }
    }
}

static void
decode_q_word(struct buf *out, struct str in)
{
    for (size_t i = 0; i < in.size; i++) {
        char c = in.at[i] == '_' ? ' ' : in.at[i];
        if (c == '=' && in.size - i > 2 && hex_value(in.at[i + 1]) >= 0 &&
            hex_value(in.at[i + 2]) >= 0) {
            c = (char)(hex_value(in.at[i + 1]) << 4 | hex_value(in.at[i + 2]));
            i += 2;
        }
        buf_addc(out, c);
    }
}

static int
base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Other characters are passed over, and padding that is missing is not missed; only one
 * character too many makes it no base64, and then it stays as it is. */
void
decode_base64(struct buf *out, struct str in)
{
    const size_t before = out->size;
    uint32_t bits = 0;
    unsigned have = 0, pads = 0;
    bool done = false;
    for (size_t i = 0; i < in.size && !done; i++) {
        const int v = base64_value(in.at[i]);
        if (in.at[i] == '=') {
            done = have >= 2 && have + ++pads >= 4;
            continue;
        }
        if (v < 0)
            continue;
        pads = 0;
        bits = bits << 6 | (uint32_t)v;
        if (++have < 4)
            continue;
        const char three[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
        buf_add(out, three, 3);
        have = 0;
        bits = 0;
    }
    if (have == 1) {
        out->size = before;
        for (size_t i = 0; i < in.size; i++)
            if (in.at[i] != '\r' && in.at[i] != '\n')
                buf_addc(out, in.at[i]);
    } else if (have >= 2) {
        buf_addc(out, (char)(bits >> (have == 2 ? 4 : 10)));
        if (have == 3)
            buf_addc(out, (char)(bits >> 2));
    }
}

/* --------------------------------------------------------------------- uuencode */

static struct str
next_line(struct str *rest)
{
    const char *at = rest->at, *end = at + rest->size;
    const char *p = at;
    while (p < end && *p != '\n' && *p != '\r')
        p++;
    const struct str line = {at, (size_t)(p - at)};
    if (p < end)
        p += *p == '\r' && end - p > 1 && p[1] == '\n' ? 2 : 1;
    *rest = (struct str){p, (size_t)(end - p)};
    return line;
}

/* One line; characters beyond its end are blanks. @return false: not uuencoded. */
static bool
uu_line(struct buf *out, struct str line, bool lenient)
{
    size_t want = (size_t)((line.at[0] - 32) & 63), i = 1;
    const size_t size =
        lenient && line.size > (want * 4 + 5) / 3 ? (want * 4 + 5) / 3 : line.size;
    uint32_t bits = 0;
    unsigned have = 0;
    for (; want > 0; i++) {
        const char c = i < size ? line.at[i] : ' ';
        if (c < ' ' || c > ' ' + 64)
            return false;
        bits = bits << 6 | (uint32_t)((c - ' ') & 63);
        have += 6;
        if (have >= 8) {
            have -= 8;
            buf_addc(out, (char)(bits >> have));
            want--;
        }
    }
    for (; i < size; i++)
        if (line.at[i] != ' ' && line.at[i] != '`')
            return false;
    return true;
}

static bool
uu_begin(struct str line)
{
    if (line.size < 7 || memcmp(line.at, "begin ", 6) != 0)
        return false;
    size_t i = 6;
    while (i < line.size && line.at[i] >= '0' && line.at[i] <= '7')
        i++;
    return i > 6 && (i == line.size || line.at[i] == ' ');
}

bool
decode_uu(struct buf *out, struct str in)
{
    const size_t before = out->size;
    struct str line = {in.at, 0};
    while (in.size > 0 && !uu_begin(line))
        line = next_line(&in);
    if (!uu_begin(line))
        return false;
    while (in.size > 0) {
        line = next_line(&in);
        const struct str word = str_strip(line);
        if (word.size == 3 && memcmp(word.at, "end", 3) == 0)
            break;
        const size_t here = out->size;
        if (line.size > 0 && uu_line(out, line, false))
            continue;
        out->size = here;
        if (line.size == 0 || !uu_line(out, line, true)) {
            out->size = before;
            return false;
        }
    }
    return true;
}

/* ---------------------------------------------------------------- encoded words */

static const char *
find_mark(struct cursor *c, const char *from)
{
    if (!c->mark_from || from < c->mark_from || from > c->mark) {
        const char *hit =
            from < c->end ? memmem(from, (size_t)(c->end - from), "?=", 2) : NULL;
        c->mark = hit ? hit : c->end;
        c->mark_from = from;
    }
    return c->mark < c->end ? c->mark : NULL;
}

/* charset ? encoding ? text, of which text has no '?'. */
static bool
split_word(struct str token, struct str piece[3])
{
    const char *at = token.at, *end = at + token.size;
    for (int i = 0; i < 3; i++) {
        const char *q = at < end ? memchr(at, '?', (size_t)(end - at)) : NULL;
        if ((q != NULL) != (i < 2))
            return false;
        piece[i] = (struct str){at, (size_t)((q ? q : end) - at)};
        at = q ? q + 1 : end;
    }
    for (size_t i = 0; i < piece[2].size; i++)
        if (piece[2].at[i] & (char)0x80)
            return false;
    return true;
}

static void
decode_pieces(const struct charsets *cs, const struct str piece[3], struct buf *out)
{
    BUF_AUTO bytes = {0};
    struct str charset = piece[0];
    const char *star = memchr(charset.at, '*', charset.size);
    if (star)
        charset.size = (size_t)(star - charset.at);
    if (str_is(piece[1], "q"))
        decode_q_word(&bytes, piece[2]);
    else
        decode_base64(&bytes, piece[2]);
    out->failed = out->failed || bytes.failed;
    const struct str s = str_of(&bytes);
    if (charset_decode(cs, charset, s, BAD_KEEP, out) < 0)
        buf_add(out, s.at, s.size);
}

enum word
decode_word(struct cursor *c, struct buf *out)
{
    if (c->end - c->at < 2 || memcmp(c->at, "=?", 2) != 0)
        return WORD_NONE;
    const char *from = c->at + 2, *mark = find_mark(c, from);
    if (!mark)
        return WORD_NONE;
    const char *after = mark + 2;
    struct str token = {from, (size_t)(mark - from)};
    /* the text itself may begin with "=XX": then this was not its end */
    const char *q = memchr(token.at, '?', token.size);
    const bool two = q && memchr(q + 1, '?', (size_t)(mark - q - 1));
    if (!two && c->end - after > 1 && hex_value(after[0]) >= 0 &&
        hex_value(after[1]) >= 0) {
        mark = find_mark(c, after);
        token.size = (size_t)((mark ? mark : c->end) - from);
        after = mark ? mark + 2 : c->end;
    }
    struct str piece[3];
    if (!split_word(token, piece) || (!str_is(piece[1], "q") && !str_is(piece[1], "b")))
        return WORD_INVALID;
    decode_pieces(c->charsets, piece, out);
    c->at = after;
    return WORD_OK;
}
