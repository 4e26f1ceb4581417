/* SPDX-License-Identifier: Apache-2.0 */

/*
 * clamav: what is found with a few signatures of the test's own, what limits tell, bad
 * databases, and what is left of temporary files.
 */

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugins_support.h"
#include "util/auto.h"
#include "util/io.h"

#define SAMPLES SOURCE_DIR "/plugins/clamav/selftest"
#define WHOLE   "the whole of this text is known\n"

/* The plugin with the signatures of the self-tests and up to two options more. */
static int
load_with(const char *a, const char *b, struct stoq_loaded **p, struct stoq_error *err)
{
    char tmp[600];
    (void)snprintf(tmp, sizeof tmp, "tmp_dir=%s", test_dir);
    const char *options[] = {"database=" SAMPLES, tmp, a, b, NULL};
    /* the first one of a name counts */
    if (a && strncmp(a, "database=", 9) == 0)
        options[0] = "pua=False";
    if (a && strncmp(a, "tmp_dir=", 8) == 0)
        options[1] = "pua=False";
    return load("clamav", options, NULL, p, err);
}

static struct stoq_loaded *
loaded_with(const char *a, const char *b)
{
    struct stoq_loaded *p = NULL;
    struct stoq_error err = {0};
    int r = load_with(a, b, &p, &err);
    ck_assert_msg(r == 0, "%s", err.message);
    return p;
}

static char *
sample(const char *name, size_t *size)
{
    char *data = NULL;
    char path[600];
    (void)snprintf(path, sizeof path, "%s/%s", SAMPLES, name);
    ck_assert_int_eq(stoq_read_file(path, 1 << 20, &data, size, NULL), 0);
    return data;
}

#define CLEAN "{\"infected\": false, \"signature\": null}"
#define FOUND(name) \
    "{\"infected\": true, \"signature\": \"Stoq.Test." name ".UNOFFICIAL\"}"

static const struct {
    const char *text, *file, *option, *result;
} cases[] = {
    {"here is STOQ-TEST-MARKER in a text", NULL, NULL, FOUND("Marker")},
    {WHOLE, NULL, NULL, FOUND("Whole")},
    {WHOLE "x", NULL, NULL, CLEAN},
    {"nothing is known of this", NULL, NULL, CLEAN},
    {"", NULL, NULL, CLEAN},
    {"x", NULL, NULL, CLEAN},
    {NULL, "marker.zip", NULL, FOUND("Marker")},
    {NULL, "nested.zip", NULL, FOUND("Marker")},
    {NULL, "marker.zip", "archives=False", CLEAN},
    {"here is STOQ-TEST-MARKER in a text", NULL, "archives=False", FOUND("Marker")},
    {NULL, "nested.zip", "all_matches=True",
     "{\"infected\": true, \"signature\": \"Stoq.Test.Marker.UNOFFICIAL\", "
     "\"signatures\": "
     "[\"Stoq.Test.Marker.UNOFFICIAL\"]}"},
    {"nothing is known of this", NULL, "all_matches=True",
     "{\"infected\": false, \"signature\": null, \"signatures\": []}"},
};

START_TEST(test_cases)
{
    struct stoq_loaded *p = loaded_with(cases[_i].option, NULL);
    size_t size = cases[_i].text ? strlen(cases[_i].text) : 0;
    STOQ_AUTOFREE char *data =
        cases[_i].file ? sample(cases[_i].file, &size) : strdup(cases[_i].text);
    CHECK_TEXT(scanned(p, data, size, NULL), cases[_i].result);
    stoq_loaded_free(p);
}
END_TEST

/* What was not looked at is no finding, and is told. */
static const struct {
    const char *option, *file, *limit;
} limits[] = {
    {"max_filesize=100", "marker.zip", "clamav_MaxFileSize"},
    {"max_scansize=100", "marker.zip", "clamav_MaxScanSize"},
    {"max_recursion=2", "nested.zip", "clamav_MaxRecursion"},
    {"max_files=2", "nested.zip", "clamav_MaxFiles"},
};

START_TEST(test_limits)
{
    struct stoq_loaded *p = loaded_with(limits[_i].option, NULL);
    struct stoq_reply reply;
    struct stoq_error err = {0};
    size_t size;
    STOQ_AUTOFREE char *data = sample(limits[_i].file, &size);
    ck_assert_msg(scan(p, data, size, NULL, &reply, &err) == 0, "%s", err.message);
    CHECK_TEXT(json_dumps(reply.results, 0), CLEAN);
    ck_assert_uint_eq(reply.hit_count, 1);
    ck_assert_str_eq(reply.hits[0].name, limits[_i].limit);
    ck_assert_uint_eq(reply.hits[0].value, size);
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
}
END_TEST

/* An archive that ends anywhere neither crashes nor hangs. */
START_TEST(test_truncated)
{
    struct stoq_loaded *p = loaded_with(NULL, NULL);
    size_t size;
    STOQ_AUTOFREE char *data = sample("nested.zip", &size);
    for (size_t n = 0; n < size; n++) {
        struct stoq_reply reply;
        struct stoq_error err = {0};
        STOQ_AUTOFREE char *part = malloc(n + 1);
        memcpy(part, data, n);
        ck_assert_msg(scan(p, part, n, NULL, &reply, &err) == 0, "%zu: %s", n,
                      err.message);
        stoq_reply_fini(&reply);
    }
    stoq_loaded_free(p);
}
END_TEST

/* ------------------------------------------------------------------------ database */

