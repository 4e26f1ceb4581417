/* SPDX-License-Identifier: Apache-2.0 */

/*
 * decompress: archives of every format, names, options and passwords. The expected
 * children are written as "NAME:SIZE" or "NAME=CONTENT".
 */

#include "plugins_archives.h"

/* ----------------------------------------------------------------------- formats */

static const struct {
    const char *format, *filter;
} containers[] = {
    {"zip", NULL},   {"7zip", NULL},    {"ustar", NULL}, {"gnutar", NULL},
    {"pax", NULL},   {"cpio", NULL},    {"newc", NULL},  {"arsvr4", NULL},
    {"arbsd", NULL}, {"iso9660", NULL},
};

START_TEST(test_containers)
{
    struct stoq_loaded *p = LOADED("decompress", NULL, NULL);
    struct made m = two(containers[_i].format, containers[_i].filter, NULL);
    const bool old_cpio = strcmp(containers[_i].format, "cpio") == 0;
    CHECK_SCAN(p, m, "a.txt=hello b.bin=worlds ",
               .mime = old_cpio ? "application/x-cpio" : NULL);
    free(m.data);
    stoq_loaded_free(p);
}
END_TEST

static const char *const streams[] = {"gzip", "bzip2", "xz",  "zstd",
                                      "lzma", "lzip",  "lz4", "compress"};

/* One layer comes off, and no more; the name follows from the bytes. */
START_TEST(test_streams)
{
    struct stoq_loaded *p = LOADED("decompress", NULL, NULL);
    static const char text[] = "some text that is longer than forty bytes, so sizes";
    struct made inner = stream(streams[_i], text, sizeof text);
    struct made outer = stream(streams[_i], inner.data, inner.size);
    struct made tar = two("ustar", streams[_i], NULL);
    struct job j = {0};
    run(&j, p, inner.data, inner.size);
    ck_assert_int_eq(j.r, 0);
    ck_assert_uint_eq(j.reply.child_count, 1);
    ck_assert_uint_eq(j.reply.errors.count + j.reply.hit_count, 0);
    ck_assert_uint_eq(j.reply.children->size, sizeof text);
    ck_assert_mem_eq(j.reply.children->data, text, sizeof text);
    ck_assert_uint_eq(strlen(j.reply.children->filename), 12);
    ck_assert_mem_eq(j.reply.children->filename, "tmp", 3);
    ck_assert_int_eq(j.reply.children->filename[11], '~');
    stoq_reply_fini(&j.reply);

    if (strcmp(streams[_i], "compress") != 0) {
        j = (struct job){0};
        run(&j, p, outer.data, outer.size);
        ck_assert_uint_eq(j.reply.child_count, 1);
        ck_assert_uint_eq(j.reply.children->size, inner.size);
        ck_assert_mem_eq(j.reply.children->data, inner.data, inner.size);
        stoq_reply_fini(&j.reply);
    }
    j = (struct job){0};
    run(&j, p, tar.data, tar.size);
    ck_assert_uint_eq(j.reply.child_count, 1);
    ck_assert_uint_ge(j.reply.children->size, 2048);
    stoq_reply_fini(&j.reply);
    free(inner.data);
    free(outer.data);
    free(tar.data);
    stoq_loaded_free(p);
}
END_TEST

/* Those that libarchive does not write. */
static const unsigned char gzip_named[] = {0x1f, 0x8b, 8,    8,    0,    0,    0,   0,
                                           0,    3,    'd',  '/',  'n',  'a',  'm', 'e',
                                           0,    0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7,   0,
                                           0x86, 0xa6, 0x10, 0x36, 5,    0,    0,   0};
static const char lha_stored[] = "\x1b\x82-lh0-\x05\0\0\0\x05\0\0\0\0\0\0\0\x20\0\x05"
                                 "a.txt\xd2\x34"
                                 "hello";
static const char cab_stored[] =
    "MSCF\0\0\0\0\x57\0\0\0\0\0\0\0\x2c\0\0\0\0\0\0\0\x03\x01\x01\0\x01\0\0\0\0\0\0\0"
    "\x42\0\0\0\x01\0\0\0"
    "\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\x20\0a.txt\0"
    "\0\0\0\0\x05\0\x05\0hello";

