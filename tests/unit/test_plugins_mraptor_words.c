/* SPDX-License-Identifier: Apache-2.0 */

/* mraptor: keywords, in text that is taken for code. */

#include <stdlib.h>
#include <string.h>

#include "plugins_office.h"
#include "util/strbuf.h"

#define NOTHING \
    "{\"suspicous\": false, \"flags\": [], \"filetype\": \"Text\", \"matches\": []}"

static const struct {
    const char *code;
    const char *flags;   /* of A, W, X */
    const char *matches; /* joined by '|' */
} cases[] = {
    {"", "", ""},
    {"Sub Main()\nMsgBox 1\nEnd Sub\n", "", ""},
    /* what runs by itself: words that begin so, in any case */
    {"AutoOpen", "A", "AutoOpen"},
    {"sub auto_open()", "A", "auto_open"},
    {"x.AUTOEXEC", "A", "AUTOEXEC"},
    {"AutoOpenFoo", "A", "AutoOpen"},
    {"xAutoOpen", "", ""},
    {"_AutoOpen", "", ""},
    {"Auto_Exec", "", ""},
    {"Document_Open Workbook_Open", "A", "Document_Open"},
    {"DocumentClose", "", ""},
    {"Workbook_BeforeClose(", "A", "Workbook_BeforeClose"},
    /* the name that is cut short, at the end of any word */
    {"xAuto_Ope x", "A", "Auto_Ope"},
    {"xAuto_Opex", "", ""},
    {"Auto_Ope", "A", "Auto_Ope"},
    /* events of objects: the last one in the word */
    {"Button1_Click()", "A", "Button1_Click"},
    {"a_Click_b_Changes", "A", "a_Click_b_Change"},
    {"AutoOpen_Click", "A", "AutoOpen"},
    {"_Click", "", ""},
    {"__Click", "A", "__Click"},
    {"x_Clic", "", ""},
    {"\xd0\x9a\xd0\xbd_Click", "A", "\xd0\x9a\xd0\xbd_Click"},
    {"\xe2\x80\x94_Click", "", ""},
    {"\xe6\x97\xa5_MouseMove", "A", "\xe6\x97\xa5_MouseMove"},
    /* bytes that are no UTF-8 become a character that is no letter */
    {"\xff_Click", "", ""},
    {"\xff"
     "AutoOpen",
     "A", "AutoOpen"},
    {"a\xe2\x80"
     "AutoOpen",
     "A", "AutoOpen"},
    {"AutoOpen\xed\xa0\x80", "A", "AutoOpen"},
    /* what writes: whole words */
    {"Kill \"x\"", "W", "Kill"},
    {"Killer Skill kill_x", "", ""},
    {"fso.CopyFile x", "W", "CopyFile"},
    {"URLDownloadToFileA", "W", "URLDownloadToFileA"},
    {"URLDownloadToFileW", "", ""},
    {"CreateObject(\"adodb.stream\")", "WX", "adodb.stream|CreateObject"},
    {"ADODB.Streams ADODB. Stream xADODB.Stream ADODB.", "", ""},
    {"Open \"f\" For Output As #1", "W", "Open \"f\" For Output"},
    {"open f for binary access write as 1", "W", "open f for binary access write"},
    {"Open \"f\" For Input As #1\nWrite", "", ""},
    {"Open x\nOpen Append", "W", "Open Append"},
    {"Open Open Random", "W", "Open Open Random"},
    {"OpenWrite Opens Write", "", ""},
    {"Open \"f\" _\r\n For Output", "W", "Open \"f\"  For Output"},
    {"Open \"f\" _\r For _\nOutput", "W", "Open \"f\"  For Output"},
    {"Open \"f\"_\nFor Output", "", ""},
    {"Open x\rOutput", "W", "Open x\rOutput"},
    /* what executes */
    {"x = Shell(y)", "X", "Shell"},
    {"Shells Shell_ 1Shell", "", ""},
    {"call foo", "X", "call"},
    {"Declare Function x Lib \"k\"", "X", "Declare Function x Lib"},
    {"Declare Function x\nLib \"k\"", "", ""},
    {"Declare Function x _\r\n  Lib \"k\"", "X", "Declare Function x   Lib"},
    {"Declare x Lib y Lib z Libs", "X", "Declare x Lib y Lib"},
    {"Run Shell", "X", "Run"},
    /* together */
    {"Kill Shell", "WX", "Kill|Shell"},
    {"Shell Kill AutoOpen", "AWX", "AutoOpen|Kill|Shell"},
    {"AutoOpen Kill", "AW", "AutoOpen|Kill"},
};