static const struct {
    const char *name, *content; /* a file of the database; NULL = no directory */
    int code;
    const char *message;
} bad[] = {
    {NULL, NULL, -ENOENT, ": No such file or directory; freshclam(1) gets one"},
    {"", NULL, -ENOENT, ": there are no signatures; freshclam(1) gets them"},
    {"notes.txt", "x", -ENOENT, ": there are no signatures; freshclam(1) gets them"},
    {"x.ndb", "garbage\n", -EINVAL, ": Malformed database"},
    {"x.cvd", "ClamAV-VDB:garbage", -EINVAL, "database "},
};

START_TEST(test_bad_database)
{
    struct stoq_loaded *p = NULL;
    struct stoq_error err = {0};
    char option[600];
    (void)snprintf(option, sizeof option, "database=%s", in_dir("db"));
    if (bad[_i].name)
        ck_assert_int_eq(mkdir(in_dir("db"), 0755), 0);
    if (bad[_i].content) {
        char name[64];
        (void)snprintf(name, sizeof name, "db/%s", bad[_i].name);
        put_file(name, bad[_i].content);
    }
    ck_assert_int_eq(load_with(option, NULL, &p, &err), bad[_i].code);
    ck_assert_msg(strstr(err.message, bad[_i].message), "%s", err.message);
}
END_TEST

START_TEST(test_database_is_a_file)
{
    struct stoq_loaded *p = NULL;
    struct stoq_error err = {0};
    ck_assert_int_eq(load_with("database=/dev/null", NULL, &p, &err), -ENOTDIR);
}
END_TEST

/* Results under other signatures are other results. */
START_TEST(test_identity)
{
    uint8_t ids[3][STOQ_SHA256_SIZE];
    char option[600];
    (void)snprintf(option, sizeof option, "database=%s", in_dir("db"));
    for (int i = 0; i < 3; i++) {
        put_file("db/a.ndb", i == 1 ? "B:0:*:62626262626262626262\n"
                                    : "A:0:*:61616161616161616161\n");
        struct stoq_loaded *p = loaded_with(option, NULL);
        ck_assert(stoq_loaded_content_only(p));
        CHECK_TEXT(fact(p, "database", "signatures"), "1");
        CHECK_TEXT(fact(p, "database", "files"), "{}");
        stoq_loaded_identity(p, ids[i]);
        stoq_loaded_free(p);
    }
    ck_assert_mem_ne(ids[0], ids[1], sizeof ids[0]);
    ck_assert_mem_eq(ids[0], ids[2], sizeof ids[0]);
}
END_TEST

/* ----------------------------------------------------------------- temporary files */

static int
entries(const char *name)
{
    DIR *d = opendir(in_dir(name));
    ck_assert_ptr_nonnull(d);
    int n = 0;
    for (const struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    (void)closedir(d);
    return n;
}

/* What a scanner that was killed leaves behind, the next one removes. */
START_TEST(test_leftovers)
{
    char base[64];
    (void)snprintf(base, sizeof base, "stoq-clamav-%u", (unsigned)geteuid());
    struct stoq_loaded *p = loaded_with(NULL, NULL);
    ck_assert_int_eq(entries(base), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        free(scanned(p, WHOLE, strlen(WHOLE), NULL));
        (void)raise(SIGKILL);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(WTERMSIG(status), SIGKILL);
    ck_assert_int_eq(entries(base), 1);
    CHECK_TEXT(scanned(p, WHOLE, strlen(WHOLE), NULL), FOUND("Whole"));
    ck_assert_int_eq(entries(base), 1);
    /* another process leaves a living one's alone */
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        free(scanned(p, WHOLE, strlen(WHOLE), NULL));
        _exit(entries(base) == 2 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    size_t size;
    STOQ_AUTOFREE char *data = sample("nested.zip", &size);
    CHECK_TEXT(scanned(p, data, size, NULL), FOUND("Marker"));
    stoq_loaded_free(p);
    ck_assert_int_eq(entries(base), 1); /* the child's */
    p = loaded_with(NULL, NULL);
    CHECK_TEXT(scanned(p, WHOLE, strlen(WHOLE), NULL), FOUND("Whole"));
    stoq_loaded_free(p);
    ck_assert_int_eq(entries(base), 0);
}
END_TEST

START_TEST(test_bad_tmp)
{
    struct stoq_loaded *p = NULL;
    struct stoq_error err = {0};
    char base[64];
    (void)snprintf(base, sizeof base, "stoq-clamav-%u", (unsigned)geteuid());
    ck_assert_int_eq(load_with("tmp_dir=/nonexistent", NULL, &p, &err), -ENOENT);
    ck_assert_int_eq(mkdir(in_dir(base), 0755), 0);
    ck_assert_int_eq(chmod(in_dir(base), 0755), 0);
    stoq_error_clear(&err);
    ck_assert_int_eq(load_with(NULL, NULL, &p, &err), -EPERM);
    ck_assert_ptr_nonnull(strstr(err.message, "is not a directory of this user alone"));
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, test_cases, 0, (int)(sizeof cases / sizeof *cases));
    tcase_add_loop_test(tc, test_limits, 0, (int)(sizeof limits / sizeof *limits));
    tcase_add_test(tc, test_truncated);
    tcase_add_loop_test(tc, test_bad_database, 0, (int)(sizeof bad / sizeof *bad));
    tcase_add_test(tc, test_database_is_a_file);
    tcase_add_test(tc, test_identity);
    tcase_add_test(tc, test_leftovers);
    tcase_add_test(tc, test_bad_tmp);
}

int
main(void)
{
    return run_suite("plugins_clamav", fill);
}
