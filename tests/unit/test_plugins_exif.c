/* SPDX-License-Identifier: Apache-2.0 */

/* exif: values of single tags, directories that lead nowhere or in circles, the syntax
 * of PDF, every prefix of the samples. Whole files are compared by the self-test. */

#include <stdlib.h>
#include <string.h>

#include "plugins_support.h"
#include "util/io.h"

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof *(array)))

static struct stoq_loaded *plugin;

static void
open_plugin(void)
{
    plugin = LOADED("exif", NULL, NULL);
}

static void
close_plugin(void)
{
    stoq_loaded_free(plugin);
}

/* Member @key of the results as compact text, "(none)" when there is none. */
static char *
shown(const void *data, size_t size, const char *key)
{
    struct stoq_reply reply;
    struct stoq_error err = {0};
    ck_assert_int_eq(scan(plugin, data, size, NULL, &reply, &err), 0);
    char *text = json_dumps(json_object_get(reply.results, key),
                            JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    stoq_reply_fini(&reply);
    return text;
}

static void
put_number(unsigned char *at, unsigned width, uint64_t value, bool big)
{
    for (unsigned i = 0; i < width; i++)
        at[big ? width - 1 - i : i] = (unsigned char)(value >> (8 * i));
}

/* A TIFF file with one entry; a value of more than four bytes lies behind it. */
static size_t
tiff_of(unsigned char out[256], unsigned tag, unsigned format, uint32_t count,
        const char *value, size_t size, bool big)
{
    memset(out, 0, 256);
    memcpy(out, big ? "MM\0*" : "II*\0", 4);
    put_number(out + 4, 4, 8, big);
    put_number(out + 8, 2, 1, big);
    put_number(out + 10, 2, tag, big);
    put_number(out + 12, 2, format, big);
    put_number(out + 14, 4, count, big);
    if (size > 4)
        put_number(out + 18, 4, 26, big);
    memcpy(out + (size > 4 ? 26 : 18), value, size);
    return 26 + (size > 4 ? size : 0);
}

#define RAW(literal) literal, sizeof(literal) - 1
static const struct {
    unsigned tag, format;
    uint32_t count;
    const char *value;
    size_t size;
    const char *key, *text;
} values[] = {
    {0x10f, 2, 5, RAW("Acme\0"), "Make", "\"Acme\""},
    {0x10f, 2, 7, RAW("Acme  \0"), "Make", "\"Acme\""},
    {0x10e, 2, 7, RAW("Acme  \0"), "ImageDescription", "\"Acme  \""},
    {0x10e, 2, 7, RAW("Ac\0me\0\0"), "ImageDescription", "\"Ac\""},
    {0x10e, 2, 3, RAW("1.5"), "ImageDescription", "1.5"},
    {0x10e, 2, 3, RAW("007"), "ImageDescription", "\"007\""},
    {0x10e, 2, 1, RAW("0"), "ImageDescription", "0"},
    {0x10e, 2, 2, RAW("-4"), "ImageDescription", "-4"},
    {0x10e, 2, 2, RAW("1."), "ImageDescription", "\"1.\""},
    {0x10e, 2, 2, RAW(".5"), "ImageDescription", "\".5\""},
    {0x10e, 2, 4, RAW("1e+2"), "ImageDescription", "100.0"},
    {0x10e, 2, 5, RAW("1e999"), "ImageDescription", "\"1e999\""},
    {0x10e, 2, 6, RAW("1e9999"), "ImageDescription", "\"1e9999\""},
    {0x10e, 2, 15, RAW("123456789012345"), "ImageDescription", "123456789012345"},
    {0x10e, 2, 16, RAW("1234567890123456"), "ImageDescription", "\"1234567890123456\""},
    {0x10e, 2, 4, RAW("True"), "ImageDescription", "true"},
    {0x10e, 2, 5, RAW("fALSE"), "ImageDescription", "false"},
    {0x10e, 2, 4, RAW("\xc3\xa4\xe4x"), "ImageDescription",
     "\"\xc3\x83\xc2\xa4\xc3\xa4x\""},
    {0x100, 3, 1, RAW("\x10\x27"), "ImageWidth", "10000"},
    {0x100, 4, 1, RAW("\xff\xff\xff\xff"), "ImageWidth", "4294967295"},
    {0x102, 3, 3, RAW("\1\0\2\0\3\0"), "BitsPerSample", "\"1 2 3\""},
    {0x100, 1, 1, RAW("\xff"), "ImageWidth", "255"},
    {0x100, 6, 1, RAW("\xff"), "ImageWidth", "-1"},
    {0x100, 8, 1, RAW("\xfe\xff"), "ImageWidth", "-2"},
    {0x100, 9, 1, RAW("\xfd\xff\xff\xff"), "ImageWidth", "-3"},
    {0x100, 11, 1, RAW("\0\0\x80\x3e"), "ImageWidth", "0.25"},
    {0x100, 12, 1, RAW("\0\0\0\0\0\0\xe0\x3f"), "ImageWidth", "0.5"},
    {0x100, 0, 1, RAW("\1\0\0\0"), "ImageWidth", "(none)"},
    {0x100, 14, 1, RAW("\1\0\0\0"), "ImageWidth", "(none)"},
    {0x100, 3, 0, RAW("\1\0\0\0"), "ImageWidth", "(none)"},
    {0x100, 3, UINT32_MAX, RAW("\1\0\0\0"), "ImageWidth", "(none)"},
    {0x11a, 5, 1, RAW("\x48\0\0\0\1\0\0\0"), "XResolution", "72"},
    {0x11a, 5, 1, RAW("\1\0\0\0\3\0\0\0"), "XResolution", "0.3333333333"},
    {0x11a, 5, 1, RAW("\1\0\0\0\0\0\0\0"), "XResolution", "\"inf\""},
    {0x11a, 5, 1, RAW("\0\0\0\0\0\0\0\0"), "XResolution", "\"undef\""},
    {0x9204, 10, 1, RAW("\xff\xff\xff\xff\2\0\0\0"), "ExposureCompensation", "-0.5"},
    {0x9201, 10, 1, RAW("\2\0\0\0\1\0\0\0"), "ShutterSpeedValue", "0.25"},
    {0x9201, 10, 1, RAW("\xff\0\0\0\1\0\0\0"), "ShutterSpeedValue", "0"},
    {0x9202, 5, 1, RAW("\2\0\0\0\1\0\0\0"), "ApertureValue", "2"},
    {0x9202, 5, 1, RAW("\2\0\0\0\0\0\0\0"), "ApertureValue", "\"undef\""},
    {0x9000, 7, 4, RAW("0232"), "ExifVersion", "\"0232\""},
    {0x9101, 7, 4, RAW("\1\2\3\0"), "ComponentsConfiguration", "\"1 2 3 0\""},
    {0xa300, 7, 1, RAW("\3"), "FileSource", "3"},
    {0x9286, 7, 12, RAW("ASCII\0\0\0note"), "UserComment", "\"note\""},
    {0x9286, 7, 13, RAW("ASCII\0\0\0note "), "UserComment", "\"note\""},
    {0x9286, 7, 12, RAW("UNICODE\0n\0\xe4\0"), "UserComment", "\"n\xc3\xa4\""},
    {0x9286, 7, 8, RAW("\0\0\0\0\0\0\0\0"), "UserComment", "\"\""},
    {0x9286, 7, 5, RAW("short"), "UserComment", "\"short\""},
    {0x9c9b, 1, 10, RAW("T\0\x3d\xd8\0\xde!\0\0\0"), "XPTitle",
     "\"T\xf0\x9f\x98\x80!\""},
    {0x9c9b, 1, 4, RAW("\x3d\xd8!\0"), "XPTitle", "\"\xef\xbf\xbd!\""},
    {0x9c9b, 1, 5, RAW("T\0!\0?"), "XPTitle", "\"T!\""},
    {0x140, 3, 3, RAW("\1\0\2\0\3\0"), "ColorMap",
     "\"(Binary data 6 bytes, use -b option to extract)\""},
    {0x111, 4, 2, RAW("\1\0\0\0\2\0\0\0"), "StripOffsets", "\"1 2\""},
    {0x111, 4, 4, RAW("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\0\0\0"),
     "StripOffsets", "\"(Binary data 34 bytes, use -b option to extract)\""},
    {0xfedc, 2, 4, RAW("text"), "SourceFile", "\"-\""},
};

START_TEST(test_values)
{
    for (int i = 0; i < COUNT_OF(values); i++) {
        unsigned char data[256];
        size_t size = tiff_of(data, values[i].tag, values[i].format, values[i].count,
                              values[i].value, values[i].size, false);
        CHECK_TEXT(shown(data, size, values[i].key), values[i].text);
        CHECK_TEXT(shown(data, size, "ExifByteOrder"), "\"II\"");
    }
}
END_TEST

START_TEST(test_big)
{
    unsigned char data[256];
    size_t size = tiff_of(data, 0x11a, 5, 1, RAW("\0\0\0\1\0\0\0\4"), true);
    CHECK_TEXT(shown(data, size, "XResolution"), "0.25");
    CHECK_TEXT(shown(data, size, "ExifByteOrder"), "\"MM\"");
    CHECK_TEXT(shown(data, size, "MIMEType"), "\"image/tiff\"");
}
END_TEST

/* A GPS directory behind the first one: tag, format, count, value. */
static size_t
gps_of(unsigned char out[256], const char *entries, unsigned count, const char *data,
       size_t size)
{
    (void)tiff_of(out, 0x8825, 4, 1, RAW("\x20\0\0\0"), false);
    put_number(out + 32, 2, count, false);
    memcpy(out + 34, entries, (size_t)12 * count);
    memcpy(out + 128, data, size);
    return 128 + size;
}

START_TEST(test_gps)
{
    static const char entries[] = "\1\0\2\0\2\0\0\0S\0\0\0"
                                  "\2\0\5\0\3\0\0\0\x80\0\0\0"
                                  "\3\0\2\0\2\0\0\0E\0\0\0"
                                  "\4\0\5\0\3\0\0\0\x80\0\0\0"
                                  "\7\0\5\0\3\0\0\0\x80\0\0\0";
    static const char angle[] =
        "\x0a\0\0\0\1\0\0\0\x1e\0\0\0\1\0\0\0\x09\0\0\0\2\0\0\0";
    unsigned char data[256];
    size_t size = gps_of(data, entries, 5, RAW(angle));
    CHECK_TEXT(shown(data, size, "GPSLatitude"), "-10.50125");
    CHECK_TEXT(shown(data, size, "GPSLongitude"), "10.50125");
    CHECK_TEXT(shown(data, size, "GPSPosition"), "\"-10.50125 10.50125\"");
    CHECK_TEXT(shown(data, size, "GPSTimeStamp"), "\"10:30:04.5\"");
    memset(data + 128, 0, 24);
    CHECK_TEXT(shown(data, size, "GPSLatitude"), "\"\"");
    CHECK_TEXT(shown(data, size, "GPSTimeStamp"), "\"\"");
    CHECK_TEXT(shown(data, size, "GPSPosition"), "(none)");
}
END_TEST

/* Directories that name themselves, or more of them than are read. */
START_TEST(test_cycles)
{
    unsigned char data[256];
    size_t size = tiff_of(data, 0x8769, 4, 1, RAW("\x08\0\0\0"), false);
    put_number(data + 22, 4, 8, false);
    CHECK_TEXT(shown(data, size, "FileType"), "\"TIFF\"");

    enum { DIRECTORIES = 100, SIZE = 18 };
    unsigned char chain[8 + DIRECTORIES * SIZE] = "II*\0\x08";
    for (unsigned i = 0; i < DIRECTORIES; i++) {
        unsigned char *at = chain + 8 + (size_t)i * SIZE;
        put_number(at, 2, 1, false);
        put_number(at + 2, 2, 0x100, false);
        put_number(at + 4, 2, 3, false);
        put_number(at + 6, 4, 1, false);
        put_number(at + 10, 4, i + 1, false);
        put_number(at + 14, 4, 8 + (size_t)(i + 1) * SIZE, false);
    }
    struct stoq_reply reply;
    struct stoq_error err = {0};
    ck_assert_int_eq(scan(plugin, chain, sizeof chain, NULL, &reply, &err), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(reply.results, "ImageWidth")),
                     1);
    ck_assert_uint_eq(reply.hit_count, 1);
    ck_assert_str_eq(reply.hits[0].name, "metadata");
    stoq_reply_fini(&reply);
}
END_TEST

