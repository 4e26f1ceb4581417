/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owner, mode and shape of files that are about to become code; see trust.h.
 */

#include "plugin/trust.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "util/auto.h"
#include "util/io.h"

#define PHDRS_MAX 128U

static int
check_owner(const char *path, const struct stat *st, struct stoq_error *err)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -EPERM,
                              "%s: owned by uid %u, neither root nor this user", path,
                              (unsigned)st->st_uid);
    if (st->st_mode & S_IWOTH)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -EPERM,
                              "%s: world-writable, not loaded", path);
    return 0;
}

static int
open_failed(const char *path, int code, struct stoq_error *err)
{
    if (code == ELOOP)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -EPERM,
                              "%s: a symbolic link, not loaded", path);
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -code, "%s: %s", path,
                          strerror(code));
}

/* The descriptor of the directory of @path, checked. */
static int
open_dir(const char *path, const char *slash, struct stoq_error *err)
{
    STOQ_AUTOFREE char *dir =
        slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
    if (!dir)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    STOQ_AUTOCLOSE int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return open_failed(dir, errno, err);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return open_failed(dir, errno, err);
    int r = check_owner(dir, &st, err);
    if (r < 0)
        return r;
    return STOQ_STEAL_FD(&fd);
}

int
stoq_trusted_open(const char *path, struct stoq_error *err)
{
    const char *slash = strrchr(path, '/');
    if (!slash || slash[1] == '\0')
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "%s: not an absolute path of a file", path);
    STOQ_AUTOCLOSE int dir = open_dir(path, slash, err);
    if (dir < 0)
        return dir;
    /* O_NONBLOCK: a FIFO must not hold us up before we see what it is */
    STOQ_AUTOCLOSE int fd =
        openat(dir, slash + 1, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return open_failed(path, errno, err);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return open_failed(path, errno, err);
    if (!S_ISREG(st.st_mode))
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -EPERM, "%s: not a regular file",
                              path);
    int r = check_owner(path, &st, err);
    if (r < 0)
        return r;
    return STOQ_STEAL_FD(&fd);
}

static int
elf_bad(const char *path, const char *why, struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_ABI, -ENOEXEC, "%s: %s", path, why);
}

static bool
elf_header_fits(const ElfW(Ehdr) * eh)
{
    const unsigned char class = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
    const unsigned char order =
        __BYTE_ORDER == __LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB;
    return eh->e_ident[EI_CLASS] == class && eh->e_ident[EI_DATA] == order &&
           eh->e_type == ET_DYN && eh->e_phentsize == sizeof(ElfW(Phdr)) &&
           eh->e_phnum > 0 && eh->e_phnum <= PHDRS_MAX;
}

/* Whether segment @ph ends within @size bytes. */
static bool
segment_fits(const ElfW(Phdr) * ph, uint64_t size)
{
    uint64_t end;
    return !__builtin_add_overflow((uint64_t)ph->p_offset, (uint64_t)ph->p_filesz,
                                   &end) &&
           end <= size && ph->p_filesz <= ph->p_memsz;
}

int
stoq_elf_check(int fd, const char *path, struct stoq_error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return open_failed(path, errno, err);
    uint64_t size = (uint64_t)st.st_size;
    ElfW(Ehdr) eh;
    if (stoq_pread_full(fd, &eh, sizeof(eh), 0) != (ssize_t)sizeof(eh) ||
        memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0)
        return elf_bad(path, "not an ELF object", err);
    if (!elf_header_fits(&eh))
        return elf_bad(path, "not a shared object of this machine", err);
    ElfW(Phdr) ph[PHDRS_MAX];
    size_t bytes = (size_t)eh.e_phnum * sizeof(ph[0]);
    if (stoq_pread_full(fd, ph, bytes, (uint64_t)eh.e_phoff) != (ssize_t)bytes)
        return elf_bad(path, "truncated object", err);
    bool dynamic = false;
    for (size_t i = 0; i < eh.e_phnum; i++) {
        if (ph[i].p_type != PT_LOAD && ph[i].p_type != PT_DYNAMIC)
            continue;
        if (!segment_fits(&ph[i], size))
            return elf_bad(path, "truncated object", err);
        dynamic = dynamic || ph[i].p_type == PT_DYNAMIC;
    }
    return dynamic ? 0 : elf_bad(path, "not a shared object of this machine", err);
}