static char *
expected(int i)
{
    struct stoq_strbuf out = {0};
    const char *flags = cases[i].flags;
    json_t *list = json_array(), *matches = json_array();
    if (strchr(flags, 'A'))
        json_array_append_new(list, json_string("AutoExec"));
    if (strchr(flags, 'W'))
        json_array_append_new(list, json_string("Write"));
    if (strchr(flags, 'X'))
        json_array_append_new(list, json_string("Execute"));
    for (const char *m = cases[i].matches; *m;) {
        size_t n = strcspn(m, "|");
        json_array_append_new(matches, json_stringn(m, n));
        m += n + (m[n] != '\0');
    }
    json_t *all =
        json_pack("{s:b, s:o, s:s, s:o}", "suspicous", flags[0] == 'A' && flags[1],
                  "flags", list, "filetype", "Text", "matches", matches);
    char *text = json_dumps(all, 0);
    stoq_strbuf_addf(&out, "results:%s\n", text);
    free(text);
    json_decref(all);
    return stoq_strbuf_steal(&out);
}

/* One load for all: it opens many converters. */
START_TEST(test_cases)
{
    struct stoq_loaded *p = LOADED("mraptor", NULL, NULL);
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        const char *code = cases[i].code;
        char *text = expected(i), *got = reply_text(p, code, strlen(code), UINT64_MAX);
        ck_assert_msg(strcmp(got, text) == 0, "%s: %s instead of %s", code, got, text);
        free(text);
        free(got);
        scan_prefixes(p, code, strlen(code), 1);
    }
    stoq_loaded_free(p);
}
END_TEST

/* Code that a search with backtracking would need hours for. */
static const char *const slow[] = {"Open ",    "Declare ", "a_",     "_",
                                   "a",        "x_Clic ",  "ADODB.", " _\n",
                                   "\xd0\x9a", "\xff",     "Open\n"};

START_TEST(test_slow)
{
    const size_t size = (size_t)1 << 20;
    char *code = malloc(size);
    struct stoq_loaded *p = LOADED("mraptor", NULL, NULL);
    for (size_t k = 0; k < sizeof slow / sizeof *slow; k++) {
        for (size_t i = 0; i < size; i++)
            code[i] = slow[k][i % strlen(slow[k])];
        CHECK_TEXT(scanned(p, code, size, NULL), NOTHING);
    }
    stoq_loaded_free(p);
    free(code);
}
END_TEST

/* A statement's line is reported up to a length. */
START_TEST(test_long_match)
{
    const size_t size = 200000;
    char *code = malloc(size);
    memset(code, ' ', size);
    memcpy(code, "Open", 4);
    for (size_t i = 5; i + 2 < size; i += 2)
        memcpy(code + i, "\xc3\xa9", 2);
    memcpy(code + size - 7, " Output", 7);
    struct stoq_loaded *p = LOADED("mraptor", NULL, NULL);
    char *text = scanned(p, code, size, NULL);
    json_t *results = json_loads(text, 0, NULL);
    const json_t *match = json_array_get(json_object_get(results, "matches"), 0);
    ck_assert_uint_eq(json_string_length(match), 65535);
    json_decref(results);
    free(text);
    stoq_loaded_free(p);
    free(code);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_test(tc, test_cases);
    tcase_add_test(tc, test_slow);
    tcase_add_test(tc, test_long_match);
}

int
main(void)
{
    return run_suite("plugins_mraptor_words", fill);
}
