/* SPDX-License-Identifier: Apache-2.0 */

/* javaclass: constants of every kind, names and types, damaged classes, every prefix.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugins_support.h"
#include "util/io.h"

#define ANALYZE "stoq.exceptions.StoqPluginException: Unable to analyze Java Class "
#define PARSE   "stoq.exceptions.StoqPluginException: Unable to parse payload: "
#define DAMAGED ANALYZE "a name or a reference is damaged"
#define CUT     PARSE "the class file is cut off"
#define MEMBERS PARSE "the members or attributes of the class are damaged or cut off"

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof *(array)))

/* A class being written. */
struct image {
    unsigned char data[1024];
    size_t size;
};

static void
put(struct image *im, const char *bytes, size_t size)
{
    ck_assert_uint_le(im->size + size, sizeof im->data);
    memcpy(im->data + im->size, bytes, size);
    im->size += size;
}
#define PUT(im, literal) put(im, literal, sizeof(literal) - 1)

/* A literal with its size, so that it may hold NULs. */
#define RAW(literal)                 \
    {                                \
        literal, sizeof(literal) - 1 \
    }
struct raw {
    const char *data;
    size_t size;
};

/* Constants from #3 on, after #1 = "a/B" and #2 = that class; members and attributes
 * after the constants. */
static struct image
class_of(struct raw constants, unsigned count, struct raw rest)
{
    struct image im = {.size = 0};
    const char version[] = {0, 0, 0, 61, 0, (char)(count + 3)};
    PUT(&im, "\xca\xfe\xba\xbe");
    put(&im, version, sizeof version);
    PUT(&im, "\1\0\3a/B\7\0\1");
    put(&im, constants.data, constants.size);
    PUT(&im, "\0\x21\0\2\0\0\0\0"); /* public, #2, no super class, no interface */
    put(&im, rest.data, rest.size);
    return im;
}

#define NO_MEMBERS   RAW("\0\0\0\0\0\0")
#define LISTED(text) "[{\"id\": 3, \"data\": \"" text "\"}]"
#define ESCAPED      "\\\\" /* a backslash, in JSON, in C */

static const struct {
    struct raw constant;
    unsigned count;
    const char *listed;
} constants[] = {
    {RAW("\1\0\6abcdef"), 1, "[]"},
    {RAW("\1\0\7abcdefg"), 1, LISTED("abcdefg")},
    {RAW("\1\0\7it's ok"), 1, LISTED("it's ok")},
    {RAW("\1\0\7it's \"k"), 1, LISTED("it" ESCAPED "'s \\\"k")},
    {RAW("\1\0\6\\t\t\n\r\1"), 1,
     LISTED(ESCAPED ESCAPED "t" ESCAPED "t" ESCAPED "n" ESCAPED "r" ESCAPED "x01")},
    {RAW("\1\0\x08\xc0\x80 abcde"), 1, LISTED(ESCAPED "x00 abcde")},
    {RAW("\1\0\x09\xe7\x8c\xab abcde"), 1,
     "[{\"id\": 3, \"data\": \"\xe7\x8c\xab abcde\"}]"},
    {RAW("\1\0\x0d\xed\xa0\xbd\xed\xb8\x80 abcdef"), 1,
     "[{\"id\": 3, \"data\": \"\xf0\x9f\x98\x80 abcdef\"}]"},
    {RAW("\1\0\x0b\xf0\x9f\x98\x80 abcdef"), 1,
     "[{\"id\": 3, \"data\": \"\xf0\x9f\x98\x80 abcdef\"}]"},
    {RAW("\1\0\x0a\xed\xa0\xbd abcdef"), 1, LISTED(" abcdef")},
    {RAW("\1\0\x0a\xed\xb8\x80 abcdef"), 1, LISTED(" abcdef")},
    {RAW("\1\0\x08\xff"
         "abcdefg"),
     1, LISTED("abcdefg")},
    {RAW("\1\0\x09\xc1\x80 abcdef"), 1, LISTED(" abcdef")},
    {RAW("\1\0\x08 abcdef\xe7"), 1, LISTED(" abcdef")},
    {RAW("\1\0\3\xe2\x80\xa8"), 1, "[]"},
    {RAW("\1\0\6\xe2\x80\xa8\xe2\x80\xa8"), 1, LISTED(ESCAPED "u2028" ESCAPED "u2028")},
    {RAW("\1\0\4\xf3\xa0\x80\x81"), 1, LISTED(ESCAPED "U000e0001")},
    {RAW("\3\0\0\0\x2a"), 1, "[]"},
    {RAW("\3\x80\0\0\0"), 1, LISTED("-2147483648")},
    {RAW("\4\x3f\x80\0\0"), 1, LISTED("1.000000f")},
    {RAW("\4\x7f\x80\0\0"), 1, "[]"},
    {RAW("\4\xff\xc0\0\0"), 1, "[]"},
    {RAW("\5\xff\xff\xff\xff\xff\xff\xff\xfe"), 2, "[]"},
    {RAW("\5\x80\0\0\0\0\0\0\0"), 2, LISTED("-9223372036854775808l")},
    {RAW("\6\x3f\xf0\0\0\0\0\0\0"), 2, LISTED("1.000000d")},
    {RAW("\7\0\1"), 1, "[]"},
    {RAW("\x08\xff\xff"), 1, "[]"},
    {RAW("\x0c\0\1\0\2"), 1, "[]"},
    {RAW("\x0c\x0b\xb8\x0b\xb8"), 1, LISTED("#3000:#3000")},
    {RAW("\x0d\x0b\xb8\x0b\xb8"), 1, LISTED("#3000@#3000")},
    {RAW("\x0f\6\x03\xe8"), 1, LISTED("(6, 1000)")},
    {RAW("\x10\xff\xff"), 1, "[]"},
    {RAW("\x11\0\0\x03\xe8"), 1, LISTED("(0, 1000)")},
    {RAW("\x12\0\1\x03\xe8"), 1, LISTED("(1, 1000)")},
    {RAW("\x13\xff\xff"), 1, "[]"},
    {RAW("\x14\xff\xff"), 1, "[]"},
};

