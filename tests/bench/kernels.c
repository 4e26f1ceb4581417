/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The timed inner loops of bench.py, in C so that what is measured is the file system
 * and not the measuring. Each call does one thing below one directory and prints one
 * line: seconds, operations, bytes, and for latencies p50 and p99 in microseconds. A
 * file that may not be opened, since it is flagged, counts as read.
 *
 *     kernels DIR seq FILE BLOCK        open, read to the end, close
 *     kernels DIR rand FILE COUNT       COUNT reads of 4 KiB anywhere
 *     kernels DIR map FILE              map it, touch each cache line
 *     kernels DIR read LIST READERS     read all files named in LIST, a line each
 *     kernels DIR drop LIST 0           drop what is cached of the files in LIST
 *     kernels DIR open FILE COUNT       open and close, again and again
 *     kernels DIR latency LIST READ     open (READ=0), or open, read, close (READ=1)
 *     kernels DIR stat LIST ROUNDS      lstat each file named in LIST
 *     kernels DIR find|ls               walk; ls asks as `ls -lR` does
 *     kernels DIR write FILE MIB        one new file, synced by close only
 *     kernels DIR create COUNT SIZE     COUNT new files in a new directory "new"
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define PAGE        4096U
#define LINE        64U
#define BUFFER      (1U << 20)
#define READERS_MAX 64U

struct list {
    char *text;
    char **names;
    size_t count;
};

static char buffer[BUFFER];
static atomic_ullong bytes_read;
static atomic_size_t next_name;

