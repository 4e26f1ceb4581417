/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One member of a zip file as JSON: its record in the directory, its local header, what
 * it unpacks to, and where the two headers differ. Keys, and what they hold in odd
 * cases, are the original's; `complete` adds what that never reaches. Called by xyz.c.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "parts.h"

/* About what one entry's results take in memory, without its variable parts. */
#define COST_ENTRY ((uint64_t)10 * 1024)

/* The two headers of an entry, as far as they are compared. */
struct local {
    struct bytes header; /* empty: not read on */
    struct xyz_text name;
    struct bytes extra, packed;
    uint64_t data_at, end;
    uint32_t crc, c_size, u_size;
    uint16_t flags, method, time, date, name_len, extra_len;
    uint8_t extract_version;
};

struct described {
    struct xyz_run *run;
    const struct xyz_entry *e;
    json_t *object;
    bool placed; /* fname_len and extra_len are told */
};

static void
put(const struct described *d, const char *key, json_t *value)
{
    xyz_put(d->run, d->object, key, value);
}

static void
put_number(const struct described *d, const char *key, uint64_t n)
{
    put(d, key, xyz_number(n));
}

static void
put_text(const struct described *d, const char *key, const char *text)
{
    put(d, key, json_string(text));
}

static void
put_crc(const struct described *d, const char *key, uint32_t crc)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%08x", crc);
    put_text(d, key, text);
}

static void
put_date(const struct described *d, const char *key, unsigned date)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%04u-%02u-%02u", (date >> 9) + 1980,
                   date >> 5 & 0xf, date & 0x1f);
    put_text(d, key, text);
}

static void
put_time(const struct described *d, const char *key, unsigned time)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%02u:%02u:%02u", time >> 11, time >> 5 & 0x3f,
                   (time & 0x1f) * 2);
    put_text(d, key, text);
}

static void
put_bytes(const struct described *d, const char *key, struct bytes b)
{
    if (b.size == 0)
        put(d, key, json_null());
    else if (stoq_json_set_text(d->object, key, b.data, b.size) < 0)
        d->run->no_memory = true;
}

/* ------------------------------------------------------------------- the directory */

static void
put_record(const struct described *d)
{
    const struct xyz_entry *e = d->e;
    put_number(d, "create_ver", e->create_version);
    put_number(d, "create_sys_raw", e->create_system);
    put_number(d, "extract_ver", e->extract_version);
    put_number(d, "flags_raw", e->flags);
    put_number(d, "method_raw", e->method);
    put_date(d, "date", e->date);
    put_time(d, "time", e->time);
    put_number(d, "crc_raw", e->crc);
    put_crc(d, "crc", e->crc);
    put_number(d, "c_size", e->c_size);
    put_number(d, "u_size", e->u_size);
    put_number(d, "volume", e->volume);
    put_number(d, "int_attr_raw", e->int_attr);
    put_number(d, "ext_attr_raw", e->ext_attr);
    put(d, "filename", xyz_text_name(&e->name));
    put(d, "extra", xyz_hex(e->extra));
    put_bytes(d, "comment", e->comment);
}

static void
put_labels(const struct described *d)
{
    const struct xyz_entry *e = d->e;
    char mode[11];
    xyz_label_mode(e->ext_attr >> 16, mode);
    put_text(d, "create_sys", xyz_label_system(e->create_system));
    put(d, "flags", xyz_label_flags(e->flags, e->method, false));
    put(d, "flags_short", xyz_label_flags(e->flags, e->method, true));
    put_text(d, "method", xyz_label_method(e->method));
    put_text(d, "int_attr", e->int_attr & 1 ? "text" : "bin");
    put(d, "ext_attr_dos", xyz_label_dos(e->ext_attr, false));
    put(d, "ext_attr_dos_short", xyz_label_dos(e->ext_attr, true));
    put_text(d, "ext_attr_posix", mode);
}

static void
put_place(const struct described *d)
{
    const struct xyz_entry *e = d->e;
    struct bytes record = bytes_at(d->run->zip.data, e->record, XYZ_RECORD_SIZE);
    const uint16_t extra_len = bytes_le16(record, 30);
    const uint16_t comment_len = bytes_le16(record, 32);
    put_number(d, "offset", e->record);
    put_number(d, "disk_num", e->volume);
    put_number(d, "fname_len", e->name_len);
    put_number(d, "extra_len", extra_len);
    put_number(d, "comment_len", comment_len);
    put_number(d, "end",
               e->record + XYZ_RECORD_SIZE + e->name_len + extra_len + comment_len);
}

/* ------------------------------------------------------------------ the local part */

