/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scanner's sandbox; see sandbox.h. A further measure (Landlock, seccomp, another
 * user) is one function and one row of the table. Order matters: what needs a file or a
 * privilege comes before what takes it away. Called by the scanner's only thread.
 */
#include "pool/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "util/auto.h"
#include "util/io.h"

/* Enough for standard error, the socket, a job's descriptors and a plugin's own. */
#define MAX_FILES 128U
/* What a scanner may write into memfds beside what it extracts and reports. */
#define FILE_SLACK (64ULL << 20)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/** @return 1 in force, 0 does not apply, -errno refused. */
typedef int (*measure_fn)(const struct stoq_limits *limits);

static int
set_limit(__rlimit_resource_t what, uint64_t value)
{
    struct rlimit r = {.rlim_cur = value, .rlim_max = value};

    return setrlimit(what, &r) < 0 ? -errno : 1;
}

/** When memory runs out, a scanner goes first: its scan is repeated, nobody else's. */
static int
prefer_oom(const struct stoq_limits *limits)
{
    STOQ_AUTOCLOSE int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    int r;

    (void)limits;
    if (fd < 0)
        return -errno;
    r = stoq_write_full(fd, "500", 3);
    return r < 0 ? r : 1;
}

/** Bytes of private writable memory now: the field of /proc/self/statm that the kernel
 *  holds against RLIMIT_DATA (plus the stack). */
static int
data_now(uint64_t *out)
{
    STOQ_AUTOFCLOSE FILE *f = fopen("/proc/self/statm", "re");
    unsigned long long pages = 0;
    long page = sysconf(_SC_PAGESIZE);

    if (!f || page <= 0)
        return -EIO;
    if (fscanf(f, "%*u %*u %*u %*u %*u %llu", &pages) != 1)
        return -EIO;
    *out = pages * (unsigned long long)page;
    return 0;
}

/** RLIMIT_DATA, not RLIMIT_AS: the latter counts the mapped payload, however large, and
 *  so would refuse big files rather than greedy plugins. */
static int
limit_memory(const struct stoq_limits *limits)
{
    uint64_t now = 0, sum;
    int r;

    if (SANITIZED || limits->memory_bytes == 0)
        return 0;
    r = data_now(&now);
    if (r < 0)
        return r;
    if (__builtin_add_overflow(now, limits->memory_bytes, &sum))
        return 0;
    return set_limit(RLIMIT_DATA, sum);
}

/** Memory behind memfds is nobody's data segment. */
static int
limit_file_size(const struct stoq_limits *limits)
{
    uint64_t sum;

    if (limits->extracted_bytes == 0 || limits->response_bytes == 0 ||
        __builtin_add_overflow(limits->extracted_bytes, limits->response_bytes, &sum) ||
        __builtin_add_overflow(sum, FILE_SLACK, &sum))
        return 0;
    return set_limit(RLIMIT_FSIZE, sum);
}

static int
limit_files(const struct stoq_limits *limits)
{
    (void)limits;
    return set_limit(RLIMIT_NOFILE, MAX_FILES);
}

/** A core file would hold the payload, and take seconds to write. */
static int
no_core(const struct stoq_limits *limits)
{
    (void)limits;
    return set_limit(RLIMIT_CORE, 0);
}

static int
clear_environment(const struct stoq_limits *limits)
{
    (void)limits;
    return clearenv() != 0 ? -ENOMEM : 1;
}

static int
no_new_privileges(const struct stoq_limits *limits)
{
    (void)limits;
    return prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) < 0 ? -errno : 1;
}

/** Scanners share a user: none may be traced by another. */
static int
not_dumpable(const struct stoq_limits *limits)
{
    (void)limits;
    return prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) < 0 ? -errno : 1;
}

static const struct {
    const char *name;
    measure_fn apply;
} measures[] = {
    {"oom-score", prefer_oom},
    {"memory-limit", limit_memory},
    {"file-size-limit", limit_file_size},
    {"open-files-limit", limit_files},
    {"no-core", no_core},
    {"no-environment", clear_environment},
    {"no-new-privileges", no_new_privileges},
    {"not-dumpable", not_dumpable},
};

void
stoq_sandbox_enter(const struct stoq_limits *limits, struct stoq_sandbox_report *report)
{
    memset(report, 0, sizeof(*report));
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(measures); i++) {
        int r = measures[i].apply(limits);

        if (r > 0)
            report->applied |= 1U << i;
        else if (r < 0)
            report->failed |= 1U << i;
    }
}

size_t
stoq_sandbox_count(void)
{
    return STOQ_ARRAY_SIZE(measures);
}

const char *
stoq_sandbox_name(size_t i)
{
    return i < STOQ_ARRAY_SIZE(measures) ? measures[i].name : "unknown";
}
