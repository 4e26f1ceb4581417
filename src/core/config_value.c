/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One value: checked by its row's type, then put into its field together with the text
 * it came from. Checking and setting are apart, so that a failure changes nothing.
 */

#include "core/config_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/config_number.h"
#include "util/auto.h"
#include "util/log.h"

/* A checked value on its way into the field; the rest of it is zero. */
struct parsed {
    uint64_t number; /* also bool and deny */
    char *text;
    struct stoq_strv items;
    struct stoq_policy policy; /* flags and flag_count alone */
    char *joined;              /* text of the setting */
};

void
stoq_config_flags_free(struct stoq_policy *policy)
{
    for (size_t i = 0; i < policy->flag_count; i++) {
        free(policy->flags[i].worker);
        free(policy->flags[i].pointer);
    }
    free(policy->flags);
    policy->flags = NULL;
    policy->flag_count = 0;
}

static void
parsed_fini(struct parsed *p)
{
    free(p->text);
    free(p->joined);
    stoq_strv_fini(&p->items);
    stoq_config_flags_free(&p->policy);
}

/* RFC 6901: empty or "/...", with ~ only in ~0 and ~1. */
static bool
pointer_valid(const char *p)
{
    if (*p && *p != '/')
        return false;
    for (; *p; p++) {
        if (*p == '~' && p[1] != '0' && p[1] != '1')
            return false;
    }
    return true;
}

static int
parse_flags(const struct stoq_strv *items, struct stoq_policy *policy)
{
    if (items->count == 0)
        return 0;
    policy->flags = calloc(items->count, sizeof(*policy->flags));
    if (!policy->flags)
        return -ENOMEM;
    for (size_t i = 0; i < items->count; i++) {
        const char *colon = strchr(items->items[i], ':');
        if (!colon || colon == items->items[i] || !pointer_valid(colon + 1))
            return -EINVAL;
        struct stoq_flag_rule *rule = &policy->flags[policy->flag_count++];
        rule->worker = strndup(items->items[i], (size_t)(colon - items->items[i]));
        rule->pointer = strdup(colon + 1);
        if (!rule->worker || !rule->pointer)
            return -ENOMEM;
    }
    return 0;
}

static bool
choice_valid(const char *choices, const char *text)
{
    size_t n = strlen(text);
    while (*choices) {
        size_t len = strcspn(choices, " ");
        if (len == n && strncasecmp(choices, text, n) == 0)
            return true;
        choices += len;
        choices += *choices == ' ';
    }
    return false;
}

static int
parse_number(const struct stoq_config_row *row, const char *text, struct parsed *p)
{
    uint64_t unit = 1;
    int r;
    if (row->type == STOQ_CONFIG_SIZE) {
        r = stoq_config_size(text, &p->number);
    } else if (row->type == STOQ_CONFIG_SECONDS) {
        r = stoq_config_seconds(text, &p->number);
        unit = 1000;
    } else {
        r = stoq_config_count(text, &p->number);
    }
    if (r < 0 || p->number < row->min * unit || p->number > row->max * unit)
        return -EINVAL;
    if (row->type == STOQ_CONFIG_DEFAULT && p->number == 0)
        (void)stoq_config_count(row->fallback, &p->number);
    return 0;
}

