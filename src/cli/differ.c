/* SPDX-License-Identifier: Apache-2.0 */

/* See differ.h. Recursion is bounded by the depth of parsed JSON. */

#include "cli/differ.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <stoq/plugin.h>

#include "util/auto.h"
#include "util/json.h"

#define LINES_MAX 20
#define TEXT_MAX  160

static void
append(json_t *lines, const char *text)
{
    json_t *line = stoq_json_text(text, strlen(text), NULL);
    if (line)
        (void)json_array_append_new(lines, line);
}

void
cli_differ_say(json_t *lines, const char *fmt, ...)
{
    STOQ_AUTOFREE char *text = NULL;
    va_list ap;
    if (json_array_size(lines) + 1 == LINES_MAX) {
        append(lines, "there is more that differs");
        return;
    }
    if (json_array_size(lines) >= LINES_MAX)
        return;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        text = NULL;
    append(lines, text ? text : "out of memory");
}

char *
cli_differ_text(const json_t *json)
{
    STOQ_AUTOFREE char *text = NULL;
    if (!json)
        return strdup("nothing");
    if (json_is_object(json) || json_is_array(json)) {
        text = stoq_json_dump(json, false);
    } else {
        /* scalars are dumped inside of an array, which is cut off again */
        json_auto_t *list = json_array();
        if (json_array_append(list, (json_t *)(uintptr_t)json) == 0)
            text = stoq_json_dump(list, false);
        if (text && strlen(text) >= 2) {
            memmove(text, text + 1, strlen(text));
            text[strlen(text) - 1] = '\0';
        }
    }
    if (!text)
        return NULL;
    size_t size = strlen(text), cut = TEXT_MAX;
    if (size > TEXT_MAX) {
        while (cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80)
            cut--;
        memcpy(text + cut, "...", 4);
    }
    return STOQ_STEAL(&text);
}

static void
say_pair(json_t *lines, const char *what, const json_t *expected, const json_t *actual)
{
    STOQ_AUTOFREE char *a = cli_differ_text(expected);
    STOQ_AUTOFREE char *b = cli_differ_text(actual);
    cli_differ_say(lines, "%s: expected %s, got %s", what, a ? a : "?", b ? b : "?");
}

static void
differ_objects(json_t *lines, const char *what, const json_t *expected,
               const json_t *actual)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)expected, key, value) {
        STOQ_AUTOFREE char *at = NULL;
        if (asprintf(&at, "%s/%s", what, key) < 0)
            at = NULL;
        cli_differ(lines, at ? at : what, value, json_object_get(actual, key));
    }
    json_object_foreach ((json_t *)(uintptr_t)actual, key, value) {
        STOQ_AUTOFREE char *at = NULL;
        if (json_object_get(expected, key))
            continue;
        if (asprintf(&at, "%s/%s", what, key) < 0)
            at = NULL;
        cli_differ(lines, at ? at : what, NULL, value);
    }
}

static void
differ_arrays(json_t *lines, const char *what, const json_t *expected,
              const json_t *actual)
{
    size_t n = json_array_size(expected), m = json_array_size(actual);
    for (size_t i = 0; i < n || i < m; i++) {
        STOQ_AUTOFREE char *at = NULL;
        if (asprintf(&at, "%s/%zu", what, i) < 0)
            at = NULL;
        cli_differ(lines, at ? at : what, json_array_get(expected, i),
                   json_array_get(actual, i));
    }
}

void
cli_differ(json_t *lines, const char *what, const json_t *expected,
           const json_t *actual)
{
    if (json_is_object(expected) && json_is_object(actual))
        differ_objects(lines, what, expected, actual);
    else if (json_is_array(expected) && json_is_array(actual))
        differ_arrays(lines, what, expected, actual);
    else if (expected != actual && !json_equal(expected, actual))
        say_pair(lines, what, expected, actual);
}
