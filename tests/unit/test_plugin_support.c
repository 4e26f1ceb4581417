/* SPDX-License-Identifier: Apache-2.0 */

/* What the plugin room's tests share; see test_plugin_support.h. */

#include "test_plugin_support.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/auto.h"
#include "util/io.h"

char test_dir[64];
static struct stoq_catalogue *catalogues[16];
static size_t catalogue_count;
static int saved_stderr = -1;
static char *log_text;

/* ------------------------------------------------------------ stand-ins for the core
 */

const unsigned char *
stoq_payload_data(const struct stoq_payload *p, size_t *size)
{
    *size = p->size;
    return p->data;
}

const unsigned char *
stoq_payload_sha256(struct stoq_payload *p)
{
    ck_assert_int_eq(stoq_sha256(p->data, p->size, p->sha256), 0);
    return p->sha256;
}

char *
stoq_response_text(const struct stoq_response *response, bool pretty)
{
    ck_assert(pretty);
    return strdup(response->text);
}

/* --------------------------------------------------------------------------- files */

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void
set_up(void)
{
    (void)umask(022);
    (void)snprintf(test_dir, sizeof(test_dir), "/tmp/stoq-plugin-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(test_dir));
}

void
tear_down(void)
{
    while (catalogue_count > 0)
        stoq_catalogue_free(catalogues[--catalogue_count]);
    free(log_text);
    log_text = NULL;
    ck_assert_int_eq(nftw(test_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

const char *
in_dir(const char *name)
{
    static char paths[8][512];
    static size_t next;
    char *path = paths[next++ % STOQ_ARRAY_SIZE(paths)];
    (void)snprintf(path, sizeof(paths[0]), "%s/%s", test_dir, name);
    return path;
}

static void
write_bytes(const char *name, const void *data, size_t size)
{
    const char *path = in_dir(name);
    STOQ_AUTOFREE char *parent = strndup(path, (size_t)(strrchr(path, '/') - path));
    ck_assert_int_eq(stoq_mkdir_p(parent, 0755), 0);
    STOQ_AUTOCLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(stoq_write_full(fd, data, size), 0);
}

void
put_file(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

void
put_plugin(const char *name, const char *built, const char *object, const char *options)
{
    char from[512], to[256], text[1024];
    STOQ_AUTOFREE char *bytes = NULL;
    size_t size = 0;
    (void)snprintf(from, sizeof(from), PLUGIN_DIR "/%s/%s.so", built, object);
    ck_assert_int_eq(stoq_read_file(from, 64U << 20, &bytes, &size, NULL), 0);
    (void)snprintf(to, sizeof(to), "%s/%s.so", name, object);
    write_bytes(to, bytes, size);
    (void)snprintf(text, sizeof(text),
                   "[Core]\nName = %s\nModule = %s\n[Documentation]\nVersion = 1.2\n"
                   "Description = d\n[options]\n%s",
                   object, object, options ? options : "");
    (void)snprintf(to, sizeof(to), "%s/%s.stoq", name, object);
    put_file(to, text);
}

const struct stoq_manifest *
manifest_in(const char *name)
{
    struct stoq_strv dirs = {0};
    struct stoq_catalogue *c = NULL;
    ck_assert_int_eq(stoq_strv_add(&dirs, in_dir(name)), 0);
    ck_assert_int_eq(stoq_catalogue_new(&dirs, &c, NULL), 0);
    stoq_strv_fini(&dirs);
    ck_assert_uint_lt(catalogue_count, STOQ_ARRAY_SIZE(catalogues));
    catalogues[catalogue_count++] = c;
    ck_assert_uint_eq(stoq_catalogue_count(c), 1);
    return stoq_catalogue_at(c, 0);
}

int
load_plugin(const char *name, const char *const *settings, struct stoq_loaded **out,
            struct stoq_error *err)
{
    struct stoq_strv keys = {0}, values = {0}, origins = {0};
    for (const char *const *s = settings; s && *s; s++) {
        STOQ_AUTOFREE char *key = strdup(*s);
        char *value = strchr(key, '=');
        *value++ = '\0';
        ck_assert_int_eq(stoq_strv_add(&keys, key), 0);
        ck_assert_int_eq(stoq_strv_add(&values, value), 0);
        ck_assert_int_eq(stoq_strv_add(&origins, "test.cfg:1"), 0);
    }
    const struct stoq_option_source source = {
        .keys = stoq_strv_items(&keys),
        .values = stoq_strv_items(&values),
        .origins = stoq_strv_items(&origins),
        .count = keys.count,
    };
    int r = stoq_loaded_new(manifest_in(name), &source, in_dir("cache"), out, err);
    stoq_strv_fini(&keys);
    stoq_strv_fini(&values);
    stoq_strv_fini(&origins);
    return r;
}

/* ----------------------------------------------------------------------------- log */

void
log_begin(void)
{
    (void)fflush(stderr);
    saved_stderr = dup(2);
    int fd =
        open(in_dir("log"), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(dup2(fd, 2), 2);
    (void)close(fd);
}

const char *
log_end(void)
{
    size_t size = 0;
    ck_assert_int_eq(dup2(saved_stderr, 2), 2);
    (void)close(saved_stderr);
    free(log_text);
    ck_assert_int_eq(stoq_read_file(in_dir("log"), 1U << 20, &log_text, &size, NULL),
                     0);
    return log_text;
}

int
run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
