/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Prints the tables that the man pages must agree with, one row per line, separated by
 * tabs: "key SECTION KEY DEFAULT" for stoq.cfg, "option PLUGIN NAME DEFAULT" for the
 * plugins in the directory named.
 */

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "core/config_table.h"
#include "plugin/loader.h"
#include "util/strbuf.h"

static const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static int
print_plugin(const struct stoq_manifest *m)
{
    struct stoq_error err = {0};
    json_t *described = NULL;
    size_t i;
    json_t *option;
    if (stoq_manifest_describe(m, &described, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("plugin\t%s\n", m->name);
    json_array_foreach (json_object_get(described, "options"), i, option)
        printf("option\t%s\t%s\t%s\n", m->name, text_of(option, "name"),
               text_of(option, "default"));
    json_decref(described);
    return 0;
}

int
main(int argc, char **argv)
{
    struct stoq_error err = {0};
    struct stoq_strv dirs = {0};
    struct stoq_catalogue *catalogue = NULL;
    int failed = 0;
    if (argc != 2 || stoq_strv_add(&dirs, argv[1]) < 0)
        return 2;
    for (size_t i = 0; i < stoq_config_row_count; i++)
        printf("key\t%s\t%s\t%s\n", stoq_config_rows[i].section,
               stoq_config_rows[i].key,
               stoq_config_rows[i].fallback ? stoq_config_rows[i].fallback : "");
    if (stoq_catalogue_new(&dirs, &catalogue, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    for (size_t i = 0; i < stoq_catalogue_count(catalogue); i++)
        failed |= print_plugin(stoq_catalogue_at(catalogue, i));
    stoq_catalogue_free(catalogue);
    stoq_strv_fini(&dirs);
    return failed;
}
