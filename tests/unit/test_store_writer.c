/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The writer: group commit, many threads, a full disk, memory that is bounded, and a
 * process killed while it writes. What was reported done is there afterwards.
 */

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "store/outbox.h"
#include "test_store_common.h"

/* Counts callbacks by status. */
struct tally {
    atomic_uint ok, nospace, other;
};

static void
count(void *arg, int status)
{
    struct tally *t = arg;

    if (status == 0)
        atomic_fetch_add(&t->ok, 1);
    else if (status == -ENOSPC)
        atomic_fetch_add(&t->nospace, 1);
    else
        atomic_fetch_add(&t->other, 1);
}

static void
put_counted(struct stoq_store *store, uint64_t n, const char *text, size_t size,
            struct tally *tally)
{
    struct stoq_record record = record_of(n);

    ck_assert_int_eq(stoq_store_put(store, &record, text, size, NULL, count, tally), 0);
}

/* Poll with a deadline. */
#define EVENTUALLY(condition)                        \
    do {                                             \
        uint64_t end_ = stoq_now_ms() + 30000;       \
        while (!(condition) && stoq_now_ms() < end_) \
            (void)usleep(1000);                      \
        ck_assert(condition);                        \
    } while (0)

/* ---------------------------------------------------------------------- throughput */

#define MANY 20000

/* 3 KB documents as scans make them, each waited for by nobody. The rate is printed;
 * what is checked is that commits are shared: far fewer than results. */
START_TEST(test_group_commit)
{
    static const char *const connectors[] = {"queue", NULL};
    struct stoq_store *store = open_store(NULL);
    struct stoq_outbox_stats stats;
    struct tally tally = {0};
    uint64_t begun = stoq_now_ns(), took;
    char text[3000];

    memset(text, 'x', sizeof text);
    for (uint64_t n = 1; n <= MANY; n++) {
        struct stoq_record record = record_of(n * 0x9e3779b97f4a7c15U);

        ck_assert_int_eq(stoq_store_put(store, &record, text, sizeof text, connectors,
                                        count, &tally),
                         0);
    }
    ck_assert_int_eq(stoq_store_sync(store), 0);
    took = stoq_now_ns() - begun;
    ck_assert_uint_eq(atomic_load(&tally.ok), MANY);
    ck_assert_int_eq(stoq_store_outbox_stats(store, "queue", &stats), 0);
    ck_assert_uint_eq(stats.waiting, MANY);
    printf("group commit: %.0f results/s of 3000 bytes\n",
           MANY / ((double)took / 1000000000.0));
    /* Without sharing, each result is two syncs and MANY of them take minutes. */
    ck_assert_uint_lt(took, UINT64_C(60) * 1000000000);
    stoq_store_free(store);
}
END_TEST

/* One result at a time, each waited for: what a sidecar reader pays. */
START_TEST(test_single_commit)
{
    struct stoq_store *store = open_store(NULL);
    uint64_t begun = stoq_now_ns(), took;

    for (uint64_t n = 1; n <= 50; n++) {
        put_number(store, n);
        ck_assert_int_eq(stoq_store_sync(store), 0);
        assert_document(store, record_of(n).scan_id, n);
    }
    took = stoq_now_ns() - begun;
    printf("single commit: %.2f ms\n", (double)took / 50 / 1000000.0);
    stoq_store_free(store);
}
END_TEST

/* ------------------------------------------------------------------------- threads */

#define THREADS 4
#define EACH    500

struct hand {
    struct stoq_store *store;
    uint64_t base;
    struct tally tally;
};

static void *
work(void *arg)
{
    struct hand *hand = arg;
    char text[64];

    for (uint64_t n = hand->base; n < hand->base + EACH; n++) {
        struct stoq_record found;
        int r;

        put_counted(hand->store, n, text, document_of(n, text), &hand->tally);
        r = stoq_store_find(hand->store, 7, n, &found);
        ck_assert(r == 0 || r == -ENOENT);
        if (n % 100 == 0) {
            ck_assert_int_eq(stoq_store_sync(hand->store), 0);
            ck_assert_int_eq(stoq_store_find(hand->store, 7, n, &found), 0);
            assert_document(hand->store, found.scan_id, n);
        }
        if (n % 50 == 1)
            ck_assert_int_eq(stoq_store_forget(hand->store, 7, n), 0);
    }
    return NULL;
}

