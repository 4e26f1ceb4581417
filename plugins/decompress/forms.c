/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of this plugin's own readers a payload is for, by its first bytes and what the
 * mimetype worker said. Called by decompress.c and extract.c; no state.
 */

#include "forms.h"

#define BEGINNING 1024U

/* A program may hold more than one of these. */
static int
program_read(struct stoq_sink *s)
{
    static stoq_form_reader *const readers[] = {stoq_nsis_read, stoq_upx_read,
                                                stoq_ishield_read, stoq_autoit_read};
    int r = 0;
    for (size_t i = 0; i < sizeof readers / sizeof *readers && r == 0 && !s->stop; i++)
        r = readers[i](s);
    return r;
}

static const struct {
    size_t offset;
    const char *bytes;
    size_t size;
    stoq_form_reader *reader;
} markers[] = {
    {0, "MZ", 2, program_read},
    {0, "\x60\xea", 2, stoq_arj_read},
    {8, "\x19\x04\0\x10", 4, stoq_sis_read},
    {0, "ISc(", 4, stoq_iscab_read},
    {0, "\x0f\0\xe8\x03", 4, stoq_powerpoint_read},
    {0, "From ", 5, stoq_mbox_read},
#ifdef DECOMPRESS_HAVE_MSPACK
    {0, "ITSF", 4, stoq_chm_read},
    {0, "SZDD\x88\xf0\x27\x33", 8, stoq_szdd_read},
    {0, "SZ \x88\xf0\x27\x33\xd1", 8, stoq_szdd_read},
    {0, "KWAJ\x88\xf0\x27\xd1", 8, stoq_kwaj_read},
#endif
};

/* Whether the two bytes of ARJ's marker are followed by its first header. */
static bool
is_arj(struct bytes data)
{
    const uint16_t size = bytes_le16(data, 2);
    return size >= 30 && size <= 2600 && bytes_u8(data, 4) >= 30 &&
           bytes_u8(data, 4) <= size && bytes_u8(data, 10) == 2;
}

static bool
is_uu(struct bytes data)
{
    if (!bytes_are(data, 0, "begin ", 6) || bytes_u8(data, 9) != ' ')
        return false;
    for (unsigned i = 6; i < 9; i++)
        if (data.data[i] < '0' || data.data[i] > '7')
            return false;
    return true;
}

static bool
has_data_uri(const struct stoq_extraction *x, struct bytes data)
{
    return x->mime &&
           (strcmp(x->mime, "text/html") == 0 ||
            strcmp(x->mime, "image/svg+xml") == 0) &&
           bytes_find(data, 0, ";base64,", 8) != SIZE_MAX;
}

stoq_form_reader *
stoq_form_find(const struct stoq_extraction *x, bool *also)
{
    static const char binhex[] = "(This file must be converted with BinHex";
    const struct bytes data = {x->data, x->size};
    struct bytes head =
        bytes_at(data, 0, data.size < BEGINNING ? data.size : BEGINNING);
    *also = false;
    for (size_t i = 0; i < sizeof markers / sizeof *markers; i++) {
        if (!bytes_are(data, markers[i].offset, markers[i].bytes, markers[i].size))
            continue;
        *also = markers[i].reader == program_read;
        if (markers[i].reader != stoq_arj_read || is_arj(data))
            return markers[i].reader;
    }
    if (is_uu(data))
        return stoq_uu_read;
    if (bytes_find(head, 0, "%PDF-", 5) != SIZE_MAX)
        return stoq_pdf_read;
    if (bytes_find(head, 0, binhex, sizeof binhex - 1) != SIZE_MAX)
        return stoq_binhex_read;
    if (stoq_package_is(data))
        return stoq_package_read;
    return has_data_uri(x, data) ? stoq_data_uri_read : NULL;
}
