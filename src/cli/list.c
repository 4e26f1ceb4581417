/* SPDX-License-Identifier: Apache-2.0 */

/* `stoq list`: the plugins that the plugin directories hold, in the original's layout.
 */

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "core/config.h"
#include "core/engine.h"
#include "plugin/loader.h"
#include "util/auto.h"
#include "util/json.h"

STOQ_DEFINE_AUTO(stoq_config)
STOQ_DEFINE_AUTO(stoq_catalogue)

static void
print_roles(const json_t *described)
{
    struct stoq_strbuf b = {0};
    size_t i;
    json_t *role;
    json_array_foreach (json_object_get(described, "roles"), i, role)
        stoq_strbuf_addf(&b, "%s%s", i ? ", " : "", json_string_value(role));
    (void)printf("\t\t\t\t- %-20s\n", b.data ? b.data : "");
    stoq_strbuf_fini(&b);
}

static void
print_plugin(const struct stoq_manifest *m)
{
    struct stoq_error err = {0};
    json_auto_t *described = NULL;
    (void)printf("%-20s v%-10s%s\n", m->name, m->version, m->description);
    if (stoq_manifest_describe(m, &described, &err) < 0)
        (void)printf("\t\t\t\t- %-20s\n", err.message);
    else
        print_roles(described);
}

int
cli_plugin_dirs(const struct cli_args *a, const struct stoq_config *config,
                struct stoq_strv *out)
{
    char bundled[PATH_MAX];
    int r = 0;
    if (a->plugin_dirs.count == 0 &&
        stoq_bundled_plugin_dir(bundled, sizeof(bundled)) == 0)
        r = stoq_strv_add(out, bundled);
    for (size_t i = 0; r == 0 && i < config->plugin_dirs.count; i++)
        r = stoq_strv_add(out, config->plugin_dirs.items[i]);
    return r;
}

int
cli_list(const struct cli_args *a)
{
    struct stoq_error err = {0};
    STOQ_AUTO(stoq_config) config = NULL;
    STOQ_AUTO(stoq_catalogue) catalogue = NULL;
    struct stoq_strv dirs = {0};
    char title[96];

    if (cli_config(a, &config, NULL, &err) < 0)
        return cli_fail(CLI_USAGE, &err);
    int r = cli_plugin_dirs(a, config, &dirs);
    if (r == 0)
        r = stoq_catalogue_new(&dirs, &catalogue, &err);
    stoq_strv_fini(&dirs);
    if (r < 0)
        return cli_fail(CLI_USAGE, &err);
    int n = snprintf(title, sizeof(title),
                     "stoQ :: v%s :: an automated analysis framework", stoq_version());
    (void)printf(
        "%s\n%.*s\n", title, n,
        "------------------------------------------------------------------------");
    for (size_t i = 0; i < stoq_catalogue_count(catalogue); i++)
        print_plugin(stoq_catalogue_at(catalogue, i));
    return CLI_CLEAN;
}
