/* SPDX-License-Identifier: Apache-2.0 */

/*
 * `stoq check-config`: read everything, load every plugin named, print what is in
 * force. What a mount would only warn about (an unknown key, a rule file that does not
 * compile) is a failure here: exit status 2.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "core/config.h"
#include "core/engine.h"
#include "util/auto.h"
#include "util/json.h"

STOQ_DEFINE_AUTO(stoq_config)
STOQ_DEFINE_AUTO(stoq)

/* Rule files that do not compile. @return how many. */
static size_t
print_failed_rules(const char *plugin, const json_t *facts)
{
    const json_t *failed = json_object_get(json_object_get(facts, "rules"), "failed");
    size_t i;
    json_t *row;
    json_array_foreach (failed, i, row)
        (void)fprintf(stderr, "stoq: %s: %s:%" JSON_INTEGER_FORMAT ": %s\n", plugin,
                      stoq_json_string_of(row, "file"),
                      json_integer_value(json_object_get(row, "line")),
                      stoq_json_string_of(row, "message"));
    return json_array_size(failed);
}

int
cli_check_config(const struct cli_args *a)
{
    struct stoq_error err = {0};
    STOQ_AUTO(stoq_config) config = NULL;
    STOQ_AUTO(stoq) engine = NULL;
    unsigned remarks = 0;
    size_t failed = 0;
    const char *name;
    json_t *facts;

    if (a->files.count)
        return cli_fail(CLI_USAGE, &(struct stoq_error){
                                       .message = "check-config takes no files; name "
                                                  "a file with --config-file"});
    if (cli_config(a, &config, &remarks, &err) < 0 ||
        stoq_new(config, STOQ_ROLE_ALL, &engine, &err) < 0)
        return cli_fail(CLI_USAGE, &err);
    json_auto_t *all = stoq_engine_facts(engine);
    STOQ_AUTOFREE char *text = stoq_config_text(config);
    STOQ_AUTOFREE char *shown = all ? stoq_json_dump(all, true) : NULL;
    if (!text || !shown)
        return cli_fail(CLI_USAGE, &(struct stoq_error){.message = "out of memory"});
    (void)printf("%s\n# loaded:\n%s\n", text, shown);
    json_object_foreach (json_object_get(all, "plugins"), name, facts)
        failed += print_failed_rules(name, facts);
    if (remarks || failed) {
        (void)fprintf(stderr, "stoq: %u remarks, %zu rule files that do not compile\n",
                      remarks, failed);
        return CLI_USAGE;
    }
    return CLI_CLEAN;
}
