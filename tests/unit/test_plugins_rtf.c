/* SPDX-License-Identifier: Apache-2.0 */

/*
 * rtf: embedded objects behind every way of hiding hex digits. A scan is told as
 * "INDEX[,FILENAME]=CONTENT" of each child.
 */

#include <stdlib.h>
#include <string.h>

#include "plugins_support.h"
#include "util/strbuf.h"

static char *
told(struct stoq_loaded *p, const void *data, size_t size)
{
    struct stoq_strbuf out = {0};
    struct stoq_reply reply;
    struct stoq_error err = {0};
    int r = scan(p, data, size, NULL, &reply, &err);
    ck_assert_msg(r == 0, "%s", err.message);
    ck_assert_ptr_null(reply.results);
    stoq_strbuf_adds(&out, "");
    for (const struct stoq_child *c = reply.children; c; c = c->next) {
        const json_t *name = json_object_get(c->extra_data, "filename");
        const json_t *index = json_object_get(c->extra_data, "index");
        ck_assert_uint_eq(json_object_size(c->extra_data), name ? 2 : 1);
        stoq_strbuf_addf(&out, "%d%s%s=%.*s ", (int)json_integer_value(index),
                         name ? "," : "", name ? json_string_value(name) : "",
                         (int)c->size, (const char *)c->data);
    }
    for (size_t i = 0; i < reply.hit_count; i++)
        stoq_strbuf_addf(&out, "<%s %llu> ", reply.hits[i].name,
                         (unsigned long long)reply.hits[i].value);
    stoq_reply_fini(&reply);
    return stoq_strbuf_steal(&out);
}

/* An OLE 1.0 object of class X that embeds "data", and more behind it. */
#define OLE                        \
    "0105000002000000020000005800" \
    "0000000000000000"             \
    "0400000064617461"

static const struct {
    const char *rtf, *told;
} cases[] = {
    {"", ""},
    {"no rtf", ""},
    {"{\\rtf1 text}", ""},
    {"{\\rtf1{\\object\\objemb{\\*\\objclass X}{\\*\\objdata " OLE "}}}", "0=data "},
    {"{\\rtf1{\\*\\objdata " OLE "FFFF}}", "0=data "},
    /* not an object: the bytes as they are */
    {"{\\rtf1{\\*\\objdata 4142}{\\*\\objdata 43}{\\*\\objdata}}", "0=AB 1=C 2= "},
    {"{\\rtf1{\\*\\objdata 0105000001000000}}", "0=\x01\x05 "},
    /* white space, other text, an odd digit at the end */
    {"{\\rtf1{\\*\\objdata 4\n1\t4\v2zz!4 3 4}}", "0=ABC "},
    /* groups and control words between the digits */
    {"{\\rtf1{\\*\\objdata 4{\\x 1}4{{\\y}2}\\z12 43}}", "0=ABC "},
    {"{\\rtf1{\\*\\objdata 41{\\*\\pict 4242}{\\info 44}43}}", "0=AC "},
    {"{\\rtf1{\\*\\objdata 41\\~42\\-\\*43\\\n44\\}45}}", "0=ABCDE "},
    /* a character in hex is none of the digits, and takes an odd one with it */
    {"{\\rtf1{\\*\\objdata 41\\'4242}}", "0=AB "},
    {"{\\rtf1{\\*\\objdata 414\\'4242}}", "0=AB "},
    /* binary data, with a length that is missing, negative, padded or too large */
    {"{\\rtf1{\\*\\objdata 41\\bin3 }x{42}}", "0=A}x{B "},
    {"{\\rtf1{\\*\\objdata 41\\bin 42\\bin-2 43}}", "0=ABC "},
    {"{\\rtf1{\\*\\objdata 41\\bin0000000000000000000000000000000000001 B43}}",
     "0=ABC "},
    {"{\\rtf1{\\*\\objdata 41\\bin99999999999999999999999 BC", "0=ABC "},
    {"{\\rtf1{\\*\\objdata 4\\bin1 B4}}", "0=D$ "},
    /* objects in objects, a destination in the same group, braces gone wrong */
    {"{\\rtf1{\\*\\objdata 41{\\*\\objdata 42}43}}", "0=B 1=AC "},
    {"{\\rtf1{\\*\\objdata 41\\pict 42}}", "0=A "},
    {"{\\rtf1{\\*\\objdata 41\\objdata 42}}", "0=A 1=B "},
    {"{\\rtf1{\\*\\objdata 4142", "0=AB "},
    {"}}}{\\rtf1{\\*\\objdata 4142}}}}{\\*\\objdata 43}", "0=AB 1=C "},
    {"\\objdata 41", "0=A "},
    {"{\\rtf1{\\*\\OBJDATA 41}{\\objdatax 42}{\\objdata 43\\", "0=C "},
};

START_TEST(test_cases)
{
    struct stoq_loaded *p = LOADED("rtf", NULL, NULL);
    CHECK_TEXT(told(p, cases[_i].rtf, strlen(cases[_i].rtf)), cases[_i].told);
    stoq_loaded_free(p);
}
END_TEST