static int
read_local(const struct xyz_zip *zip, uint64_t offset, struct local *l)
{
    struct bytes h = bytes_at(zip->data, offset, XYZ_LOCAL_SIZE);
    *l = (struct local){.extract_version = bytes_u8(h, 4),
                        .flags = bytes_le16(h, 6),
                        .method = bytes_le16(h, 8),
                        .time = bytes_le16(h, 10),
                        .date = bytes_le16(h, 12),
                        .crc = bytes_le32(h, 14),
                        .c_size = bytes_le32(h, 18),
                        .u_size = bytes_le32(h, 22),
                        .name_len = bytes_le16(h, 26),
                        .extra_len = bytes_le16(h, 28)};
    l->header = h;
    struct bytes rest = bytes_from(zip->data, offset + XYZ_LOCAL_SIZE);
    const size_t name_len = l->name_len < rest.size ? l->name_len : rest.size;
    struct bytes name = bytes_at(rest, 0, name_len);
    rest = bytes_from(rest, name_len);
    l->extra = bytes_at(rest, 0, l->extra_len < rest.size ? l->extra_len : rest.size);
    l->data_at = offset + XYZ_LOCAL_SIZE + name_len + l->extra.size;
    return xyz_text_decode(name, l->flags & XYZ_UTF8, &l->name, NULL);
}

static void
put_local(const struct described *d, const struct local *l)
{
    put_number(d, "l_extract_ver", l->extract_version);
    put_number(d, "l_flags_raw", l->flags);
    put_number(d, "l_method_raw", l->method);
    put_date(d, "l_date", l->date);
    put_time(d, "l_time", l->time);
    put_crc(d, "l_crc", l->crc);
    put_number(d, "l_c_size", l->c_size);
    put_number(d, "l_u_size", l->u_size);
    put_number(d, "l_extra_len", l->extra_len);
    put_number(d, "l_fname_len", l->name_len);
    xyz_extra_put(d->run, d->object, "l_", l->extra);
    put_number(d, "l_data_offset", l->data_at);
}

static bool
has_zip64(struct bytes extra)
{
    for (uint64_t at = 0; bytes_has(extra, at, 4); at += 4U + bytes_le16(extra, at + 2))
        if (bytes_le16(extra, at) == 1)
            return true;
    return false;
}

/* The descriptor after the data. The original never knows its signature for one, nor
 * 64-bit sizes: then fields are shifted. @return 0 or -EBADMSG. */
static int
put_descriptor(const struct described *d, struct local *l)
{
    const bool complete = d->run->in->complete;
    const struct bytes data = d->run->zip.data;
    const bool marked = complete && bytes_are(data, l->end, "PK\x07\x08", 4);
    const unsigned width = complete && has_zip64(l->extra) ? 8 : 4;
    const uint64_t at = l->end + (marked ? 4 : 0);
    if (!bytes_has(data, at, 4U + 2 * width))
        return complete ? 0
                        : stoq_error_set(d->run->err, STOQ_ERROR_FORMAT, -EBADMSG,
                                         "struct.error: unpack requires a buffer of %d "
                                         "bytes",
                                         bytes_has(data, at, 4) ? 8 : 4);
    put_number(d, "desc_offset", l->end);
    put_number(d, "desc_sig", marked);
    put_crc(d, "desc_crc", bytes_le32(data, at));
    put_number(d, "desc_c_size", bytes_number(data, at + 4, width, false));
    put_number(d, "desc_u_size", bytes_number(data, at + 4 + width, width, false));
    put_number(d, "desc_len", at + 4 + 2 * width - l->end);
    l->end = at + 4 + 2 * width;
    return 0;
}

static void
put_deltas(const struct described *d, const struct local *l)
{
    const struct xyz_entry *e = d->e;
    struct bytes record = bytes_at(d->run->zip.data, e->record, XYZ_RECORD_SIZE);
    const struct xyz_text name = {e->name.data, strnlen(e->name.data, e->name.size)};
    const struct {
        bool differs;
        const char *word;
    } rows[] = {
        {e->extract_version != l->extract_version, "extract_ver"},
        {e->flags != l->flags, "flags"},
        {e->method != l->method, "method"},
        {e->time != l->time, "time"},
        {e->date != l->date, "date"},
        {e->crc != l->crc, "crc"},
        {e->c_size != l->c_size, "c_size"},
        {e->u_size != l->u_size, "u_size"},
        {(d->placed ? e->name_len : 0) != l->name_len, "fname_len"},
        {(d->placed ? bytes_le16(record, 30) : 0) != l->extra_len, "extra_len"},
        {name.size != l->name.size || memcmp(name.data, l->name.data, name.size) != 0,
         "filename"},
        {e->extra.size != l->extra.size ||
             (e->extra.size > 0 &&
              memcmp(e->extra.data, l->extra.data, e->extra.size) != 0),
         "extra"},
    };
    json_t *deltas = json_array();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].differs &&
            json_array_append_new(deltas, json_string(rows[i].word)) < 0)
            d->run->no_memory = true;
    put(d, "local_central_header_deltas", deltas);
}

static void
put_local_labels(const struct described *d, const struct local *l)
{
    put_number(d, "l_end", l->end);
    put(d, "l_filename", json_stringn(l->name.data, l->name.size));
    put(d, "l_extra", xyz_hex(l->extra));
    put(d, "l_flags", xyz_label_flags(l->flags, l->method, false));
    put(d, "l_flags_short", xyz_label_flags(l->flags, l->method, true));
    put_text(d, "l_method", xyz_label_method(l->method));
    put(d, "compress_flags", xyz_label_block(l->packed, l->method, l->flags, false));
    put(d, "compress_flags_short",
        xyz_label_block(l->packed, l->method, l->flags, true));
}

