/* SPDX-License-Identifier: Apache-2.0 */

/* INI files: what is reported, in which order, with which line, or which complaint. */

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/auto.h"
#include "util/ini.h"
#include "util/io.h"
#include "util/strbuf.h"

static int
collect(void *arg, const char *section, const char *key, const char *value,
        unsigned line, struct stoq_error *err)
{
    (void)err;
    stoq_strbuf_addf(arg, "%u [%s] %s %s%s%s\n", line, section, key, value ? "<" : "-",
                     value ? value : "", value ? ">" : "");
    return 0;
}

static const struct {
    const char *in, *out;
} good[] = {
    {"", ""},
    {"\n# only\n  ; comments\n", ""},
    {"[a]\nk = v\n", "2 [a] k <v>\n"},
    {"[a]\nk=v", "2 [a] k <v>\n"},
    {"[a]\nk : v = w\n", "2 [a] k <v = w>\n"},
    {"[a]\nk = v : w\n", "2 [a] k <v : w>\n"},
    {"[a]\nk =\nl:\n", "2 [a] k <>\n3 [a] l <>\n"},
    {"[a]\nnovalue\n", "2 [a] novalue -\n"},
    {"[a]\r\nk = v\r\nl\r\n", "2 [a] k <v>\n3 [a] l -\n"},
    {"\xef\xbb\xbf[a]\nk = v\n", "2 [a] k <v>\n"},
    {"[a]\nKey Name = V\n", "2 [a] key name <V>\n"},
    {"[ a b ]\nk = v\n", "2 [a b] k <v>\n"},
    {"[a]]\nk = v\n", "2 [a]] k <v>\n"},
    {"[a] trailing\nk = v\n", "2 [a] k <v>\n"},
    {"[a]\nk = v ; not a comment # neither\n",
     "2 [a] k <v ; not a comment # neither>\n"},
    {"[a]\nk = one\n  two\n\tthree\nl = x\n",
     "2 [a] k <one\ntwo\nthree>\n5 [a] l <x>\n"},
    {"[a]\nk = one\n\n  two\n\n\nl = x\n", "2 [a] k <one\n\ntwo>\n7 [a] l <x>\n"},
    {"[a]\nk = one\n# comment\n  ; comment\n  two\n", "2 [a] k <one\ntwo>\n"},
    {"[a]\nk =\n  one\n  two\n", "2 [a] k <\none\ntwo>\n"},
    {"[a]\nk = one\n  l = more\n", "2 [a] k <one\nl = more>\n"},
    {"[a]\n  k = one\n  l = two\n", "2 [a] k <one>\n3 [a] l <two>\n"},
    {"[a]\nk = one\n  [b]\n", "2 [a] k <one\n[b]>\n"},
    {"[b]\nx = 1\n[a]\ny = 2\n", "2 [b] x <1>\n4 [a] y <2>\n"},
    /* [DEFAULT] and interpolation */
    {"[DEFAULT]\nd = 1\nk = 2\n[a]\nk = 3\n[b]\n",
     "5 [a] k <3>\n2 [a] d <1>\n2 [b] d <1>\n3 [b] k <2>\n"},
    {"[a]\nx = 1\n[DEFAULT]\ny = 2\n[DEFAULT]\nz = 3\n",
     "2 [a] x <1>\n4 [a] y <2>\n6 [a] z <3>\n"},
    {"[DEFAULT]\nbase = /b\n[a]\np = %(base)s/x\nq = %(P)s/y\n",
     "4 [a] p </b/x>\n5 [a] q </b/x/y>\n2 [a] base </b>\n"},
    {"[DEFAULT]\nhome = %(who)s\nwho = all\n[a]\nwho = me\n",
     "5 [a] who <me>\n2 [a] home <me>\n"},
    {"[a]\nk = 100%% of % and %(none)s and %d\n",
     "2 [a] k <100% of % and %(none)s and %d>\n"},
    {"[a]\nx = %%(y)s\ny = 1\n", "2 [a] x <%(y)s>\n3 [a] y <1>\n"},
    {"[a]\nx\ny = %(x)s\n", "2 [a] x -\n3 [a] y <%(x)s>\n"},
    {"[a]\nk = caf\xe9\n", "2 [a] k <caf\xe9>\n"},
};

START_TEST(parse_good)
{
    struct stoq_strbuf b = {0};
    struct stoq_error err = {0};
    int r = stoq_ini_parse("t", good[_i].in, strlen(good[_i].in), collect, &b, &err);
    ck_assert_msg(r == 0, "%s", err.message);
    STOQ_AUTOFREE char *out = stoq_strbuf_steal(&b);
    ck_assert_str_eq(out, good[_i].out);
}
END_TEST

static const struct {
    const char *in, *message;
} bad[] = {
    {"k = v\n", "t:1: a section must come first"},
    {"\n\n  k\n", "t:3: a section must come first"},
    {"[a\nk = v\n", "t:1: section header without \"]\""},
    {"[a]\n[ ]\n", "t:2: section without a name"},
    {"[a]\n = v\n", "t:2: value without a key"},
    {"[a]\n: v\n", "t:2: value without a key"},
    {"[a]\nk = 1\n[b]\n[a]\n", "t:4: section is there twice: a"},
    {"[a]\nk = 1\nl = 2\nK: 3\n", "t:4: key is there twice in its section: k"},
    {"[DEFAULT]\nk = 1\n[DEFAULT]\nk = 2\n",
     "t:4: key is there twice in its section: k"},
    {"[a]\nk\n  more\n", "t:3: continues a key that has no value: k"},
    {"[a]\nx = %(x)s\n", "t:2: %(name)s leads too far: x"},
    {"[a]\nx = 1\n[b]\nx = %(y)s\ny = %(x)s\n", "t:4: %(name)s leads too far: x"},
};

