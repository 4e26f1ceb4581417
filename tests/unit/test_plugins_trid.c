/* SPDX-License-Identifier: Apache-2.0 */

/* trid: reading definitions from packages, XML and directories, and matching them. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugins_support.h"

/* ---------------------------------------------------------------- making a package */

struct buffer {
    unsigned char data[4096];
    size_t size;
};

static void
add(struct buffer *b, const void *data, size_t size)
{
    ck_assert_uint_le(b->size + size, sizeof b->data);
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void
add_number(struct buffer *b, size_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        add(b, &(unsigned char){(unsigned char)(value >> 8 * i)}, 1);
}

static void
add_chunk(struct buffer *b, const char *id, const struct buffer *content)
{
    add(b, id, 4);
    add_number(b, content->size, 4);
    add(b, content->data, content->size);
}

struct def {
    const char *type, *ext;
    size_t at[2];
    const char *patterns[2], *strings[2];
};

static const struct def defs[] = {
    {"Zip archive", "ZIP", {0}, {"PK\3\4"}, {0}},
    {"Packaging", "ZIP/XLSX", {0, 6}, {"PK\3\4", "ab"}, {"[CONTENT].XML"}},
    {"Marked", "", {2}, {"MARK"}, {0}},
    {"Marked  too", "", {2}, {"MARK"}, {0}},
    {"With a blank", "A B", {0}, {"#"}, {"ONE", "TWO"}},
    {"At the end of the front", "F", {2047}, {"x"}, {0}},
    {"Behind the front", "G", {2048}, {"x"}, {0}},
    {"No pattern", "N", {0}, {0}, {"ONE"}},
    {"1 of 6", "S", {0}, {"666"}, {0}},
    {"2 of 6", "S", {0}, {"66"}, {0}},
    {"3 of 6", ".s.", {0, 1}, {"66", "6"}, {0}},
    {"4 of 6", "T", {0}, {"6"}, {0}},
    {"5 of 6", "S", {0}, {"6666"}, {0}},
    {"6 of 6", "S", {5}, {"6"}, {0}},
};
#define DEFS (sizeof defs / sizeof *defs)

static void
add_definition(struct buffer *out, const struct def *d)
{
    struct buffer patterns = {0}, strings = {0}, data = {0}, info = {0}, all = {0};
    size_t n = 0, m = 0;
    while (n < 2 && d->patterns[n])
        n++;
    while (m < 2 && d->strings[m])
        m++;
    add_number(&patterns, n, 2);
    for (size_t i = 0; i < n; i++) {
        add_number(&patterns, d->at[i], 2);
        add_number(&patterns, strlen(d->patterns[i]), 2);
        add(&patterns, d->patterns[i], strlen(d->patterns[i]));
    }
    add_number(&strings, m, 2);
    for (size_t i = 0; i < m; i++) {
        add_number(&strings, strlen(d->strings[i]), 4);
        add(&strings, d->strings[i], strlen(d->strings[i]));
    }
    add_chunk(&data, "PATT", &patterns);
    if (m > 0)
        add_chunk(&data, "STRN", &strings);
    add(&info, "TYPE", 4);
    add_number(&info, strlen(d->type), 2);
    add(&info, d->type, strlen(d->type));
    add(&info, "FNUM\4\0\1\0\0\0EXT ", 14);
    add_number(&info, strlen(d->ext), 2);
    add(&info, d->ext, strlen(d->ext));
    add_chunk(&all, "DATA", &data);
    add_chunk(&all, "INFO", &info);
    add_chunk(out, "DEF ", &all);
}

static struct buffer
make_package(void)
{
    struct buffer number = {0}, list = {0}, body = {0}, package = {0};
    for (size_t i = 0; i < DEFS; i++)
        add_definition(&list, &defs[i]);
    add_number(&number, DEFS, 4);
    add(&body, "TRID", 4);
    add_chunk(&body, "INFO", &number);
    add_chunk(&body, "DEFS", &list);
    add_chunk(&package, "RIFF", &body);
    return package;
}

static const char *
option_for(const char *name)
{
    static char option[600];
    (void)snprintf(option, sizeof option, "trid_defs=%s", in_dir(name));
    return option;
}

/* ----------------------------------------------------------------------- matching */

static const struct {
    const char *text, *expected;
} cases[] = {
    {"", "{}"},
    {"P", "{}"},
    {"nothing", "{}"},
    {"PK\3\4",
     "{\"ZIP\": [{\"likely\": \"100.0%\", \"type\": \"Zip archive (4000/1/0)\"}]}"},
    {"PK\3\4..ab [content].xm", "{\"ZIP\": [{\"likely\": \"100.0%\", \"type\": \"Zip "
                                "archive (4000/1/0)\"}]}"},
    {"PK\3\4..ab [Content].xml",
     "{\"ZIP/XLSX\": [{\"likely\": \"72.4%\", \"type\": \"Packaging (10502/2/1)\"}], "
     "\"ZIP\": [{\"likely\": \"27.6%\", \"type\": \"Zip archive (4000/1/0)\"}]}"},
    /* no extension; equal points stay in order; blanks are one */
    {"..MARK",
     "{\"UNK0\": [{\"likely\": \"50.0%\", \"type\": \"Marked (4/1/0)\"}], "
     "\"UNK1\": [{\"likely\": \"50.0%\", \"type\": \"Marked too (4/1/0)\"}]}"},
    /* a blank in the extension ends it, as in a line of words */
    {"# one two", "{\"A\": [{\"likely\": \"100.0%\", \"type\": \"B) With a blank "
                  "(4000/1/2)\"}]}"},
    {"# one tow", "{}"},
    /* five are shown, all count */
    {"666666",
     "{\"S\": [{\"likely\": \"33.3%\", \"type\": \"5 of 6 (4000/1/0)\"}, {\"likely\": "
     "\"25.0%\", \"type\": \"1 of 6 (3000/1/0)\"}, {\"likely\": \"16.7%\", \"type\": "
     "\"2 "
     "of 6 (2000/1/0)\"}], \"s\": [{\"likely\": \"16.7%\", \"type\": \"3 of 6 "
     "(2001/2/0)\"}], \"T\": [{\"likely\": \"8.3%\", \"type\": \"4 of 6 "
     "(1000/1/0)\"}]}"},
};

START_TEST(test_match)
{
    struct buffer package = make_package();
    put_bytes("x.trd", package.data, package.size);
    struct stoq_loaded *p =
        LOADED("trid", NULL, option_for("x.trd"), "bin=/none", "skip_warnings=a,b");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = scanned(p, cases[i].text, strlen(cases[i].text), NULL);
        json_t *found = json_loads(text, 0, NULL);
        json_t *expected = json_loads(cases[i].expected, 0, NULL);
        ck_assert_ptr_nonnull(expected);
        ck_assert_msg(json_equal(found, expected), "%s", text);
        json_decref(found);
        json_decref(expected);
        free(text);
    }
    stoq_loaded_free(p);
}
END_TEST

