/* SPDX-License-Identifier: Apache-2.0 */

/* The yara dispatcher: metas that name workers, keep payloads out, and give xor keys.
 */

#include <stdlib.h>
#include <string.h>

#include "plugins_support.h"
#include "util/auto.h"

/* One question: what is asked for, and what is left as dispatch_meta. */
static const struct question {
    const char *data;
    const char *workers; /* joined by blanks */
    const char *errors;  /* joined by | */
    const char *meta;    /* one member of the metas, "plugin/key", as text */
    const char *value;
    bool archive;
} questions[] = {
    {"nothing", "", "", "hash/rule", "(none)", true},
    {"", "", "", "hash/rule", "(none)", true},
    {"list", "b64decode hash entropy", "", "entropy/rule", "\"several\"", true},
    /* Two rules name it: the last one's match stays. */
    {"list", "b64decode hash entropy", "", "hash/rule", "\"several_again\"", true},
    {"none", "", "", "hash/rule", "(none)", false},
    {"bool", "", "", "hash/rule", "(none)", false},
    {"keep", "", "", "hash/rule", "(none)", true},
    {"odd!", "",
     "rule nonsense: meta save is not a string|rule nonsense: meta plugin is not a "
     "string",
     "hash/rule", "(none)", true},
    {"..A}|f5egzrgtx..", "xordecode", "", "xordecode/meta/xorkey", "\"21\"", true},
    {"..Ujjr\"ssmdscn..", "xordecode", "", "xordecode/meta/xorkey", "\"1,2,3\"", true},
    {"Ujjr\"ssmdscn A}|f5egzrgtx", "xordecode", "", "xordecode/meta/xorkey", "\"21\"",
     true},
    /* A match whose text has another length gives no key. */
    {"other", "xordecode", "", "xordecode/meta/xorkey", "(none)", true},
};

static char *
joined(const struct stoq_strv *v, const char *by)
{
    struct stoq_strbuf out = {0};
    for (size_t i = 0; i < v->count; i++)
        stoq_strbuf_addf(&out, "%s%s", i ? by : "", v->items[i]);
    stoq_strbuf_adds(&out, "");
    return stoq_strbuf_steal(&out);
}

/* Member "a/b/c" of @p json as text, "(none)" when it is not there. */
static char *
member(const json_t *json, const char *pointer)
{
    STOQ_AUTOFREE char *copy = strdup(pointer);
    char *save = NULL;
    for (char *key = strtok_r(copy, "/", &save); key; key = strtok_r(NULL, "/", &save))
        json = json_object_get(json, key);
    return json ? json_dumps(json, JSON_ENCODE_ANY) : strdup("(none)");
}

static bool
should_archive(const struct stoq_payload *p)
{
    const json_t *meta = json_object_get(stoq_payload_results(p), "payload_meta");
    return json_is_true(json_object_get(meta, "should_archive"));
}

static void
ask(struct stoq_loaded *p, struct stoq_payload *about, struct stoq_reply *reply)
{
    struct stoq_request *request = NULL;
    struct stoq_error err = {0};
    ck_assert_int_eq(stoq_request_new(NULL, NULL, true, &request, NULL), 0);
    stoq_reply_init(reply, 0, 0);
    int r = stoq_call_dispatch(p, about, request, reply, &err);
    ck_assert_msg(r == 0, "%s", err.message);
    stoq_request_free(request);
}

START_TEST(rules_name_workers)
{
    const struct question *q = &questions[_i];
    struct stoq_loaded *p = LOADED(
        "yara", NULL, "worker_rules=", "dispatch_rules=" RULES_DIR "/dispatch.yar");
    struct stoq_payload *about = payload(q->data, strlen(q->data), NULL);
    /* Asked again, as in a later round, the answer is the same. */
    for (int round = 0; round < 2; round++) {
        struct stoq_reply reply;
        ask(p, about, &reply);
        CHECK_TEXT(joined(&reply.dispatch, " "), q->workers);
        CHECK_TEXT(joined(&reply.errors, "|"), q->errors);
        ck_assert(json_is_object(reply.meta));
        CHECK_TEXT(member(reply.meta, q->meta), q->value);
        ck_assert(should_archive(about) == q->archive);
        stoq_reply_fini(&reply);
    }
    stoq_payload_free(about);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(all_xor_keys_can_be_listed)
{
    static const char data[] = "A}|f5egzrgtx Ujjr\"ssmdscn A}|f5egzrgtx";
    struct stoq_loaded *p = LOADED(
        "yara", NULL, "worker_rules=", "dispatch_rules=" RULES_DIR "/dispatch.yar",
        "xor_first_match=False");
    struct stoq_payload *about = payload(data, sizeof data - 1, NULL);
    struct stoq_reply reply;
    ask(p, about, &reply);
    CHECK_TEXT(member(reply.meta, "xordecode/meta/xorkey"), "(none)");
    CHECK_TEXT(member(reply.meta, "xordecode/meta/xor_info"),
               "[[0, \"$prog\", [21]], [26, \"$prog\", [21]], "
               "[13, \"$multi\", [1, 2, 3]]]");
    stoq_reply_fini(&reply);
    stoq_payload_free(about);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(each_role_has_its_own_rules)
{
    struct stoq_loaded *p = LOADED("yara", NULL, "worker_rules=" RULES_DIR "/set/a.yar",
                                   "dispatch_rules=" RULES_DIR "/dispatch.yar");
    CHECK_TEXT(rules_of(p, "list secret", 11, NULL), "secret");
    struct stoq_payload *about = payload("list secret", 11, NULL);
    struct stoq_reply reply;
    ask(p, about, &reply);
    CHECK_TEXT(joined(&reply.dispatch, " "), "b64decode hash entropy");
    CHECK_TEXT(fact(p, "rules", "loaded"), "2");
    CHECK_TEXT(fact(p, "dispatch_rules", "loaded"), "7");
    stoq_reply_fini(&reply);
    stoq_payload_free(about);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(a_role_without_rules_does_nothing)
{
    struct stoq_loaded *p = LOADED(
        "yara", NULL, "worker_rules=", "dispatch_rules=" RULES_DIR "/dispatch.yar");
    struct stoq_reply reply;
    struct stoq_error err = {0};
    ck_assert_int_eq(scan(p, "list", 4, NULL, &reply, &err), 0);
    ck_assert_ptr_null(reply.results);
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);

    p = LOADED("yara", NULL, "worker_rules=" RULES_DIR "/set/a.yar");
    struct stoq_payload *about = payload("list", 4, NULL);
    ask(p, about, &reply);
    CHECK_TEXT(joined(&reply.dispatch, " "), "");
    stoq_reply_fini(&reply);
    stoq_payload_free(about);
    stoq_loaded_free(p);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, rules_name_workers, 0, (int)STOQ_ARRAY_SIZE(questions));
    tcase_add_test(tc, all_xor_keys_can_be_listed);
    tcase_add_test(tc, each_role_has_its_own_rules);
    tcase_add_test(tc, a_role_without_rules_does_nothing);
}

int
main(void)
{
    return run_suite("yara dispatcher", fill);
}
