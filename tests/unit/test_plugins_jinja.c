/* SPDX-License-Identifier: Apache-2.0 */

/*
 * jinja: what templates make of a response, which are refused and how they fail, and
 * what the connector prints. Outputs were made with Jinja2.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugins_jinja_cases.h"
#include "plugins_support.h"
#include "util/auto.h"
#include "util/strbuf.h"

/* `d` of the templates. */
static const char data[] =
    "{\"s\":\"a <b> & 'c' \\\"d\\\"\",\"u\":\"na\\u00efve \\u00dcn\\u00efcode "
    "\\u6587\\u4ef6 \\ud83d\\ude00\",\"n\":5,\"neg\":-7,\"f\":1.5,\"big\":1e22,"
    "\"small\":1e-7,\"tenth\":0.1,\"t\":true,\"fa\":false,\"z\":null,\"l\":[3,1,2],"
    "\"ls\":[\"b\",\"A\",\"c\",\"a\"],\"lm\":[1,\"a\"],\"e\":[],\"d\":{\"k\":\"v\","
    "\"x\":1,\"items\":\"itemvalue\"},\"ed\":{},\"nest\":{\"a\":{\"b\":[{\"c\":\"deep\""
    "}]}},\"ml\":\"line1\\nline2\\n\\nline4\\n\",\"ws\":\"  pad "
    "\\n\",\"mix\":[1,\"two\","
    "3.0,null,true,{\"q\":\"it's\"},[\"in\\\"ner'\"]],\"ctl\":\"a\\tb\\\\c\\r\\u0001"
    "\\u200b\"}";

#define PREFIX "{% set d = response.results[0].payload_meta.extra_data.data %}\n"

/* A response whose payload has `data` in its extra_data. */
static struct stoq_response *
response(void)
{
    struct stoq *stoq = NULL;
    struct stoq_response *r = NULL;
    struct stoq_config *config = NULL;
    struct stoq_payload_meta meta = STOQ_PAYLOAD_META_INIT;
    ck_assert_int_eq(stoq_config_new(&config, NULL), 0);
    ck_assert_int_eq(
        stoq_config_set(config, "core", "plugin_dir_list", BUILD_DIR "/plugins", NULL),
        0);
    ck_assert_int_eq(stoq_config_set(config, "core", "log_dir", "", NULL), 0);
    ck_assert_int_eq(stoq_new(config, 0, &stoq, NULL), 0);
    meta.extra_data = json_pack("{s:o}", "data", json_loads(data, 0, NULL));
    ck_assert_ptr_nonnull(meta.extra_data);
    ck_assert_int_eq(stoq_scan(stoq, "x", 1, &meta, NULL, &r, NULL), 0);
    json_decref(meta.extra_data);
    stoq_config_free(config);
    stoq_free(stoq);
    return r;
}

static int
load_template(const char *source, struct stoq_loaded **p, struct stoq_error *err)
{
    char option[600];
    put_file("t.tpl", source);
    (void)snprintf(option, sizeof option, "template=%s", in_dir("t.tpl"));
    return LOAD("jinja", NULL, p, err, option);
}

/* What @source makes, as a copy, or NULL with @err set. */
static char *
rendered(const char *source, const struct stoq_response *r, struct stoq_error *err)
{
    struct stoq_loaded *p = NULL;
    struct stoq_reply reply;
    char *text = NULL;
    if (load_template(source, &p, err) < 0)
        return NULL;
    stoq_reply_init(&reply, 0, 0);
    if (stoq_call_decorate(p, (struct stoq_response *)(uintptr_t)r, &reply, err) == 0) {
        ck_assert(json_is_string(reply.results));
        text = strdup(json_string_value(reply.results));
    }
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
    return text;
}