static struct stoq_loaded *plugin;

static void
open_plugin(void)
{
    plugin = LOADED("javaclass", NULL, NULL);
}

static void
close_plugin(void)
{
    stoq_loaded_free(plugin);
}

static char *
member_of(const struct image *im, const char *key)
{
    char *text = scanned(plugin, im->data, im->size, NULL);
    json_t *results = json_loads(text, 0, NULL);
    char *out = json_dumps(json_object_get(results, key), 0);
    json_decref(results);
    free(text);
    return out;
}

START_TEST(test_constants)
{
    for (int i = 0; i < COUNT_OF(constants); i++) {
        struct image im =
            class_of(constants[i].constant, constants[i].count, (struct raw)NO_MEMBERS);
        CHECK_TEXT(member_of(&im, "constants"), constants[i].listed);
    }
}
END_TEST

/* What a constant refers to, beside the class itself; or the error. */
static const struct {
    struct raw constants;
    unsigned count;
    const char *required; /* NULL: damaged */
} references[] = {
    {RAW("\1\0\7x/y/Z$1\7\0\3"), 2, "[\"x.y.Z$1\"]"},
    {RAW("\1\0\6[Lx/Y;\7\0\3"), 2, "[\"x.Y\"]"},
    {RAW("\1\0\7[[Lx/Y;\7\0\3"), 2, "[]"},
    {RAW("\1\0\2[I\7\0\3"), 2, "[]"},
    {RAW("\1\0\4[Lx/\7\0\3"), 2, "[]"},
    {RAW("\1\0\0\7\0\3"), 2, "[]"},
    {RAW("\1\0\3a/B\7\0\3"), 2, "[]"},
    {RAW("\1\0\1f\1\0\5[[Lx;\x0c\0\3\0\4\x09\0\2\0\5"), 4, "[\"a.B.f:x[][]\"]"},
    {RAW("\1\0\1m\1\0\x0b(I[JLx/y;)V\x0c\0\3\0\4\x0a\0\2\0\5"), 4,
     "[\"a.B.m(int,long[],x.y):void\"]"},
    {RAW("\1\0\1m\1\0\3()Z\x0c\0\3\0\4\x0b\0\2\0\5"), 4, "[\"a.B.m():boolean\"]"},
    {RAW("\1\0\1m\1\0\x09(BCDFSZ)V\x0c\0\3\0\4\x0b\0\2\0\5\x0b\0\2\0\5"), 5,
     "[\"a.B.m(byte,char,double,float,short,boolean):void\"]"},
    {RAW("\1\0\1m\1\0\3()I\x0c\0\3\0\4\1\0\4[Lq;\7\0\6\x0a\0\7\0\5"), 6, "[\"q\"]"},
    {RAW("\1\0\1m\1\0\3()I\x0c\0\3\0\4\1\0\2[J\7\0\6\x0a\0\7\0\5"), 6, "[]"},
    {RAW("\7\0\0"), 1, NULL},
    {RAW("\7\0\3"), 1, NULL},
    {RAW("\7\xff\xff"), 1, NULL},
    {RAW("\5\0\0\0\0\0\0\0\0\7\0\4"), 3, NULL},
    {RAW("\x09\0\1\0\5"), 1, NULL},
    {RAW("\x09\0\2\0\2"), 1, NULL},
    {RAW("\1\0\1m\1\0\2()\x0c\0\3\0\4\x0a\0\2\0\5"), 4, NULL},
    {RAW("\1\0\1m\1\0\1I\x0c\0\3\0\4\x0a\0\2\0\5"), 4, NULL},
    {RAW("\1\0\1m\1\0\4()IV\x0c\0\3\0\4\x0a\0\2\0\5"), 4, NULL},
    {RAW("\1\0\1m\1\0\4((I)\x0c\0\3\0\4\x0a\0\2\0\5"), 4, NULL},
    {RAW("\1\0\1m\1\0\4(Lx)\x0c\0\3\0\4\x0a\0\2\0\5"), 4, NULL},
    {RAW("\1\0\1f\1\0\3()I\x0c\0\3\0\4\x09\0\2\0\5"), 4, NULL},
    {RAW("\1\0\1f\1\0\3[[[\x0c\0\3\0\4\x09\0\2\0\5"), 4, NULL},
    {RAW("\1\0\1f\1\0\0\x0c\0\3\0\4\x09\0\2\0\5"), 4, NULL},
};

