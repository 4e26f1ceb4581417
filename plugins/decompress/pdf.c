/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streams of a PDF file that are packed, unpacked: found by the words around them,
 * not by the file's tables, which hostile files get wrong. Images and fonts are left
 * out. Filters: Flate, LZW is not known, ASCIIHex, ASCII85. Predictors are not undone.
 * After ISO 32000-1, section 7.4. Called by forms.c; no state.
 */

#include <errno.h>
#include <stdio.h>

#include "forms.h"

#define DICTIONARY_MAX 4096U
#define FILTERS_MAX    8U

enum filter { FILTER_NONE, FILTER_FLATE, FILTER_HEX, FILTER_85, FILTER_OTHER };

static bool
is_space(unsigned c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == 0;
}

static bool
is_regular(unsigned c)
{
    return !is_space(c) && !memchr("()<>[]{}/%", (int)c, 10);
}

static int
hex_value(unsigned c)
{
    if (c >= '0' && c <= '9')
        return (int)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (int)(c - 'a' + 10) : -1;
}

/* The name after the '/' at @p *at, with #xx undone, cut to 31 letters. */
static void
read_name(struct bytes d, size_t *at, char name[32])
{
    size_t n = 0;
    for (++*at; *at < d.size && is_regular(d.data[*at]); ++*at) {
        unsigned c = d.data[*at];
        if (c == '#' && *at + 2 < d.size) {
            const int high = hex_value(d.data[*at + 1]),
                      low = hex_value(d.data[*at + 2]);
            if (high >= 0 && low >= 0) {
                c = (unsigned)(high << 4 | low);
                *at += 2;
            }
        }
        if (n < 31)
            name[n++] = (char)c;
    }
    name[n] = '\0';
}

static enum filter
filter_of(const char *name)
{
    static const struct {
        const char *name;
        enum filter filter;
    } names[] = {{"FlateDecode", FILTER_FLATE},  {"Fl", FILTER_FLATE},
                 {"ASCIIHexDecode", FILTER_HEX}, {"AHx", FILTER_HEX},
                 {"ASCII85Decode", FILTER_85},   {"A85", FILTER_85}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, name) == 0)
            return names[i].filter;
    return FILTER_OTHER;
}

/* What a stream's dictionary says. */
struct stream {
    enum filter filters[FILTERS_MAX];
    size_t count;
    bool skip; /* an image, a font, or a table */
    bool file; /* an attachment */
};

static void
read_dictionary(struct bytes d, struct stream *st)
{
    bool in_filter = false, in_array = false;
    *st = (struct stream){.count = 0};
    for (size_t at = 0; at < d.size;) {
        char name[32];
        const unsigned c = d.data[at];
        if (c != '/') {
            in_array = in_filter && (c == '[' || (in_array && c != ']'));
            in_filter = in_filter && (in_array || is_space(c));
            at++;
            continue;
        }
        read_name(d, &at, name);
        if (strcmp(name, "Filter") == 0 || strcmp(name, "F") == 0) {
            in_filter = true;
            continue;
        }
        if (in_filter && st->count < FILTERS_MAX)
            st->filters[st->count++] = filter_of(name);
        in_filter = in_filter && in_array;
        st->file = st->file || strcmp(name, "EmbeddedFile") == 0;
        static const char *const skipped[] = {
            "Image", "XRef", "Length1", "Type1C", "CIDFontType0C", "OpenType", "CMap"};
        for (size_t i = 0; i < sizeof skipped / sizeof *skipped; i++)
            st->skip = st->skip || strcmp(name, skipped[i]) == 0;
    }
}

/* ----------------------------------------------------------------------- filters */

static void
decode_hex(struct stoq_sink *s, struct bytes in)
{
    int high = -1;
    for (size_t i = 0; i < in.size && in.data[i] != '>' && s->error == 0; i++) {
        const int value = hex_value(in.data[i]);
        if (value < 0)
            continue;
        if (high >= 0)
            (void)stoq_sink_byte(s, (unsigned)(high << 4 | value));
        high = high >= 0 ? -1 : value;
    }
    if (high >= 0)
        (void)stoq_sink_byte(s, (unsigned)high << 4);
}

static void
put_85(struct stoq_sink *s, uint32_t value, unsigned digits)
{
    for (unsigned i = digits; i < 5; i++)
        value = value * 85 + 84;
    for (unsigned i = 0; i + 1 < digits; i++)
        (void)stoq_sink_byte(s, value >> (24 - 8 * i) & 0xff);
}

static void
decode_85(struct stoq_sink *s, struct bytes in)
{
    uint32_t value = 0;
    unsigned digits = 0;
    for (size_t i = 0; i < in.size && in.data[i] != '~' && s->error == 0; i++) {
        const unsigned c = in.data[i];
        if (c == 'z' && digits == 0) {
            put_85(s, 0, 5);
        } else if (c >= '!' && c <= 'u') {
            value = value * 85 + (c - '!');
            if (++digits == 5) {
                put_85(s, value, 5);
                value = digits = 0;
            }
        }
    }
    if (digits > 1)
        put_85(s, value, digits);
}

