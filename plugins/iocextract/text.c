/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A payload as text, one byte a character. All that indicators consist of is ASCII; of
 * other characters it matters only whether they are letters or numbers, as these join
 * with what stands beside them to a word. Encodings are tried in the original's order:
 * a byte order mark, UTF-8, windows-1252, then UTF-8 with what is not left out.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parts.h"

const unsigned char text_classes[256] = {
    /* clang-format off */
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x20, 0x00, 0x24, 0x20, 0x00, 0x40, 0x00, 0x00, 0x24, 0x00, 0x26, 0x64, 0x20,
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x60, 0x00, 0x40, 0x20, 0x00, 0x20,
    0x40, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x27, 0x27, 0x27, 0x27, 0x27, 0x27, 0x27, 0x27, 0x27,
    0x27, 0x27, 0x27, 0x27, 0x27, 0x27, 0x27, 0x27, 0x27, 0x27, 0x27, 0x40, 0x20, 0x00, 0x00, 0x25,
    0x00, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x27, 0x27, 0x27, 0x27, 0x27, 0x27, 0x27, 0x27, 0x27,
    0x27, 0x27, 0x27, 0x27, 0x27, 0x27, 0x27, 0x27, 0x27, 0x27, 0x27, 0x40, 0x00, 0x00, 0x20, 0x00,
    0x01,
    /* clang-format on */
};

/* Bytes from 0x80 on that are letters or numbers in windows-1252, a bit each. */
static const uint32_t cp1252_words[4] = {0xd4005508U, 0x762c0400U, 0xff7fffffU,
                                         0xff7fffffU};
/* Those that are nothing there. */
static const unsigned char cp1252_holes[] = {0x81, 0x8d, 0x8f, 0x90, 0x9d};

static unsigned char
char_class(const struct words *w, uint32_t c)
{
    if (c < 0x80)
        return (unsigned char)c;
    return c < WORDS_END && (w->bits[c / 8] >> c % 8 & 1) ? TEXT_WORD : TEXT_OTHER;
}

/* Size of the UTF-8 sequence at @at, whose first byte is not ASCII; 0 = none. */
static size_t
sequence(struct bytes b, size_t at, uint32_t *code)
{
    unsigned char c = b.data[at];
    size_t size = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

    if (c < 0xc2 || c > 0xf4 || size > b.size - at)
        return 0;
    *code = c & (0x7fU >> size);
    for (size_t i = 1; i < size; i++) {
        if ((b.data[at + i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (b.data[at + i] & 0x3fU);
    }
    bool surrogate = *code >= 0xd800 && *code <= 0xdfff;
    return *code < least[size] || *code > 0x10ffff || surrogate ? 0 : size;
}

/* @return whether all of it is UTF-8; what is not stands as TEXT_OTHER. */
static bool
from_utf8(const struct words *w, struct bytes b, struct text *out)
{
    bool whole = true;

    for (size_t at = 0; at < b.size;) {
        uint32_t code = b.data[at];
        size_t size = code < 0x80 ? 1 : sequence(b, at, &code);

        whole = whole && size > 0;
        out->owned[out->size++] = size ? char_class(w, code) : TEXT_OTHER;
        at += size ? size : 1;
    }
    return whole;
}

static bool
from_cp1252(struct bytes b, struct text *out)
{
    for (size_t i = 0; i < sizeof cp1252_holes; i++)
        if (memchr(b.data, cp1252_holes[i], b.size))
            return false;
    for (size_t i = 0; i < b.size; i++) {
        unsigned char c = b.data[i];

        if (c >= 0x80)
            c = cp1252_words[(c - 0x80) / 32] >> c % 32 & 1 ? TEXT_WORD : TEXT_OTHER;
        out->owned[i] = c;
    }
    out->size = b.size;
    return true;
}

/* @return whether all of it is UTF-16. */
static bool
from_utf16(const struct words *w, struct bytes b, bool big, struct text *out)
{
    size_t n = 0;

    if (b.size % 2)
        return false;
    for (size_t at = 0; at < b.size; at += 2) {
        uint32_t code = (uint32_t)bytes_number(b, at, 2, big);

        if (code >= 0xd800 && code <= 0xdbff) {
            uint32_t low = (uint32_t)bytes_number(b, at + 2, 2, big);

            if (low < 0xdc00 || low > 0xdfff)
                return false;
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            at += 2;
        } else if (code >= 0xdc00 && code <= 0xdfff) {
            return false;
        }
        out->owned[n++] = char_class(w, code);
    }
    out->size = n;
    return true;
}

static bool
is_ascii(struct bytes b)
{
    uint64_t eight = 0, any = 0;
    size_t at = 0;

    for (; at + 8 <= b.size; at += 8) {
        memcpy(&eight, b.data + at, 8);
        any |= eight;
    }
    for (; at < b.size; at++)
        any |= b.data[at];
    return (any & 0x8080808080808080U) == 0;
}

int
text_decode(const struct words *w, struct bytes payload, struct text *out)
{
    struct bytes b = payload;
    bool little = b.size >= 4 && bytes_are(b, 0, "\xff\xfe", 2);
    bool big = b.size >= 4 && bytes_are(b, 0, "\xfe\xff", 2);

    *out = (struct text){b.data, b.size, NULL};
    if (is_ascii(b))
        return 0;
    *out = (struct text){.owned = malloc(b.size)};
    if (!out->owned)
        return -ENOMEM;
    out->at = out->owned;
    b = bytes_from(b, little || big ? 2 : bytes_are(b, 0, "\xef\xbb\xbf", 3) ? 3 : 0);
    if ((little || big) && from_utf16(w, b, big, out))
        return 0;
    if (b.data && !from_utf8(w, b, out))
        (void)from_cp1252(b, out); /* which leaves it as it is when it cannot be that */
    return 0;
}

static unsigned char
upper(unsigned char c)
{
    return c >= 'a' && c <= 'z' ? (unsigned char)(c - 'a' + 'A') : c;
}

bool
text_has(const struct text *t, size_t at, const char *word)
{
    for (; *word; word++, at++)
        if (at >= t->size || upper(t->at[at]) != (unsigned char)*word)
            return false;
    return true;
}

/* A mark as it is or, in any brackets, as it is or as a word. */
static size_t
mark(const struct text *t, size_t at, const char *plain, const char *word)
{
    static const char open[] = "[<{(", close[] = "]>})";

    if (text_has(t, at, plain))
        return 1;
    const char *bracket = at < t->size && t->at[at] ? strchr(open, t->at[at]) : NULL;
    if (!bracket)
        return 0;
    size_t size = text_has(t, at + 1, plain)  ? 1
                  : text_has(t, at + 1, word) ? strlen(word)
                                              : 0;
    size_t end = at + 1 + size;
    bool closed = end < t->size && t->at[end] == (unsigned char)close[bracket - open];
    return size > 0 && closed ? size + 2 : 0;
}

size_t
text_dot(const struct text *t, size_t at)
{
    return mark(t, at, ".", "DOT");
}

size_t
text_at_sign(const struct text *t, size_t at)
{
    return mark(t, at, "@", "AT");
}

size_t
text_scheme(const struct text *t, size_t colon)
{
    static const char *const schemes[] = {
        "HTTP:", "HXXP:", "MEOW:", "HTTPS:", "HXXPS:", "MEOWS:"};

    if (!text_has(t, colon, "://"))
        return 0;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t size = strlen(schemes[i]) - 1;

        if (size <= colon && text_has(t, colon - size, schemes[i]))
            return text_edge(t, colon - size) ? size : 0;
    }
    return 0;
}
