/* SPDX-License-Identifier: Apache-2.0 */

/* mraptor: macros are found in all kinds of documents, whole or damaged. */

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "plugins_office.h"
#include "plugins_office_cfb.h"
#include "util/strbuf.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define RESULT(type)                                                         \
    "results:{\"suspicous\": true, \"flags\": [\"AutoExec\", \"Execute\"], " \
    "\"filetype\": \"" type "\", \"matches\": [\"Auto_Open\", \"Shell\"]}\n"
#define HARMLESS(type)                                                    \
    "results:{\"suspicous\": false, \"flags\": [], \"filetype\": \"" type \
    "\", \"matches\": []}\n"
#define EMPTY "results:{}\n"
#define REFUSED                                                                        \
    "failed:oletools.olevba.FileOpenError: Failed to open file: the payload is not a " \
    "supported file type, cannot extract VBA Macros.\n"
#define CODE                                                                       \
    "Attribute VB_Name = \"Module1\"\r\nSub Auto_Open()\r\nShell \"calc\"\r\nEnd " \
    "Sub\r\n"

/* -------------------------------------------------------------------------- samples */

struct data {
    unsigned char bytes[1 << 16];
    size_t size;
};

static void
add(struct data *d, const void *bytes, size_t size)
{
    ck_assert_uint_le(size, sizeof d->bytes - d->size);
    memcpy(d->bytes + d->size, bytes, size);
    d->size += size;
}

static void
add_number(struct data *d, unsigned long long value, unsigned width)
{
    unsigned char bytes[8];
    put_le(bytes, value, width);
    add(d, bytes, width);
}

/* A container of chunks without copy tokens. */
static void
add_container(struct data *d, const void *bytes, size_t size)
{
    const unsigned char *from = bytes;
    add_number(d, 1, 1);
    while (size > 0) {
        size_t n = size < 2048 ? size : 2048, groups = (n + 7) / 8;
        add_number(d, 0xb000 | (n + groups + 2 - 3), 2);
        for (size_t i = 0; i < n; i += 8) {
            add_number(d, 0, 1);
            add(d, from + i, n - i < 8 ? n - i : 8);
        }
        from += n;
        size -= n;
    }
}

static void
add_record(struct data *d, unsigned id, const void *bytes, size_t size)
{
    add_number(d, id, 2);
    add_number(d, size, 4);
    add(d, bytes, size);
}

/* A project's directory with one module. */
static struct data
make_dir(unsigned page, const char *stream, const char *wide, size_t wide_size,
         unsigned offset)
{
    static struct data plain, packed;
    unsigned char number[4];
    plain.size = packed.size = 0;
    put_le(number, page, 2);
    add_record(&plain, 0x01, "\1\0\0\0", 4);
    add_record(&plain, 0x03, number, 2);
    add_record(&plain, 0x04, "VBAProject", 10);
    add(&plain, "\x09\0\4\0\0\0\1\0\0\0\2\0", 12); /* longer than it says */
    add_record(&plain, 0x0f, "\1\0", 2);
    add_record(&plain, 0x19, "Other", 5);
    add_record(&plain, 0x1a, stream, strlen(stream));
    add_record(&plain, 0x32, wide, wide_size);
    put_le(number, offset, 4);
    add_record(&plain, 0x31, number, 4);
    add_record(&plain, 0x2b, "", 0);
    add_record(&plain, 0x10, "", 0);
    add_container(&packed, plain.bytes, plain.size);
    return packed;
}

/* A module's stream: what is not its source, then that. */
static struct data
make_module(const char *code)
{
    static struct data d;
    d.size = 0;
    add(&d, "p-code", 6);
    add_container(&d, code, strlen(code));
    return d;
}

/* A document with a project; @top is the storage that holds it, or NULL. */
static unsigned char *
make_project(const char *top, const struct data *dir, const struct data *module,
             const char *stream, size_t *size)
{
    const int in = top ? 0 : -1, vba = in + 1;
    const struct cfb_node nodes[] = {
        {top, -1, NULL, 0},
        {"VBA", in, NULL, 0},
        {"PROJECT", in, "ID=1", 4},
        {"_VBA_PROJECT", vba, "\xcc\x61", 2},
        {"dir", vba, dir->bytes, dir->size},
        {stream, vba, module->bytes, module->size},
    };
    return make_cfb(nodes + !top, COUNT(nodes) - !top, size);
}

static unsigned char *
make_sample(const char *top, const char *code, size_t *size)
{
    const struct data dir = make_dir(1252, "Module1", "", 0, 6),
                      module = make_module(code);
    return make_project(top, &dir, &module, "Module1", size);
}