/* Patterns stand in the first 2048 bytes; strings in big payloads at both ends. */
START_TEST(test_places)
{
    const size_t half = (size_t)5 << 20, size = 2 * half + 100;
    struct buffer package = make_package();
    put_bytes("x.trd", package.data, package.size);
    struct stoq_loaded *p = LOADED("trid", NULL, option_for("x.trd"));
    char *data = calloc(1, size);
    memset(data + 2040, 'x', 20);
    CHECK_TEXT(scanned(p, data, 2047, NULL), "{}");
    CHECK_TEXT(scanned(p, data, 3000, NULL),
               "{\"F\": [{\"likely\": \"100.0%\", \"type\": \"At the end of the front "
               "(1/1/0)\"}]}");
    memset(data + 2040, 0, 20);
    data[0] = '#';
    memcpy(data + 10, "one", 3);
    const size_t places[] = {half - 3,  half,       half + 50,
                             half + 98, half + 100, size - 3};
    for (size_t i = 0; i < 6; i++) {
        bool there = i == 0 || i >= 4;
        memcpy(data + places[i], "tWo", 3);
        CHECK_TEXT(
            scanned(p, data, size, NULL),
            there ? "{\"A\": [{\"likely\": \"100.0%\", \"type\": \"B) With a blank "
                    "(4000/1/2)\"}]}"
                  : "{}");
        memset(data + places[i], 0, 3);
    }
    free(data);
    stoq_loaded_free(p);
}
END_TEST