START_TEST(test_cases)
{
    struct stoq_response *r = response();
    for (size_t i = 0; i < sizeof jinja_cases / sizeof *jinja_cases; i++) {
        const struct jinja_case *c = &jinja_cases[i];
        struct stoq_error err = {0};
        STOQ_AUTOFREE char *source = NULL;
        ck_assert_int_ge(asprintf(&source, "%s%s", PREFIX, c->source), 0);
        STOQ_AUTOFREE char *text = rendered(source, r, &err);
        ck_assert_msg(text, "%s: %s", c->source, err.message);
        ck_assert_msg(strcmp(text, c->output) == 0, "%s: '%s', expected '%s'",
                      c->source, text, c->output);
    }
    stoq_response_free(r);
}
END_TEST

/* -------------------------------------------------------------------------- errors */

static const struct {
    const char *source, *message; /* @ is the path of the template */
} refused[] = {
    {"{{ 1", "template @:1:5: a tag that does not end"},
    {"a\nb {# x", "template @:2:3: a comment that does not end"},
    {"a\n  {% if 1 %}x", "template @:2:13: no 'endif' follows"},
    {"{% for x in y %}{% else %}", "template @:1:27: no 'endfor' follows"},
    {"{% if 1 %}\n{% endfor %}",
     "template @:2:1: 'endfor' is not supported here, where 'endif' is missing"},
    {"{% endif %}", "template @:1:1: the statement 'endif' is not supported"},
    {"x\n\n \xc3\xa9 {% macro m() %}",
     "template @:3:4: the statement 'macro' is not supported"},
    {"{% include 'x' %}", "template @:1:1: the statement 'include' is not supported"},
    {"{% raw %}", "template @:1:1: the statement 'raw' is not supported"},
    {"{% for x in y if x %}", "template @:1:15: 'if' in a for is not supported"},
    {"{% for x in y recursive %}",
     "template @:1:15: 'recursive' in a for is not supported"},
    {"{% set a, b = [1, 2] %}",
     "template @:1:4: setting several names at once is not supported"},
    {"{% set a %}", "template @:1:4: a block of set is not supported"},
    {"{% set loop = 1 %}", "template @:1:8: the name loop cannot be set"},
    {"{% for none in x %}", "template @:1:8: the name none cannot be set"},
    {"{% %}", "template @:1:4: expected a statement instead of the end of the tag"},
    {"{% if %}",
     "template @:1:7: expected an expression instead of the end of the tag"},
    {"{{ 1 2 }}", "template @:1:6: expected the end of the tag instead of '2'"},
    {"{{ (1 }}", "template @:1:7: expected ')' instead of the end of the tag"},
    {"{{ [1 }}", "template @:1:7: expected ',' or ']' instead of the end of the tag"},
    {"{{ (1, 2) }}", "template @:1:6: tuples are not supported; write a [list]"},
    {"{{ {} }}", "template @:1:4: dictionaries are not supported here"},
    {"{{ 2 ** 3 }}", "template @:1:6: the operator ** is not supported"},
    {"{{ '%d' % 3 }}", "template @:1:9: formatting by % is not supported"},
    {"{{ x[1:2] }}", "template @:1:7: slices are not supported"},
    {"{{ x() }}", "template @:1:5: calls are not supported here"},
    {"{{ x.upper() }}", "template @:1:6: upper() is not supported; items(), keys() and "
                        "values() are"},
    {"{{ x|nosuch }}", "template @:1:6: the filter 'nosuch' is not supported"},
    {"{{ x is nosuch }}", "template @:1:9: the test 'nosuch' is not supported"},
    {"{{ x|upper(1) }}", "template @:1:12: an argument that this filter does not take"},
    {"{{ x|sort(attribute='y') }}",
     "template @:1:11: an argument that this filter does not take"},
    {"{{ x|replace('a') }}", "template @:1:6: an argument of this filter is missing"},
    {"{% for x in y %}{{ loop.cycle }}",
     "template @:1:25: loop.cycle is not supported"},
    {"{{ 'abc }}", "template @:1:4: a text that does not end"},
    {"{{ '\\ud800' }}", "template @:1:5: this is no escape of a text"},
    {"{{ 99999999999999999999 }}", "template @:1:4: a number that is too large"},
    {"{{ 0x1f }}", "template @:1:4: this is no decimal number"},
    {"{{ $ }}", "template @:1:4: unexpected character"},
    {"\xff", "template @: not UTF-8"},
};