static int
parse_scalar(const struct stoq_config_row *row, const char *text, struct parsed *p)
{
    enum stoq_level level;
    bool yes = false;
    bool valid = true;
    switch (row->type) {
    case STOQ_CONFIG_COUNT:
    case STOQ_CONFIG_DEFAULT:
    case STOQ_CONFIG_SIZE:
    case STOQ_CONFIG_SECONDS:
        return parse_number(row, text, p);
    case STOQ_CONFIG_LEVEL:
        valid = stoq_log_level_parse(text, &level) == 0;
        break;
    case STOQ_CONFIG_CHOICE:
        valid = choice_valid(row->choices, text);
        break;
    case STOQ_CONFIG_BOOL:
        valid = stoq_config_bool(text, &yes) == 0;
        break;
    case STOQ_CONFIG_DENY:
        p->number = strcasecmp(text, "deny") == 0;
        valid = p->number || strcasecmp(text, "allow") == 0;
        break;
    case STOQ_CONFIG_TEXT:
    case STOQ_CONFIG_LIST:
    case STOQ_CONFIG_FLAGS:
        break;
    }
    if (!valid)
        return -EINVAL;
    p->text = strdup(text);
    if (!p->text)
        return -ENOMEM;
    for (char *c = p->text; row->type == STOQ_CONFIG_CHOICE && *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    return 0;
}

static bool
is_list(const struct stoq_config_row *row)
{
    return row->type == STOQ_CONFIG_LIST || row->type == STOQ_CONFIG_FLAGS;
}

static int
parse(const struct stoq_config_row *row, const struct stoq_strv *items,
      struct parsed *p)
{
    struct stoq_strbuf joined = {0};
    int r = 0;
    if (is_list(row)) {
        for (size_t i = 0; i < items->count; i++)
            stoq_strbuf_addf(&joined, "%s%s", i ? ", " : "", items->items[i]);
    } else if (items->count != 1) {
        return -EINVAL;
    } else {
        stoq_strbuf_adds(&joined, items->items[0]);
    }
    p->joined = stoq_strbuf_steal(&joined);
    if (!p->joined || stoq_strv_copy(&p->items, items) < 0)
        return -ENOMEM;
    if (row->type == STOQ_CONFIG_FLAGS)
        r = parse_flags(items, &p->policy);
    else if (!is_list(row))
        r = parse_scalar(row, items->items[0], p);
    if (r < 0)
        return r;
    if (row->type == STOQ_CONFIG_DEFAULT &&
        strspn(p->joined, "0") == strlen(p->joined)) {
        free(p->joined);
        p->joined = strdup(row->fallback);
        return p->joined ? 0 : -ENOMEM;
    }
    return 0;
}

/* What @p row allows, for a message. */
static void
describe(const struct stoq_config_row *row, char *out, size_t size)
{
    unsigned long long min = row->min;
    unsigned long long max = row->max;
    switch (row->type) {
    case STOQ_CONFIG_COUNT:
        (void)snprintf(out, size, "a whole number from %llu to %llu", min, max);
        break;
    case STOQ_CONFIG_DEFAULT:
        (void)snprintf(out, size, "a whole number from 0 to %llu (0 = the default, %s)",
                       max, row->fallback);
        break;
    case STOQ_CONFIG_SIZE:
        (void)snprintf(out, size,
                       "a number of bytes from %llu to %llu, or one with K, M or G",
                       min, max);
        break;
    case STOQ_CONFIG_SECONDS:
        (void)snprintf(out, size, "a number of seconds from %llu to %llu", min, max);
        break;
    case STOQ_CONFIG_LEVEL:
        (void)snprintf(out, size, "one of: debug info warning error critical");
        break;
    case STOQ_CONFIG_CHOICE:
        (void)snprintf(out, size, "one of: %s", row->choices);
        break;
    case STOQ_CONFIG_BOOL:
        (void)snprintf(out, size, "one of: 1 yes true on 0 no false off");
        break;
    case STOQ_CONFIG_DENY:
        (void)snprintf(out, size, "one of: allow deny");
        break;
    case STOQ_CONFIG_FLAGS:
        (void)snprintf(out, size, "a comma list of WORKER:/JSON/POINTER");
        break;
    case STOQ_CONFIG_TEXT:
    case STOQ_CONFIG_LIST:
        (void)snprintf(out, size, "a single text");
        break;
    }
}

static int
refuse(const struct stoq_config_row *row, int code, const char *value,
       const struct stoq_config_place *place, struct stoq_error *err)
{
    if (code == -ENOMEM)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, code, "out of memory");
    char allowed[128];
    char where[256] = "";
    describe(row, allowed, sizeof(allowed));
    if (place->file)
        (void)snprintf(where, sizeof(where), "%.200s:%u: ", place->file, place->line);
    return stoq_error_set(err, STOQ_ERROR_CONFIG, code,
                          "%s[%s] %s = %.100s: must be %s", where, row->section,
                          row->key, value, allowed);
}

/* Move @p p into the field of @p row. Cannot fail. */
static void
commit(struct stoq_config *config, const struct stoq_config_row *row, struct parsed *p)
{
    void *field = (char *)config + row->offset;
    switch (row->type) {
    case STOQ_CONFIG_COUNT:
    case STOQ_CONFIG_DEFAULT:
    case STOQ_CONFIG_SIZE:
    case STOQ_CONFIG_SECONDS:
        *(uint64_t *)field = p->number;
        break;
    case STOQ_CONFIG_BOOL:
    case STOQ_CONFIG_DENY:
        *(bool *)field = p->number != 0;
        break;
    case STOQ_CONFIG_TEXT:
    case STOQ_CONFIG_LEVEL:
    case STOQ_CONFIG_CHOICE:
        free(*(char **)field);
        *(char **)field = STOQ_STEAL(&p->text);
        break;
    case STOQ_CONFIG_LIST:
        /* the setting keeps the other copy */
        break;
    case STOQ_CONFIG_FLAGS:
        stoq_config_flags_free(field);
        ((struct stoq_policy *)field)->flags = STOQ_STEAL(&p->policy.flags);
        ((struct stoq_policy *)field)->flag_count = p->policy.flag_count;
        p->policy.flag_count = 0;
        break;
    }
}

int
stoq_config_apply(struct stoq_config *config, size_t row_index,
                  const struct stoq_strv *items, const struct stoq_config_place *place,
                  struct stoq_error *err)
{
    const struct stoq_config_row *row = &stoq_config_rows[row_index];
    struct parsed p = {0};
    struct stoq_strv list = {0};
    int r = parse(row, items, &p);
    if (r == 0 && config && row->type == STOQ_CONFIG_LIST)
        r = stoq_strv_copy(&list, items);
    if (r < 0) {
        r = refuse(row, r, p.joined ? p.joined : "", place, err);
    } else if (config) {
        struct stoq_setting *setting = &config->settings[row_index];
        if (!row->text_only)
            commit(config, row, &p);
        if (row->type == STOQ_CONFIG_LIST) {
            struct stoq_strv *field = (void *)((char *)config + row->offset);
            stoq_strv_fini(field);
            *field = list;
        }
        free(setting->text);
        stoq_strv_fini(&setting->items);
        setting->text = STOQ_STEAL(&p.joined);
        setting->items = p.items;
        p.items = (struct stoq_strv){0};
    }
    parsed_fini(&p);
    return r;
}

int
stoq_config_apply_text(struct stoq_config *config, size_t row, const char *text,
                       const struct stoq_config_place *place, struct stoq_error *err)
{
    struct stoq_strv items = {0};
    int r = is_list(&stoq_config_rows[row]) ? stoq_strv_add_list(&items, text)
                                            : stoq_strv_add(&items, text);
    if (r < 0)
        r = stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "out of memory");
    else
        r = stoq_config_apply(config, row, &items, place, err);
    stoq_strv_fini(&items);
    return r;
}
