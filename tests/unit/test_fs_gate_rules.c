/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The gate's two rules, as tables: what a reader gets for an answer, and which results
 * may be trusted again.
 */

#include <check.h>

#include "core/config.h"
#include "fs_gate_fakes.h"
#include "util/auto.h"

static const struct {
    struct stoqfs_answer answer;
    bool enforce;
    int expected;
} policies[] = {
    {{.known = true, .verdict = STOQ_VERDICT_CLEAN}, true, 0},
    {{.known = true, .verdict = STOQ_VERDICT_SKIPPED}, true, 0},
    {{.known = true, .verdict = STOQ_VERDICT_PARTIAL}, true, EIO},
    {{.known = true, .verdict = STOQ_VERDICT_ERROR}, true, EIO},
    {{.known = true, .verdict = STOQ_VERDICT_TIMEOUT}, true, ETIMEDOUT},
    {{.known = true, .verdict = STOQ_VERDICT_FLAGGED}, true, EPERM},
    {{.known = false, .verdict = STOQ_VERDICT_TIMEOUT}, true, ETIMEDOUT},
    {{.known = false, .verdict = STOQ_VERDICT_CLEAN}, true, EIO},
    {{.status = -ENOMEM, .verdict = STOQ_VERDICT_CLEAN}, true, EIO},
    {{.status = -ENOMEM}, false, 0},
    {{.status = -EINTR}, true, EINTR},
    {{.status = -EINTR}, false, EINTR},
    {{.known = true, .verdict = STOQ_VERDICT_FLAGGED}, false, 0},
    {{.known = false, .verdict = STOQ_VERDICT_TIMEOUT}, false, 0},
};

START_TEST(policy)
{
    struct stoq_config config = {0};
    struct stoqfs_options options = {.enforce = policies[_i].enforce,
                                     .config = &config};
    const struct stoqfs fs = {.options = &options};
    config.policy.deny[STOQ_VERDICT_FLAGGED] = true;
    config.policy.deny[STOQ_VERDICT_ERROR] = true;
    config.policy.deny[STOQ_VERDICT_TIMEOUT] = true;
    config.policy.deny[STOQ_VERDICT_PARTIAL] = true;
    ck_assert_int_eq(stoqfs_gate_policy(&fs, &policies[_i].answer),
                     policies[_i].expected);
}
END_TEST

#define MS INT64_C(1000000)
static const struct {
    int64_t mtime, ctime, begin;
    bool trusted;
} rules[] = {
    {1 * MS + 1, 1 * MS + 1, 11 * MS + 1, true},
    {1 * MS + 1, 1 * MS + 1, 11 * MS, false},
    {0, 5 * MS + 1, 14 * MS, false}, /* ctime is the newer one */
    {5 * MS + 1, 1, 14 * MS, false}, /* mtime is */
    {5 * MS + 1, 1, 15 * MS + 1, true},
    {9000 * MS + 1, 1, 100 * MS, true},              /* set by hand to the future */
    {9000 * MS + 1, 9000 * MS + 1, 100 * MS, false}, /* a clock that went back */
    {1000 * MS, 1000 * MS, 2999 * MS, false},        /* whole seconds */
    {1000 * MS, 1000 * MS, 3000 * MS, true},
};

START_TEST(racy_rule)
{
    const struct stoq_identity id = {.mtime_ns = rules[_i].mtime,
                                     .ctime_ns = rules[_i].ctime};
    ck_assert_int_eq(gate_trusted(&id, rules[_i].begin), rules[_i].trusted);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("fs_gate_rules");
    TCase *t = tcase_create("rules");
    tcase_add_loop_test(t, policy, 0, (int)STOQ_ARRAY_SIZE(policies));
    tcase_add_loop_test(t, racy_rule, 0, (int)STOQ_ARRAY_SIZE(rules));
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
