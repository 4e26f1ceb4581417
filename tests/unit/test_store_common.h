/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_STORE_COMMON_H
#define TEST_STORE_COMMON_H

/* What the store's tests share: a private directory and records to put. */

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/store.h"
#include "util/auto.h"
#include "util/log.h"

static char dir[64];

static inline int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline void
set_up_dir(void)
{
    struct stoq_log_config log = {.level = STOQ_LEVEL_ERROR, .ident = "test"};
    struct stoq_error err = {0};

    ck_assert_int_eq(stoq_log_setup(&log, &err), 0);
    (void)snprintf(dir, sizeof dir, "/tmp/stoq-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static inline void
remove_dir(void)
{
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* DIR/NAME in a static buffer. */
static inline const char *
in_dir(const char *name)
{
    static char path[512];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static inline struct stoq_store *
open_store(struct stoq_store_report *report)
{
    struct stoq_store_report unused = {0};
    struct stoq_store *store = NULL;
    struct stoq_error err = {0};

    ck_assert_msg(stoq_store_open(dir, &store, report ? report : &unused, &err) == 0,
                  "%s", err.message);
    return store;
}

/* Record number @n: everything in it follows from the number. */
static inline struct stoq_record
record_of(uint64_t n)
{
    struct stoq_record r = {
        .id = {.dev = 7,
               .ino = n,
               .size = n * 3,
               .mtime_ns = (int64_t)n + 11,
               .ctime_ns = (int64_t)n + 12},
        .engine_id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        .verdict = STOQ_VERDICT_CLEAN,
        .has_sha256 = true,
        .reusable = true,
        .time_ns = (int64_t)n + 13,
    };

    (void)snprintf(r.scan_id, sizeof r.scan_id, "00000000-0000-4000-8000-%012llx",
                   (unsigned long long)n);
    for (size_t i = 0; i < sizeof r.sha256; i++)
        r.sha256[i] = (uint8_t)(n >> (8 * (i % 8)));
    return r;
}

/* Its document, in a buffer of 64 bytes. */
static inline size_t
document_of(uint64_t n, char text[64])
{
    return (size_t)snprintf(text, 64, "{\"scan\": %llu}\n", (unsigned long long)n);
}

static inline void
put(struct stoq_store *store, const struct stoq_record *record, uint64_t n,
    const char *const *connectors)
{
    char text[64];
    size_t size = document_of(n, text);

    ck_assert_int_eq(stoq_store_put(store, record, text, size, connectors, NULL, NULL),
                     0);
}

static inline void
put_number(struct stoq_store *store, uint64_t n)
{
    struct stoq_record record = record_of(n);

    put(store, &record, n, NULL);
}

/* The document of scan @scan_id is that of number @n. */
static inline void
assert_document(struct stoq_store *store, const char *scan_id, uint64_t n)
{
    STOQ_AUTOFREE char *text = NULL;
    char expected[64];
    size_t size = 0;

    ck_assert_int_eq(stoq_store_document(store, scan_id, &text, &size), 0);
    ck_assert_uint_eq(size, document_of(n, expected));
    ck_assert_str_eq(text, expected);
}

static inline void
assert_no_document(struct stoq_store *store, const char *scan_id)
{
    char *text = NULL;
    size_t size = 0;

    ck_assert_int_eq(stoq_store_document(store, scan_id, &text, &size), -ENOENT);
    ck_assert_ptr_null(text);
}

/* Run the suite of one case with @tests, dying loudly. */
static inline int
run_case(const char *name, const TTest *const *tests, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(tcase, 90);
    tcase_add_checked_fixture(tcase, set_up_dir, remove_dir);
    for (size_t i = 0; i < count; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