static size_t
put_hex(char *out, const void *data, size_t size)
{
    const unsigned char *in = data;
    for (size_t i = 0; i < size; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", in[i]);
    return 2 * size;
}

static const char package[] =
    "\x01\x05\0\0\x02\0\0\0\x08\0\0\0Package\0\0\0\0\0\0\0\0\0\x26\0\0\0"
    "\x02\0caf\xe9.exe\0C:\\a\0\0\0\x03\0\x05\0\0\0C:\\b\0\x05\0\0\0hello";

/* A package as the original has it, and with its file as a child of its own. */
START_TEST(test_package)
{
    char rtf[512] = "{\\rtf1{\\*\\objdata ";
    size_t n = strlen(rtf);
    n += put_hex(rtf + n, package, sizeof package - 1);
    strcpy(rtf + n, "}}");
    struct stoq_loaded *p = LOADED("rtf", NULL, NULL);
    struct stoq_reply reply;
    ck_assert_int_eq(scan(p, rtf, strlen(rtf), NULL, &reply, NULL), 0);
    ck_assert_uint_eq(reply.child_count, 1);
    ck_assert_uint_eq(reply.children->size, 0x26);
    ck_assert_mem_eq(reply.children->data, "\x02\0caf\xe9.exe", 10);
    ck_assert_uint_eq(json_object_size(reply.children->extra_data), 1);
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);

    p = LOADED("rtf", NULL, "packages=yes");
    ck_assert_int_eq(scan(p, rtf, strlen(rtf), NULL, &reply, NULL), 0);
    ck_assert_uint_eq(reply.child_count, 2);
    const struct stoq_child *file = reply.children->next;
    ck_assert_uint_eq(file->size, 5);
    ck_assert_mem_eq(file->data, "hello", 5);
    char *extra = json_dumps(file->extra_data, 0);
    ck_assert_str_eq(extra, "{\"index\": 0, \"filename\": \"caf\u00e9.exe\"}");
    free(extra);
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
}
END_TEST

/* Every prefix, and every byte of the object's header with every sort of value. */
START_TEST(test_truncated)
{
    static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff};
    struct stoq_loaded *p = LOADED("rtf", NULL, "packages=yes");
    char rtf[512];
    for (size_t n = 0; n < sizeof package; n++) {
        strcpy(rtf, "{\\rtf1{\\*\\objdata ");
        size_t size = strlen(rtf);
        size += put_hex(rtf + size, package, n);
        char *text = told(p, rtf, size);
        ck_assert_int_eq(text[0], '0');
        free(text);
    }
    for (size_t at = 0; at < sizeof package - 1; at++)
        for (size_t v = 0; v < sizeof values; v++) {
            char bad[sizeof package];
            memcpy(bad, package, sizeof bad);
            bad[at] = (char)values[v];
            strcpy(rtf, "{\\rtf1{\\*\\objdata ");
            size_t size = strlen(rtf);
            size += put_hex(rtf + size, bad, sizeof bad - 1);
            char *text = told(p, rtf, size);
            ck_assert_int_eq(text[0], '0');
            free(text);
        }
    stoq_loaded_free(p);
}
END_TEST

/* Groups and destinations without end. */
START_TEST(test_nesting)
{
    struct stoq_loaded *p = LOADED("rtf", NULL, NULL);
    struct stoq_strbuf groups = {0}, destinations = {0};
    stoq_strbuf_adds(&groups, "{\\rtf1{\\objdata 41");
    for (int i = 0; i < 1000000; i++)
        stoq_strbuf_adds(&groups, "{");
    stoq_strbuf_adds(&groups, "42");
    for (int i = 0; i < 120000; i++)
        stoq_strbuf_adds(&destinations, "{\\pict");
    stoq_strbuf_adds(&destinations, "{\\objdata 41}");
    CHECK_TEXT(told(p, groups.data, groups.size), "0=AB ");
    CHECK_TEXT(told(p, destinations.data, destinations.size), "<destinations 100000> ");
    free(stoq_strbuf_steal(&groups));
    free(stoq_strbuf_steal(&destinations));
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_budget)
{
    struct stoq_loaded *p = LOADED("rtf", NULL, NULL);
    static const char rtf[] = "{\\rtf1{\\objdata 41}{\\objdata 42}{\\objdata 43}}";
    struct stoq_payload *target = payload(rtf, sizeof rtf - 1, NULL);
    struct stoq_reply reply;
    stoq_reply_init(&reply, 100, 2);
    ck_assert_int_eq(stoq_call_scan(p, target, NULL, &reply, NULL), 0);
    ck_assert_uint_eq(reply.child_count, 2);
    ck_assert_uint_eq(reply.hit_count, 1);
    stoq_reply_fini(&reply);
    stoq_payload_free(target);
    stoq_loaded_free(p);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, test_cases, 0, (int)(sizeof cases / sizeof *cases));
    tcase_add_test(tc, test_package);
    tcase_add_test(tc, test_truncated);
    tcase_add_test(tc, test_nesting);
    tcase_add_test(tc, test_budget);
}

int
main(void)
{
    return run_suite("plugins_rtf", fill);
}
