/* SPDX-License-Identifier: Apache-2.0 */

/*
 * smtp: headers, bodies and attachments of whole and broken mails. What is expected is
 * what Python's email package (policy "default") makes of the same mail. A scan is told
 * as its results, then a line per child, error and limit.
 */

#include <stdlib.h>
#include <string.h>

#include "plugins_support.h"
#include "util/strbuf.h"

static void
tell_child(struct stoq_strbuf *out, const struct stoq_child *c)
{
    char *extra = json_dumps(c->extra_data, JSON_COMPACT);
    stoq_strbuf_addf(out, "\n> %s%s", c->no_archive ? "(not archived) " : "", extra);
    free(extra);
    for (size_t i = 0; i < c->dispatch_to.count; i++)
        stoq_strbuf_addf(out, " @%s", c->dispatch_to.items[i]);
    if (c->size < 300)
        stoq_strbuf_addf(out, " [%.*s]", (int)c->size, (const char *)c->data);
    else
        stoq_strbuf_addf(out, " %zu", c->size);
}

static char *
told(struct stoq_loaded *p, const void *mail, size_t size)
{
    struct stoq_strbuf out = {0};
    struct stoq_reply reply;
    struct stoq_error err = {0};
    int r = scan(p, mail, size, NULL, &reply, &err);
    ck_assert_msg(r == 0, "%s", err.message);
    char *results = json_dumps(reply.results, JSON_COMPACT);
    stoq_strbuf_adds(&out, results);
    free(results);
    for (const struct stoq_child *c = reply.children; c; c = c->next)
        tell_child(&out, c);
    for (size_t i = 0; i < reply.errors.count; i++)
        stoq_strbuf_addf(&out, "\n! %s", reply.errors.items[i]);
    for (size_t i = 0; i < reply.hit_count; i++)
        stoq_strbuf_addf(&out, "\n< %s %llu", reply.hits[i].name,
                         (unsigned long long)reply.hits[i].value);
    stoq_reply_fini(&reply);
    return stoq_strbuf_steal(&out);
}

/* ------------------------------------------------------------------------ headers */

