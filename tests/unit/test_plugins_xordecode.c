/* SPDX-License-Identifier: Apache-2.0 */

/* xordecode: which keys it takes from dispatch_meta, and what comes of them. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugins_support.h"

/* One case: what dispatchers left, the payload, and what is expected. */
static const struct {
    const char *meta;
    const char *data, *child; /* child NULL = none */
    const char *extra;        /* extra_data of payload and child */
    const char *error;        /* NULL = the call succeeds */
} cases[] = {
    {"{}", "abc", NULL, "{}", NULL},
    {"{\"yara\": {\"xordecode\": {\"meta\": {\"xorkey\": \"1\"}}}}", "abc", "`cb",
     "{\"xorkey\": [1]}", NULL},
    {"{\"d\": {\"xorkey\": 1}}", "abc", "`cb", "{\"xorkey\": [1]}", NULL},
    {"{\"d\": {\"xorkey\": \"1,2,3\"}}", "abcabcab",
     "```````"
     "`",
     "{\"xorkey\": [1, 2, 3]}", NULL},
    {"{\"d\": {\"xorkey\": \" 1 ,\\t2\"}}", "abca",
     "``b"
     "c",
     "{\"xorkey\": [1, 2]}", NULL},
    {"{\"d\": [{\"x\": [{\"xorkey\": [1, 2]}]}]}", "abca", "``bc",
     "{\"xorkey\": [1, 2]}", NULL},
    {"{\"d\": {\"xorkey\": \"0\"}}", "abc", "abc", "{\"xorkey\": [0]}", NULL},
    {"{\"d\": {\"xorkey\": 1}}", "", "", "{\"xorkey\": [1]}", NULL},
    {"{\"d\": {\"xorkey\": 0}}", "abc", NULL, "{}", NULL},
    {"{\"d\": {\"xorkey\": \"\"}}", "abc", NULL, "{}", NULL},
    {"{\"d\": {\"xorkey\": []}}", "abc", NULL, "{}", NULL},
    {"{\"d\": {\"xorkey\": null}}", "abc", NULL, "{}", NULL},
    {"{\"d\": {\"a\": {\"xorkey\": 1}, \"b\": {\"xorkey\": 1}}}", "abc", NULL, "{}",
     "ValueError: dpath.get() globs must match only one leaf: **/xorkey"},
    {"{\"d\": {\"xorkey\": 256}}", "abc", NULL, "{}",
     "ValueError: byte must be in range(0, 256)"},
    {"{\"d\": {\"xorkey\": \"-1\"}}", "abc", NULL, "{}",
     "ValueError: byte must be in range(0, 256)"},
    {"{\"d\": {\"xorkey\": \"99999999999999999999\"}}", "abc", NULL, "{}",
     "ValueError: byte must be in range(0, 256)"},
    {"{\"d\": {\"xorkey\": \"b'x'\"}}", "abc", NULL, "{}",
     "ValueError: invalid literal for int() with base 10: 'b'x''"},
    {"{\"d\": {\"xorkey\": \"1,\"}}", "abc", NULL, "{}",
     "ValueError: invalid literal for int() with base 10: ''"},
    {"{\"d\": {\"xorkey\": {\"a\": 1}}}", "abc", NULL, "{}",
     "the xorkey is neither a number nor a list of them"},
    {"{\"d\": {\"xorkey\": [1, \"2\"]}}", "abc", NULL, "{}",
     "the xorkey has an item that is not a number"},
};

static void
check_extra(const json_t *extra, const char *expected)
{
    char *text = json_dumps(extra, 0);
    ck_assert_str_eq(text, expected);
    free(text);
}

START_TEST(test_key)
{
    struct stoq_loaded *p = LOADED("xordecode", NULL, NULL);
    struct stoq_payload *target = payload(cases[_i].data, strlen(cases[_i].data), NULL);
    json_t *meta = json_loads(cases[_i].meta, 0, NULL);
    ck_assert_ptr_nonnull(meta);
    json_t *to = (json_t *)(uintptr_t)stoq_payload_dispatch_meta(target);
    ck_assert_int_eq(json_object_update(to, meta), 0);
    json_decref(meta);

    struct stoq_reply reply;
    struct stoq_error err = {0};
    stoq_reply_init(&reply, UINT64_MAX, UINT64_MAX);
    int r = stoq_call_scan(p, target, NULL, &reply, &err);
    if (cases[_i].error) {
        ck_assert_int_eq(r, -EINVAL);
        ck_assert_str_eq(err.message, cases[_i].error);
    } else {
        ck_assert_int_eq(r, 0);
    }
    ck_assert_ptr_null(reply.results);
    ck_assert_uint_eq(reply.child_count, cases[_i].child ? 1 : 0);
    check_extra(stoq_payload_extra_data(target), cases[_i].extra);
    if (cases[_i].child) {
        const struct stoq_child *child = reply.children;
        ck_assert_uint_eq(child->size, strlen(cases[_i].child));
        ck_assert_mem_eq(child->data, cases[_i].child, child->size);
        check_extra(child->extra_data, cases[_i].extra);
    }
    stoq_reply_fini(&reply);
    stoq_payload_free(target);
    stoq_loaded_free(p);
}
END_TEST

/* A key of more bytes than a key may have; a child that does not fit. */
START_TEST(test_bounds)
{
    struct stoq_loaded *p = LOADED("xordecode", NULL, NULL);
    struct stoq_payload *target = payload("abc", 3, NULL);
    json_t *to = (json_t *)(uintptr_t)stoq_payload_dispatch_meta(target);
    json_t *key = json_array();
    for (int i = 0; i < 4097; i++)
        ck_assert_int_eq(json_array_append_new(key, json_integer(7)), 0);
    ck_assert_int_eq(json_object_set_new(to, "xorkey", key), 0);
    struct stoq_reply reply;
    struct stoq_error err = {0};
    stoq_reply_init(&reply, UINT64_MAX, UINT64_MAX);
    ck_assert_int_eq(stoq_call_scan(p, target, NULL, &reply, &err), -EINVAL);
    ck_assert_str_eq(err.message, "the xorkey has more than 4096 bytes");
    stoq_reply_fini(&reply);

    ck_assert_int_eq(json_array_remove(key, 4096), 0);
    stoq_reply_init(&reply, 2, UINT64_MAX);
    ck_assert_int_eq(stoq_call_scan(p, target, NULL, &reply, &err), 0);
    ck_assert_uint_eq(reply.child_count, 0);
    ck_assert_uint_eq(reply.hit_count, 1);
    ck_assert_str_eq(reply.hits[0].name, "extracted_bytes");
    stoq_reply_fini(&reply);
    stoq_payload_free(target);
    stoq_loaded_free(p);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, test_key, 0, (int)(sizeof cases / sizeof *cases));
    tcase_add_test(tc, test_bounds);
}

int
main(void)
{
    return run_suite("plugins_xordecode", fill);
}
