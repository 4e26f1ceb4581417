/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Files that appear whole: written without a name, on disk before they get one, which
 * link(2) gives only when it is free. So two writers, a crash and a repeated call leave
 * one complete file and nothing else. Called by connector.c and archiver.c.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/write.h"
#include "filedir.h"

/* Make the entry of a new directory last as long as what is put into it. */
static void
sync_parent(const char *path)
{
    PLUGIN_AUTOFREE char *parent = strdup(path);
    char *slash = parent ? strrchr(parent, '/') : NULL;
    if (!slash)
        return;
    slash[slash == parent ? 1 : 0] = '\0';
    PLUGIN_AUTOCLOSE int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void)fsync(fd);
}

int
stoq_filedir_mkdir(const char *path)
{
    PLUGIN_AUTOFREE char *copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    for (char *p = copy + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char end = *p;
        *p = '\0';
        if (mkdir(copy, 0750) == 0)
            sync_parent(copy);
        else if (errno != EEXIST)
            return -errno;
        if (!end)
            return 0;
        *p = end;
    }
}

static int
write_all(int fd, const char *data, size_t size)
{
    int r = plugin_write_full(fd, data, size);
    return r == 0 && fsync(fd) < 0 ? -errno : r;
}

/* 1 = a file is there, 0 = the name is free, -errno. */
static int
is_there(int dir, const char *name)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    return S_ISREG(st.st_mode) ? 1 : -EISDIR;
}

/* A file without a name is gone with a process that is killed. @return 0, -EOPNOTSUPP
 * where the filesystem has none such, -EEXIST, -errno. */
static int
write_unnamed(int dirfd, const char *name, const void *data, size_t size)
{
    PLUGIN_AUTOCLOSE int fd =
        openat(dirfd, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0640);
    if (fd < 0)
        return errno == EISDIR || errno == EINVAL ? -EOPNOTSUPP : -errno;
    int r = write_all(fd, data, size);
    if (r < 0)
        return r;
    /* By way of /proc, as open(2) shows it: AT_EMPTY_PATH asks for a capability. */
    char self[32];
    (void)snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, self, dirfd, name, AT_SYMLINK_FOLLOW) < 0)
        return errno == ENOENT || errno == EXDEV ? -EOPNOTSUPP : -errno;
    return 0;
}

/* The same under a name of its own first; dotted, so that a provider on this directory
 * does not pick it up. */
static int
write_named(int dirfd, const char *name, const void *data, size_t size)
{
    char temp[160];
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)snprintf(temp, sizeof temp, ".%.100s.%ld.%ld", name, (long)getpid(),
                   now.tv_nsec);
    PLUGIN_AUTOCLOSE int fd =
        openat(dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return -errno;
    int r = write_all(fd, data, size);
    if (r == 0 && linkat(dirfd, temp, dirfd, name, 0) < 0)
        r = -errno;
    (void)unlinkat(dirfd, temp, 0);
    return r;
}

int
stoq_filedir_store(const char *dir, const char *name, const void *data, size_t size)
{
    int r = stoq_filedir_mkdir(dir);
    if (r < 0)
        return r;
    PLUGIN_AUTOCLOSE int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0)
        return -errno;
    r = is_there(dirfd, name);
    if (r != 0)
        return r < 0 ? r : 0;

    r = write_unnamed(dirfd, name, data, size);
    if (r == -EOPNOTSUPP)
        r = write_named(dirfd, name, data, size);
    if (r == -EEXIST && is_there(dirfd, name) == 1)
        r = 0;
    if (r == 0 && fsync(dirfd) < 0)
        r = -errno;
    return r;
}

char *
stoq_filedir_dated(const char *dir, const char *format, time_t when)
{
    if (!format)
        return strdup(dir);
    char date[256];
    struct tm tm;
    if (!localtime_r(&when, &tm))
        return NULL;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    /* The format is the operator's option: strftime() writes no more than it is given.
     */
    size_t n = strftime(date, sizeof date, format, &tm);
#pragma GCC diagnostic pop
    char *path = NULL;
    if (n == 0 || asprintf(&path, "%s/%s", dir, date) < 0)
        return NULL;
    return path;
}
