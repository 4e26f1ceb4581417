/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stdout: prints each document, indented, with a newline. The thread model is the
 * serial one, so documents are never mixed.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stoq/plugin.h>
#include <stoq/stoq.h>

#include "common/write.h"

static int
stdout_save(void *instance, const struct stoq_response *response, unsigned flags,
            struct stoq_error *err)
{
    (void)instance;
    (void)flags;
    char *text = stoq_response_text(response, true);
    if (!text)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    /* what the program itself has printed so far comes first */
    int r = fflush(stdout) == 0 ? 0 : -errno;
    if (r == 0)
        r = plugin_write_full(STDOUT_FILENO, text, strlen(text));
    if (r == 0)
        r = plugin_write_full(STDOUT_FILENO, "\n", 1);
    free(text);
    return r < 0 ? stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "standard output: %s",
                                  strerror(-r))
                 : 0;
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "stdout",
    .save = stdout_save,
};
STOQ_PLUGIN(plugin);
