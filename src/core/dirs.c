/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The plugin directories. The bundled one is found from where the library itself lies,
 * so that a build tree, an installation and a relocated installation all work without a
 * setting.
 */

#include "core/dirs.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/engine.h"
#include "util/auto.h"

/* An address inside the library, or inside a program that has it linked in. */
static const char anchor;

static bool
is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The directory of the object this code is in. @return 0 or -ENOENT. */
static int
own_dir(char path[PATH_MAX])
{
    Dl_info info;
    if (dladdr(&anchor, &info) == 0 || !info.dli_fname)
        return -ENOENT;
    /* A program started by way of PATH is known to the loader by its bare name. */
    const char *name = strchr(info.dli_fname, '/') ? info.dli_fname : "/proc/self/exe";
    if (!realpath(name, path))
        return -ENOENT;
    char *slash = strrchr(path, '/');
    if (!slash)
        return -ENOENT;
    *slash = '\0';
    return 0;
}

int
stoq_bundled_plugin_dir(char *buf, size_t size)
{
    char dir[PATH_MAX];
    if (own_dir(dir) < 0)
        return -ENOENT;
    static const char *const places[] = {"/../plugins", "/" STOQ_PLUGIN_SUBDIR};
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(places); i++) {
        STOQ_AUTOFREE char *path = NULL;
        if (asprintf(&path, "%s%s", dir, places[i]) < 0)
            return -ENOMEM;
        STOQ_AUTOFREE char *real = is_dir(path) ? realpath(path, NULL) : NULL;
        if (!real)
            continue;
        int n = snprintf(buf, size, "%s", real);
        return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
    }
    return -ENOENT;
}

static bool
names_dir(const struct stoq_strv *dirs, const char *bundled)
{
    for (size_t i = 0; i < dirs->count; i++) {
        STOQ_AUTOFREE char *real = realpath(dirs->items[i], NULL);
        if (real && strcmp(real, bundled) == 0)
            return true;
    }
    return false;
}

int
stoq_dirs_all(const struct stoq_strv *configured, struct stoq_strv *out)
{
    char bundled[PATH_MAX];
    int rc = 0;
    if (stoq_bundled_plugin_dir(bundled, sizeof(bundled)) == 0 &&
        !names_dir(configured, bundled))
        rc = stoq_strv_add(out, bundled);
    for (size_t i = 0; i < configured->count && rc == 0; i++)
        rc = stoq_strv_add(out, configured->items[i]);
    return rc;
}
