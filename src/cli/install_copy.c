/* SPDX-License-Identifier: Apache-2.0 */

/* Copying a plugin's directory, by descriptors; see install.h. */

#include "cli/install.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/auto.h"
#include "util/io.h"

static int
fail(const char *path, int code, struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, code, "%s: %s", path,
                          strerror(code < 0 ? -code : code));
}

int
cli_install_count(struct cli_install_count *c, uint64_t bytes, struct stoq_error *err)
{
    c->files++;
    if (c->files > CLI_INSTALL_FILES)
        return stoq_error_set(err, STOQ_ERROR_LIMIT, -EFBIG, "more than %u files",
                              CLI_INSTALL_FILES);
    if (bytes > CLI_INSTALL_BYTES - c->bytes)
        return stoq_error_set(err, STOQ_ERROR_LIMIT, -EFBIG, "more than %llu MiB",
                              (unsigned long long)(CLI_INSTALL_BYTES >> 20));
    c->bytes += bytes;
    return 0;
}

int
cli_install_name(const char *name, const char *path, struct stoq_error *err)
{
    bool odd = strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || *name == '\0';
    for (const char *p = name; *p && !odd; p++)
        odd = (unsigned char)*p < 0x20 || *p == 0x7f || *p == '/';
    return odd ? stoq_error_set(err, STOQ_ERROR_FORMAT, -EINVAL,
                                "%s: not a name for a file of a plugin", path)
               : 0;
}

int
cli_install_create(int dir, const char *name, bool program, const char *path,
                   struct stoq_error *err)
{
    int fd =
        openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || fchmod(fd, program ? 0755 : 0644) < 0) {
        int code = -errno;
        stoq_auto_close(&fd);
        return fail(path, code, err);
    }
    return fd;
}

int
cli_install_mkdir(int dir, const char *name, bool again, const char *path,
                  struct stoq_error *err)
{
    if (mkdirat(dir, name, 0700) < 0 && !(again && errno == EEXIST))
        return fail(path, -errno, err);
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fchmod(fd, 0755) < 0) {
        int code = -errno;
        stoq_auto_close(&fd);
        return fail(path, code, err);
    }
    return fd;
}

/* Refuse what others may write: it could change between the check and its use. */
static int
check_mode(const struct stat *st, const char *path, struct stoq_error *err)
{
    if (st->st_mode & S_IWOTH)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -EPERM,
                              "%s: everybody may write it", path);
    return 0;
}

static int
copy_file(int from, const struct stat *st, int dir, const char *name, const char *path,
          struct stoq_error *err)
{
    char buf[65536];
    STOQ_AUTOCLOSE int to =
        cli_install_create(dir, name, st->st_mode & S_IXUSR, path, err);
    if (to < 0)
        return to;
    uint64_t done = 0;
    for (;;) {
        ssize_t n = stoq_pread_full(from, buf, sizeof(buf), done);
        int r = n < 0 ? (int)n : stoq_write_full(to, buf, (size_t)n);
        if (r < 0)
            return fail(path, r, err);
        done += (uint64_t)n;
        if (done > (uint64_t)st->st_size)
            return stoq_error_set(err, STOQ_ERROR_SYSTEM, -EBUSY,
                                  "%s: changed while it was read", path);
        if (n < (ssize_t)sizeof(buf))
            break;
    }
    return fsync(to) < 0 ? fail(path, -errno, err) : 0;
}

/* Directories, from and to, that stay the caller's. */
struct place {
    int from, to;
    const char *path; /* of from, for messages */
    unsigned depth;
};

static int copy_dir(const struct place *at, struct cli_install_count *count,
                    struct stoq_error *err);

/* Copy one entry of a directory; @path is its own. */
static int
copy_entry(const struct place *at, const char *name, const char *path,
           struct cli_install_count *count, struct stoq_error *err)
{
    struct stat st;
    STOQ_AUTOCLOSE int fd = openat(
        at->from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 && errno == ELOOP)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ELOOP, "%s: a symbolic link",
                              path);
    if (fd < 0 || fstat(fd, &st) < 0)
        return fail(path, -errno, err);
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -EINVAL,
                              "%s: neither a file nor a directory", path);
    uint64_t size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    int r = check_mode(&st, path, err);
    if (r == 0)
        r = cli_install_name(name, path, err);
    if (r == 0)
        r = cli_install_count(count, size, err);
    if (r < 0)
        return r;
    if (S_ISREG(st.st_mode))
        return copy_file(fd, &st, at->to, name, path, err);
    STOQ_AUTOCLOSE int to = cli_install_mkdir(at->to, name, false, path, err);
    const struct place below = {
        .from = fd, .to = to, .path = path, .depth = at->depth + 1};
    return to < 0 ? to : copy_dir(&below, count, err);
}

static int
copy_dir(const struct place *at, struct cli_install_count *count,
         struct stoq_error *err)
{
    int again = openat(at->from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    STOQ_AUTOCLOSEDIR DIR *d = again >= 0 ? fdopendir(again) : NULL;
    const struct dirent *e;
    if (!d) {
        stoq_auto_close(&again);
        return fail(at->path, -errno, err);
    }
    if (at->depth > CLI_INSTALL_DEPTH)
        return stoq_error_set(err, STOQ_ERROR_LIMIT, -EFBIG, "%s: nested too deep",
                              at->path);
    while ((e = readdir(d))) {
        STOQ_AUTOFREE char *path = NULL;
        if (e->d_name[0] == '.')
            continue;
        if (asprintf(&path, "%s/%s", at->path, e->d_name) < 0) {
            path = NULL;
            return fail(at->path, -ENOMEM, err);
        }
        int r = copy_entry(at, e->d_name, path, count, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int
cli_install_copy(const char *source, int to, struct stoq_error *err)
{
    struct cli_install_count count = {0};
    struct stat st;
    STOQ_AUTOCLOSE int fd = open(source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return fail(source, -errno, err);
    const struct place at = {.from = fd, .to = to, .path = source};
    int r = check_mode(&st, source, err);
    return r < 0 ? r : copy_dir(&at, &count, err);
}