/* Run the filters, from one sink to the other and back. @return the last one used, NULL
 * when there was none. */
static struct stoq_sink *
decode(struct stoq_sink sinks[2], const struct stream *st, struct bytes in)
{
    struct stoq_sink *last = NULL;
    for (size_t i = 0; i < st->count && st->filters[i] != FILTER_OTHER; i++) {
        struct stoq_sink *s = &sinks[i % 2];
        stoq_sink_begin(s);
        if (st->filters[i] == FILTER_FLATE)
            (void)stoq_inflate(s, in, 15, NULL);
        else if (st->filters[i] == FILTER_HEX)
            decode_hex(s, in);
        else
            decode_85(s, in);
        last = s;
        if (s->error != 0)
            break;
        in = (struct bytes){s->data, s->size};
    }
    return last;
}

/* ----------------------------------------------------------------------- streams */

/* The dictionary before @p at, from the last "obj" on. */
static struct bytes
dictionary_before(struct bytes data, size_t at, size_t lowest)
{
    if (at - lowest > DICTIONARY_MAX)
        lowest = at - DICTIONARY_MAX;
    for (size_t i = at; i >= lowest + 3; i--)
        if (bytes_are(data, i - 3, "obj", 3))
            return bytes_at(data, i, at - i);
    return bytes_at(data, lowest, at - lowest);
}

/* Where the stream after the word at @p at starts; SIZE_MAX when it is no such word. */
static size_t
stream_start(struct bytes data, size_t at)
{
    size_t before = at;
    while (before > 0 && is_space(data.data[before - 1]))
        before--;
    if (before < 2 || !bytes_are(data, before - 2, ">>", 2))
        return SIZE_MAX;
    at += 6;
    if (bytes_u8(data, at) == '\r')
        at++;
    if (bytes_u8(data, at) == '\n')
        at++;
    return at <= data.size ? at : SIZE_MAX;
}

static int
read_stream(struct stoq_sink *s, struct stoq_sink sinks[2], struct bytes in,
            struct bytes dictionary)
{
    struct stream st;
    char name[32];
    read_dictionary(dictionary, &st);
    if (st.skip)
        return 0;
    struct stoq_sink *last = decode(sinks, &st, in);
    if (!last && st.file) { /* as it is */
        last = &sinks[0];
        stoq_sink_begin(last);
        (void)stoq_sink_put(last, in.data, in.size);
    }
    if (!last || (last->size == 0 && last->error == 0))
        return 0;
    (void)snprintf(name, sizeof name, "stream-%zu", s->members++);
    const int r = stoq_sink_end(last, name, sizeof name, NULL);
    s->stop = last->stop;
    return r;
}

/* The stream's size: what the dictionary says where it is right, else up to the word
 * that ends it, which is at @p end. */
static size_t
stream_size(struct bytes data, size_t start, size_t end, struct bytes dictionary)
{
    size_t at = bytes_find(dictionary, 0, "/Length ", 8), size = 0;
    if (at == SIZE_MAX)
        return end - start;
    for (at += 8; at < dictionary.size && size < data.size; at++) {
        const unsigned digit = dictionary.data[at] - (unsigned)'0';
        if (digit > 9)
            break;
        size = size * 10 + digit;
    }
    for (size_t i = 0; i < 3 && size <= end - start; i++)
        if (start + size + i == end)
            return size;
    return end - start;
}

static int
read_streams(struct stoq_sink *s, struct stoq_sink sinks[2], struct bytes data)
{
    size_t lowest = 0;
    for (size_t at = 0; !s->stop && stoq_sink_time(s) &&
                        (at = bytes_find(data, at, "stream", 6)) != SIZE_MAX;) {
        const size_t start = stream_start(data, at);
        if (start == SIZE_MAX) {
            at += 6;
            continue;
        }
        const size_t end = bytes_find(data, start, "endstream", 9);
        const size_t stop = end == SIZE_MAX ? data.size : end;
        struct bytes dictionary = dictionary_before(data, at, lowest);
        const size_t size = stream_size(data, start, stop, dictionary);
        const int r = read_stream(s, sinks, bytes_at(data, start, size), dictionary);
        if (r < 0)
            return r;
        lowest = at = stop + (end == SIZE_MAX ? 0 : 9);
    }
    return 0;
}

int
stoq_pdf_read(struct stoq_sink *s)
{
    const struct bytes data = {s->x->data, s->x->size};
    struct stoq_sink sinks[2];
    if (bytes_find(data, 0, "/Encrypt", 8) != SIZE_MAX) {
        stoq_sink_encrypted(s);
        return 0;
    }
    stoq_sink_init(&sinks[0], s->x);
    stoq_sink_init(&sinks[1], s->x);
    const int r = read_streams(s, sinks, data);
    stoq_sink_fini(&sinks[0]);
    stoq_sink_fini(&sinks[1]);
    return r;
}
