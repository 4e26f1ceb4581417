/* SPDX-License-Identifier: Apache-2.0 */

/* The state directory and the files in it; see files.h. */

#include "store/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/db.h"
#include "util/auto.h"
#include "util/io.h"

#define NEW_NAME    STOQ_DB_NAME ".new"
#define ASIDE_TRIES 1000

/* What SQLite keeps beside a database; renamed before it, see stoq_files_aside(). */
static const char *const companions[] = {"-wal", "-shm", "-journal"};

static int
sys_error(struct stoq_error *err, const char *what)
{
    int code = -errno;

    return stoq_error_set(err, STOQ_ERROR_SYSTEM, code, "%s: %s", what,
                          strerror(-code));
}

int
stoq_files_dir(const char *dir, struct stoq_error *err)
{
    int r = stoq_mkdir_p(dir, 0700);
    int fd;

    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "%s: %s", dir, strerror(-r));
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? sys_error(err, dir) : fd;
}

int
stoq_files_lock(int dir_fd, const char *dir, struct stoq_error *err)
{
    STOQ_AUTOCLOSE int fd =
        openat(dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return sys_error(err, "lock file of the store");
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return STOQ_STEAL_FD(&fd);
    if (errno == EWOULDBLOCK)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -EBUSY,
                              "%s is in use by another process; one mount needs one "
                              "state directory",
                              dir);
    return sys_error(err, "lock file of the store");
}

static uint32_t
be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool
has_log(int dir_fd)
{
    struct stat st;

    return fstatat(dir_fd, STOQ_DB_NAME "-wal", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           st.st_size > 0;
}

/* Offsets are those of SQLite's documented file format. */
static bool
header_ours(const unsigned char head[100], uint64_t file_size, bool log)
{
    uint64_t page = (uint64_t)head[16] << 8 | head[17];
    uint64_t pages = be32(head + 28);
    uint32_t version = be32(head + 60);

    if (memcmp(head, "SQLite format 3", 16) != 0 ||
        be32(head + 68) != STOQ_DB_APPLICATION_ID || version < STOQ_DB_SCHEMA_OLDEST ||
        version > STOQ_DB_SCHEMA_VERSION)
        return false;
    if (page == 1)
        page = 65536;
    /* With a log to be read back the file may rightly be shorter than it says. */
    return log || file_size >= page * pages;
}

int
stoq_files_inspect(int dir_fd)
{
    STOQ_AUTOCLOSE int fd = -1;
    unsigned char head[100];
    struct stat st;
    ssize_t n;

    if (fstatat(dir_fd, STOQ_DB_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EUCLEAN;
    fd = openat(dir_fd, STOQ_DB_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    n = stoq_pread_full(fd, head, sizeof head, 0);
    if (n < 0)
        return (int)n;
    if ((size_t)n < sizeof head ||
        !header_ours(head, (uint64_t)st.st_size, has_log(dir_fd)))
        return -EUCLEAN;
    return 0;
}

/* Rename NAME+suffix to a free name; nothing there is a success. */
static int
rename_one(int dir_fd, const char *base, const char *aside, const char *suffix)
{
    char from[64], to[128];

    (void)snprintf(from, sizeof from, "%s%s", base, suffix);
    (void)snprintf(to, sizeof to, "%s%s", aside, suffix);
    if (renameat2(dir_fd, from, dir_fd, to, RENAME_NOREPLACE) < 0 && errno != ENOENT)
        return -errno;
    return 0;
}

static bool
is_free(int dir_fd, const char *aside)
{
    char name[128];
    struct stat st;

    for (size_t i = 0; i < STOQ_ARRAY_SIZE(companions); i++) {
        (void)snprintf(name, sizeof name, "%s%s", aside, companions[i]);
        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            return false;
    }
    return fstatat(dir_fd, aside, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

static int
aside_name(int dir_fd, char *name, size_t size)
{
    time_t now = time(NULL);
    char stamp[32] = "";
    struct tm tm;

    if (gmtime_r(&now, &tm))
        (void)strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm);
    (void)snprintf(name, size, STOQ_DB_NAME ".corrupt-%s", stamp);
    for (int i = 1; i < ASIDE_TRIES && !is_free(dir_fd, name); i++)
        (void)snprintf(name, size, STOQ_DB_NAME ".corrupt-%s-%d", stamp, i);
    return is_free(dir_fd, name) ? 0 : -EEXIST;
}

/*
 * Companions first: were the database to go first and the rest to stay (a crash between
 * the two), SQLite would replay the old log into the new database.
 */
int
stoq_files_aside(int dir_fd, char *name, size_t size, struct stoq_error *err)
{
    char aside[96];
    int r = aside_name(dir_fd, aside, sizeof aside);

    for (size_t i = 0; !r && i < STOQ_ARRAY_SIZE(companions); i++)
        r = rename_one(dir_fd, STOQ_DB_NAME, aside, companions[i]);
    if (!r)
        r = rename_one(dir_fd, STOQ_DB_NAME, aside, "");
    if (!r && unlinkat(dir_fd, STOQ_DB_SUSPECT, 0) < 0 && errno != ENOENT)
        r = -errno;
    if (!r && fsync(dir_fd) < 0)
        r = -errno;
    if (r)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "%s cannot be moved aside: %s",
                              STOQ_DB_NAME, strerror(-r));
    (void)snprintf(name, size, "%s", aside);
    return 0;
}

/* A log without its database, or one made half by a process that died. */
static int
clear_leftovers(int dir_fd, struct stoq_error *err)
{
    static const char *const made[] = {NEW_NAME, NEW_NAME "-wal", NEW_NAME "-shm",
                                       NEW_NAME "-journal"};
    char ignored[96];
    struct stat st;

    for (size_t i = 0; i < STOQ_ARRAY_SIZE(made); i++)
        (void)unlinkat(dir_fd, made[i], 0);
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(companions); i++) {
        char name[64];

        (void)snprintf(name, sizeof name, STOQ_DB_NAME "%s", companions[i]);
        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            return stoq_files_aside(dir_fd, ignored, sizeof ignored, err);
    }
    return 0;
}

int
stoq_files_create(const char *dir, int dir_fd, struct stoq_error *err)
{
    STOQ_AUTOFREE char *path = NULL;
    int r = clear_leftovers(dir_fd, err);

    if (r < 0)
        return r;
    if (asprintf(&path, "%s/" NEW_NAME, dir) < 0) {
        path = NULL;
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    r = stoq_db_create(path, err);
    if (r == 0 &&
        renameat2(dir_fd, NEW_NAME, dir_fd, STOQ_DB_NAME, RENAME_NOREPLACE) < 0)
        r = sys_error(err, path);
    if (r == 0 && fsync(dir_fd) < 0)
        r = sys_error(err, dir);
    if (r < 0)
        (void)unlinkat(dir_fd, NEW_NAME, 0);
    return r;
}
