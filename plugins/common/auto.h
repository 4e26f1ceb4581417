/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_COMMON_AUTO_H
#define PLUGINS_COMMON_AUTO_H

/* Variables of the shipped plugins that let go of what they hold at the end of their
 * scope. Plugins see the public headers alone, so these are theirs. */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* errno survives, so that a return after a failed call still says why. */

static inline void
plugin_auto_free(void *pp)
{
    int saved = errno;
    void **p = (void **)pp;

    free(*p);
    *p = NULL;
    errno = saved;
}

static inline void
plugin_auto_close(int *fd)
{
    int saved = errno;

    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
    errno = saved;
}

/** A pointer from malloc(3) or NULL. */
#define PLUGIN_AUTOFREE __attribute__((cleanup(plugin_auto_free)))
/** A descriptor or -1. */
#define PLUGIN_AUTOCLOSE __attribute__((cleanup(plugin_auto_close)))

/** The value of a pointer variable, which no longer holds it. */
#define PLUGIN_STEAL(p)                 \
    __extension__({                     \
        __typeof__(*(p)) stolen = *(p); \
        *(p) = NULL;                    \
        stolen;                         \
    })

#endif
