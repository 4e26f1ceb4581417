/* SPDX-License-Identifier: Apache-2.0 */

/*
 * xyz: zip files made here byte by byte. Whole results are in the plugin's self-test;
 * here are single fields, refusals, and what hostile fields do.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "plugins_support.h"

#define ROOM ((size_t)1 << 20)

struct zip {
    unsigned char data[ROOM];
    size_t size;
    unsigned char directory[ROOM];
    size_t directory_size;
    unsigned count;
};

/* One member: zeros are sensible. */
struct member {
    const char *name, *local_name; /* NULL = the same */
    const void *data;
    size_t size;
    unsigned method, flags, version, create;
    uint32_t crc, attributes; /* 0 = computed */
    const char *extra;
    size_t extra_size;
    int32_t c_size, u_size; /* added to what is right, in the directory */
    int32_t offset;
};

static struct zip *
zip_new(void)
{
    struct zip *z = calloc(1, sizeof *z);
    ck_assert_ptr_nonnull(z);
    return z;
}

static void
number(unsigned char *at, uint32_t n, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        at[i] = (unsigned char)(n >> 8 * i);
}

/* What both headers have from version on. */
static void
common(unsigned char *at, const struct member *m, size_t name_size, bool directory)
{
    const uint32_t crc =
        m->crc ? m->crc : (uint32_t)crc32(0, m->data, (unsigned)m->size);
    number(at, m->version ? m->version : 20, 2);
    number(at + 2, m->flags, 2);
    number(at + 4, m->method, 2);
    number(at + 6, 0x6000, 2);
    number(at + 8, 0x5021, 2);
    number(at + 10, crc, 4);
    number(at + 14, (uint32_t)m->size + (directory ? (uint32_t)m->c_size : 0), 4);
    number(at + 18, (uint32_t)m->size + (directory ? (uint32_t)m->u_size : 0), 4);
    number(at + 22, (uint32_t)name_size, 2);
    number(at + 24, (uint32_t)m->extra_size, 2);
}

static void
zip_add(struct zip *z, const struct member *m)
{
    const char *local = m->local_name ? m->local_name : m->name;
    unsigned char *at = z->data + z->size, *record = z->directory + z->directory_size;
    const size_t offset = z->size, n = strlen(local), length = strlen(m->name);
    ck_assert_uint_lt(z->size + 30 + n + m->extra_size + m->size, ROOM / 2);
    memcpy(at, "PK\3\4", 4);
    common(at + 4, m, n, false);
    memcpy(at + 30, local, n);
    if (m->extra_size)
        memcpy(at + 30 + n, m->extra, m->extra_size);
    if (m->size)
        memcpy(at + 30 + n + m->extra_size, m->data, m->size);
    z->size += 30 + n + m->extra_size + m->size;
    memcpy(record, "PK\1\2", 4);
    number(record + 4, m->create ? m->create : 0x314, 2);
    common(record + 6, m, length, true);
    number(record + 38, m->attributes, 4);
    number(record + 42, (uint32_t)offset + (uint32_t)m->offset, 4);
    memcpy(record + 46, m->name, length);
    if (m->extra_size)
        memcpy(record + 46 + length, m->extra, m->extra_size);
    z->directory_size += 46 + length + m->extra_size;
    z->count++;
}

static void
zip_end(struct zip *z)
{
    const size_t start = z->size;
    ck_assert_uint_lt(z->size + z->directory_size + 22, ROOM);
    memcpy(z->data + z->size, z->directory, z->directory_size);
    z->size += z->directory_size;
    memcpy(z->data + z->size, "PK\5\6", 4);
    number(z->data + z->size + 8, z->count, 2);
    number(z->data + z->size + 10, z->count, 2);
    number(z->data + z->size + 12, (uint32_t)z->directory_size, 4);
    number(z->data + z->size + 16, (uint32_t)start, 4);
    z->size += 22;
}

static struct zip *
zip_of(const struct member *m)
{
    struct zip *z = zip_new();
    zip_add(z, m);
    zip_end(z);
    return z;
}

