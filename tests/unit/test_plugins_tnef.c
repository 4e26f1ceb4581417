/* SPDX-License-Identifier: Apache-2.0 */

/*
 * tnef: attachments of streams made here, whole, cut off and with absurd lengths. A
 * scan is told as "FILENAME=CONTENT" of each child.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugins_support.h"
#include "util/strbuf.h"

#define RENDDATA   0x9002U
#define TITLE      0x8010U
#define DATA       0x800fU
#define PROPERTIES 0x9005U

static char *
told(struct stoq_loaded *p, const void *data, size_t size)
{
    struct stoq_strbuf out = {0};
    struct stoq_reply reply;
    struct stoq_error err = {0};
    int r = scan(p, data, size, NULL, &reply, &err);
    stoq_strbuf_adds(&out, r < 0 ? err.message : "");
    for (const struct stoq_child *c = reply.children; c; c = c->next) {
        const json_t *name = json_object_get(c->extra_data, "filename");
        ck_assert_uint_eq(json_object_size(c->extra_data), 1);
        stoq_strbuf_addf(&out, "%s=%.*s ", json_string_value(name), (int)c->size,
                         (const char *)c->data);
    }
    stoq_reply_fini(&reply);
    return stoq_strbuf_steal(&out);
}

static void
number(struct stoq_strbuf *b, uint32_t value, size_t width)
{
    for (size_t i = 0; i < width; i++)
        stoq_strbuf_add(b, &(char){(char)(value >> (8 * i))}, 1);
}

static void
begin(struct stoq_strbuf *b)
{
    stoq_strbuf_add(b, "\x78\x9f\x3e\x22\x01\x00", 6);
}

/* An attribute at the attachment level, with a checksum that nobody looks at. */
static void
attribute(struct stoq_strbuf *b, uint32_t name, const void *data, size_t size)
{
    number(b, 2, 1);
    number(b, name, 2);
    number(b, 6, 2);
    number(b, (uint32_t)size, 4);
    stoq_strbuf_add(b, data, size);
    number(b, 0, 2);
}

/* One property with a length: its type and name, count 1, padding. */
static void
property(struct stoq_strbuf *b, uint32_t type, uint32_t name, const void *data,
         size_t size)
{
    number(b, type, 2);
    number(b, name, 2);
    number(b, 1, 4);
    number(b, (uint32_t)size, 4);
    stoq_strbuf_add(b, data, size);
    number(b, 0, (4 - size % 4) % 4);
}

/* The stream of an attachment with these properties, @p title and @p data or NULL. */
static void
with_properties(struct stoq_strbuf *b, const char *title, const char *data,
                struct stoq_strbuf *properties)
{
    begin(b);
    attribute(b, RENDDATA, "xxxxxxxxxxxxxx", 14);
    if (title)
        attribute(b, TITLE, title, strlen(title) + 1);
    if (data)
        attribute(b, DATA, data, strlen(data));
    attribute(b, PROPERTIES, properties->data, properties->size);
    free(stoq_strbuf_steal(properties));
}

static void
check(struct stoq_strbuf *stream, const char *expected)
{
    struct stoq_loaded *p = LOADED("tnef", NULL, NULL);
    CHECK_TEXT(told(p, stream->data, stream->size), expected);
    stoq_loaded_free(p);
    free(stoq_strbuf_steal(stream));
}

/* ------------------------------------------------------------------------- streams */

START_TEST(test_attachments)
{
    struct stoq_strbuf b = {0};
    begin(&b);
    attribute(&b, RENDDATA, "", 0);
    attribute(&b, TITLE, "a.txt\0\0", 7);
    attribute(&b, DATA, "hello", 5);
    attribute(&b, RENDDATA, "", 0);
    attribute(&b, DATA, "old", 3);
    attribute(&b, TITLE, "caf\xc3\xa9", 5);
    attribute(&b, DATA, "new", 3);
    attribute(&b, RENDDATA, "", 0);
    attribute(&b, TITLE, "caf\xe9", 4);
    attribute(&b, RENDDATA, "1234", 4);
    check(&b, "a.txt=hello caf\u00e9=new None= = ");
    /* without the attribute that begins one */
    begin(&b);
    attribute(&b, DATA, "hello", 5);
    attribute(&b, 0x8011, "picture", 7);
    check(&b, "=hello ");
}
END_TEST

START_TEST(test_errors)
{
    struct stoq_strbuf b = {0};
    stoq_strbuf_adds(&b, "\x78\x9f\x3e");
    check(&b, "a TNEF stream has at least 6 bytes, not 3");
    stoq_strbuf_adds(&b, "PK\x03\x04xxxxxxxx");
    check(&b, "ValueError: Wrong TNEF signature: 0x04034b50");
    begin(&b);
    check(&b, "");
}
END_TEST

#define MARK "\x07\x03\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46"

