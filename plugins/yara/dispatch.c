/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The dispatcher: rules whose meta names the workers a payload needs. `plugin` lists
 * them, `save` = "false" keeps the payload from the archivers, and
 * `xor_plaintext_for_string_ID` finds the key for xordecode. Called with the instance's
 * set; no lock.
 */

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "parts.h"

#define XOR_PREFIX "xor_plaintext_for_string_"
#define NAME_SIZE  64

/* One call. */
struct pass {
    const struct stoq_yara_dispatch *d;
    struct stoq_payload *payload;
    struct stoq_reply *reply;
    json_t *meta; /* {name: match}; owned */
};

/* ------------------------------------------------------------------- xor keys */

/* Length of the shortest key, shorter than the text, that repeated gives @p stream. */
static size_t
key_length(const unsigned char *stream, size_t size)
{
    for (size_t n = 1; n < size; n++) {
        size_t i = n;
        while (i < size && stream[i] == stream[i - n])
            i++;
        if (i == size)
            return n;
    }
    return 0;
}

/* Add the key for one match to meta: xorkey as text the first time, or a row of
 * xor_info. @return 1 = done with this rule, 0 = go on, -ENOMEM. */
static int
add_key(json_t *meta, const YR_STRING *string, const YR_MATCH *match, const char *plain,
        bool first_match)
{
    unsigned char stream[512];
    size_t size = strlen(plain);
    if (size != (size_t)match->data_length || size > sizeof stream)
        return 0;
    for (size_t i = 0; i < size; i++)
        stream[i] = (unsigned char)(match->data[i] ^ (unsigned char)plain[i]);
    size_t n = key_length(stream, size);
    if (n == 0)
        return 0;

    char text[sizeof stream * 4] = "";
    json_t *bytes = json_array();
    for (size_t i = 0, at = 0; i < n; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, i ? ",%u" : "%u",
                               (unsigned)stream[i]);
        (void)json_array_append_new(bytes, json_integer(stream[i]));
    }
    if (first_match) {
        json_decref(bytes);
        return json_object_set_new(meta, "xorkey", json_string(text)) < 0 ? -ENOMEM : 1;
    }
    json_t *rows = json_object_get(meta, "xor_info");
    if (!rows) {
        rows = json_array();
        if (json_object_set_new(meta, "xor_info", rows) < 0) {
            json_decref(bytes);
            return -ENOMEM;
        }
    }
    json_int_t offset = match->base + match->offset;
    json_t *row = json_pack("[I, s, o]", offset, string->identifier, bytes);
    return json_array_append_new(rows, row) < 0 ? -ENOMEM : 0;
}

/* Look for keys in the bytes that matched, which the JSON text does not have. */
static int
add_keys(json_t *meta, YR_SCAN_CONTEXT *context, const YR_RULE *rule,
         const struct stoq_yara_dispatch *d)
{
    const YR_STRING *string;
    yr_rule_strings_foreach(rule, string)
    {
        char name[160];
        int n = snprintf(name, sizeof name, XOR_PREFIX "%s", string->identifier + 1);
        if (n < 0 || (size_t)n >= sizeof name)
            continue;
        const char *plain = json_string_value(json_object_get(meta, name));
        if (!plain || !plain[0])
            continue;
        YR_MATCH match;
        for (bool more = stoq_yara_match_first(context, string, &match); more;
             more = stoq_yara_match_next(&match)) {
            int r = add_key(meta, string, &match, plain, d->first_match);
            if (r != 0 || json_array_size(json_object_get(meta, "xor_info")) >= d->cap)
                return r < 0 ? r : 0;
        }
    }
    return 0;
}

/* --------------------------------------------------------------------- metas */

/* Whether @p text without blanks around it is "false" in any case. */
static bool
is_false(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    if (strncasecmp(text, "false", 5) != 0)
        return false;
    text += 5;
    while (isspace((unsigned char)*text))
        text++;
    return *text == '\0';
}

static void
apply_save(struct pass *pass, const YR_RULE *rule, const json_t *save)
{
    if (json_is_false(save) ||
        (json_is_string(save) && is_false(json_string_value(save))))
        stoq_payload_set_should_archive(pass->payload, false);
    else if (save && !json_is_string(save) && !json_is_true(save))
        stoq_reply_error(pass->reply, "rule %s: meta save is not a string",
                         rule->identifier);
}

/* Next name of a comma list, lower-cased, blanks around it dropped; "" for a blank
 * piece. @return its length before it was cut to @p name, or -1 at the end. */
static ssize_t
next_name(const char **list, char name[NAME_SIZE])
{
    const char *from = *list;
    if (!*from)
        return -1;
    const char *end = from + strcspn(from, ",");
    const char *to = end;
    *list = *end ? end + 1 : end;
    while (from < to && isspace((unsigned char)*from))
        from++;
    while (to > from && isspace((unsigned char)to[-1]))
        to--;
    size_t n = 0;
    for (const char *p = from; p < to && n < NAME_SIZE - 1; p++)
        name[n++] = (char)tolower((unsigned char)*p);
    name[n] = '\0';
    return to - from;
}

static int
apply_plugins(struct pass *pass, const YR_RULE *rule, const char *list, json_t *match)
{
    char name[NAME_SIZE];
    ssize_t n;
    while ((n = next_name(&list, name)) >= 0) {
        int r = 0;
        if (n >= NAME_SIZE)
            stoq_reply_error(pass->reply, "rule %s: a name in meta plugin is too long",
                             rule->identifier);
        else if (n > 0)
            r = stoq_reply_dispatch(pass->reply, name);
        if (r == 0 && n > 0 && n < NAME_SIZE &&
            json_object_set(pass->meta, name, match) < 0)
            r = -ENOMEM;
        if (r < 0)
            return r;
    }
    return 0;
}

static bool
names_plugin(const char *list, const char *plugin)
{
    char name[NAME_SIZE];
    while (next_name(&list, name) >= 0)
        if (strcmp(name, plugin) == 0)
            return true;
    return false;
}

static int
on_match(void *arg, YR_SCAN_CONTEXT *context, YR_RULE *rule)
{
    struct pass *pass = arg;
    json_auto_t *match = stoq_yara_match_json(context, rule, pass->d->cap);
    if (!match)
        return -ENOMEM;
    json_t *meta = json_object_get(match, "meta");
    apply_save(pass, rule, json_object_get(meta, "save"));
    const json_t *plugin = json_object_get(meta, "plugin");
    if (plugin && !json_is_string(plugin))
        stoq_reply_error(pass->reply, "rule %s: meta plugin is not a string",
                         rule->identifier);
    if (!json_is_string(plugin))
        return 0;
    const char *list = json_string_value(plugin);
    int r = 0;
    if (names_plugin(list, "xordecode"))
        r = add_keys(meta, context, rule, pass->d);
    return r < 0 ? r : apply_plugins(pass, rule, list, match);
}

int
stoq_yara_dispatch(const struct stoq_yara_dispatch *d, struct stoq_payload *payload,
                   struct stoq_reply *reply, struct stoq_error *err)
{
    struct pass pass = {d, payload, reply, json_object()};
    if (!pass.meta)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "yara: out of memory");
    uint64_t overflows = 0;
    int r = stoq_yara_set_scan(d->set, payload, on_match, &pass, &overflows, err);
    if (overflows > 0)
        stoq_reply_limit(reply, "yara_matches", YR_MAX_STRING_MATCHES);
    if (r < 0) {
        json_decref(pass.meta);
        return r;
    }
    stoq_reply_meta(reply, pass.meta);
    return 0;
}
