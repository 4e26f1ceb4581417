/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compound files within other files: members of zip archives, as Office documents since
 * 2007 are; records of presentations of PowerPoint 97 ([MS-PPT] 2.10.34,
 * ExternalOleObjectStg); base64 text of XML and MIME documents, plain or in the wrapper
 * that begins with "ActiveMime". All is decompressed within the budgets of the search.
 */

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/auto.h"
#include "common/cfb.h"
#include "parts.h"

#define MAGIC_SIZE 8U
#define BLOCK      ((size_t)64 << 10)

/* Bytes that grow, up to MRAPTOR_PART. Free `data`. */
struct buffer {
    unsigned char *data;
    size_t size, room;
};

/* Room for a block more. */
static int
make_room(struct search *s, struct buffer *b)
{
    if (b->size + BLOCK <= b->room)
        return 0;
    if (b->size + BLOCK > MRAPTOR_PART)
        return search_limit(s, "ole_size", MRAPTOR_PART);
    size_t room = b->room * 2 > b->size + BLOCK ? b->room * 2 : b->size + BLOCK;
    unsigned char *bigger = realloc(b->data, room);
    if (!bigger)
        return -ENOMEM;
    b->data = bigger;
    b->room = room;
    return 0;
}

int
wrapped_ole(struct search *s, struct bytes file)
{
    struct cfb *c = NULL;
    if (!cfb_is(file))
        return 0;
    int r = search_pay(s, file.size);
    if (r == 0 && s->depth == MRAPTOR_DEPTH)
        r = search_limit(s, "nesting", s->depth);
    if (r < 0)
        return r;
    r = cfb_open(file, &c, NULL);
    if (r < 0)
        return r == -ENOMEM ? r : 0;
    s->depth++;
    r = wrapped_is_ppt(c) ? wrapped_ppt(s, c) : project_search(s, c);
    s->depth--;
    cfb_free(c);
    return r;
}

/* A zlib stream with a compound file; what comes before an error counts. */
static int
inflated_ole(struct search *s, struct bytes in)
{
    PLUGIN_AUTOFREE unsigned char *freed = NULL;
    struct buffer b = {0};
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)in.data,
                  .avail_in = in.size < UINT32_MAX ? (uInt)in.size : UINT32_MAX};
    int r = search_pay(s, 4096), status = Z_OK;
    if (r < 0)
        return r;
    if (inflateInit(&z) != Z_OK)
        return -ENOMEM;
    while (r == 0 && status == Z_OK) {
        r = make_room(s, &b);
        if (r < 0)
            break;
        z.next_out = b.data + b.size;
        z.avail_out = BLOCK;
        status = inflate(&z, Z_NO_FLUSH);
        size_t n = BLOCK - z.avail_out;
        b.size += n;
        r = search_pay(s, n);
    }
    (void)inflateEnd(&z);
    freed = b.data;
    return r < 0 ? r : wrapped_ole(s, (struct bytes){b.data, b.size});
}

/* ----------------------------------------------------------------------- PowerPoint */

#define PPT_STREAM      "PowerPoint Document"
#define PPT_RECORD_HEAD 8U

bool
wrapped_is_ppt(const struct cfb *c)
{
    /* streams in storages are another program's */
    for (size_t i = 0; i < cfb_count(c); i++)
        if (cfb_at(c, i)->type == CFB_STREAM && cfb_at(c, i)->parent != CFB_ROOT)
            return false;
    return cfb_find(c, CFB_ROOT, "Current User") != SIZE_MAX &&
           cfb_find(c, CFB_ROOT, PPT_STREAM) != SIZE_MAX;
}

/* Records that hold a compound file are looked for, wherever they are: their parents
 * need not be right. */
static int
ppt_records(struct search *s, struct bytes stream, bool compressed)
{
    const unsigned char head[] = {compressed ? 0x10 : 0, 0, 0x11, 0x10};
    int r = 0;
    for (size_t at = 0;
         r == 0 && (at = bytes_find(stream, at, head, sizeof head)) != SIZE_MAX; at++) {
        struct bytes rest = bytes_from(stream, (uint64_t)at + PPT_RECORD_HEAD);
        uint32_t size = bytes_le32(stream, (uint64_t)at + 4);
        struct bytes data = bytes_at(rest, 0, rest.size < size ? rest.size : size);
        r = search_pay(s, 64);
        if (r == 0)
            r = compressed ? inflated_ole(s, bytes_from(data, 4))
                           : wrapped_ole(s, data);
    }
    return r;
}

int
wrapped_ppt(struct search *s, const struct cfb *c)
{
    PLUGIN_AUTOFREE unsigned char *data = NULL;
    size_t size = 0, i = cfb_find(c, CFB_ROOT, PPT_STREAM);
    int r = cfb_read(c, i, &data, &size);
    if (r == 0)
        r = ppt_records(s, (struct bytes){data, size}, false);
    return r < 0 ? r : ppt_records(s, (struct bytes){data, size}, true);
}

/* ------------------------------------------------------------------------------ zip */

/* Where the record at the end is, SIZE_MAX: nowhere; the longest comment may follow. */
static size_t
zip_end(struct bytes file)
{
    const size_t most = 22 + 65535;
    return bytes_find(file, file.size > most ? file.size - most : 0, "PK\5\6", 4);
}

