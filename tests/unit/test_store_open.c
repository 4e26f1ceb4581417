/* SPDX-License-Identifier: Apache-2.0 */

/* Opening: what is not a sound database of ours is moved aside with its companions and
 * never deleted; what the system refuses is an error; one process owns a store. */

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "test_store_common.h"

START_TEST(test_modes)
{
    struct stoq_error err = {0};
    struct stoq_store *store = NULL;
    struct stat st;
    char deep[128];

    (void)snprintf(deep, sizeof deep, "%s/a/b", dir);
    ck_assert_int_eq(stoq_store_open(deep, &store, NULL, &err), 0);
    put_number(store, 1);
    ck_assert_int_eq(stoq_store_sync(store), 0);
    ck_assert_int_eq(stat(deep, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0700);
    ck_assert_int_eq(stat(in_dir("a/b/stoq.db"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    ck_assert_int_eq(stat(in_dir("a/b/stoq.db-wal"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    ck_assert_str_eq(stoq_store_path(store), in_dir("a/b/stoq.db"));
    stoq_store_free(store);
    ck_assert_int_eq(stat(in_dir("a/b/stoq.db-wal"), &st), -1); /* folded in */
    ck_assert_int_eq(stat(in_dir("a/b/stoq.db.new"), &st), -1);
}
END_TEST

START_TEST(test_second_opener)
{
    struct stoq_store *store = open_store(NULL), *second = NULL;
    struct stoq_error err = {0};
    char expected[128];

    ck_assert_int_eq(stoq_store_open(dir, &second, NULL, &err), -EBUSY);
    ck_assert_int_eq(err.code, -EBUSY);
    (void)snprintf(expected, sizeof expected, "%s is in use by another process", dir);
    ck_assert_int_eq(strncmp(err.message, expected, strlen(expected)), 0);
    ck_assert_ptr_null(second);
    stoq_store_free(store);
    stoq_store_free(open_store(NULL));
}
END_TEST

START_TEST(test_directory_is_a_file)
{
    struct stoq_store *store = NULL;
    struct stoq_error err = {0};
    char path[128];

    ck_assert_int_eq(close(open(in_dir("f"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
    (void)snprintf(path, sizeof path, "%s/f", dir);
    ck_assert_int_eq(stoq_store_open(path, &store, NULL, &err), -ENOTDIR);
    ck_assert_int_eq(err.code, -ENOTDIR);
}
END_TEST

/* ------------------------------------------------------- what may be in its place */

static void
write_bytes(const char *name, const void *data, size_t size)
{
    int fd = open(in_dir(name), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, data, size), (ssize_t)size);
    ck_assert_int_eq(close(fd), 0);
}

static void
make_ours(uint64_t count)
{
    struct stoq_store *store = open_store(NULL);

    for (uint64_t n = 1; n <= count; n++)
        put_number(store, n);
    stoq_store_free(store);
}

static void
make_random(void)
{
    unsigned char bytes[20000];
    uint32_t x = 12345;

    for (size_t i = 0; i < sizeof bytes; i++) {
        x = x * 1664525 + 1013904223;
        bytes[i] = (unsigned char)(x >> 24);
    }
    write_bytes("stoq.db", bytes, sizeof bytes);
}

static void
make_empty(void)
{
    write_bytes("stoq.db", "", 0);
}

static void
make_short(void)
{
    write_bytes("stoq.db", "SQLite format 3", 16);
}

static void
make_truncated(void)
{
    make_ours(1000);
    ck_assert_int_eq(truncate(in_dir("stoq.db"), 8192), 0);
}

static void
make_overwritten(void)
{
    unsigned char junk[4096];
    struct stat st;
    int fd;

    make_ours(1000);
    memset(junk, 0xa5, sizeof junk);
    fd = open(in_dir("stoq.db"), O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    for (off_t at = 4096; at < st.st_size; at += 4096)
        ck_assert_int_eq(pwrite(fd, junk, sizeof junk, at), sizeof junk);
    ck_assert_int_eq(close(fd), 0);
}

static void
run_sql(const char *text)
{
    sqlite3 *db = NULL;

    ck_assert_int_eq(sqlite3_open(in_dir("stoq.db"), &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(db));
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static void
make_foreign(void)
{
    run_sql("CREATE TABLE precious (t TEXT); INSERT INTO precious VALUES ('keep me')");
}

static void
make_newer(void)
{
    make_ours(1);
    run_sql("PRAGMA user_version = 999");
}

/* The header is right, the tables are not. */
static void
make_other_tables(void)
{
    make_ours(1);
    run_sql("DROP TABLE content");
}

static void
make_directory(void)
{
    ck_assert_int_eq(mkdir(in_dir("stoq.db"), 0755), 0);
    write_bytes("stoq.db/inside", "x", 1);
}

static void
make_symlink(void)
{
    ck_assert_int_eq(symlink("/etc/passwd", in_dir("stoq.db")), 0);
}

static void
make_fifo(void)
{
    ck_assert_int_eq(mkfifo(in_dir("stoq.db"), 0600), 0);
}

static const struct {
    const char *what;
    void (*make)(void);
} bad[] = {
    {"random bytes", make_random},
    {"empty", make_empty},
    {"short", make_short},
    {"truncated", make_truncated},
    {"overwritten", make_overwritten},
    {"foreign", make_foreign},
    {"newer schema", make_newer},
    {"other tables", make_other_tables},
    {"a directory", make_directory},
    {"a symlink", make_symlink},
    {"a fifo", make_fifo},
};

START_TEST(test_moved_aside)
{
    struct stoq_store_report report = {0};
    struct stoq_store *store;
    struct stat before, after;

    bad[_i].make();
    ck_assert_int_eq(lstat(in_dir("stoq.db"), &before), 0);
    store = open_store(&report);
    ck_assert_msg(report.created, "%s", bad[_i].what);
    ck_assert_msg(strncmp(report.moved_aside, "stoq.db.corrupt-", 16) == 0, "%s: %s",
                  bad[_i].what, report.moved_aside);
    ck_assert_int_eq(lstat(in_dir(report.moved_aside), &after), 0);
    ck_assert_uint_eq(before.st_ino, after.st_ino); /* the very same thing */
    ck_assert_int_eq(before.st_size, after.st_size);
    put_number(store, 5);
    ck_assert_int_eq(stoq_store_sync(store), 0);
    assert_document(store, record_of(5).scan_id, 5);
    assert_no_document(store, record_of(1).scan_id);
    stoq_store_free(store);

    memset(&report, 0, sizeof report);
    store = open_store(&report); /* and it stays sound */
    ck_assert(!report.created);
    ck_assert_str_eq(report.moved_aside, "");
    assert_document(store, record_of(5).scan_id, 5);
    stoq_store_free(store);
}
END_TEST

/* Two in one second get two names, and companions go along. */
START_TEST(test_companions)
{
    char names[3][256] = {"", "", ""};
    struct stat st;

    for (size_t i = 0; i < 3; i++) {
        struct stoq_store_report report = {0};
        char companion[300];

        make_random();
        write_bytes("stoq.db-wal", "log", 3);
        stoq_store_free(open_store(&report));
        memcpy(names[i], report.moved_aside, sizeof names[i]);
        (void)snprintf(companion, sizeof companion, "%s-wal", names[i]);
        ck_assert_int_eq(stat(in_dir(companion), &st), 0);
        ck_assert_int_eq(st.st_size, 3);
        ck_assert_int_eq(unlink(in_dir("stoq.db")), 0);
    }
    ck_assert_str_ne(names[0], names[1]);
    ck_assert_str_ne(names[1], names[2]);
}
END_TEST

/* A log without its database must not be played into a new one. */
START_TEST(test_orphan_log)
{
    struct stoq_store_report report = {0};
    struct stoq_store *store = open_store(NULL);
    struct stat st;
    bool found = false;
    struct dirent *e;
    DIR *d;

    put_number(store, 1);
    stoq_store_free(store);
    write_bytes("stoq.db-wal", "an old log", 10);
    ck_assert_int_eq(unlink(in_dir("stoq.db")), 0);

    store = open_store(&report);
    ck_assert(report.created);
    assert_no_document(store, record_of(1).scan_id);
    stoq_store_free(store);
    d = opendir(dir);
    ck_assert_ptr_nonnull(d);
    while ((e = readdir(d))) {
        size_t n = strlen(e->d_name);

        if (strncmp(e->d_name, "stoq.db.corrupt-", 16) == 0 &&
            strcmp(e->d_name + n - 4, "-wal") == 0)
            found = stat(in_dir(e->d_name), &st) == 0 && st.st_size == 10;
    }
    ck_assert_int_eq(closedir(d), 0);
    ck_assert(found);
}
END_TEST

/* ------------------------------------------------------------- damage while in use */

static bool
ignore(void *arg, const struct stoq_record *record)
{
    (void)arg;
    (void)record;
    return true;
}

/* Pages turn to junk under an open store: errors, a mark, and a new store next time. */
START_TEST(test_damage_in_use)
{
    struct stoq_store_report report = {0};
    struct stoq_store *store;
    unsigned char junk[4096];
    struct stat st;
    int fd;

    make_ours(5000);
    store = open_store(NULL);
    ck_assert_int_eq(stoq_store_health(store, NULL), 0);
    memset(junk, 0x5a, sizeof junk);
    /* not by close(2): that would drop SQLite's locks on the file in this process */
    fd = open(in_dir("stoq.db"), O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    for (off_t at = 8192; at < st.st_size; at += 4096)
        ck_assert_int_eq(pwrite(fd, junk, sizeof junk, at), sizeof junk);
    ck_assert_int_eq(stoq_store_foreach(store, ignore, NULL), -EUCLEAN);
    ck_assert_int_eq(stoq_store_health(store, NULL), -EUCLEAN);
    for (uint64_t n = 10; n < 20; n++)
        put_number(store, n);
    (void)stoq_store_sync(store); /* fails or not, by what the cache still holds */
    ck_assert_int_eq(stoq_store_health(store, NULL), -EUCLEAN);
    ck_assert_int_eq(stat(in_dir("stoq.db.suspect"), &st), 0);
    stoq_store_free(store);
    ck_assert_int_eq(close(fd), 0);

    store = open_store(&report);
    ck_assert_int_eq(strncmp(report.moved_aside, "stoq.db.corrupt-", 16), 0);
    ck_assert_int_eq(stat(in_dir("stoq.db.suspect"), &st), -1);
    ck_assert_int_eq(stoq_store_health(store, NULL), 0);
    put_number(store, 1);
    ck_assert_int_eq(stoq_store_sync(store), 0);
    stoq_store_free(store);
}
END_TEST

/* A mark on a sound database: it is read and kept. */
START_TEST(test_suspect_but_sound)
{
    struct stoq_store_report report = {0};
    struct stoq_store *store;
    struct stat st;

    make_ours(3);
    write_bytes("stoq.db.suspect", "", 0);
    store = open_store(&report);
    ck_assert(!report.created);
    ck_assert_str_eq(report.moved_aside, "");
    assert_document(store, record_of(3).scan_id, 3);
    ck_assert_int_eq(stat(in_dir("stoq.db.suspect"), &st), -1);
    stoq_store_free(store);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_open");
    TCase *tcase = tcase_create("store_open");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(tcase, 90);
    tcase_add_checked_fixture(tcase, set_up_dir, remove_dir);
    tcase_add_test(tcase, test_modes);
    tcase_add_test(tcase, test_second_opener);
    tcase_add_test(tcase, test_directory_is_a_file);
    tcase_add_loop_test(tcase, test_moved_aside, 0, (int)STOQ_ARRAY_SIZE(bad));
    tcase_add_test(tcase, test_companions);
    tcase_add_test(tcase, test_orphan_log);
    tcase_add_test(tcase, test_damage_in_use);
    tcase_add_test(tcase, test_suspect_but_sound);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
