/* SPDX-License-Identifier: Apache-2.0 */

/* A stoq.cfg from anywhere: read, shown, read again as shown. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <stoq/stoq.h>

#include "target.h"

/* Read @p size bytes as a configuration file. @return whether they are one. */
static int
reads(struct stoq_config *config, const void *data, size_t size)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    char path[32];
    int r = -1;

    if (fd < 0)
        return -1;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (write(fd, data, size) == (ssize_t)size)
        r = stoq_config_read(config, path, NULL, NULL, NULL);
    (void)close(fd);
    return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stoq_config *config = NULL, *again = NULL;
    char *text = NULL, *second = NULL;

    if (stoq_config_new(&config, NULL) < 0 || stoq_config_new(&again, NULL) < 0)
        abort();
    if (reads(config, data, size) == 0) {
        text = stoq_config_text(config);
        /* What we write we must read, and read as the same. */
        if (!text || reads(again, text, strlen(text)) < 0)
            abort();
        second = stoq_config_text(again);
        if (!second || strcmp(text, second) != 0)
            abort();
    }
    free(text);
    free(second);
    stoq_config_free(config);
    stoq_config_free(again);
    return 0;
}
