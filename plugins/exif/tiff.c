/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories of TIFF, which Exif uses too: TIFF 6.0, section 2. A directory is read
 * once, at most DIRECTORIES_MAX of them, so cycles end.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/auto.h"
#include "parts.h"

#define DIRECTORIES_MAX 32U
#define ENTRY_SIZE      12U

/* How ExifTool writes what has no value. */
static const char undefined[] = "undef";

enum format {
    FORMAT_BYTE = 1,
    FORMAT_ASCII,
    FORMAT_SHORT,
    FORMAT_LONG,
    FORMAT_RATIONAL,
    FORMAT_SBYTE,
    FORMAT_UNDEFINED,
    FORMAT_SSHORT,
    FORMAT_SLONG,
    FORMAT_SRATIONAL,
    FORMAT_FLOAT,
    FORMAT_DOUBLE,
    FORMAT_IFD
};
static const uint8_t widths[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4};

struct tiff {
    struct bytes data;
    uint64_t base;
    bool big;
    struct result *out;
    uint32_t seen[DIRECTORIES_MAX];
    unsigned count;
};

struct entry {
    const struct tag *tag;
    unsigned format;
    uint32_t count;
    struct bytes value;
};

static uint64_t
number(const struct tiff *t, struct bytes b, uint64_t off, unsigned width)
{
    return bytes_number(b, off, width, t->big);
}

static double
ratio(const struct tiff *t, struct bytes b, uint64_t off, bool is_signed)
{
    uint32_t up = (uint32_t)number(t, b, off, 4),
             down = (uint32_t)number(t, b, off + 4, 4);
    double top = is_signed ? (double)(int32_t)up : (double)up;
    double bottom = is_signed ? (double)(int32_t)down : (double)down;
    if (down == 0)
        return up != 0 ? (double)INFINITY : (double)NAN;
    char text[32]; /* ten digits, as everything that is computed from it */
    (void)snprintf(text, sizeof text, "%.10g", top / bottom);
    return strtod(text, NULL);
}

/* Item @i as a number. */
static double
item(const struct tiff *t, const struct entry *e, uint64_t i)
{
    unsigned width = e->format < sizeof widths ? widths[e->format] : 1;
    uint64_t off = i * width, bits = number(t, e->value, off, width);
    uint32_t short_bits = (uint32_t)bits;
    double wide;
    float narrow;
    switch (e->format) {
    case FORMAT_SBYTE:
        return (int8_t)bits;
    case FORMAT_SSHORT:
        return (int16_t)bits;
    case FORMAT_SLONG:
        return (int32_t)bits;
    case FORMAT_RATIONAL:
    case FORMAT_SRATIONAL:
        return ratio(t, e->value, off, e->format == FORMAT_SRATIONAL);
    case FORMAT_FLOAT:
        memcpy(&narrow, &short_bits, sizeof narrow);
        return (double)narrow;
    case FORMAT_DOUBLE:
        memcpy(&wide, &bits, sizeof wide);
        return wide;
    default:
        return (double)bits;
    }
}

static void
write_number(FILE *to, double value)
{
    if (isnan(value))
        (void)fputs(undefined, to);
    else if (isinf(value))
        (void)fputs("inf", to);
    else
        (void)fprintf(to, "%.15g", value);
}

/* Numbers, separated by blanks. */
static void
put_numbers(struct tiff *t, const struct entry *e)
{
    PLUGIN_AUTOFREE char *text = NULL;
    size_t size = 0;
    if (e->count > NUMBERS_MAX) {
        t->out->cut = true;
        put_binary(t->out, e->tag->name, e->value.size);
        return;
    }
    FILE *to = open_memstream(&text, &size);
    if (!to) {
        t->out->failed = true;
        return;
    }
    for (uint64_t i = 0; i < e->count; i++) {
        if (i > 0)
            (void)fputc(' ', to);
        write_number(to, item(t, e, i));
    }
    if (fclose(to) != 0) {
        t->out->failed = true;
        return;
    }
    if (e->tag->kind == TAG_LIST && size > 32)
        put_binary(t->out, e->tag->name, size);
    else
        put_string(t->out, e->tag->name, text);
}