/* @text with the template's path for @. */
static char *
with_path(const char *text)
{
    struct stoq_strbuf out = {0};
    for (const char *at = text; *at; at++) {
        if (*at == '@')
            stoq_strbuf_addf(&out, "%s", in_dir("t.tpl"));
        else
            stoq_strbuf_add(&out, at, 1);
    }
    stoq_strbuf_adds(&out, "");
    return stoq_strbuf_steal(&out);
}

START_TEST(test_refused)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct stoq_loaded *p = NULL;
        struct stoq_error err = {0};
        STOQ_AUTOFREE char *expected = with_path(refused[i].message);
        ck_assert_msg(load_template(refused[i].source, &p, &err) == -EINVAL, "%s",
                      refused[i].source);
        ck_assert_msg(strstr(err.message, expected), "%s: %s", refused[i].source,
                      err.message);
    }
}
END_TEST

#define UNDEFINED "jinja2.exceptions.UndefinedError: "

static const struct {
    const char *source, *message;
    int code;
} failing[] = {
    {"{{ d.nosuch.x }}", UNDEFINED "'dict object' has no attribute 'nosuch' (@:2:12)",
     -EINVAL},
    {"{{ nosuch.x }}", UNDEFINED "'nosuch' is undefined (@:2:10)", -EINVAL},
    {"{{ d.s.items() }}", UNDEFINED "'str object' has no attribute 'items' (@:2:7)",
     -EINVAL},
    {"{{ d.z.items() }}", UNDEFINED "'None' has no attribute 'items' (@:2:7)", -EINVAL},
    {"\n{% for k, v in d.d %}{% endfor %}",
     "ValueError: not enough values to unpack (expected 2, got 1) (@:3:4)", -EINVAL},
    {"{% for k, v in [[1, 2, 3]] %}{% endfor %}",
     "ValueError: too many values to unpack (expected 2) (@:2:4)", -EINVAL},
    {"{% for k in 5 %}{% endfor %}", "TypeError: 'int' object is not iterable (@:2:13)",
     -EINVAL},
    {"{{ 1 // 0 }}", "ZeroDivisionError: integer division or modulo by zero (@:2:4)",
     -EINVAL},
    {"{{ 9223372036854775807 + 1 }}",
     "OverflowError: integers have 64 bits here (@:2:4)", -EINVAL},
    {"{{ 1 < 'a' }}",
     "TypeError: '<' not supported between instances of 'int' and 'str' (@:2:4)",
     -EINVAL},
    {"{{ d.s % 1 }}", "TypeError: formatting by % is not supported (@:2:5)", -EINVAL},
    {"{{ 'ab' * 100000000 }}", "the template makes too much (@:2:4)", -E2BIG},
    {"{{ [1] * 100000000 }}", "the template makes too much (@:2:4)", -E2BIG},
    {"{% set l = [1] * 10000 %}{% for a in l %}{% for b in l %}{% endfor %}{% endfor "
     "%}",
     "the template makes too much", -E2BIG},
    {"{% set l = [1] * 100000 %}{% for i in l %}{% set x = l|sort %}{% endfor %}",
     "the template makes too much", -E2BIG},
    {"{% set a = [1] * 2000 %}{% set s = 'x' * 20000 %}"
     "{% for i in a %}{% for j in a %}{{ s }}{% endfor %}{% endfor %}",
     "the template makes too much", -E2BIG},
};

START_TEST(test_failing)
{
    struct stoq_response *r = response();
    struct stoq_error err = {0};
    STOQ_AUTOFREE char *source = NULL;
    STOQ_AUTOFREE char *expected = with_path(failing[_i].message);
    ck_assert_int_ge(asprintf(&source, "%s%s", PREFIX, failing[_i].source), 0);
    STOQ_AUTOFREE char *text = rendered(source, r, &err);
    ck_assert_msg(!text, "%s", failing[_i].source);
    ck_assert_int_eq(err.code, failing[_i].code);
    ck_assert_msg(strncmp(err.message, expected, strlen(expected)) == 0, "%s: %s",
                  failing[_i].source, err.message);
    stoq_response_free(r);
}
END_TEST

