/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a scanner is: a user of its own, without capabilities, in a network namespace in
 * which there is nothing; see sandbox_impl.h. System calls are made directly: the C
 * library would tell other threads, and there are none but those of a race detector.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pool/sandbox_impl.h"
#include "util/auto.h"
#include "util/io.h"

/* Users of scanners: this plus the process id, which no two living scanners share. The
 * range belongs to nobody: below it are the users of containers, above it those that
 * systemd keeps for itself. */
#define UID_BASE 0x70000000U
/* Where that user does not exist, as in most user namespaces. */
#define UID_NOBODY 65534U

unsigned
stoq_sandbox_uid(int pid)
{
    return UID_BASE + (unsigned)pid;
}

/** Effective capabilities, the first 32. */
static uint32_t
capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}, {0}};

    return syscall(SYS_capget, &head, data) < 0 ? 0 : data[0].effective;
}

static bool
has(uint32_t set, unsigned capability)
{
    return set & (1U << capability);
}

static int
write_text(const char *path, const char *text)
{
    STOQ_AUTOCLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd < 0 ? -errno : stoq_write_full(fd, text, strlen(text));
}

/** A user namespace in which this user is who it was, where the system lets it. */
static void
map_self(unsigned uid, unsigned gid)
{
    char line[64];

    (void)write_text("/proc/self/setgroups", "deny");
    (void)snprintf(line, sizeof(line), "%u %u 1", gid, gid);
    (void)write_text("/proc/self/gid_map", line);
    (void)snprintf(line, sizeof(line), "%u %u 1", uid, uid);
    (void)write_text("/proc/self/uid_map", line);
}

/** Once, for all scanners: making one takes milliseconds. */
static int
leave_network(const struct stoq_sandbox *s, bool admin)
{
    unsigned uid = geteuid(), gid = getegid();

    /* in a user namespace there would be no users of their own */
    if (admin || s->privileged)
        return unshare(CLONE_NEWNET) < 0 ? -errno : 1;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0) {
        map_self(uid, gid);
        return 1;
    }
    /* a race detector has a thread, with which no user namespace can be entered */
    return STOQ_SANITIZED && errno == EINVAL ? 0 : -errno;
}

void
stoq_sandbox_identity_prepare(struct stoq_sandbox *s)
{
    uint32_t set = capabilities();

    /* without CAP_KILL nobody here could end a scanner that is another user */
    s->privileged = has(set, CAP_SETUID) && has(set, CAP_SETGID) && has(set, CAP_KILL);
    s->own_user = s->privileged;
    s->network = leave_network(s, has(set, CAP_SYS_ADMIN));
    for (unsigned c = 0; has(set, CAP_SETPCAP) && c < 64; c++)
        if (prctl(PR_CAPBSET_DROP, (unsigned long)c, 0UL, 0UL, 0UL) < 0)
            break;
}

int
stoq_sandbox_network(struct stoq_sandbox *s)
{
    return s->network;
}

static int
become(unsigned id)
{
    if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, id, id, id) < 0 ||
        syscall(SYS_setresuid, id, id, id) < 0)
        return -errno;
    return 0;
}

/** So that the kernel keeps scanners apart from each other, from the daemon and from
 *  everybody's files. */
int
stoq_sandbox_own_user(struct stoq_sandbox *s)
{
    pid_t parent = getppid();
    int r;

    if (!s->privileged && geteuid() != 0)
        return 0;
    if (!s->privileged)
        return -EPERM;
    if (!s->own_user)
        return -EOPNOTSUPP;
    r = become(stoq_sandbox_uid(getpid()));
    if (r == -EINVAL)
        r = become(UID_NOBODY);
    if (r < 0)
        return r;
    /* that took away what ends a scanner with its parent */
    if (prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0UL, 0UL, 0UL) < 0)
        return -errno;
    if (getppid() != parent)
        _exit(1);
    return 1;
}

int
stoq_sandbox_no_capabilities(struct stoq_sandbox *s)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}, {0}};

    (void)s;
    (void)prctl(PR_CAP_AMBIENT, (unsigned long)PR_CAP_AMBIENT_CLEAR_ALL, 0UL, 0UL, 0UL);
    return syscall(SYS_capset, &head, none) < 0 ? -errno : 1;
}

int
stoq_sandbox_no_new_privileges(struct stoq_sandbox *s)
{
    (void)s;
    return prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) < 0 ? -errno : 1;
}

/** Neither traced nor read by others of the same user. */
int
stoq_sandbox_not_dumpable(struct stoq_sandbox *s)
{
    (void)s;
    return prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) < 0 ? -errno : 1;
}
