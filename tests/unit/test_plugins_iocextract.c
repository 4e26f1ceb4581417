/* SPDX-License-Identifier: Apache-2.0 */

/* iocextract: which texts are indicators, what becomes of them, and the whitelist. The
 * expected results were checked against the original's expressions. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugins_support.h"

#define MD5  "d41d8cd98f00b204e9800998ecf8427e"
#define SHA1 "da39a3ee5e6b4b0d3255bfef95601890afd80709"
#define L50  "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghij"

static const struct {
    const char *text, *expected;
} cases[] = {
    {"", "{}"},
    {"nothing to see here. Move on.", "{}"},
    /* digests are whole words */
    {MD5, "{\"md5\": [\"" MD5 "\"]}"},
    {"D41D8CD98F00B204E9800998ECF8427E " MD5 " " MD5,
     "{\"md5\": [\"D41D8CD98F00B204E9800998ECF8427E\", \"" MD5 "\"]}"},
    {"x" MD5 " " MD5 "_ \xc3\xa9" MD5 " " MD5 "0", "{}"},
    {"\xe2\x82\xac" MD5 "\xe2\x82\xac", "{\"md5\": [\"" MD5 "\"]}"},
    {SHA1 "," SHA1 "0000000000" MD5 ",", "{\"sha1\": [\"" SHA1 "\"]}"},
    {MD5 MD5 " " MD5 MD5 MD5 MD5,
     "{\"sha256\": [\"" MD5 MD5 "\"], \"sha512\": [\"" MD5 MD5 MD5 MD5 "\"]}"},
    /* IPv4, defanged and not; the last number takes what it can */
    {"1.2.3.4 8[.]8[.]8[.]8 1(dot)1<DOT>1{.}1 1.2.3.4",
     "{\"ipv4\": [\"1.2.3.4\", \"8.8.8.8\", \"1.1.1.1\"]}"},
    {"1.2.3.256 1.2.3.1999 256.1.1.1 a1.2.3.4 1.2.3",
     "{\"ipv4\": [\"1.2.3.25\", \"1.2.3.199\"]}"},
    {"[8.8.8.8] 1[.)2.3.4 1[.]2[.]3", "{\"ipv4\": [\"8.8.8.8\"]}"},
    /* the private networks are in the whitelist; the key stays */
    {"10.1.2.3 172.16.0.1 172.31.255.255 192.168.7.7 010.001.001.001",
     "{\"ipv4\": []}"},
    {"172.32.0.1 100.1.1.1 11.0.0.1",
     "{\"ipv4\": [\"172.32.0.1\", \"100.1.1.1\", \"11.0.0.1\"]}"},
    /* IPv6: what is no address does not count */
    {"fe80::1 2001:db8:0:0:0:0:2:1 ::1 at 12:30:45 std::string a::",
     "{\"ipv6\": [\"fe80::1\", \"2001:db8:0:0:0:0:2:1\", \"::1\", \"d::\"]}"},
    {"::ffff:1.2.3.4 12:30",
     "{\"ipv4\": [\"1.2.3.4\"], \"ipv6\": [\"::ffff:1.2.3.4\"]}"},
    {"12:30 13:45:59", "{}"},
    {"00:1B:44:11:3A:B7 00-1b-44-11-3a-b7 00:1b:44:11:3a 00:1b:44:11:3a:b7c",
     "{\"mac_address\": [\"00:1B:44:11:3A:B7\", \"00-1b-44-11-3a-b7\"]}"},
    /* names: at most five labels, lower case, a known end that is a whole word */
    {"See WWW.Example.ORG, evil[.]Com and a.b.c.dd.qq.ff.net",
     "{\"domain\": [\"www.example.org\", \"evil.com\", \"b.c.dd.qq.ff.net\"]}"},
    {"example.invalid example.comx example.com_ x.com", "{}"},
    {"example.com-x -ab.net", "{\"domain\": [\"example.com\", \"ab.net\"]}"},
    {L50 ".com x" L50 ".com -" L50 ".com", "{\"domain\": [\"" L50 ".com\"]}"},
    {"xn--e1afmkfd.xn--p1ai test.XN--P1AIX",
     "{\"domain\": [\"xn--e1afmkfd.xn--p1ai\"]}"},
    {"maps.google.com google.com notgoogle.com army.mil",
     "{\"domain\": [\"notgoogle.com\"]}"},
    /* addresses: what looks like a name before the sign becomes lower case, too */
    {"Joe.Doe@Example.com joe[at]example[.]org First.Name@x.co.uk",
     "{\"email\": [\"Joe.Doe@example.com\", \"joe@example.org\", "
     "\"first.name@x.co.uk\"], \"domain\": [\"example.com\", \"example.org\", "
     "\"first.name\", \"x.co.uk\"]}"},
    {"user@localhost @example.com", "{\"domain\": [\"example.com\"]}"},
    /* URLs */
    {"hxxp://Evil.Example.com/A.Zip?x=1#y, MEOWS://1[.]2.3.4:80/q http://[::1]/",
     "{\"ipv4\": [\"1.2.3.4\"], \"ipv6\": [\"::1\"], \"domain\": "
     "[\"evil.example.com\"], "
     "\"url\": [\"http://evil.example.com/A.zip?x=1#y\", "
     "\"https://1.2.3.4:80/q\"]}"},
    {"https://www.google.com/q http://google.com:80/q xhttp://ab.com http://nowhere",
     "{\"domain\": [\"ab.com\"], \"url\": [\"http://google.com:80/q\"]}"},
    {"http://2001:db8::1/x", "{\"ipv6\": [\"2001:db8::1\"], \"url\": "
                             "[\"http://2001:db8::1/x\"]}"},
};

