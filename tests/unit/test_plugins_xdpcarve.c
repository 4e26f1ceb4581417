/* SPDX-License-Identifier: Apache-2.0 */

/* xdpcarve: which text of an XML document is carved, how it is decoded, and the bounds.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins_office.h"
#include "util/strbuf.h"

#define CHUNK "{\"element_name\": \"chunk\"}:"
#define NO_TEXT                                                            \
    "error:AttributeError: 'NoneType' object has no attribute 'nodeValue'" \
    ": an element without text is left out\n"
#define NOT_XML "error:Unable to parse payload as XML with xdpcarve: "

static const struct {
    const char *elements; /* NULL = default */
    const char *xml, *expected;
} cases[] = {
    {NULL, "<a><chunk>aGVsbG8=</chunk></a>", CHUNK "hello\n"},
    {NULL, "<chunk>aGVs\n bG8= \n</chunk>", CHUNK "hello\n"},
    {NULL, "<a>aGVsbG8=</a>", ""},
    /* not base64: as it is, without blanks at the end */
    {NULL, "<chunk>abcde \t\n</chunk>", CHUNK "abcde\n"},
    {NULL, "<chunk>\xc3\xa9 aGk=\xc2\xa0\xe2\x80\x83</chunk>",
     CHUNK "\\xc3\\xa9 aGk=\n"},
    {NULL, "<chunk>aGk</chunk>", CHUNK "aGk\n"},
    {NULL, "<chunk>aGk=aGk=</chunk>", CHUNK "hi\n"},
    {NULL, "<chunk> \n</chunk>", CHUNK "\n"},
    {NULL, "<chunk>!!!</chunk>", CHUNK "\n"},
    /* the first child alone */
    {NULL, "<chunk>aGk=<b/>aGk=</chunk>", CHUNK "hi\n"},
    {NULL, "<chunk>aGk=<!--x-->aGk=</chunk>", CHUNK "hi\n"},
    {NULL, "<chunk><!--aGk=-->aGVsbG8=</chunk>", CHUNK "hi\n"},
    {NULL, "<chunk><?x aGk=?></chunk>", CHUNK "hi\n"},
    {NULL, "<chunk><![CDATA[aGk=]]>aGVsbG8=</chunk>", CHUNK "hi\n"},
    {NULL, "<chunk><![CDATA[]]>aGk=<![CDATA[x]]></chunk>", CHUNK "hi\n"},
    {NULL, "<chunk>aG<![CDATA[]]>k=</chunk>", CHUNK "hi\n"},
    {NULL, "<chunk>aG&#107;=<chunk>eW8=</chunk></chunk>", CHUNK "hi\n" CHUNK "yo\n"},
    {NULL, "<a><chunk/><chunk>aGk=</chunk></a>", CHUNK "hi\n" NO_TEXT},
    {NULL, "<a><chunk><b>aGk=</b></chunk></a>", NO_TEXT},
    /* names */
    {"b, a", "<x><a>eW8=</a><b>aGk=</b></x>",
     "{\"element_name\": \"b\"}:hi\n{\"element_name\": \"a\"}:yo\n"},
    {"p:a", "<x xmlns:p='u' xmlns='v'><a>eW8=</a><p:a>aGk=</p:a></x>",
     "{\"element_name\": \"p:a\"}:hi\n"},
    {"a", "<x xmlns='u'><a>aGk=</a></x>", "{\"element_name\": \"a\"}:hi\n"},
    {"*", "<x>eW8=<a>aGk=</a></x>",
     "{\"element_name\": \"*\"}:yo\n{\"element_name\": \"*\"}:hi\n"},
    /* entities */
    {NULL, "<!DOCTYPE a [<!ENTITY e 'aGk='>]><chunk>&e;</chunk>", CHUNK "hi\n"},
    {NULL, "<!DOCTYPE a [<!ENTITY e SYSTEM '/etc/hostname'>]><chunk>aGk=&e;</chunk>",
     CHUNK "hi\n"},
    {NULL, "<?xml version='1.0' encoding='windows-1252'?><chunk>\x80</chunk>",
     CHUNK "\\xe2\\x82\\xac\n"},
    {NULL, "<?xml version='1.0' encoding='nonsense'?><chunk>aGk=</chunk>",
     "failed:LookupError: unknown encoding: nonsense\n"},
    /* not well-formed, in the words of the original */
    {NULL, "", NOT_XML "no element found: line 1, column 0\n"},
    {NULL, "text", NOT_XML "syntax error: line 1, column 0\n"},
    {NULL, "<chunk>aGk=</chunk><b>",
     NOT_XML "junk after document element: line 1, "
             "column 19\n"},
    {NULL, "<a>\n<chunk>aGk=</chunk></b>",
     NOT_XML "mismatched tag: line 2, column 21\n"},
    {NULL, "<p:a/>", NOT_XML "unbound prefix: line 1, column 0\n"},
    {NULL, "<a>&b;</a>", NOT_XML "undefined entity: line 1, column 3\n"},
};

