/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of system calls that a scanner may make, made into a program by libseccomp;
 * see sandbox_seccomp.c. What is not on it is trapped: it fails, and is told of. What a
 * library only tries, and does without, fails quietly: those are the rows of `quiet`.
 */
#include "pool/sandbox_filter.h"

#include <errno.h>

#ifdef STOQ_HAVE_SECCOMP
#include <fcntl.h>
#include <linux/filter.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/auto.h"
#include "util/io.h"

/* Allowed whatever the arguments. Descriptors are what a scanner has: the payload,
 * which is open for reading, its socket, memory files, what plugins opened. */
static const int free_calls[] = {
    /* descriptors */
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(preadv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(pwrite64),
    SCMP_SYS(pwritev),
    SCMP_SYS(lseek),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(dup),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendto),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    /* memory */
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    /* signals to itself, timers */
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigsuspend),
    SCMP_SYS(rt_sigpending),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(pause),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(setitimer),
    SCMP_SYS(getitimer),
    SCMP_SYS(alarm),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(times),
    /* locks, and what it is */
    SCMP_SYS(rseq),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(futex),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getcpu),
    SCMP_SYS(getrandom),
    SCMP_SYS(getrusage),
    SCMP_SYS(getrlimit),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getppid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getresuid),
    SCMP_SYS(getresgid),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* Allowed as well where a worker makes temporary files: Landlock and the root say
 * where. None of those that Landlock does not guard and that change something. */
static const int file_calls[] = {
    SCMP_SYS(open),       SCMP_SYS(openat),    SCMP_SYS(creat),
    SCMP_SYS(stat),       SCMP_SYS(lstat),     SCMP_SYS(newfstatat),
    SCMP_SYS(statx),      SCMP_SYS(access),    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2), SCMP_SYS(mkdir),     SCMP_SYS(mkdirat),
    SCMP_SYS(rmdir),      SCMP_SYS(unlink),    SCMP_SYS(unlinkat),
    SCMP_SYS(rename),     SCMP_SYS(renameat),  SCMP_SYS(renameat2),
    SCMP_SYS(getdents64), SCMP_SYS(ftruncate), SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),  SCMP_SYS(flock),     SCMP_SYS(fadvise64),
    SCMP_SYS(fstatfs),    SCMP_SYS(statfs),    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat), SCMP_SYS(umask),     SCMP_SYS(dup2),
    SCMP_SYS(dup3),
};

/* Landlock does not guard these, so that they are for who sees his own files alone. */
static const int modes[] = {SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat)};

/* Refused without a word. */
static const struct {
    int call, error;
} quiet[] = {
    {SCMP_SYS(clone3), ENOSYS}, /* then the C library tries clone(2) */
    {SCMP_SYS(membarrier), ENOSYS},
    {SCMP_SYS(getcwd), ENOENT},
    {SCMP_SYS(arch_prctl), EINVAL},
};

static int
add(scmp_filter_ctx c, uint32_t action, int call, unsigned n,
    const struct scmp_arg_cmp *args)
{
    int r = seccomp_rule_add_array(c, action, call, n, args);

    /* not a call of this architecture */
    return r == -EDOM || r == -EFAULT ? 0 : r;
}

static int
add_list(scmp_filter_ctx c, const int *calls, size_t n)
{
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++)
        r = add(c, SCMP_ACT_ALLOW, calls[i], 0, NULL);
    return r;
}

/* The kernel looks at the lower half of most arguments, and so must the comparison:
 * with the upper half set, a number would pass for another one. */
#define LOWER 0xffffffffU

static struct scmp_arg_cmp
masked(unsigned argument, scmp_datum_t mask, scmp_datum_t value)
{
    return (struct scmp_arg_cmp){argument, SCMP_CMP_MASKED_EQ, mask, value};
}

static struct scmp_arg_cmp
is(unsigned argument, scmp_datum_t value)
{
    return masked(argument, LOWER, value & LOWER);
}

static int
add_one(scmp_filter_ctx c, uint32_t action, int call, struct scmp_arg_cmp argument)
{
    return add(c, action, call, 1, &argument);
}

/** Private memory that cannot be executed. Shared and downward growing memory counts
 *  nowhere, so that it is not to be had. */
static int
add_memory(scmp_filter_ctx c)
{
    static const unsigned advice[] = {MADV_NORMAL,   MADV_RANDOM,    MADV_SEQUENTIAL,
                                      MADV_WILLNEED, MADV_DONTNEED,  MADV_FREE,
                                      MADV_HUGEPAGE, MADV_NOHUGEPAGE};
    const scmp_datum_t kinds = 0x0f | MAP_GROWSDOWN | MAP_HUGETLB;
    const struct scmp_arg_cmp plain[] = {
        masked(2, PROT_EXEC, 0),
        masked(3, kinds, MAP_PRIVATE),
    };
    const struct scmp_arg_cmp code = masked(2, PROT_EXEC, PROT_EXEC);
    int r = add(c, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, plain);

    if (r == 0)
        r = add_one(c, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(mmap), code);
    if (r == 0)
        r = add_one(c, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), plain[0]);
    if (r == 0)
        r = add_one(c, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(mprotect), code);
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(advice) && r == 0; i++)
        r = add_one(c, SCMP_ACT_ALLOW, SCMP_SYS(madvise), is(2, advice[i]));
    return r;
}

static int
add_fcntl(scmp_filter_ctx c, enum stoq_filter_files files)
{
    static const unsigned commands[] = {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD,     F_SETFD,
                                        F_GETFL, F_GET_SEALS,     F_ADD_SEALS, F_SETLK,
                                        F_GETLK, F_SETLKW};
    size_t n = STOQ_ARRAY_SIZE(commands) - (files != STOQ_FILTER_NONE ? 0U : 3U);
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++)
        r = add_one(c, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), is(1, commands[i]));
    return r;
}

