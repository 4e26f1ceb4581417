/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox's limits: of memory, files and processes; see sandbox_impl.h. These hold
 * also under sandbox = off, since they are what section limits asks for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "pool/sandbox_impl.h"
#include "util/auto.h"
#include "util/io.h"

/* Enough for standard error, the socket, a job's descriptors and a plugin's own. */
#define MAX_FILES 128U
/* What a scanner may write into memfds beside what it extracts and reports. */
#define FILE_SLACK (64ULL << 20)
/* Address space for payloads at least: larger files than that cannot be mapped. */
#define SPACE_MIN (1ULL << 40)
#define STACK_MAX (64ULL << 20)
/* Threads of a scanner; of all of a user's that have none of their own. */
#define OWN_THREADS 4U
#define ALL_THREADS 64U

static int
set_limit(__rlimit_resource_t what, uint64_t value)
{
    struct rlimit r = {.rlim_cur = value, .rlim_max = value};

    return setrlimit(what, &r) < 0 ? -errno : 1;
}

/** When memory runs out, a scanner goes first: its scan is repeated, nobody else's. */
int
stoq_sandbox_oom(struct stoq_sandbox *s)
{
    STOQ_AUTOCLOSE int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    int r;

    (void)s;
    if (fd < 0)
        return -errno;
    r = stoq_write_full(fd, "500", 3);
    return r < 0 ? r : 1;
}

/** Bytes of address space now, and those of private writable memory: the field of
 *  /proc/self/statm that the kernel holds against RLIMIT_DATA (plus the stack). */
static int
memory_now(uint64_t *space, uint64_t *data)
{
    STOQ_AUTOFCLOSE FILE *f = fopen("/proc/self/statm", "re");
    unsigned long long all = 0, own = 0;
    long page = sysconf(_SC_PAGESIZE);

    if (!f || page <= 0)
        return -EIO;
    if (fscanf(f, "%llu %*u %*u %*u %*u %llu", &all, &own) != 2)
        return -EIO;
    *space = all * (unsigned long long)page;
    *data = own * (unsigned long long)page;
    return 0;
}

/** The limits of address space and stack, which nothing honest comes near. */
static int
limit_space(const struct stoq_limits *limits, uint64_t now)
{
    struct rlimit stack;
    uint64_t payload = limits->bytes > SPACE_MIN ? limits->bytes : SPACE_MIN, sum;
    int r;

    if (getrlimit(RLIMIT_STACK, &stack) < 0)
        return -errno;
    r = set_limit(RLIMIT_STACK,
                  stack.rlim_cur < STACK_MAX ? stack.rlim_cur : STACK_MAX);
    if (r < 0 || __builtin_add_overflow(now, limits->memory_bytes, &sum) ||
        __builtin_add_overflow(sum, limits->memory_bytes, &sum) ||
        __builtin_add_overflow(sum, payload, &sum))
        return r;
    return set_limit(RLIMIT_AS, sum);
}

/** RLIMIT_DATA counts what is written. RLIMIT_AS counts the mapped payload as well,
 *  however large, and so bounds no more than the kernel's tables of what is mapped.
 * Other memory (shared, or growing downwards) the system call filter refuses. */
int
stoq_sandbox_memory(struct stoq_sandbox *s)
{
    uint64_t space = 0, now = 0, sum;
    int r;

    if (STOQ_SANITIZED || s->limits->memory_bytes == 0)
        return 0;
    r = memory_now(&space, &now);
    if (r == 0)
        r = limit_space(s->limits, space);
    if (r < 0)
        return r;
    if (__builtin_add_overflow(now, s->limits->memory_bytes, &sum))
        return 0;
    return set_limit(RLIMIT_DATA, sum);
}

/** Memory behind memfds is nobody's data segment; there are a few of them, see
 *  pool/spare.h. */
int
stoq_sandbox_file_size(struct stoq_sandbox *s)
{
    const struct stoq_limits *limits = s->limits;
    uint64_t sum;

    if (limits->extracted_bytes == 0 || limits->response_bytes == 0 ||
        __builtin_add_overflow(limits->extracted_bytes, limits->response_bytes, &sum) ||
        __builtin_add_overflow(sum, FILE_SLACK, &sum))
        return 0;
    return set_limit(RLIMIT_FSIZE, sum);
}

int
stoq_sandbox_open_files(struct stoq_sandbox *s)
{
    (void)s;
    return set_limit(RLIMIT_NOFILE, MAX_FILES);
}

/** A few threads, since the filter lets nobody make a process; no memory that cannot be
 *  swapped, no queues. The kernel counts threads by user, and does not hold them
 * against root: own-user makes them those of one scanner. */
int
stoq_sandbox_processes(struct stoq_sandbox *s)
{
    int r;

    if (STOQ_SANITIZED)
        return 0;
    r = set_limit(RLIMIT_NPROC, s->own_user ? OWN_THREADS : ALL_THREADS);
    if (r > 0)
        r = set_limit(RLIMIT_MEMLOCK, 0);
    if (r > 0)
        r = set_limit(RLIMIT_MSGQUEUE, 0);
    return r;
}

/** A core file would hold the payload, and take seconds to write. */
int
stoq_sandbox_no_core(struct stoq_sandbox *s)
{
    (void)s;
    return set_limit(RLIMIT_CORE, 0);
}

int
stoq_sandbox_environment(struct stoq_sandbox *s)
{
    (void)s;
    if (clearenv() != 0)
        return -ENOMEM;
    tzset(); /* now that TZ is gone: the zone cannot be read later */
    return 1;
}