static void
check_error(const struct image *im, const char *message)
{
    struct stoq_reply reply;
    struct stoq_error err = {0};
    ck_assert_int_eq(scan(plugin, im->data, im->size, NULL, &reply, &err), -EBADMSG);
    ck_assert_str_eq(err.message, message);
    ck_assert_ptr_null(reply.results);
    stoq_reply_fini(&reply);
}

START_TEST(test_references)
{
    for (int i = 0; i < COUNT_OF(references); i++) {
        struct image im = class_of(references[i].constants, references[i].count,
                                   (struct raw)NO_MEMBERS);
        if (references[i].required)
            CHECK_TEXT(member_of(&im, "required"), references[i].required);
        else
            check_error(&im, DAMAGED);
    }
}
END_TEST

/* Members; constants are #3 = "f", #4 = "I", #5 = "()V", #6 = Field a.B.f. */
static const struct {
    struct raw rest;
    const char *provided; /* or the error, when it does not begin with [ */
} members[] = {
    {RAW("\0\0\0\0\0\0"), "[\"a.B\"]"},
    {RAW("\0\1\0\1\0\3\0\4\0\0\0\0\0\0"), "[\"a.B\", \"a.B.f:int\"]"},
    {RAW("\0\1\0\2\0\3\0\4\0\0\0\0\0\0"), "[\"a.B\"]"},
    {RAW("\0\0\0\1\0\1\0\3\0\5\0\0\0\0"), "[\"a.B\", \"a.B.f():void\"]"},
    {RAW("\0\2\0\1\0\3\0\4\0\0\0\1\0\3\0\4\0\0\0\1\0\1\0\3\0\5\0\0\0\0"),
     "[\"a.B\", \"a.B.f:int\", \"a.B.f():void\"]"},
    {RAW("\0\1\0\1\0\3\0\4\0\1\0\3\0\0\0\2xx\0\0\0\0"), "[\"a.B\", \"a.B.f:int\"]"},
    {RAW("\0\0\0\0\0\1\0\3\0\0\0\0"), "[\"a.B\"]"},
    {RAW("\0\0\0\0\0\0 and more"), "[\"a.B\"]"},
    {RAW("\0\1\0\1\0\3\0\5\0\0\0\0\0\0"), DAMAGED},
    {RAW("\0\0\0\1\0\1\0\3\0\4\0\0\0\0"), DAMAGED},
    {RAW("\0\1\0\1\0\2\0\4\0\0\0\0\0\0"), MEMBERS},
    {RAW("\0\1\0\1\0\0\0\4\0\0\0\0\0\0"), MEMBERS},
    {RAW("\xff\xff\0\1\0\3\0\4\0\0\0\0\0\0"), MEMBERS},
    {RAW("\0\0\0\0\0\1\0\3\xff\xff\xff\xff"), MEMBERS},
    {RAW("\0\0\0\0\0\1\0\2\0\0\0\0"), MEMBERS},
    {RAW("\0\0\0\0\xff\xff"), MEMBERS},
};