/** Threads, of which RLIMIT_NPROC allows a few; no processes, no namespaces. */
static int
add_threads(scmp_filter_ctx c)
{
    const scmp_datum_t thread =
        CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
    const scmp_datum_t never = CLONE_PIDFD | CLONE_PTRACE | CLONE_VFORK | CLONE_PARENT |
                               CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                               CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                               CLONE_NEWNET | CLONE_IO;
#ifdef __s390__
    const unsigned flags = 1;
#else
    const unsigned flags = 0;
#endif

    return add_one(c, SCMP_ACT_ALLOW, SCMP_SYS(clone),
                   masked(flags, thread | never, thread));
}

/** Handlers of all signals but SIGSYS, which is 31. */
static int
add_handlers(scmp_filter_ctx c)
{
    static const struct {
        unsigned mask, value;
    } ranges[] = {
        {~15U, 0}, {~7U, 16}, {~3U, 24}, {~1U, 28}, {~0U, 30}, {~31U, 32}, {~0U, 64},
    };
    int r = 0;

    /* it has other numbers on a few machines, which do without handlers then */
    for (size_t i = 0; SIGSYS == 31 && i < STOQ_ARRAY_SIZE(ranges) && r == 0; i++)
        r = add_one(c, SCMP_ACT_ALLOW, SCMP_SYS(rt_sigaction),
                    masked(0, ranges[i].mask, ranges[i].value));
    return r;
}

/** What is allowed to a process for itself only. */
static int
add_self(scmp_filter_ctx c)
{
    const struct scmp_arg_cmp ask[] = {is(0, 0), {2, SCMP_CMP_EQ, 0, 0}};
    int r = add_one(c, SCMP_ACT_ALLOW, SCMP_SYS(kill), is(0, STOQ_FILTER_SELF));

    if (r == 0)
        r = add_one(c, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), is(0, STOQ_FILTER_SELF));
    if (r == 0)
        r = add(c, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, ask);
    if (r == 0)
        r = add_one(c, SCMP_ACT_ALLOW, SCMP_SYS(prctl), is(0, PR_SET_NAME));
    /* names of mappings, which the C library tries to give */
    if (r == 0)
        r = add_one(c, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl), is(0, 0x53564d41));
    return r == 0 ? add_handlers(c) : r;
}

static int
add_rest(scmp_filter_ctx c, enum stoq_filter_files files)
{
    int r = add_one(c, SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), is(1, TCGETS));

    /* fstat(3) where the kernel has no call of that name */
    if (r == 0 && files == STOQ_FILTER_NONE)
        r = add_one(c, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat),
                    masked(3, AT_EMPTY_PATH, AT_EMPTY_PATH));
    if (r == 0 && files != STOQ_FILTER_NONE)
        r = add_list(c, file_calls, STOQ_ARRAY_SIZE(file_calls));
    for (size_t i = 0;
         i < STOQ_ARRAY_SIZE(modes) && r == 0 && files != STOQ_FILTER_NONE; i++)
        r = add(c, files == STOQ_FILTER_OWN ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM),
                modes[i], 0, NULL);
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(quiet) && r == 0; i++)
        r = add(c, SCMP_ACT_ERRNO((uint32_t)quiet[i].error), quiet[i].call, 0, NULL);
    return r;
}

static int
add_rules(scmp_filter_ctx c, enum stoq_filter_files files)
{
    int r = seccomp_attr_set(c, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

    /* a tree: with a list the last of a hundred rules is the slowest */
    if (r == 0)
        (void)seccomp_attr_set(c, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (r == 0)
        r = add_list(c, free_calls, STOQ_ARRAY_SIZE(free_calls));
    if (r == 0)
        r = add_memory(c);
    if (r == 0)
        r = add_threads(c);
    if (r == 0)
        r = add_fcntl(c, files);
    if (r == 0)
        r = add_self(c);
    return r == 0 ? add_rest(c, files) : r;
}

/** libseccomp writes the program into a file. */
static int
take_program(scmp_filter_ctx c, struct stoq_filter *out)
{
    STOQ_AUTOCLOSE int fd = memfd_create("stoq-filter", MFD_CLOEXEC);
    STOQ_AUTOFREE struct sock_filter *filter = NULL;
    struct stat st;
    ssize_t n;
    int r = fd < 0 ? -errno : seccomp_export_bpf(c, fd);

    if (r < 0)
        return r;
    if (fstat(fd, &st) < 0)
        return -errno;
    filter = malloc((size_t)st.st_size);
    if (!filter)
        return -ENOMEM;
    n = stoq_pread_full(fd, filter, (size_t)st.st_size, 0);
    if (n < 0 || n != st.st_size || (size_t)n % sizeof(*filter) != 0)
        return n < 0 ? (int)n : -EIO;
    out->count = (size_t)n / sizeof(*filter);
    out->code = STOQ_STEAL(&filter);
    return 0;
}

int
stoq_filter_new(enum stoq_filter_files files, struct stoq_filter *out)
{
    scmp_filter_ctx c = seccomp_init(SCMP_ACT_TRAP);
    int r = c ? add_rules(c, files) : -ENOMEM;

    if (r == 0)
        r = take_program(c, out);
    if (c)
        seccomp_release(c);
    return r;
}

#else

int
stoq_filter_new(enum stoq_filter_files files, struct stoq_filter *out)
{
    (void)files;
    (void)out;
    return -ENOSYS;
}

#endif
