/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_COURIER_COMMON_H
#define TEST_COURIER_COMMON_H

/* What the courier's tests share: a private directory, a configuration with the test
 * plugin under its names, couriers, and documents to give them. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/engine.h"
#include "courier/courier.h"
#include "store/store.h"
#include "util/auto.h"
#include "util/io.h"
#include "util/json.h"
#include "util/log.h"

#define LOAD_MS 20000

static char dir[64];
static struct stoq_config *config;

/* Poll with a deadline. */
#define EVENTUALLY(condition)                        \
    do {                                             \
        uint64_t end_ = stoq_now_ms() + 30000;       \
        while (!(condition) && stoq_now_ms() < end_) \
            (void)usleep(1000);                      \
        ck_assert(condition);                        \
    } while (0)

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void
set(const char *section, const char *key, const char *value)
{
    struct stoq_error err = {0};

    ck_assert_msg(stoq_config_set(config, section, key, value, &err) == 0, "%s",
                  err.message);
}

static void
set_up(void)
{
    static const char *const names[] = {"sink", "other", "keep", "mark"};
    struct stoq_log_config log = {.level = STOQ_LEVEL_ERROR, .ident = "test"};
    struct stoq_error err = {0};

    ck_assert_int_eq(stoq_log_setup(&log, &err), 0);
    (void)snprintf(dir, sizeof dir, "/tmp/stoq-courier-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(stoq_config_new(&config, &err), 0);
    set("core", "plugin_dir_list", BUILD_DIR "/tests/courier_plugins");
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(names); i++)
        set(names[i], "dir", dir);
}

static void
tear_down(void)
{
    stoq_config_free(config);
    config = NULL;
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* DIR/NAME in a static buffer. */
static const char *
in_dir(const char *name)
{
    static char path[512];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void
touch(const char *name)
{
    int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(close(fd), 0);
}

static struct stoq_courier
start_courier(void)
{
    struct stoq_courier c = {.control = -1};
    struct stoq_error err = {0};
    char db[128];

    (void)snprintf(db, sizeof db, "%s/stoq.db", dir);
    ck_assert_msg(stoq_courier_spawn(config, db, "test", &c, &err) == 0, "%s",
                  err.message);
    ck_assert_msg(stoq_courier_wait(&c, LOAD_MS, &err) == 0, "%s", err.message);
    return c;
}

/* Kill @c as the kernel would, and reap it. */
static inline void
kill_courier(struct stoq_courier *c)
{
    int status;

    ck_assert_int_eq(kill(c->pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(c->pid, &status, 0), c->pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    stoq_auto_close(&c->control);
    c->pid = 0;
}

static void
scan_id_of(uint64_t n, char id[STOQ_UUID_SIZE])
{
    (void)snprintf(id, STOQ_UUID_SIZE, "00000000-0000-4000-8000-%012llx",
                   (unsigned long long)n);
}

/* A response with one root of @size bytes, under scan id number @n; caller frees. */
static char *
document_of(uint64_t n, uint64_t size)
{
    struct stoq_payload_meta meta = STOQ_PAYLOAD_META_INIT;
    struct stoq_response *response = NULL;
    struct stoq_error err = {0};
    char id[STOQ_UUID_SIZE];
    char *text;

    scan_id_of(n, id);
    ck_assert_msg(stoq_response_failed(&meta, size, STOQ_VERDICT_ERROR, NULL, "a test",
                                       &response, &err) == 0,
                  "%s", err.message);
    text = stoq_response_text(response, false);
    ck_assert_ptr_nonnull(text);
    memcpy(strstr(text, stoq_response_scan_id(response)), id, STOQ_UUID_SIZE - 1);
    stoq_response_free(response);
    return text;
}

/* Run the suite of one case. */
static int
run_case(const char *name, const TTest *const *tests, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(tcase, 110);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    for (size_t i = 0; i < count; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