static const struct {
    const char *header, *key, *value;
} headers[] = {
    /* unstructured, with encoded words */
    {"Subject: =?utf-8?q?H=C3=A9?= =?utf-8?b?bMO2?= end", "subject",
     "H\u00e9l\u00f6 end"},
    {"Subject: a\r\n b\r\n\tc", "subject", "a b\tc"},
    {"Subject: x=?utf-8?q?a?=y", "subject", "xay"},
    {"Subject: =?utf-8?x?a?=", "subject", "=?utf-8?x?a?="},
    {"Subject: =?utf-8?q?a", "subject", "=?utf-8?q?a"},
    {"Subject: =?utf-8?b?YQ?=", "subject", "a"},
    {"Subject: =?nope?q?=E9=41?=", "subject", "\ufffdA"},
    {"Subject: =?iso-8859-1?q?=E9_=E8?=", "subject", "\u00e9 \u00e8"},
    {"Subject: =?gb2312?b?xOO6ww==?=", "subject", "\u4f60\u597d"},
    {"Subject: =?shift_jis?b?k/qWe4zq?=", "subject", "\u65e5\u672c\u8a9e"},
    {"Subject: =?iso-2022-jp?b?GyRCRnxLXDhsGyhC?=", "subject", "\u65e5\u672c\u8a9e"},
    {"Subject: =?koi8-r?q?=D0=D2=C9?=", "subject", "\u043f\u0440\u0438"},
    {"X-A: 1\nx-a: 2\nX-B: 3\nX-A: 4", "x-a", "1\n2\n4"},
    /* addresses */
    {"To: \"Doe, J\" <j@d.e>,\n x@y (c), <>", "to", "\"Doe, J\" <j@d.e>, x@y, <>"},
    {"To: x: a@b, \"c d\"@e; , f@g", "to", "x: a@b, \"c d\"@e;, f@g"},
    {"To: undisclosed-recipients:;", "to", "undisclosed-recipients:;"},
    {"From: =?utf-8?q?J=C3=B6=2C?= B. <a@b>", "from", "\"J\u00f6, B.\" <a@b>"},
    {"From: a b@c", "from", "\"a b\"@c"},
    {"From: <@a,@b:c@d>", "from", "c@d"},
    {"From: x <a@b> y", "from", "x <a@b>"},
    {"Cc: @b, a@b@c", "cc", "<>, <>"},
    {"Reply-To: a@[1.2.3.4]", "reply-to", "a@[1.2.3.4]"},
    /* dates */
    {"Date: 1 Jan 19 1:2 EST", "date", "Tue, 01 Jan 2019 01:02:00 -0500"},
    {"Date: Tue, 1 Jan 2019 10:00:00", "date", "Tue, 01 Jan 2019 10:00:00 -0000"},
    {"Date: Tuesday, 01-Jan-19 10:00:00 GMT", "date",
     "Tue, 01 Jan 2019 10:00:00 +0000"},
    {"Date: 29 Feb 2001 10:00:00 +0000", "date", "29 Feb 2001 10:00:00 +0000"},
    {"Date: nonsense", "date", "nonsense"},
    /* what is written in a form of its own */
    {"Message-ID: <a@b> (c) junk", "message-id", "<a@b> (c) "},
    {"Message-ID: <a@b", "message-id", "<a@b>"},
    {"Message-ID: a@b", "message-id", "a@b"},
    {"MIME-Version: 1.0 (a\\b)", "mime-version", "1.0 (ab)"},
    {"Content-Type: text/plain; NAME=a b; charset = utf-8 (c)", "content-type",
     "text/plain; NAME=\"a\"; charset=\"utf-8\""},
    {"Content-Type: text/plain; name*0*=utf-8''%C3%A9; name*1=b", "content-type",
     "text/plain; name=\"\u00e9b\""},
    {"Content-Type: text/plain; a=b; a=c;; d", "content-type",
     "text/plain; a=\"b\"; d"},
    {"Content-Disposition: attachment; filename*=\"utf-8''%C3%A9\"",
     "content-disposition", "attachment; filename=\"\u00e9\""},
    {"Content-Transfer-Encoding: BASE64 (x)", "content-transfer-encoding",
     "BASE64 (x)"},
};

START_TEST(test_headers)
{
    struct stoq_loaded *p = LOADED("smtp", NULL, NULL);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        char mail[512];
        int n = snprintf(mail, sizeof mail, "%s\n\n", headers[i].header);
        struct stoq_reply reply;
        ck_assert_int_eq(scan(p, mail, (size_t)n, NULL, &reply, NULL), 0);
        const json_t *value = json_object_get(reply.results, headers[i].key);
        ck_assert_str_eq(json_string_value(value), headers[i].value);
        stoq_reply_fini(&reply);
    }
    stoq_loaded_free(p);
}
END_TEST

/* -------------------------------------------------------------------- whole mails */

#define NO_META "\"charset\":null,\"content-description\":null,"
#define MIXED                                                                        \
    "From: a@b\nContent-Type: multipart/mixed; boundary=\"b\"\n\n"                   \
    "--b\nContent-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n" \
    "caf=C3=A9 =\n%41\n--b\n"                                                        \
    "Content-Type: application/zip; name=\"a.zip\"\n"                                \
    "Content-Transfer-Encoding: base64\nContent-Disposition: attachment\n"           \
    "Content-Description: =?utf-8?q?z=C3=AF?= p\n\nUEs\nDBA==\n--b--\nepilogue\n"