/* @count times @text, between @before and @after. */
static char *
repeated(const char *before, const char *text, size_t count, const char *after)
{
    struct stoq_strbuf out = {0};
    stoq_strbuf_adds(&out, before);
    for (size_t i = 0; i < count; i++)
        stoq_strbuf_adds(&out, text);
    stoq_strbuf_adds(&out, after);
    return stoq_strbuf_steal(&out);
}

static const struct {
    const char *before, *text, *after;
    size_t count;
    int code; /* 0: it renders */
} nested[] = {
    {"{{ ", "(", " }}", 100000, -EINVAL},
    {"{{ ", "[", " }}", 100000, -EINVAL},
    {"{{ ", "not ", "1 }}", 100000, -EINVAL},
    {"{{ ", "-", "1 }}", 100000, -EINVAL},
    {"{{ 1", " + 1", " }}", 100000, -EINVAL},
    {"{{ 1", " and 1", " }}", 9999, -EINVAL},
    {"{{ 1", "|string", " }}", 9999, -EINVAL},
    {"{{ x", ".y", " }}", 9999, -EINVAL},
    {"{{ 1", " if 1 else 1", " }}", 9999, -EINVAL},
    {"", "{% if 1 %}", "", 9999, -EINVAL},
    {"", "{% for x in [] %}", "", 9999, -EINVAL},
    {"{% if 0 %}", "{% elif 0 %}", "{% endif %}", 50000, 0},
    {"", "{{ 1 }}", "", 50000, 0},
    {"{% set a = [1] %}", "{% set a = [a] %}", "{{ a }}{{ a|tojson }}{{ a == [a] }}",
     500, 0},
};

START_TEST(test_nested)
{
    struct stoq_response *r = response();
    STOQ_AUTOFREE char *source = repeated(nested[_i].before, nested[_i].text,
                                          nested[_i].count, nested[_i].after);
    struct stoq_error err = {0};
    STOQ_AUTOFREE char *text = rendered(source, r, &err);
    ck_assert_msg(err.code == nested[_i].code, "%d: %s", err.code, err.message);
    ck_assert_int_eq(text == NULL, nested[_i].code != 0);
    stoq_response_free(r);
}
END_TEST

/* A template that ends anywhere is refused or rendered, and never read past its end. */
START_TEST(test_truncated)
{
    static const char whole[] = PREFIX
        "{#- c -#}{%- if d.n > 1 and d.s is string -%}{{ d.l|join(', ') ~ '\\x41' }}"
        "{% elif not d.f == 1.5e0 %}{{ [1, 'a'][0] }}{% else %}{% for k, v in "
        "d.d.items() %}{{ loop.index }}{% endfor %}{%+ endif +%}\n";
    struct stoq_response *r = response();
    size_t good = 0;
    for (size_t n = 0; n <= strlen(whole); n++) {
        struct stoq_error err = {0};
        STOQ_AUTOFREE char *part = strndup(whole, n);
        STOQ_AUTOFREE char *text = rendered(part, r, &err);
        ck_assert_msg(text || err.message[0], "%s", part);
        good += text != NULL;
    }
    ck_assert_uint_gt(good, 0);
    ck_assert_uint_lt(good, 80);
    stoq_response_free(r);
}
END_TEST

/* ----------------------------------------------------------------- the plugin itself
 */

/* The shipped template, found without being told. */
START_TEST(test_shipped)
{
    struct stoq_response *r = response();
    struct stoq_loaded *p = LOADED("jinja", NULL, NULL);
    struct stoq_reply reply;
    struct stoq_error err = {0};
    stoq_reply_init(&reply, 0, 0);
    ck_assert_msg(stoq_call_decorate(p, r, &reply, &err) == 0, "%s", err.message);
    const char *text = json_string_value(reply.results);
    ck_assert_int_eq(strncmp(text, "stoQ Scan Results\n-----", 23), 0);
    char line[100];
    (void)snprintf(line, sizeof line, "\nScanID: %s\n", stoq_response_scan_id(r));
    ck_assert_ptr_nonnull(strstr(text, line));
    ck_assert_ptr_nonnull(strstr(text, "\nTotal Payloads: 1\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n  Size: 1\n  Extracted From: None\n"));
    ck_assert_ptr_nonnull(
        strstr(text, "\n    - data: {'s': 'a <b> & \\'c\\' \"d\"', "));
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
    stoq_response_free(r);
}
END_TEST

