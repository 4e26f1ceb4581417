/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The watch on a real directory, over a gate that only takes notes: what is queued for
 * scanning after changes of all kinds, under which paths, and what is not.
 */

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "cache.h"
#include "gate.h"
#include "node.h"
#include "util/auto.h"
#include "util/clock.h"
#include "watch.h"

#define WAIT_MS 10000
#define NOTES   1024

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *asked[NOTES]; /* guarded by lock; paths in order */
static size_t asked_count;
static bool expected; /* guarded by lock: the gate knows everything already */

static char dir[64];
static struct stoqfs_options options;
static struct stoqfs fs;

/* ---- what the watch stands on ---- */

int
stoqfs_gate_ask(struct stoqfs_gate *g, const struct stoqfs_question *q,
                struct stoqfs_answer *now)
{
    (void)g;
    (void)now;
    ck_assert_int_eq(q->fd, -1);
    ck_assert_int_eq(q->priority, STOQ_PRIORITY_DISCOVERED);
    ck_assert(S_ISREG(q->st->st_mode));
    (void)pthread_mutex_lock(&lock);
    if (asked_count < NOTES)
        asked[asked_count++] = strdup(q->path);
    (void)pthread_mutex_unlock(&lock);
    return 0;
}

bool
stoqfs_gate_expects(struct stoqfs_gate *g, const struct stat *st)
{
    (void)g;
    (void)st;
    (void)pthread_mutex_lock(&lock);
    bool r = expected;
    (void)pthread_mutex_unlock(&lock);
    return r;
}

bool
stoqfs_gate_remembers(struct stoqfs_gate *g, const struct stat *st)
{
    (void)g;
    (void)st;
    return false;
}

struct stoqfs_node *
stoqfs_node_find(struct stoqfs_nodes *t, uint64_t dev, uint64_t ino)
{
    (void)t;
    (void)dev;
    (void)ino;
    return NULL; /* the kernel knows nothing */
}

void
stoqfs_node_unpin(struct stoqfs_nodes *t, struct stoqfs_node *n)
{
    (void)t;
    (void)n;
}

fuse_ino_t
stoqfs_node_number(const struct stoqfs_node *n)
{
    (void)n;
    return 0;
}

int
stoqfs_node_path(struct stoqfs_nodes *t, struct stoqfs_node *n, char *buf, size_t size)
{
    (void)t;
    (void)n;
    (void)buf;
    (void)size;
    return -ENOENT;
}

int
stoqfs_node_writers(const struct stoqfs_node *n)
{
    (void)n;
    return 0;
}

bool
stoqfs_node_was_told(const struct stoqfs_node *n, const struct stat *st)
{
    (void)n;
    (void)st;
    return false;
}

const char *
stoqfs_fd_path(int fd, struct stoqfs_fd_path *buf)
{
    (void)snprintf(buf->text, sizeof(buf->text), "/proc/self/fd/%d", fd);
    return buf->text;
}

int
fuse_lowlevel_notify_inval_inode(struct fuse_session *se, fuse_ino_t ino, off_t off,
                                 off_t len)
{
    (void)se;
    (void)ino;
    (void)off;
    (void)len;
    return 0;
}

bool
stoqfs_cache_new_epoch(struct stoqfs *f)
{
    (void)f;
    return true;
}

void
stoqfs_cache_vouch(struct stoqfs *f, bool yes)
{
    atomic_store(&f->vouched, yes);
}

void
stoqfs_cache_stale(struct stoqfs *f, struct stoqfs_node *n)
{
    (void)f;
    (void)n;
}

/* ---- helpers ---- */

static const char *
at(const char *name)
{
    static char path[4][256];
    static unsigned next;
    char *p = path[next++ % 4];
    (void)snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
    return p;
}

static void
put(const char *name)
{
    STOQ_AUTOCLOSE int fd = open(at(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "x", 1), 1);
}

static void
make(const char *name)
{
    ck_assert_int_eq(mkdir(at(name), 0700), 0);
}

static size_t
times_asked(const char *path)
{
    size_t n = 0;
    (void)pthread_mutex_lock(&lock);
    for (size_t i = 0; i < asked_count; i++)
        n += strcmp(asked[i], path) == 0;
    (void)pthread_mutex_unlock(&lock);
    return n;
}

static void
until_asked(const char *path)
{
    uint64_t end = stoq_now_ms() + WAIT_MS;
    while (!times_asked(path)) {
        ck_assert_msg(stoq_now_ms() < end, "%s was not noticed", path);
        (void)usleep(500);
    }
}

/* Everything before this has been seen once this one has. */
static void
barrier(const char *name)
{
    put(name);
    until_asked(name);
}