static struct bytes
trimmed(struct bytes b, const char *what, size_t size)
{
    while (b.size > 0 && b.size <= TEXT_MAX && memchr(what, b.data[b.size - 1], size))
        b.size--;
    return b;
}

/* Text ends at a NUL, unless it is too long to be shown anyway. */
static struct bytes
up_to_nul(struct bytes b)
{
    size_t size = bytes_strnlen(b, 0, TEXT_MAX + 1);
    return size > TEXT_MAX ? b : bytes_at(b, 0, size);
}

static void
put_ascii(struct tiff *t, const struct entry *e)
{
    struct bytes b = up_to_nul(e->value);
    put_text(t->out, e->tag->name,
             e->tag->kind == TAG_TRIMMED ? trimmed(b, " \t\r\n\f", 5) : b);
}

/* Text behind the name of its character set, as in UserComment. */
static void
put_note(struct tiff *t, const struct entry *e)
{
    struct bytes text = bytes_from(e->value, 8);
    if (e->value.size < 8) {
        put_ascii(t, e);
    } else if (bytes_are(e->value, 0, "UNICODE\0", 8)) {
        put_utf16(t->out, e->tag->name, text, t->big);
    } else {
        put_text(t->out, e->tag->name, trimmed(up_to_nul(text), " ", 1));
    }
}

static void
put_time(struct tiff *t, const struct entry *e)
{
    char text[32];
    double seconds =
        (item(t, e, 0) * 60 + item(t, e, 1)) * 60 + (e->count > 2 ? item(t, e, 2) : 0);
    if (e->count < 2 || !(seconds >= 0 && seconds < 1e9)) {
        put_string(t->out, e->tag->name, "");
        return;
    }
    unsigned minutes = (unsigned)(seconds / 60);
    (void)snprintf(text, sizeof text, "%02u:%02u:%012.9f", minutes / 60, minutes % 60,
                   seconds - 60.0 * minutes);
    size_t size = strlen(text);
    while (text[size - 1] == '0')
        size--;
    text[text[size - 1] == '.' ? size - 1 : size] = '\0';
    put_string(t->out, e->tag->name, text);
}

static void
put_degrees(struct tiff *t, const struct entry *e)
{
    double degrees = 0, unit = 1;
    for (uint64_t i = 0; i < e->count && i < 3; i++, unit /= 60)
        degrees += item(t, e, i) * unit;
    if (isfinite(degrees))
        put_real(t->out, e->tag->name, degrees, 15);
    else
        put_string(t->out, e->tag->name, "");
}

static void
put_apex(struct tiff *t, const struct entry *e)
{
    double value = item(t, e, 0);
    if (e->tag->kind == TAG_APERTURE)
        value = exp2(value / 2);
    else
        value = fabs(value) < 100 ? exp2(-value) : 0;
    if (isfinite(value))
        put_real(t->out, e->tag->name, value, 15);
    else
        put_string(t->out, e->tag->name, undefined);
}

static void
put_entry(struct tiff *t, const struct entry *e)
{
    switch ((enum tag_kind)e->tag->kind) {
    case TAG_NOTE:
        put_note(t, e);
        return;
    case TAG_UTF16:
        put_utf16(t->out, e->tag->name, e->value, false);
        return;
    case TAG_SPEED:
    case TAG_APERTURE:
        put_apex(t, e);
        return;
    case TAG_DEGREES:
        put_degrees(t, e);
        return;
    case TAG_TIME:
        put_time(t, e);
        return;
    case TAG_OFFSET:
        put_number(t->out, e->tag->name,
                   (int64_t)(number(t, e->value, 0, widths[e->format]) + t->base));
        return;
    case TAG_BINARY:
        put_binary(t->out, e->tag->name, e->value.size);
        return;
    case TAG_CHARS:
        put_text(t->out, e->tag->name, trimmed(e->value, "", 1));
        return;
    case TAG_PLAIN:
    case TAG_TRIMMED:
    case TAG_OCTETS:
    case TAG_LIST:
    case TAG_EXIF:
    case TAG_GPS:
        break;
    }
    if (e->format == FORMAT_ASCII ||
        (e->format == FORMAT_UNDEFINED && e->tag->kind != TAG_OCTETS))
        put_ascii(t, e);
    else
        put_numbers(t, e);
}

