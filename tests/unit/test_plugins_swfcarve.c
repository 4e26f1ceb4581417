/* SPDX-License-Identifier: Apache-2.0 */

/* swfcarve: the three kinds of Flash files, where they are found, and the bounds. */

#include <errno.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "plugins_office.h"
#include "util/strbuf.h"

#define BODY      "a body, a body, a body"
#define BODY_SIZE (sizeof BODY - 1)
#define OTHER_SIZE                               \
    "error:Invalid size of carved SWF content: " \
    "{len(content)} != {decompressed_size}\n"
/* what a child of version 6 begins with: its size is that of the body and 8 */
#define FWS        "FWS\\x06\\x1e\\x00\\x00\\x00"
#define AT(offset) "{\"offset\": " offset ", \"swf_version\": 6}:"

struct swf {
    unsigned char data[4096];
    size_t size;
};

static void
add(struct swf *f, const void *data, size_t size)
{
    ck_assert_uint_le(size, sizeof f->data - f->size);
    memcpy(f->data + f->size, data, size);
    f->size += size;
}

static void
add_head(struct swf *f, char first, unsigned char version, uint32_t size)
{
    const unsigned char head[] = {(unsigned char)first,
                                  'W',
                                  'S',
                                  version,
                                  (unsigned char)size,
                                  (unsigned char)(size >> 8),
                                  (unsigned char)(size >> 16),
                                  (unsigned char)(size >> 24)};
    add(f, head, sizeof head);
}

static void
add_zlib(struct swf *f, const void *data, size_t size, int level)
{
    uLongf room = sizeof f->data - f->size;
    ck_assert_int_eq(compress2(f->data + f->size, &room, data, size, level), Z_OK);
    f->size += room;
}

/* The length field, five bytes of properties, the stream. */
static void
add_lzma(struct swf *f, const void *data, size_t size, bool end_mark)
{
    lzma_options_lzma options;
    ck_assert(!lzma_lzma_preset(&options, 1));
    lzma_filter filters[] = {{LZMA_FILTER_LZMA1, &options}, {LZMA_VLI_UNKNOWN, NULL}};
    unsigned char out[2048];
    size_t used = 0;
    add(f, "\0\0\0\0", 4);
    ck_assert_int_eq(lzma_properties_encode(filters, out), LZMA_OK);
    add(f, out, 5);
    if (!end_mark) {
        filters[0].id = LZMA_FILTER_LZMA1EXT;
        options.ext_flags = 0;
        lzma_set_ext_size(options, size);
    }
    ck_assert_int_eq(
        lzma_raw_buffer_encode(filters, NULL, data, size, out, &used, sizeof out),
        LZMA_OK);
    add(f, out, used);
}

/* -------------------------------------------------------------------- what is found */

enum form { STORED, ZLIB, LZMA, LZMA_NO_MARK };

static const struct {
    const char *before, *after;
    enum form form;
    int level;           /* of zlib */
    uint32_t size;       /* in the header */
    const char *pattern; /* NULL = default */
    const char *expected;
} cases[] = {
    {"", "", STORED, 0, 30, NULL, AT("0") FWS BODY "\n"},
    {"", "", ZLIB, 9, 30, NULL, AT("0") FWS BODY "\n"},
    {"", "", ZLIB, 0, 30, NULL, AT("0") FWS BODY "\n"},
    {"0123456789", "CWS behind", ZLIB, 1, 30, NULL, AT("10") FWS BODY "\n"},
    {"SWF CWS FWX ", " behind it", STORED, 0, 30, NULL, AT("12") FWS BODY "\n"},
    /* the size is another */
    {"", "", STORED, 0, 31, NULL, OTHER_SIZE},
    {"", "", ZLIB, 9, 29, NULL, OTHER_SIZE},
    {"", "", ZLIB, 9, 31, NULL, OTHER_SIZE},
    {"", "", ZLIB, 9, 0, NULL, OTHER_SIZE},
    {"", "", STORED, 0, 7, NULL, OTHER_SIZE},
    {"", "", STORED, 0, 0xffffffff, NULL, OTHER_SIZE},
    {"", "", ZLIB, 9, 0x7fffffff, NULL, OTHER_SIZE},
    {"", "", STORED, 0, 8, NULL, AT("0") "FWS\\x06\\x08\\x00\\x00\\x00\n"},
    /* LZMA has to be asked for */
    {"", "", LZMA, 0, 30, NULL, ""},
    {"", "", LZMA, 0, 30, "ZWS", AT("0") FWS BODY "\n"},
    {"ab", "behind", LZMA, 0, 30, "[CFZ]WS", AT("2") FWS BODY "\n"},
    {"", "", LZMA, 0, 29, "ZWS", OTHER_SIZE},
    {"", "", LZMA, 0, 31, "ZWS", OTHER_SIZE},
    {"", "", LZMA, 0, 0, "ZWS", OTHER_SIZE},
    {"", "", LZMA_NO_MARK, 0, 30, "ZWS", AT("0") FWS BODY "\n"},
    /* patterns */
    {"", "", ZLIB, 9, 30, "FWS|SWF", ""},
    {"", "", ZLIB, 9, 30, "C.S", AT("0") FWS BODY "\n"},
    /* cut off within the header, or with no stream */
    {"CWS", "", ZLIB, 9, 30, NULL, AT("3") FWS BODY "\n"},
    {"FWS\x06\x08", "FWS\x06", ZLIB, 0, 30, "FWS",
     OTHER_SIZE "error:Unable to decompress SWF payload at offset 46\n"},
};