static json_int_t
status(const char *key)
{
    json_auto_t *s = stoqfs_watch_status(fs.watch);
    const json_t *v = json_object_get(s, key);
    return json_is_boolean(v) ? json_is_true(v) : json_integer_value(v);
}

static void
until_status(const char *key, json_int_t value)
{
    uint64_t end = stoq_now_ms() + WAIT_MS;
    while (status(key) != value) {
        ck_assert_msg(stoq_now_ms() < end, "%s is not %d", key, (int)value);
        (void)usleep(500);
    }
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void
setup(void)
{
    memset(&fs, 0, sizeof(fs));
    asked_count = 0;
    expected = false;
    (void)snprintf(dir, sizeof(dir), "/tmp/stoq-watch-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    options.source = dir;
    fs.options = &options;
    fs.source_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    make("old");
    make("old/deep");
    put("old/file");
    ck_assert_int_eq(stoqfs_watch_new(&fs, &fs.watch, NULL), 0);
    until_status("complete", 1);
    ck_assert_int_eq(status("directories"), 3);
}

static void
teardown(void)
{
    stoqfs_watch_free(fs.watch);
    for (size_t i = 0; i < asked_count; i++)
        free(asked[i]);
    (void)close(fs.source_fd);
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- tests ---- */

START_TEST(files_are_noticed)
{
    ck_assert_uint_eq(times_asked("old/file"), 0); /* what was there is not news */
    put("new");
    until_asked("new");
    put("old/deep/new");
    until_asked("old/deep/new");
    ck_assert_int_eq(rename(at("new"), at("old/moved")), 0);
    until_asked("old/moved");
    ck_assert_int_eq(link(at("old/moved"), at("hard")), 0);
    until_asked("hard");
}
END_TEST

START_TEST(what_is_no_news)
{
    ck_assert_int_eq(mkfifo(at("fifo"), 0600), 0);
    ck_assert_int_eq(symlink("old/file", at("link")), 0);
    ck_assert_int_eq(chmod(at("old/file"), 0640), 0); /* never scanned */
    STOQ_AUTOCLOSE int fd = open(at("open"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0); /* created, not closed */
    barrier("last");
    ck_assert_uint_eq(times_asked("fifo"), 0);
    ck_assert_uint_eq(times_asked("link"), 0);
    ck_assert_uint_eq(times_asked("old/file"), 0);
    ck_assert_uint_eq(times_asked("open"), 0);
}
END_TEST

START_TEST(own_changes_are_no_news)
{
    (void)pthread_mutex_lock(&lock);
    expected = true;
    (void)pthread_mutex_unlock(&lock);
    put("mine");
    make("sub");
    until_status("directories", 4); /* so `mine` was seen */
    (void)pthread_mutex_lock(&lock);
    expected = false;
    (void)pthread_mutex_unlock(&lock);
    barrier("last");
    ck_assert_uint_eq(times_asked("mine"), 0);
}
END_TEST

START_TEST(racing_directories)
{
    char name[64];
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof(name), "r%d", i);
        make(name);
        (void)snprintf(name, sizeof(name), "r%d/a", i);
        make(name);
        (void)snprintf(name, sizeof(name), "r%d/a/b", i);
        make(name);
        (void)snprintf(name, sizeof(name), "r%d/a/b/f", i);
        put(name);
    }
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof(name), "r%d/a/b/f", i);
        until_asked(name);
    }
    until_status("directories", 3 + 60);
}
END_TEST

START_TEST(renamed_directories_keep_their_watches)
{
    ck_assert_int_eq(rename(at("old"), at("renamed")), 0);
    put("renamed/deep/f");
    until_asked("renamed/deep/f");
    make("other");
    ck_assert_int_eq(rename(at("renamed/deep"), at("other/deep")), 0);
    put("other/deep/g");
    until_asked("other/deep/g");
    ck_assert_int_eq(status("directories"), 4);
    ck_assert_uint_eq(times_asked("old/deep/f"), 0);
}
END_TEST

START_TEST(directories_that_leave)
{
    char outside[80];
    (void)snprintf(outside, sizeof(outside), "%s.out", dir);
    ck_assert_int_eq(rename(at("old"), outside), 0);
    until_status("directories", 1);
    ck_assert_int_eq(rename(outside, at("back")), 0);
    until_status("directories", 3);
    until_asked("back/file"); /* what arrives is news */
    ck_assert_int_eq(rmdir(at("back/deep")), 0);
    until_status("directories", 2);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("fs_watch");
    TCase *t = tcase_create("watch");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, files_are_noticed);
    tcase_add_test(t, what_is_no_news);
    tcase_add_test(t, own_changes_are_no_news);
    tcase_add_test(t, racing_directories);
    tcase_add_test(t, renamed_directories_keep_their_watches);
    tcase_add_test(t, directories_that_leave);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