static void
check(const void *data, size_t size, const char *expected)
{
    struct stoq_loaded *p = LOADED("mraptor", NULL, NULL);
    CHECK_TEXT(reply_text(p, data, size, UINT64_MAX), expected);
    stoq_loaded_free(p);
}

/* ------------------------------------------------------------------- compound files */

START_TEST(test_project)
{
    size_t size = 0;
    unsigned char *file = make_sample(_i ? "Macros" : NULL, CODE, &size);
    check(file, size, RESULT("OLE"));
    free(file);
    file = make_sample(_i ? "Macros" : NULL, "Sub Hello()\r\nEnd Sub\r\n", &size);
    check(file, size, HARMLESS("OLE"));
    free(file);
}
END_TEST

/* Modules that the directory does not lead to are found all the same: how it is wrong.
 */
static const struct {
    const char *stream, *wide;
    size_t wide_size;
    unsigned offset;
} wrong[] = {
    {"Module2", "", 0, 6},
    {"Module2", "M\0o\0d\0u\0l\0e\0001\0", 14, 6}, /* this one does lead there */
    {"Module1", "", 0, 5},
    {"Module1", "", 0, 4000000000U},
    {"", "", 0, 0},
};

START_TEST(test_wrong)
{
    const struct data dir = make_dir(1252, wrong[_i].stream, wrong[_i].wide,
                                     wrong[_i].wide_size, wrong[_i].offset),
                      module = make_module(CODE);
    size_t size = 0;
    unsigned char *file = make_project("Macros", &dir, &module, "Module1", &size);
    check(file, size, RESULT("OLE"));
    free(file);
}
END_TEST

/* A page's letters, in the module's name and in its code. */
START_TEST(test_page)
{
    const struct data dir = make_dir(1251, "\xcc", "", 0, 6),
                      module = make_module("\xca\xed_Click \x98 Shell");
    size_t size = 0;
    unsigned char *file = make_project(NULL, &dir, &module, "X", &size);
    /* the stream's entry is the fifth after the root; its name becomes U+041C */
    put_le(file + CFB_ENTRY_AT(1, 5), 0x041c, 2);
    check(file, size,
          "results:{\"suspicous\": true, \"flags\": [\"AutoExec\", \"Execute\"], "
          "\"filetype\": \"OLE\", \"matches\": [\"\xd0\x9a\xd0\xbd_Click\", "
          "\"Shell\"]}\n");
    free(file);
}
END_TEST

START_TEST(test_none)
{
    const struct data module = make_module(CODE);
    const struct cfb_node plain = {"WordDocument", -1, "text", 4};
    const struct cfb_node locked = {"EncryptedPackage", -1, "text", 4};
    const struct cfb_node lost = {"any", -1, module.bytes, module.size};
    size_t size = 0;
    unsigned char *file = make_cfb(&plain, 1, &size);
    check(file, size, EMPTY);
    free(file);
    file = make_cfb(&locked, 1, &size);
    check(file, size, EMPTY "limit:encrypted\n");
    free(file);
    /* code without a project, in a stream, and in one that no storage leads to */
    file = make_cfb(&lost, 1, &size);
    check(file, size, RESULT("OLE"));
    put_le(file + CFB_ENTRY_AT(1, 0) + 76, 0xffffffff, 4);
    check(file, size, RESULT("OLE"));
    free(file);
}
END_TEST

/* Every prefix, and every byte changed: nothing but results, an error or a limit. */
START_TEST(test_damage)
{
    size_t size = 0;
    unsigned char *file = make_sample("Macros", CODE, &size);
    struct stoq_loaded *p = LOADED("mraptor", NULL, NULL);
    scan_prefixes(p, file, size, 13);
    for (size_t i = 0; i < size; i++) {
        struct stoq_reply reply;
        struct stoq_error err = {0};
        const unsigned char kept = file[i];
        file[i] = (unsigned char)((size_t)kept + 1 + i % 254);
        int r = scan(p, file, size, NULL, &reply, &err);
        ck_assert(r == 0 ? json_is_object(reply.results)
                         : err.kind == STOQ_ERROR_FORMAT);
        ck_assert_uint_eq(reply.hit_count, 0);
        stoq_reply_fini(&reply);
        file[i] = kept;
    }
    stoq_loaded_free(p);
    free(file);
}
END_TEST

/* ------------------------------------------------------------------ what holds them */

