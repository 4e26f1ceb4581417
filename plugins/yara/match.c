/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One matching rule as JSON, in stoQ's shape and key order: strings by identifier, then
 * by offset, as libyara lists them. Called during a scan; no lock.
 */

#include <stdio.h>
#include <string.h>

#include "parts.h"

/* Copy @p at, or what follows it if it is not to be shown. */
static bool
match_copy(const void *at, YR_MATCH *out)
{
    while (at) {
        memcpy(out, at, sizeof *out);
        if (!out->is_private)
            return true;
        at = out->next;
    }
    return false;
}

bool
stoq_yara_match_first(const YR_SCAN_CONTEXT *context, const YR_STRING *string,
                      YR_MATCH *out)
{
    return match_copy(context->matches[string->idx].head, out);
}

bool
stoq_yara_match_next(YR_MATCH *match)
{
    return match_copy(match->next, match);
}

static json_t *
text_of(const char *text)
{
    return stoq_json_text(text, strlen(text), NULL);
}

static json_t *
tags_json(const YR_RULE *rule)
{
    json_t *tags = json_array();
    const char *tag;
    yr_rule_tags_foreach(rule, tag)
    {
        if (json_array_append_new(tags, text_of(tag)) < 0) {
            json_decref(tags);
            return NULL;
        }
    }
    return tags;
}

/* As in stoQ the last one of equal names counts. */
static json_t *
metas_json(const YR_RULE *rule)
{
    json_t *metas = json_object();
    const YR_META *meta;
    yr_rule_metas_foreach(rule, meta)
    {
        json_t *value;
        if (meta->type == META_TYPE_INTEGER)
            value = json_integer(meta->integer);
        else if (meta->type == META_TYPE_BOOLEAN)
            value = json_boolean(meta->integer);
        else
            value = text_of(meta->string);
        if (json_object_set_new(metas, meta->identifier, value) < 0) {
            json_decref(metas);
            return NULL;
        }
    }
    return metas;
}

struct strings {
    json_t *list; /* [[offset, "$id", data]...] */
    json_t *b64;  /* {"index": base64} of those that are not text; NULL while none */
    size_t cap, total;
};

static int
strings_add(struct strings *s, const YR_STRING *string, const YR_MATCH *match)
{
    size_t size = (size_t)match->data_length;
    bool lossless = true;
    json_t *row = json_array();
    if (json_array_append_new(row, json_integer(match->base + match->offset)) < 0 ||
        json_array_append_new(row, text_of(string->identifier)) < 0 ||
        json_array_append_new(row, stoq_json_text(match->data, size, &lossless)) < 0) {
        json_decref(row);
        return -ENOMEM;
    }
    if (!lossless) {
        char index[24];
        (void)snprintf(index, sizeof index, "%zu", json_array_size(s->list));
        if (!s->b64)
            s->b64 = json_object();
        if (json_object_set_new(s->b64, index, stoq_json_base64(match->data, size)) <
            0) {
            json_decref(row);
            return -ENOMEM;
        }
    }
    return json_array_append_new(s->list, row) < 0 ? -ENOMEM : 0;
}

static int
strings_collect(struct strings *s, YR_SCAN_CONTEXT *context, const YR_RULE *rule)
{
    const YR_STRING *string;
    s->list = json_array();
    if (!s->list)
        return -ENOMEM;
    yr_rule_strings_foreach(rule, string)
    {
        YR_MATCH match;
        for (bool more = stoq_yara_match_first(context, string, &match); more;
             more = stoq_yara_match_next(&match))
            if (s->total++ < s->cap && strings_add(s, string, &match) < 0)
                return -ENOMEM;
    }
    return 0;
}

json_t *
stoq_yara_match_json(YR_SCAN_CONTEXT *context, YR_RULE *rule, size_t cap)
{
    struct strings s = {.cap = cap};
    json_t *m = json_object();
    int r = strings_collect(&s, context, rule);
    if (r == 0 && (json_object_set_new(m, "tags", tags_json(rule)) < 0 ||
                   json_object_set_new(m, "namespace", text_of(rule->ns->name)) < 0 ||
                   json_object_set_new(m, "rule", text_of(rule->identifier)) < 0 ||
                   json_object_set_new(m, "meta", metas_json(rule)) < 0 ||
                   json_object_set(m, "strings", s.list) < 0))
        r = -ENOMEM;
    if (r == 0 && s.b64 && json_object_set(m, "strings_b64", s.b64) < 0)
        r = -ENOMEM;
    if (r == 0 && s.total > s.cap &&
        json_object_set_new(m, "strings_total", json_integer((json_int_t)s.total)) < 0)
        r = -ENOMEM;
    json_decref(s.list);
    json_decref(s.b64);
    if (r < 0) {
        json_decref(m);
        return NULL;
    }
    return m;
}
