/* SPDX-License-Identifier: Apache-2.0 */
/* The document checker takes what the JSON parser takes, and less. */
#include "pool/document.h"
#include "pool_fixture.h"

#define ID           "\"scan_id\": \"01234567-89ab-cdef-0123-456789abcdef\""
#define CLEAN        "\"verdict\": \"clean\""
#define DOC(members) "{" ID ", " CLEAN ", " members "}"

static int
check_text(const char *text, struct stoq_document_facts *facts)
{
    return stoq_document_check(text, strlen(text), facts);
}

static const char *const good[] = {
    "{" ID "," CLEAN "}",
    "{ " CLEAN " , " ID " }",
    "{" ID ", \"verdict\": \"flagged\"}",
    DOC("\"a\": [], \"b\": {}, \"c\": [[], {}, [{}]], \"d\": {\"e\": {\"f\": 1}}"),
    DOC("\"n\": [0, -0, 1, -12, 1.5, 0.25, 1e5, 1E+5, 1e-5, 123456789012345678]"),
    DOC("\"l\": [true, false, null]"),
    DOC("\"s\": \"\\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u00e9 \\ud83d\\ude00 \xc3\xa9\""),
    DOC("\"deeper\": {\"verdict\": \"error\", \"scan_id\": 1, \"k\\u0065y\": 1} ") "\n",
    DOC("\"a\": \"text\\u0000with a NUL\""),
};

static const char *const bad[] = {
    "",
    "{}",
    "[]",
    "null",
    " {" ID "," CLEAN "}",
    "{" ID "}",
    "{" CLEAN "}",
    "{" ID "," CLEAN "," CLEAN "}",
    "{" ID "," ID "," CLEAN "}",
    "{" ID ", \"verdict\": \"spotless\"}",
    "{" ID ", \"verdict\": 0}",
    "{" ID ", \"verdict\": [\"clean\"]}",
    "{" ID "," CLEAN ", \"verdict\": 5}",
    "{" ID "," CLEAN ", \"verd\\u0069ct\": \"flagged\"}",
    "{\"scan_id\": \"x\", " CLEAN "}",
    "{\"scan_id\": \"01234567-89AB-cdef-0123-456789abcdef\", " CLEAN "}",
    "{\"scan_id\": \"01234567089ab-cdef-0123-456789abcdef\", " CLEAN "}",
    "{" ID "," CLEAN "} x",
    "{" ID "," CLEAN "}}",
    "{" ID "," CLEAN,
    "{" ID "," CLEAN ",}",
    "{," ID "," CLEAN "}",
    "{" ID " " CLEAN "}",
    DOC("\"k\\u0065y\": 1"),
    DOC("\"a\""),
    DOC("\"a\":"),
    DOC("a: 1"),
    DOC("\"a\": [1,]"),
    DOC("\"a\": [1 2]"),
    DOC("\"a\": [1}"),
    DOC("\"a\": {\"b\": 1]"),
    DOC("\"a\": 01"),
    DOC("\"a\": +1"),
    DOC("\"a\": -"),
    DOC("\"a\": 1."),
    DOC("\"a\": .5"),
    DOC("\"a\": 1e"),
    DOC("\"a\": 1e999"),
    DOC("\"a\": 99999999999999999999"),
    DOC("\"a\": NaN"),
    DOC("\"a\": tru"),
    DOC("\"a\": \"\n\""),
    DOC("\"a\": \"\\x\""),
    DOC("\"a\": \"\\u12\""),
    DOC("\"a\\u0000\": 1"),
    DOC("\"a\": {\"b\\u0000\": 1}"),
    DOC("\"a\": \"\\ud83d\""),
    DOC("\"a\": \"\\ude00\""),
    DOC("\"a\": \"\xff\""),
    DOC("\"a\": \"\xc0\xaf\""),
    DOC("\"a\": \"\xed\xa0\x80\""),
    DOC("\"a\": \"open"),
};

START_TEST(good_documents)
{
    struct stoq_document_facts facts;

    for (size_t i = 0; i < STOQ_ARRAY_SIZE(good); i++) {
        json_t *json = stoq_json_parse(good[i], strlen(good[i]), NULL);

        ck_assert_msg(check_text(good[i], &facts) == 0, "%s", good[i]);
        ck_assert_str_eq(facts.scan_id, "01234567-89ab-cdef-0123-456789abcdef");
        ck_assert_msg(json != NULL, "%s", good[i]);
        ck_assert_str_eq(stoq_json_string_of(json, "verdict"),
                         stoq_verdict_name(facts.verdict));
        json_decref(json);
    }
}
END_TEST

START_TEST(bad_documents)
{
    struct stoq_document_facts facts;

    for (size_t i = 0; i < STOQ_ARRAY_SIZE(bad); i++)
        ck_assert_msg(check_text(bad[i], &facts) == -EPROTO, "%s", bad[i]);
    /* a NUL inside */
    ck_assert_int_eq(stoq_document_check("{" ID "," CLEAN "}\0",
                                         sizeof("{" ID "," CLEAN "}"), &facts),
                     -EPROTO);
}
END_TEST

/** A document whose member nests @p depth arrays. */
static char *
nested(unsigned depth)
{
    char *text = malloc(2 * depth + 256);
    char *at = text + sprintf(text, "{" ID "," CLEAN ", \"a\": ");

    memset(at, '[', depth);
    memset(at + depth, ']', depth);
    memcpy(at + 2 * depth, "}", 2);
    return text;
}

START_TEST(depth_is_limited)
{
    struct stoq_document_facts facts;
    STOQ_AUTOFREE char *most = nested(STOQ_JSON_MAX_DEPTH - 1);
    STOQ_AUTOFREE char *more = nested(STOQ_JSON_MAX_DEPTH);
    STOQ_AUTOFREE char *far = nested(300000);
    json_t *json = stoq_json_parse(most, strlen(most), NULL);

    ck_assert_ptr_nonnull(json);
    json_decref(json);
    ck_assert_int_eq(check_text(most, &facts), 0);
    ck_assert_int_eq(check_text(more, &facts), -EPROTO);
    ck_assert_int_eq(check_text(far, &facts), -EPROTO);
}
END_TEST

/** Documents damaged at random: what passes must parse, and say the same. */
START_TEST(damaged_documents)
{
    static const char alphabet[] = "{}[]\",:\\ue0123456789.-+Etrfn \xc3\xa9";
    struct stoq_document_facts facts;
    uint32_t seed = 12345;
    unsigned passed = 0;

    for (unsigned n = 0; n < 40000; n++) {
        const char *from = good[n % STOQ_ARRAY_SIZE(good)];
        size_t size = strlen(from);
        STOQ_AUTOFREE char *text = strdup(from);

        for (unsigned k = 0; k <= n % 3; k++) {
            seed = seed * 1664525U + 1013904223U;
            text[(seed >> 8) % size] = alphabet[(seed >> 3) % (sizeof(alphabet) - 1)];
        }
        if (stoq_document_check(text, size, &facts) < 0)
            continue;
        json_t *json = stoq_json_parse(text, size, NULL);

        ck_assert_msg(json != NULL, "%s", text);
        ck_assert_str_eq(stoq_json_string_of(json, "scan_id"), facts.scan_id);
        ck_assert_str_eq(stoq_json_string_of(json, "verdict"),
                         stoq_verdict_name(facts.verdict));
        json_decref(json);
        passed++;
    }
    ck_assert_uint_gt(passed, 1000);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        good_documents,
        bad_documents,
        depth_is_limited,
        damaged_documents,
    };
    return run_suite("pool document", tests, STOQ_ARRAY_SIZE(tests));
}
