/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The target for any worker plugin: scan the input with it, through the engine, so that
 * budgets, children and the document take part. PLUGIN, SELFTEST_DIR and OPTIONS (a
 * file of key=value lines, or "") are set by the build. One engine for the whole run,
 * as in a scanner.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoq/stoq.h>

#include "target.h"

static void
check(int r, const char *what, const struct stoq_error *err)
{
    if (r >= 0)
        return;
    (void)fprintf(stderr, "fuzz_%s: %s: %s\n", PLUGIN, what, err->message);
    exit(EXIT_FAILURE);
}

static void
set(struct stoq_config *config, const char *section, const char *key, const char *value)
{
    struct stoq_error err = {0};

    check(stoq_config_set(config, section, key, value, &err), key, &err);
}

/* Set an option; @SELFTEST@ at its start stands for the samples' directory. */
static void
set_option(struct stoq_config *config, const char *key, const char *value)
{
    static const char mark[] = "@SELFTEST@";
    char text[4096 + sizeof SELFTEST_DIR];

    if (strncmp(value, mark, sizeof mark - 1) != 0) {
        set(config, PLUGIN, key, value);
        return;
    }
    (void)snprintf(text, sizeof text, "%s%s", SELFTEST_DIR, value + sizeof mark - 1);
    set(config, PLUGIN, key, text);
}

/* What the plugin is to be run with beyond its defaults. */
static void
set_options(struct stoq_config *config)
{
    const char *path = OPTIONS;
    FILE *f = *path ? fopen(path, "re") : NULL;
    char line[4096];

    while (f && fgets(line, sizeof line, f)) {
        char *value = strchr(line, '=');

        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || !value)
            continue;
        *value++ = '\0';
        set_option(config, line, value);
    }
    if (f)
        (void)fclose(f);
}

static struct stoq *
make_engine(void)
{
    struct stoq_config *config = NULL;
    struct stoq *stoq = NULL;
    struct stoq_error err = {0};

    check(stoq_config_new(&config, &err), "settings", &err);
    set(config, "core", "plugin_dir_list", PLUGIN_DIR);
    set(config, "core", "log_dir", "");
    set(config, "core", "log_level", "critical");
    /* Children get the worker, too: what it unpacks is hostile as well. */
    set(config, "core", "always_dispatch", PLUGIN);
    set(config, "limits", "extracted_bytes", "16777216");
    set(config, "limits", "children", "300");
    set(config, "limits", "depth", "4");
    set_options(config);
    check(stoq_new(config, STOQ_ROLE_SCAN, &stoq, &err), "engine", &err);
    stoq_config_free(config);
    return stoq;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct stoq *stoq;
    struct stoq_response *response = NULL;
    char *text = NULL;

    if (!stoq)
        stoq = make_engine();
    if (stoq_scan(stoq, data, size, NULL, NULL, &response, NULL) == 0)
        text = stoq_response_text(response, false);
    free(text);
    stoq_response_free(response);
    return 0;
}
