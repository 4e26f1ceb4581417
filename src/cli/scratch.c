/* SPDX-License-Identifier: Apache-2.0 */

/* See scratch.h. */

#include "cli/scratch.h"

#include <errno.h>
#include <fts.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/auto.h"

int
cli_scratch_new(const char *parent, const char *prefix, char **out,
                struct stoq_error *err)
{
    const char *tmp = getenv("TMPDIR");
    STOQ_AUTOFREE char *path = NULL;
    if (!parent)
        parent = tmp && tmp[0] == '/' ? tmp : "/tmp";
    if (asprintf(&path, "%s/%sXXXXXX", parent, prefix) < 0) {
        path = NULL;
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    if (!mkdtemp(path))
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno,
                              "cannot make a directory in %s: %s", parent,
                              strerror(errno));
    *out = STOQ_STEAL(&path);
    return 0;
}

int
cli_scratch_remove(const char *path)
{
    if (!path)
        return 0;
    char *roots[] = {(char *)(uintptr_t)path, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
    if (!walk)
        return -errno;
    int r = 0;
    FTSENT *e;
    while ((e = fts_read(walk))) {
        int gone = 0;
        if (e->fts_info == FTS_DP || e->fts_info == FTS_DNR)
            gone = rmdir(e->fts_accpath);
        else if (e->fts_info == FTS_D)
            (void)chmod(e->fts_accpath, 0700);
        else
            gone = unlink(e->fts_accpath);
        if (gone < 0 && r == 0)
            r = -errno;
    }
    (void)fts_close(walk);
    return r;
}
