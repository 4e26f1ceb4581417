/* SPDX-License-Identifier: Apache-2.0 */

/*
 * System calls with an edge: partial transfers, EINTR, descriptors in messages, files
 * that must appear whole. No state, any thread.
 */

#include "util/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/auto.h"
#include "util/clock.h"

ssize_t
stoq_pread_full(int fd, void *buf, size_t size, uint64_t off)
{
    size_t done = 0;
    if (size > SSIZE_MAX)
        size = SSIZE_MAX;
    while (done < size) {
        uint64_t at;
        if (__builtin_add_overflow(off, (uint64_t)done, &at) || at > INT64_MAX)
            break;
        ssize_t n = pread(fd, (char *)buf + done, size - done, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

int
stoq_write_full(int fd, const void *buf, size_t size)
{
    const char *p = buf;
    while (size > 0) {
        ssize_t n = write(fd, p, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

/* Read @p fd to its end into a new buffer; works for pipes too. */
static int
read_all(int fd, size_t max, char **out, size_t *size)
{
    STOQ_AUTOFREE char *data = NULL;
    size_t room = 0;
    size_t used = 0;
    struct stat st;
    size_t guess = 4096;
    if (fstat(fd, &st) == 0 && st.st_size > 0 && (uint64_t)st.st_size <= max)
        guess = (size_t)st.st_size + 2; /* so that EOF is seen without growing */
    for (;;) {
        if (room - used < 2) {
            size_t want = room ? room * 2 : guess;
            char *grown = realloc(data, want);
            if (!grown)
                return -ENOMEM;
            data = grown;
            room = want;
        }
        ssize_t n = read(fd, data + used, room - used - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        used += (size_t)n;
        if (used > max)
            return -EFBIG;
    }
    data[used] = '\0';
    *out = STOQ_STEAL(&data);
    if (size)
        *size = used;
    return 0;
}

int
stoq_read_file(const char *path, size_t max, char **out, size_t *size,
               struct stoq_error *err)
{
    STOQ_AUTOCLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int r = fd < 0 ? -errno : read_all(fd, max, out, size);
    if (r == -EFBIG)
        return stoq_error_set(err, STOQ_ERROR_LIMIT, r, "%s: larger than %zu bytes",
                              path, max);
    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "%s: %s", path,
                              strerrordesc_np(-r));
    return 0;
}

int
stoq_mkdir_p(const char *path, mode_t mode)
{
    STOQ_AUTOFREE char *copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    if (*copy == '\0')
        return -ENOENT;
    for (char *p = copy + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char kept = *p;
        *p = '\0';
        if (mkdir(copy, mode) < 0 && errno != EEXIST) {
            struct stat st;
            int r = -errno;
            /* a read-only or foreign parent that exists is fine */
            if (stat(copy, &st) < 0 || !S_ISDIR(st.st_mode))
                return r;
        }
        *p = kept;
        if (kept == '\0')
            break;
    }
    struct stat st;
    if (stat(path, &st) < 0)
        return -errno;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

/* Descriptor of the directory that @p path is in; *base points at the last part. */
static int
open_parent(const char *path, const char **base)
{
    const char *slash = strrchr(path, '/');
    *base = slash ? slash + 1 : path;
    if (**base == '\0')
        return -EISDIR;
    STOQ_AUTOFREE char *dir = NULL;
    if (!slash)
        dir = strdup(".");
    else if (slash == path)
        dir = strdup("/");
    else
        dir = strndup(path, (size_t)(slash - path));
    if (!dir)
        return -ENOMEM;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int
write_and_sync(int dir, const char *name, const void *data, size_t size, mode_t mode)
{
    STOQ_AUTOCLOSE int fd =
        openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return -errno;
    int r = stoq_write_full(fd, data, size);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    return r;
}

static int
put_in_place(int dir, const char *from, const char *to, bool exclusive)
{
    if (!exclusive)
        return renameat(dir, from, dir, to) < 0 ? -errno : 0;
    if (renameat2(dir, from, dir, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    /* file systems without that flag: a hard link never replaces anything */
    if (linkat(dir, from, dir, to, 0) < 0)
        return -errno;
    (void)unlinkat(dir, from, 0);
    return 0;
}

int
stoq_write_file_atomic(const char *path, const void *data, size_t size, mode_t mode,
                       bool exclusive)
{
    const char *base;
    STOQ_AUTOCLOSE int dir = open_parent(path, &base);
    if (dir < 0)
        return dir;
    struct stat st;
    if (exclusive && fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return -EEXIST; /* cheaper than writing first; the rename decides */
    char uuid[STOQ_UUID_SIZE];
    char temp[STOQ_UUID_SIZE + 16];
    stoq_uuid(uuid);
    (void)snprintf(temp, sizeof(temp), ".stoq-%s.tmp", uuid);
    int r = write_and_sync(dir, temp, data, size, mode);
    if (r == -EEXIST)
        return -EIO;
    if (r == 0)
        r = put_in_place(dir, temp, base, exclusive);
    if (r < 0) {
        (void)unlinkat(dir, temp, 0);
        return r;
    }
    return fsync(dir) < 0 && errno != EINVAL ? -errno : 0;
}

int
stoq_memfd(const char *name, const void *data, size_t size)
{
    STOQ_AUTOCLOSE int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    int r = stoq_write_full(fd, data, size);
    if (r < 0)
        return r;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    if (fcntl(fd, F_ADD_SEALS, seals) < 0)
        return -errno;
    return STOQ_STEAL_FD(&fd);
}