static size_t
make_zip(void *out, size_t room, const void *member, size_t size, const char *password)
{
    struct archive *a = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    size_t used = 0;
    ck_assert_int_eq(archive_write_set_format_zip(a), ARCHIVE_OK);
    if (password) {
        ck_assert_int_eq(archive_write_set_options(a, "zip:encryption=zipcrypt"),
                         ARCHIVE_OK);
        ck_assert_int_eq(archive_write_set_passphrase(a, password), ARCHIVE_OK);
    }
    ck_assert_int_eq(archive_write_open_memory(a, out, room, &used), ARCHIVE_OK);
    archive_entry_set_filetype(entry, AE_IFREG);
    for (int i = 0; i < 2; i++) {
        archive_entry_set_pathname(entry, i ? "word/vbaProject.bin" : "word/doc.xml");
        archive_entry_set_size(entry, i ? (la_int64_t)size : 4);
        ck_assert_int_eq(archive_write_header(a, entry), ARCHIVE_OK);
        ck_assert_int_ge(archive_write_data(a, i ? member : "<x/>", i ? size : 4), 0);
    }
    archive_entry_free(entry);
    ck_assert_int_eq(archive_write_free(a), ARCHIVE_OK);
    return used;
}

START_TEST(test_zip)
{
    static unsigned char zip[1 << 16];
    size_t size = 0;
    unsigned char *file = make_sample(NULL, CODE, &size);
    size_t n = make_zip(zip, sizeof zip, file, size, NULL);
    check(zip, n, RESULT("OpenXML"));
    struct stoq_loaded *p = LOADED("mraptor", NULL, NULL);
    scan_prefixes(p, zip, n, 3);
    stoq_loaded_free(p);

    n = make_zip(zip, sizeof zip, file, size, "secret");
    check(zip, n, "limit:encrypted\n" REFUSED);
    n = make_zip(zip, sizeof zip, "no OLE", 6, NULL);
    check(zip, n, EMPTY);
    check("PK\5\6 and nothing more\0", 22, REFUSED);
    free(file);
}
END_TEST

static void
add_base64(struct stoq_strbuf *out, const unsigned char *data, size_t size)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        uint32_t bits = (uint32_t)data[i] << 16;
        bits |= i + 1 < size ? (uint32_t)data[i + 1] << 8 : 0;
        bits |= i + 2 < size ? data[i + 2] : 0;
        for (int shift = 18; shift >= 0; shift -= 6)
            stoq_strbuf_addf(out, "%c", digits[bits >> shift & 63]);
        if (i % 57 == 54)
            stoq_strbuf_adds(out, "\r\n");
    }
}

/* The wrapper of what Word and Outlook write, @at where its zlib stream is. */
static struct data
make_active_mime(const unsigned char *file, size_t size, unsigned at, unsigned says)
{
    static struct data d;
    uLongf room = 1 << 15;
    memset(d.bytes, 0, at);
    memcpy(d.bytes, "ActiveMime", 10);
    put_le(d.bytes + 0x1e, says, 2);
    ck_assert_int_eq(compress2(d.bytes + at, &room, file, size, 9), Z_OK);
    d.size = at + room;
    return d;
}

static const struct {
    const char *before, *after, *type;
    unsigned at, says; /* of the wrapper; 0: none */
} markup[] = {
    {"<w xmlns='http://schemas.microsoft.com/office/word/2003/wordml'><binData>",
     "</binData></w>", "Word2003_XML", 0x32, 4},
    {"<w xmlns='http://schemas.microsoft.com/office/word/2003/wordml'><binData>",
     "</binData></w>", "Word2003_XML", 0x22a, 0xffff},
    {"<w xmlns='http://schemas.microsoft.com/office/2006/xmlPackage'><binaryData>",
     "</binaryData></w>", "FlatOPC_XML", 0, 0},
    {"MIME-Version: 1.0\r\nContent-Type: multipart/related\r\n\r\n--b\r\n\r\n",
     "=\r\n--b--\r\n", "MHTML", 0x100, 0x100 - 46},
    {"mime version multipart \r\n\r\n", "", "MHTML", 0x32, 0},
};

START_TEST(test_markup)
{
    struct stoq_strbuf text = {0};
    size_t size = 0;
    unsigned char *file = make_sample(NULL, CODE, &size);
    stoq_strbuf_adds(&text, markup[_i].before);
    if (markup[_i].at) {
        const struct data d =
            make_active_mime(file, size, markup[_i].at, markup[_i].says);
        add_base64(&text, d.bytes, d.size);
    } else {
        add_base64(&text, file, size);
    }
    stoq_strbuf_adds(&text, markup[_i].after);
    char *all = stoq_strbuf_steal(&text);
    struct stoq_strbuf expected = {0};
    stoq_strbuf_addf(
        &expected,
        "results:{\"suspicous\": true, \"flags\": [\"AutoExec\", \"Execute\"], "
        "\"filetype\": \"%s\", \"matches\": [\"Auto_Open\", \"Shell\"]}\n",
        markup[_i].type);
    char *result = stoq_strbuf_steal(&expected);
    check(all, strlen(all), result);
    struct stoq_loaded *p = LOADED("mraptor", NULL, NULL);
    scan_prefixes(p, all, strlen(all), 7);
    stoq_loaded_free(p);
    free(result);
    free(all);
    free(file);
}
END_TEST

