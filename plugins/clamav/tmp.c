/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Directories for libclamav's temporary files, below one that belongs to the user. Each
 * process that scans has its own and holds a lock on it while it lives; one
 * without is of a scanner that was killed, and is removed with what is in it.
 */

#include <dirent.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parts.h"

#define TRIES 10

int
clamav_tmp_base(const char *parent, char **out, struct stoq_error *err)
{
    PLUGIN_AUTOFREE char *path = NULL;
    struct stat st;
    if (asprintf(&path, "%s/stoq-clamav-%u", parent, (unsigned)geteuid()) < 0) {
        path = NULL;
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    if ((mkdir(path, 0700) < 0 && errno != EEXIST) || lstat(path, &st) < 0)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -errno, "tmp_dir %s: %s", parent,
                              strerrordesc_np(errno));
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EPERM,
                              "%s is not a directory of this user alone", path);
    *out = PLUGIN_STEAL(&path);
    return 0;
}

static void
remove_tree(char *path)
{
    char *roots[] = {path, NULL};
    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    if (!fts)
        return;
    for (const FTSENT *e; (e = fts_read(fts));) {
        if (e->fts_info == FTS_DP || e->fts_info == FTS_DNR)
            (void)rmdir(e->fts_accpath);
        else if (e->fts_info != FTS_D)
            (void)unlink(e->fts_accpath);
    }
    (void)fts_close(fts);
}

/* Lock a directory. @return a descriptor, or -1 when somebody else has the lock. */
static int
lock_directory(const char *path)
{
    PLUGIN_AUTOCLOSE int fd =
        open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
        return -1;
    int locked = fd;
    fd = -1;
    return locked;
}

static void
remove_abandoned(const char *base)
{
    DIR *dir = opendir(base);
    if (!dir)
        return;
    for (const struct dirent *e; (e = readdir(dir));) {
        PLUGIN_AUTOFREE char *path = NULL;
        if (e->d_name[0] == '.')
            continue;
        if (asprintf(&path, "%s/%s", base, e->d_name) < 0) {
            path = NULL;
            continue;
        }
        PLUGIN_AUTOCLOSE int fd = lock_directory(path);
        if (fd >= 0)
            remove_tree(path);
    }
    (void)closedir(dir);
}

/* Whether @fd is still the directory called @path: not removed before it was locked. */
static bool
is_there(int fd, const char *path)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

int
clamav_tmp_open(struct clamav_tmp *t, const char *base)
{
    remove_abandoned(base);
    for (int i = 0; i < TRIES; i++) {
        PLUGIN_AUTOFREE char *path = NULL;
        if (asprintf(&path, "%s/XXXXXX", base) < 0) {
            path = NULL;
            return -ENOMEM;
        }
        if (!mkdtemp(path))
            return -errno;
        int fd = lock_directory(path);
        if (fd >= 0 && is_there(fd, path)) {
            t->path = PLUGIN_STEAL(&path);
            t->fd = fd;
            t->pid = getpid();
            return 0;
        }
        if (fd >= 0)
            (void)close(fd);
    }
    return -EBUSY;
}

void
clamav_tmp_close(struct clamav_tmp *t)
{
    if (t->path && t->pid == getpid())
        remove_tree(t->path);
    if (t->path)
        (void)close(t->fd);
    free(t->path);
    *t = (struct clamav_tmp){0};
}
