/* SPDX-License-Identifier: Apache-2.0 */
/* The segments of a JPEG file up to the image data: ITU-T T.81, annex B. */

#include <stdio.h>

#include "parts.h"

#define SEGMENTS_MAX 4096U

static void
read_frame(struct bytes b, unsigned marker, struct result *out)
{
    char sampling[16];
    unsigned high = 0, wide = 0, low_high = 16, low_wide = 16;
    unsigned components = bytes_u8(b, 5);
    put_number(out, "ImageWidth", bytes_be16(b, 3));
    put_number(out, "ImageHeight", bytes_be16(b, 1));
    put_number(out, "EncodingProcess", marker - 0xc0);
    put_number(out, "BitsPerSample", bytes_u8(b, 0));
    put_number(out, "ColorComponents", components);
    if (components != 3 || !bytes_has(b, 6, 9))
        return;
    for (unsigned i = 0; i < 3; i++) {
        unsigned factors = bytes_u8(b, 7 + 3 * i);
        unsigned h = factors >> 4, v = factors & 15;
        wide = h > wide ? h : wide;
        high = v > high ? v : high;
        low_wide = h < low_wide ? h : low_wide;
        low_high = v < low_high ? v : low_high;
    }
    if (low_wide == 0 || low_high == 0)
        return;
    (void)snprintf(sampling, sizeof sampling, "%u %u", wide / low_wide,
                   high / low_high);
    put_string(out, "YCbCrSubSampling", sampling);
}

static void
read_jfif(struct bytes b, struct result *out)
{
    char version[16];
    (void)snprintf(version, sizeof version, "%u %u", bytes_u8(b, 5), bytes_u8(b, 6));
    put_string(out, "JFIFVersion", version);
    out->low = true; /* Exif counts more, wherever it is */
    put_number(out, "ResolutionUnit", bytes_u8(b, 7));
    put_number(out, "XResolution", bytes_be16(b, 8));
    put_number(out, "YResolution", bytes_be16(b, 10));
    out->low = false;
}

static void
read_segment(unsigned marker, struct bytes body, uint64_t base, struct result *out)
{
    if (marker == 0xe0 && bytes_are(body, 0, "JFIF\0", 5))
        read_jfif(body, out);
    else if (marker == 0xe1 && bytes_are(body, 0, "Exif\0\0", 6))
        (void)read_tiff(bytes_from(body, 6), base + 6, out);
    else if (marker == 0xfe)
        put_text(out, "Comment", bytes_at(body, 0, bytes_strnlen(body, 0, SIZE_MAX)));
    else if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 &&
             marker != 0xcc)
        read_frame(body, marker, out);
}

bool
read_jpeg(struct bytes file, struct result *out)
{
    if (!bytes_are(file, 0, "\xff\xd8\xff", 3))
        return false;
    put_type(out, "JPEG", "JPG", "image/jpeg");
    size_t at = 2;
    for (unsigned i = 0; i < SEGMENTS_MAX; i++) {
        while (bytes_are(file, at, "\xff\xff", 2))
            at++; /* fill bytes */
        unsigned marker = bytes_u8(file, at + (uint64_t)1);
        size_t size = bytes_be16(file, at + (uint64_t)2);
        if (bytes_u8(file, at) != 0xff || marker == 0xda || marker == 0xd9 || size < 2)
            return true;
        read_segment(marker, bytes_at(file, at + (uint64_t)4, size - 2), at + 4, out);
        at += 2 + size;
    }
    out->cut = true;
    return true;
}
