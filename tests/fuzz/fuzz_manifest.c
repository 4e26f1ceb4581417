/* SPDX-License-Identifier: Apache-2.0 */

/* A plugin's manifest from anywhere. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <stoq/plugin.h>

#include "plugin/manifest.h"
#include "target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stoq_manifest *m = NULL;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    char name[16];

    if (fd < 0)
        abort();
    (void)snprintf(name, sizeof name, "%d", fd);
    if (write(fd, data, size) == (ssize_t)size &&
        stoq_manifest_read("/proc/self/fd", name, &m, NULL) == 0)
        stoq_manifest_free(m);
    (void)close(fd);
    return 0;
}
