/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which bytes and which MIME types stand for archives. Markers decide how the payload
 * is read, MIME types only whether it is read at all: libmagic has more names for zip
 * files than anybody lists. Called by decompress.c and extract.c; no state.
 */

#include <string.h>

#include "parts.h"

struct marker {
    size_t offset;
    const char *bytes;
    size_t size;
    enum stoq_archive_form form;
    int filter;
};

#define STREAM(bytes, filter)                                                  \
    {                                                                          \
        0, bytes, sizeof(bytes) - 1, STOQ_FORM_STREAM, ARCHIVE_FILTER_##filter \
    }
#define MEMBERS(offset, bytes)                                                   \
    {                                                                            \
        offset, bytes, sizeof(bytes) - 1, STOQ_FORM_ARCHIVE, ARCHIVE_FILTER_NONE \
    }

static const struct marker markers[] = {
    STREAM("\x1f\x8b\x08", GZIP),
    STREAM("BZh", BZIP2),
    STREAM("\xfd"
           "7zXZ\0",
           XZ),
    STREAM("\x28\xb5\x2f\xfd", ZSTD),
    STREAM("\x1f\x9d", COMPRESS),
    STREAM("LZIP", LZIP),
    STREAM("\x04\x22\x4d\x18", LZ4),
    STREAM("\x89LZO\0\r\n\x1a\n", LZOP),
    /* properties as every known tool writes them, and a dictionary of whole 64 KiB */
    STREAM("\x5d\0\0", LZMA),
    MEMBERS(0, "PK\x03\x04"),
    MEMBERS(0, "PK\x05\x06"),
    MEMBERS(0, "PK00PK\x03\x04"),
    MEMBERS(0, "7z\xbc\xaf\x27\x1c"),
    MEMBERS(0, "Rar!\x1a\x07"),
    MEMBERS(0, "MSCF\0\0\0\0"),
    MEMBERS(0, "!<arch>\n"),
    MEMBERS(0, "070701"),
    MEMBERS(0, "070702"),
    MEMBERS(0, "070707"),
    MEMBERS(257, "ustar"),
    MEMBERS(32769, "CD001"),
    {0, "\xed\xab\xee\xdb", 4, STOQ_FORM_RPM, ARCHIVE_FILTER_NONE},
};

static bool
is_lha(const unsigned char *data, size_t size)
{
    return size > 21 && data[2] == '-' && data[3] == 'l' &&
           (data[4] == 'h' || data[4] == 'z') && data[6] == '-';
}

struct stoq_archive_kind
stoq_archive_kind(const unsigned char *data, size_t size)
{
    for (size_t i = 0; i < sizeof markers / sizeof *markers; i++) {
        const struct marker *m = &markers[i];
        if (size >= m->offset + m->size &&
            memcmp(data + m->offset, m->bytes, m->size) == 0)
            return (struct stoq_archive_kind){m->form, m->filter};
    }
    return (struct stoq_archive_kind){
        is_lha(data, size) ? STOQ_FORM_ARCHIVE : STOQ_FORM_NONE, ARCHIVE_FILTER_NONE};
}

/* Types without a marker at a fixed place, and those that the original knows. */
static const char *const archive_types[] = {
    "application/gzip",
    "application/jar",
    "application/java-archive",
    "application/rar",
    "application/vnd.debian.binary-package",
    "application/vnd.ms-cab-compressed",
    "application/vnd.rar",
    "application/x-7z-compressed",
    "application/x-ace",
    "application/x-ace-compressed",
    "application/x-archive",
    "application/x-arj",
    "application/x-bzip2",
    "application/x-cpio",
    "application/x-gzip",
    "application/x-iso9660-image",
    "application/x-lha",
    "application/x-lzh-compressed",
    "application/x-lzma",
    "application/x-rar",
    "application/x-rpm",
    "application/x-tar",
    "application/x-xz",
    "application/x-zip-compressed",
    "application/zip",
    "application/zstd",
};

static const char *const archive_prefixes[] = {
    "application/vnd.openxmlformats-officedocument.",
    "application/vnd.oasis.opendocument.",
};

/* Any bytes, and programs, some of which unpack themselves. */
static const char *const maybe_types[] = {
    "application/octet-stream",
    "application/x-dosexec",
    "application/vnd.microsoft.portable-executable",
};

enum stoq_archive_mime
stoq_archive_mime(const char *mime)
{
    if (!mime)
        return STOQ_MIME_MAYBE;
    for (size_t i = 0; i < sizeof archive_types / sizeof *archive_types; i++)
        if (strcmp(mime, archive_types[i]) == 0)
            return STOQ_MIME_ARCHIVE;
    for (size_t i = 0; i < sizeof archive_prefixes / sizeof *archive_prefixes; i++)
        if (strncmp(mime, archive_prefixes[i], strlen(archive_prefixes[i])) == 0)
            return STOQ_MIME_ARCHIVE;
    for (size_t i = 0; i < sizeof maybe_types / sizeof *maybe_types; i++)
        if (strcmp(mime, maybe_types[i]) == 0)
            return STOQ_MIME_MAYBE;
    return STOQ_MIME_OTHER;
}

#define GZIP_EXTRA 4U
#define GZIP_NAME  8U

const char *
stoq_gzip_name(const unsigned char *data, size_t size, size_t *length)
{
    size_t at = 10;
    if (size < at || !(data[3] & GZIP_NAME))
        return NULL;
    if (data[3] & GZIP_EXTRA) {
        if (size - at < 2)
            return NULL;
        at += 2 + (size_t)(data[at] | data[at + 1] << 8);
    }
    const unsigned char *end = at < size ? memchr(data + at, '\0', size - at) : NULL;
    if (!end)
        return NULL;
    *length = (size_t)(end - (data + at));
    return (const char *)data + at;
}