START_TEST(test_properties)
{
    struct stoq_strbuf b = {0}, m = {0};
    /* numbers, a named property, a list of texts, before what matters */
    number(&m, 7, 4);
    number(&m, 0x0002, 2);
    number(&m, 0x3705, 2);
    number(&m, 1, 4);
    number(&m, 0x0014, 2);
    number(&m, 0x3706, 2);
    number(&m, 1, 4);
    number(&m, 0, 4);
    number(&m, 0x0003, 2);
    number(&m, 0x8001, 2);
    stoq_strbuf_adds(&m, "0123456789abcdef");
    number(&m, 1, 4);
    number(&m, 6, 4);
    stoq_strbuf_add(&m, "a\0b\0\0\0\0\0", 8);
    number(&m, 5, 4);
    number(&m, 0x1003, 2);
    number(&m, 0x3708, 2);
    number(&m, 2, 4);
    number(&m, 9, 4);
    number(&m, 9, 4);
    number(&m, 0x101e, 2);
    number(&m, 0x3709, 2);
    number(&m, 2, 4);
    number(&m, 2, 4);
    stoq_strbuf_add(&m, "x\0\0\0", 4);
    number(&m, 1, 4);
    stoq_strbuf_add(&m, "y\0\0\0", 4);
    property(&m, 0x001f, 0x3704, "\xff\xfen\0\xe9\0\x3d\xd8\0\xde\0\0", 12);
    property(&m, 0x000d, 0x3701, MARK "embedded\0", 16 + 9);
    with_properties(&b, "title", "data", &m);
    check(&b, "n\u00e9\U0001f600=embedded ");
    /* a text in some code page; a display name, which counts where there is no other */
    number(&m, 1, 4);
    property(&m, 0x001e, 0x3704, "caf\xe9", 5);
    with_properties(&b, NULL, "d", &m);
    check(&b, "caf\u00e9=d ");
    number(&m, 1, 4);
    property(&m, 0x001e, 0x3001, "shown", 6);
    with_properties(&b, NULL, "d", &m);
    check(&b, "shown=d ");
    number(&m, 1, 4);
    property(&m, 0x001e, 0x3001, "shown", 6);
    with_properties(&b, "", "d", &m);
    check(&b, "=d ");
    /* a type that does not exist ends the list, as does one value too few */
    number(&m, 3, 4);
    property(&m, 0x001e, 0x3704, "first", 6);
    property(&m, 0x0033, 0x3704, "second", 7);
    property(&m, 0x001e, 0x3704, "third", 6);
    with_properties(&b, NULL, "d", &m);
    check(&b, "first=d ");
}
END_TEST

/* Several pieces are one value. */
START_TEST(test_pieces)
{
    struct stoq_strbuf b = {0}, m = {0};
    number(&m, 1, 4);
    number(&m, 0x0102, 2);
    number(&m, 0x3701, 2);
    number(&m, 4, 4);
    number(&m, 0, 4);
    number(&m, 3, 4);
    stoq_strbuf_add(&m, "abc\0", 4);
    number(&m, 0, 4);
    number(&m, 2, 4);
    stoq_strbuf_add(&m, "de\0\0", 4);
    with_properties(&b, "n", NULL, &m);
    check(&b, "n=abcde ");
}
END_TEST

/* ------------------------------------------------------------------ hostile streams */

static void
make_full(struct stoq_strbuf *b)
{
    struct stoq_strbuf m = {0};
    number(&m, 3, 4);
    property(&m, 0x001f, 0x3704, "n\0\xe9\0\0\0", 6);
    number(&m, 0x101f, 2);
    number(&m, 0x8009, 2);
    stoq_strbuf_adds(&m, "0123456789abcdef");
    number(&m, 0, 4);
    number(&m, 7, 4);
    number(&m, 1, 4);
    number(&m, 2, 4);
    stoq_strbuf_add(&m, "q\0\0\0", 4);
    property(&m, 0x0102, 0x3701, "embedded", 8);
    with_properties(b, "title", "data", &m);
}

START_TEST(test_truncated)
{
    struct stoq_loaded *p = LOADED("tnef", NULL, NULL);
    struct stoq_strbuf b = {0};
    make_full(&b);
    for (size_t n = 0; n <= b.size; n++) {
        char *cut = malloc(n + 1);
        memcpy(cut, b.data, n);
        char *text = told(p, cut, n);
        if (n == b.size)
            ck_assert_str_eq(text, "n\u00e9=embedded ");
        else if (n > 19)
            ck_assert_ptr_nonnull(strchr(text, '='));
        free(text);
        free(cut);
    }
    free(stoq_strbuf_steal(&b));
    stoq_loaded_free(p);
}
END_TEST

/* Each 32-bit field, at any place, absurd. */
START_TEST(test_fields)
{
    static const uint32_t values[] = {0,          1,          0x7fffffff,
                                      0x80000000, 0xfffffff5, UINT32_MAX};
    struct stoq_loaded *p = LOADED("tnef", NULL, NULL);
    struct stoq_strbuf b = {0};
    make_full(&b);
    for (size_t at = 6; at + 4 <= b.size; at++)
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            char *bad = malloc(b.size);
            memcpy(bad, b.data, b.size);
            memcpy(bad + at, &values[v], 4);
            char *text = told(p, bad, b.size);
            ck_assert_ptr_null(strstr(text, "Error"));
            free(text);
            free(bad);
        }
    free(stoq_strbuf_steal(&b));
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_budget)
{
    struct stoq_loaded *p = LOADED("tnef", NULL, NULL);
    struct stoq_strbuf b = {0};
    begin(&b);
    for (int i = 0; i < 100000; i++)
        attribute(&b, RENDDATA, "", 0);
    struct stoq_payload *target = payload(b.data, b.size, NULL);
    struct stoq_reply reply;
    stoq_reply_init(&reply, 100, 10);
    ck_assert_int_eq(stoq_call_scan(p, target, NULL, &reply, NULL), 0);
    ck_assert_uint_eq(reply.child_count, 10);
    ck_assert_uint_eq(reply.hit_count, 1);
    stoq_reply_fini(&reply);
    stoq_payload_free(target);
    free(stoq_strbuf_steal(&b));
    stoq_loaded_free(p);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_test(tc, test_attachments);
    tcase_add_test(tc, test_errors);
    tcase_add_test(tc, test_properties);
    tcase_add_test(tc, test_pieces);
    tcase_add_test(tc, test_truncated);
    tcase_add_test(tc, test_fields);
    tcase_add_test(tc, test_budget);
}

int
main(void)
{
    return run_suite("plugins_tnef", fill);
}