static const struct {
    const char *mail, *told;
} mails[] = {
    {"", "{\"body\":null,\"body_html\":\"\"}"},
    {"no header\n", "{\"body\":\"no header\\n\",\"body_html\":\"\"}"},
    {"A: b\r\n\r\nx\r\n", "{\"a\":\"b\",\"body\":\"x\\r\\n\",\"body_html\":\"\"}"},
    {"Body: h\n\nx", "{\"body\":\"x\",\"body_html\":\"\"}"},
    {"Content-Type: text/html\n\n<p>%3Ca%C3%A9",
     "{\"content-type\":\"text/html\",\"body\":\"\",\"body_html\":\"<p><a\u00e9\"}"},
    /* text with other characters than Latin-1 that is not encoded */
    {"\n\u00e9\u732b", "{\"body\":\"\u00e9\\\\u732b\",\"body_html\":\"\"}"},
    {"Content-Transfer-Encoding: x-uuencode\n\nbegin 644 a\n%:&5L;&\\\n`\nend\n",
     "{\"content-transfer-encoding\":\"x-uuencode\",\"body\":\"hello\","
     "\"body_html\":\"\"}"},
    {MIXED,
     "{\"from\":\"a@b\",\"content-type\":\"multipart/mixed; boundary=\\\"b\\\"\","
     "\"body\":\"caf\u00e9 A\",\"body_html\":\"\"}\n"
     "> {\"charset\":null,\"content-description\":\"z\u00ef p\",\"disposition\":"
     "\"attachment\",\"filename\":\"a.zip\",\"type\":\"application/zip\"} "
     "[PK\x03\x04]"},
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b\n\n\xe9\n--b\n"
     "Content-Type: text/x; charset=koi8-r\nContent-Transfer-Encoding: base64\n\n0NI=",
     "{\"content-type\":\"multipart/mixed; boundary=\\\"b\\\"\",\"body\":\"x\","
     "\"body_html\":\"\"}\n"
     "> {" NO_META "\"disposition\":null,\"filename\":null,\"type\":\"text/plain\"} "
     "[\ufffd]\n"
     "> {\"charset\":\"koi8-r\",\"content-description\":null,\"disposition\":null,"
     "\"filename\":null,\"type\":\"text/x\"} [\u043f\u0440]"},
    /* errors, and parts that are neither body nor attachment */
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\n"
     "Content-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: image/x\n\nq\n"
     "--c--\n--b\nContent-Type: font/ttf\n\nf\n--b\n"
     "Content-Type: text/css; charset=nope\n\nt\n--b--\n",
     "{\"content-type\":\"multipart/mixed; boundary=\\\"b\\\"\",\"body\":\"\","
     "\"body_html\":\"\"}\n"
     "! Failed extracting attachment: 'multipart/mixed'\n"
     "! Failed extracting attachment: 'font/ttf'\n"
     "! Failed extracting attachment: unknown encoding: nope\n"
     "< unread_parts 3"},
    /* an attached mail: one header too long, one not */
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n"
     "\nA:  1\r\n 2\nReceived: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
     "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n\nbody\r\n--b--\n",
     "{\"content-type\":\"multipart/mixed; boundary=\\\"b\\\"\",\"body\":\"\","
     "\"body_html\":\"\"}\n"
     "> {" NO_META "\"disposition\":null,\"filename\":null,\"type\":\"text/plain\"} "
     "@smtp [A: 1\n 2\nReceived: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
     " bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n\nbody]"},
    /* related: the root is a body, the others are attachments */
    {"Content-Type: multipart/related; start=\"<2>\"; boundary=b\n\n--b\n"
     "Content-Type: image/x\nContent-ID: <1>\n\ni\n--b\nContent-Type: text/html\n"
     "Content-ID: <2>\n\nh\n--b--\n",
     "{\"content-type\":\"multipart/related; start=\\\"<2>\\\"; boundary=\\\"b\\\"\","
     "\"body\":\"\",\"body_html\":\"h\"}\n"
     "> {" NO_META "\"disposition\":null,\"filename\":null,\"type\":\"image/x\"} [i]"},
    {"Content-Type: multipart/mixed; boundary=b\n\nno boundary\n",
     "{\"content-type\":\"multipart/mixed; boundary=\\\"b\\\"\",\"body\":\"\","
     "\"body_html\":\"\"}\n< unread_parts 1"},
};