START_TEST(test_rare)
{
    struct stoq_loaded *p = LOADED("decompress", NULL, NULL);
    const struct made gzip = {.data = (unsigned char *)(uintptr_t)gzip_named,
                              .size = sizeof gzip_named};
    CHECK_SCAN(p, gzip, "name=hello ", 0);
    const struct made cab = {.data = (unsigned char *)(uintptr_t)cab_stored,
                             .size = sizeof cab_stored - 1};
    CHECK_SCAN(p, cab, "a.txt=hello ", 0);
    const struct made lha = {.data = (unsigned char *)(uintptr_t)lha_stored,
                             .size = sizeof lha_stored - 1};
    CHECK_SCAN(p, lha, "a.txt=hello ", 0);
    /* an rpm: lead, two empty headers, a compressed cpio */
    struct made cpio = two("newc", "gzip", NULL);
    struct made rpm = {.data = calloc(1, 128 + cpio.size), .size = 128 + cpio.size};
    memcpy(rpm.data, "\xed\xab\xee\xdb\x03", 5);
    memcpy(rpm.data + 96, "\x8e\xad\xe8\x01", 4);
    memcpy(rpm.data + 112, "\x8e\xad\xe8\x01", 4);
    memcpy(rpm.data + 128, cpio.data, cpio.size);
    CHECK_SCAN(p, rpm, "a.txt=hello b.bin=worlds ", 0);
    free(rpm.data);
    free(cpio.data);
    stoq_loaded_free(p);
}
END_TEST

/* What is not an archive, by what mimetype says. */
START_TEST(test_types)
{
    struct stoq_loaded *p = LOADED("decompress", NULL, "maximum_size=100000");
    const struct made text = {.data = (unsigned char *)(uintptr_t) "plain text",
                              .size = 10};
    CHECK_SCAN(p, text,
               "stoq.exceptions.StoqPluginException: Unable to determine archive type, "
               "mimetype: text/plain",
               .mime = "text/plain");
    CHECK_SCAN(p, text, "", .mime = "application/octet-stream");
    CHECK_SCAN(p, text, "", .mime = "application/x-dosexec");
    CHECK_SCAN(p, text, "", 0);
    CHECK_SCAN(
        p, text,
        "!Unable to read archive, mimetype: application/zip: Unrecognized archive "
        "format ",
        .mime = "application/zip");
    CHECK_SCAN(p, text,
               "!Unable to read archive, mimetype: text/plain: Unrecognized archive "
               "format ",
               .mime = "text/plain", .extra = "{\"archiver\": \"7z\"}");
    struct made zip = two("zip", NULL, NULL);
    CHECK_SCAN(p, zip, "a.txt=hello b.bin=worlds ", .mime = "image/openraster");
    /* a program with a zip at its end */
    struct made sfx = {.data = calloc(1, 5000 + zip.size), .size = 5000 + zip.size};
    memcpy(sfx.data, "MZ", 2);
    memcpy(sfx.data + 5000, zip.data, zip.size);
    CHECK_SCAN(p, sfx, "a.txt=hello b.bin=worlds ", .mime = "application/x-dosexec");
    sfx.data = realloc(sfx.data, 100001);
    sfx.size = 100001;
    CHECK_SCAN(
        p, sfx,
        "stoq.exceptions.StoqPluginException: Compressed file too large: 100001 > "
        "100000",
        0);
    free(sfx.data);
    free(zip.data);
    stoq_loaded_free(p);
}
END_TEST

/* -------------------------------------------------------------- names and options */

START_TEST(test_names)
{
    struct stoq_loaded *p = LOADED("decompress", NULL, NULL);
    struct made m = {0};
    begin(&m, "ustar", NULL, NULL);
    add(&m, "../../etc/passwd", "1", 1);
    add(&m, "/abs/..", "2", 1);
    add(&m, "caf\xc3\xa9", "3", 1);
    add(&m, "raw\xff", "4", 1);
    add(&m, "empty", "", 0);
    end(&m);
    CHECK_SCAN(p, m, "passwd=1 ..=2 caf\xc3\xa9=3 raw\xff=4 empty= ", 0);
    free(m.data);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_options)
{
    struct made inner = two("zip", NULL, NULL);
    struct made m = {0};
    begin(&m, "zip", NULL, NULL);
    add(&m, "inner.zip", inner.data, inner.size);
    add(&m, "a.txt", "hello", 5);
    end(&m);
    struct stoq_loaded *p =
        LOADED("decompress", NULL, "nested=yes", "always_dispatch=hash, entropy",
               "archive_extracted=no");
    struct job j = {0};
    run(&j, p, m.data, m.size);
    ck_assert_uint_eq(j.reply.child_count, 2);
    const struct stoq_child *zip = j.reply.children, *text = zip->next;
    ck_assert(zip->no_archive && text->no_archive && !zip->no_scan);
    ck_assert_uint_eq(zip->dispatch_to.count, 3);
    ck_assert_str_eq(zip->dispatch_to.items[2], "decompress");
    ck_assert_uint_eq(text->dispatch_to.count, 2);
    ck_assert_str_eq(text->dispatch_to.items[0], "hash");
    ck_assert_str_eq(text->dispatch_to.items[1], "entropy");
    stoq_reply_fini(&j.reply);
    stoq_loaded_free(p);
    free(inner.data);
    free(m.data);
}
END_TEST

