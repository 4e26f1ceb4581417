/* SPDX-License-Identifier: Apache-2.0 */

/* See plugins_support.h. */

#include "plugins_support.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/auto.h"
#include "util/io.h"
#include "util/strbuf.h"

char test_dir[64];

void
set_up(void)
{
    (void)snprintf(test_dir, sizeof test_dir, "/tmp/stoq-plugins-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(test_dir));
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void
tear_down(void)
{
    ck_assert_int_eq(nftw(test_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

const char *
in_dir(const char *name)
{
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % 8];
    (void)snprintf(path, sizeof paths[0], "%s/%s", test_dir, name);
    return path;
}

void
put_bytes(const char *name, const void *data, size_t size)
{
    STOQ_AUTOFREE char *path = strdup(in_dir(name));
    char *slash = strrchr(path, '/');
    *slash = '\0';
    ck_assert_int_eq(stoq_mkdir_p(path, 0755), 0);
    *slash = '/';
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, size, f), size);
    ck_assert_int_eq(fclose(f), 0);
}

void
put_file(const char *name, const char *text)
{
    put_bytes(name, text, strlen(text));
}

char *
get_file(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    return stoq_read_file(path, (size_t)64 << 20, &text, &size, NULL) == 0 ? text
                                                                           : NULL;
}

int
load(const char *name, const char *const *options, const char *cache,
     struct stoq_loaded **out, struct stoq_error *err)
{
    const char *keys[16], *values[16], *origins[16];
    char *copies[16];
    size_t n = 0;
    for (; options[n]; n++) {
        copies[n] = strdup(options[n]);
        char *value = strchr(copies[n], '=');
        *value++ = '\0';
        keys[n] = copies[n];
        values[n] = value;
        origins[n] = "test.cfg:1";
    }
    const struct stoq_option_source source = {keys, values, origins, n};

    struct stoq_strv dirs = {0};
    struct stoq_catalogue *catalogue = NULL;
    ck_assert_int_eq(stoq_strv_add(&dirs, BUILD_DIR "/plugins"), 0);
    ck_assert_int_eq(stoq_catalogue_new(&dirs, &catalogue, NULL), 0);
    const struct stoq_manifest *manifest = stoq_catalogue_find(catalogue, name);
    ck_assert_ptr_nonnull(manifest);
    int r = stoq_loaded_new(manifest, &source, cache, out, err);
    stoq_catalogue_free(catalogue);
    stoq_strv_fini(&dirs);
    for (size_t i = 0; i < n; i++)
        free(copies[i]);
    return r;
}

struct stoq_loaded *
loaded(const char *name, const char *const *options, const char *cache)
{
    struct stoq_loaded *p = NULL;
    struct stoq_error err = {0};
    int r = load(name, options, cache, &p, &err);
    ck_assert_msg(r == 0, "%s: %s", name, err.message);
    return p;
}

struct stoq_payload *
payload(const void *data, size_t size, const char *path)
{
    struct stoq_payload_meta meta = STOQ_PAYLOAD_META_INIT;
    struct stoq_payload *p = NULL;
    const char *slash = path ? strrchr(path, '/') : NULL;
    meta.path = path;
    meta.filename = slash ? slash + 1 : path;
    meta.owner = path ? "nobody" : NULL;
    ck_assert_int_eq(stoq_payload_new(data, size, &meta, &p, NULL), 0);
    return p;
}

int
scan(struct stoq_loaded *p, const void *data, size_t size, const char *path,
     struct stoq_reply *reply, struct stoq_error *err)
{
    struct stoq_payload *target = payload(data, size, path);
    struct stoq_request *request = NULL;
    ck_assert_int_eq(stoq_request_new(NULL, NULL, true, &request, NULL), 0);
    stoq_reply_init(reply, UINT64_MAX, UINT64_MAX);
    int r = stoq_call_scan(p, target, request, reply, err);
    stoq_request_free(request);
    stoq_payload_free(target);
    return r;
}

static json_t *
results_of(struct stoq_loaded *p, const void *data, size_t size, const char *path)
{
    struct stoq_reply reply;
    struct stoq_error err = {0};
    int r = scan(p, data, size, path, &reply, &err);
    ck_assert_msg(r == 0, "%s", err.message);
    ck_assert_uint_eq(reply.errors.count, 0);
    json_t *results = json_incref(reply.results);
    stoq_reply_fini(&reply);
    return results;
}

char *
scanned(struct stoq_loaded *p, const void *data, size_t size, const char *path)
{
    json_t *results = results_of(p, data, size, path);
    char *text = json_dumps(results, 0);
    json_decref(results);
    return text;
}

char *
rules_of(struct stoq_loaded *p, const void *data, size_t size, const char *path)
{
    struct stoq_strbuf out = {0};
    json_t *results = results_of(p, data, size, path);
    size_t i;
    json_t *match;
    json_array_foreach (json_object_get(results, "matches"), i, match)
        stoq_strbuf_addf(&out, "%s%s", i ? " " : "",
                         json_string_value(json_object_get(match, "rule")));
    json_decref(results);
    stoq_strbuf_adds(&out, "");
    return stoq_strbuf_steal(&out);
}

char *
fact(struct stoq_loaded *p, const char *name, const char *key)
{
    const json_t *facts = json_object_get(stoq_loaded_facts(p), name);
    return json_dumps(json_object_get(facts, key), JSON_ENCODE_ANY);
}

int
run_suite(const char *name, void (*fill)(TCase *tc))
{
    Suite *suite = suite_create(name);
    TCase *tc = tcase_create(name);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_set_timeout(tc, 60);
    fill(tc);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