START_TEST(test_mails)
{
    struct stoq_loaded *p = LOADED("smtp", NULL, "all_parts=no");
    for (size_t i = 0; i < sizeof mails / sizeof *mails; i++)
        CHECK_TEXT(told(p, mails[i].mail, strlen(mails[i].mail)), mails[i].told);
    stoq_loaded_free(p);
}
END_TEST

/* The mail as Latin-1, as UTF-16, and with bytes that mean nothing in windows-1252. */
START_TEST(test_charsets)
{
    struct stoq_loaded *p = LOADED("smtp", NULL, NULL);
    CHECK_TEXT(told(p, "S: \xe9\n\n\x80\n", 8),
               "{\"s\":\"\u00e9\",\"body\":\"\\\\u20ac\\n\",\"body_html\":\"\"}");
    CHECK_TEXT(told(p, "\xff\xfeS\0:\0x\0\n\0\n\0y\0", 14),
               "{\"s\":\"x\",\"body\":\"y\",\"body_html\":\"\"}");
    CHECK_TEXT(told(p, "S: \xff\x81\n\n", 7),
               "{\"s\":\"\ufffd\ufffd\",\"body\":null,\"body_html\":\"\"}");
    CHECK_TEXT(told(p, "\na\0b", 4), "{\"body\":\"a\\u0000b\",\"body_html\":\"\"}");
    stoq_loaded_free(p);
}
END_TEST

/* ------------------------------------------------------------------------ options */

START_TEST(test_options)
{
    static const char meta[] =
        "\n> (not archived) {\"charset\":null,\"content-description\":\"z\u00ef p\","
        "\"disposition\":\"attachment\",\"filename\":\"a.zip\",\"type\":"
        "\"application/zip\"} @hash @entropy [PK\x03\x04]";
    char expected[1024];
    struct stoq_loaded *p =
        LOADED("smtp", NULL, "omit_body=yes", "always_dispatch=hash, entropy",
               "archive_attachments=no", "extract_iocs=1", "ioc_keys=from,body,none");
    (void)snprintf(expected, sizeof expected,
                   "{\"from\":\"a@b\",\"content-type\":\"multipart/mixed; boundary="
                   "\\\"b\\\"\"}%s\n> (not archived) {} @iocextract [\na@bcaf\u00e9 A]",
                   meta);
    CHECK_TEXT(told(p, MIXED, sizeof MIXED - 1), expected);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_iocs)
{
    struct stoq_loaded *p = LOADED("smtp", NULL, "extract_iocs=yes");
    CHECK_TEXT(told(p, "Received: x\nReceived: y\n\n", 25),
               "{\"received\":\"x\\ny\",\"body\":null,\"body_html\":\"\"}\n"
               "> (not archived) {} @iocextract [\nx\ny\nNone\n]");
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_all_parts)
{
    static const char mail[] =
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
        "Content-Type: multipart/related; boundary=c\n\n--c\n\nbody\n--c\n"
        "Content-Type: image/x\n\nq\n--c--\n--b\nContent-Type: font/ttf\n\nf\n--b--\n";
    struct stoq_loaded *p = LOADED("smtp", NULL, "all_parts=yes");
    CHECK_TEXT(told(p, mail, sizeof mail - 1),
               "{\"content-type\":\"multipart/mixed; boundary=\\\"b\\\"\",\"body\":"
               "\"body\",\"body_html\":\"\"}\n"
               "> {" NO_META "\"disposition\":null,\"filename\":null,\"type\":"
               "\"font/ttf\"} [f]\n"
               "> {" NO_META "\"disposition\":null,\"filename\":null,\"type\":"
               "\"image/x\"} [q]");
    stoq_loaded_free(p);
}
END_TEST

/* ------------------------------------------------------------------------- limits */

