/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of PNG, GIF, BMP and WebP images, and the Exif data of PNG and WebP. */

#include <stdio.h>

#include "parts.h"

#define CHUNKS_MAX 4096U

static void
read_ihdr(struct bytes b, struct result *out)
{
    static const char *const fields[] = {"BitDepth", "ColorType", "Compression",
                                         "Filter", "Interlace"};
    put_number(out, "ImageWidth", bytes_be32(b, 0));
    put_number(out, "ImageHeight", bytes_be32(b, 4));
    for (unsigned i = 0; i < 5; i++)
        put_number(out, fields[i], bytes_u8(b, 8 + i));
}

/* Keyword, NUL, text; the keywords that ExifTool shows as they are. */
static void
read_text(struct bytes b, struct result *out)
{
    static const char *const keys[] = {"Title",     "Author",   "Description",
                                       "Copyright", "Software", "Disclaimer",
                                       "Warning",   "Source",   "Comment"};
    size_t size = bytes_strnlen(b, 0, 80);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strlen(keys[i]) == size && bytes_are(b, 0, keys[i], size))
            put_text(out, keys[i], bytes_from(b, size + (uint64_t)1));
}

bool
read_png(struct bytes file, struct result *out)
{
    if (!bytes_are(file, 0, "\x89PNG\r\n\x1a\n", 8))
        return false;
    put_type(out, "PNG", "PNG", "image/png");
    uint64_t at = 8;
    for (unsigned i = 0; i < CHUNKS_MAX && bytes_has(file, at, 8); i++) {
        uint64_t size = bytes_be32(file, at);
        struct bytes body = bytes_at(file, at + 8, size);
        if (bytes_are(file, at + 4, "IHDR", 4) && size == 13) {
            read_ihdr(body, out);
        } else if (bytes_are(file, at + 4, "gAMA", 4) && bytes_be32(body, 0) != 0) {
            put_real(out, "Gamma", 100000.0 / bytes_be32(body, 0), 2);
        } else if (bytes_are(file, at + 4, "pHYs", 4)) {
            put_number(out, "PixelsPerUnitX", bytes_be32(body, 0));
            put_number(out, "PixelsPerUnitY", bytes_be32(body, 4));
            put_number(out, "PixelUnits", bytes_u8(body, 8));
        } else if (bytes_are(file, at + 4, "tEXt", 4)) {
            read_text(body, out);
        } else if (bytes_are(file, at + 4, "eXIf", 4)) {
            (void)read_tiff(body, at + 8, out);
        } else if (bytes_are(file, at + 4, "IEND", 4)) {
            return true;
        }
        at += size + 12;
    }
    out->cut = bytes_has(file, at, 8);
    return true;
}

bool
read_gif(struct bytes file, struct result *out)
{
    if (!bytes_are(file, 0, "GIF87a", 6) && !bytes_are(file, 0, "GIF89a", 6))
        return false;
    unsigned flags = bytes_u8(file, 10);
    put_type(out, "GIF", "GIF", "image/gif");
    put_text(out, "GIFVersion", bytes_at(file, 3, 3));
    put_number(out, "ImageWidth", bytes_le16(file, 6));
    put_number(out, "ImageHeight", bytes_le16(file, 8));
    put_number(out, "HasColorMap", flags >> 7);
    put_number(out, "ColorResolutionDepth", (flags >> 4 & 7) + 1);
    put_number(out, "BitsPerPixel", (flags & 7) + 1);
    put_number(out, "BackgroundColor", bytes_u8(file, 11));
    return true;
}

bool
read_bmp(struct bytes file, struct result *out)
{
    static const struct {
        const char *name;
        uint8_t at, size;
    } fields[] = {{"Planes", 26, 2},          {"BitDepth", 28, 2},
                  {"Compression", 30, 4},     {"ImageLength", 34, 4},
                  {"PixelsPerMeterX", 38, 4}, {"PixelsPerMeterY", 42, 4},
                  {"NumColors", 46, 4},       {"NumImportantColors", 50, 4}};
    uint32_t size = bytes_le32(file, 14);
    if (!bytes_are(file, 0, "BM", 2) || size < 40 || size > 124 ||
        !bytes_has(file, 14, size))
        return false;
    int64_t height = (int32_t)bytes_le32(file, 22);
    put_type(out, "BMP", "BMP", "image/bmp");
    put_number(out, "BMPVersion", size);
    put_number(out, "ImageWidth", bytes_le32(file, 18));
    put_number(out, "ImageHeight", height < 0 ? -height : height);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        put_number(out, fields[i].name,
                   (int64_t)bytes_number(file, fields[i].at, fields[i].size, false));
    return true;
}

static void
read_webp_chunk(struct bytes file, uint64_t at, struct bytes body, struct result *out)
{
    if (bytes_are(file, at, "VP8X", 4)) {
        put_type(out, "Extended WEBP", "WEBP", "image/webp");
        put_number(out, "WebP_Flags", bytes_le32(body, 0));
        put_number(out, "ImageWidth", (int64_t)bytes_number(body, 4, 3, false) + 1);
        put_number(out, "ImageHeight", (int64_t)bytes_number(body, 7, 3, false) + 1);
    } else if (bytes_are(file, at, "VP8 ", 4) &&
               bytes_are(body, 3, "\x9d\x01\x2a", 3)) {
        put_number(out, "ImageWidth", bytes_le16(body, 6) & 0x3fff);
        put_number(out, "ImageHeight", bytes_le16(body, 8) & 0x3fff);
    } else if (bytes_are(file, at, "VP8L", 4) && bytes_u8(body, 0) == 0x2f) {
        uint32_t bits = bytes_le32(body, 1);
        put_number(out, "ImageWidth", (bits & 0x3fff) + 1);
        put_number(out, "ImageHeight", (bits >> 14 & 0x3fff) + 1);
    } else if (bytes_are(file, at, "EXIF", 4)) {
        unsigned skip = bytes_are(body, 0, "Exif\0\0", 6) ? 6 : 0;
        (void)read_tiff(bytes_from(body, skip), at + 8 + skip, out);
    }
}

bool
read_webp(struct bytes file, struct result *out)
{
    if (!bytes_are(file, 0, "RIFF", 4) || !bytes_are(file, 8, "WEBP", 4))
        return false;
    put_type(out, "WEBP", "WEBP", "image/webp");
    uint64_t at = 12;
    for (unsigned i = 0; i < CHUNKS_MAX && bytes_has(file, at, 8); i++) {
        uint64_t size = bytes_le32(file, at + 4);
        read_webp_chunk(file, at, bytes_at(file, at + 8, size), out);
        at += 8 + size + (size & 1);
    }
    out->cut = bytes_has(file, at, 8);
    return true;
}
