/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens when a worker makes a system call that is not allowed: the filter turns
 * it into SIGSYS, the handler here makes the call fail and remembers it, and whoever
 * called the worker asks what was refused and says so in the scan's errors. A worker
 * that could forge this memory could forge its results as well; what it cannot do is
 * make the call succeed, nor, by the filter, replace the handler. Each thread has what
 * it was refused itself; no lock.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "pool/sandbox_impl.h"
#include "util/auto.h"

#ifdef STOQ_HAVE_SECCOMP
#include <seccomp.h>
#endif

#define CALLS_MAX 512
/* Refusals in one scan that are answered; the next ends it. */
#define FLOOD 64U

static char *names[CALLS_MAX]; /* by number; NULL = not known */
static void (*flood)(const char *text);
static atomic_uint in_scan; /* refusals since the scan began, of all threads */

/* Since they were taken. This model needs no memory when a handler is first to look. */
#define HERE _Thread_local __attribute__((tls_model("initial-exec")))
static HERE unsigned refused;
static HERE uint64_t seen[CALLS_MAX / 64]; /* which calls, a bit each */

/** Where the path is among the arguments of a call that has one; -1 = it has none. */
static int
path_argument(long nr)
{
    switch (nr) {
#ifdef SYS_open
    case SYS_open:
    case SYS_stat:
    case SYS_lstat:
    case SYS_access:
    case SYS_readlink:
        return 0;
#endif
    case SYS_openat:
#ifdef SYS_newfstatat
    case SYS_newfstatat:
#endif
    case SYS_statx:
    case SYS_faccessat:
    case SYS_readlinkat:
        return 1;
    default:
        return -1;
    }
}

/** What the C library looks for in passing, and does without: no worker's doing. */
static bool
is_usual(const char *path)
{
    static const char *const usual[] = {
        "/etc/localtime", "/usr/share/zoneinfo/",     "/proc/sys/vm/overcommit_memory",
        "/proc/stat",     "/sys/devices/system/cpu/", "/sys/kernel/mm/",
    };

    for (size_t i = 0; path && i < STOQ_ARRAY_SIZE(usual); i++)
        if (strncmp(path, usual[i], strlen(usual[i])) == 0)
            return true;
    return false;
}

#if defined(__x86_64__)
#define RESULT(u)      ((u)->uc_mcontext.gregs[REG_RAX])
#define ARGUMENT(u, n) ((u)->uc_mcontext.gregs[(n) == 0 ? REG_RDI : REG_RSI])
#elif defined(__aarch64__)
#define RESULT(u)      ((u)->uc_mcontext.regs[0])
#define ARGUMENT(u, n) ((u)->uc_mcontext.regs[n])
#elif defined(__riscv)
#define RESULT(u)      ((u)->uc_mcontext.__gregs[REG_A0])
#define ARGUMENT(u, n) ((u)->uc_mcontext.__gregs[REG_A0 + (n)])
#endif

static void
describe(long nr, char *text, size_t size)
{
    if (nr >= 0 && nr < CALLS_MAX && names[nr])
        (void)snprintf(text, size, "%s(2)", names[nr]);
    else
        (void)snprintf(text, size, "system call %ld", nr);
}

/** @return whether it is to be told of. */
static bool
counts(long nr, const ucontext_t *u)
{
    /* newer than this library: a caller that asks whether it is there */
    if (nr < 0 || nr >= CALLS_MAX || !names[nr])
        return false;
#ifdef ARGUMENT
    if (path_argument(nr) >= 0)
        return !is_usual((const char *)(uintptr_t)ARGUMENT(u, path_argument(nr)));
#else
    (void)u;
#endif
    return true;
}

static void
on_trap(int number, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    long nr = info->si_syscall;
    int error = nr >= 0 && nr < CALLS_MAX && names[nr] ? EPERM : ENOSYS;
    bool told = counts(nr, u);
    char text[64];

    (void)number;
    if (told) {
        seen[nr / 64] |= UINT64_C(1) << (nr % 64);
        refused++;
        atomic_fetch_add(&in_scan, 1);
    }
#ifdef RESULT
    if (path_argument(nr) >= 0)
        error = EACCES;
    RESULT(u) = (__typeof__(RESULT(u)))-error;
    if (atomic_load(&in_scan) <= FLOOD)
        return;
#else
    (void)error;
#endif
    describe(nr, text, sizeof(text));
    if (flood)
        flood(text);
    _exit(1);
}

int
stoq_sandbox_refuse_prepare(void)
{
#ifdef STOQ_HAVE_SECCOMP
    for (int i = 0; i < CALLS_MAX; i++)
        if (!names[i])
            names[i] = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, i);
    return 0;
#else
    return -ENOSYS;
#endif
}

int
stoq_sandbox_refuse_catch(void)
{
    struct sigaction a = {.sa_flags = SA_SIGINFO};

    a.sa_sigaction = on_trap;
    (void)sigemptyset(&a.sa_mask);
    return sigaction(SIGSYS, &a, NULL) < 0 ? -errno : 0;
}

unsigned
stoq_sandbox_take_refused(char *text, size_t size)
{
    unsigned n = refused;
    size_t at = 0;

    if (n == 0)
        return 0;
    for (long nr = 0; nr < CALLS_MAX; nr++) {
        char one[64];
        int length;

        if (!(seen[nr / 64] & UINT64_C(1) << (nr % 64)))
            continue;
        describe(nr, one, sizeof(one));
        length =
            at < size ? snprintf(text + at, size - at, "%s%s", at ? ", " : "", one) : 0;
        at += length > 0 ? (size_t)length : 0;
    }
    memset(seen, 0, sizeof(seen));
    refused = 0;
    return n;
}

void
stoq_sandbox_begin_scan(void)
{
    atomic_store(&in_scan, 0);
}

unsigned
stoq_sandbox_refused(void)
{
    return atomic_load(&in_scan);
}

void
stoq_sandbox_on_flood(void (*fn)(const char *text))
{
    flood = fn;
}
