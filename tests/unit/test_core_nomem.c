/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Memory that runs out in a scan, at each allocation in turn: for one call, or from
 * then on. The scan fails with -ENOMEM, or its document says that something is missing;
 * what it calls clean is what a scan with enough memory says. The allocators here take
 * the place of the C library's for the whole process, plugins included, so this test is
 * not for sanitizers, which do the same.
 */

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "test_core_fixture.h"
#include "core/core.h"
#include "util/auto.h"

#define ROUNDS_MAX 20000
#define TEXT       "alpha|beta|gamma"

static atomic_long left = -1; /* allocations that still succeed; < 0 = all */
static atomic_bool once;      /* only one fails */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static bool
fails(void)
{
    long n = atomic_load(&left);
    if (n < 0)
        return false;
    if (n > 0) {
        atomic_store(&left, n - 1);
        return false;
    }
    if (atomic_load(&once))
        atomic_store(&left, -1);
    errno = ENOMEM;
    return true;
}

void *
malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t size)
{
    return fails() ? NULL : __libc_realloc(p, size);
}

STOQ_DEFINE_AUTO(stoq)
STOQ_DEFINE_AUTO(stoq_response)

static int
scan_with(struct stoq *stoq, long allowed, struct stoq_response **out,
          struct stoq_error *err)
{
    atomic_store(&left, allowed);
    int r = stoq_scan(stoq, TEXT, strlen(TEXT), NULL, NULL, out, err);
    bool all_used =
        atomic_load(&once) ? atomic_load(&left) < 0 : atomic_load(&left) == 0;
    atomic_store(&left, -1);
    ck_assert_msg(r == 0 || !*out, "a failed scan left a response");
    return r < 0 ? r : all_used ? 1 : 0;
}

static const char *
verdict_in(const struct stoq_response *response)
{
    const json_t *doc = stoq_response_document(response);
    return json_string_value(json_object_get(doc, "verdict"));
}

static void
check_clean(const struct stoq_response *response, const json_t *whole, long n)
{
    json_t *doc = plain(response);
    if (!json_equal(doc, whole)) {
        char *text = json_dumps(doc, 0);
        ck_abort_msg("allocation %ld: called clean: %s", n, text);
    }
    json_decref(doc);
}

/* Loop: with one failure, with all from then on. */
START_TEST(test_scan)
{
    STOQ_AUTO(stoq) stoq = ENGINE("core.always_dispatch=hash, entropy, g_split");
    STOQ_AUTO(stoq_response) first = scan_text(stoq, TEXT, "");
    json_t *whole = plain(first);
    ck_assert_str_eq(verdict_in(first), "clean");
    long n = 0, failed = 0, told = 0;
    atomic_store(&once, _i == 0);
    for (int r = 1; r != 0 && n < ROUNDS_MAX; n++) {
        STOQ_AUTO(stoq_response) response = NULL;
        struct stoq_error err = {0};
        r = scan_with(stoq, n, &response, &err);
        if (r < 0) {
            ck_assert_msg(r == -ENOMEM, "allocation %ld: %d %s", n, r, err.message);
            failed++;
        } else if (strcmp(verdict_in(response), "clean") == 0) {
            check_clean(response, whole, n);
        } else {
            ck_assert_uint_gt(json_array_size(json_object_get(
                                  stoq_response_document(response), "errors")),
                              0);
            told++;
        }
    }
    ck_assert_int_lt(n, ROUNDS_MAX);
    ck_assert_int_gt(n, 100);
    ck_assert_int_gt(failed + told, n / 2);
    json_decref(whole);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, test_scan, 0, 2);
}

int
main(void)
{
    return run_suite("core_nomem", fill);
}
