/* SPDX-License-Identifier: Apache-2.0 */

/* The yara worker: the shape of its results, limits, external variables, forks. */

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugins_support.h"
#include "util/auto.h"
#include "util/io.h"

static const char hit[] = "a SECRET \xde\xad\xbe\xef, a secret";

/* One row: what is scanned and exactly what comes back. */
static const struct shape {
    const char *rules; /* below RULES_DIR */
    const char *data;
    size_t size;
    const char *results;
} shapes[] = {
    {"set/a.yar", "nothing here", 12, "{\"matches\": []}"},
    {"set/a.yar", "", 0, "{\"matches\": []}"},
    {"set/a.yar", hit, sizeof hit - 1,
     "{\"matches\": [{\"tags\": [\"demo\", \"tag2\"], \"namespace\": \"default\", "
     "\"rule\": \"secret\", \"meta\": {\"author\": \"tests\", \"score\": 42, \"low\": "
     "-1, "
     "\"good\": true}, \"strings\": [[2, \"$a\", \"SECRET\"], [17, \"$a\", "
     "\"secret\"], "
     "[9, \"$b\", \"\xc3\x9e\xc2\xad\xc2\xbe\xc3\xaf\"]], "
     "\"strings_b64\": {\"2\": \"3q2+7w==\"}}]}"},
    {"set/sub/b.yara", "secret", 6,
     "{\"matches\": [{\"tags\": [], \"namespace\": \"default\", \"rule\": "
     "\"short_file\", "
     "\"meta\": {}, \"strings\": []}, {\"tags\": [], \"namespace\": \"default\", "
     "\"rule\": \"secret\", \"meta\": {}, \"strings\": [[0, \"$a\", \"secret\"]]}]}"},
};

START_TEST(results_have_the_shape_of_stoq)
{
    const struct shape *s = &shapes[_i];
    char option[512];
    (void)snprintf(option, sizeof option, "worker_rules=%s/%s", RULES_DIR, s->rules);
    struct stoq_loaded *p = LOADED("yara", NULL, option);
    CHECK_TEXT(scanned(p, s->data, s->size, NULL), s->results);
    /* The scanner is used again: nothing may be left of the scan before. */
    CHECK_TEXT(scanned(p, "x", 1, NULL),
               _i < 3 ? "{\"matches\": []}"
                      : "{\"matches\": [{\"tags\": [], \"namespace\": \"default\", "
                        "\"rule\": \"short_file\", \"meta\": {}, \"strings\": []}]}");
    ck_assert(stoq_loaded_content_only(p));
    stoq_loaded_free(p);
}
END_TEST

static const struct cap {
    const char *limit; /* option, or NULL */
    size_t listed;
    const char *total; /* strings_total, or "(none)" */
} caps[] = {
    {NULL, 1000, "1500"},
    {"strings_limit=0", 0, "1500"},
    {"strings_limit=3", 3, "1500"},
    {"strings_limit=1500", 1500, "(none)"},
    {"strings_limit=2000", 1500, "(none)"},
};

START_TEST(listed_strings_are_capped)
{
    const struct cap *c = &caps[_i];
    char data[3000];
    for (size_t i = 0; i < sizeof data; i += 2)
        memcpy(data + i, "ab", 2);
    put_file("r.yar", "rule r { strings: $a = \"ab\" condition: #a == 1500 }");
    char option[512];
    (void)snprintf(option, sizeof option, "worker_rules=%s", in_dir("r.yar"));
    struct stoq_loaded *p = LOADED("yara", NULL, option, c->limit);
    struct stoq_reply reply;
    ck_assert_int_eq(scan(p, data, sizeof data, NULL, &reply, NULL), 0);
    const json_t *match = json_array_get(json_object_get(reply.results, "matches"), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(match, "strings")), c->listed);
    char *total = json_dumps(json_object_get(match, "strings_total"), JSON_ENCODE_ANY);
    ck_assert_str_eq(total ? total : "(none)", c->total);
    ck_assert_uint_eq(reply.hit_count, 0);
    free(total);
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
}
END_TEST

static const struct seen {
    const char *data;
    const char *path; /* NULL: a payload without a name */
    const char *rules;
} seen[] = {
    {"x", NULL, ""},
    {"x", "/srv/files/bill.pdf.exe", "double_extension of_nobody"},
    {"x", "/srv/files/bill.pdf.EXE", "of_nobody"},
    {"x", "/srv/upload/bill", "in_upload of_nobody"},
    {"MZ", "/srv/bill.TXT", "program_called_text of_nobody"},
    {"MZ", "/srv/.txt", "of_nobody"},
    {"\x7f"
     "ELF",
     "/srv/bill.txt", "of_nobody"},
    {"x", NULL, ""},
};