/* ----------------------------------------------------------------------- definitions
 */

#define XML(info, general, front, strings)                                  \
    "<?xml version=\"1.0\"?>\n<!-- <x> --><TrID ver=\"2.00\"><Info>" info   \
    "<ExtraInfo><Rem/></ExtraInfo></Info><General>" general                 \
    "</General>\n<FrontBlock>" front "</FrontBlock><GlobalStrings>" strings \
    "</GlobalStrings></TrID>\n"
#define AB    "<Pattern><Bytes> 4162 </Bytes><ASCII> A b</ASCII><Pos>0</Pos></Pattern>"
#define CHECK "<CheckStrings>True</CheckStrings>"

static const struct {
    const char *xml, *text, *expected; /* expected NULL = not a definition */
} documents[] = {
    {XML("<FileType>A &amp; &#66;&#x43;</FileType><Ext>AB</Ext>", "", AB, ""), "Ab",
     "{\"AB\": [{\"likely\": \"100.0%\", \"type\": \"A & BC (2000/1/0)\"}]}"},
    {XML("<FileType> T </FileType><Ext/>", CHECK, AB, "<String>X'&lt;Y</String>"),
     "Ab x\0<y", "{\"UNK0\": [{\"likely\": \"100.0%\", \"type\": \"T (4000/1/1)\"}]}"},
    {XML("<FileType>T</FileType>", CHECK, AB, "<String>X'&lt;Y</String>"), "Ab x'<y.",
     "{}"},
    {XML("<FileType>T</FileType>", "", AB, "<String>QQQ</String>"), "Ab",
     "{\"UNK0\": [{\"likely\": \"100.0%\", \"type\": \"T (2000/1/0)\"}]}"},
    {XML("<FileType>T</FileType>", "",
         AB "<Pattern><Pos>3</Pos><Bytes>ff</Bytes>"
            "</Pattern>",
         ""),
     "Ab.\xff", "{\"UNK0\": [{\"likely\": \"100.0%\", \"type\": \"T (2001/2/0)\"}]}"},
    {XML("", "", AB, ""), "Ab",
     "{\"UNK0\": [{\"likely\": \"100.0%\", \"type\": \"(2000/1/0)\"}]}"},
    {XML("", "", "", ""), NULL, NULL},
    {XML("", "", "<Pattern><Bytes>414</Bytes><Pos>0</Pos></Pattern>", ""), NULL, NULL},
    {XML("", "", "<Pattern><Bytes>4g</Bytes><Pos>0</Pos></Pattern>", ""), NULL, NULL},
    {XML("", "", "<Pattern><Bytes>41</Bytes><Pos>-1</Pos></Pattern>", ""), NULL, NULL},
    {XML("", "", "<Pattern><Bytes>41</Bytes><Pos></Pos></Pattern>", ""), NULL, NULL},
    {"<TrID>" AB, NULL, NULL},
    {"<TrID><!-- ", NULL, NULL},
    {"plain", NULL, NULL},
    {"<", NULL, NULL},
    {"", NULL, NULL},
};

