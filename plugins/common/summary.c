/* SPDX-License-Identifier: Apache-2.0 */

/* See summary.h. */

#include "common/summary.h"

#include <errno.h>
#include <string.h>

/* Names that are kept of one result. */
#define RULES_MAX 1000

static const char *
text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* Add the text @p name to the set, unless it is in it or is no text. */
static int
add_rule(json_t *rules, json_t *seen, json_t *name)
{
    const char *text = json_string_value(name);

    if (!text || json_object_get(seen, text) || json_array_size(rules) >= RULES_MAX)
        return 0;
    if (json_object_set_new_nocheck(seen, text, json_true()) < 0 ||
        json_array_append(rules, name) < 0)
        return -ENOMEM;
    return 0;
}

/* What one worker's result says that it matched. */
static int
add_matches(json_t *rules, json_t *seen, const json_t *result)
{
    int r = add_rule(rules, seen, json_object_get(result, "signature"));
    size_t i;
    json_t *match;

    json_array_foreach (json_object_get(result, "matches"), i, match) {
        if (r < 0)
            break;
        r = add_rule(rules, seen, json_object_get(match, "rule"));
    }
    return r;
}

static json_t *
rules_of(const json_t *results)
{
    json_t *rules = json_array();
    json_auto_t *seen = json_object();
    int r = rules && seen ? 0 : -ENOMEM;
    size_t i;
    json_t *entry, *result;
    const char *worker;

    json_array_foreach (results, i, entry) {
        json_object_foreach (json_object_get(entry, "workers"), worker, result)
            if (r == 0)
                r = add_matches(rules, seen, result);
    }
    if (r < 0) {
        json_decref(rules);
        return NULL;
    }
    return rules;
}

int
plugin_summary_init(struct plugin_summary *s, const struct stoq_response *response)
{
    const json_t *doc = stoq_response_document(response);
    const json_t *results = json_object_get(doc, "results");
    const json_t *file = json_array_get(results, 0);
    const json_t *size = json_object_get(file, "size");

    *s = (struct plugin_summary){
        .scan_id = stoq_response_scan_id(response),
        .verdict = text_of(doc, "verdict"),
        .time = text_of(doc, "time"),
        .filename = text_of(
            json_object_get(json_object_get(file, "payload_meta"), "extra_data"),
            "filename"),
        .sha256 = text_of(json_object_get(json_object_get(file, "workers"), "hash"),
                          "sha256"),
        .size = json_is_integer(size) ? json_integer_value(size) : -1,
        .payloads = json_array_size(results),
        .errors = json_array_size(json_object_get(doc, "errors")),
        .rules = rules_of(results),
    };
    return s->rules ? 0 : -ENOMEM;
}

void
plugin_summary_fini(struct plugin_summary *s)
{
    json_decref(s->rules);
    s->rules = NULL;
}

json_t *
plugin_summary_json(const struct plugin_summary *s)
{
    json_t *size = s->size < 0 ? NULL : json_integer(s->size);

    return json_pack("{s:s*, s:s*, s:s*, s:s*, s:o*, s:s*, s:O, s:I, s:I}", "scan_id",
                     s->scan_id, "time", s->time, "verdict", s->verdict, "filename",
                     s->filename, "size", size, "sha256", s->sha256, "rules", s->rules,
                     "payloads", (json_int_t)s->payloads, "errors",
                     (json_int_t)s->errors);
}