/* Every prefix of a mail with everything in it ends, and says something. */
START_TEST(test_truncated)
{
    struct stoq_loaded *p = LOADED("smtp", NULL, "extract_iocs=yes", "all_parts=yes");
    for (size_t i = 0; i < sizeof mails / sizeof *mails; i++)
        for (size_t n = 0; n <= strlen(mails[i].mail); n++) {
            char *cut = malloc(n + 1);
            memcpy(cut, mails[i].mail, n);
            char *text = told(p, cut, n);
            ck_assert_ptr_nonnull(strstr(text, "@iocextract"));
            free(text);
            free(cut);
        }
    stoq_loaded_free(p);
}
END_TEST

/* What limit is on record after the scan of a mail, taken. */
static void
check_limit(const char *name, uint64_t least, struct stoq_strbuf *mail)
{
    struct stoq_loaded *p = LOADED("smtp", NULL, NULL);
    struct stoq_reply reply;
    uint64_t found = 0;
    ck_assert_int_eq(scan(p, mail->data, mail->size, NULL, &reply, NULL), 0);
    for (size_t i = 0; i < reply.hit_count; i++)
        if (strcmp(reply.hits[i].name, name) == 0)
            found = reply.hits[i].value;
    ck_assert_msg(found >= least, "%s: %llu", name, (unsigned long long)found);
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
    free(stoq_strbuf_steal(mail));
}

START_TEST(test_depth)
{
    struct stoq_strbuf parts = {0}, messages = {0};
    for (int i = 0; i < 10000; i++) {
        stoq_strbuf_addf(
            &parts, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i);
        stoq_strbuf_adds(&messages, "Content-Type: message/rfc822\n\n");
    }
    check_limit("mime_depth", 100, &parts);
    check_limit("mime_depth", 100, &messages);
}
END_TEST

START_TEST(test_many)
{
    struct stoq_strbuf parts = {0}, lines = {0}, value = {0}, words = {0};
    stoq_strbuf_adds(&parts, "Content-Type: multipart/mixed; boundary=b\n\n");
    stoq_strbuf_adds(&value, "Subject: ");
    stoq_strbuf_adds(&words, "To: ");
    for (int i = 0; i < 20000; i++) {
        stoq_strbuf_adds(&parts, "--b\n\nx\n");
        stoq_strbuf_addf(&lines, "X-%d: y\n", i);
        stoq_strbuf_adds(&value, "=?utf-8?q?x");
        stoq_strbuf_adds(&words, "(<a@b>, =?x?q?");
    }
    for (int i = 0; i < 500000; i++)
        stoq_strbuf_adds(&value, "=?");
    check_limit("mime_parts", 10000, &parts);
    check_limit("headers", 10000, &lines);
    check_limit("header_size", 1200000, &value);
    check_limit("header_size", 280000, &words);
}
END_TEST

/* A budget of the scan is used up: what came before stays. */
START_TEST(test_budget)
{
    struct stoq_loaded *p = LOADED("smtp", NULL, NULL);
    struct stoq_payload *target = payload(MIXED, sizeof MIXED - 1, NULL);
    struct stoq_reply reply;
    struct stoq_error err = {0};
    stoq_reply_init(&reply, 3, 10);
    ck_assert_int_eq(stoq_call_scan(p, target, NULL, &reply, &err), 0);
    ck_assert_uint_eq(reply.child_count, 0);
    ck_assert_uint_eq(reply.hit_count, 1);
    ck_assert_ptr_nonnull(json_object_get(reply.results, "body"));
    stoq_reply_fini(&reply);
    stoq_payload_free(target);
    stoq_loaded_free(p);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_test(tc, test_headers);
    tcase_add_test(tc, test_mails);
    tcase_add_test(tc, test_charsets);
    tcase_add_test(tc, test_options);
    tcase_add_test(tc, test_iocs);
    tcase_add_test(tc, test_all_parts);
    tcase_add_test(tc, test_truncated);
    tcase_add_test(tc, test_depth);
    tcase_add_test(tc, test_many);
    tcase_add_test(tc, test_budget);
}

int
main(void)
{
    return run_suite("plugins_smtp", fill);
}
