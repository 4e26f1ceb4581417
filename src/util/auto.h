/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_UTIL_AUTO_H
#define STOQ_UTIL_AUTO_H

/*
 * Cleanup variables: memory, descriptors and objects that end with their scope.
 * Every cleanup keeps errno and resets its variable. Leave early with return; hand
 * ownership on with STOQ_STEAL (pointers) or STOQ_STEAL_FD.
 */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STOQ_CLEANUP(fn) __attribute__((cleanup(fn)))

static inline void
stoq_auto_free(void *pp)
{
    int saved = errno;
    void **p = (void **)pp;
    free(*p);
    *p = NULL;
    errno = saved;
}

static inline void
stoq_auto_close(int *fd)
{
    int saved = errno;
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
    errno = saved;
}

static inline void
stoq_auto_fclose(FILE **f)
{
    int saved = errno;
    if (*f)
        (void)fclose(*f);
    *f = NULL;
    errno = saved;
}

static inline void
stoq_auto_closedir(DIR **d)
{
    int saved = errno;
    if (*d)
        (void)closedir(*d);
    *d = NULL;
    errno = saved;
}

static inline int
stoq_steal_fd(int *fd)
{
    int r = *fd;
    *fd = -1;
    return r;
}

#define STOQ_AUTOFREE     STOQ_CLEANUP(stoq_auto_free)
#define STOQ_AUTOCLOSE    STOQ_CLEANUP(stoq_auto_close)
#define STOQ_AUTOFCLOSE   STOQ_CLEANUP(stoq_auto_fclose)
#define STOQ_AUTOCLOSEDIR STOQ_CLEANUP(stoq_auto_closedir)

/** Define the cleanup of `struct NAME`, freed by NAME_free(); use as STOQ_AUTO(NAME).
 */
#define STOQ_DEFINE_AUTO(name)                      \
    static inline void name##_auto(struct name **p) \
    {                                               \
        int saved = errno;                          \
        if (*p)                                     \
            name##_free(*p);                        \
        *p = NULL;                                  \
        errno = saved;                              \
    }
#define STOQ_AUTO(name) STOQ_CLEANUP(name##_auto) struct name *

/** Take the value of a pointer variable and leave NULL in it. */
#define STOQ_STEAL(pp)                         \
    __extension__({                            \
        __typeof__(*(pp)) stoq_stolen = *(pp); \
        *(pp) = NULL;                          \
        stoq_stolen;                           \
    })
#define STOQ_STEAL_FD(fdp) stoq_steal_fd(fdp)

#define STOQ_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define STOQ_UNUSED        __attribute__((unused))

#endif
