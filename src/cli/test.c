/* SPDX-License-Identifier: Apache-2.0 */

/*
 * `stoq test`: the self-tests of installed plugins, each in a process of its own with
 * an engine of its own, by the name of the plugin and of the case.
 */

#include "cli/test.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/apart.h"
#include "cli/cli.h"
#include "cli/scratch.h"
#include "cli/selftest.h"
#include "core/config.h"
#include "core/engine.h"
#include "util/auto.h"
#include "util/json.h"

/* Generous: sanitizers and loaded machines; a case itself has the engine's deadline. */
#define CASE_MS 120000U

STOQ_DEFINE_AUTO(stoq_config)
STOQ_DEFINE_AUTO(stoq_catalogue)

struct testing {
    struct stoq_strv dirs; /* all plugin directories, for required workers */
    struct cli_tally tally;
};

static int
by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* Names of the cases in @dir, sorted. A directory that is missing has none. */
static int
find_cases(const char *dir, struct stoq_strv *out)
{
    static const char suffix[] = ".json";
    STOQ_AUTOCLOSEDIR DIR *d = opendir(dir);
    const struct dirent *e;
    while (d && (e = readdir(d))) {
        size_t n = strlen(e->d_name);
        if (n >= sizeof(suffix) && e->d_name[0] != '.' &&
            strcmp(e->d_name + n - (sizeof(suffix) - 1), suffix) == 0 &&
            stoq_strv_add(out, e->d_name) < 0)
            return -ENOMEM;
    }
    if (out->count)
        qsort(out->items, out->count, sizeof(char *), by_text);
    return 0;
}

/* Run one case; operations that it tried are added to @tried. */
static void
run_case(struct testing *t, const struct stoq_manifest *m, const char *dir,
         const char *file, json_t *tried)
{
    struct stoq_error err = {0};
    STOQ_AUTOFREE char *tmp = NULL;
    STOQ_AUTOFREE char *name = strndup(file, strlen(file) - strlen(".json"));
    json_auto_t *answer = NULL;
    struct cli_selftest test = {
        .manifest = m, .plugin_dirs = &t->dirs, .dir = dir, .file = file};
    int r = cli_scratch_new(NULL, "stoq-test-", &tmp, &err);
    test.tmp = tmp;
    if (r == 0)
        r = cli_apart(cli_selftest_run, &test, CASE_MS, &answer, &err);
    (void)cli_scratch_remove(tmp);
    if (r == 0)
        (void)json_array_extend(tried, json_object_get(answer, "roles"));
    cli_tally_case(&t->tally, m->name, name ? name : file,
                   r == 0 ? json_object_get(answer, "differences") : NULL, &err);
}

static bool
has_text(const json_t *list, const char *text)
{
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)(uintptr_t)list, i, item)
        if (json_is_string(item) && strcmp(json_string_value(item), text) == 0)
            return true;
    return false;
}

/* Operations of the plugin that no case tried. */
static void
note_untried(struct testing *t, const struct stoq_manifest *m, const json_t *operations,
             const json_t *tried)
{
    size_t i;
    json_t *operation;
    json_array_foreach ((json_t *)(uintptr_t)operations, i, operation)
        if (!has_text(tried, json_string_value(operation)))
            cli_tally_missing(&t->tally, m->name, json_string_value(operation));
}

/* The signal that asked us to end, or 0: the case that runs is finished, so that its
 * directory goes. */
static volatile sig_atomic_t ended_by;

static void
on_end(int number)
{
    ended_by = number;
}

static void
catch_ends(void)
{
    const struct sigaction action = {.sa_handler = on_end, .sa_flags = SA_RESTART};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
}

static int
describe(void *arg, json_t **answer, struct stoq_error *err)
{
    return stoq_manifest_describe(arg, answer, err);
}

static void
test_plugin(struct testing *t, const struct stoq_manifest *m)
{
    struct stoq_error err = {0};
    struct stoq_strv cases = {0};
    json_auto_t *facts = NULL, *tried = json_array();
    STOQ_AUTOFREE char *dir = NULL;
    cli_tally_plugin(&t->tally, m->name);
    if (asprintf(&dir, "%s/selftest", m->dir) < 0)
        dir = NULL;
    int r = cli_apart(describe, (void *)(uintptr_t)m, CASE_MS, &facts, &err);
    if (r == 0 && (!dir || find_cases(dir, &cases) < 0))
        r = stoq_error_set(&err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    if (r < 0)
        cli_tally_broken(&t->tally, m->name, &err);
    for (size_t i = 0; r == 0 && i < cases.count && !ended_by; i++)
        run_case(t, m, dir, cases.items[i], tried);
    if (r == 0 && cases.count == 0 && !ended_by)
        cli_tally_missing(&t->tally, m->name, NULL);
    else if (r == 0)
        note_untried(t, m, json_object_get(facts, "operations"), tried);
    stoq_strv_fini(&cases);
}

/* Test those that are named, or all. @return 0; -ENOENT for a name that is unknown. */
static int
test_all(struct testing *t, const struct cli_args *a, const struct stoq_catalogue *c,
         struct stoq_error *err)
{
    for (size_t i = 0; i < a->files.count; i++)
        if (!stoq_catalogue_find(c, a->files.items[i]))
            return stoq_error_set(err, STOQ_ERROR_CONFIG, -ENOENT,
                                  "there is no plugin %s; see stoq list",
                                  a->files.items[i]);
    if (stoq_catalogue_count(c) == 0)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -ENOENT, "there are no plugins");
    for (size_t i = 0; i < stoq_catalogue_count(c) && !ended_by; i++) {
        const struct stoq_manifest *m = stoq_catalogue_at(c, i);
        if (a->files.count == 0 || stoq_strv_has(&a->files, m->name))
            test_plugin(t, m);
    }
    return 0;
}

int
cli_test(const struct cli_args *a)
{
    struct stoq_error err = {0};
    STOQ_AUTO(stoq_config) config = NULL;
    STOQ_AUTO(stoq_catalogue) catalogue = NULL;
    struct stoq_strv listed = {0};
    struct testing t = {0};
    if (cli_config(a, &config, NULL, &err) < 0)
        return cli_fail(CLI_USAGE, &err);
    cli_tally_init(&t.tally, a->json, a->allow_missing);
    int r = cli_plugin_dirs(a, config, &listed);
    if (r == 0)
        r = stoq_strv_copy(&t.dirs, &config->plugin_dirs);
    if (r < 0)
        (void)stoq_error_set(&err, STOQ_ERROR_SYSTEM, r, "out of memory");
    if (r == 0)
        r = stoq_catalogue_new(&listed, &catalogue, &err);
    catch_ends();
    if (r == 0)
        r = test_all(&t, a, catalogue, &err);
    stoq_strv_fini(&listed);
    stoq_strv_fini(&t.dirs);
    if (r < 0) {
        json_decref(t.tally.plugins);
        return cli_fail(CLI_USAGE, &err);
    }
    int status = cli_tally_end(&t.tally);
    if (ended_by) {
        (void)signal(ended_by, SIG_DFL);
        (void)raise(ended_by);
    }
    return status;
}