static void
die(const char *what)
{
    (void)fprintf(stderr, "kernels: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static double
now(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static uint64_t
number(const char *text)
{
    char *end = NULL;
    errno = 0;
    uint64_t n = strtoull(text, &end, 10);
    if (errno || !*text || *end) {
        errno = EINVAL;
        die(text);
    }
    return n;
}

static void
report(double seconds, uint64_t ops, uint64_t bytes)
{
    (void)printf("%.9f %llu %llu\n", seconds, (unsigned long long)ops,
                 (unsigned long long)bytes);
}

static int
open_or_die(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0644);
    if (fd < 0)
        die(path);
    return fd;
}

/* @return -1 when it is denied. */
static int
open_scanned(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno != EPERM && errno != EIO)
        die(path);
    return fd;
}

/* Read to the end. @return bytes. */
static uint64_t
drain(int fd, char *buf, size_t block, const char *name)
{
    uint64_t sum = 0;
    ssize_t n;
    while ((n = read(fd, buf, block)) > 0)
        sum += (uint64_t)n;
    if (n < 0)
        die(name);
    return sum;
}

static struct list
read_list(const char *path)
{
    struct list l = {0};
    struct stat st;
    int fd = open_or_die(path, O_RDONLY);
    if (fstat(fd, &st) < 0 || !(l.text = malloc((size_t)st.st_size + 1)))
        die(path);
    if (read(fd, l.text, (size_t)st.st_size) != st.st_size)
        die(path);
    (void)close(fd);
    l.text[st.st_size] = '\0';
    for (const char *p = l.text; (p = strchr(p, '\n')); p++)
        l.count++;
    l.names = calloc(l.count + 1, sizeof(*l.names));
    if (!l.names)
        die(path);
    char *rest = l.text;
    for (size_t i = 0; i < l.count; i++)
        l.names[i] = strsep(&rest, "\n");
    return l;
}

static void
list_fini(struct list *l)
{
    free(l->text);
    free(l->names);
}

/* ---------------------------------------------------------------------- one file */

static void
run_seq(const char *file, uint64_t block)
{
    if (block == 0 || block > BUFFER)
        block = BUFFER;
    double start = now();
    int fd = open_or_die(file, O_RDONLY);
    uint64_t sum = drain(fd, buffer, block, file);
    (void)close(fd);
    report(now() - start, 1, sum);
}

static void
run_rand(const char *file, uint64_t count)
{
    struct stat st;
    uint64_t x = 88172645463325252U;
    double start = now();
    int fd = open_or_die(file, O_RDONLY);
    if (fstat(fd, &st) < 0)
        die(file);
    uint64_t pages = (uint64_t)st.st_size / PAGE;
    for (uint64_t i = 0; i < count && pages; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        if (pread(fd, buffer, PAGE, (off_t)(x % pages * PAGE)) != PAGE)
            die(file);
    }
    (void)close(fd);
    report(now() - start, count, count * PAGE);
}

static void
run_map(const char *file)
{
    struct stat st;
    volatile unsigned char sink = 0;
    double start = now();
    int fd = open_or_die(file, O_RDONLY);
    if (fstat(fd, &st) < 0)
        die(file);
    size_t size = (size_t)st.st_size;
    unsigned char *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        die(file);
    for (size_t i = 0; i < size; i += LINE)
        sink = (unsigned char)(sink ^ p[i]);
    (void)munmap(p, size);
    (void)close(fd);
    report(now() - start, 1, size);
}

static void
run_open(const char *file, uint64_t count)
{
    double start = now();
    for (uint64_t i = 0; i < count; i++)
        (void)close(open_or_die(file, O_RDONLY));
    report(now() - start, count, 0);
}

static void
run_write(const char *file, uint64_t mib)
{
    memset(buffer, 'w', sizeof(buffer));
    double start = now();
    int fd = open_or_die(file, O_WRONLY | O_CREAT | O_TRUNC);
    for (uint64_t i = 0; i < mib; i++)
        if (write(fd, buffer, BUFFER) != BUFFER)
            die(file);
    if (close(fd) < 0)
        die(file);
    report(now() - start, 1, mib << 20);
}

/* -------------------------------------------------------------------- many files */

static void *
reader(void *arg)
{
    const struct list *l = arg;
    const size_t block = 128U << 10;
    char *buf = malloc(block);
    if (!buf)
        die("reader");
    for (size_t i; (i = atomic_fetch_add(&next_name, 1)) < l->count;) {
        int fd = open_scanned(l->names[i]);
        if (fd < 0)
            continue;
        atomic_fetch_add(&bytes_read, drain(fd, buf, block, l->names[i]));
        (void)close(fd);
    }
    free(buf);
    return NULL;
}

static void
run_read(struct list *l, uint64_t readers)
{
    pthread_t threads[READERS_MAX];
    if (readers == 0 || readers > READERS_MAX)
        readers = 1;
    double start = now();
    for (uint64_t i = 0; i < readers; i++)
        if ((errno = pthread_create(&threads[i], NULL, reader, l)))
            die("thread");
    for (uint64_t i = 0; i < readers; i++)
        (void)pthread_join(threads[i], NULL);
    report(now() - start, l->count, atomic_load(&bytes_read));
}

static void
run_drop(const struct list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        int fd = open_scanned(l->names[i]);
        if (fd >= 0) {
            (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
            (void)close(fd);
        }
    }
    report(0, l->count, 0);
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void
run_latency(const struct list *l, bool whole)
{
    double *took = calloc(l->count + 1, sizeof(*took));
    if (!took || l->count == 0)
        die("latency");
    double start = now();
    for (size_t i = 0; i < l->count; i++) {
        double before = now();
        int fd = open_scanned(l->names[i]);
        if (whole && fd >= 0) {
            (void)drain(fd, buffer, 128U << 10, l->names[i]);
            (void)close(fd);
        }
        took[i] = now() - before;
        if (!whole && fd >= 0)
            (void)close(fd);
    }
    double all = now() - start;
    qsort(took, l->count, sizeof(*took), compare);
    (void)printf("%.9f %zu 0 %.2f %.2f\n", all, l->count, took[l->count / 2] * 1e6,
                 took[l->count * 99 / 100] * 1e6);
    free(took);
}

static void
run_stat(const struct list *l, uint64_t rounds)
{
    struct stat st;
    double start = now();
    for (uint64_t r = 0; r < rounds; r++)
        for (size_t i = 0; i < l->count; i++)
            if (lstat(l->names[i], &st) < 0)
                die(l->names[i]);
    report(now() - start, rounds * l->count, 0);
}

static void
run_create(uint64_t count, uint64_t size)
{
    char name[64];
    if (size > BUFFER)
        size = BUFFER;
    memset(buffer, 'c', size);
    if (mkdir("new", 0755) < 0)
        die("new");
    double start = now();
    for (uint64_t i = 0; i < count; i++) {
        (void)snprintf(name, sizeof(name), "new/%llu", (unsigned long long)i);
        /* no two alike: what is written is scanned, and equal content only once */
        memcpy(buffer, name, size < sizeof(name) ? size : sizeof(name));
        int fd = open_or_die(name, O_WRONLY | O_CREAT | O_EXCL);
        if (write(fd, buffer, size) != (ssize_t)size || close(fd) < 0)
            die(name);
    }
    report(now() - start, count, count * size);
}

/* --------------------------------------------------------------------------- walk */

/* As ls does: an attribute that the file system does not have is asked for once. */
static void
ask_attributes(int dirfd, const char *name)
{
    static const char *const names[] = {"security.selinux", "system.posix_acl_access"};
    static bool unknown[2];
    if (fchdir(dirfd) < 0)
        die(name);
    for (int i = 0; i < 2; i++)
        if (!unknown[i] && lgetxattr(name, names[i], NULL, 0) < 0 && errno == ENOTSUP)
            unknown[i] = true;
}

static uint64_t
walk(int dirfd, bool ls)
{
    uint64_t count = 0;
    DIR *d = fdopendir(dirfd);
    if (!d)
        die("opendir");
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        count++;
        if (ls || e->d_type == DT_UNKNOWN) {
            if (fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                die(e->d_name);
            if (ls && !S_ISLNK(st.st_mode))
                ask_attributes(dirfd, e->d_name);
        }
        if (e->d_type != DT_DIR)
            continue;
        int sub =
            openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (sub < 0)
            die(e->d_name);
        count += walk(sub, ls);
    }
    (void)closedir(d);
    return count;
}

static void
run_walk(bool ls)
{
    double start = now();
    uint64_t count = walk(open_or_die(".", O_RDONLY | O_DIRECTORY), ls);
    report(now() - start, count, 0);
}

/* --------------------------------------------------------------------------- main */

static bool
is_listed(const char *what)
{
    static const char *const all[] = {"read", "latency", "stat", "drop"};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(all[i], what) == 0)
            return true;
    return false;
}

static bool
run_listed(const char *what, struct list *l, uint64_t n)
{
    if (strcmp(what, "read") == 0)
        run_read(l, n);
    else if (strcmp(what, "latency") == 0)
        run_latency(l, n != 0);
    else if (strcmp(what, "stat") == 0)
        run_stat(l, n);
    else if (strcmp(what, "drop") == 0)
        run_drop(l);
    else
        return false;
    return true;
}

static bool
run(const char *what, const char *file, uint64_t n)
{
    if (strcmp(what, "seq") == 0)
        run_seq(file, n);
    else if (strcmp(what, "rand") == 0)
        run_rand(file, n);
    else if (strcmp(what, "open") == 0)
        run_open(file, n);
    else if (strcmp(what, "write") == 0)
        run_write(file, n);
    else if (strcmp(what, "create") == 0)
        run_create(number(file), n);
    else if (strcmp(what, "map") == 0)
        run_map(file);
    else
        return false;
    return true;
}

int
main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[2] : "";
    uint64_t n = argc > 4 ? number(argv[4]) : 0;
    struct list l = {0};
    bool known = false;
    if (argc > 3 && is_listed(what))
        l = read_list(argv[3]);
    if (argc > 2 && chdir(argv[1]) < 0)
        die(argv[1]);
    if (argc == 3 && (strcmp(what, "find") == 0 || strcmp(what, "ls") == 0)) {
        run_walk(what[0] == 'l');
        known = true;
    } else if (argc > 3) {
        known = l.names ? run_listed(what, &l, n) : run(what, argv[3], n);
    }
    list_fini(&l);
    if (!known)
        (void)fprintf(stderr, "usage: kernels DIR WHAT [ARGUMENTS]; see kernels.c\n");
    return known ? EXIT_SUCCESS : 2;
}