START_TEST(test_text)
{
    struct stoq_loaded *p = LOADED("iocextract", NULL, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_TEXT(scanned(p, cases[i].text, strlen(cases[i].text), NULL),
                   cases[i].expected);
    stoq_loaded_free(p);
}
END_TEST

/* Encodings: all of these hold the same two words, beside a letter and beside none. */
static const struct {
    const char *bytes;
    size_t size;
    const char *expected;
} encodings[] = {
#define BYTES(text) text, sizeof(text) - 1
    {BYTES("\xc3\xa9"
           "ab.com"),
     "{}"},
    {BYTES("\xe9"
           "ab.com"),
     "{}"},
    {BYTES("\x80"
           "ab.com"),
     "{\"domain\": [\"ab.com\"]}"},
    {BYTES("\x81\xe9"
           "ab.com"),
     "{\"domain\": [\"ab.com\"]}"},
    {BYTES("\xef\xbb\xbf"
           "ab.com\xc3\xa9"),
     "{}"},
    {BYTES("\xff\xfe"
           "a\0b\0.\0c\0o\0m\0"),
     "{\"domain\": [\"ab.com\"]}"},
    {BYTES("\xff\xfe"
           "\xe9\0"
           "a\0b\0.\0c\0o\0m\0"),
     "{}"},
    {BYTES("\xff\xfe"
           "\x3d\xd8\x00\xde"
           "a\0b\0.\0c\0o\0m\0"),
     "{\"domain\": [\"ab.com\"]}"},
    {BYTES("\xfe\xff"
           "\0a\0b\0.\0c\0o\0m"),
     "{\"domain\": [\"ab.com\"]}"},
    {BYTES("\xfe\xff"
           "\0a\0b\0.\0c\0o\0m\xd8\0"),
     "{}"},
    {BYTES("\xff\xfe"
           "ab.com odd!"),
     "{\"domain\": [\"ab.com\"]}"},
    {BYTES("\xff\xfe"
           "a"),
     "{}"},
    {BYTES("\0ab.com\0cd.net\0"), "{\"domain\": [\"ab.com\", \"cd.net\"]}"},
    {BYTES("\xf0\x9d\x90\x80"
           "ab.com"),
     "{}"}, /* a mathematical letter */
    {BYTES("\xed\xa0\x80\x81"
           "ab.com"),
     "{\"domain\": [\"ab.com\"]}"},
};

START_TEST(test_encoding)
{
    struct stoq_loaded *p = LOADED("iocextract", NULL, NULL);
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++)
        CHECK_TEXT(scanned(p, encodings[i].bytes, encodings[i].size, NULL),
                   encodings[i].expected);
    stoq_loaded_free(p);
}
END_TEST