/* Those without an option share a plugin. */
START_TEST(test_cases)
{
    struct stoq_loaded *plain = LOADED("xdpcarve", NULL, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stoq_loaded *p = plain;
        const char *xml = cases[i].xml;
        char option[64];
        (void)snprintf(option, sizeof option, "elements=%s",
                       cases[i].elements ? cases[i].elements : "");
        if (cases[i].elements)
            p = LOADED("xdpcarve", NULL, option);
        char *text = reply_text(p, xml, strlen(xml), UINT64_MAX);
        ck_assert_msg(strcmp(text, cases[i].expected) == 0, "%s: %s", xml, text);
        free(text);
        scan_prefixes(p, xml, strlen(xml), 1);
        if (p != plain)
            stoq_loaded_free(p);
    }
    stoq_loaded_free(plain);
}
END_TEST

/* Before, `count` times the middle, its '#' the number, after. */
static char *
repeated(const char *before, const char *middle, size_t count, const char *after)
{
    const char *number = strchr(middle, '#');
    struct stoq_strbuf out = {0};
    stoq_strbuf_adds(&out, before);
    for (size_t i = 0; i < count; i++)
        if (number)
            stoq_strbuf_addf(&out, "%.*s%zu%s", (int)(number - middle), middle, i,
                             number + 1);
        else
            stoq_strbuf_adds(&out, middle);
    stoq_strbuf_adds(&out, after);
    return stoq_strbuf_steal(&out);
}

static void
check_limit(const char *xml, const char *expected)
{
    struct stoq_loaded *p = LOADED("xdpcarve", NULL, NULL);
    CHECK_TEXT(reply_text(p, xml, strlen(xml), UINT64_MAX), expected);
    stoq_loaded_free(p);
}

START_TEST(test_limits)
{
    char *xml = repeated("<a><chunk>aGk=</chunk>", "<b>", 4096, "");
    check_limit(xml, CHUNK "hi\nlimit:nesting\n");
    free(xml);
    xml = repeated("<a>", "<chunk/>", 100001, "</a>");
    check_limit(xml, NO_TEXT "limit:elements\n");
    free(xml);
    xml = repeated("<!DOCTYPE a [", "<!ENTITY e# 'x'>", 257, "]><chunk>aGk=</chunk>");
    check_limit(xml, "limit:entities\n");
    free(xml);
    xml = repeated("<a xmlns='", "abcdefgh", 513, "'><chunk>aGk=</chunk></a>");
    check_limit(xml, "limit:namespace\n");
    free(xml);
    xml = repeated("<!DOCTYPE a [<!ENTITY e '", "0123456789", 1000, "'>]><a>");
    char *bomb = repeated(xml, "&e;", 4000, "</a>");
    check_limit(bomb, "limit:expansion\n");
    free(bomb);
    free(xml);
}
END_TEST

/* Each name within the one before, ten times. */
START_TEST(test_laughs)
{
    struct stoq_strbuf out = {0};
    stoq_strbuf_adds(&out, "<!DOCTYPE a [<!ENTITY e0 'ha'>");
    for (int i = 1; i < 12; i++) {
        stoq_strbuf_addf(&out, "<!ENTITY e%d '", i);
        for (int k = 0; k < 10; k++)
            stoq_strbuf_addf(&out, "&e%d;", i - 1);
        stoq_strbuf_adds(&out, "'>");
    }
    stoq_strbuf_adds(&out, "]><chunk>&e11;</chunk>");
    char *text = stoq_strbuf_steal(&out);
    struct stoq_loaded *p = LOADED("xdpcarve", NULL, NULL);
    CHECK_TEXT(reply_text(p, text, strlen(text), UINT64_MAX),
               NOT_XML "limit on input amplification factor (from DTD and entities) "
                       "breached: line 1, column 656\n");
    free(text);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_budget)
{
    struct stoq_loaded *p = LOADED("xdpcarve", NULL, NULL);
    static const char xml[] =
        "<a><chunk>aGk=</chunk><chunk>aGVsbG8=</chunk><chunk>eW8=</chunk></a>";
    CHECK_TEXT(reply_text(p, xml, strlen(xml), 4), CHUNK "hi\nlimit:extracted_bytes\n");
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_options)
{
    struct stoq_strbuf many = {0};
    struct stoq_loaded *p = NULL;
    struct stoq_error err = {0};
    for (int i = 0; i < 65; i++)
        stoq_strbuf_addf(&many, "%se%d", i ? "," : "elements=", i);
    char *option = stoq_strbuf_steal(&many);
    ck_assert_int_eq(LOAD("xdpcarve", NULL, &p, &err, option), -EINVAL);
    ck_assert_ptr_nonnull(
        strstr(err.message, "the option elements has 65 names, more than 64"));
    free(option);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_test(tc, test_cases);
    tcase_add_test(tc, test_limits);
    tcase_add_test(tc, test_laughs);
    tcase_add_test(tc, test_budget);
    tcase_add_test(tc, test_options);
}

int
main(void)
{
    return run_suite("plugins_xdpcarve", fill);
}
