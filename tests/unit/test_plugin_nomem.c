/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Memory that runs out at each allocation in turn: the call says -ENOMEM, leaves its
 * output alone and leaks nothing. The linker gives our objects these allocators;
 * jansson is told of them.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "test_plugin_support.h"
#include "util/auto.h"

#define ROUNDS_MAX 2000

static long left = -1; /* allocations that still succeed; < 0 = all */

static bool
fails(void)
{
    if (left < 0)
        return false;
    if (left == 0)
        return true;
    left--;
    return false;
}

/* what --wrap calls the real ones */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *text);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *text);

void *
__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t size)
{
    return fails() ? NULL : __real_realloc(p, size);
}

char *
__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

static void
begin(void)
{
    set_up();
    put_plugin("p", "probe", "probe", "wanted = a, b\nsecret = s\n");
}

START_TEST(catalogue)
{
    struct stoq_strv dirs = {0};
    ck_assert_int_eq(stoq_strv_add(&dirs, in_dir("p")), 0);
    int r = -ENOMEM;
    long n = 0;
    for (; r == -ENOMEM && n < ROUNDS_MAX; n++) {
        struct stoq_catalogue *c = NULL;
        left = n;
        r = stoq_catalogue_new(&dirs, &c, NULL);
        left = -1;
        ck_assert_int_eq(c != NULL, r == 0);
        ck_assert_msg(r == 0 || r == -ENOMEM, "allocation %ld: %d", n, r);
        if (c)
            ck_assert_uint_eq(stoq_catalogue_count(c), 1);
        stoq_catalogue_free(c);
    }
    ck_assert_int_eq(r, 0);
    ck_assert_int_gt(n, 10);
    stoq_strv_fini(&dirs);
}
END_TEST

START_TEST(load_and_call)
{
    const struct stoq_manifest *m = manifest_in("p");
    const char *const keys[] = {"do", "count"}, *const values[] = {"extract", "2"};
    const struct stoq_option_source source = {keys, values, NULL, 2};
    struct stoq_payload payload = {.data = ""};
    int r = -ENOMEM;
    long n = 0;
    for (; r == -ENOMEM && n < ROUNDS_MAX; n++) {
        struct stoq_loaded *p = NULL;
        struct stoq_error err = {0};
        struct stoq_reply reply;
        stoq_reply_init(&reply, 100, 100);
        left = n;
        r = stoq_loaded_new(m, &source, NULL, &p, &err);
        bool loaded = r == 0;
        if (loaded)
            r = stoq_call_scan(p, &payload, NULL, &reply, &err);
        left = -1; /* before asserting: libcheck allocates too */
        ck_assert_int_eq(p != NULL, loaded);
        ck_assert_msg(r == 0 || r == -ENOMEM, "allocation %ld: %d %s", n, r,
                      err.message);
        ck_assert_uint_eq(reply.child_count, r == 0 ? 2 : 0);
        stoq_reply_fini(&reply);
        stoq_loaded_free(p);
    }
    ck_assert_int_eq(r, 0);
    ck_assert_int_gt(n, 50);
}
END_TEST

int
main(void)
{
    json_set_alloc_funcs(__wrap_malloc, free);
    Suite *suite = suite_create("plugin_nomem");
    TCase *tc = tcase_create("nomem");
    tcase_add_checked_fixture(tc, begin, tear_down);
    tcase_add_test(tc, catalogue);
    tcase_add_test(tc, load_and_call);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
