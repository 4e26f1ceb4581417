/* SPDX-License-Identifier: Apache-2.0 */

/* See test.h. */

#include "cli/test.h"

#include <stdio.h>
#include <string.h>

#include <stoq/plugin.h>

#include "cli/cli.h"
#include "util/auto.h"
#include "util/json.h"

void
cli_tally_init(struct cli_tally *t, bool json, bool allow_missing)
{
    *t = (struct cli_tally){
        .json = json, .allow_missing = allow_missing, .plugins = json_object()};
}

static json_t *
entry(struct cli_tally *t, const char *plugin)
{
    return json_object_get(t->plugins, plugin);
}

void
cli_tally_plugin(struct cli_tally *t, const char *name)
{
    t->count++;
    (void)json_object_set_new(
        t->plugins, name, json_pack("{s:{}, s:[], s:n}", "cases", "missing", "error"));
}

/* "FAIL  hash/empty: the first line", the others below it. */
static void
print_failure(const char *plugin, const char *name, const json_t *lines)
{
    size_t i;
    json_t *line;
    json_array_foreach ((json_t *)(uintptr_t)lines, i, line) {
        if (i == 0)
            (void)printf("FAIL  %s%s%s: ", plugin, name ? "/" : "", name ? name : "");
        (void)printf("%s%s\n", i ? "      " : "", json_string_value(line));
    }
}

void
cli_tally_case(struct cli_tally *t, const char *plugin, const char *name,
               const json_t *lines, const struct stoq_error *err)
{
    json_auto_t *all = lines ? json_deep_copy(lines) : json_array();
    if (!lines)
        (void)json_array_append_new(
            all, stoq_json_text(err->message, strlen(err->message), NULL));
    bool ok = json_array_size(all) == 0;
    t->cases++;
    *(ok ? &t->passed : &t->failed) += 1;
    (void)json_object_set_new(json_object_get(entry(t, plugin), "cases"), name,
                              json_pack("{s:b, s:O}", "ok", ok, "differences", all));
    if (t->json)
        return;
    if (ok)
        (void)printf("ok    %s/%s\n", plugin, name);
    else
        print_failure(plugin, name, all);
    (void)fflush(stdout);
}

void
cli_tally_missing(struct cli_tally *t, const char *plugin, const char *role)
{
    t->missing++;
    (void)json_array_append_new(json_object_get(entry(t, plugin), "missing"),
                                json_string(role ? role : "all"));
    if (!t->json)
        (void)printf("%s  %s: no self-test%s%s\n", t->allow_missing ? "none" : "FAIL",
                     plugin, role ? " tries its operation " : "", role ? role : "");
}

void
cli_tally_broken(struct cli_tally *t, const char *plugin, const struct stoq_error *err)
{
    json_t *text = stoq_json_text(err->message, strlen(err->message), NULL);
    t->failed++;
    if (!t->json)
        (void)printf("FAIL  %s: %s\n", plugin, err->message);
    (void)json_object_set_new(entry(t, plugin), "error", text);
}

int
cli_tally_end(struct cli_tally *t)
{
    bool good = t->failed == 0 && (t->missing == 0 || t->allow_missing);
    if (t->json) {
        json_auto_t *all = json_pack(
            "{s:O, s:b, s:I, s:I, s:I, s:I}", "plugins", t->plugins, "ok", good,
            "cases", (json_int_t)t->cases, "passed", (json_int_t)t->passed, "failed",
            (json_int_t)t->failed, "missing", (json_int_t)t->missing);
        STOQ_AUTOFREE char *text = all ? stoq_json_dump(all, true) : NULL;
        (void)puts(text ? text : "null");
    } else {
        (void)printf("%zu plugins, %zu cases: %zu passed, %zu failed, %zu missing\n",
                     t->count, t->cases, t->passed, t->failed, t->missing);
    }
    json_decref(t->plugins);
    t->plugins = NULL;
    return good ? CLI_CLEAN : CLI_FLAGGED;
}