START_TEST(test_threads)
{
    struct stoq_store *store = open_store(NULL);
    struct hand hands[THREADS] = {0};
    pthread_t threads[THREADS];
    struct stoq_record found;

    for (uint64_t i = 0; i < THREADS; i++) {
        hands[i].store = store;
        hands[i].base = 1000 * (i + 1);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &hands[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(stoq_store_sync(store), 0);
    for (uint64_t i = 0; i < THREADS; i++) {
        ck_assert_uint_eq(atomic_load(&hands[i].tally.ok), EACH);
        for (uint64_t n = hands[i].base; n < hands[i].base + EACH; n++)
            ck_assert_int_eq(stoq_store_find(store, 7, n, &found),
                             n % 50 == 1 ? -ENOENT : 0);
    }
    stoq_store_free(store);
}
END_TEST

/* A callback may queue the next result. */
struct chain {
    struct stoq_store *store;
    atomic_uint n;
};

static void
chain(void *arg, int status)
{
    struct chain *c = arg;
    unsigned n = atomic_fetch_add(&c->n, 1) + 1;
    struct stoq_record record = record_of(n);

    ck_assert_int_eq(status, 0);
    if (n < 20)
        ck_assert_int_eq(stoq_store_put(c->store, &record, "{}\n", 3, NULL, chain, c),
                         0);
}

START_TEST(test_put_from_callback)
{
    struct stoq_store *store = open_store(NULL);
    struct stoq_record record = record_of(0);
    struct chain c = {.store = store};

    ck_assert_int_eq(stoq_store_put(store, &record, "{}\n", 3, NULL, chain, &c), 0);
    EVENTUALLY(atomic_load(&c.n) == 20);
    stoq_store_free(store);
}
END_TEST

/* -------------------------------------------------------------------------- no room */

/* Enough for what the test library writes, not for one BIG document. */
#define FILE_LIMIT (256 << 10)
#define BIG        (300 << 10)

static char big[BIG];

static void
limit_files(rlim_t bytes)
{
    struct rlimit limit;

    ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* No file may grow: nothing is lost, and everything is there once they may again. */
START_TEST(test_file_limit)
{
    struct stoq_store *store = open_store(NULL);
    struct tally tally = {0};
    struct stoq_record found;
    uint64_t dropped = 1;

    put_number(store, 1);
    ck_assert_int_eq(stoq_store_sync(store), 0);
    limit_files(FILE_LIMIT);
    for (uint64_t n = 2; n <= 100; n++)
        put_counted(store, n, big, sizeof big, &tally);
    ck_assert_int_eq(stoq_store_sync(store), -EIO);
    ck_assert_int_eq(stoq_store_health(store, &dropped), -EIO);
    ck_assert_uint_eq(dropped, 0);
    ck_assert_uint_eq(atomic_load(&tally.ok), 0);
    ck_assert_int_eq(stoq_store_find(store, 7, 1, &found), 0); /* still readable */
    ck_assert_int_eq(stoq_store_find(store, 7, 2, &found), -ENOENT);

    limit_files(RLIM_INFINITY);
    EVENTUALLY(stoq_store_health(store, NULL) == 0); /* by itself, after its pause */
    ck_assert_int_eq(stoq_store_sync(store), 0);
    ck_assert_uint_eq(atomic_load(&tally.ok), 99);
    for (uint64_t n = 1; n <= 100; n++)
        ck_assert_int_eq(stoq_store_find(store, 7, n, &found), 0);
    stoq_store_free(store);
}
END_TEST

/* While nothing can be written memory is bounded: what is given up is told so. */
START_TEST(test_bounded)
{
    enum { SIZE = 1 << 20, BACKGROUND = 10, ALL = 100, KEPT = 63 };
    struct stoq_store *store = open_store(NULL);
    STOQ_AUTOFREE char *text = malloc(SIZE);
    struct tally tally = {0};
    struct stoq_record found;
    unsigned background = 0, waited = 0;
    uint64_t dropped = 0;

    ck_assert_ptr_nonnull(text);
    memset(text, 'x', SIZE);
    limit_files(FILE_LIMIT);
    put_counted(store, 1, text, SIZE, &tally);
    ck_assert_int_eq(stoq_store_sync(store), -EIO);
    for (uint64_t n = 2; n <= ALL; n++) {
        struct stoq_record record = record_of(n);

        if (n <= ALL - BACKGROUND)
            put_counted(store, n, text, SIZE, &tally);
        else
            put(store, &record, n, NULL);
    }
    /* KEPT of a little over 1 MiB fit 64 MiB, and the small ones beside them */
    EVENTUALLY(stoq_store_health(store, &dropped) &&
               dropped >= ALL - BACKGROUND - KEPT);
    limit_files(RLIM_INFINITY);
    EVENTUALLY(stoq_store_sync(store) == 0);
    EVENTUALLY(atomic_load(&tally.ok) + atomic_load(&tally.nospace) ==
               ALL - BACKGROUND);
    ck_assert_uint_eq(atomic_load(&tally.ok), KEPT);
    ck_assert_uint_eq(atomic_load(&tally.other), 0);
    for (uint64_t n = 1; n <= ALL; n++) {
        bool is = stoq_store_find(store, 7, n, &found) == 0;

        *(n <= ALL - BACKGROUND ? &waited : &background) += is;
    }
    ck_assert_uint_eq(waited, KEPT);
    (void)stoq_store_health(store, &dropped);
    ck_assert_uint_eq(dropped, ALL - waited - background);
    stoq_store_free(store);
}
END_TEST

/* Closing does not wait for ever: what cannot be written is given up, and told so. */
START_TEST(test_close_without_room)
{
    struct stoq_store *store = open_store(NULL);
    struct tally tally = {0};

    limit_files(FILE_LIMIT);
    for (uint64_t n = 1; n <= 10; n++)
        put_counted(store, n, big, sizeof big, &tally);
    stoq_store_free(store);
    limit_files(RLIM_INFINITY);
    ck_assert_uint_eq(atomic_load(&tally.other), 10);
    stoq_store_free(open_store(NULL));
}
END_TEST

/* A real full disk, where this process may mount one. */
START_TEST(test_full_disk)
{
    struct stoq_store *store;
    struct tally tally = {0};
    struct stoq_record found;
    uint64_t n = 0;
    char text[4000];

    if (unshare(CLONE_NEWNS) < 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("stoq-test", dir, "tmpfs", 0, "size=2m") < 0) {
        printf("full disk: not checked, mount(2): %s\n", strerror(errno));
        return;
    }
    memset(text, 'x', sizeof text);
    store = open_store(NULL);
    while (stoq_store_sync(store) == 0 && n < 10000)
        put_counted(store, ++n, text, sizeof text, &tally);
    ck_assert_int_eq(stoq_store_health(store, NULL), -ENOSPC);
    ck_assert_int_eq(stoq_store_find(store, 7, 1, &found), 0);
    ck_assert_int_eq(stoq_store_find(store, 7, n, &found), -ENOENT);
    ck_assert_int_eq(mount("stoq-test", dir, "tmpfs", MS_REMOUNT, "size=8m"), 0);
    EVENTUALLY(stoq_store_health(store, NULL) == 0);
    for (uint64_t i = 1; i <= n; i++)
        ck_assert_int_eq(stoq_store_find(store, 7, i, &found), 0);
    ck_assert_uint_eq(atomic_load(&tally.ok), n);
    stoq_store_free(store);
    ck_assert_int_eq(umount(dir), 0);
}
END_TEST

/* --------------------------------------------------------------------------- kill -9
 */

#define KILLS 12

struct report {
    int fd;
    uint64_t n;
};

static void
tell(void *arg, int status)
{
    struct report *report = arg;

    if (status == 0 && write(report->fd, &report->n, sizeof report->n) < 0)
        _exit(3);
    free(report);
}

/* The child: put until killed. */
static int
put_for_ever(int fd, uint64_t first)
{
    static const char *const connectors[] = {"queue", NULL};
    struct stoq_store *store = NULL;
    char text[64];

    if (stoq_store_open(dir, &store, NULL, NULL) < 0)
        return 2;
    for (uint64_t n = first;; n++) {
        struct report *report = malloc(sizeof *report);
        struct stoq_record record = record_of(n);
        size_t size = document_of(n, text);

        if (!report)
            return 4;
        *report = (struct report){.fd = fd, .n = n};
        if (stoq_store_put(store, &record, text, size, connectors, tell, report) < 0)
            return 4;
        if (n % 64 == 0)
            (void)stoq_store_sync(store);
    }
}

/* Read what the child reported. @return the highest number, all below it are reported.
 */
static uint64_t
read_reports(int fd, uint64_t last, unsigned count_at_least)
{
    uint64_t n;
    ssize_t r;

    while ((r = read(fd, &n, sizeof n)) == sizeof n) {
        ck_assert_uint_eq(n, last + 1); /* in order, none left out */
        last = n;
        if (count_at_least && --count_at_least == 0)
            return last;
    }
    ck_assert_int_eq(r, 0);
    return last;
}

/* Run this program again, as main() does with these arguments: a fork alone would not
 * do, since the thread sanitizer allows no threads after one. */
static pid_t
start_child(int fd, uint64_t first)
{
    char fd_text[16], first_text[32];
    pid_t pid;

    (void)snprintf(fd_text, sizeof fd_text, "%d", fd);
    (void)snprintf(first_text, sizeof first_text, "%llu", (unsigned long long)first);
    pid = fork();
    if (pid == 0) {
        (void)fcntl(fd, F_SETFD, 0);
        (void)execl("/proc/self/exe", "child", dir, fd_text, first_text, (char *)NULL);
        _exit(5);
    }
    return pid;
}

static uint64_t
kill_one(uint64_t last, unsigned reports)
{
    int pair[2], status;
    pid_t pid;

    ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
    pid = start_child(pair[1], last + 1);
    ck_assert_int_ge(pid, 0);
    (void)close(pair[1]);
    last = read_reports(pair[0], last, reports);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    last = read_reports(pair[0], last, 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ck_assert_int_eq(close(pair[0]), 0);
    return last;
}

START_TEST(test_killed)
{
    uint64_t last = 0, stored;

    for (unsigned i = 0; i < KILLS; i++) {
        struct stoq_store_report report = {0};
        struct stoq_outbox_stats stats;
        struct stoq_store *store;
        struct stoq_record found;

        last = kill_one(last, 1 + i * 97);
        store = open_store(&report);
        ck_assert_str_eq(report.moved_aside, "");
        for (uint64_t n = 1; n <= last; n++) {
            ck_assert_int_eq(stoq_store_find(store, 7, n, &found), 0);
            assert_document(store, found.scan_id, n);
        }
        /* some that were never reported may be there; each with its outbox row */
        for (stored = last; !stoq_store_find(store, 7, stored + 1, &found); stored++)
            assert_document(store, found.scan_id, stored + 1);
        ck_assert_int_eq(stoq_store_outbox_stats(store, "queue", &stats), 0);
        ck_assert_uint_eq(stats.waiting, stored);
        stoq_store_free(store);
        last = stored;
    }
}
END_TEST

int
main(int argc, char **argv)
{
    const TTest *const tests[] = {
        test_group_commit,      test_single_commit, test_threads,
        test_put_from_callback, test_file_limit,    test_bounded,
        test_full_disk,         test_killed,        test_close_without_room,
    };

    if (argc == 4) {
        (void)snprintf(dir, sizeof dir, "%s", argv[1]);
        return put_for_ever(atoi(argv[2]), strtoull(argv[3], NULL, 10));
    }
    return run_case("store_writer", tests, STOQ_ARRAY_SIZE(tests));
}