#define PDF(info) "%PDF-1.4\n1 0 obj <<" info ">>\ntrailer <</Info 1 0 R /Root 2 0 R>>"
static const struct {
    const char *data, *key, *text;
} documents[] = {
    {PDF("/Title (a)"), "Title", "\"a\""},
    {PDF("/Title(a(b)c)"), "Title", "\"a(b)c\""},
    {PDF("/Title (\\(\\)\\\\\\n\\101\\1012\\x\\\nz)"), "Title", "\"()\\\\\\nAA2xz\""},
    {PDF("/Title <4 1 4>"), "Title", "\"A@\""},
    {PDF("/Title <FEFF00e4>"), "Title", "\"\xc3\xa4\""},
    {PDF("/X (/Title \\) (no)) /Title (yes)"), "Title", "\"yes\""},
    {PDF("/X << /Title (no) >> /Title (yes)"), "Title", "\"yes\""},
    {PDF("/X [ /Title (no) ] /Title (yes)"), "Title", "\"yes\""},
    {PDF("/Titles (no) /Title (yes)"), "Title", "\"yes\""},
    {PDF("/Title 7 0 R"), "Title", "(none)"},
    {PDF("/Title 1 0 R"), "Title", "(none)"},
    {PDF("/Title (open"), "Title", "\"open>>\\ntrailer <</Info 1 0 R /Root 2 0 R>>\""},
    {PDF("/Title <41"), "Title", "\"A\""},
    {PDF("/Title ("), "Author", "(none)"},
    {PDF("/Keywords ()"), "Keywords", "(none)"},
    {PDF("/CreationDate (D:20200102030405)"), "CreateDate", "\"2020:01:02 03:04:05\""},
    {PDF("/CreationDate (D:20200102030405Z)"), "CreateDate",
     "\"2020:01:02 03:04:05Z\""},
    {PDF("/CreationDate (20200102030405-08'30')"), "CreateDate",
     "\"2020:01:02 03:04:05-08:30\""},
    {PDF("/CreationDate (D:20200102030405-08)"), "CreateDate",
     "\"2020:01:02 03:04:05\""},
    {PDF("/CreationDate (yesterday)"), "CreateDate", "\"yesterday\""},
    {PDF("") "2 0 obj<</Pages 3 0 R>> 3 0 obj<</Count 4 0 R>> 4 0 obj 12", "PageCount",
     "12"},
    {PDF("") "2 0 obj<</Pages<</Count 5>>>>", "PageCount", "5"},
    {PDF("") "2 0 obj<</Pages 2 0 R>>", "PageCount", "(none)"},
    {PDF("") "2 0 obj<</Pages<</Count 5>>>> 2 1 obj<</Pages<</Count 6>>>>", "PageCount",
     "6"},
    {PDF("") "2 0 obj<</Version/1.7>>", "PDFVersion", "1.7"},
    {"%PDF-1.4 /Linearized 1", "Linearized", "true"},
    {"%PDF-1.4 /Root", "Linearized", "false"},
    {"%PDF-1.4 1 0 obj<</Title (x)>> trailer<</Root 2 0 R/Info 1 0 R/Encrypt 3 0 R>>",
     "Title", "(none)"},
    {"%PDF-", "FileType", "\"PDF\""},
};

