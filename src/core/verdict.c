/* SPDX-License-Identifier: Apache-2.0 */

/* Verdicts from faults and policy; see verdict.h. */

#include "core/verdict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/auto.h"

enum stoq_verdict
stoq_verdict_of(unsigned faults, bool flagged)
{
    if (flagged)
        return STOQ_VERDICT_FLAGGED;
    if (faults & STOQ_FAULT_TIMEOUT)
        return STOQ_VERDICT_TIMEOUT;
    if (faults & STOQ_FAULT_ERROR)
        return STOQ_VERDICT_ERROR;
    if (faults & STOQ_FAULT_LIMIT)
        return STOQ_VERDICT_PARTIAL;
    return faults & STOQ_FAULT_SKIP ? STOQ_VERDICT_SKIPPED : STOQ_VERDICT_CLEAN;
}

/* Undo ~1 and ~0 in one token, in place. */
static void
unescape(char *token)
{
    char *to = token;
    for (const char *from = token; *from; from++) {
        char c = *from;
        if (c == '~' && (from[1] == '0' || from[1] == '1'))
            c = *++from == '0' ? '~' : '/';
        *to++ = c;
    }
    *to = '\0';
}

static const json_t *
step(const json_t *json, const char *token)
{
    if (json_is_object(json))
        return json_object_get(json, token);
    if (!json_is_array(json) || token[0] < '0' || token[0] > '9')
        return NULL;
    char *end;
    unsigned long long index = strtoull(token, &end, 10);
    return *end ? NULL : json_array_get(json, (size_t)index);
}

const json_t *
stoq_json_pointer(const json_t *json, const char *pointer)
{
    if (*pointer != '\0' && *pointer != '/')
        return NULL;
    STOQ_AUTOFREE char *copy = strdup(pointer);
    char *rest = copy && *copy ? copy + 1 : NULL;
    if (!copy)
        return NULL;
    while (json && rest) {
        char *token = strsep(&rest, "/");
        unescape(token);
        json = step(json, token);
    }
    return json;
}

/* Something is there: a number, true, or a string or container with content. */
static bool
says_something(const json_t *value)
{
    if (!value)
        return false;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return json_object_size(value) > 0;
    case JSON_ARRAY:
        return json_array_size(value) > 0;
    case JSON_STRING:
        return json_string_length(value) > 0;
    case JSON_INTEGER:
    case JSON_REAL:
    case JSON_TRUE:
        return true;
    case JSON_FALSE:
    case JSON_NULL:
    default:
        return false;
    }
}

static int
add_flag(json_t *flags, const struct stoq_flag_rule *rule, const json_t *entry)
{
    json_t *flag = json_object();
    int rc = json_object_set_new(flag, "worker", json_string(rule->worker));
    rc |= json_object_set(flag, "payload_id", json_object_get(entry, "payload_id"));
    rc |= json_object_set_new(flag, "pointer", json_string(rule->pointer));
    if (rc != 0) {
        json_decref(flag);
        return -ENOMEM;
    }
    return json_array_append_new(flags, flag) < 0 ? -ENOMEM : 0;
}

json_t *
stoq_verdict_flags(const struct stoq_policy *policy, const json_t *results)
{
    json_t *flags = json_array();
    size_t i;
    json_t *entry;
    json_array_foreach (results, i, entry) {
        const json_t *workers = json_object_get(entry, "workers");
        for (size_t k = 0; k < policy->flag_count; k++) {
            const struct stoq_flag_rule *rule = &policy->flags[k];
            const json_t *result = json_object_get(workers, rule->worker);
            if (!result || !says_something(stoq_json_pointer(result, rule->pointer)))
                continue;
            if (add_flag(flags, rule, entry) < 0) {
                json_decref(flags);
                return NULL;
            }
        }
    }
    return flags;
}