/* A presentation whose record has the compound file, as it is or compressed. */
static unsigned char *
make_ppt(const unsigned char *file, size_t size, bool compressed, size_t *ppt_size)
{
    static struct data d;
    static unsigned char packed[1 << 16];
    uLongf room = sizeof packed;
    d.size = 0;
    add(&d, "\x0f\0\xe8\3\4\0\0\0data", 12);
    add_number(&d, compressed ? 0x10 : 0, 2);
    add_number(&d, 0x1011, 2);
    if (compressed) {
        ck_assert_int_eq(compress2(packed, &room, file, size, 9), Z_OK);
        add_number(&d, room + 4, 4);
        add_number(&d, size, 4);
        add(&d, packed, room);
    } else {
        add_number(&d, size, 4);
        add(&d, file, size);
    }
    add(&d, "more", 4);
    const struct cfb_node nodes[] = {{"Current User", -1, "user", 4},
                                     {"PowerPoint Document", -1, d.bytes, d.size}};
    return make_cfb(nodes, 2, ppt_size);
}

START_TEST(test_ppt)
{
    size_t size = 0, ppt_size = 0;
    unsigned char *file = make_sample(NULL, CODE, &size);
    unsigned char *ppt = make_ppt(file, size, _i != 0, &ppt_size);
    check(ppt, ppt_size, RESULT("PPT"));
    struct stoq_loaded *p = LOADED("mraptor", NULL, NULL);
    scan_prefixes(p, ppt, ppt_size, 13);
    stoq_loaded_free(p);
    free(ppt);
    free(file);
}
END_TEST

/* Presentations within presentations, deeper than they are looked into. */
START_TEST(test_nested)
{
    size_t size = 0;
    unsigned char *file = make_sample(NULL, CODE, &size);
    for (int i = 1; i <= 6; i++) {
        size_t next = 0;
        unsigned char *ppt = make_ppt(file, size, true, &next);
        free(file);
        file = ppt;
        size = next;
        check(file, size, i <= 4 ? RESULT("PPT") : EMPTY "limit:nesting\n");
    }
    free(file);
}
END_TEST

START_TEST(test_kinds)
{
    check("", 0, HARMLESS("Text"));
    check("{\\rtf1 Auto_Open Shell}", 23, REFUSED);
    check("ID;P\nO;E\nAuto_Open Shell", 24, EMPTY);
    check("a\0b", 3, REFUSED);
    check("Auto_Open Shell", 15, RESULT("Text"));
    static unsigned char broken[2048] = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
    check(broken, sizeof broken, REFUSED);
}
END_TEST

/* --------------------------------------------------------------------------- bounds */

/* A module that becomes large: each token copies as much as it can. */
START_TEST(test_large)
{
    static unsigned char stream[1 << 16];
    size_t used = 1;
    stream[0] = 1;
    while (used + 7 <= sizeof stream) {
        /* one byte and a copy of 4095, in five bytes */
        memcpy(stream + used, "\x03\xb0\x02\x61\xfc\x0f", 6);
        used += 6;
    }
    const struct cfb_node nodes[] = {
        {"VBA", -1, NULL, 0},
        {"PROJECT", -1, "ID=1", 4},
        {"_VBA_PROJECT", 0, "", 0},
        {"dir", 0, stream, used},
        {"Attribut", 0, "x\0x\0Attribut\0e", 13},
    };
    size_t size = 0;
    unsigned char *file = make_cfb(nodes, COUNT(nodes), &size);
    check(file, size, HARMLESS("OLE"));
    free(file);

    struct data module = make_module("");
    module.size = 0;
    add(&module, "p-code", 6);
    add(&module, stream, used < 40000 ? used : 40000);
    const struct data dir = make_dir(1252, "Module1", "", 0, 6);
    file = make_project(NULL, &dir, &module, "Module1", &size);
    check(file, size, HARMLESS("OLE") "limit:module_size\n");
    free(file);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, test_project, 0, 2);
    tcase_add_loop_test(tc, test_wrong, 0, (int)COUNT(wrong));
    tcase_add_test(tc, test_page);
    tcase_add_test(tc, test_none);
    tcase_add_test(tc, test_damage);
    tcase_add_test(tc, test_zip);
    tcase_add_loop_test(tc, test_markup, 0, (int)COUNT(markup));
    tcase_add_loop_test(tc, test_ppt, 0, 2);
    tcase_add_test(tc, test_nested);
    tcase_add_test(tc, test_kinds);
    tcase_add_test(tc, test_large);
}

int
main(void)
{
    return run_suite("plugins_mraptor", fill);
}
