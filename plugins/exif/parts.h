/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_EXIF_PARTS_H
#define PLUGINS_EXIF_PARTS_H

/*
 * The parts of the exif worker: values as ExifTool prints them with -j -n (value.c),
 * the names of tags (tags.c), the directories of TIFF and Exif (tiff.c), what is
 * derived from several tags (composite.c), JPEG (jpeg.c), other images (images.c), PDF
 * (pdf*.c), and the worker (exif.c).
 *
 * Readers take hostile bytes and put what they find into `out`. A failed allocation
 * shows as `failed`, which the worker checks once at the end.
 */

#include <jansson.h>

#include "common/bytes.h"

/* No text longer than this is shown, no list of numbers with more items. */
#define TEXT_MAX    ((size_t)65536)
#define NUMBERS_MAX ((uint64_t)4096)
/* Bytes of values that are read in one scan: directories may lie on top of each other.
 */
#define WORK_MAX ((size_t)32 << 20)

struct result {
    json_t *object; /* borrowed */
    size_t work;    /* bytes of values that may still be read */
    bool failed;    /* out of memory */
    bool cut; /* a text or list was too long, or there were too many directories */
    bool low; /* values found now do not replace earlier ones */
};

/** Put a value (taken; NULL is a failed allocation). */
void put(struct result *out, const char *key, json_t *value);
/** Put text: as a number or boolean where it looks like one, as ExifTool does. */
void put_text(struct result *out, const char *key, struct bytes text);
void put_string(struct result *out, const char *key, const char *text);
void put_number(struct result *out, const char *key, int64_t value);
/** Put a number as "%.*g". */
void put_real(struct result *out, const char *key, double value, int digits);
/** Put what stands for data that is not shown. */
void put_binary(struct result *out, const char *key, uint64_t size);
/** Put UTF-16 text up to a NUL, as UTF-8. */
void put_utf16(struct result *out, const char *key, struct bytes text, bool big);
/** FileType, FileTypeExtension and MIMEType. */
void put_type(struct result *out, const char *type, const char *extension,
              const char *mime);
/** The number at @p key, or @p fallback. */
double get_real(const struct result *out, const char *key, double fallback);

enum tag_kind {
    TAG_PLAIN,    /* by its format */
    TAG_TRIMMED,  /* text without blanks at its end */
    TAG_CHARS,    /* undefined bytes that are text */
    TAG_OCTETS,   /* undefined bytes that are numbers */
    TAG_NOTE,     /* text after eight bytes that name its character set */
    TAG_UTF16,    /* little-endian UTF-16 */
    TAG_SPEED,    /* APEX: 2 ** -x */
    TAG_APERTURE, /* APEX: 2 ** (x / 2) */
    TAG_DEGREES,  /* degrees, minutes, seconds */
    TAG_TIME,     /* hours, minutes, seconds */
    TAG_LIST,     /* a list of offsets, not shown when long */
    TAG_OFFSET,   /* an offset, shown as that in the file */
    TAG_BINARY,   /* never shown */
    TAG_EXIF,     /* the offset of a directory with tags of the same table */
    TAG_GPS       /* ... of the GPS table */
};

struct tag {
    uint16_t id;
    uint8_t kind; /* enum tag_kind */
    const char *name;
};

/** @return NULL for an unknown tag. */
const struct tag *tag_find(bool gps, unsigned id);

/** Read a TIFF header and its directories, which are at @p base of the file.
 *  @return whether it is one. */
bool read_tiff(struct bytes tiff, uint64_t base, struct result *out);
/** Put ImageSize, Aperture, GPSPosition and the like. */
void put_composite(struct result *out);

bool read_jpeg(struct bytes file, struct result *out);
bool read_png(struct bytes file, struct result *out);
bool read_gif(struct bytes file, struct result *out);
bool read_bmp(struct bytes file, struct result *out);
bool read_webp(struct bytes file, struct result *out);
bool read_pdf(struct bytes file, struct result *out);

/* ------------------------------------------------------------------ inside pdf*.c */

/** Offset behind "NUMBER GENERATION obj" of the last such object, or SIZE_MAX. */
size_t pdf_object(struct bytes file, uint64_t number);
/** Offset of the value of /@p key in the dictionary at @p at, or SIZE_MAX. */
size_t pdf_key(struct bytes file, size_t at, const char *key);
/** The number N of a reference "N G R" at @p at. @return whether there is one. */
bool pdf_reference(struct bytes file, size_t at, uint64_t *number);
/** The value at @p at, or what it refers to. */
size_t pdf_follow(struct bytes file, size_t at);
/** A natural number at @p at. @return whether there is one. */
bool pdf_number(struct bytes file, size_t at, uint64_t *out);
/** Put the string at @p at; @p date: as a date. */
void pdf_put_string(struct bytes file, size_t at, const char *key, bool date,
                    struct result *out);

#endif
