/* SPDX-License-Identifier: Apache-2.0 */

/* The scanner's memory files; see spare.h. */

#include "pool/spare.h"

#include <errno.h>
#include <sys/mman.h>

#include "util/auto.h"

/* A job takes two at most, for children that are kept and for a large document; so all
 * but few scanners do many jobs. */
#define SPARES  4U
#define PER_JOB 2U

static int spare[SPARES];
static unsigned left;
static bool filled;

int
stoq_spare_fill(void)
{
    filled = true;
    while (left < SPARES) {
        int fd = memfd_create("stoq-spare", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd < 0)
            return -errno;
        spare[left++] = fd;
    }
    return 0;
}

int
stoq_spare_take(const char *name)
{
    int fd;

    if (filled)
        return left > 0 ? spare[--left] : -EMFILE;
    fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd < 0 ? -errno : fd;
}

bool
stoq_spare_low(void)
{
    /* the answer that asks may take one more */
    return filled && left < PER_JOB + 1;
}