static const char *const methods[] = {"traditional", "aes128", "aes256"};

/* Both members, in either order: one that a wrong password seemed to open, which the
 * check byte of old zip files lets one in 256 do, is read in a second pass. */
#define CHECK_OPENED(p, m, ...)                                            \
    do {                                                                   \
        struct job job_ = {__VA_ARGS__};                                   \
        char *opened_ = outcome((p), &job_, (m).data, (m).size);           \
        if (!opened_ || strcmp(opened_, "b.bin=worlds a.txt=hello ") != 0) \
            CHECK_TEXT(opened_, "a.txt=hello b.bin=worlds ");              \
        else                                                               \
            free(opened_);                                                 \
    } while (0)

START_TEST(test_passwords)
{
    char password[64];
    struct stoq_loaded *p = LOADED("decompress", NULL, NULL);
    (void)snprintf(password, sizeof password, "%s:infected", methods[_i]);
    struct made known = two("zip", NULL, password);
    CHECK_OPENED(p, known, 0);
    (void)snprintf(password, sizeof password, "%s:of this mail", methods[_i]);
    struct made other = two("zip", NULL, password);
    CHECK_SCAN(p, other, "<encrypted 2> ", 0);
    CHECK_OPENED(p, other, .extra = "{\"passwords\": [\"x\", 3, \"of this mail\"]}");
    CHECK_OPENED(p, other, .extra = "{\"passwords\": \"x, of this mail ,y\"}");
    free(known.data);
    free(other.data);
    stoq_loaded_free(p);
}
END_TEST

/* The check byte of old zip files lets one wrong password in 256 pass: with many of
 * them before the right one, some always do. */
START_TEST(test_wrong_passwords)
{
    struct stoq_loaded *p = LOADED("decompress", NULL, NULL);
    struct made m = {0};
    begin(&m, "zip", NULL, "traditional:right");
    for (int i = 0; i < 20; i++)
        add(&m, "a", "hello hello hello", 17);
    end(&m);
    json_t *list = json_array();
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(json_array_append_new(list, json_sprintf("wrong %d", i)), 0);
    ck_assert_int_eq(json_array_append_new(list, json_string("right")), 0);
    json_t *extra = json_pack("{s: o}", "passwords", list);
    char *text = json_dumps(extra, 0);
    struct job j = {.extra = text};
    run(&j, p, m.data, m.size);
    ck_assert_int_eq(j.r, 0);
    ck_assert_uint_eq(j.reply.child_count, 20);
    ck_assert_uint_eq(j.reply.hit_count, 0);
    for (const struct stoq_child *c = j.reply.children; c; c = c->next)
        ck_assert(c->size == 17 && memcmp(c->data, "hello hello hello", 17) == 0);
    stoq_reply_fini(&j.reply);
    free(text);
    json_decref(extra);
    free(m.data);
    stoq_loaded_free(p);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, test_containers, 0,
                        (int)(sizeof containers / sizeof *containers));
    tcase_add_loop_test(tc, test_streams, 0, (int)(sizeof streams / sizeof *streams));
    tcase_add_test(tc, test_rare);
    tcase_add_test(tc, test_types);
    tcase_add_test(tc, test_names);
    tcase_add_test(tc, test_options);
    tcase_add_loop_test(tc, test_passwords, 0, 3);
    tcase_add_test(tc, test_wrong_passwords);
}

int
main(void)
{
    return run_suite("plugins_decompress", fill);
}