START_TEST(parse_bad)
{
    struct stoq_strbuf b = {0};
    struct stoq_error err = {0};
    int r = stoq_ini_parse("t", bad[_i].in, strlen(bad[_i].in), collect, &b, &err);
    ck_assert_int_eq(r, -EINVAL);
    ck_assert_str_eq(err.message, bad[_i].message);
    ck_assert_int_eq((int)err.kind, STOQ_ERROR_CONFIG);
    stoq_strbuf_fini(&b);
}
END_TEST

START_TEST(parse_nul)
{
    struct stoq_error err = {0};
    struct stoq_strbuf b = {0};
    ck_assert_int_eq(stoq_ini_parse("t", "[a]\nk = \0v\n", 11, collect, &b, &err),
                     -EINVAL);
    ck_assert_str_eq(err.message, "t:2: NUL byte");
    ck_assert_uint_eq(b.size, 0);
    stoq_strbuf_fini(&b);
}
END_TEST

/* Values that name the next one several times grow without end, or nearly. */
START_TEST(expansion_bounded)
{
    struct stoq_strbuf text = {0};
    struct stoq_strbuf b = {0};
    struct stoq_error err = {0};
    stoq_strbuf_adds(&text, "[a]\n");
    for (unsigned i = 0; i < 8; i++) {
        stoq_strbuf_addf(&text, "k%u =", i);
        for (unsigned n = 0; n < 50; n++)
            stoq_strbuf_addf(&text, " %%(k%u)s", i + 1);
        stoq_strbuf_adds(&text, "\n");
    }
    stoq_strbuf_adds(&text, "k8 =\n");
    ck_assert_int_eq(stoq_ini_parse("t", text.data, text.size, collect, &b, &err),
                     -EINVAL);
    ck_assert_str_eq(err.message, "t:2: %(name)s leads too far: k0");
    stoq_strbuf_fini(&text);
    stoq_strbuf_fini(&b);
}
END_TEST

/* A file whose values are long: nothing is cut. */
START_TEST(long_value)
{
    struct stoq_strbuf text = {0};
    struct stoq_strbuf b = {0};
    stoq_strbuf_adds(&text, "[a]\nk = ");
    for (unsigned i = 0; i < 20000; i++)
        stoq_strbuf_adds(&text, "x ; y");
    ck_assert_int_eq(stoq_ini_parse("t", text.data, text.size, collect, &b, NULL), 0);
    ck_assert_uint_eq(b.size, strlen("2 [a] k <>\n") + 100000);
    stoq_strbuf_fini(&text);
    stoq_strbuf_fini(&b);
}
END_TEST

static int
refuse(void *arg, const char *section, const char *key, const char *value,
       unsigned line, struct stoq_error *err)
{
    unsigned *calls = arg;
    (void)section;
    (void)value;
    ++*calls;
    return strcmp(key, "bad") == 0
               ? stoq_error_set(err, STOQ_ERROR_CONFIG, -ERANGE, "line %u", line)
               : 0;
}

START_TEST(handler_stops)
{
    static const char text[] = "[a]\nfine = 1\nbad = 2\nlater = 3\n";
    struct stoq_error err = {0};
    unsigned calls = 0;
    ck_assert_int_eq(stoq_ini_parse("t", text, strlen(text), refuse, &calls, &err),
                     -ERANGE);
    ck_assert_str_eq(err.message, "line 3");
    ck_assert_uint_eq(calls, 2);
}
END_TEST

START_TEST(read_files)
{
    char dir[] = "/tmp/stoq-test-XXXXXX";
    char path[64];
    struct stoq_error err = {0};
    struct stoq_strbuf b = {0};
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/f.cfg", dir);
    ck_assert_int_eq(stoq_ini_read(path, collect, &b, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.message, "f.cfg: No such file or directory"));
    ck_assert_int_eq(stoq_write_file_atomic(path, "[a]\nk = v\n", 10, 0600, true), 0);
    ck_assert_int_eq(stoq_ini_read(path, collect, &b, NULL), 0);
    ck_assert_str_eq(b.data, "2 [a] k <v>\n");
    ck_assert_int_eq(truncate(path, ((off_t)4 << 20) + 1), 0);
    ck_assert_int_eq(stoq_ini_read(path, collect, &b, NULL), -EFBIG);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(dir), 0);
    stoq_strbuf_fini(&b);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("util ini");
    TCase *t = tcase_create("all");
    tcase_add_loop_test(t, parse_good, 0, (int)STOQ_ARRAY_SIZE(good));
    tcase_add_loop_test(t, parse_bad, 0, (int)STOQ_ARRAY_SIZE(bad));
    tcase_add_test(t, parse_nul);
    tcase_add_test(t, expansion_bounded);
    tcase_add_test(t, long_value);
    tcase_add_test(t, handler_stops);
    tcase_add_test(t, read_files);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