/* Compact text of member @p key of file @p i, "(none)" without, or the error's text. */
static char *
field(struct stoq_loaded *p, const struct zip *z, size_t i, const char *key)
{
    struct stoq_reply reply;
    struct stoq_error err = {0};
    if (scan(p, z->data, z->size, NULL, &reply, &err) < 0) {
        stoq_reply_fini(&reply);
        return strdup(err.message);
    }
    const json_t *file = json_array_get(json_object_get(reply.results, "files"), i);
    char *text = json_dumps(json_object_get(file ? file : reply.results, key),
                            JSON_ENCODE_ANY | JSON_COMPACT);
    stoq_reply_fini(&reply);
    return text;
}

/* ------------------------------------------------------------------------ fields */

static const struct {
    struct member m;
    const char *key, *expected;
} fields[] = {
    {{.name = "a.txt"}, "filename", "\"a.txt\""},
    {{.name = "a.txt"}, "date", "\"2020-01-01\""},
    {{.name = "a.txt"}, "time", "\"12:00:00\""},
    {{.name = "caf\x82"}, "filename", "\"caf\u00e9\""},
    {{.name = "caf\x82"}, "l_filename", "\"caf\u00e9\""},
    {{.name = "caf\xc3\xa9", .flags = 0x800}, "filename", "\"caf\u00e9\""},
    {{.name = "a", .flags = 0x800}, "flags", "[\"utf8\"]"},
    {{.name = "a", .method = 6, .flags = 0x807}, "flags_short", "\"e83u\""},
    {{.name = "a", .method = 9, .flags = 7},
     "flags",
     "[\"encrypted\",\"deflate_superfast\"]"},
    {{.name = "a", .method = 14, .flags = 3}, "flags_short", "\"eE\""},
    {{.name = "a", .method = 97, .flags = 1}, "method", "\"wavpack\""},
    {{.name = "a", .method = 98, .flags = 1}, "l_method", "\"ppmd\""},
    {{.name = "a", .method = 13, .flags = 1}, "method", "\"unknown\""},
    {{.name = "a", .method = 65535, .flags = 1}, "method", "\"unknown\""},
    {{.name = "a", .create = 0xa14}, "create_sys", "\"NTFS\""},
    {{.name = "a", .create = 0x1414}, "create_sys", "\"unknown\""},
    {{.name = "a", .attributes = 0x27},
     "ext_attr_dos",
     "[\"ro\",\"hidden\",\"sys\",\"archive\"]"},
    {{.name = "a", .attributes = 0x7fff}, "ext_attr_dos_short", "\"RHSVDAXNTPLCOIE\""},
    {{.name = "a", .attributes = 0x81a40000}, "ext_attr_posix", "\"-rw-r--r--\""},
    {{.name = "a", .attributes = 0x4fff0000}, "ext_attr_posix", "\"drwsrwsrwt\""},
    {{.name = "a", .attributes = 0x8e000000}, "ext_attr_posix", "\"---S--S--T\""},
    {{.name = "a", .attributes = 0xc1ff0000}, "ext_attr_posix", "\"-rwxrwxrwx\""},
    {{.name = "a", .data = "hi", .size = 2}, "decompress_size", "2"},
    {{.name = "a", .data = "hi", .size = 2, .flags = 1}, "decompress_size", "0"},
    {{.name = "a", .data = "\x03\0", .size = 2, .method = 8, .flags = 1},
     "compress_flags",
     "[]"},
    {{.name = "a", .extra = "\xfe\xca\x02\0AB", .extra_size = 6},
     "extra_types",
     "[\"cafe\"]"},
    {{.name = "a", .extra = "\xfe\xca\x02\0AB", .extra_size = 6},
     "extra_tokens",
     "[\"feca\",\"0200\",\"4142\"]"},
    {{.name = "a", .extra = "\xfe\xca\x02\0AB", .extra_size = 6},
     "extra",
     "\"feca02004142\""},
    {{.name = "a", .extra = "\xfe\xca\x02\0ABC", .extra_size = 7}, "extra_gap", "1"},
    {{.name = "a", .extra = "UT\x05\0\x01\0\0\0\0", .extra_size = 9},
     "extra_values",
     "[[\"time_flags\",[\"mtime\"]],[\"time_mtime\",\"1970-01-01T00:00:00\"]]"},
    {{.name = "a", .extra = "\x01\x99\x07\0\x02\0AE\x03\x08\0", .extra_size = 11},
     "extra_values",
     "[[\"aes_version\",2],[\"aes_vendor\",\"AE\"],[\"aes_strength\",256],"
     "[\"aes_method\",\"deflate\"]]"},
    {{.name = "a", .flags = 1, .u_size = 1},
     "local_central_header_deltas",
     "[\"u_size\"]"},
    {{.name = "a"}, "offset", "31"},
    {{.name = "a"}, "end", "78"},
};