/* Whether @size bytes more may be read; they are counted. */
static bool
take_work(struct result *out, size_t size)
{
    if (size > out->work) {
        out->cut = true;
        return false;
    }
    out->work -= size;
    return true;
}

static void read_directory(struct tiff *t, uint32_t off, bool gps);

static void
read_entry(struct tiff *t, struct bytes raw, bool gps)
{
    struct entry e = {.tag = tag_find(gps, (unsigned)number(t, raw, 0, 2)),
                      .format = (unsigned)number(t, raw, 2, 2),
                      .count = (uint32_t)number(t, raw, 4, 4)};
    if (!e.tag || e.format == 0 || e.format >= sizeof widths || e.count == 0)
        return;
    uint64_t size = (uint64_t)e.count * widths[e.format];
    e.value = size <= 4 ? bytes_at(raw, 8, size)
                        : bytes_at(t->data, number(t, raw, 8, 4), size);
    if (e.value.size == 0 ||
        !take_work(t->out, e.value.size < TEXT_MAX ? e.value.size : TEXT_MAX))
        return;
    if (e.tag->kind == TAG_EXIF || e.tag->kind == TAG_GPS)
        read_directory(t, (uint32_t)number(t, raw, 8, 4), e.tag->kind == TAG_GPS);
    else
        put_entry(t, &e);
}

/* Whether the directory at @off is new, and may be read. */
static bool
is_new(struct tiff *t, uint32_t off)
{
    for (unsigned i = 0; i < t->count; i++)
        if (t->seen[i] == off)
            return false;
    if (t->count == DIRECTORIES_MAX) {
        t->out->cut = true;
        return false;
    }
    t->seen[t->count++] = off;
    return true;
}

// NOLINTNEXTLINE(misc-no-recursion): is_new() allows DIRECTORIES_MAX calls in all
static void
read_directory(struct tiff *t, uint32_t off, bool gps)
{
    unsigned count = (unsigned)number(t, t->data, off, 2);
    if (!bytes_has(t->data, off, 2) || !is_new(t, off))
        return;
    for (unsigned i = 0; i < count; i++) {
        struct bytes raw =
            bytes_at(t->data, off + (uint64_t)2 + (uint64_t)i * ENTRY_SIZE, ENTRY_SIZE);
        if (raw.size == 0 || !take_work(t->out, ENTRY_SIZE))
            return;
        read_entry(t, raw, gps);
    }
}

bool
read_tiff(struct bytes data, uint64_t base, struct result *out)
{
    struct tiff t = {
        .data = data, .base = base, .big = bytes_are(data, 0, "MM", 2), .out = out};
    if ((!t.big && !bytes_are(data, 0, "II", 2)) || number(&t, data, 2, 2) != 42)
        return false;
    put_string(out, "ExifByteOrder", t.big ? "MM" : "II");
    uint32_t off = (uint32_t)number(&t, data, 4, 4);
    unsigned known = UINT32_MAX;
    while (off != 0 && t.count != known) {
        known = t.count;
        read_directory(&t, off, false);
        out->low = true; /* thumbnails and further pages */
        off = (uint32_t)number(
            &t, data, off + (uint64_t)2 + ENTRY_SIZE * number(&t, data, off, 2), 4);
    }
    out->low = false;
    const json_t *size = json_object_get(out->object, "ThumbnailLength");
    if (size && json_object_get(out->object, "ThumbnailOffset"))
        put_binary(out, "ThumbnailImage", (uint64_t)json_integer_value(size));
    return true;
}