START_TEST(test_documents)
{
    for (int i = 0; i < COUNT_OF(documents); i++)
        CHECK_TEXT(
            shown(documents[i].data, strlen(documents[i].data), documents[i].key),
            documents[i].text);
}
END_TEST

START_TEST(test_other)
{
    static const struct {
        const char *data;
        size_t size;
        const char *key, *text;
    } others[] = {
        {RAW(""), "Error", "\"File is empty\""},
        {RAW("text"), "Error", "\"Unknown file type\""},
        {RAW("II*"), "Error", "\"Unknown file type\""},
        {RAW("\xff\xd8\xff"), "FileType", "\"JPEG\""},
        {RAW("\xff\xd8\xff\xc4\0\x08 \0\0\0\0\3\xff\xd9"), "ImageWidth", "(none)"},
        {RAW("\xff\xd8\xff\xff\xc9\0\x0b\x08\0\2\0\3\1\0\0\0"), "ImageWidth", "3"},
        {RAW("\xff\xd8\xff\xc0\0\x11\x08\0\2\0\3\3\1\0\0\2\0\0\3\0\0"),
         "YCbCrSubSampling", "(none)"},
        {RAW("\xff\xd8\xff\xc2\0\x11\x08\0\2\0\3\3\1\x21\0\2\x11\0\3\x11\0"),
         "YCbCrSubSampling", "\"2 1\""},
        {RAW("\xff\xd8\xff\xfe\0\1"), "Comment", "(none)"},
        {RAW("\xff\xd8\xff\xfe\0\5hi\0"), "Comment", "\"hi\""},
        {RAW("\x89PNG\r\n\x1a\n\xff\xff\xff\xffIHDR"), "FileType", "\"PNG\""},
        {RAW("\x89PNG\r\n\x1a\n\0\0\0\4gAMA\0\0\0\0"), "Gamma", "(none)"},
        {RAW("GIF87a\3\0\4\0\x91\5"), "BackgroundColor", "5"},
        {RAW("GIF87a\3\0\4\0\x91\5"), "BitsPerPixel", "2"},
        {RAW("RIFF\0\0\0\0WEBPVP8L\5\0\0\0\x2f\x02\xc0\0\0"), "ImageSize", "\"3 4\""},
        {RAW("RIFF\0\0\0\0WEBPVP8 \x0a\0\0\0\0\0\0\x9d\1\x2a\x07\0\x08\0"), "ImageSize",
         "\"7 8\""},
        {RAW("BM\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff"), "Error",
         "\"Unknown file type\""},
    };
    for (int i = 0; i < COUNT_OF(others); i++)
        CHECK_TEXT(shown(others[i].data, others[i].size, others[i].key),
                   others[i].text);
}
END_TEST

START_TEST(test_prefixes)
{
    static const char *const names[] = {"camera.jpg", "text.png", "big.tif",
                                        "sample.pdf"};
    char path[512];
    char *data = NULL;
    size_t size = 0;
    (void)snprintf(path, sizeof path, "%s/%s", SAMPLES, names[_i]);
    ck_assert_int_eq(stoq_read_file(path, 1 << 20, &data, &size, NULL), 0);
    for (size_t n = 0; n < size; n++) {
        char *prefix = malloc(n ? n : 1); /* its end is the heap block's */
        memcpy(prefix, data, n);
        CHECK_TEXT(shown(prefix, n, "SourceFile"), "\"-\"");
        free(prefix);
    }
    free(data);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_checked_fixture(tc, open_plugin, close_plugin);
    tcase_add_test(tc, test_values);
    tcase_add_test(tc, test_big);
    tcase_add_test(tc, test_gps);
    tcase_add_test(tc, test_cycles);
    tcase_add_test(tc, test_documents);
    tcase_add_test(tc, test_other);
    tcase_add_loop_test(tc, test_prefixes, 0, 4);
}

int
main(void)
{
    return run_suite("plugins_exif", fill);
}