START_TEST(test_fields)
{
    struct stoq_loaded *p = LOADED("xyz", NULL, NULL);
    struct zip *z = zip_of(&fields[_i].m);
    CHECK_TEXT(field(p, z, 0, fields[_i].key), fields[_i].expected);
    free(z);
    stoq_loaded_free(p);
}
END_TEST

/* With these the level is found again; between them are some whose size a higher one
 * happens to exceed. */
static const int levels[] = {0, 1, 6, 9};

START_TEST(test_levels)
{
    unsigned char plain[4000], packed[8000];
    uint32_t state = 1;
    for (size_t i = 0; i < sizeof plain; i++) {
        state = state * 1103515245 + 12345;
        plain[i] = (unsigned char)("abcdefgh"[state >> 16 & 7]);
    }
    z_stream s = {.next_in = plain, .avail_in = sizeof plain};
    ck_assert_int_eq(deflateInit2(&s, levels[_i], Z_DEFLATED, -15, 8, 0), Z_OK);
    s.next_out = packed;
    s.avail_out = sizeof packed;
    ck_assert_int_eq(deflate(&s, Z_FINISH), Z_STREAM_END);
    const struct member m = {.name = "a",
                             .data = packed,
                             .size = sizeof packed - s.avail_out,
                             .method = 8,
                             .crc = (uint32_t)crc32(0, plain, sizeof plain),
                             .u_size = (int32_t)(sizeof plain - sizeof packed) +
                                       (int32_t)s.avail_out};
    (void)deflateEnd(&s);
    struct zip *z = zip_of(&m);
    struct stoq_loaded *p = LOADED("xyz", NULL, NULL);
    char *max = field(p, z, 0, "derived_deflate_level_max");
    char *min = field(p, z, 0, "derived_deflate_level_min");
    ck_assert_msg(atoi(min) <= levels[_i] && levels[_i] <= atoi(max), "%s..%s", min,
                  max);
    CHECK_TEXT(field(p, z, 0, "derived_deflate_match"), "true");
    CHECK_TEXT(field(p, z, 0, "decompress_size"), "4000");
    stoq_loaded_free(p);
    p = LOADED("xyz", NULL, "derive_deflate_level=no");
    CHECK_TEXT(field(p, z, 0, "derived_deflate_match"), "(none)");
    CHECK_TEXT(field(p, z, 0, "decompress_size"), "4000");
    stoq_loaded_free(p);
    p = LOADED("xyz", NULL, "maximum_size=3999");
    CHECK_TEXT(field(p, z, 0, "decompress_size"), "(none)");
    struct stoq_reply reply;
    struct stoq_error err = {0};
    ck_assert_int_eq(scan(p, z->data, z->size, NULL, &reply, &err), 0);
    ck_assert_uint_eq(reply.hit_count, 1);
    ck_assert_str_eq(reply.hits[0].name, "maximum_size");
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
    free(min);
    free(max);
    free(z);
}
END_TEST

