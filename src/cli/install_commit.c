/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Moving a checked plugin to its place; see install.h. Where the filesystem cannot
 * exchange two directories, the old one is moved aside for a moment, and back again
 * when the new one cannot be moved in.
 */

#include "cli/install.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/scratch.h"
#include "util/auto.h"
#include "util/log.h"

#define OLD ".old"

static int
fail(const char *name, int code, struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, code, "%s: %s", name,
                          strerror(-code));
}

/* Whether the filesystem, or the kernel, does not know these flags of renameat2(2). */
static bool
unsupported(int code)
{
    return code == -EINVAL || code == -ENOSYS;
}

static int
rename_to(const struct cli_install_move *m, unsigned flags)
{
    return renameat2(AT_FDCWD, m->staged, m->home, m->name, flags) < 0 ? -errno : 0;
}

/* Where nothing is. */
static int
move_in(const struct cli_install_move *m, struct stoq_error *err)
{
    int r = rename_to(m, RENAME_NOREPLACE);
    if (unsupported(r))
        /* a directory that is not empty is never replaced, and an empty one is nothing
         */
        r = rename_to(m, 0);
    if (r == -EEXIST || r == -ENOTEMPTY || r == -ENOTDIR)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EEXIST,
                              "plugin %s is installed already; --upgrade replaces it",
                              m->name);
    return r < 0 ? fail(m->name, r, err) : 0;
}

static int
swap_in_steps(const struct cli_install_move *m, struct stoq_error *err)
{
    STOQ_AUTOFREE char *aside = NULL;
    if (asprintf(&aside, "%s/%s%s", m->staging, m->name, OLD) < 0) {
        aside = NULL;
        return fail(m->name, -ENOMEM, err);
    }
    if (renameat(m->home, m->name, AT_FDCWD, aside) < 0)
        return fail(m->name, -errno, err);
    if (renameat(AT_FDCWD, m->staged, m->home, m->name) == 0)
        return 0;
    int code = -errno;
    (void)renameat(AT_FDCWD, aside, m->home, m->name);
    return fail(m->name, code, err);
}

int
cli_install_commit(struct cli_install_move *m, struct stoq_error *err)
{
    int r = m->upgrade ? rename_to(m, RENAME_EXCHANGE) : -ENOENT;
    if (r == -ENOENT) {
        r = move_in(m, err);
    } else if (unsupported(r)) {
        r = swap_in_steps(m, err);
        m->in_steps = r == 0;
    } else if (r < 0) {
        r = fail(m->name, r, err);
    }
    if (r == 0)
        (void)fsync(m->home);
    return r;
}

/* Put back what lies aside in @dir, a directory of a crashed installation. */
static void
put_back(int home, const char *dir)
{
    STOQ_AUTOCLOSEDIR DIR *d = opendir(dir);
    const struct dirent *e;
    while (d && (e = readdir(d))) {
        size_t n = strlen(e->d_name), tail = sizeof(OLD) - 1;
        if (n <= tail || strcmp(e->d_name + n - tail, OLD) != 0)
            continue;
        STOQ_AUTOFREE char *name = strndup(e->d_name, n - tail);
        /* a new one that is there already is a directory that is not empty */
        if (name && renameat(dirfd(d), e->d_name, home, name) == 0)
            STOQ_WARN("plugin %s is back after an upgrade that was cut short", name);
    }
}

void
cli_install_recover(int home, const char *path)
{
    int again = openat(home, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    STOQ_AUTOCLOSEDIR DIR *d = again >= 0 ? fdopendir(again) : NULL;
    const struct dirent *e;
    while (d && (e = readdir(d))) {
        STOQ_AUTOFREE char *dir = NULL;
        if (strncmp(e->d_name, CLI_INSTALL_STAGING, strlen(CLI_INSTALL_STAGING)) != 0)
            continue;
        if (asprintf(&dir, "%s/%s", path, e->d_name) < 0) {
            dir = NULL;
            return;
        }
        put_back(home, dir);
        (void)cli_scratch_remove(dir);
    }
}