/* ------------------------------------------------------------------------ contents */

static int
put_contents(const struct described *d, struct xyz_member *m)
{
    *m = (struct xyz_member){.error = ""};
    if (d->e->flags & XYZ_ENCRYPTED)
        m->done = true;
    else if (!d->run->late && xyz_member_read(d->run, d->e, m) < 0)
        return -ENOMEM;
    if (m->error[0] && !d->run->in->complete)
        return stoq_error_set(d->run->err, STOQ_ERROR_FORMAT, -EBADMSG,
                              "TypeError: a bytes-like object is required, not 'str'");
    if (!m->done && !m->error[0])
        return 0; /* a limit, on record */
    put_number(d, "decompress_size", m->size);
    put_number(d, "decompress_crc", m->crc);
    put_text(d, "decompress_errors", m->error);
    return 0;
}

static int
put_level(const struct described *d, const struct local *l, const struct xyz_member *m)
{
    struct xyz_level level;
    if (!d->run->in->derive || d->e->method != XYZ_DEFLATED ||
        (d->e->flags & XYZ_ENCRYPTED) || !m->done)
        return 0;
    const int r =
        xyz_level_find(d->run, l->packed, (struct bytes){m->data, m->size}, &level);
    if (r == -ETIME)
        return 0; /* on record */
    if (r < 0)
        return r;
    put(d, "derived_deflate_level_max", json_integer(level.max));
    put(d, "derived_deflate_level_min", json_integer(level.min));
    put_number(d, "derived_deflate_size", level.size);
    put(d, "derived_deflate_match", json_boolean(level.same));
    return 0;
}

/* What stands at the entry's offset. */
static int
put_local_part(const struct described *d, const struct xyz_member *m, struct local *l)
{
    struct xyz_run *run = d->run;
    const int64_t offset = d->e->offset;
    if (offset < 0 || !bytes_has(run->zip.data, (uint64_t)offset, XYZ_LOCAL_SIZE)) {
        if (run->in->complete)
            return 0;
        return offset < 0 ? stoq_error_set(run->err, STOQ_ERROR_FORMAT, -EBADMSG,
                                           "ValueError: negative seek value %lld",
                                           (long long)offset)
                          : stoq_error_set(
                                run->err, STOQ_ERROR_FORMAT, -EBADMSG,
                                "struct.error: unpack requires a buffer of 30 bytes");
    }
    if (!bytes_are(run->zip.data, (uint64_t)offset, "PK\x03\x04", 4))
        return 0;
    int r = read_local(&run->zip, (uint64_t)offset, l);
    if (r < 0)
        return r;
    /* counted here, for entries may share one local header */
    if (!xyz_take_room(run, 4 * l->name.size + 2 * l->extra.size))
        return -E2BIG;
    put_local(d, l);
    struct bytes rest = bytes_from(run->zip.data, l->data_at);
    l->packed = bytes_at(rest, 0, d->e->c_size < rest.size ? d->e->c_size : rest.size);
    l->end = l->data_at + l->packed.size;
    r = put_level(d, l, m);
    if (r == 0 && (l->flags & XYZ_DESCRIPTOR))
        r = put_descriptor(d, l);
    if (r < 0)
        return r;
    put_local_labels(d, l);
    put_deltas(d, l);
    return 0;
}

json_t *
xyz_entry_describe(struct xyz_run *run, size_t i, uint64_t *previous_end, int *r)
{
    const struct xyz_entry *e = &run->zip.entries[i];
    struct described d = {.run = run, .e = e};
    struct local l = {.end = 0};
    struct xyz_member m = {.error = ""};
    *r = -E2BIG;
    if (!xyz_take_room(run, COST_ENTRY + 4 * e->name.size + 2 * e->extra.size +
                                3 * e->comment.size))
        return NULL;
    d.object = json_object();
    put_record(&d);
    put_labels(&d);
    xyz_extra_put(run, d.object, "", e->extra);
    d.placed = (i == 0 && run->zip.start != 0) || run->in->complete;
    if (d.placed)
        put_place(&d);
    put(&d, "l_offset", json_integer(e->offset));
    if (*previous_end != 0 && (int64_t)*previous_end != e->offset)
        put(&d, "l_gap", json_integer(e->offset - (int64_t)*previous_end));
    *r = run->in->decompress ? put_contents(&d, &m) : 0;
    if (*r == 0)
        *r = put_local_part(&d, &m, &l);
    if (l.header.size > 0)
        *previous_end = l.end;
    free(l.name.data);
    free(m.data);
    if (*r == 0 && run->raise && !run->in->complete)
        *r = stoq_error_set(run->err, STOQ_ERROR_FORMAT, -EBADMSG, "%s", run->raise);
    if (*r == 0 && run->no_memory)
        *r = -ENOMEM;
    if (*r == 0)
        return d.object;
    json_decref(d.object);
    return NULL;
}