/* The first record's place alone, unless all is asked for. */
START_TEST(test_two_files)
{
    struct zip *z = zip_new();
    zip_add(z, &(struct member){.name = "a", .data = "1", .size = 1});
    z->size += 5; /* a gap */
    zip_add(z, &(struct member){.name = "bb", .data = "22", .size = 2});
    zip_end(z);
    struct stoq_loaded *p = LOADED("xyz", NULL, NULL);
    CHECK_TEXT(field(p, z, 0, "offset"), "71");
    CHECK_TEXT(field(p, z, 1, "offset"), "(none)");
    CHECK_TEXT(field(p, z, 1, "l_gap"), "5");
    CHECK_TEXT(field(p, z, 1, "local_central_header_deltas"), "[\"fname_len\"]");
    CHECK_TEXT(field(p, z, 9, "dir_offset"), "71");
    CHECK_TEXT(field(p, z, 9, "dir_end"), "118");
    CHECK_TEXT(field(p, z, 9, "end_dir"), "(none)");
    stoq_loaded_free(p);
    p = LOADED("xyz", NULL, "complete=yes");
    CHECK_TEXT(field(p, z, 1, "offset"), "118");
    CHECK_TEXT(field(p, z, 1, "local_central_header_deltas"), "[]");
    CHECK_TEXT(field(p, z, 9, "dir_end"), "166");
    CHECK_TEXT(field(p, z, 9, "end_dir"),
               "{\"end_dir_offset\":166,\"disk_num\":0,\"disk_num_dir\":0,"
               "\"num_entries_disk\":2,\"num_entries\":2,\"dir_size\":95,"
               "\"dir_offset\":71,\"comment_len\":0,\"end_dir_end\":188}");
    stoq_loaded_free(p);
    free(z);
}
END_TEST

/* --------------------------------------------------------------------- refusals */

#define NOT_BYTES "TypeError: a bytes-like object is required, not 'str'"

static const struct {
    struct member m;
    const char *expected, *complete; /* decompress_errors, or the same error */
} refused[] = {
    {{.name = "a", .data = "1", .size = 1, .crc = 1},
     NOT_BYTES,
     "\"damaged data or a wrong checksum\""},
    {{.name = "a", .local_name = "b"},
     NOT_BYTES,
     "\"the directory and the local header differ in the name\""},
    {{.name = "a", .method = 9}, NOT_BYTES, "\"compression method not supported\""},
    {{.name = "a", .flags = 0x20}, NOT_BYTES, "\"patched data or strong encryption\""},
    {{.name = "a", .c_size = 1}, NOT_BYTES, "\"overlaps another entry\""},
    {{.name = "a", .offset = 1},
     NOT_BYTES,
     "\"no local header where the directory says\""},
    {{.name = "a", .offset = 0x7fffffff}, NOT_BYTES, "\"truncated local header\""},
    {{.name = "a", .data = "\xff", .size = 1, .method = 8},
     NOT_BYTES,
     "\"damaged data or a wrong checksum\""},
    {{.name = "a", .version = 64},
     "NotImplementedError: zip file version 6.4",
     "NotImplementedError: zip file version 6.4"},
    {{.name = "a\xff", .flags = 0x800},
     "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 1: invalid "
     "start byte",
     "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 1: invalid "
     "start byte"},
    {{.name = "a", .extra = "\x01\0\x08\0abc", .extra_size = 7},
     "zipfile.BadZipFile: Corrupt extra field 0001 (size=8)",
     "zipfile.BadZipFile: Corrupt extra field 0001 (size=8)"},
    {{.name = "a", .u_size = -1, .extra = "\x01\0\x04\0abcd", .extra_size = 8},
     "zipfile.BadZipFile: Corrupt zip64 extra field. File size not found.",
     "zipfile.BadZipFile: Corrupt zip64 extra field. File size not found."},
    {{.name = "a", .extra = "ux\x06\0\x01\x04\0\0\0\0", .extra_size = 10},
     "IndexError: index out of range",
     "\"\""},
    {{.name = "a", .flags = 9, .data = "12345678", .size = 8, .u_size = 1},
     "\"\"",
     "\"\""},
};

START_TEST(test_refused)
{
    struct zip *z = zip_of(&refused[_i].m);
    struct stoq_loaded *p = LOADED("xyz", NULL, NULL);
    CHECK_TEXT(field(p, z, 0, "decompress_errors"), refused[_i].expected);
    stoq_loaded_free(p);
    p = LOADED("xyz", NULL, "complete=yes");
    CHECK_TEXT(field(p, z, 0, "decompress_errors"), refused[_i].complete);
    stoq_loaded_free(p);
    free(z);
}
END_TEST