START_TEST(external_variables_are_the_payloads)
{
    struct stoq_loaded *p =
        LOADED("yara", NULL, "worker_rules=" RULES_DIR "/externals.yar");
    ck_assert(!stoq_loaded_content_only(p));
    CHECK_TEXT(fact(p, "rules", "loaded"), "4");
    /* All on one instance: a value must not stay from the payload before. */
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(seen); i++)
        CHECK_TEXT(rules_of(p, seen[i].data, strlen(seen[i].data), seen[i].path),
                   seen[i].rules);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(a_string_that_matches_too_often_makes_the_scan_partial)
{
    put_file("r.yar",
             "rule many { strings: $a = { 00 } $b = \"end\" condition: $b and $a }"
             "rule other { strings: $c = \"end\" condition: $c }");
    char option[512];
    (void)snprintf(option, sizeof option, "worker_rules=%s", in_dir("r.yar"));
    struct stoq_loaded *p = LOADED("yara", NULL, option);
    size_t size = 1100000;
    STOQ_AUTOFREE char *data = calloc(1, size);
    ck_assert_ptr_nonnull(data);
    memcpy(data + size - 3, "end", 3);

    struct stoq_reply reply;
    struct stoq_error err = {0};
    ck_assert_int_eq(scan(p, data, size, NULL, &reply, &err), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(reply.results, "matches")), 2);
    ck_assert_uint_eq(reply.hit_count, 1);
    ck_assert_str_eq(reply.hits[0].name, "yara_matches");
    ck_assert_uint_eq(reply.hits[0].value, 1000000);
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(a_scan_that_takes_too_long_fails)
{
    put_file("r.yar", "rule slow { condition: for all i in (0 .. 100000000000) : "
                      "( i + filesize >= 0 ) }");
    char option[512];
    (void)snprintf(option, sizeof option, "worker_rules=%s", in_dir("r.yar"));
    struct stoq_loaded *p = LOADED("yara", NULL, option, "timeout=1");
    struct stoq_reply reply;
    struct stoq_error err = {0};
    ck_assert_int_eq(scan(p, "x", 1, NULL, &reply, &err), -ETIMEDOUT);
    ck_assert_str_eq(err.message, "yara gave up after 1 seconds");
    ck_assert_int_eq(err.kind, STOQ_ERROR_TIMEOUT);
    ck_assert_ptr_null(reply.results);
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(a_forked_process_scans_with_the_rules_of_its_parent)
{
    struct stoq_loaded *p =
        LOADED("yara", NULL, "worker_rules=" RULES_DIR "/set/a.yar");
    CHECK_TEXT(rules_of(p, "secret", 6, NULL), "secret");
    for (int round = 0; round < 3; round++) {
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            char *rules = rules_of(p, hit, sizeof hit - 1, NULL);
            _exit(strcmp(rules, "secret") == 0 ? 42 : 1);
        }
        int status = 0;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFEXITED(status));
        ck_assert_int_eq(WEXITSTATUS(status), 42);
    }
    stoq_loaded_free(p);
}
END_TEST

/* libyara 4.2 would keep the first entry point it sees; results must not depend on what
 * was scanned before. */
START_TEST(the_entry_point_is_that_of_the_payload)
{
    put_file("r.yar", "rule entered { condition: entrypoint >= 0 }");
    char option[512];
    (void)snprintf(option, sizeof option, "worker_rules=%s", in_dir("r.yar"));
    struct stoq_loaded *p = LOADED("yara", NULL, option);
    STOQ_AUTOFREE char *self = NULL;
    size_t size = 0;
    ck_assert_int_eq(stoq_read_file("/proc/self/exe", SIZE_MAX, &self, &size, NULL), 0);
    CHECK_TEXT(rules_of(p, "x", 1, NULL), "");
    CHECK_TEXT(rules_of(p, self, size, NULL), "entered");
    CHECK_TEXT(rules_of(p, "x", 1, NULL), "");
    stoq_loaded_free(p);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, results_have_the_shape_of_stoq, 0,
                        (int)STOQ_ARRAY_SIZE(shapes));
    tcase_add_loop_test(tc, listed_strings_are_capped, 0, (int)STOQ_ARRAY_SIZE(caps));
    tcase_add_test(tc, external_variables_are_the_payloads);
    tcase_add_test(tc, a_string_that_matches_too_often_makes_the_scan_partial);
    tcase_add_test(tc, a_scan_that_takes_too_long_fails);
    tcase_add_test(tc, a_forked_process_scans_with_the_rules_of_its_parent);
    tcase_add_test(tc, the_entry_point_is_that_of_the_payload);
}

int
main(void)
{
    return run_suite("yara worker", fill);
}
