/* SPDX-License-Identifier: Apache-2.0 */

/* What the loader refuses and in which words, and what it knows of what it loaded. */

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test_plugin_support.h"
#include "util/auto.h"
#include "util/io.h"
#include "util/json.h"

STOQ_DEFINE_AUTO(stoq_loaded)

#define NOT_ROOT 65534

/* --------------------------------------------------------------------- bad objects */

static void
as_it_is(void)
{
}

static void
remove_object(void)
{
    ck_assert_int_eq(unlink(in_dir("p/broken.so")), 0);
}

static void
open_object_to_all(void)
{
    ck_assert_int_eq(chmod(in_dir("p/broken.so"), 0757), 0);
}

static void
open_directory_to_all(void)
{
    ck_assert_int_eq(chmod(in_dir("p"), 01777), 0);
}

static void
open_manifest_to_all(void)
{
    ck_assert_int_eq(chmod(in_dir("p/broken.stoq"), 0646), 0);
}

static void
give_object_away(void)
{
    ck_assert_int_eq(chown(in_dir("p/broken.so"), NOT_ROOT, NOT_ROOT), 0);
}

static void
give_directory_away(void)
{
    ck_assert_int_eq(chown(in_dir("p"), NOT_ROOT, NOT_ROOT), 0);
}

static void
link_object(void)
{
    ck_assert_int_eq(rename(in_dir("p/broken.so"), in_dir("elsewhere.so")), 0);
    ck_assert_int_eq(symlink(in_dir("elsewhere.so"), in_dir("p/broken.so")), 0);
}

static void
make_fifo(void)
{
    remove_object();
    ck_assert_int_eq(mkfifo(in_dir("p/broken.so"), 0600), 0);
}

static off_t
object_size(void)
{
    struct stat st;
    ck_assert_int_eq(stat(in_dir("p/broken.so"), &st), 0);
    return st.st_size;
}

/* The section headers at the end are not mapped: cut into what is. */
static void
cut_segments(void)
{
    ck_assert_int_gt(object_size(), 8192);
    ck_assert_int_eq(truncate(in_dir("p/broken.so"), 8192), 0);
}

static void
cut_program_headers(void)
{
    ck_assert_int_eq(truncate(in_dir("p/broken.so"), sizeof(Elf64_Ehdr) + 8), 0);
}

static void
cut_to_nothing(void)
{
    ck_assert_int_eq(truncate(in_dir("p/broken.so"), 0), 0);
}