START_TEST(test_members)
{
    for (int i = 0; i < COUNT_OF(members); i++) {
        const struct raw pool = RAW("\1\0\1f\1\0\1I\1\0\3()V\x09\0\2\0\7\x0c\0\3\0\4");
        struct image im = class_of(pool, 5, members[i].rest);
        if (members[i].provided[0] == '[')
            CHECK_TEXT(member_of(&im, "provided"), members[i].provided);
        else
            check_error(&im, members[i].provided);
        /* its own members are not what it needs */
        if (i < 3)
            CHECK_TEXT(member_of(&im, "required"), i == 0 ? "[\"a.B.f:int\"]" : "[]");
    }
}
END_TEST

START_TEST(test_other)
{
    static const struct {
        struct raw data;
        const char *message;
    } others[] = {
        {RAW(""), PARSE "Not a Java class file"},
        {RAW("definitely not a class"), PARSE "Not a Java class file"},
        {RAW("\xca\xfe\xba\xbe"), CUT},
        {RAW("\xca\xfe\xba\xbe\0\0\0\x3d\0\2\2\0\0"),
         PARSE "a constant is of an unknown kind"},
        {RAW("\xca\xfe\xba\xbe\0\0\0\x3d\0\2\x15\0\0"),
         PARSE "a constant is of an unknown kind"},
        {RAW("\xca\xfe\xba\xbe\0\0\0\x3d\0\2\1\xff\xff"
             "abc"),
         CUT},
        {RAW("\xca\xfe\xba\xbe\0\0\0\x3d\xff\xff"), CUT},
        {RAW("\xca\xfe\xba\xbe\0\0\0\x3d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), DAMAGED},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct image im = {.size = 0};
        put(&im, others[i].data.data, others[i].data.size);
        check_error(&im, others[i].message);
    }
}
END_TEST

START_TEST(test_prefixes)
{
    char *data = NULL;
    size_t size = 0;
    ck_assert_int_eq(
        stoq_read_file(SAMPLES "/Sample.class", 1 << 20, &data, &size, NULL), 0);
    for (size_t n = 0; n <= size; n++) {
        char *prefix = malloc(n ? n : 1); /* its end is the heap block's */
        memcpy(prefix, data, n);
        struct stoq_reply reply;
        struct stoq_error err = {0};
        ck_assert_int_eq(scan(plugin, prefix, n, NULL, &reply, &err),
                         n < size ? -EBADMSG : 0);
        stoq_reply_fini(&reply);
        free(prefix);
    }
    free(data);
}
END_TEST

/* Thousands of references to one long name: as much text as the budget allows. */
START_TEST(test_limit)
{
    enum { NAME = 60000, COUNT = 3000 };
    unsigned char *data = calloc(1, (size_t)NAME + (size_t)9 * COUNT + 100);
    unsigned char *at = data;
    const unsigned count = COUNT + 4;
    const unsigned char head[] = {0xca,
                                  0xfe,
                                  0xba,
                                  0xbe,
                                  0,
                                  0,
                                  0,
                                  61,
                                  (unsigned char)(count >> 8),
                                  (unsigned char)count,
                                  1,
                                  (unsigned char)(NAME >> 8),
                                  NAME & 0xff};
    memcpy(at, head, sizeof head);
    at += sizeof head;
    memset(at, 'n', NAME);
    at += NAME;
    const unsigned char shared[] = {7, 0, 1, 3, 0, 0, 0, 0};
    memcpy(at, shared, sizeof shared); /* #2 the class, #3 a number */
    at += sizeof shared;
    for (unsigned i = 4; i < count; i++) {
        const unsigned char class[] = {7, 0, 1};
        memcpy(at, class, sizeof class);
        at += sizeof class;
    }
    const unsigned char tail[] = {0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    memcpy(at, tail, sizeof tail);
    at += sizeof tail;
    struct stoq_reply reply;
    struct stoq_error err = {0};
    ck_assert_int_eq(scan(plugin, data, (size_t)(at - data), NULL, &reply, &err), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(reply.results, "provided")), 1);
    ck_assert_uint_eq(reply.hit_count, 1);
    ck_assert_str_eq(reply.hits[0].name, "text");
    stoq_reply_fini(&reply);
    free(data);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_checked_fixture(tc, open_plugin, close_plugin);
    tcase_add_test(tc, test_constants);
    tcase_add_test(tc, test_references);
    tcase_add_test(tc, test_members);
    tcase_add_test(tc, test_other);
    tcase_add_test(tc, test_prefixes);
    tcase_add_test(tc, test_limit);
}

int
main(void)
{
    return run_suite("plugins_javaclass", fill);
}
