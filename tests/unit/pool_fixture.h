/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_TEST_POOL_FIXTURE_H
#define STOQ_TEST_POOL_FIXTURE_H

/* What the pool's tests share: a configuration with the build tree's plugins, a zygote
 * and a pool of it, payloads in memfds, and a box that outcomes fall into. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "core/engine.h"
#include "pool/pool.h"
#include "util/auto.h"
#include "util/io.h"
#include "util/json.h"

#define WAIT_MS 30000U

/** One job's end. */
struct box {
    struct stoq_outcome *outcome;
    unsigned order; /* 1 for the first that ended */
};

static pthread_mutex_t box_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned box_count; /* guarded by box_lock */

static void STOQ_UNUSED
box_done(void *arg, struct stoq_outcome *outcome, int fd)
{
    struct box *box = arg;

    ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
    (void)pthread_mutex_lock(&box_lock);
    ck_assert_ptr_null(box->outcome);
    box->outcome = outcome;
    box->order = ++box_count;
    (void)pthread_mutex_unlock(&box_lock);
}

static void STOQ_UNUSED
box_clear(struct box *box)
{
    stoq_outcome_free(box->outcome);
    box->outcome = NULL;
}

static int STOQ_UNUSED
memfd_of(const void *data, size_t size)
{
    int fd = memfd_create("payload", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(stoq_write_full(fd, data, size), 0);
    return fd;
}

static struct stoq_config *
new_config(const char *always)
{
    static const char *const dirs[] = {BUILD_DIR "/plugins",
                                       BUILD_DIR "/tests/pool_plugins"};
    struct stoq_config *config = NULL;
    struct stoq_error err = {.code = 0};

    ck_assert_msg(stoq_config_new(&config, &err) == 0, "%s", err.message);
    ck_assert_msg(
        stoq_config_set_list(config, "core", "plugin_dir_list", dirs, 2, &err) == 0,
        "%s", err.message);
    ck_assert_msg(stoq_config_set(config, "core", "always_dispatch", always, &err) == 0,
                  "%s", err.message);
    return config;
}

/** Everything a test of a running pool has. */
struct bench {
    struct stoq_config *config;
    struct stoq_zygote zygote;
    char engine_id[STOQ_SHA256_HEX];
    struct stoq_pool *pool;
};

static void STOQ_UNUSED
start_zygote(const struct stoq_config *config, struct stoq_zygote *z)
{
    struct stoq_error err = {.code = 0};

    ck_assert_msg(stoq_zygote_spawn(config, NULL, NULL, z, &err) == 0, "%s",
                  err.message);
    ck_assert_msg(stoq_zygote_wait(z, (int)WAIT_MS, &err) == 0, "%s", err.message);
}

static void STOQ_UNUSED
start_pool(struct bench *b, const struct stoq_pool_config *extra)
{
    struct stoq_pool_config config = *extra;
    struct stoq_error err = {.code = 0};

    config.config = b->config;
    config.zygote_fd = b->zygote.control;
    config.engine_id = b->zygote.engine_id;
    memcpy(b->engine_id, b->zygote.engine_id, sizeof(b->engine_id));
    b->zygote.control = -1;
    ck_assert_msg(stoq_pool_new(&config, &b->pool, &err) == 0, "%s", err.message);
}

/** A zygote with workers @p always and a pool of @p scanners. */
static void STOQ_UNUSED
start_bench(struct bench *b, const char *always, unsigned scanners)
{
    struct stoq_pool_config config = {.scanners = scanners};

    memset(b, 0, sizeof(*b));
    b->config = new_config(always);
    start_zygote(b->config, &b->zygote);
    start_pool(b, &config);
}

static void STOQ_UNUSED
stop_bench(struct bench *b)
{
    stoq_pool_free(b->pool);
    stoq_zygote_end(&b->zygote);
    stoq_config_free(b->config);
}

static void STOQ_UNUSED
submit(struct bench *b, const struct stoq_job_spec *spec, struct box *box)
{
    struct stoq_job_spec copy = *spec;

    copy.done = box_done;
    if (!copy.arg)
        copy.arg = box;
    ck_assert_int_eq(stoq_pool_submit(b->pool, &copy, NULL), 0);
}

/** Submit the text and wait for the end. */
static void STOQ_UNUSED
scan_text(struct bench *b, const char *text, struct box *box)
{
    struct stoq_job_spec spec = {.fd = memfd_of(text, strlen(text)), .filename = "f"};

    submit(b, &spec, box);
    ck_assert_int_eq(stoq_pool_drain(b->pool, WAIT_MS), 0);
    ck_assert_ptr_nonnull(box->outcome);
}

static json_t *
document_of(const struct box *box)
{
    struct stoq_error err = {.code = 0};
    json_t *json = NULL;

    ck_assert_uint_eq(strlen(box->outcome->document), box->outcome->document_size);
    json = stoq_json_parse(box->outcome->document, box->outcome->document_size, &err);
    ck_assert_msg(json != NULL, "%s", err.message);
    return json;
}

/** The first error of the document, which must have one. Points into static room. */
STOQ_UNUSED static const char *
error_of(const struct box *box)
{
    static char text[1024];
    json_t *json = document_of(box);
    const json_t *first = json_array_get(json_object_get(json, "errors"), 0);
    const char *error = stoq_json_string_of(first, "error");

    ck_assert_msg(error != NULL, "no error in %s", box->outcome->document);
    (void)snprintf(text, sizeof(text), "%s", error);
    json_decref(json);
    return text;
}

static void STOQ_UNUSED
assert_verdict(const struct box *box, enum stoq_verdict verdict)
{
    json_t *json = document_of(box);

    ck_assert_msg(box->outcome->verdict == verdict, "%s", box->outcome->document);
    ck_assert_str_eq(stoq_json_string_of(json, "verdict"), stoq_verdict_name(verdict));
    ck_assert_str_eq(stoq_json_string_of(json, "scan_id"), box->outcome->scan_id);
    json_decref(json);
}

/** The sha256 that worker hash found in root 0. Points into static room. */
STOQ_UNUSED static const char *
hash_of(const struct box *box)
{
    static char text[STOQ_SHA256_HEX];
    json_t *json = document_of(box);
    const json_t *root = json_array_get(json_object_get(json, "results"), 0);
    const json_t *hash = json_object_get(json_object_get(root, "workers"), "hash");
    const char *sha256 = stoq_json_string_of(hash, "sha256");

    ck_assert_msg(sha256 != NULL, "no hash in %s", box->outcome->document);
    (void)snprintf(text, sizeof(text), "%s", sha256);
    json_decref(json);
    return text;
}

STOQ_UNUSED static const char *
sha256_hex(const void *data, size_t size)
{
    static char text[STOQ_SHA256_HEX];
    uint8_t digest[STOQ_SHA256_SIZE];

    ck_assert_int_eq(stoq_sha256(data, size, digest), 0);
    stoq_hex(digest, sizeof(digest), text);
    return text;
}

/** Run a suite of one case. */
static int STOQ_UNUSED
run_suite(const char *name, const TTest *const *tests, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *tc = tcase_create(name);
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    for (size_t i = 0; i < count; i++)
        tcase_add_test(tc, tests[i]);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
