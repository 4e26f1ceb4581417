/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Names of verdicts, as they stand in documents and in [policy]. No state.
 */

#include <errno.h>
#include <string.h>

#include <stoq/stoq.h>

#include "util/auto.h"

static const char *const names[STOQ_VERDICT_COUNT] = {"clean", "skipped", "partial",
                                                      "error", "timeout", "flagged"};

const char *
stoq_verdict_name(enum stoq_verdict verdict)
{
    unsigned i = (unsigned)verdict;
    return i < STOQ_ARRAY_SIZE(names) ? names[i] : "unknown";
}

int
stoq_verdict_parse(const char *name, enum stoq_verdict *out)
{
    for (unsigned i = 0; i < STOQ_ARRAY_SIZE(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum stoq_verdict)i;
            return 0;
        }
    }
    return -EINVAL;
}
