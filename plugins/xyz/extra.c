/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extra fields: for each the type, the values of the known ones as pairs, and all
 * pieces in hexadecimal. A field that claims more than there is is read as far as it
 * goes. What results may take is bounded by the run's room. Called by entry.c.
 */

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "parts.h"

/* A JSON string of a few bytes, with what manages it. */
#define COST_FIELD ((uint64_t)512)

struct lists {
    struct xyz_run *run;
    json_t *types, *values, *tokens;
};

static void
append(struct lists *l, json_t *array, json_t *value)
{
    if (!array || json_array_append_new(array, value) < 0)
        l->run->no_memory = true;
}

static void
value(struct lists *l, const char *name, json_t *what)
{
    json_t *pair = json_array();
    append(l, pair, json_string(name));
    append(l, pair, what);
    append(l, l->values, pair);
}

static void
token(struct lists *l, struct bytes field, uint64_t at, size_t size)
{
    append(l, l->tokens, xyz_hex(bytes_at(field, at, size)));
}

/* One byte without leading zeros. */
static void
token_byte(struct lists *l, unsigned byte)
{
    char text[8];
    (void)snprintf(text, sizeof text, "%x", byte & 0xff);
    append(l, l->tokens, json_string(text));
}

/* ISO 8601 of seconds since 1970; @p us < 0 leaves the fraction out. */
static json_t *
moment(struct lists *l, int64_t seconds, long us)
{
    const time_t t = (time_t)seconds;
    struct tm tm;
    if (!gmtime_r(&t, &tm) || tm.tm_year + 1900 > 9999) {
        l->run->raise = "OverflowError: date value out of range";
        return json_null();
    }
    char text[64];
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (us > 0)
        (void)snprintf(text + n, sizeof text - n, ".%06ld", us);
    return json_string(text);
}

/* 100 ns since 1601. Divided by ten in floating point and rounded to even, as the
 * original does it: dates of our time are even microseconds. */
static json_t *
moment_ntfs(struct lists *l, uint64_t ticks)
{
    char text[40];
    (void)snprintf(text, sizeof text, "%llue-1", (unsigned long long)ticks);
    const double us = rint(strtod(text, NULL));
    const uint64_t whole = (uint64_t)us;
    return moment(l, (int64_t)(whole / 1000000) - INT64_C(11644473600),
                  (long)(whole % 1000000));
}

/* ------------------------------------------------------------------- known fields */

static void
field_zip64(struct lists *l, struct bytes f)
{
    static const char *const names[] = {"zip64_u_size", "zip64_c_size",
                                        "zip64_local_offset"};
    for (size_t i = 0; i < 3 && f.size >= 8 * (i + 1); i++) {
        value(l, names[i], xyz_number(bytes_le64(f, 8 * i)));
        token(l, f, 8 * i, 8);
    }
    if (f.size >= 28) {
        value(l, "zip64_volume", json_integer(bytes_le32(f, 24)));
        token(l, f, 24, 4);
    }
}

static void
field_ntfs(struct lists *l, struct bytes f)
{
    static const char *const names[] = {"ntfs_mtime", "ntfs_atime", "ntfs_ctime"};
    if (f.size < 32 || !bytes_are(f, 0, "\0\0\0\0\1\0\x18\0", 8))
        return;
    value(l, "ntfs_reserved", json_string(""));
    token(l, f, 0, 4);
    value(l, "ntfs_attr_type", json_string("1"));
    token(l, f, 4, 2);
    value(l, "ntfs_attr_size", json_string("24"));
    token(l, f, 6, 2);
    for (size_t i = 0; i < 3; i++) {
        value(l, names[i], moment_ntfs(l, bytes_le64(f, 8 + 8 * i)));
        token(l, f, 8 + 8 * i, 8);
    }
}

static void
field_time(struct lists *l, struct bytes f)
{
    static const char *const kinds[] = {"mtime", "atime", "ctime"};
    const char *there[3];
    size_t count = 0;
    if (f.size < 5)
        return;
    json_t *flags = json_array();
    for (unsigned i = 0; i < 3; i++) {
        if (!(f.data[0] & 1U << i))
            continue;
        append(l, flags, json_string(kinds[i]));
        there[count++] = kinds[i];
    }
    value(l, "time_flags", flags);
    token_byte(l, f.data[0]);
    for (size_t i = 0; i < count && f.size >= 5 + 4 * i; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "time_%s", there[i]);
        value(l, name, moment(l, bytes_le32(f, 1 + 4 * i), 0));
        token(l, f, 1 + 4 * i, 4);
    }
}