static void
poke(off_t at, unsigned char value)
{
    STOQ_AUTOCLOSE int fd = open(in_dir("p/broken.so"), O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(pwrite(fd, &value, 1, at), 1);
}

static void
other_class(void)
{
    poke(EI_CLASS, sizeof(void *) == 8 ? ELFCLASS32 : ELFCLASS64);
}

static void
executable_type(void)
{
    poke(16, ET_EXEC);
}

static void
many_headers(void)
{
    poke(57, 0x7f);
}

static void
other_machine(void)
{
    poke(19, 0x7f);
}

static void
text_file(void)
{
    put_file("p/broken.so",
             "#!/bin/sh\necho this is text and no object at all, at all\n");
}

static const struct {
    const char *built;
    void (*damage)(void);
    int code;
    const char *path, *complaint;
    int needs_root;
} bad[] = {
    {"good", remove_object, -ENOENT, "p/broken.so", "No such file or directory", 0},
    {"good", open_object_to_all, -EPERM, "p/broken.so", "world-writable, not loaded",
     0},
    {"good", open_directory_to_all, -EPERM, "p", "world-writable, not loaded", 0},
    {"good", open_manifest_to_all, -EPERM, "p/broken.stoq",
     "world-writable, not loaded", 0},
    {"good", give_object_away, -EPERM, "p/broken.so",
     "owned by uid 65534, neither root nor this user", 1},
    {"good", give_directory_away, -EPERM, "p",
     "owned by uid 65534, neither root nor this user", 1},
    {"good", link_object, -EPERM, "p/broken.so", "a symbolic link, not loaded", 0},
    {"good", make_fifo, -EPERM, "p/broken.so", "not a regular file", 0},
    {"good", cut_segments, -ENOEXEC, "p/broken.so", "truncated object", 0},
    {"good", cut_program_headers, -ENOEXEC, "p/broken.so", "truncated object", 0},
    {"good", cut_to_nothing, -ENOEXEC, "p/broken.so", "not an ELF object", 0},
    {"good", text_file, -ENOEXEC, "p/broken.so", "not an ELF object", 0},
    {"good", other_class, -ENOEXEC, "p/broken.so",
     "not a shared object of this machine", 0},
    {"good", executable_type, -ENOEXEC, "p/broken.so",
     "not a shared object of this machine", 0},
    {"good", many_headers, -ENOEXEC, "p/broken.so",
     "not a shared object of this machine", 0},
    {"abi", as_it_is, -ENOEXEC, "p/broken.so", "plugin ABI 7, this library has 1", 0},
    {"small", as_it_is, -ENOEXEC, "p/broken.so", "struct_size 8 is out of range", 0},
    {"huge", as_it_is, -ENOEXEC, "p/broken.so", "struct_size 1048576 is out of range",
     0},
    {"noname", as_it_is, -ENOEXEC, "p/broken.so", "plugin without a name", 0},
    {"noop", as_it_is, -ENOEXEC, "p/broken.so", "plugin without an operation", 0},
    {"noentry", as_it_is, -ENOEXEC, "p/broken.so", "exports no stoq_plugin_entry", 0},
    {"othername", as_it_is, -ENOEXEC, "p/broken.so",
     "the object's plugin is not called broken", 0},
};

START_TEST(refused)
{
    struct stoq_error err = {0};
    struct stoq_loaded *p = NULL;
    json_t *described = NULL;
    if (bad[_i].needs_root && geteuid() != 0)
        return;
    put_plugin("p", bad[_i].built, "broken", NULL);
    bad[_i].damage();
    char text[600];
    (void)snprintf(text, sizeof(text), "%s: %s", in_dir(bad[_i].path),
                   bad[_i].complaint);
    ck_assert_int_eq(load_plugin("p", NULL, &p, &err), bad[_i].code);
    ck_assert_ptr_null(p);
    ck_assert_int_eq(err.code, bad[_i].code);
    ck_assert_str_eq(err.message, text);
    stoq_error_clear(&err);
    ck_assert_int_eq(stoq_manifest_describe(manifest_in("p"), &described, &err),
                     bad[_i].code);
    ck_assert_ptr_null(described);
    ck_assert_str_eq(err.message, text);
}
END_TEST

START_TEST(linkers_complaint_names_the_path)
{
    struct stoq_error err = {0};
    struct stoq_loaded *p = NULL;
    put_plugin("p", "good", "broken", NULL);
    other_machine();
    ck_assert_int_eq(load_plugin("p", NULL, &p, &err), -ENOEXEC);
    ck_assert_ptr_null(p);
    const char *path = in_dir("p/broken.so");
    ck_assert_int_eq(strncmp(err.message, path, strlen(path)), 0);
    ck_assert_ptr_null(strstr(err.message, "/proc"));
}
END_TEST

/* An open that fails is the plugin's own failure, in its own words. */
START_TEST(open_fails)
{
    struct stoq_error err = {0};
    struct stoq_loaded *p = NULL;
    put_plugin("p", "noopen", "broken", NULL);
    ck_assert_int_eq(load_plugin("p", NULL, &p, &err), -ENOKEY);
    ck_assert_ptr_null(p);
    ck_assert_str_eq(err.message, "no key");
    ck_assert_str_eq(err.plugin, "broken");
    ck_assert_int_eq(err.kind, STOQ_ERROR_PLUGIN);
}
END_TEST

/* Another user's plugins are fine for nobody but root's are fine for all. */
START_TEST(owner_may_be_this_user)
{
    struct stoq_error err = {0};
    STOQ_AUTO(stoq_loaded) p = NULL;
    if (geteuid() != 0)
        return;
    put_plugin("p", "good", "broken", NULL);
    ck_assert_int_eq(chmod(test_dir, 0755), 0);
    ck_assert_int_eq(chown(in_dir("p"), NOT_ROOT, NOT_ROOT), 0);
    ck_assert_int_eq(chown(in_dir("p/broken.so"), NOT_ROOT, NOT_ROOT), 0);
    ck_assert_int_eq(seteuid(NOT_ROOT), 0);
    int r = load_plugin("p", NULL, &p, &err);
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_msg(r == 0, "%s", err.message);
}
END_TEST

/* A struct that ends before `dispatch` comes from an older header. */
START_TEST(older_struct_is_filled_up)
{
    struct stoq_error err = {0};
    STOQ_AUTO(stoq_loaded) p = NULL;
    put_plugin("p", "old", "broken", NULL);
    ck_assert_int_eq(load_plugin("p", NULL, &p, &err), 0);
    ck_assert_uint_eq(stoq_loaded_roles(p), STOQ_ROLE_WORKER);
}
END_TEST

START_TEST(newer_library_wanted_is_a_warning)
{
    struct stoq_error err = {0};
    STOQ_AUTO(stoq_loaded) p = NULL;
    put_plugin("p", "good", "broken", "min_stoq_version = 99.0\n");
    log_begin();
    ck_assert_int_eq(load_plugin("p", NULL, &p, &err), 0);
    ck_assert_ptr_nonnull(strstr(log_end(), "plugin broken wants stoq 99.0 or newer"));
}
END_TEST

START_TEST(older_library_wanted_is_silent)
{
    static const char *const versions[] = {"0", "0.0.9", "0.0", ""};
    struct stoq_error err = {0};
    STOQ_AUTO(stoq_loaded) p = NULL;
    char line[64];
    (void)snprintf(line, sizeof(line), "min_stoq_version = %s\n", versions[_i]);
    put_plugin("p", "good", "broken", line);
    log_begin();
    ck_assert_int_eq(load_plugin("p", NULL, &p, &err), 0);
    ck_assert_str_eq(log_end(), "");
}
END_TEST

START_TEST(unknown_option)
{
    struct stoq_error err = {0};
    struct stoq_loaded *p = NULL;
    put_plugin("p", "good", "broken", NULL);
    ck_assert_int_eq(load_plugin("p", (const char *[]){"x=1", NULL}, &p, &err),
                     -EINVAL);
    ck_assert_str_eq(err.message, "test.cfg:1: [broken] x: there is no such option");
}
END_TEST

/* ------------------------------------------------------------------------ good ones */

START_TEST(surroundings)
{
    struct stoq_error err = {0};
    STOQ_AUTO(stoq_loaded) p = NULL;
    put_plugin("p", "probe", "probe", "required_workers = hash\n");
    ck_assert_int_eq(
        load_plugin("p", (const char *[]){"wanted=yara, hash,b", NULL}, &p, &err), 0);
    ck_assert_str_eq(stoq_loaded_name(p), "probe");
    ck_assert_str_eq(stoq_loaded_version(p), "1.2");
    ck_assert(stoq_loaded_content_only(p));
    const struct stoq_strv *required = stoq_loaded_required(p);
    ck_assert_uint_eq(required->count, 3);
    ck_assert_str_eq(required->items[0], "hash");
    ck_assert_str_eq(required->items[1], "yara");
    ck_assert_str_eq(required->items[2], "b");
    const json_t *facts = stoq_loaded_facts(p);
    ck_assert_str_eq(stoq_json_string_of(facts, "dir"), in_dir("p"));
    ck_assert_str_eq(stoq_json_string_of(facts, "place"), in_dir("p/data"));
    ck_assert_str_eq(stoq_json_string_of(facts, "cache"), in_dir("cache/probe"));
    struct stat st;
    ck_assert_int_eq(stat(in_dir("cache/probe"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0700);
}
END_TEST

START_TEST(settings_replace_required_workers)
{
    STOQ_AUTO(stoq_loaded) p = NULL;
    put_plugin("p", "probe", "probe", "required_workers = hash\n");
    ck_assert_int_eq(load_plugin("p",
                                 (const char *[]){"required_workers=b64decode", NULL},
                                 &p, NULL),
                     0);
    ck_assert_uint_eq(stoq_loaded_required(p)->count, 1);
    ck_assert_str_eq(stoq_loaded_required(p)->items[0], "b64decode");
}
END_TEST

START_TEST(content_only_can_be_taken_back)
{
    STOQ_AUTO(stoq_loaded) p = NULL;
    put_plugin("p", "probe", "probe", "variable = yes\n");
    ck_assert_int_eq(load_plugin("p", NULL, &p, NULL), 0);
    ck_assert(!stoq_loaded_content_only(p));
}
END_TEST

START_TEST(cache_others_can_write_is_not_used)
{
    STOQ_AUTO(stoq_loaded) p = NULL;
    put_plugin("p", "probe", "probe", NULL);
    ck_assert_int_eq(stoq_mkdir_p(in_dir("cache/probe"), 0755), 0);
    ck_assert_int_eq(chmod(in_dir("cache/probe"), 0777), 0);
    log_begin();
    ck_assert_int_eq(load_plugin("p", NULL, &p, NULL), 0);
    ck_assert_ptr_nonnull(strstr(log_end(), "doing without a cache"));
    ck_assert(json_is_null(json_object_get(stoq_loaded_facts(p), "cache")));
}
END_TEST

static void
identity_of(const char *const *settings, const char *version, uint8_t *out)
{
    STOQ_AUTO(stoq_loaded) p = NULL;
    struct stoq_manifest copy = *manifest_in("p");
    STOQ_AUTOFREE char *own_version = strdup(version);
    copy.version = own_version;
    const char *key = NULL, *value = NULL;
    if (settings) {
        key = settings[0];
        value = settings[1];
    }
    const struct stoq_option_source source = {&key, &value, NULL, settings ? 1 : 0};
    ck_assert_int_eq(stoq_loaded_new(&copy, &source, NULL, &p, NULL), 0);
    stoq_loaded_identity(p, out);
}

START_TEST(identity_follows_version_options_and_data)
{
    uint8_t plain[STOQ_SHA256_SIZE], other[STOQ_SHA256_SIZE];
    put_plugin("p", "probe", "probe", NULL);
    identity_of(NULL, "1", plain);
    identity_of(NULL, "1", other);
    ck_assert_mem_eq(plain, other, sizeof(plain));
    identity_of((const char *[]){"count", "3"}, "1",
                other); /* the default, spelled out */
    ck_assert_mem_eq(plain, other, sizeof(plain));
    identity_of(NULL, "2", other);
    ck_assert_mem_ne(plain, other, sizeof(plain));
    identity_of((const char *[]){"count", "4"}, "1", other);
    ck_assert_mem_ne(plain, other, sizeof(plain));
    identity_of((const char *[]){"secret", "s"}, "1", other);
    ck_assert_mem_ne(plain, other, sizeof(plain));
}
END_TEST

/* The dynamic linker compares names, and descriptor numbers come again. */
START_TEST(two_plugins_one_after_the_other)
{
    STOQ_AUTO(stoq_loaded) a = NULL;
    STOQ_AUTO(stoq_loaded) b = NULL;
    STOQ_AUTO(stoq_loaded) c = NULL;
    put_plugin("a", "good", "broken", NULL);
    put_plugin("b", "probe", "probe", NULL);
    ck_assert_int_eq(load_plugin("a", NULL, &a, NULL), 0);
    ck_assert_int_eq(load_plugin("b", NULL, &b, NULL), 0);
    ck_assert_int_eq(load_plugin("a", NULL, &c, NULL), 0);
    ck_assert_str_eq(stoq_loaded_name(a), "broken");
    ck_assert_str_eq(stoq_loaded_name(b), "probe");
    ck_assert_str_eq(stoq_loaded_name(c), "broken");
    stoq_loaded_free(STOQ_STEAL(&a));
    ck_assert_str_eq(stoq_loaded_name(c), "broken");
}
END_TEST

START_TEST(description)
{
    json_auto_t *d = NULL;
    put_plugin("p", "probe_instance", "probe", "required_workers = hash\n");
    ck_assert_int_eq(stoq_manifest_describe(manifest_in("p"), &d, NULL), 0);
    (void)json_object_del(d, "struct_size");
    json_t *row = json_array_get(json_object_get(d, "options"), 1);
    STOQ_AUTOFREE char *option = stoq_json_dump(row, false);
    ck_assert_str_eq(option, "{\"name\": \"count\", \"type\": \"int\", \"default\": "
                             "\"3\", \"min\": 1, \"max\": 5000, \"help\": \"How "
                             "often.\"}");
    ck_assert_uint_eq(json_array_size(json_object_get(d, "options")), 6);
    (void)json_object_del(d, "options");
    ck_assert_str_eq(stoq_json_string_of(d, "path"), in_dir("p/probe.so"));
    ck_assert_str_eq(stoq_json_string_of(d, "manifest"), in_dir("p/probe.stoq"));
    (void)json_object_del(d, "path");
    (void)json_object_del(d, "manifest");
    STOQ_AUTOFREE char *text = stoq_json_dump(d, false);
    ck_assert_str_eq(
        text, "{\"name\": \"probe\", \"version\": \"1.2\", \"description\": \"d\", "
              "\"author\": \"\", \"website\": \"\", \"roles\": [\"Worker\"], "
              "\"operations\": [\"scan\"], \"abi\": 1, \"thread_model\": "
              "\"per_instance\", \"content_only\": true, \"any_option\": false, "
              "\"required_workers\": [\"hash\"], \"min_stoq_version\": null}");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("plugin_loader");
    TCase *tc = tcase_create("refused");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_loop_test(tc, refused, 0, STOQ_ARRAY_SIZE(bad));
    tcase_add_test(tc, linkers_complaint_names_the_path);
    tcase_add_test(tc, open_fails);
    tcase_add_test(tc, unknown_option);
    suite_add_tcase(suite, tc);
    tc = tcase_create("loaded");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, owner_may_be_this_user);
    tcase_add_test(tc, older_struct_is_filled_up);
    tcase_add_test(tc, newer_library_wanted_is_a_warning);
    tcase_add_loop_test(tc, older_library_wanted_is_silent, 0, 4);
    tcase_add_test(tc, surroundings);
    tcase_add_test(tc, settings_replace_required_workers);
    tcase_add_test(tc, content_only_can_be_taken_back);
    tcase_add_test(tc, cache_others_can_write_is_not_used);
    tcase_add_test(tc, identity_follows_version_options_and_data);
    tcase_add_test(tc, two_plugins_one_after_the_other);
    tcase_add_test(tc, description);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