static struct swf
sample(int i)
{
    struct swf f = {.size = 0};
    add(&f, cases[i].before, strlen(cases[i].before));
    add_head(&f, "FCZZ"[cases[i].form], 6, cases[i].size);
    if (cases[i].form == STORED)
        add(&f, BODY, BODY_SIZE);
    else if (cases[i].form == ZLIB)
        add_zlib(&f, BODY, BODY_SIZE, cases[i].level);
    else
        add_lzma(&f, BODY, BODY_SIZE, cases[i].form == LZMA);
    add(&f, cases[i].after, strlen(cases[i].after));
    return f;
}

/* Those without an option share a plugin. */
START_TEST(test_cases)
{
    struct stoq_loaded *plain = LOADED("swfcarve", NULL, NULL);
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        struct swf f = sample(i);
        struct stoq_loaded *p = plain;
        char option[64];
        (void)snprintf(option, sizeof option, "swf_headers=%s",
                       cases[i].pattern ? cases[i].pattern : "");
        if (cases[i].pattern)
            p = LOADED("swfcarve", NULL, option);
        char *text = reply_text(p, f.data, f.size, UINT64_MAX);
        ck_assert_msg(strcmp(text, cases[i].expected) == 0, "row %d: %s", i, text);
        free(text);
        scan_prefixes(p, f.data, f.size, 1);
        if (p != plain)
            stoq_loaded_free(p);
    }
    stoq_loaded_free(plain);
}
END_TEST

/* Every byte of a file changed to each of some values: no crash, and never a child of
 * another size than its header names. */
START_TEST(test_damage)
{
    static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff};
    const int which = (int[]){1, 14, 19}[_i];
    struct swf f = sample(which);
    struct stoq_loaded *p = LOADED("swfcarve", NULL, "swf_headers=[CFZ]WS");
    for (size_t i = 0; i < f.size; i++)
        for (size_t v = 0; v < sizeof values; v++) {
            struct swf bad = f;
            struct stoq_reply reply;
            struct stoq_error err = {0};
            bad.data[i] = values[v];
            ck_assert_int_eq(scan(p, bad.data, bad.size, NULL, &reply, &err), 0);
            for (const struct stoq_child *c = reply.children; c; c = c->next)
                ck_assert_uint_eq(c->size, c->data[4] + 256U * c->data[5]);
            stoq_reply_fini(&reply);
        }
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_version)
{
    struct swf f = {.size = 0};
    struct stoq_loaded *p = LOADED("swfcarve", NULL, NULL);
    add_head(&f, 'F', 0xfe, 8);
    CHECK_TEXT(reply_text(p, f.data, f.size, UINT64_MAX),
               "{\"offset\": 0, \"swf_version\": -2}:FWS\\xfe\\x08\\x00\\x00\\x00\n");
    stoq_loaded_free(p);
}
END_TEST

/* --------------------------------------------------------------------------- bounds */

START_TEST(test_budget)
{
    struct swf f = {.size = 0};
    struct stoq_loaded *p = LOADED("swfcarve", NULL, NULL);
    for (int i = 0; i < 2; i++) {
        add_head(&f, "FC"[i], 6, 30);
        if (i == 0)
            add(&f, BODY, BODY_SIZE);
        else
            add_zlib(&f, BODY, BODY_SIZE, 9);
    }
    CHECK_TEXT(reply_text(p, f.data, f.size, 59),
               AT("0") FWS BODY "\nlimit:extracted_bytes\n");
    CHECK_TEXT(reply_text(p, f.data, f.size, 29), "limit:extracted_bytes\n");
    CHECK_TEXT(reply_text(p, f.data, f.size, 7), "limit:extracted_bytes\n");
    stoq_loaded_free(p);
}
END_TEST

