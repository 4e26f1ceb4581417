/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single-byte encodings an XML declaration may name, as tables of code points. They are
 * made by iconv(3) when the plugin opens, for iconv reads files. UTF-8, UTF-16,
 * ISO-8859-1 and ASCII are expat's own; other encodings of several bytes are not read,
 * as in the original.
 */

#include <endian.h>
#include <iconv.h>
#include <stdlib.h>
#include <strings.h>

#include "parts.h"

static const char *const names[] = {
    "windows-1250", "windows-1251", "windows-1252", "windows-1253", "windows-1254",
    "windows-1255", "windows-1256", "windows-1257", "windows-1258", "cp1250",
    "cp1251",       "cp1252",       "cp1253",       "cp1254",       "cp1255",
    "cp1256",       "cp1257",       "cp1258",       "iso-8859-2",   "iso-8859-3",
    "iso-8859-4",   "iso-8859-5",   "iso-8859-6",   "iso-8859-7",   "iso-8859-8",
    "iso-8859-9",   "iso-8859-10",  "iso-8859-13",  "iso-8859-14",  "iso-8859-15",
    "iso-8859-16",  "koi8-r",       "koi8-u",       "latin1",
};
#define NAME_COUNT (sizeof names / sizeof *names)

struct xdp_encodings {
    int points[NAME_COUNT][256];
    bool known[NAME_COUNT];
};

static bool
make_table(const char *name, int points[256])
{
    iconv_t cd = iconv_open("UTF-32LE", name);
    if (cd == (iconv_t)-1)
        return false;
    for (int i = 0; i < 256; i++) {
        char byte = (char)i;
        uint32_t point = 0;
        char *in = &byte, *out = (char *)&point;
        size_t in_left = 1, out_left = sizeof point;
        (void)iconv(cd, NULL, NULL, NULL, NULL);
        bool ok = iconv(cd, &in, &in_left, &out, &out_left) != (size_t)-1;
        if (ok && out_left != 0) /* windows-1255 and -1258 wait for a combining one */
            ok = iconv(cd, NULL, NULL, &out, &out_left) != (size_t)-1;
        points[i] = ok && out_left == 0 ? (int)le32toh(point) : -1;
    }
    (void)iconv_close(cd);
    return true;
}

struct xdp_encodings *
xdp_encodings_new(void)
{
    struct xdp_encodings *e = calloc(1, sizeof *e);
    for (size_t i = 0; e && i < NAME_COUNT; i++)
        e->known[i] = make_table(names[i], e->points[i]);
    return e;
}

void
xdp_encodings_free(struct xdp_encodings *e)
{
    free(e);
}

const int *
xdp_encodings_find(const struct xdp_encodings *e, const char *name)
{
    for (size_t i = 0; i < NAME_COUNT; i++)
        if (e->known[i] && strcasecmp(names[i], name) == 0)
            return e->points[i];
    return NULL;
}
