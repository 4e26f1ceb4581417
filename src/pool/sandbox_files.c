/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a scanner sees of the filesystem: nothing. Its root is a directory that was
 * removed, or a small filesystem in memory that it alone has, when a worker asked for
 * room for temporary files; and Landlock grants no access but to that room. Names and
 * metadata are what the root takes away, since Landlock does not guard them.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pool/sandbox_impl.h"
#include "util/auto.h"

/* Size of that filesystem where extracted bytes are not limited; files in it. */
#define ROOM_BYTES (512ULL << 20)
#define ROOM_FILES 65536U

/* Landlock's numbers, since the headers may be older than the kernel. */
#define FS_WRITE_FILE  (1ULL << 1)
#define FS_READ_FILE   (1ULL << 2)
#define FS_READ_DIR    (1ULL << 3)
#define FS_REMOVE_DIR  (1ULL << 4)
#define FS_REMOVE_FILE (1ULL << 5)
#define FS_MAKE_DIR    (1ULL << 7)
#define FS_MAKE_REG    (1ULL << 8)
#define FS_REFER       (1ULL << 13)
#define FS_TRUNCATE    (1ULL << 14)
#define FS_ROOM                                                                    \
    (FS_WRITE_FILE | FS_READ_FILE | FS_READ_DIR | FS_REMOVE_DIR | FS_REMOVE_FILE | \
     FS_MAKE_DIR | FS_MAKE_REG | FS_REFER | FS_TRUNCATE)
#define CREATE_VERSION 1U
#define RULE_BENEATH   1

struct ruleset {
    uint64_t fs, net, scoped;
};

struct beneath {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

static bool
wants_room(const struct stoq_sandbox *s)
{
    return s->scratch && s->scratch->count > 0;
}

/** A directory in which nothing is and nothing can be made: removed, but held. */
static int
open_nowhere(const char *parent)
{
    char path[64];
    int fd, saved;

    (void)snprintf(path, sizeof(path), "%s/stoq-root-XXXXXX", parent);
    if (!mkdtemp(path))
        return -errno;
    fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    saved = errno;
    (void)rmdir(path);
    return fd < 0 ? -saved : fd;
}

void
stoq_sandbox_files_prepare(struct stoq_sandbox *s)
{
    static const char *const parents[] = {"/tmp", "/run", "/dev/shm"};

    s->root = -ENOENT;
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(parents) && s->root < 0; i++)
        s->root = open_nowhere(parents[i]);
}

/** A filesystem in memory that is mounted nowhere. @return its descriptor or -errno. */
static int
make_room(const struct stoq_sandbox *s)
{
    STOQ_AUTOCLOSE int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
    char size[32], files[32], user[32];
    uint64_t limit = s->limits->extracted_bytes, bytes = limit ? limit : ROOM_BYTES;
    int r;

    if (fs < 0)
        return -errno;
    (void)snprintf(size, sizeof(size), "%" PRIu64, bytes);
    (void)snprintf(files, sizeof(files), "%u", ROOM_FILES);
    (void)snprintf(user, sizeof(user), "%u",
                   s->own_user ? stoq_sandbox_uid(getpid()) : geteuid());
    if (fsconfig(fs, FSCONFIG_SET_STRING, "size", size, 0) < 0 ||
        fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", files, 0) < 0 ||
        fsconfig(fs, FSCONFIG_SET_STRING, "uid", user, 0) < 0 ||
        fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0700", 0) < 0 ||
        fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    r = fsmount(fs, FSMOUNT_CLOEXEC,
                MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    return r < 0 ? -errno : r;
}

/** Make directory @p path, and those above it, all the scanner's own. */
static int
make_path(const struct stoq_sandbox *s, const char *path)
{
    unsigned user = s->own_user ? stoq_sandbox_uid(getpid()) : geteuid();
    STOQ_AUTOFREE char *copy = strdup(path);

    if (!copy)
        return -ENOMEM;
    for (char *slash = strchr(copy + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        if (mkdir(copy, 0700) < 0 && errno != EEXIST)
            return -errno;
        if (chown(copy, user, (gid_t)-1) < 0)
            return -errno;
        if (!slash)
            return 0;
        *slash = '/';
    }
}

/** The working directory is what is left to somebody who may not change the root. */
static int
enter_root(int fd)
{
    return fchdir(fd) < 0 || chroot(".") < 0 ? -errno : 0;
}

static int
enter_room(struct stoq_sandbox *s)
{
    /* the filesystem goes when its descriptor does, so that one stays open */
    int fd = make_room(s);
    int r = fd < 0 ? fd : enter_root(fd);

    for (size_t i = 0; r == 0 && i < s->scratch->count; i++)
        r = make_path(s, s->scratch->items[i]);
    s->private_root = r == 0;
    return r;
}

/** Sanitizers look for symbols when they report, so that they keep the root there was,
 *  unless it is needed as a user of its own, who cannot reach the real directory. */
int
stoq_sandbox_empty_root(struct stoq_sandbox *s)
{
    int r = 0;

    if (wants_room(s) && geteuid() == 0) {
        r = enter_room(s);
        if (r < 0)
            s->own_user = false;
        return r < 0 ? r : 1;
    }
    if (wants_room(s) || STOQ_SANITIZED)
        return 0;
    r = s->root < 0 ? s->root : enter_root(s->root);
    if (s->root >= 0)
        stoq_auto_close(&s->root);
    /* some users may, in the namespace that no-network made */
    if (r == -EPERM && geteuid() != 0)
        return 0;
    return r < 0 ? r : 1;
}

/* ------------------------------------------------------------------------ Landlock */

static int
grant(int ruleset, const char *path, uint64_t rights)
{
    STOQ_AUTOCLOSE int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct beneath rule = {.allowed = rights, .parent = fd};

    if (fd < 0)
        return -errno;
    return syscall(SYS_landlock_add_rule, ruleset, RULE_BENEATH, &rule, 0U) < 0 ? -errno
                                                                                : 0;
}

/** All that this kernel's Landlock can refuse. */
static struct ruleset
all_of(long version, size_t *size)
{
    struct ruleset set = {.fs = (1ULL << 13) - 1};

    *size = sizeof(set.fs);
    if (version >= 2)
        set.fs |= FS_REFER;
    if (version >= 3)
        set.fs |= FS_TRUNCATE;
    if (version >= 5)
        set.fs |= 1ULL << 15; /* ioctl(2) of devices */
    if (version >= 4) {
        set.net = 3; /* bind and connect */
        *size = offsetof(struct ruleset, scoped);
    }
    if (version >= 6) {
        set.scoped = 3; /* abstract sockets, signals */
        *size = sizeof(set);
    }
    return set;
}

int
stoq_sandbox_landlock(struct stoq_sandbox *s)
{
    STOQ_AUTOCLOSE int fd = -1;
    struct ruleset set;
    size_t size;
    long version;
    int r = 0;

    /* sanitizers read their own map and symbols when they report */
    if (STOQ_SANITIZED)
        return 0;
    version = syscall(SYS_landlock_create_ruleset, NULL, 0UL, CREATE_VERSION);
    if (version < 0)
        return -errno;
    set = all_of(version, &size);
    fd = (int)syscall(SYS_landlock_create_ruleset, &set, size, 0U);
    if (fd < 0)
        return -errno;
    for (size_t i = 0; r == 0 && wants_room(s) && i < s->scratch->count; i++)
        r = grant(fd, s->scratch->items[i], FS_ROOM & set.fs);
    if (r < 0)
        return r;
    return syscall(SYS_landlock_restrict_self, fd, 0U) < 0 ? -errno : 1;
}