/* Objects of the document print as JSON, as in stoQ. */
START_TEST(test_document)
{
    struct stoq_response *r = response();
    struct stoq_error err = {0};
    STOQ_AUTOFREE char *json = stoq_response_text(r, true);
    CHECK_TEXT(rendered("{{ response|safe }}", r, &err), json);
    CHECK_TEXT(rendered("{{ response.request_meta|safe }}", r, &err),
               "{\n    \"archive_payloads\": true,\n    \"source\": null,\n    "
               "\"extra_data\": {}\n}");
    CHECK_TEXT(
        rendered("{% for p in response.results %}{{ p.payload_meta.dispatch_to }}"
                 "{% endfor %}",
                 r, &err),
        "[]");
    stoq_response_free(r);
}
END_TEST

START_TEST(test_missing)
{
    static const char *const options[] = {"template=/nonexistent/x.tpl",
                                          "template=", "template=nosuch.tpl"};
    struct stoq_response *r = response();
    for (size_t i = 0; i < 3; i++) {
        struct stoq_loaded *p = LOADED("jinja", NULL, options[i]);
        struct stoq_reply reply;
        struct stoq_error err = {0};
        stoq_reply_init(&reply, 0, 0);
        ck_assert_int_eq(stoq_call_decorate(p, r, &reply, &err), -ENOENT);
        ck_assert_ptr_nonnull(strstr(err.message, "Template path not found: "));
        stoq_reply_fini(&reply);
        stoq_loaded_free(p);
    }
    stoq_response_free(r);
}
END_TEST

/* What save() prints of @r. */
static char *
printed(struct stoq_loaded *p, const struct stoq_response *r)
{
    struct stoq_error err = {0};
    int fd = open(in_dir("stdout"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int before = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    (void)fflush(stdout);
    ck_assert_int_eq(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
    int code = stoq_call_save(p, r, &err);
    ck_assert_int_eq(dup2(before, STDOUT_FILENO), STDOUT_FILENO);
    (void)close(before);
    (void)close(fd);
    ck_assert_msg(code == 0, "%s", err.message);
    return get_file(in_dir("stdout"));
}

START_TEST(test_connector)
{
    struct stoq_response *r = response();
    struct stoq_loaded *p = LOADED("jinja", NULL, NULL);
    STOQ_AUTOFREE char *json = stoq_response_text(r, true);
    STOQ_AUTOFREE char *line = NULL;
    ck_assert_int_ge(asprintf(&line, "%s\n", json), 0);
    CHECK_TEXT(printed(p, r), line);
    json_t *doc = (json_t *)(uintptr_t)stoq_response_document(r);
    ck_assert_int_eq(json_object_set_new(json_object_get(doc, "decorators"), "jinja",
                                         json_string("two\nlines")),
                     0);
    CHECK_TEXT(printed(p, r), "two\nlines\n");
    stoq_loaded_free(p);
    stoq_response_free(r);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_test(tc, test_cases);
    tcase_add_test(tc, test_refused);
    tcase_add_loop_test(tc, test_failing, 0, (int)(sizeof failing / sizeof *failing));
    tcase_add_loop_test(tc, test_nested, 0, (int)(sizeof nested / sizeof *nested));
    tcase_add_test(tc, test_truncated);
    tcase_add_test(tc, test_shipped);
    tcase_add_test(tc, test_document);
    tcase_add_test(tc, test_missing);
    tcase_add_test(tc, test_connector);
}

int
main(void)
{
    return run_suite("plugins_jinja", fill);
}
