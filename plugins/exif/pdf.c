/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Version, number of pages and document information of a PDF file: ISO 32000-1. Objects
 * are found by their headings rather than by the cross-reference table, so damaged
 * files are read too; objects inside of compressed streams are not found.
 */

#include "parts.h"

/* The last trailer, or the last cross-reference stream, that names a root. */
static size_t
find_trailer(struct bytes file)
{
    size_t found = SIZE_MAX;
    for (size_t at = 0; (at = bytes_find(file, at, "/Root", 5)) != SIZE_MAX; at++)
        found = at;
    if (found == SIZE_MAX)
        return SIZE_MAX;
    /* back to the beginning of its dictionary; nested ones are skipped */
    unsigned depth = 0;
    for (size_t at = found; at >= 2; at--) {
        if (bytes_are(file, at - 2, ">>", 2)) {
            depth++;
            at--;
        } else if (bytes_are(file, at - 2, "<<", 2)) {
            if (depth == 0)
                return at - 2;
            depth--;
            at--;
        }
    }
    return SIZE_MAX;
}

static void
read_info(struct bytes file, size_t info, struct result *out)
{
    static const struct {
        const char *key, *name;
        bool date;
    } fields[] = {{"Title", "Title", false},
                  {"Author", "Author", false},
                  {"Subject", "Subject", false},
                  {"Keywords", "Keywords", false},
                  {"Creator", "Creator", false},
                  {"Producer", "Producer", false},
                  {"CreationDate", "CreateDate", true},
                  {"ModDate", "ModifyDate", true}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        size_t at = pdf_follow(file, pdf_key(file, info, fields[i].key));
        if (at != SIZE_MAX)
            pdf_put_string(file, at, fields[i].name, fields[i].date, out);
    }
}

static void
read_root(struct bytes file, size_t root, struct result *out)
{
    uint64_t count = 0;
    size_t pages = pdf_follow(file, pdf_key(file, root, "Pages"));
    if (pdf_number(file, pdf_follow(file, pdf_key(file, pages, "Count")), &count))
        put_number(out, "PageCount", (int64_t)count);
    size_t version = pdf_key(file, root, "Version");
    if (version != SIZE_MAX && bytes_u8(file, version) == '/')
        put_text(out, "PDFVersion", bytes_at(file, version + (uint64_t)1, 3));
}

bool
read_pdf(struct bytes file, struct result *out)
{
    if (!bytes_are(file, 0, "%PDF-", 5))
        return false;
    struct bytes head = bytes_at(file, 0, file.size < 1024 ? file.size : 1024);
    put_type(out, "PDF", "PDF", "application/pdf");
    put_text(out, "PDFVersion", bytes_at(file, 5, 3));
    put(out, "Linearized",
        json_boolean(bytes_find(head, 0, "/Linearized", 11) != SIZE_MAX));
    size_t trailer = find_trailer(file);
    size_t root = pdf_follow(file, pdf_key(file, trailer, "Root"));
    if (root != SIZE_MAX)
        read_root(file, root, out);
    /* strings of an encrypted file cannot be read */
    if (pdf_key(file, trailer, "Encrypt") == SIZE_MAX)
        read_info(file, pdf_follow(file, pdf_key(file, trailer, "Info")), out);
    return true;
}