START_TEST(test_xml)
{
    struct stoq_loaded *p = NULL;
    struct stoq_error err = {0};
    put_file("a.xml", documents[_i].xml);
    int r = LOAD("trid", NULL, &p, &err, option_for("a.xml"));
    if (!documents[_i].expected) {
        ck_assert_int_eq(r, -EBADMSG);
        ck_assert_ptr_nonnull(strstr(err.message,
                                     "a.xml has no TrID definitions: neither "
                                     "a package nor XML"));
        return;
    }
    ck_assert_msg(r == 0, "%s", err.message);
    size_t size = documents[_i].text[2] == ' ' ? 8 : strlen(documents[_i].text);
    CHECK_TEXT(scanned(p, documents[_i].text, size, NULL), documents[_i].expected);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_directory)
{
    struct stoq_loaded *p = NULL;
    struct stoq_error err = {0};
    put_file("d/readme.xml", XML("", "", AB, ""));
    ck_assert_int_eq(LOAD("trid", NULL, &p, &err, option_for("d")), -EBADMSG);
    put_file("d/b.trid.xml", XML("<FileType>b</FileType>", "", AB, ""));
    put_file("d/c.trid.xml", "damaged");
    put_file("d/e/f/a.trid.xml", XML("<FileType>a</FileType>", "", AB, ""));
    put_file("d/1/2/3/4/5/6/7/8/9/z.trid.xml",
             XML("<FileType>z</FileType>", "", AB, ""));
    put_file("d/.trid.xml", XML("<FileType>y</FileType>", "", AB, ""));
    p = LOADED("trid", NULL, option_for("d"));
    CHECK_TEXT(scanned(p, "Ab", 2, NULL),
               "{\"UNK0\": [{\"likely\": \"50.0%\", \"type\": \"b (2000/1/0)\"}], "
               "\"UNK1\": [{\"likely\": \"50.0%\", \"type\": \"a (2000/1/0)\"}]}");
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_missing)
{
    struct stoq_loaded *p = NULL;
    struct stoq_error err = {0};
    ck_assert_int_eq(LOAD("trid", NULL, &p, &err, "trid_defs=/nowhere/x.trd"), -ENOENT);
    ck_assert_str_eq(err.message, "TrID definitions do not exist at /nowhere/x.trd");
    stoq_error_clear(&err);
    ck_assert_int_eq(LOAD("trid", NULL, &p, &err, "trid_defs="), -ENOENT);
    stoq_error_clear(&err);
    ck_assert_int_eq(LOAD("trid", NULL, &p, &err, NULL), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.message, "/plugins/trid/triddefs.trd"));
}
END_TEST

/* A package that is cut is refused; one with a byte changed is refused or works. */
START_TEST(test_damaged)
{
    struct buffer package = make_package();
    struct stoq_error err = {0};
    struct stoq_loaded *p = NULL;
    unsigned refused = 0;
    for (size_t i = 0; i < package.size; i += 7) {
        put_bytes("x.trd", package.data, i);
        ck_assert_int_eq(LOAD("trid", NULL, &p, &err, option_for("x.trd")), -EBADMSG);
        stoq_error_clear(&err);
    }
    for (size_t i = 0; i < package.size; i += i < 64 ? 1 : 5) {
        unsigned char old = package.data[i];
        package.data[i] = i % 2 ? 0xff : 0x00;
        put_bytes("x.trd", package.data, package.size);
        package.data[i] = old;
        if (LOAD("trid", NULL, &p, &err, option_for("x.trd")) == 0) {
            free(scanned(p, "666666", 6, NULL));
            free(scanned(p, "PK\3\4..ab [Content].xml", 22, NULL));
            stoq_loaded_free(p);
            continue;
        }
        ck_assert_int_eq(err.code, -EBADMSG);
        stoq_error_clear(&err);
        refused++;
    }
    ck_assert_uint_gt(refused, 16);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_test(tc, test_match);
    tcase_add_test(tc, test_places);
    tcase_add_loop_test(tc, test_xml, 0, (int)(sizeof documents / sizeof *documents));
    tcase_add_test(tc, test_directory);
    tcase_add_test(tc, test_missing);
    tcase_add_test(tc, test_damaged);
}

int
main(void)
{
    return run_suite("plugins_trid", fill);
}