/* Every end of a text, and every start, is a text. */
START_TEST(test_truncated)
{
    static const char text[] =
        "\xff\xfehxxps://Evil[.]Example(dot)com:8080/p?q " MD5 " a.b@[c.org] <at> "
        "fe80::1.2.3.4::ffff 1[.]2[.]3[.]4 00:1b:44:11:3a:b7 \xf0\x9d\x90";
    struct stoq_loaded *p = LOADED("iocextract", NULL, NULL);
    for (size_t i = 0; i < sizeof text; i++) {
        char *copy = malloc(sizeof text - i + 1);
        memcpy(copy, text + i, sizeof text - i);
        char *tail = scanned(p, copy, sizeof text - i, NULL);
        char *head = scanned(p, copy, (sizeof text - i) / 2, NULL);
        ck_assert_ptr_nonnull(tail);
        ck_assert_ptr_nonnull(head);
        free(tail);
        free(head);
        free(copy);
    }
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_whitelist)
{
    put_file("white.txt", "# a comment\n\nnonsense\nfruit:apple\nipv4:10.0.0.1/8\n"
                          "ipv4:300.1.1.1\nipv4:8.8.0.0/255.255.0.0\nipv4:1.1.1.1\n"
                          "ipv4:9.9.9.0/33\nipv4:9.9.9.9/\nipv6:2001:db8::/32\n"
                          "md5:" MD5 "\ndomain:exact.org\ndomain:\r\n"
                          "url:.only-url.com\nemail:good@xy.org\r\n"
                          "mac_address:00:1b:44:11:3a:b7\n");
    char *list = NULL;
    ck_assert_int_gt(asprintf(&list, "whitelist_file=%s,%s,data/whitelist.txt",
                              in_dir("missing.txt"), in_dir("white.txt")),
                     0);
    struct stoq_loaded *p = LOADED("iocextract", NULL, list);
    static const char text[] =
        MD5 " 10.0.0.1 8.8.4.4 8.9.4.4 1.1.1.1 1.1.1.2 9.9.9.9 2001:db8::7 2001:db9::7 "
            "exact.org inexact.org a.only-url.com http://a.only-url.com/x good@xy.org "
            "bad@xy.org 00:1b:44:11:3a:b7";
    CHECK_TEXT(scanned(p, text, sizeof text - 1, NULL),
               "{\"md5\": [], \"ipv4\": [\"8.9.4.4\", \"1.1.1.2\", \"9.9.9.9\"], "
               "\"ipv6\": [\"2001:db9::7\"], \"mac_address\": [], \"email\": "
               "[\"bad@xy.org\"], \"domain\": [\"a.only-url.com\", \"xy.org\"], "
               "\"url\": []}");
    stoq_loaded_free(p);
    free(list);
}
END_TEST

START_TEST(test_domains_file)
{
    char *option = NULL;
    struct stoq_loaded *p = NULL;
    struct stoq_error err = {0};
    put_file("tlds.txt", "# version\r\n# more\nCORP\r\n\nx-y\n");
    ck_assert_int_gt(asprintf(&option, "iana_tld_file=%s", in_dir("tlds.txt")), 0);
    p = LOADED("iocextract", NULL, option, "iana_url=https://example.org/");
    CHECK_TEXT(scanned(p, "ab.com ab.corp ab.x-y ab.x", 25, NULL),
               "{\"domain\": [\"ab.corp\", \"ab.x-y\"]}");
    stoq_loaded_free(p);

    put_file("tlds.txt", "CORP\n");
    ck_assert_int_eq(LOAD("iocextract", NULL, &p, &err, option), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "tlds.txt has no top-level domain"));
    stoq_error_clear(&err);
    ck_assert_int_eq(LOAD("iocextract", NULL, &p, &err, "iana_tld_file=/nowhere/x"),
                     -ENOENT);
    ck_assert_str_eq(err.message, "cannot open /nowhere/x: No such file or directory");
    free(option);
}
END_TEST

/* Too many: what was found until then is there, and the scan is partial. */
START_TEST(test_limit)
{
    const size_t n = 100001;
    char *text = malloc(n * 16), *at = text;
    for (size_t i = 0; i < n; i++)
        at += snprintf(at, 16, "%zux.com ", 100000 + i);
    struct stoq_loaded *p = LOADED("iocextract", NULL, NULL);
    struct stoq_reply reply;
    struct stoq_error err = {0};
    ck_assert_int_eq(scan(p, text, (size_t)(at - text), NULL, &reply, &err), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(reply.results, "domain")),
                      100000);
    ck_assert_uint_eq(reply.hit_count, 1);
    ck_assert_str_eq(reply.hits[0].name, "indicators");
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
    free(text);
}
END_TEST

/* Texts that would keep a backtracking search busy for hours. */
START_TEST(test_hostile)
{
    static const char *const parts[] = {"a-",
                                        "a.",
                                        "@a",
                                        "a@a.",
                                        "::",
                                        "1.",
                                        "http://a-",
                                        "f:",
                                        "[",
                                        "a<DOT>",
                                        "ffff::ffff.1.1.1."};
    const size_t size = (size_t)1 << 20;
    char *text = malloc(size);
    struct stoq_loaded *p = LOADED("iocextract", NULL, NULL);
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
        struct stoq_reply reply;
        struct stoq_error err = {0};
        for (size_t i = 0, n = strlen(parts[k]); i < size; i++)
            text[i] = parts[k][i % n];
        ck_assert_int_eq(scan(p, text, size, NULL, &reply, &err), 0);
        ck_assert(json_is_object(reply.results));
        stoq_reply_fini(&reply);
    }
    stoq_loaded_free(p);
    free(text);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_test(tc, test_text);
    tcase_add_test(tc, test_encoding);
    tcase_add_test(tc, test_truncated);
    tcase_add_test(tc, test_whitelist);
    tcase_add_test(tc, test_domains_file);
    tcase_add_test(tc, test_limit);
    tcase_add_test(tc, test_hostile);
}

int
main(void)
{
    return run_suite("plugins_iocextract", fill);
}