/* A bomb whose header says how large it is, and one whose header says it is small. */
START_TEST(test_bomb)
{
    const uint32_t size = (uint32_t)75 << 20;
    unsigned char *zeros = calloc(1, size);
    uLongf room = compressBound(size);
    unsigned char *file = malloc(8 + room);
    struct stoq_loaded *p = LOADED("swfcarve", NULL, NULL);
    struct swf head = {.size = 0};
    ck_assert_int_eq(compress2(file + 8, &room, zeros, size, 1), Z_OK);
    free(zeros);
    add_head(&head, 'C', 6, size + 8);
    memcpy(file, head.data, 8);
    CHECK_TEXT(reply_text(p, file, 8 + room, UINT64_MAX), "limit:swf_size\n");
    CHECK_TEXT(reply_text(p, file, 8 + room, 1 << 20), "limit:extracted_bytes\n");
    memcpy(file + 4, "\x10\0\0\0", 4);
    CHECK_TEXT(reply_text(p, file, 8 + room, 1 << 20), OTHER_SIZE);

    /* four of them are more than is decompressed in one call */
    unsigned char *many = malloc(4 * (8 + room));
    for (size_t i = 0; i < 4; i++)
        memcpy(many + i * (8 + room), file, 8 + room);
    CHECK_TEXT(reply_text(p, many, 4 * (8 + room), 1 << 20),
               OTHER_SIZE OTHER_SIZE OTHER_SIZE "limit:swf_decompressed\n");
    free(many);
    free(file);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_many)
{
    const size_t count = 400000;
    unsigned char *data = malloc(count * 10);
    for (size_t i = 0; i < count; i++)
        memcpy(data + i * 10, "CWS\x06\x20\0\0\0\x78\x9c", 10);
    struct stoq_loaded *p = LOADED("swfcarve", NULL, NULL);
    char *text = reply_text(p, data, count * 10, UINT64_MAX);
    ck_assert_str_eq(text, "limit:swf_decompressed\n");
    free(text);

    for (size_t i = 0; i < count; i++)
        memcpy(data + i * 10, "FWS\x06\xff\xff\xff\x7f  ", 10);
    struct stoq_reply reply;
    struct stoq_error err = {0};
    ck_assert_int_eq(scan(p, data, count * 10, NULL, &reply, &err), 0);
    ck_assert_uint_eq(reply.errors.count, 1000);
    ck_assert_uint_eq(reply.hit_count, 1);
    ck_assert_str_eq(reply.hits[0].name, "errors");
    stoq_reply_fini(&reply);
    free(data);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_options)
{
    struct stoq_loaded *p = NULL;
    struct stoq_error err = {0};
    ck_assert_int_eq(LOAD("swfcarve", NULL, &p, &err, "swf_headers=("), -EINVAL);
    ck_assert_ptr_nonnull(
        strstr(err.message, "the option swf_headers is no regular expression: missing "
                            "closing parenthesis at 1"));
    /* one that takes for ever */
    p = LOADED("swfcarve", NULL, "swf_headers=(a*)*(a*)*b");
    static const char text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaacb";
    CHECK_TEXT(reply_text(p, text, strlen(text), UINT64_MAX), "limit:swf_headers\n");
    stoq_loaded_free(p);
    /* one that matches nothing at every place: the last seven are no header */
    p = LOADED("swfcarve", NULL, "swf_headers=x*");
    CHECK_TEXT(reply_text(p, "01234567", 8, UINT64_MAX),
               "error:Unable to decompress SWF payload at offset 1\n"
               "error:Unable to decompress SWF payload at offset 2\n"
               "error:Unable to decompress SWF payload at offset 3\n"
               "error:Unable to decompress SWF payload at offset 4\n"
               "error:Unable to decompress SWF payload at offset 5\n"
               "error:Unable to decompress SWF payload at offset 6\n"
               "error:Unable to decompress SWF payload at offset 7\n"
               "error:Unable to decompress SWF payload at offset 8\n");
    stoq_loaded_free(p);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_test(tc, test_cases);
    tcase_add_loop_test(tc, test_damage, 0, 3);
    tcase_add_test(tc, test_version);
    tcase_add_test(tc, test_budget);
    tcase_add_test(tc, test_bomb);
    tcase_add_test(tc, test_many);
    tcase_add_test(tc, test_options);
}

int
main(void)
{
    return run_suite("plugins_swfcarve", fill);
}
