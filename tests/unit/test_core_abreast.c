/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Workers side by side on one large payload say what they say one after another on a
 * small one of the same shape.
 */

#include "test_core_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "core/abreast.h"
#include "util/auto.h"

STOQ_DEFINE_AUTO(stoq)
STOQ_DEFINE_AUTO(stoq_response)

static const char *const cases[][6] = {
    {"core.always_dispatch=g_error,g_split,simple_worker", "core.max_recursion=1"},
    {"core.always_dispatch=g_raise,g_split,simple_worker"},
    {"core.always_dispatch=g_peel,g_split", "core.max_recursion=1"},
    /* the second has less room than at the start of the round */
    {"core.always_dispatch=g_peel,g_split", "core.max_recursion=1",
     "limits.children=3"},
    {"core.always_dispatch=g_peel,g_split", "core.max_recursion=1",
     "limits.children=1"},
};

/* "a|b|xxx...", the last part of @p size bytes. */
static char *
text_of(size_t size)
{
    char *text = malloc(size + 5);
    ck_assert_ptr_nonnull(text);
    memcpy(text, "a|b|", 4);
    memset(text + 4, 'x', size);
    text[size + 4] = '\0';
    return text;
}

/* What does not depend on the size of the bytes. */
static char *
shape(const char *const *settings, size_t size)
{
    STOQ_AUTO(stoq) stoq = engine_with(settings);
    STOQ_AUTOFREE char *text = text_of(size);
    STOQ_AUTO(stoq_response) response = scan_text(stoq, text, "");
    json_t *doc = plain(response), *result;
    size_t i;
    json_array_foreach (json_object_get(doc, "results"), i, result) {
        json_t *peeled = json_object_get(json_object_get(result, "workers"), "g_peel");
        (void)json_object_del(peeled, "len");
        (void)json_object_del(result, "size");
    }
    char *out = json_dumps(doc, JSON_SORT_KEYS | JSON_INDENT(1));
    json_decref(doc);
    ck_assert_ptr_nonnull(out);
    return out;
}

START_TEST(as_one_after_another)
{
    STOQ_AUTOFREE char *small = shape(cases[_i], 100);
    STOQ_AUTOFREE char *large = shape(cases[_i], STOQ_ABREAST_BYTES);
    ck_assert_msg(strcmp(large, small) == 0, "%.1000s\n--- not\n%.1000s", large, small);
}
END_TEST

START_TEST(time_runs_out)
{
    STOQ_AUTO(stoq)
    stoq =
        ENGINE("core.always_dispatch=simple_worker,g_split", "limits.deadline=0.001");
    STOQ_AUTOFREE char *text = text_of(8 * STOQ_ABREAST_BYTES); /* hashed first */
    STOQ_AUTO(stoq_response) response = scan_text(stoq, text, "");
    ck_assert_int_eq(stoq_response_verdict(response), STOQ_VERDICT_TIMEOUT);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, as_one_after_another, 0, (int)STOQ_ARRAY_SIZE(cases));
    tcase_add_test(tc, time_runs_out);
}

int
main(void)
{
    return run_suite("core_abreast", fill);
}
