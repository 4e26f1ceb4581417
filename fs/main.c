/* SPDX-License-Identifier: Apache-2.0 */

/* stoqfs: parse, check, start; exit status 0 ended cleanly, 1 a part failed while
 * mounted, 2 could not start. */

#include <stdio.h>
#include <string.h>

#include "options.h"
#include "paths.h"
#include "start.h"
#include "util/log.h"
#include "util/title.h"

#define EXIT_START 2

static int
complain(const struct stoq_error *err)
{
    (void)fprintf(stderr, "stoqfs: %s\n", err->message);
    return EXIT_START;
}

/* Start-up remarks go to stderr; the log proper is set up by the started process. */
static int
early_log(struct stoq_error *err)
{
    const struct stoq_log_config config = {.level = STOQ_LEVEL_WARNING,
                                           .ident = "stoqfs"};
    return stoq_log_setup(&config, err);
}

int
main(int argc, char **argv)
{
    struct stoqfs_options options = {0};
    struct stoq_error err = {0};
    enum stoqfs_action action;
    int status = 0;

    stoq_title_init(argc, argv);
    if (early_log(&err) < 0)
        return complain(&err);
    if (stoqfs_options_parse(argc, argv, &options, &action, &err) < 0)
        status = complain(&err);
    else if (action == STOQFS_RUN && stoqfs_paths_check(&options, &err) < 0)
        status = complain(&err);
    else if (action == STOQFS_RUN)
        status = stoqfs_start(&options);
    stoqfs_options_fini(&options);
    return status;
}