START_TEST(test_no_zip)
{
    struct stoq_loaded *p = LOADED("xyz", NULL, NULL);
    struct zip *z = zip_new();
    CHECK_TEXT(field(p, z, 0, "comment"), "zipfile.BadZipFile: File is not a zip file");
    zip_end(z);
    CHECK_TEXT(field(p, z, 0, "comment"), "IndexError: list index out of range");
    number(z->data + 12, 1, 4);
    CHECK_TEXT(field(p, z, 0, "comment"),
               "zipfile.BadZipFile: Bad offset for central directory");
    free(z);
    stoq_loaded_free(p);
}
END_TEST

/* ---------------------------------------------------------------------- hostile */

/* Every prefix is refused; every byte changed ends, whatever it says. */
START_TEST(test_mangled)
{
    struct zip *z = zip_new();
    zip_add(z, &(struct member){.name = "a.txt", .data = "hello", .size = 5});
    zip_add(z, &(struct member){.name = "b",
                                .data = "\x4b\x04\0",
                                .size = 3,
                                .method = 8,
                                .crc = 0xe8b7be43,
                                .u_size = -2,
                                .extra = "UT\x05\0\x01\0\0\0\0\x01\0\0\0",
                                .extra_size = 13});
    zip_end(z);
    struct stoq_loaded *p[2] = {LOADED("xyz", NULL, NULL),
                                LOADED("xyz", NULL, "complete=yes")};
    const size_t size = z->size;
    for (int which = 0; which < 2; which++) {
        for (z->size = 0; z->size < size; z->size++)
            CHECK_TEXT(field(p[which], z, 0, "comment"),
                       "zipfile.BadZipFile: File is not a zip file");
        for (size_t i = 0; i < size; i++) {
            static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff};
            const unsigned char before = z->data[i];
            for (size_t v = 0; v < sizeof values; v++) {
                z->data[i] = values[v];
                free(field(p[which], z, 0, "comment"));
            }
            z->data[i] = before;
        }
        CHECK_TEXT(field(p[which], z, 0, "decompress_size"), "5");
        stoq_loaded_free(p[which]);
    }
    free(z);
}
END_TEST

/* Records that share one header with a large extra field cost results, not memory
 * without bound. */
START_TEST(test_many)
{
    static char extra[65532];
    for (size_t i = 0; i < sizeof extra; i += 4)
        memcpy(extra + i, "\xfe\xca\0\0", 4);
    struct zip *z = zip_new();
    zip_add(z,
            &(struct member){
                .name = "a", .flags = 1, .extra = extra, .extra_size = sizeof extra});
    for (unsigned i = 0; i < 60; i++) {
        const size_t before = z->size;
        zip_add(z, &(struct member){.name = "a", .flags = 1});
        z->size = before;
        memset(z->directory + z->directory_size - 47 + 42, 0, 4);
    }
    zip_end(z);
    struct stoq_loaded *p = LOADED("xyz", NULL, NULL);
    struct stoq_reply reply;
    struct stoq_error err = {0};
    ck_assert_int_eq(scan(p, z->data, z->size, NULL, &reply, &err), 0);
    const size_t count = json_array_size(json_object_get(reply.results, "files"));
    ck_assert_uint_gt(count, 0);
    ck_assert_uint_lt(count, 20);
    ck_assert_uint_eq(reply.hit_count, 1);
    ck_assert_str_eq(reply.hits[0].name, "entries");
    ck_assert_uint_eq(reply.hits[0].value, count);
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
    free(z);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, test_fields, 0, (int)(sizeof fields / sizeof *fields));
    tcase_add_loop_test(tc, test_levels, 0, 4);
    tcase_add_test(tc, test_two_files);
    tcase_add_loop_test(tc, test_refused, 0, (int)(sizeof refused / sizeof *refused));
    tcase_add_test(tc, test_no_zip);
    tcase_add_test(tc, test_mangled);
    tcase_add_test(tc, test_many);
}

int
main(void)
{
    return run_suite("plugins_xyz", fill);
}