static void
field_unix(struct lists *l, struct bytes f)
{
    if (f.size < 6 || f.data[0] != 1)
        return;
    value(l, "unix_version", json_integer(f.data[0]));
    token_byte(l, f.data[0]);
    value(l, "unix_uid_size", json_integer(f.data[1]));
    token_byte(l, f.data[1]);
    if (f.data[1] == 4) {
        value(l, "unix_uid", json_integer(bytes_le32(f, 2)));
        token(l, f, 2, 4);
    }
    if (f.size < 7) {
        l->run->raise = "IndexError: index out of range";
        return;
    }
    value(l, "unix_guid_size", json_integer(f.data[6]));
    token_byte(l, f.data[6]);
    if (f.size >= 11 && f.data[6] == 4) {
        value(l, "unix_gid", json_integer(bytes_le32(f, 7)));
        token(l, f, 7, 4);
    }
}

static void
field_android(struct lists *l, struct bytes f)
{
    if (f.size < 2)
        return;
    value(l, "andriod_alignment", json_integer(f.data[0]));
    token_byte(l, f.data[0]);
    value(l, "andriod_padding_length", json_integer((json_int_t)f.size));
    token(l, f, 1, f.size - 1);
}

static void
field_padding(struct lists *l, struct bytes f)
{
    if (f.size < 4 || !bytes_are(f, 0, "\x28\xa0", 2))
        return;
    value(l, "ms_pad_sig", xyz_hex(bytes_at(f, 0, 2)));
    token(l, f, 0, 2);
    value(l, "ms_pad_value", json_integer(bytes_le16(f, 2)));
    token(l, f, 2, 2);
    value(l, "ms_pad_length", json_integer((json_int_t)f.size - 4));
    token(l, f, 4, f.size - 4);
}

static void
field_aes(struct lists *l, struct bytes f)
{
    if (f.size < 7)
        return;
    value(l, "aes_version", json_integer(bytes_le16(f, 0)));
    token(l, f, 0, 2);
    value(l, "aes_vendor", stoq_json_text(f.data + 2, 2, NULL));
    token(l, f, 2, 2);
    const unsigned strength = f.data[4];
    if (strength >= 1 && strength <= 3) {
        value(l, "aes_strength", json_integer(64 + 64 * (json_int_t)strength));
    } else {
        char text[24];
        (void)snprintf(text, sizeof text, "unknown%u", strength);
        value(l, "aes_strength", json_string(text));
    }
    token_byte(l, strength);
    value(l, "aes_method", json_string(xyz_label_method(bytes_le16(f, 5))));
    token(l, f, 5, 2);
}

static const struct {
    uint16_t type;
    const char *name;
    void (*read)(struct lists *, struct bytes);
} known[] = {
    {0x0001, "zip64", field_zip64},     {0x000a, "ntfs", field_ntfs},
    {0x5455, "time", field_time},       {0x7875, "unix", field_unix},
    {0xd935, "android", field_android}, {0xa220, "ms_pad", field_padding},
    {0x9901, "aes", field_aes},
};

static void
field(struct lists *l, uint16_t type, struct bytes f)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].type == type) {
            append(l, l->types, json_string(known[i].name));
            known[i].read(l, f);
            return;
        }
    }
    char text[8];
    (void)snprintf(text, sizeof text, "%04x", type);
    append(l, l->types, json_string(text));
    token(l, f, 0, f.size);
}

void
xyz_extra_put(struct xyz_run *run, json_t *object, const char *prefix,
              struct bytes extra)
{
    struct lists l = {run, json_array(), json_array(), json_array()};
    uint64_t at = 0;
    while (bytes_has(extra, at, 4)) {
        const uint16_t size = bytes_le16(extra, at + 2);
        struct bytes rest = bytes_from(extra, at + 4);
        struct bytes f = bytes_at(rest, 0, size < rest.size ? size : rest.size);
        if (!xyz_take_room(run, COST_FIELD + 4 * (uint64_t)f.size))
            break;
        token(&l, extra, at, 2);
        token(&l, extra, at + 2, 2);
        field(&l, bytes_le16(extra, at), f);
        at += 4U + size;
    }
    const struct {
        const char *name;
        json_t *what;
    } fields[] = {{"extra_types", l.types},
                  {"extra_values", l.values},
                  {"extra_tokens", l.tokens},
                  {"extra_gap", json_integer((json_int_t)extra.size - (json_int_t)at)}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        char key[24];
        (void)snprintf(key, sizeof key, "%s%s", prefix, fields[i].name);
        xyz_put(run, object, key, fields[i].what);
    }
}