bool
wrapped_is_zip(struct bytes file)
{
    return zip_end(file) != SIZE_MAX;
}

/* The member that is being read, when it begins as a compound file. */
static int
zip_member(struct search *s, struct archive *a)
{
    PLUGIN_AUTOFREE unsigned char *freed = NULL;
    struct buffer b = {0};
    int r = 0;
    for (size_t want = MAGIC_SIZE;;) {
        r = make_room(s, &b);
        if (r < 0)
            break;
        la_ssize_t n = archive_read_data(a, b.data + b.size, want);
        if (n > 0)
            b.size += (size_t)n;
        r = search_pay(s, n > 0 ? (uint64_t)n : 64);
        /* a member that is damaged counts as far as it can be read */
        if (r < 0 || n <= 0)
            break;
        static const char magic[] = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
        if (want == MAGIC_SIZE &&
            !bytes_are((struct bytes){b.data, b.size}, 0, magic, 8))
            break;
        want = BLOCK;
    }
    freed = b.data;
    return r < 0 ? r : wrapped_ole(s, (struct bytes){b.data, b.size});
}

static struct archive *
open_zip(struct bytes file)
{
    struct archive *a = archive_read_new();
    if (a && archive_read_support_format_zip(a) >= ARCHIVE_WARN &&
        archive_read_set_format_option(a, "zip", "ignorecrc32", "1") >= ARCHIVE_WARN &&
        archive_read_open_memory(a, file.data, file.size) >= ARCHIVE_WARN)
        return a;
    (void)archive_read_free(a);
    return NULL;
}

int
wrapped_zip(struct search *s, struct bytes file, bool *readable)
{
    struct archive *a = open_zip(file);
    struct archive_entry *entry = NULL;
    size_t members = 0;
    int r = 0, status = ARCHIVE_OK;
    *readable = a != NULL;
    while (a && r == 0) {
        status = archive_read_next_header(a, &entry);
        if (status < ARCHIVE_WARN || status == ARCHIVE_EOF)
            break;
        members++;
        r = search_pay(s, 1024);
        if (r == 0 && archive_entry_is_data_encrypted(entry)) {
            stoq_reply_limit(s->reply, "encrypted", 1);
            *readable = s->found;
            break;
        }
        if (r == 0 && archive_entry_filetype(entry) == AE_IFREG)
            r = zip_member(s, a);
    }
    /* none at all, although there should be some, is no archive */
    bool lacks = members == 0 && bytes_le16(file, (uint64_t)zip_end(file) + 10) != 0;
    if (a && r == 0 && (status < ARCHIVE_WARN || lacks))
        *readable = s->found;
    (void)archive_read_free(a);
    return r;
}

/* --------------------------------------------------------------------------- base64 */

static int
value_of(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* Decode the text at @at up to what is neither base64 nor a blank. @return where that
 * is. */
static size_t
decode(struct bytes text, size_t at, unsigned char *out, size_t *size)
{
    uint32_t bits = 0;
    unsigned in_group = 0;
    *size = 0;
    for (; at < text.size; at++) {
        int value = value_of(text.data[at]);
        if (value < 0 && text.data[at] != 0 && strchr(" \t\r\n", text.data[at]))
            continue;
        if (value < 0)
            break;
        bits = bits << 6 | (uint32_t)value;
        in_group = (in_group + 1) % 4;
        if (in_group != 1)
            out[(*size)++] = (unsigned char)(bits >> (in_group ? 8 - 2 * in_group : 0));
    }
    return at;
}

/* The zlib stream in there is where the header says, or where Word or Excel put it. */
static int
active_mime(struct search *s, struct bytes data)
{
    const size_t offsets[] = {(size_t)bytes_le16(data, 0x1e) + 46, 0x32, 0x22a};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        struct bytes rest = bytes_from(data, offsets[i]);
        if ((bytes_u8(rest, 0) & 0xf) == Z_DEFLATED && bytes_be16(rest, 0) % 31 == 0)
            return inflated_ole(s, rest);
    }
    return 0;
}

int
wrapped_base64(struct search *s, struct bytes file)
{
    /* "ActiveMime" and the mark of compound files, as far as whole characters go */
    static const char wrapped[] = "QWN0aXZlTWlt", plain[] = "0M8R4KGxGu";
    unsigned char *out = malloc(file.size / 4 * 3 + 3);
    int r = out ? 0 : -ENOMEM;
    size_t next_wrapped = 0, next_plain = 0;
    for (size_t at = 0; r == 0;) {
        if (next_wrapped != SIZE_MAX && next_wrapped <= at)
            next_wrapped = bytes_find(file, at, wrapped, sizeof wrapped - 1);
        if (next_plain != SIZE_MAX && next_plain <= at)
            next_plain = bytes_find(file, at, plain, sizeof plain - 1);
        size_t from = next_plain < next_wrapped ? next_plain : next_wrapped, size = 0;
        if (from == SIZE_MAX)
            break;
        at = decode(file, from, out, &size);
        r = search_pay(s, size);
        if (r == 0)
            r = from == next_wrapped ? active_mime(s, (struct bytes){out, size})
                                     : wrapped_ole(s, (struct bytes){out, size});
    }
    free(out);
    return r;
}
