/* SPDX-License-Identifier: Apache-2.0 */

/* Configurations: defaults, files, precedence, ranges, what is refused and how. */

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/config.h"
#include "util/auto.h"
#include "util/io.h"

STOQ_DEFINE_AUTO(stoq_config)

static char path[] = "/tmp/stoq-test-XXXXXX";
static struct stoq_config *config;
static struct stoq_strbuf remarks;

static void
setup(void)
{
    strcpy(path + strlen(path) - 6, "XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    ck_assert_int_eq(stoq_config_new(&config, NULL), 0);
}

static void
teardown(void)
{
    stoq_config_free(config);
    config = NULL;
    stoq_strbuf_fini(&remarks);
    ck_assert_int_eq(unlink(path), 0);
}

static void
hear(void *arg, const char *text)
{
    const char *colon = strchr(text, ':');
    stoq_strbuf_addf(arg, "%s\n", colon ? colon : text);
}

static int
read_text(const char *text, struct stoq_error *err)
{
    ck_assert_int_eq(stoq_write_file_atomic(path, text, strlen(text), 0600, false), 0);
    return stoq_config_read(config, path, hear, &remarks, err);
}

static const char *
get(const char *section, const char *key)
{
    const char *text = stoq_config_get(config, section, key);
    return text ? text : "(none)";
}

START_TEST(defaults)
{
    const struct stoq_config *c = config;
    ck_assert_str_eq(c->base_dir, ".");
    ck_assert_ptr_null(c->log_dir);
    ck_assert_str_eq(c->log_level, "INFO");
    ck_assert_uint_eq(c->log_maxbytes, 1500000);
    ck_assert_uint_eq(c->log_backup_count, 5);
    ck_assert_str_eq(c->log_syntax, "text");
    ck_assert_uint_eq(c->plugin_dirs.count, 0);
    ck_assert_uint_eq(c->always_dispatch.count, 0);
    ck_assert_uint_eq(c->provider_consumers, 2);
    ck_assert_uint_eq(c->max_queue, 100);
    ck_assert_uint_eq(c->max_recursion, 10);
    ck_assert_uint_eq(c->max_required_worker_depth, 10);
    ck_assert_ptr_null(c->cache_dir);
    ck_assert_uint_eq(c->limits.deadline_ms, 30000);
    ck_assert_uint_eq(c->limits.cpu_ms, 0);
    ck_assert_uint_eq(c->limits.memory_bytes, (uint64_t)2 << 30);
    ck_assert_uint_eq(c->limits.bytes, (uint64_t)16 << 30);
    ck_assert_uint_eq(c->limits.extracted_bytes, (uint64_t)512 << 20);
    ck_assert_uint_eq(c->limits.children, 10000);
    ck_assert_uint_eq(c->limits.depth, 32);
    ck_assert_uint_eq(c->limits.ratio, 1000);
    ck_assert_uint_eq(c->limits.response_bytes, (uint64_t)32 << 20);
    ck_assert_uint_eq(c->policy.flag_count, 2);
    ck_assert_str_eq(c->policy.flags[0].worker, "yara");
    ck_assert_str_eq(c->policy.flags[0].pointer, "/matches");
    ck_assert_str_eq(c->policy.flags[1].worker, "clamav");
    ck_assert_str_eq(c->policy.flags[1].pointer, "/infected");
    ck_assert(!c->policy.deny[STOQ_VERDICT_CLEAN]);
    ck_assert(!c->policy.deny[STOQ_VERDICT_SKIPPED]);
    ck_assert(c->policy.deny[STOQ_VERDICT_PARTIAL]);
    ck_assert(c->policy.deny[STOQ_VERDICT_ERROR]);
    ck_assert(c->policy.deny[STOQ_VERDICT_TIMEOUT]);
    ck_assert(c->policy.deny[STOQ_VERDICT_FLAGGED]);
    ck_assert_uint_eq(c->plugin_count, 0);
    ck_assert_ptr_null(stoq_config_get(c, "stoqfs", "state_dir"));
}
END_TEST

/* The syntax that stoQ users have in their files. */
START_TEST(read_stoq_file)
{
    struct stoq_error err = {0};
    int r = read_text("[core]\nlog_dir:\nplugin_dir_list: /a, b c\nmax_recursion = 2\n"
                      "always_dispatch: hash , entropy,,\n; a comment\n# another\n"
                      "novalue\n\n[yara]\nworker_rules = /r/worker.yar\n"
                      "Dispatch_Rules = 100%% %d\nflag\n[limits]\ndeadline = 1.5\n"
                      "memory = 3k\n[stoqfs]\nenforce = Yes\nother = 1\n[Core]\nx = 1\n"
                      "y = 2\n",
                      &err);
    ck_assert_msg(r == 0, "%s", err.message);
    ck_assert_str_eq(remarks.data,
                     ":8: [core] novalue: unknown key, ignored\n"
                     ":19: [stoqfs] other: unknown key, ignored\n"
                     ":21: Core: read as a plugin's section, since names are in lower "
                     "case\n");
    ck_assert_str_eq(config->log_dir, "");
    ck_assert_uint_eq(config->plugin_dirs.count, 2);
    ck_assert_str_eq(config->plugin_dirs.items[1], "b c");
    ck_assert_uint_eq(config->max_recursion, 2);
    ck_assert_uint_eq(config->always_dispatch.count, 2);
    ck_assert_str_eq(config->always_dispatch.items[1], "entropy");
    ck_assert_str_eq(get("core", "Always_Dispatch"), "hash, entropy");
    ck_assert_uint_eq(config->limits.deadline_ms, 1500);
    ck_assert_uint_eq(config->limits.memory_bytes, 3072);
    ck_assert_str_eq(get("stoqfs", "enforce"), "Yes");
    ck_assert_str_eq(get("yara", "WORKER_rules"), "/r/worker.yar");
    ck_assert_str_eq(get("yara", "dispatch_rules"), "100% %d");
    ck_assert_str_eq(get("yara", "flag"), "");
    ck_assert_str_eq(get("yara", "none"), "(none)");
    ck_assert_str_eq(get("none", "none"), "(none)");

    const struct stoq_plugin_options *o = stoq_config_plugin(config, "yara");
    ck_assert_ptr_nonnull(o);
    ck_assert_uint_eq(o->keys.count, 3);
    ck_assert_str_eq(o->keys.items[1], "dispatch_rules");
    const char *colon = strrchr(o->origins.items[1], ':');
    ck_assert_str_eq(colon, ":12");
    ck_assert_int_eq(strncmp(o->origins.items[1], path, strlen(path)), 0);
    ck_assert_ptr_null(stoq_config_plugin(config, "Yara"));
}
END_TEST

static const struct {
    const char *section, *key, *value;
    uint64_t want;
    size_t offset;
} numbers[] = {
#define CASE(section, key, value, want, field)                         \
    {                                                                  \
        section, key, value, want, offsetof(struct stoq_config, field) \
    }
    CASE("core", "max_queue", "7", 7, max_queue),
    CASE("core", "max_queue", "0", 100, max_queue),
    CASE("core", "max_queue", "007", 7, max_queue),
    CASE("core", "provider_consumers", "0", 2, provider_consumers),
    CASE("core", "max_recursion", "0", 10, max_recursion),
    CASE("core", "max_required_worker_depth", "00", 10, max_required_worker_depth),
    CASE("core", "log_maxbytes", "0", 0, log_maxbytes),
    CASE("core", "log_maxbytes", "1M", 1 << 20, log_maxbytes),
    CASE("limits", "deadline", "0", 0, limits.deadline_ms),
    CASE("limits", "deadline", "0.25", 250, limits.deadline_ms),
    CASE("limits", "deadline", "2.0", 2000, limits.deadline_ms),
    CASE("limits", "deadline", "0.0001", 1, limits.deadline_ms),
    CASE("limits", "deadline", "1.0010", 1001, limits.deadline_ms),
    CASE("limits", "deadline", "1.0010001", 1002, limits.deadline_ms),
    CASE("limits", "cpu", "3", 3000, limits.cpu_ms),
    CASE("limits", "bytes", "2g", (uint64_t)2 << 30, limits.bytes),
    CASE("limits", "extracted_bytes", "5K", 5120, limits.extracted_bytes),
    CASE("limits", "children", "0", 0, limits.children),
    CASE("limits", "depth", "1", 1, limits.depth),
    CASE("limits", "ratio", "1000000000", 1000000000, limits.ratio),
#undef CASE
};

START_TEST(number)
{
    struct stoq_error err = {0};
    int r = stoq_config_set(config, numbers[_i].section, numbers[_i].key,
                            numbers[_i].value, &err);
    ck_assert_msg(r == 0, "%s", err.message);
    uint64_t got;
    memcpy(&got, (const char *)config + numbers[_i].offset, sizeof(got));
    ck_assert_uint_eq(got, numbers[_i].want);
}
END_TEST

static const struct {
    const char *section, *key, *value, *message;
} refused[] = {
    {"core", "max_recursion", "abc",
     "[core] max_recursion = abc: must be a whole number from 0 to 100000 (0 = the "
     "default, 10)"},
    {"core", "max_recursion", "",
     "[core] max_recursion = : must be a whole number from 0 to 100000 (0 = the "
     "default, "
     "10)"},
    {"core", "max_required_worker_depth", "1001",
     "[core] max_required_worker_depth = 1001: must be a whole number from 0 to 1000 "
     "(0 "
     "= the default, 10)"},
    {"core", "log_level", "loud",
     "[core] log_level = loud: must be one of: debug info warning error critical"},
    {"core", "log_syntax", "xml", "[core] log_syntax = xml: must be one of: text json"},
    {"core", "log_backup_count", "-1",
     "[core] log_backup_count = -1: must be a whole number from 0 to 1000"},
    {"core", "log_backup_count", "99999999999999999999",
     "[core] log_backup_count = 99999999999999999999: must be a whole number from 0 to "
     "1000"},
    {"limits", "deadline", "1.",
     "[limits] deadline = 1.: must be a number of seconds from 0 to 31622400"},
    {"limits", "deadline", "1,5",
     "[limits] deadline = 1,5: must be a number of seconds from 0 to 31622400"},
    {"limits", "deadline", "31622401",
     "[limits] deadline = 31622401: must be a number of seconds from 0 to 31622400"},
    {"limits", "memory", "2T",
     "[limits] memory = 2T: must be a number of bytes from 0 to 1125899906842624, or "
     "one "
     "with K, M or G"},
    {"limits", "memory", "18014398509481984K",
     "[limits] memory = 18014398509481984K: must be a number of bytes from 0 to "
     "1125899906842624, or one with K, M or G"},
    {"limits", "depth", "0",
     "[limits] depth = 0: must be a whole number from 1 to 1000"},
    {"policy", "partial", "maybe",
     "[policy] partial = maybe: must be one of: allow deny"},
    {"policy", "flag", "yara",
     "[policy] flag = yara: must be a comma list of WORKER:/JSON/POINTER"},
    {"policy", "flag", "yara:matches",
     "[policy] flag = yara:matches: must be a comma list of WORKER:/JSON/POINTER"},
    {"policy", "flag", "a:/x, :/y",
     "[policy] flag = a:/x, :/y: must be a comma list of WORKER:/JSON/POINTER"},
    {"policy", "flag", "a:/x~2",
     "[policy] flag = a:/x~2: must be a comma list of WORKER:/JSON/POINTER"},
    {"stoqfs", "threads", "0",
     "[stoqfs] threads = 0: must be a whole number from 1 to 64"},
    {"stoqfs", "enforce", "perhaps",
     "[stoqfs] enforce = perhaps: must be one of: 1 yes true on 0 no false off"},
};

/* Refused from the program and, with the place, from a file; nothing changes. */
START_TEST(refuse)
{
    const char *section = refused[_i].section;
    const char *key = refused[_i].key;
    const char *value = refused[_i].value;
    struct stoq_error err = {0};
    STOQ_AUTOFREE char *before = stoq_config_text(config);
    ck_assert_int_eq(stoq_config_set(config, section, key, value, &err), -EINVAL);
    ck_assert_str_eq(err.message, refused[_i].message);
    ck_assert_int_eq((int)err.kind, STOQ_ERROR_CONFIG);

    STOQ_AUTOFREE char *file = NULL;
    STOQ_AUTOFREE char *message = NULL;
    ck_assert_int_gt(asprintf(&file,
                              "[core]\nmax_queue = 5\n%s%s%s%s = %s\n[p]\nx = 1\n",
                              strcmp(section, "core") ? "[" : "",
                              strcmp(section, "core") ? section : "",
                              strcmp(section, "core") ? "]\n" : "", key, value),
                     0);
    ck_assert_int_gt(asprintf(&message, "%s:%d: %s", path,
                              strcmp(section, "core") ? 4 : 3, refused[_i].message),
                     0);
    stoq_error_clear(&err);
    ck_assert_int_eq(read_text(file, &err), -EINVAL);
    ck_assert_str_eq(err.message, message);
    STOQ_AUTOFREE char *after = stoq_config_text(config);
    ck_assert_str_eq(after, before);
    ck_assert_uint_eq(config->max_queue, 100);
}
END_TEST

START_TEST(unknown)
{
    struct stoq_error err = {0};
    ck_assert_int_eq(stoq_config_set(config, "core", "archivers", "x", &err), -EINVAL);
    ck_assert_str_eq(err.message, "[core] archivers: there is no such key");
    ck_assert_int_eq(stoq_config_set_list(config, "limits", "x", NULL, 0, NULL),
                     -EINVAL);
    ck_assert_int_eq(stoq_config_set(config, "", "x", "1", NULL), -EINVAL);
    ck_assert_int_eq(stoq_config_set(config, "p", "", "1", NULL), -EINVAL);
    ck_assert_int_eq(stoq_config_set(config, "p", "a=b", "1", NULL), -EINVAL);
    ck_assert_int_eq(stoq_config_set(config, "p\nq", "a", "1", NULL), -EINVAL);
    ck_assert_uint_eq(config->plugin_count, 0);
}
END_TEST

START_TEST(bad_file)
{
    struct stoq_error err = {0};
    char want[128];
    (void)snprintf(want, sizeof(want), "%s:3: key is there twice in its section: x",
                   path);
    ck_assert_int_eq(read_text("[p]\nx = 1\nX = 2\n", &err), -EINVAL);
    ck_assert_str_eq(err.message, want);
    ck_assert_uint_eq(config->plugin_count, 0);
    ck_assert_int_eq(
        stoq_config_read(config, "/nonexistent/stoq.cfg", NULL, NULL, NULL), -ENOENT);
}
END_TEST

START_TEST(precedence)
{
    ck_assert_int_eq(stoq_config_set(config, "core", "max_queue", "5", NULL), 0);
    ck_assert_int_eq(stoq_config_set(config, "p", "Kept", "program", NULL), 0);
    ck_assert_int_eq(read_text("[core]\nmax_queue = 6\nmax_recursion = 3\n"
                               "[p]\nkept = file\nother = file\n",
                               NULL),
                     0);
    ck_assert_uint_eq(config->max_queue, 5);
    ck_assert_uint_eq(config->max_recursion, 3);
    ck_assert_str_eq(get("p", "kept"), "program");
    ck_assert_str_eq(get("p", "other"), "file");

    /* a later file over an earlier one, key by key; the program over both */
    ck_assert_int_eq(read_text("[core]\nmax_recursion = 4\n[p]\nother = later\n", NULL),
                     0);
    ck_assert_uint_eq(config->max_recursion, 4);
    ck_assert_str_eq(get("p", "other"), "later");
    ck_assert_int_eq(stoq_config_set(config, "p", "other", "program", NULL), 0);
    ck_assert_int_eq(stoq_config_set(config, "core", "max_queue", "9", NULL), 0);
    ck_assert_int_eq(read_text("[core]\nmax_queue = 6\n[p]\nother = last\n", NULL), 0);
    ck_assert_str_eq(get("p", "other"), "program");
    ck_assert_uint_eq(config->max_queue, 9);

    /* outranked, but wrong all the same */
    ck_assert_int_eq(read_text("[core]\nmax_queue = x\n", NULL), -EINVAL);
}
END_TEST

START_TEST(lists)
{
    static const char *const names[] = {"a, b", " c"};
    ck_assert_int_eq(
        stoq_config_set_list(config, "core", "plugin_dir_list", names, 2, NULL), 0);
    ck_assert_uint_eq(config->plugin_dirs.count, 2);
    ck_assert_str_eq(config->plugin_dirs.items[0], "a, b");
    ck_assert_str_eq(config->plugin_dirs.items[1], " c");
    ck_assert_int_eq(read_text("[core]\nplugin_dir_list = z\n", NULL), 0);
    ck_assert_str_eq(config->plugin_dirs.items[0], "a, b");
    ck_assert_int_eq(stoq_config_set_list(config, "core", "connectors", NULL, 0, NULL),
                     0);
    ck_assert_str_eq(get("core", "connectors"), "");
    ck_assert_int_eq(stoq_config_set_list(config, "core", "max_queue", names, 2, NULL),
                     -EINVAL);
    ck_assert_int_eq(stoq_config_set_list(config, "p", "k", names + 1, 1, NULL), 0);
    ck_assert_str_eq(get("p", "k"), " c");
    ck_assert_int_eq(stoq_config_set_list(config, "p", "k", names, 2, NULL), -EINVAL);
    ck_assert_str_eq(get("p", "k"), " c");
}
END_TEST

START_TEST(policy)
{
    ck_assert_int_eq(read_text("[policy]\nflag = yara:/matches, my-worker:\n"
                               "partial = Allow\nskipped = deny\n",
                               NULL),
                     0);
    ck_assert_uint_eq(config->policy.flag_count, 2);
    ck_assert_str_eq(config->policy.flags[1].worker, "my-worker");
    ck_assert_str_eq(config->policy.flags[1].pointer, "");
    ck_assert(!config->policy.deny[STOQ_VERDICT_PARTIAL]);
    ck_assert(config->policy.deny[STOQ_VERDICT_SKIPPED]);
    ck_assert_int_eq(stoq_config_set(config, "policy", "flag", "", NULL), 0);
    ck_assert_uint_eq(config->policy.flag_count, 0);
}
END_TEST

START_TEST(deep_copy)
{
    static const char *const names[] = {"a, b"};
    ck_assert_int_eq(
        stoq_config_set_list(config, "core", "plugin_dir_list", names, 1, NULL), 0);
    ck_assert_int_eq(stoq_config_set(config, "core", "max_queue", "0", NULL), 0);
    ck_assert_int_eq(stoq_config_set(config, "p", "k", "v", NULL), 0);
    ck_assert_int_eq(stoq_config_set(config, "policy", "flag", "a:,b:/c", NULL), 0);
    STOQ_AUTO(stoq_config) copy = NULL;
    ck_assert_int_eq(stoq_config_dup(config, &copy, NULL), 0);
    STOQ_AUTOFREE char *first = stoq_config_text(config);
    ck_assert_int_eq(stoq_config_set(config, "p", "k", "changed", NULL), 0);
    STOQ_AUTOFREE char *second = stoq_config_text(copy);
    ck_assert_str_eq(first, second);
    ck_assert_str_eq(copy->plugin_dirs.items[0], "a, b");
    ck_assert_uint_eq(copy->max_queue, 100);
    ck_assert_str_eq(stoq_config_get(copy, "p", "k"), "v");
    /* what the program set stays so in the copy */
    struct stoq_config *original = config;
    config = copy;
    ck_assert_int_eq(read_text("[core]\nmax_queue = 7\n[p]\nk = file\n", NULL), 0);
    config = original;
    ck_assert_uint_eq(copy->max_queue, 100);
    ck_assert_str_eq(stoq_config_get(copy, "p", "k"), "v");
}
END_TEST

START_TEST(text)
{
    STOQ_AUTOFREE char *preset = stoq_config_text(config);
    static const char want[] = "[core]\nbase_dir = .\nlog_level = INFO\n"
                               "log_maxbytes = 1500000\nlog_backup_count = 5\n"
                               "log_syntax = text\nplugin_dir_list =\nproviders =\n";
    ck_assert_int_eq(strncmp(preset, want, strlen(want)), 0);
    ck_assert_ptr_nonnull(strstr(preset, "\n\n[limits]\ndeadline = 30\ncpu = 0\n"
                                         "memory = 2G\nbytes = 16G\n"));
    ck_assert_ptr_nonnull(
        strstr(preset, "\n\n[policy]\nflag = yara:/matches, clamav:/infected\n"
                       "clean = allow\n"));

    ck_assert_int_eq(stoq_config_set(config, "p", "k", "100% %(x)s", NULL), 0);
    ck_assert_int_eq(stoq_config_set(config, "p", "lines", "\none\n\ntwo", NULL), 0);
    ck_assert_int_eq(stoq_config_set(config, "q", "empty", "", NULL), 0);
    ck_assert_int_eq(stoq_config_set(config, "core", "connectors", "a,b", NULL), 0);
    STOQ_AUTOFREE char *first = stoq_config_text(config);
    ck_assert_ptr_nonnull(strstr(first,
                                 "\n\n[p]\nk = 100%% %%(x)s\nlines =\n    one\n\n"
                                 "    two\n\n[q]\nempty =\n"));
    ck_assert_ptr_nonnull(strstr(first, "\nconnectors = a, b\n"));
    stoq_config_free(config);
    ck_assert_int_eq(stoq_config_new(&config, NULL), 0);
    ck_assert_int_eq(read_text(first, NULL), 0);
    ck_assert_str_eq(get("p", "lines"), "\none\n\ntwo");
    STOQ_AUTOFREE char *second = stoq_config_text(config);
    ck_assert_str_eq(first, second);
}
END_TEST

START_TEST(verdicts)
{
    static const char *const names[] = {"clean", "skipped", "partial",
                                        "error", "timeout", "flagged"};
    for (unsigned i = 0; i < STOQ_ARRAY_SIZE(names); i++) {
        enum stoq_verdict v = STOQ_VERDICT_COUNT;
        ck_assert_str_eq(stoq_verdict_name((enum stoq_verdict)i), names[i]);
        ck_assert_int_eq(stoq_verdict_parse(names[i], &v), 0);
        ck_assert_uint_eq((unsigned)v, i);
    }
    enum stoq_verdict v = STOQ_VERDICT_ERROR;
    ck_assert_str_eq(stoq_verdict_name(STOQ_VERDICT_COUNT), "unknown");
    ck_assert_int_eq(stoq_verdict_parse("unknown", &v), -EINVAL);
    ck_assert_int_eq(stoq_verdict_parse("", &v), -EINVAL);
    ck_assert_uint_eq((unsigned)v, STOQ_VERDICT_ERROR);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("core config");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, defaults);
    tcase_add_test(t, read_stoq_file);
    tcase_add_loop_test(t, number, 0, (int)STOQ_ARRAY_SIZE(numbers));
    tcase_add_loop_test(t, refuse, 0, (int)STOQ_ARRAY_SIZE(refused));
    tcase_add_test(t, unknown);
    tcase_add_test(t, bad_file);
    tcase_add_test(t, precedence);
    tcase_add_test(t, lists);
    tcase_add_test(t, policy);
    tcase_add_test(t, deep_copy);
    tcase_add_test(t, text);
    tcase_add_test(t, verdicts);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
